#include <fairlead/net/session/session.hpp>

#include <fairlead/net/session/detail/outbox.hpp>

#include <net/session/session_support.hpp>
#include <support/catch.hpp>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/bind_executor.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/post.hpp>

#include <functional>
#include <numeric>

using namespace net_test;

namespace {

/// What one send() gave.
struct outcome {
  bool done = false;
  std::error_code error;

  auto handler() {
    return [this](std::error_code ec) {
      done = true;
      error = ec;
    };
  }
};

/// A session that is used from outside its callbacks, and its peer.
struct sending_stage : stage {
  explicit sending_stage(link_form f = link_form::memory, session_options options = {},
                         std::size_t capacity = 256 * 1024)
      : stage(f) {
    server().route("/", seen.callbacks(), std::move(options));
    peer = join("/", &counts, capacity);
    REQUIRE(peer);
    REQUIRE(seen.ws);
    counts = {};
  }
  sending_stage(const sending_stage&) = delete;
  ~sending_stage() { peer.reset(); }

  const session& ws() { return *seen.ws; }

  /// Does something on the context's thread, but in no session's turn.
  void on_own_thread(std::function<void()> f) {
    asio::post(context, std::move(f));
    run_ready();
  }

  /// Lets the session send until the peer's side takes no more.
  void block() {
    peer->pause();
    bool blocked = false;
    for (int i = 0; i < 100'000 && !blocked; ++i) {
      on_own_thread([&] { blocked = ws().try_send(std::string(64 * 1024, 'x')) == send_result::queued; });
    }
    REQUIRE(blocked);
  }

  record seen;
  link_counts counts;
  std::unique_ptr<client> peer;
};

session_options queue_limits(std::size_t low, std::size_t hard) {
  session_options options;
  options.queue_low = low;
  options.queue_hard = hard;
  return options;
}

link_form any_form() {
  return GENERATE(link_form::memory, link_form::epoll, link_form::asio, link_form::tls);
}

std::vector<std::string> numbers(std::size_t count) {
  std::vector<std::string> all;
  for (std::size_t i = 0; i < count; ++i) all.push_back(std::to_string(i));
  return all;
}

}  // namespace

TEST_CASE("both_kinds_of_message_arrive_as_what_they_were_sent") {
  sending_stage s(any_form());
  const std::string text = "text";
  s.ws().try_send(text);
  s.ws().try_send(std::as_bytes(std::span(text)));
  s.ws().try_send(message(message_kind::binary, {}));
  REQUIRE(s.run_until([&] { return s.peer->messages.size() == 3; }));
  CHECK(s.peer->messages[0].kind() == message_kind::text);
  CHECK(s.peer->messages[0].text() == text);
  CHECK(s.peer->messages[1].kind() == message_kind::binary);
  CHECK(s.peer->messages[1].text() == text);
  CHECK(s.peer->messages[2].size() == 0);
}

