#include <fairlead/net/session/incoming_limits.hpp>

#include <fairlead/net/client/client.hpp>

#include <net/session/timed_stage.hpp>
#include <support/catch.hpp>

#include <stdexcept>

using namespace net_test;

// How fast a peer may send (SCOPE 9).

namespace {

session_options limited(const incoming_limits& limits) {
  session_options o;
  o.incoming = limits;
  o.idle_after = duration::max();
  return o;
}

/// Ten messages a second, five at once.
incoming_limits five_at_once(over_limit at_limit = over_limit::pause) {
  return {.messages = token_rate{.tokens = 10, .burst = 5}, .at_limit = at_limit};
}

/// A thousand bytes a second, as many at once.
incoming_limits thousand_bytes(over_limit at_limit = over_limit::pause) {
  return {.bytes = token_rate{.tokens = 1000, .burst = 1000}, .at_limit = at_limit};
}

/// One session whose messages are written down by one of the three ways to receive.
struct limited_stage : timed_stage {
  enum class way { on_message, on_part, receive };

  explicit limited_stage(session_options options, way w = way::on_message, server_options so = {},
                         std::size_t capacity = 256 * 1024)
      : timed_stage(std::move(so)) {
    handlers h = seen.without_messages();
    if (w == way::on_message) {
      h.on_message = [this](session&, message_view m) { got.emplace_back(m.text()); };
    }
    if (w == way::on_part) {
      h.on_part = [this](session&, message_part p) {
        part += text_of(p.bytes);
        if (p.last) got.push_back(std::exchange(part, {}));
      };
    }
    server->route("/", std::move(h), std::move(options));
    peer = join("/", capacity);
    REQUIRE(seen.ws);
    if (w == way::receive) receive_all();
    time.run_ready();
  }
  ~limited_stage() { peer.reset(); }

  const session& ws() { return *seen.ws; }

  /// Sends so many messages of that size in one piece, numbered.
  void send_many(std::size_t count, std::size_t size = 3) {
    std::string bytes;
    for (std::size_t i = 0; i < count; ++i) {
      std::string text = std::to_string(sent++);
      text.resize(std::max(size, text.size()), '.');
      bytes += text_frame(text);
    }
    peer->write(bytes);
    time.run_ready();
  }

  /// Whether what was handed out is the first of what was sent, in its order.
  bool is_in_order() const {
    for (std::size_t i = 0; i < got.size(); ++i) {
      if (got[i].substr(0, got[i].find('.')) != std::to_string(i)) return false;
    }
    return true;
  }

  full_record seen;
  std::unique_ptr<client> peer;
  std::vector<std::string> got;
  std::string part;
  std::size_t sent = 0;

 private:
  void receive_all() {
    ws().receive([this](std::error_code ec, std::optional<message> m) {
      if (ec || !m) return;
      got.emplace_back(m->text());
      receive_all();
    });
  }
};

using way = limited_stage::way;

way any_way() { return GENERATE(way::on_message, way::on_part, way::receive); }

}  // namespace

// --- Pause.

TEST_CASE("a_burst_passes_at_once_and_each_further_message_when_its_token_comes") {
  limited_stage s(limited(five_at_once()), any_way());
  s.send_many(5);
  CHECK(s.got.size() == 5);
  s.send_many(3);
  CHECK(s.got.size() == 5);
  s.time.advance(100ms - tick);
  CHECK(s.got.size() == 5);
  s.time.advance(2 * tick);
  CHECK(s.got.size() == 6);
  s.time.advance(100ms - 2 * tick);
  CHECK(s.got.size() == 6);
  s.time.advance(2 * tick);
  CHECK(s.got.size() == 7);
  s.time.advance(1s);
  CHECK(s.got.size() == 8);
  CHECK(s.is_in_order());
  CHECK(s.ws().is_open());
}

TEST_CASE("who_stays_at_the_rate_is_never_paused") {
  limited_stage s(limited(five_at_once()), any_way());
  for (int i = 0; i < 100; ++i) {
    s.send_many(1);
    REQUIRE(s.got.size() == s.sent);
    s.time.advance(100ms);
  }
  CHECK(s.ws().statistics().rate_pauses == limit_counts());
  CHECK(s.server->counters().rate_pauses == limit_counts());
}

