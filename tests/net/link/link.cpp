#include <fairlead/net/link/link.hpp>

#include <net/link/link_support.hpp>
#include <support/catch.hpp>

#include <algorithm>
#include <csignal>
#include <random>

// One suite of behaviours, for every form of a link: what is above a link must not see which one it is.

using namespace fairlead;
using namespace link_support;

namespace {

link_form any_form() { return GENERATE(from_range(all_link_forms)); }

// A memory pair has no transport that could break: its peer can only close, which is an end of input.
link_form any_socket_form() {
  return GENERATE(link_form::epoll_tcp, link_form::epoll_local, link_form::asio_tcp, link_form::asio_local,
                  link_form::fault_epoll_tcp, link_form::tls_epoll_tcp, link_form::tls_asio_local);
}

}  // namespace

#define FOR_EACH_FORM(form)          \
  const link_form form = any_form(); \
  CAPTURE(name_of(form))
#define FOR_EACH_SOCKET_FORM(form)          \
  const link_form form = any_socket_form(); \
  CAPTURE(name_of(form))

// F17: the link takes what it can, and the bytes on the other side are those of one write.
TEST_CASE("bytes_arrive_in_order_and_whole") {
  FOR_EACH_FORM(form);
  for (const std::size_t size :
       {1, 2, 1000, 64 * 1024 - 1, 64 * 1024, 64 * 1024 + 1, 1024 * 1024, 8 * 1024 * 1024}) {
    CAPTURE(size);
    joined_links links(form);
    links.start();
    const std::string there = pattern(size);
    const std::string back = there.substr(size / 2) + "back";
    links.near.send(there);
    links.far.send(back);
    REQUIRE(run_until(links.context, [&] {
      return links.far.received.size() >= there.size() && links.near.received.size() >= back.size();
    }));
    CHECK((links.far.received == there));
    CHECK((links.near.received == back));
    if (size == 8 * 1024 * 1024) CHECK(links.near.short_writes > 0);
    CHECK(links.near.short_writes == links.near.writables);
    CHECK(links.near.wrong + links.far.wrong == 0);
  }
}

TEST_CASE("a_peer_that_does_not_read_holds_up_the_writer") {
  FOR_EACH_FORM(form);
  joined_links links(form);
  links.start();
  links.far.pause();
  links.near.fill();
  run_a_moment(links.context);
  CHECK(links.near.written < 64 * 1024 * 1024);
  CHECK(links.far.received.empty());
  links.far.resume();
  REQUIRE(run_until(links.context, [&] { return links.near.has_sent_all(); }));
  REQUIRE(run_until(links.context, [&] { return links.far.received.size() == links.near.written; }));
  CHECK(links.near.writables > 0);
  CHECK(links.near.wrong + links.far.wrong == 0);
}

TEST_CASE("bytes_are_read_where_the_sink_wants_them") {
  FOR_EACH_FORM(form);
  for (const std::size_t room : {1, 7, 4096, 1024 * 1024}) {
    CAPTURE(room);
    joined_links links(form);
    links.far.room.resize(room);
    links.start();
    const std::string text = pattern(room < 100 ? 5000 : 3 * 1024 * 1024);
    links.near.send(text);
    REQUIRE(run_until(links.context, [&] { return links.far.received.size() >= text.size(); }));
    CHECK((links.far.received == text));
    CHECK(links.far.largest_read <= room);
    CHECK(links.far.wrong == 0);
  }
}

TEST_CASE("a_sink_may_offer_room_for_some_reads_only") {
  FOR_EACH_FORM(form);
  joined_links links(form);
  links.far.in_read_room = [&] {
    links.far.room.resize(static_cast<std::size_t>(links.far.rooms % 3) * 1000);
  };
  links.start();
  const std::string text = pattern(1024 * 1024);
  links.near.send(text);
  REQUIRE(run_until(links.context, [&] { return links.far.received.size() >= text.size(); }));
  CHECK((links.far.received == text));
  CHECK(links.far.wrong == 0);
}

TEST_CASE("a_paused_link_pushes_nothing_until_it_is_resumed") {
  FOR_EACH_FORM(form);
  joined_links links(form);
  links.start();
  links.far.pause();
  links.far.pause();
  links.near.send("one");
  run_a_moment(links.context);
  CHECK(links.far.calls() == 0);
  links.far.resume();
  links.far.resume();
  REQUIRE(run_until(links.context, [&] { return links.far.received == "one"; }));
  links.far.pause();
  links.near.send("two");
  run_a_moment(links.context);
  CHECK(links.far.received == "one");
  links.far.resume();
  CHECK(run_until(links.context, [&] { return links.far.received == "onetwo"; }));
  CHECK(links.far.wrong == 0);
}