TEST_CASE("messages_of_every_size_arrive_whole") {
  sending_stage s(any_form());
  std::vector<std::string> sent;
  for (const std::size_t size : {0, 1, 125, 126, 4096, 4097, 65'535, 65'536, 65'537, 1'000'000}) {
    sent.emplace_back(size, static_cast<char>('a' + size % 26));
    CHECK(s.ws().try_send(sent.back()) == send_result::posted);
  }
  REQUIRE(s.run_until([&] { return s.peer->messages.size() == sent.size(); }));
  CHECK((s.peer->texts() == sent));
}

// --- What try_send() answers.

TEST_CASE("try_send_says_what_becomes_of_a_message") {
  sending_stage s(link_form::memory, queue_limits(100, 1'000'000), 1000);
  SECTION("sent: in a turn of the context's thread") {
    s.on_own_thread([&] { CHECK(s.ws().try_send("a") == send_result::sent); });
  }
  SECTION("queued: behind what the peer has not taken") {
    s.peer->pause();
    s.on_own_thread([&] {
      CHECK(s.ws().try_send(std::string(2000, 'x')) == send_result::sent);
      CHECK(s.ws().try_send("behind it") == send_result::queued);
    });
    s.on_own_thread([&] { CHECK(s.ws().try_send("and when that is blocked") == send_result::queued); });
  }
  SECTION("posted: from another thread") { CHECK(s.ws().try_send("a") == send_result::posted); }
  SECTION("closed: from the moment it begins to close") {
    s.on_own_thread([&] {
      CHECK_FALSE(s.ws().try_close());
      CHECK(s.ws().try_send("a") == send_result::closed);
    });
    CHECK(s.ws().try_send("a") == send_result::closed);
    CHECK_FALSE(s.ws().is_open());
  }
  SECTION("closed: an empty handle") { CHECK(session().try_send("a") == send_result::closed); }
}

TEST_CASE("try_send_says_in_the_sessions_own_turn_whether_the_message_leaves_with_it") {
  stage s;
  std::vector<send_result> results;
  s.server().route("/", handlers{.on_message = [&](session& ws, message_view) {
                     results.push_back(ws.try_send(std::string(600, 'x')));
                   }});
  const auto peer = s.join("/", nullptr, 1000);
  REQUIRE(peer);
  peer->pause();
  peer->send("1");
  s.run_ready();
  peer->send("2");
  s.run_ready();
  peer->send("3");
  s.run_ready();
  // The second is taken in part, so the third waits for its rest.
  CHECK(results == std::vector{send_result::sent, send_result::sent, send_result::queued});
}

// RFC 6455 section 7.4.1 and the IANA registry (1013).
TEST_CASE("the_hard_limit_closes_with_1013_one_byte_above_it_and_not_at_it") {
  const bool from_own_thread = GENERATE(true, false);
  const bool above = GENERATE(false, true);
  CAPTURE(from_own_thread, above);
  sending_stage s(link_form::memory, queue_limits(100, 1000), 10);
  s.peer->pause();
  s.on_own_thread([&] { s.ws().try_send(std::string(70'000, 'x')); });  // fills the link and the quantum
  send_result last{};
  const auto fill = [&] {
    s.ws().try_send(std::string(400, 'a'));
    const std::size_t rest = 1000 - 400 - 2 * detail::outbox::message_cost;
    last = s.ws().try_send(std::string(above ? rest + 1 : rest, 'b'));
  };
  if (from_own_thread) {
    s.on_own_thread(fill);
  } else {
    fill();
    s.run_ready();
  }
  s.peer->resume();
  if (!above) {
    CHECK(last == (from_own_thread ? send_result::queued : send_result::posted));
    REQUIRE(s.run_until([&] { return s.peer->messages.size() == 3; }));
    CHECK(s.ws().is_open());
    return;
  }
  CHECK(last == send_result::dropped);
  CHECK(s.ws().try_send("a") == send_result::closed);
  REQUIRE(s.run_until([&] { return s.seen.closes == 1; }));
  REQUIRE(s.peer->closed);
  CHECK(s.peer->closed->code == close_code::try_again_later);
  CHECK(s.peer->messages.size() == 1);  // what was under way already
  CHECK(s.seen.error == errc::queue_full);
}

TEST_CASE("empty_messages_are_bounded_too") {
  sending_stage s(link_form::memory, queue_limits(100, 1000), 10);
  std::size_t taken = 0;
  while (s.ws().try_send("") == send_result::posted) ++taken;
  CHECK(taken == 1000 / detail::outbox::message_cost);
  REQUIRE(s.run_until([&] { return s.seen.closes == 1; }));
  CHECK(s.seen.error == errc::queue_full);
}

TEST_CASE("nothing_is_sent_behind_a_message_that_was_dropped") {
  sending_stage s(link_form::memory, queue_limits(100, 1000), 10);
  CHECK(s.ws().try_send(std::string(900, 'a')) == send_result::posted);
  CHECK(s.ws().try_send(std::string(200, 'b')) == send_result::dropped);
  s.ws().try_send("c");  // would fit
  REQUIRE(s.run_until([&] { return s.seen.closes == 1; }));
  REQUIRE(s.peer->closed);
  CHECK(s.peer->closed->code == close_code::try_again_later);
  CHECK(s.peer->messages.empty());
}

TEST_CASE("a_message_larger_than_the_queue_is_let_into_an_empty_one") {
  sending_stage s(any_form(), queue_limits(10, 100));
  const std::string large(300'000, 'x');
  CHECK(s.ws().try_send(large) == send_result::posted);
  REQUIRE(s.run_until([&] { return s.peer->messages.size() == 1; }));
  CHECK((s.peer->messages[0].text() == large));
  CHECK(s.ws().is_open());
}

TEST_CASE("a_peer_that_never_reads_is_closed_after_the_timeout") {
  auto options = queue_limits(1000, 100'000);
  options.connection.close_timeout = 100ms;
  sending_stage s(any_form(), options);
  s.peer->pause();
  send_result last{};
  for (int i = 0; i < 100'000 && last != send_result::dropped; ++i) {
    s.on_own_thread([&] { last = s.ws().try_send(std::string(50'000, 'x')); });
  }
  CHECK(last == send_result::dropped);
  REQUIRE(s.run_until([&] { return s.seen.closes == 1; }));
  CHECK(s.seen.error == errc::queue_full);
  CHECK(s.server().connection_count() == 0);
}

// Who sends to each session of a list relies on it: the list stays as it is meanwhile.
TEST_CASE("no_callback_runs_inside_try_send_or_try_close_whatever_became_of_the_peer") {
  stage s(any_form());
  session_options options;
  options.queue_low = 1000;
  options.queue_hard = 3000;
  bool inside = false;
  std::vector<session> all;
  int closed = 0;
  handlers h;
  h.on_open = [&](session& ws, const request&) { all.push_back(ws); };
  h.on_message = [&](session&, message_view m) {
    inside = true;
    const message shared = message_view(std::string(1500, 'x')).keep();
    for (int i = 0; i < 4; ++i) {
      for (const session& each : all) {
        if (m.text() == "send") each.try_send(shared);
        if (m.text() == "close") each.try_close();
      }
    }
    inside = false;
  };
  h.on_close = [&](session& ws, const close_info&) {
    CHECK_FALSE(inside);
    std::erase(all, ws);
    ++closed;
  };
  s.server().route("/", h, options);
  std::vector<std::unique_ptr<client>> peers;
  for (int i = 0; i < 4; ++i) {
    peers.push_back(s.connect());
    peers.back()->upgrade();
  }
  REQUIRE(s.run_until([&] { return all.size() == peers.size(); }));
  peers[1]->reset();
  peers[2]->pause();
  peers[0]->send(GENERATE("send", "close"));
  REQUIRE(s.run_until([&] { return closed >= 2; }));
}

// --- send().

TEST_CASE("send_completes_at_once_while_the_queue_is_low_and_never_inside_the_call") {
  sending_stage s(any_form());
  outcome o;
  SECTION("from another thread") { s.ws().send("a", o.handler()); }
  SECTION("from its own") {
    s.on_own_thread([&] {
      s.ws().send("a", o.handler());
      CHECK_FALSE(o.done);
    });
  }
  REQUIRE(s.run_until([&] { return o.done && s.peer->messages.size() == 1; }));
  CHECK_FALSE(o.error);
}

TEST_CASE("send_waits_until_the_queue_is_at_its_low_watermark") {
  constexpr std::size_t low = 5000;
  constexpr std::size_t capacity = 1000;
  const bool above = GENERATE(false, true);
  CAPTURE(above);
  sending_stage s(link_form::memory, queue_limits(low, 1'000'000), capacity);
  s.peer->pause();
  // The link takes `capacity` bytes; the rest of the frame is what waits, and the empty message.
  const std::size_t overhead = 4 + detail::outbox::message_cost;  // the header
  outcome o;
  const std::string exact(capacity + low - overhead + (above ? 1 : 0), 'x');
  s.on_own_thread([&] { s.ws().try_send(exact); });
  s.on_own_thread([&] { s.ws().send(message(message_kind::text, {}), o.handler()); });
  CHECK(o.done == !above);
  s.peer->resume();
  REQUIRE(s.run_until([&] { return o.done; }));
  CHECK_FALSE(o.error);
  REQUIRE(s.run_until([&] { return s.peer->messages.size() == 2; }));
}

TEST_CASE("who_awaits_each_send_cannot_outrun_the_peer") {
  sending_stage s(any_form(), queue_limits(10'000, 200'000));
  constexpr std::size_t count = 400;
  std::size_t sent = 0;
  asio::co_spawn(
      s.context,
      [&]() -> asio::awaitable<void> {
        for (; sent < count; ++sent) co_await s.ws().send(std::string(50'000, 'x'));
      },
      asio::detached);
  s.peer->pause();
  s.run_ready();
  s.peer->resume();
  REQUIRE(s.run_until([&] { return s.peer->messages.size() == count && sent == count; }));
  CHECK(s.ws().is_open());
}

TEST_CASE("send_on_a_session_that_closes_or_is_gone_is_closed") {
  sending_stage s(any_form());
  outcome o;
  SECTION("from another thread") {
    s.ws().try_close();
    s.ws().send("a", o.handler());
  }
  SECTION("from its own") {
    s.on_own_thread([&] {
      s.ws().try_close();
      s.ws().send("a", o.handler());
    });
  }
  SECTION("after its end") {
    s.peer->hang_up();
    REQUIRE(s.run_until([&] { return s.seen.closes == 1; }));
    s.ws().send("a", o.handler());
  }
  REQUIRE(s.run_until([&] { return o.done; }));
  CHECK(o.error == errc::closed);
}

TEST_CASE("a_send_that_waits_ends_with_the_session") {
  sending_stage s(any_form(), queue_limits(0, 1'000'000'000));
  s.block();
  outcome o;
  s.ws().send("a", o.handler());
  s.run_ready();
  REQUIRE_FALSE(o.done);
  s.peer->hang_up();
  REQUIRE(s.run_until([&] { return o.done; }));
  CHECK(o.error == errc::closed);
}

TEST_CASE("a_send_whose_message_is_dropped_with_the_queue_says_so") {
  sending_stage s(link_form::memory, queue_limits(0, 1000), 10);
  s.peer->pause();
  s.on_own_thread([&] { s.ws().try_send(std::string(70'000, 'x')); });
  outcome waiting;
  outcome refused;
  const bool from_own_thread = GENERATE(true, false);
  const auto overflow = [&] {
    s.ws().send(std::string(900, 'a'), waiting.handler());
    s.ws().send(std::string(200, 'b'), refused.handler());
  };
  if (from_own_thread) {
    s.on_own_thread(overflow);
  } else {
    overflow();
  }
  REQUIRE(s.run_until([&] { return refused.done && waiting.done; }));
  CHECK(refused.error == errc::queue_full);
  CHECK(waiting.error == errc::queue_full);
}

TEST_CASE("a_cancelled_send_ends_its_wait_and_the_message_is_sent_all_the_same") {
  sending_stage s(any_form(), queue_limits(0, 1'000'000'000));
  s.block();
  asio::cancellation_signal signal;
  outcome o;
  s.ws().send("the last", asio::bind_cancellation_slot(signal.slot(), o.handler()));
  s.run_ready();
  REQUIRE_FALSE(o.done);
  signal.emit(asio::cancellation_type::total);
  CHECK_FALSE(o.done);
  REQUIRE(s.run_until([&] { return o.done; }));
  CHECK(o.error == asio::error::operation_aborted);
  signal.emit(asio::cancellation_type::total);
  s.peer->resume();
  REQUIRE(
      s.run_until([&] { return !s.peer->messages.empty() && s.peer->messages.back().text() == "the last"; }));
}

TEST_CASE("send_completes_on_the_handlers_executor_and_keeps_it_at_work") {
  sending_stage s(link_form::memory, queue_limits(0, 1'000'000'000), 10);
  s.block();
  asio::io_context elsewhere;
  bool there = false;
  s.ws().send("a", asio::bind_executor(elsewhere.get_executor(), [&](std::error_code) {
                there = elsewhere.get_executor().running_in_this_thread();
              }));
  s.run_ready();
  elsewhere.poll();
  CHECK_FALSE(elsewhere.stopped());
  s.peer->resume();
  REQUIRE(s.run_until([&] { return s.peer->messages.size() >= 2; }));
  elsewhere.poll();
  CHECK(there);
  CHECK(elsewhere.stopped());
}

// --- Order and writes.

TEST_CASE("messages_keep_their_order_from_whichever_turn_they_are_sent") {
  stage s(any_form());
  // Every message that arrives is answered in the session's own turn, in one of its own by a post, from
  // another session's turn, and from outside of the context.
  std::vector<session> all;
  std::size_t sent = 0;
  const auto send_next = [&] { all.front().try_send(std::to_string(sent++)); };
  s.server().route("/", handlers{.on_open = [&](session& ws, const request&) { all.push_back(ws); },
                                 .on_message =
                                     [&](session&, message_view) {
                                       send_next();
                                       send_next();
                                       asio::post(s.context, send_next);
                                     }});
  const auto first = s.join();
  const auto second = s.join();
  REQUIRE(first);
  REQUIRE(second);
  for (int i = 0; i < 50; ++i) {
    first->send("own turn");
    second->send("the turn of another");
    // Two from one thread that is not the context's; of different threads no order is promised.
    s.run_ready();
    send_next();
    send_next();
    s.run_ready();
  }
  REQUIRE(s.run_until([&] { return sent == 50 * (3 + 3 + 2) && first->messages.size() == sent; }));
  CHECK(first->texts() == numbers(sent));
}

TEST_CASE("replies_of_one_read_leave_in_one_write") {
  stage s;
  link_counts counts;
  s.server().route("/", handlers{.on_open = [](session& ws, const request&) { ws.try_send("welcome"); },
                                 .on_message =
                                     [](session& ws, message_view m) {
                                       ws.try_send(m);
                                       ws.try_send(m);
                                     }});
  const auto peer = s.join("/", &counts);
  REQUIRE(peer);
  CHECK(counts.writes == 1);  // the 101 and the welcome
  std::string burst;
  for (int i = 0; i < 100; ++i) burst += text_frame(std::to_string(i));
  peer->write(burst);
  REQUIRE(s.run_until([&] { return peer->messages.size() == 201; }));
  CHECK(counts.writes == 2);
}

TEST_CASE("messages_sent_to_another_session_in_one_turn_leave_in_one_write") {
  stage s;
  std::vector<session> all;
  s.server().route("/", handlers{.on_open = [&](session& ws, const request&) { all.push_back(ws); },
                                 .on_message =
                                     [&](session&, message_view m) {
                                       for (const session& ws : all) ws.try_send(m);
                                     }});
  link_counts counts;
  const auto sender = s.join();
  const auto receiver = s.join("/", &counts);
  REQUIRE(sender);
  REQUIRE(receiver);
  CHECK(counts.writes == 1);
  std::string burst;
  for (int i = 0; i < 100; ++i) burst += text_frame(std::to_string(i));
  sender->write(burst);
  REQUIRE(s.run_until([&] { return receiver->messages.size() == 100 && sender->messages.size() == 100; }));
  CHECK(receiver->texts() == numbers(100));
  CHECK(sender->texts() == numbers(100));
  CHECK(counts.writes == 2);
}

TEST_CASE("a_large_message_is_sent_by_reference") {
  sending_stage s;
  // A link that remembers where the bytes lay that it was given.
  struct watching_link final : link {
    watching_link(link_ptr i, std::vector<std::span<const std::byte>>& p) : inner(std::move(i)), pieces(p) {}
    void start(link_sink& sink) override { inner->start(sink); }
    write_result write(std::span<const std::span<const std::byte>> gather) override {
      pieces.insert(pieces.end(), gather.begin(), gather.end());
      return inner->write(gather);
    }
    void notify_writable() override { inner->notify_writable(); }
    void pause_reading() override { inner->pause_reading(); }
    void resume_reading() override { inner->resume_reading(); }
    void shutdown_sending() override { inner->shutdown_sending(); }
    void close() noexcept override { delete this; }
    link_ptr inner;
    std::vector<std::span<const std::byte>>& pieces;
  };
  std::vector<std::span<const std::byte>> pieces;
  auto [ours, theirs] = make_memory_pair(s.context.get_executor());
  s.server().serve(link_ptr(new watching_link(std::move(ours), pieces)));
  client peer(std::move(theirs));
  peer.upgrade();
  REQUIRE(s.run_until([&] { return peer.upgraded; }));

  const message large = message_view(std::string(100'000, 'x')).keep();
  const session ws = *s.seen.ws;
  SECTION("from another thread") { ws.try_send(large); }
  SECTION("from its own") {
    s.on_own_thread([&] { ws.try_send(large); });
  }
  SECTION("by send()") {
    ws.send(large, [](std::error_code) {});
  }
  REQUIRE(s.run_until([&] { return peer.messages.size() == 1; }));
  CHECK(std::ranges::any_of(pieces, [&](auto p) { return p.data() == large.bytes().data(); }));
}

TEST_CASE("a_reply_that_views_the_received_bytes_is_whole_even_when_the_peer_reads_late") {
  stage s(any_form());
  s.server().route("/", handlers{.on_message = [](session& ws, message_view m) { ws.try_send(m); }},
                   session_options{.queue_hard = 1'000'000'000});
  const auto peer = s.join("/", nullptr, 10'000);
  REQUIRE(peer);
  peer->pause();
  std::vector<std::string> sent;
  for (int i = 0; i < 100; ++i) {
    sent.push_back(std::to_string(i) + std::string(static_cast<std::size_t>(600 * i), 'x'));
    peer->send(sent.back());
    s.run_ready();
  }
  peer->resume();
  REQUIRE(s.run_until([&] { return peer->messages.size() == sent.size(); }));
  CHECK((peer->texts() == sent));
}

// --- send_part().

namespace {

/// A message with that many bytes, part by part.
asio::awaitable<void> send_in_parts(session ws, std::size_t part_size, std::size_t parts) {
  const std::string part(part_size, 'x');
  for (std::size_t i = 1; i <= parts; ++i) co_await ws.send_part(part, i == parts);
}

}  // namespace

TEST_CASE("parts_are_one_message_and_others_leave_before_it_or_behind_it") {
  sending_stage s(any_form());
  const bool from_own_thread = GENERATE(true, false);
  outcome o;
  const auto send = [&] {
    s.ws().try_send("before");
    s.ws().send_part("one ", false, o.handler());
    s.ws().try_send("behind");
    s.ws().send_part("two ", false, o.handler());
  };
  if (from_own_thread) {
    s.on_own_thread(send);
  } else {
    send();
  }
  REQUIRE(s.run_until([&] { return o.done && s.peer->messages.size() == 1; }));
  s.run_ready();
  CHECK(s.peer->messages.size() == 1);  // the message is not whole yet, and nothing passes it
  s.ws().send_part("three", true, o.handler());
  REQUIRE(s.run_until([&] { return s.peer->messages.size() == 3; }));
  CHECK(s.peer->texts() == std::vector<std::string>{"before", "one two three", "behind"});
  s.ws().send_part("a message of one part", true, o.handler());
  REQUIRE(s.run_until([&] { return s.peer->messages.size() == 4; }));
  CHECK(s.peer->texts().back() == "a message of one part");
}

TEST_CASE("a_reply_in_a_turn_does_not_pass_a_message_in_parts") {
  stage s(any_form());
  handlers h;
  h.on_message = [](session& ws, message_view m) {
    if (m.text() == "begin") ws.send_part("a", false, [](std::error_code) {});
    if (m.text() == "reply") CHECK(ws.try_send("reply") == send_result::queued);
    if (m.text() == "end") ws.send_part("b", true, [](std::error_code) {});
  };
  s.server().route("/", h);
  const auto peer = s.connect();
  peer->upgrade();
  for (const char* text : {"begin", "reply", "end"}) {
    s.run_ready();
    peer->send(text);
  }
  REQUIRE(s.run_until([&] { return peer->messages.size() == 2; }));
  CHECK(peer->texts() == std::vector<std::string>{"ab", "reply"});
}

TEST_CASE("who_awaits_each_part_holds_no_more_than_the_queue") {
  sending_stage s(any_form(), queue_limits(10'000, 200'000));
  bool ended = false;
  constexpr std::size_t part_size = 1000;
  constexpr std::size_t parts = 1000;
  asio::co_spawn(s.context, send_in_parts(s.ws(), part_size, parts), [&](std::exception_ptr error) {
    CHECK_FALSE(error);
    ended = true;
  });
  REQUIRE(s.run_until([&] { return ended && s.peer->messages.size() == 1; }));
  CHECK(s.peer->messages.front().size() == part_size * parts);
}

TEST_CASE("close_cuts_a_message_in_parts_off") {
  sending_stage s(any_form());
  outcome o;
  s.ws().send_part("one ", false, o.handler());
  s.ws().try_send("behind");
  REQUIRE(s.run_until([&] { return o.done; }));
  CHECK_FALSE(s.ws().try_close());
  s.ws().send_part("two", true, o.handler());
  REQUIRE(s.run_until([&] { return s.seen.closes == 1; }));
  CHECK(o.error == errc::closed);
  CHECK(s.peer->messages.empty());
  CHECK_FALSE(s.seen.error);
}

// The link says when it takes bytes again; until then nothing is tried.
TEST_CASE("a_ping_that_cannot_be_answered_yet_wakes_nobody") {  // TRUST C02
  sending_stage s(link_form::memory, {}, 1000);
  s.peer->pause();
  CHECK(s.ws().try_send(std::string(5000, 'x')) == send_result::posted);
  s.run_ready();
  const std::size_t writes = s.counts.writes;
  for (int i = 0; i < 10; ++i) {
    s.peer->write(frame(0x89, "are you there"));
    s.run_ready();
  }
  CHECK(s.counts.writes == writes);
  s.context.restart();
  CHECK(s.context.poll() == 0);  // nothing waits for a turn
  s.peer->resume();
  CHECK(s.run_until([&] { return s.peer->pongs.size() == 10; }));
}

// --- Pings.

namespace {

struct ping_outcome {
  int count = 0;
  std::error_code error;
  duration round_trip = duration::max();

  auto handler() {
    return [this](std::error_code ec, duration d) {
      ++count;
      error = ec;
      round_trip = d;
    };
  }
};

}  // namespace

TEST_CASE("a_ping_completes_with_the_round_trip_of_its_pong") {
  sending_stage s(any_form());
  ping_outcome first, second;
  s.on_own_thread([&] { s.ws().ping(first.handler()); });
  REQUIRE(s.run_until([&] { return first.count != 0; }));
  CHECK_FALSE(first.error);
  CHECK(first.round_trip >= duration::zero());
  CHECK(first.round_trip < patience);
  s.ws().ping(second.handler());  // from another thread
  REQUIRE(s.run_until([&] { return second.count != 0; }));
  CHECK_FALSE(second.error);
}

TEST_CASE("a_pong_answers_the_pings_before_it_and_no_other") {
  sending_stage s;
  s.peer->pause();  // so it answers only what the test writes
  ping_outcome first, second, third;
  s.ws().ping(first.handler());
  s.ws().ping(second.handler());
  s.ws().ping(third.handler());
  s.peer->write(frame(0x8a, "unasked"));
  s.peer->write(frame(0x8a, std::string(8, '\x7f')));
  s.run_ready();
  CHECK(first.count + second.count + third.count == 0);
  const std::uint64_t number = 2;  // the second operation of this session that may be cancelled
  std::string payload(sizeof number, '\0');
  std::memcpy(payload.data(), &number, sizeof number);
  s.peer->write(frame(0x8a, payload));
  REQUIRE(s.run_until([&] { return second.count != 0; }));
  CHECK(first.count == 1);
  CHECK_FALSE(first.error);
  CHECK(third.count == 0);
}

TEST_CASE("a_ping_ends_with_its_session") {
  sending_stage s;
  s.peer->pause();
  ping_outcome waiting, late, empty;
  s.ws().ping(waiting.handler());
  s.run_ready();
  s.peer->hang_up();
  REQUIRE(s.run_until([&] { return waiting.count != 0; }));
  CHECK(waiting.error == errc::closed);
  s.ws().ping(late.handler());
  session().ping(empty.handler());
  REQUIRE(s.run_until([&] { return late.count + empty.count == 2; }));
  CHECK(late.error == errc::closed);
  CHECK(empty.error == errc::closed);
}

TEST_CASE("a_ping_that_waits_can_be_cancelled") {
  sending_stage s;
  s.peer->pause();
  ping_outcome outcome;
  asio::cancellation_signal cancel;
  s.ws().ping(asio::bind_cancellation_slot(cancel.slot(), outcome.handler()));
  s.run_ready();
  cancel.emit(asio::cancellation_type::all);
  REQUIRE(s.run_until([&] { return outcome.count != 0; }));
  CHECK(outcome.error == asio::error::operation_aborted);
  s.peer->resume();
  s.run_ready();
  CHECK(outcome.count == 1);
  CHECK(s.ws().is_open());
}