TEST_CASE("bytes_below_the_burst_pass_and_what_is_above_is_made_up_for") {
  limited_stage s(limited(thousand_bytes()), any_way());
  s.send_many(1, 999);
  CHECK(s.ws().statistics().rate_pauses.bytes == 0);
  s.send_many(1, 501);  // 500 more than there is
  CHECK(s.got.size() == 2);
  CHECK(s.ws().statistics().rate_pauses == limit_counts{0, 1});
  s.send_many(1, 3);
  s.time.advance(501ms - tick);
  CHECK(s.got.size() == 2);
  s.time.advance(2 * tick);
  CHECK(s.got.size() == 3);
  CHECK(s.is_in_order());
}

TEST_CASE("a_message_larger_than_the_burst_passes_and_is_made_up_for") {
  const bool as_window = GENERATE(false, true);
  incoming_limits limits = thousand_bytes();
  if (as_window) limits = {.window = message_rate{.messages = 1000, .bytes = 1000}};
  limited_stage s(limited(limits), any_way());
  s.send_many(2, 60'000);
  CHECK(s.got.size() == 1);
  s.time.advance(58s);
  CHECK(s.got.size() == 1);
  s.time.advance(3s);
  CHECK(s.got.size() == 2);
  CHECK(s.ws().is_open());
}

TEST_CASE("a_window_counts_the_last_second_and_pauses_until_there_is_room") {
  limited_stage s(limited({.window = message_rate{.messages = 10, .bytes = 1000}}), any_way());
  s.send_many(9);
  CHECK(s.ws().statistics().rate_pauses == limit_counts());
  s.send_many(2);
  CHECK(s.got.size() == 10);
  CHECK(s.ws().statistics().rate_pauses == limit_counts{1, 0});
  s.time.advance(1100ms - tick);
  CHECK(s.got.size() == 10);
  s.time.advance(2 * tick);
  CHECK(s.got.size() == 11);
  s.time.advance(3s);
  s.send_many(1, 1000);
  CHECK(s.got.size() == 12);
  CHECK(s.ws().statistics().rate_pauses.bytes == 1);
}

TEST_CASE("both_buckets_hold_and_the_slower_one_decides") {
  limited_stage s(limited({.messages = token_rate{.tokens = 10, .burst = 2},
                           .bytes = token_rate{.tokens = 1000, .burst = 1000}}));
  s.send_many(3, 600);
  CHECK(s.got.size() == 2);
  s.time.advance(100ms + tick);
  CHECK(s.got.size() == 2);  // there is a token, and there are 200 bytes too many
  s.time.advance(101ms + tick);
  CHECK(s.got.size() == 3);
}

TEST_CASE("many_messages_at_once_pass_at_the_rate_and_in_order") {
  limited_stage s(limited({.messages = token_rate{.tokens = 1000, .burst = 100}}), any_way());
  s.send_many(20'000);
  CHECK(s.got.size() == 100);
  s.time.advance(1s);
  CHECK(s.got.size() >= 1100 - 33);  // a step of the timer late at most
  CHECK(s.got.size() <= 1100);
  s.time.advance(30s);
  CHECK(s.got.size() == 20'000);
  CHECK(s.is_in_order());
  CHECK(s.server->counters().messages_received == 20'000);
}

TEST_CASE("empty_messages_are_messages") {
  limited_stage s(limited(five_at_once()), any_way());
  std::string flood;
  for (int i = 0; i < 1000; ++i) flood += text_frame("");
  s.peer->write(flood);
  s.time.advance(10s + tick);
  CHECK(s.got.size() == 105);
  CHECK(s.ws().is_open());
}

TEST_CASE("parts_count_their_bytes_as_they_arrive_and_a_message_once") {
  limited_stage s(
      limited({.messages = token_rate{.tokens = 10, .burst = 2}, .bytes = token_rate{1000, 1000}}),
      way::on_part);
  s.peer->write(frame(0x01, std::string(400, 'a')));
  s.time.run_ready();
  s.peer->write(frame(0x00, std::string(400, 'b')) + frame(0x00, ""));
  s.time.run_ready();
  CHECK(s.part.size() == 800);
  CHECK(s.ws().statistics().rate_pauses == limit_counts());
  s.peer->write(frame(0x00, std::string(300, 'c')));
  s.time.run_ready();
  CHECK(s.part.size() == 1100);  // 100 too many: it waits within the message
  s.peer->write(frame(0x80, "d"));
  s.time.advance(101ms - tick);
  CHECK(s.part.size() == 1100);
  s.time.advance(2 * tick);
  REQUIRE(s.got.size() == 1);
  CHECK(s.got[0].size() == 1101);
  CHECK(s.ws().statistics().rate_pauses == limit_counts{0, 1});
  CHECK(s.ws().statistics().messages_received == 1);
}

TEST_CASE("while_the_application_pauses_too_both_have_to_end") {
  limited_stage s(limited(five_at_once()), any_way());
  const bool application_first = GENERATE(false, true);
  s.send_many(6);
  s.ws().pause_reading();
  s.time.run_ready();
  if (application_first) {
    s.time.advance(50ms);
    s.ws().resume_reading();
    s.time.advance(50ms - tick);
    CHECK(s.got.size() == 5);
    s.time.advance(2 * tick);
  } else {
    s.time.advance(10s);
    CHECK(s.got.size() == 5);
    s.ws().resume_reading();
    s.time.run_ready();
  }
  CHECK(s.got.size() == 6);
}

TEST_CASE("the_heartbeat_does_not_run_while_the_rate_pauses") {
  session_options o = limited({.messages = token_rate{.tokens = 1, .burst = 1, .per = 60s}});
  o.heartbeat.interval = 10s;
  o.heartbeat.timeout = 5s;
  limited_stage s(o);
  s.peer->is_mute = true;
  s.send_many(2);
  s.time.advance(59s);
  CHECK(s.peer->pings == 0);
  CHECK(s.seen.closes == 0);
  s.time.advance(2s);
  CHECK(s.got.size() == 2);
  s.time.advance(60s);  // paused again, until the minute is over
  CHECK(s.seen.closes == 0);
  s.time.advance(10s);
  CHECK(s.peer->pings == 1);
  s.time.advance(6s);
  CHECK(s.seen.error == errc::peer_timeout);
}

TEST_CASE("a_peer_that_the_rate_pauses_is_held_back_by_the_link") {
  limited_stage s(limited(five_at_once()), way::on_message, {}, 4096);
  s.send_many(6);
  const session_statistics before = s.ws().statistics();
  s.peer->write(text_frame(std::string(60'000, 'x')));
  s.time.run_ready();
  CHECK(s.ws().statistics().bytes_received == before.bytes_received);
  s.time.advance(1s);
  CHECK(s.got.size() == 7);
}

TEST_CASE("a_session_that_the_rate_pauses_can_be_closed_and_ends") {
  limited_stage s(limited({.messages = token_rate{.tokens = 1, .burst = 1, .per = 1h}}), any_way());
  s.send_many(100);
  const std::size_t got = s.got.size();
  CHECK(got == 1);
  SECTION("by us") {
    s.ws().try_close();
    s.time.run_ready();
    CHECK(s.seen.closes == 1);
    CHECK_FALSE(s.seen.error);
  }
  SECTION("by the server's end") {
    s.server->stop();
    s.time.run_ready();
    CHECK(s.seen.closes == 1);
  }
  CHECK(s.got.size() == got);
  s.time.advance(2h);
  CHECK(s.got.size() == got);
}

TEST_CASE("each_session_has_its_own_limit") {
  limited_stage s(limited(five_at_once()));
  s.send_many(6);
  CHECK(s.got.size() == 5);
  const auto other = s.join();
  for (int i = 0; i < 5; ++i) other->send("other");
  s.time.run_ready();
  CHECK(s.got.size() == 10);
}

// The limit behaves the same over what the system moves and over what is encrypted.
TEST_CASE("a_flood_is_held_to_its_rate_over_every_link") {
  const auto form = GENERATE(link_form::memory, link_form::epoll, link_form::asio, link_form::tls);
  const auto w = any_way();
  record seen;
  stage s(form);
  std::size_t got = 0;
  std::size_t bytes = 0;
  handlers h = seen.without_messages();
  if (w == way::on_message) h.on_message = [&](session&, message_view m) { ++got, bytes += m.size(); };
  if (w == way::on_part)
    h.on_part = [&](session&, message_part p) { got += p.last, bytes += p.bytes.size(); };
  s.server().route("/", std::move(h), limited({.messages = token_rate{.tokens = 2000, .burst = 100}}));
  const auto peer = s.join();
  REQUIRE(peer);
  std::function<void()> receive = [&] {
    seen.ws->receive([&](std::error_code, std::optional<message> m) {
      if (!m) return;
      ++got, bytes += m->size();
      receive();
    });
  };
  if (w == way::receive) receive();
  const time_point begin = clock::now();
  std::string flood;
  for (int i = 0; i < 500; ++i) flood += frame(0x82, std::string(1000, 'x'));
  peer->write(flood);
  REQUIRE(s.run_until([&] { return got == 500; }));
  CHECK(clock::now() - begin >= 200ms - tick);
  CHECK(bytes == 500'000);
  CHECK(seen.ws->statistics().rate_pauses.messages >= 1);
  peer->close();
  REQUIRE(s.run_until([&] { return seen.closes == 1; }));
  CHECK_FALSE(seen.error);
}

// --- Drop.

TEST_CASE("what_is_too_much_is_dropped_and_counted_and_the_rest_is_not") {
  limited_stage s(limited(five_at_once(over_limit::drop)), any_way());
  s.send_many(7);
  CHECK(s.got.size() == 5);
  CHECK(s.is_in_order());
  CHECK(s.ws().statistics().rate_drops == limit_counts{2, 0});
  CHECK(s.ws().statistics().messages_received == 7);
  CHECK(s.server->counters().rate_drops == limit_counts{2, 0});
  s.time.advance(100ms - 1ns);
  s.send_many(1);
  CHECK(s.got.size() == 5);  // what was dropped took nothing
  s.time.advance(1ns);
  s.send_many(1);
  CHECK(s.got.size() == 6);
  CHECK(s.got.back() == "8..");
  CHECK(s.ws().statistics().rate_drops == limit_counts{3, 0});
  CHECK(s.ws().statistics().rate_pauses == limit_counts());
  CHECK(s.ws().is_open());
}

TEST_CASE("bytes_that_are_too_many_drop_the_next_message") {
  limited_stage s(limited(thousand_bytes(over_limit::drop)), any_way());
  s.send_many(2, 999);
  CHECK(s.got.size() == 2);
  s.send_many(1, 1);
  CHECK(s.got.size() == 2);
  CHECK(s.ws().statistics().rate_drops == limit_counts{0, 1});
  s.time.advance(1s);
  s.send_many(1, 1);
  CHECK(s.got.size() == 3);
}

TEST_CASE("a_message_in_parts_is_dropped_whole_or_not_at_all") {
  limited_stage s(limited(thousand_bytes(over_limit::drop)), way::on_part);
  s.peer->write(frame(0x01, std::string(900, 'a')) + frame(0x00, std::string(900, 'b')));
  s.time.run_ready();
  s.peer->write(frame(0x80, std::string(900, 'c')) + frame(0x01, "dropped") + frame(0x00, "this"));
  s.time.run_ready();
  REQUIRE(s.got.size() == 1);
  CHECK(s.got[0].size() == 2700);
  s.time.advance(2s);
  s.peer->write(frame(0x80, "too") + text_frame("kept"));
  s.time.run_ready();
  CHECK(s.got.size() == 2);
  CHECK(s.got.back() == "kept");
  CHECK(s.ws().statistics().rate_drops == limit_counts{0, 1});
}

// --- Close.

TEST_CASE("one_message_more_than_the_limit_closes_with_1008_and_as_many_do_not") {
  const bool as_window = GENERATE(false, true);
  incoming_limits limits = five_at_once(over_limit::close);
  if (as_window) limits = {.window = message_rate{.messages = 5}, .at_limit = over_limit::close};
  limited_stage s(limited(limits), any_way());
  s.send_many(5);
  CHECK(s.ws().is_open());
  s.send_many(2);
  CHECK(s.got.size() == 5);
  REQUIRE(s.peer->closed);
  CHECK(s.peer->closed->code == close_code::policy_violation);
  CHECK(s.peer->closed->reason == "the peer sent more messages a second than the limit");
  CHECK(s.seen.error == errc::message_rate_exceeded);
  CHECK(s.seen.closes == 1);
  CHECK(s.server->counters().closed_with(errc::message_rate_exceeded) == 1);
}

TEST_CASE("a_message_after_too_many_bytes_closes_with_1008") {
  limited_stage s(limited(thousand_bytes(over_limit::close)), any_way());
  s.send_many(1, 999);
  s.send_many(1, 999);
  CHECK(s.got.size() == 2);
  CHECK(s.ws().is_open());
  s.send_many(1, 1);
  CHECK(s.got.size() == 2);
  REQUIRE(s.peer->closed);
  CHECK(s.peer->closed->code == close_code::policy_violation);
  CHECK(s.seen.error == errc::byte_rate_exceeded);
}

// --- What is counted.

TEST_CASE("of_a_compressed_message_what_it_inflates_to_counts") {
  session_options o = limited(thousand_bytes());
  o.deflate.enabled = true;
  timed_stage s;
  full_record seen;
  const bool in_parts = GENERATE(false, true);
  std::size_t bytes = 0;
  handlers h = seen.without_messages();
  if (in_parts) {
    h.on_part = [&](session&, message_part p) { bytes += p.bytes.size(); };
  } else {
    h.on_message = [&](session&, message_view m) { bytes += m.size(); };
  }
  s.server->route("/", std::move(h), o);
  const auto peer = s.connect();
  peer->deflate.enabled = true;
  peer->upgrade();
  s.time.run_ready();
  REQUIRE(peer->upgraded);
  const std::size_t before = peer->framed_size;
  peer->send(std::string(10'000, 'x'));
  peer->send("y");
  REQUIRE(peer->framed_size - before < 1000);
  s.time.run_ready();
  CHECK(bytes == 10'000);
  s.time.advance(9001ms - tick);
  CHECK(bytes == 10'000);
  s.time.advance(2 * tick);
  CHECK(bytes == 10'001);
}

TEST_CASE("pings_and_pongs_are_no_messages") {
  limited_stage s(limited({.messages = token_rate{.tokens = 1, .burst = 1, .per = 1h}}));
  for (int i = 0; i < 10; ++i) s.peer->write(frame(0x89, "ping") + frame(0x8a, "pong"));
  s.time.run_ready();
  CHECK(s.peer->pongs.size() == 10);
  s.send_many(1);
  CHECK(s.got.size() == 1);
}

// TRUST R12, M01.
TEST_CASE("a_flood_of_fragments_is_closed_by_their_count_in_a_second") {
  const auto form = GENERATE(link_form::memory, link_form::epoll, link_form::asio, link_form::tls);
  const bool in_parts = GENERATE(false, true);
  record seen;
  stage s(form);
  std::size_t got = 0;
  handlers h = seen.without_messages();
  if (in_parts) {
    h.on_part = [&](session&, message_part p) { got += p.last; };
  } else {
    h.on_message = [&](session&, message_view) { ++got; };
  }
  session_options o;
  o.connection.max_fragments_per_second = 10'000;
  s.server().route("/", std::move(h), o);
  const auto peer = s.join();
  REQUIRE(peer);
  std::string flood;
  for (int i = 0; i < 5'000; ++i) flood += frame(0x01, "a") + frame(0x00, "") + frame(0x80, "b");
  peer->write(flood);
  REQUIRE(s.run_until([&] { return seen.closes == 1; }));
  CHECK(seen.error == errc::fragment_rate_exceeded);
  CHECK(got <= 10'000 / 3);
  REQUIRE(s.run_until([&] { return peer->closed.has_value(); }));
  CHECK(peer->closed->code == close_code::policy_violation);
}

TEST_CASE("a_session_without_limits_counts_nothing") {
  limited_stage s(limited({}), any_way());
  s.send_many(10'000);
  CHECK(s.got.size() == 10'000);
  CHECK(s.ws().statistics().rate_pauses == limit_counts());
  CHECK(s.ws().statistics().rate_drops == limit_counts());
}

// --- Options.

TEST_CASE("limits_that_make_no_sense_are_refused") {
  timed_stage s;
  const incoming_limits wrong[] = {
      {.messages = token_rate{.tokens = 0}},
      {.messages = token_rate{.burst = 0}},
      {.bytes = token_rate{.per = 0s}},
      {.window = message_rate{.messages = 0}},
      {.messages = token_rate{}, .window = message_rate{}},
      {.bytes = token_rate{}, .window = message_rate{}},
  };
  for (const incoming_limits& limits : wrong) {
    CHECK_THROWS_AS(s.server->route("/", handlers{}, limited(limits)), std::invalid_argument);
  }
  CHECK_NOTHROW(s.server->route("/", handlers{}, limited({.window = message_rate{}})));
  outcome o;
  fairlead::connect(s.context, "ws://localhost:1/", {.session = limited(wrong[0])}, o.handler());
  s.time.run_ready();
  CHECK(o.error == errc::bad_argument);
}