TEST_CASE("a_link_may_be_used_before_it_is_started") {
  FOR_EACH_FORM(form);
  if (is_tls(form)) return;  // its handshake begins with the start
  joined_links links(form);
  links.near.start();
  links.far.pause();
  links.far.write("early");
  links.near.send("one");
  run_a_moment(links.context);
  CHECK(links.near.received == "early");
  CHECK(links.far.calls() == 0);
  links.far.start();
  run_a_moment(links.context);
  CHECK(links.far.calls() == 0);
  links.far.resume();
  CHECK(run_until(links.context, [&] { return links.far.received == "one"; }));
}

TEST_CASE("nothing_is_pushed_before_the_start") {
  FOR_EACH_FORM(form);
  joined_links links(form);
  links.near.start();
  links.far.pause();
  links.far.resume();
  links.near.send("one");
  run_a_moment(links.context);
  CHECK(links.far.calls() == 0);
  links.far.start();
  CHECK(run_until(links.context, [&] { return links.far.received == "one"; }));
}

TEST_CASE("nothing_follows_a_pause_inside_on_bytes") {
  FOR_EACH_FORM(form);
  joined_links links(form);
  links.far.room.resize(10);
  links.far.in_on_bytes = [&] { links.far.pause(); };
  links.start();
  links.near.send(pattern(100));
  links.near.shutdown();
  for (std::size_t i = 1; i <= 10; ++i) {
    REQUIRE(run_until(links.context, [&] { return links.far.received.size() == 10 * i; }));
    run_a_moment(links.context, 5ms);
    REQUIRE(links.far.received.size() == 10 * i);
    REQUIRE(links.far.eofs == 0);
    links.far.resume();
  }
  CHECK((links.far.received == pattern(100)));
  CHECK(run_until(links.context, [&] { return links.far.eofs == 1; }));
  CHECK(links.far.wrong == 0);
}

TEST_CASE("pause_and_resume_inside_on_bytes_change_nothing") {
  FOR_EACH_FORM(form);
  joined_links links(form);
  links.far.room.resize(10);
  links.far.in_on_bytes = [&] {
    links.far.pause();
    links.far.resume();
  };
  links.start();
  links.near.send(pattern(1000));
  links.near.shutdown();
  CHECK(run_until(links.context, [&] { return links.far.eofs == 1; }));
  CHECK((links.far.received == pattern(1000)));
  CHECK(links.far.wrong == 0);
}

// C08: an orderly end is no error, and what came before it is not lost.
TEST_CASE("the_end_of_the_input_waits_for_a_paused_reader") {
  FOR_EACH_FORM(form);
  const bool closes = GENERATE(false, true);
  CAPTURE(closes);
  joined_links links(form);
  links.start();
  links.far.pause();
  links.near.send("the last words");
  if (closes) {
    links.near.close();
  } else {
    links.near.shutdown();
  }
  run_a_moment(links.context);
  CHECK(links.far.calls() == 0);
  links.far.resume();
  REQUIRE(run_until(links.context, [&] { return links.far.calls() > 2; }));
  CHECK(links.far.received == "the last words");
  CHECK(run_until(links.context, [&] { return links.far.eofs == 1; }));
  CHECK(links.far.errors == 0);
  CHECK(links.far.wrong == 0);
}

TEST_CASE("an_orderly_end_after_a_pause_is_no_error") {
  FOR_EACH_FORM(form);
  joined_links links(form);
  links.start();
  links.far.pause();
  links.near.send("one");
  run_a_moment(links.context);
  links.far.resume();
  REQUIRE(run_until(links.context, [&] { return links.far.received == "one"; }));
  links.near.send("two");
  links.near.close();
  REQUIRE(run_until(links.context, [&] { return links.far.eofs + links.far.errors != 0; }));
  CHECK(links.far.received == "onetwo");
  CHECK(links.far.errors == 0);
}

// C08
TEST_CASE("a_reset_by_the_peer_ends_the_link_once") {
  FOR_EACH_SOCKET_FORM(form);
  joined_links links(form);
  links.start();
  links.reset_by_far();
  REQUIRE(run_until(links.context, [&] { return links.near.errors != 0; }));
  run_a_moment(links.context);
  CHECK(links.near.errors == 1);
  CHECK(links.near.error == std::errc::connection_reset);
  CHECK(links.near.wrong == 0);
}

// C08: a session that waits for its own reader must not outlive its peer.
TEST_CASE("a_reset_by_the_peer_ends_a_paused_link") {
  FOR_EACH_SOCKET_FORM(form);
  const bool paused_long_ago = GENERATE(true, false);
  CAPTURE(paused_long_ago);
  joined_links links(form);
  links.start();
  if (paused_long_ago) {
    links.near.pause();
    links.far.send("unread");
    run_a_moment(links.context);
  } else {
    links.near.in_on_bytes = [&] { links.near.pause(); };
    links.far.send("read");
    REQUIRE(run_until(links.context, [&] { return links.near.reads == 1; }));
  }
  links.reset_by_far();
  REQUIRE(run_until(links.context, [&] { return links.near.errors != 0; }));
  CHECK(links.near.error == std::errc::connection_reset);
  run_a_moment(links.context);
  CHECK(links.near.errors == 1);
  CHECK(links.near.wrong == 0);
}

TEST_CASE("a_broken_link_only_wants_to_be_closed") {
  FOR_EACH_SOCKET_FORM(form);
  joined_links links(form);
  links.start();
  links.reset_by_far();
  REQUIRE(run_until(links.context, [&] { return links.near.errors != 0; }));
  const int calls = links.near.calls();
  links.near.resume();
  links.near.pause();
  CHECK(links.near.write("into the void").error);
  links.near.resume();
  links.near.shutdown();
  run_a_moment(links.context);
  CHECK(links.near.calls() == calls);
  CHECK(links.near.wrong == 0);
}

TEST_CASE("the_end_of_the_input_comes_once") {
  FOR_EACH_FORM(form);
  joined_links links(form);
  links.start();
  links.near.shutdown();
  REQUIRE(run_until(links.context, [&] { return links.far.eofs != 0; }));
  links.far.resume();
  links.far.pause();
  links.far.resume();
  links.near.close();
  run_a_moment(links.context);
  CHECK(links.far.eofs == 1);
  CHECK(links.far.reads == 0);
  CHECK(links.far.wrong == 0);
}

TEST_CASE("the_end_of_sending_comes_behind_what_was_written_and_receiving_goes_on") {
  FOR_EACH_FORM(form);
  joined_links links(form);
  links.start();
  const std::string text = pattern(3 * 1024 * 1024);
  links.near.send(text);
  REQUIRE(run_until(links.context, [&] { return links.near.has_sent_all(); }));
  links.near.shutdown();
  std::size_t before_eof = 0;
  links.far.in_on_eof = [&] { before_eof = links.far.received.size(); };
  REQUIRE(run_until(links.context, [&] { return links.far.eofs != 0; }));
  CHECK(before_eof == text.size());
  CHECK((links.far.received == text));

  links.far.send(text);
  REQUIRE(run_until(links.context, [&] { return links.near.received.size() >= text.size(); }));
  CHECK((links.near.received == text));
  links.far.shutdown();
  CHECK(run_until(links.context, [&] { return links.near.eofs == 1; }));
  CHECK(links.near.wrong + links.far.wrong == 0);
}

TEST_CASE("a_link_may_be_closed_inside_each_function_of_its_sink") {
  FOR_EACH_FORM(form);
  const int descriptors = open_descriptors();
  const std::string where = GENERATE("read_room", "on_bytes", "on_writable", "on_eof", "on_link_error");
  if (below(form) == link_form::memory && where == "on_link_error") return;
  CAPTURE(where);
  {
    joined_links links(form);
    bool closed = false;
    const auto close = [&] {
      if (closed) return;
      closed = true;
      links.near.close();
    };
    links.start();
    if (where == "read_room") {
      links.near.in_read_room = close;
      links.far.send(pattern(100'000));
    } else if (where == "on_bytes") {
      links.near.in_on_bytes = close;
      links.near.room.resize(10);
      links.far.send(pattern(100'000));
    } else if (where == "on_writable") {
      // With bytes to read as well, so that the same event has more to tell.
      links.near.in_on_writable = close;
      links.far.pause();
      links.near.fill();
      links.far.send(pattern(100'000));
      links.far.resume();
    } else if (where == "on_eof") {
      links.near.in_on_eof = close;
      links.far.shutdown();
    } else {
      links.near.in_on_link_error = close;
      links.reset_by_far();
    }
    REQUIRE(run_until(links.context, [&] { return closed; }));
    const int calls = links.near.calls();
    run_a_moment(links.context);
    CHECK(links.near.calls() == calls);
    CHECK(links.near.wrong == 0);
    // The peer sees the end, one way or the other.
    if (links.far.link != nullptr) {
      CHECK(run_until(links.context, [&] { return links.far.eofs + links.far.errors != 0; }));
      links.far.close();
    }
    CHECK(runs_out(links.context));
  }
  CHECK(open_descriptors() == descriptors);
}

TEST_CASE("a_write_to_a_peer_that_is_gone_is_an_error_and_no_signal") {
  std::signal(SIGPIPE, SIG_DFL);
  FOR_EACH_FORM(form);
  joined_links links(form);
  links.start();
  links.far.close();
  write_result result;
  REQUIRE(run_until(links.context, [&] {
    const std::string text(1000, 'x');  // in two pieces
    const std::array gather{bytes_of(text), bytes_of(text)};
    result = links.near.write(gather);
    return static_cast<bool>(result.error);
  }));
  CHECK((result.error == std::errc::broken_pipe || result.error == std::errc::connection_reset));
  CHECK(result.size == 0);
}

TEST_CASE("a_writer_that_waits_learns_that_its_peer_is_gone") {
  FOR_EACH_FORM(form);
  joined_links links(form);
  links.start();
  links.near.pause();
  links.far.pause();
  links.near.fill();
  links.far.close();
  CHECK(run_until(links.context, [&] { return links.near.errors != 0 || links.near.write_error; }));
  CHECK(links.near.wrong == 0);
}

TEST_CASE("a_second_start_moves_the_link_to_another_sink") {
  FOR_EACH_FORM(form);
  joined_links links(form);
  recorder other;
  links.start();
  links.far.send("one");
  REQUIRE(run_until(links.context, [&] { return links.near.received == "one"; }));
  // Inside a call of the first sink: as a handshake hands over to its session.
  links.near.in_on_bytes = [&] {
    if (links.near.link == nullptr) return;
    other.link = std::move(links.near.link);
    other.start();
  };
  links.far.send("two");
  REQUIRE(run_until(links.context, [&] { return links.near.received == "onetwo"; }));
  links.far.send("three");
  REQUIRE(run_until(links.context, [&] { return other.received == "three"; }));
  links.far.close();
  REQUIRE(run_until(links.context, [&] { return other.eofs == 1; }));
  CHECK(links.near.received == "onetwo");
  CHECK(links.near.eofs == 0);
  CHECK(links.near.wrong + other.wrong == 0);
}

// Beyond what one system call takes (64 pieces); an empty piece stands anywhere. F17
TEST_CASE("a_gather_list_of_any_length_is_one_stream") {
  FOR_EACH_FORM(form);
  const std::size_t count = GENERATE(1U, 2U, 64U, 65U, 200U);
  const std::string empties = GENERATE("none", "some", "in front", "all");
  CAPTURE(count, empties);
  joined_links links(form);
  links.start();
  std::mt19937 random(5);
  const std::string text = pattern(200 * 3000);
  std::vector<std::span<const std::byte>> pieces;
  std::string whole;
  for (std::size_t i = 0; i < count; ++i) {
    const bool empty =
        (empties == "some" && i % 3 == 0) || (empties == "in front" && i + 1 < count) || empties == "all";
    const std::string_view piece = std::string_view(text).substr(i * 3000, empty ? 0 : 1 + random() % 2999);
    pieces.push_back(bytes_of(piece));
    whole += piece;
  }
  std::size_t written = 0;
  const auto write_the_rest = [&] {
    std::vector<std::span<const std::byte>> left;
    std::size_t skip = written;
    for (const auto& piece : pieces) {
      const std::size_t n = std::min(skip, piece.size());
      skip -= n;
      if (n == 0 || n < piece.size()) left.push_back(piece.subspan(n));
    }
    const write_result result = links.near.write(left);
    written += result.size;
    return result.error || written == whole.size();
  };
  REQUIRE(run_until(links.context, write_the_rest));
  CHECK(written == whole.size());
  REQUIRE(run_until(links.context, [&] { return links.far.received.size() >= whole.size(); }));
  CHECK((links.far.received == whole));
}

TEST_CASE("a_write_of_nothing_takes_nothing") {
  FOR_EACH_FORM(form);
  joined_links links(form);
  links.start();
  const write_result result = links.near.write(std::span<const std::span<const std::byte>>());
  CHECK(result.size == 0);
  CHECK_FALSE(result.error);
  run_a_moment(links.context);
  CHECK(links.near.writables == 0);
  CHECK(links.far.reads == 0);
}

TEST_CASE("the_context_runs_out_when_all_links_are_closed") {
  FOR_EACH_FORM(form);
  joined_links links(form);
  links.start();
  links.near.fill();
  links.far.pause();
  run_a_moment(links.context);
  if (below(form) != link_form::memory)
    CHECK_FALSE(links.context.stopped());  // in memory nothing is waited for
  links.near.close();
  links.far.close();
  CHECK(runs_out(links.context));
  CHECK(links.near.wrong + links.far.wrong == 0);
}

TEST_CASE("a_context_may_go_before_its_links_are_started") {
  FOR_EACH_FORM(form);
  const int descriptors = open_descriptors();
  { joined_links links(form); }
  CHECK(open_descriptors() == descriptors);
}
