#include <fairlead/net/session/session_options.hpp>

#include <net/session/timed_stage.hpp>
#include <support/catch.hpp>

#include <algorithm>
#include <map>

using namespace net_test;

namespace {

constexpr duration interval = 100 * tick;
constexpr duration timeout = 30 * tick;

session_options beating() {
  session_options o;
  o.heartbeat.interval = interval;
  o.heartbeat.timeout = timeout;
  o.idle_after = duration::max();
  return o;
}

/// One session, and a peer that has just been heard.
struct beating_stage : timed_stage {
  explicit beating_stage(session_options options = beating(), server_options of_server = {},
                         const std::shared_ptr<fault_plan>& plan = nullptr)
      : timed_stage(std::move(of_server)) {
    server->route("/", seen.all(), std::move(options));
    peer = join("/", 4096, plan);
    REQUIRE(seen.ws);
    be_heard();
    peer->pings = 0;
  }
  ~beating_stage() { peer.reset(); }

  /// An unsolicited pong, which is no message: only the heartbeat cares.
  void be_heard() {
    peer->write(frame(0x8a, ""));
    time.run_ready();
  }

  const session& ws() { return *seen.ws; }

  full_record seen;
  std::unique_ptr<client> peer;
};

struct round_trips final : net_sink {
  void on_round_trip(const session&, duration d) override { samples.push_back(d); }
  std::vector<duration> samples;
};

}  // namespace

TEST_CASE("a_silent_peer_is_pinged_after_the_interval_and_not_a_tick_before") {
  beating_stage s;
  s.time.advance(interval - tick);
  CHECK(s.peer->pings == 0);
  s.time.advance(2 * tick);
  CHECK(s.peer->pings == 1);
}

// SCOPE 15: a heartbeat timeout that is declared and never used.
TEST_CASE("a_peer_that_does_not_answer_is_given_up_after_the_timeout_and_not_a_tick_before") {
  beating_stage s;
  s.peer->is_mute = true;
  s.time.advance(interval + tick);
  REQUIRE(s.peer->pings == 1);
  s.time.advance(timeout - 2 * tick);
  CHECK(s.seen.closes == 0);
  s.time.advance(3 * tick);
  CHECK(s.seen.closes == 1);
  CHECK(s.seen.error == errc::peer_timeout);
  CHECK(s.seen.code == close_code::abnormal);
  CHECK(s.server->connection_count() == 0);
  s.time.advance(10 * interval);
  CHECK(s.seen.closes == 1);
  CHECK(s.server->counters().closed_with(errc::peer_timeout) == 1);
}

// SCOPE 15: pongs that nobody hears of, so that the heartbeat closes every healthy link.
TEST_CASE("a_peer_that_answers_is_kept_for_as_long_as_it_does") {
  beating_stage s;
  s.time.advance(50 * interval);
  CHECK(s.ws().is_open());
  CHECK(s.peer->pings >= 48);
  CHECK(s.peer->pings <= 50);
}

TEST_CASE("whatever_the_peer_sends_counts_as_a_sign_of_life") {
  const std::string sign = GENERATE(text_frame("hello"), frame(0x8a, "unsolicited"), frame(0x89, "ping"),
                                    std::string("\x81", 1));  // the last is a part of a frame's head
  beating_stage s;
  s.time.advance(interval - tick);
  s.peer->write(sign);
  s.time.run_ready();
  s.time.advance(interval - tick);
  CHECK(s.peer->pings == 0);
  s.time.advance(2 * tick);
  CHECK(s.peer->pings == 1);
}

TEST_CASE("any_sign_of_life_after_the_question_answers_it") {
  const std::string sign = GENERATE(text_frame("hello"), frame(0x8a, "unsolicited"), frame(0x89, "ping"));
  beating_stage s;
  s.peer->is_mute = true;
  s.time.advance(interval + tick);
  REQUIRE(s.peer->pings == 1);
  s.time.advance(timeout - 2 * tick);
  s.peer->write(sign);
  s.time.run_ready();
  s.time.advance(interval - tick);
  CHECK(s.seen.closes == 0);
}

// TRUST C04.
TEST_CASE("the_peers_own_pings_keep_a_session_of_which_nothing_else_is_heard") {
  beating_stage s;
  s.peer->is_mute = true;
  for (int i = 0; i < 20; ++i) {
    s.time.advance(interval - tick);
    s.peer->write(frame(0x89, "mine"));
    s.time.run_ready();
  }
  CHECK(s.ws().is_open());
  CHECK(s.peer->pings == 0);
  CHECK(s.peer->pongs.size() == 20);
}

TEST_CASE("a_session_that_does_not_read_does_not_ask_and_does_not_give_its_peer_up") {
  const bool asked = GENERATE(false, true);
  beating_stage s;
  s.peer->is_mute = true;
  if (asked) s.time.advance(interval + tick);
  s.ws().pause_reading();
  s.time.advance(20 * interval);
  CHECK(s.seen.closes == 0);
  CHECK(s.peer->pings == (asked ? 1 : 0));
  s.ws().resume_reading();
  s.time.advance(interval - tick);
  CHECK(s.seen.closes == 0);
  CHECK(s.peer->pings == (asked ? 1 : 0));
  s.time.advance(2 * tick);
  CHECK(s.peer->pings == (asked ? 2 : 1));
  s.time.advance(timeout + tick);
  CHECK(s.seen.error == errc::peer_timeout);
}

TEST_CASE("a_question_of_the_application_is_asked_in_place_of_a_ping") {
  session_options o = beating();
  o.heartbeat.question = message_view("are you there?").keep();
  beating_stage s(o);
  s.time.advance(interval + tick);
  CHECK(s.peer->pings == 0);
  CHECK(s.peer->texts() == std::vector<std::string>{"are you there?"});
  s.time.advance(timeout - 2 * tick);
  CHECK(s.seen.closes == 0);
  s.peer->send("yes");
  s.time.run_ready();
  s.time.advance(interval + tick);
  CHECK(s.peer->messages.size() == 2);
  s.time.advance(timeout + tick);
  CHECK(s.seen.error == errc::peer_timeout);
}

// TRUST C11.
TEST_CASE("sessions_that_open_together_ask_at_different_times") {
  constexpr std::size_t count = 1000;
  timed_stage s;
  session_options o = beating();
  o.heartbeat.interval = 1000 * tick;
  s.server->route("/", handlers{}, o);
  std::vector<std::unique_ptr<client>> peers;
  for (std::size_t i = 0; i < count; ++i) peers.push_back(s.join());
  const auto pings = [&] {
    std::size_t sum = 0;
    for (const auto& p : peers) sum += p->pings;
    return sum;
  };
  std::size_t before = 0;
  std::size_t largest = 0;
  constexpr int buckets = 50;
  for (int i = 0; i < buckets; ++i) {
    s.time.advance(20 * tick);
    largest = std::max(largest, pings() - before);
    before = pings();
  }
  s.time.advance(tick);
  CHECK(pings() >= count);
  CHECK(largest <= 3 * count / buckets);
  before = pings();
  largest = 0;
  for (int i = 0; i < buckets; ++i) {
    s.time.advance(20 * tick);
    largest = std::max(largest, pings() - before);
    before = pings();
  }
  CHECK(largest <= 3 * count / buckets);
}

TEST_CASE("the_round_trip_of_a_heartbeat_is_in_the_statistics_and_told_to_the_sink") {
  const auto sink = std::make_shared<round_trips>();
  const auto plan = std::make_shared<fault_plan>();
  beating_stage s(beating(), {.sink = sink}, plan);
  CHECK(s.ws().statistics().round_trip == duration::zero());
  s.time.advance(interval - tick);
  plan->inject(link_operation::bytes, plan->count(link_operation::bytes) + 1,
               link_fault::stall(link_direction::receiving, 5 * tick));
  s.time.advance(10 * tick);
  REQUIRE(sink->samples.size() == 1);
  CHECK(sink->samples[0] >= 5 * tick);
  CHECK(sink->samples[0] <= 6 * tick);
  CHECK(s.ws().statistics().round_trip == sink->samples[0]);
}

TEST_CASE("a_session_that_was_blocked_is_asked_again_in_time_when_its_peer_takes_bytes") {
  session_options o = beating();
  o.write_timeout = duration::max();
  beating_stage s(o);
  s.peer->pause();
  for (int i = 0; i < 20; ++i) s.on_own_thread([&] { s.ws().try_send(std::string(1000, 'x')); });
  s.time.advance(20 * interval);
  REQUIRE(s.ws().is_open());
  s.peer->is_mute = true;
  s.peer->resume();
  s.time.run_ready();
  s.time.advance(interval - tick);
  CHECK(s.peer->pings == 0);
  s.time.advance(2 * tick);
  CHECK(s.peer->pings == 1);
  s.time.advance(timeout + tick);
  CHECK(s.seen.error == errc::peer_timeout);
}

// TRUST C09.
TEST_CASE("a_cable_that_is_pulled_is_noticed_within_interval_and_timeout") {
  const auto direction = GENERATE(link_direction::both, link_direction::receiving);
  const auto plan = std::make_shared<fault_plan>();
  beating_stage s(beating(), {}, plan);
  plan->stall(direction);
  for (int i = 0; i < 1300; ++i) {
    s.time.advance(tick / 10);
    s.on_own_thread([&] { s.ws().try_send(std::string(100, 'x'), {.policy = slow_policy::drop_newest}); });
    REQUIRE(s.ws().statistics().queue_size <= 1024 * 1024);
  }
  if (direction == link_direction::both) {
    // Something waits to be written: then it is write_timeout that tells, which is 30 s.
    s.time.advance(31s);
    CHECK(s.seen.closes + static_cast<std::size_t>(!s.ws().is_open()) > 0);
    s.time.advance(10s);
    CHECK(s.seen.error == errc::write_timeout);
  } else {
    s.time.advance(2 * tick);
    CHECK(s.seen.error == errc::peer_timeout);
  }
  CHECK(s.seen.closes == 1);
  CHECK(s.server->connection_count() == 0);
}

TEST_CASE("a_cable_that_is_pulled_while_nothing_is_sent_is_noticed_too") {
  const auto plan = std::make_shared<fault_plan>();
  beating_stage s(beating(), {}, plan);
  plan->stall();
  s.time.advance(interval + timeout - tick);
  CHECK(s.seen.closes == 0);
  // The ping cannot be written: the peer takes nothing, until write_timeout.
  s.time.advance(31s + 10s);
  CHECK(s.seen.closes == 1);
}

// TRUST C02. See also a_ping_that_cannot_be_answered_yet_wakes_nobody.
TEST_CASE("pings_that_cannot_be_answered_yet_cost_no_handlers") {
  beating_stage s;
  s.peer->pause();
  for (int i = 0; i < 20; ++i) s.on_own_thread([&] { s.ws().try_send(std::string(1000, 'x')); });
  s.peer->write(frame(0x89, "?"));
  s.time.run_ready();
  s.context.restart();
  CHECK(s.context.poll() == 0);
  const time_point end = s.time.now() + 25s;
  std::size_t handlers = 0;
  while (s.time.now() < end) {
    s.time.advance(tick);
    s.context.restart();
    handlers += s.context.poll();
  }
  CHECK(handlers <= 75);
  s.peer->resume();
  s.time.run_ready();
  CHECK(s.peer->pongs == std::vector<std::string>{"?"});
}

// TRUST C03.
TEST_CASE("too_many_control_frames_in_a_second_close_with_1008_and_fewer_do_not") {
  const std::string control = GENERATE(frame(0x8a, ""), frame(0x89, ""));
  beating_stage s;
  s.time.advance(2s);
  for (int i = 0; i < 200; ++i) s.peer->write(control);
  s.time.run_ready();
  CHECK(s.ws().is_open());
  s.time.advance(1s);
  for (int i = 0; i < 201; ++i) s.peer->write(control);
  s.time.run_ready();
  CHECK(s.seen.error == errc::too_many_control_frames);
  REQUIRE(s.peer->closed);
  CHECK(s.peer->closed->code == close_code::policy_violation);
}

TEST_CASE("ten_control_frames_a_second_for_an_hour_close_nothing") {
  beating_stage s;
  for (int i = 0; i < 36'000; ++i) {
    s.peer->write(frame(0x8a, ""));
    s.time.advance(100ms);
  }
  CHECK(s.ws().is_open());
}

// TRUST C05.
TEST_CASE("a_close_that_the_peer_never_completes_ends_at_close_timeout") {
  const bool talks = GENERATE(false, true);
  session_options o = beating();
  o.connection.close_timeout = 40 * tick;
  beating_stage s(o);
  s.peer->is_mute = true;
  s.ws().try_close();
  s.time.run_ready();
  const std::size_t events = s.seen.events.size();
  for (int i = 0; i < 39; ++i) {
    s.time.advance(tick);
    if (talks) s.peer->write(text_frame("still here"));
  }
  s.time.run_ready();
  CHECK(s.seen.closes == 0);
  CHECK(s.seen.events.size() == events);
  CHECK(s.server->connection_count() == 1);
  s.time.advance(2 * tick);
  CHECK(s.seen.closes == 1);
  CHECK(s.seen.error == errc::close_timeout);
  CHECK(s.server->connection_count() == 0);
}

// SCOPE 15: a state of closing that nothing drives on.
TEST_CASE("closing_is_told_and_ends_in_closed") {
  beating_stage s;
  s.ws().try_close();
  CHECK_FALSE(s.ws().is_open());
  s.time.run_ready();
  CHECK(s.seen.states == std::vector{std::pair(session_state::active, session_state::closing)});
  CHECK(s.seen.closes == 1);
  CHECK(s.ws().state() == session_state::closed);
}

TEST_CASE("a_closing_session_is_not_pinged") {
  session_options o = beating();
  o.connection.close_timeout = 10 * interval;
  beating_stage s(o);
  s.peer->is_mute = true;
  s.ws().try_close();
  s.time.advance(5 * interval);
  CHECK(s.peer->pings == 0);
  CHECK(s.seen.closes == 0);
}

// TRUST C10.
TEST_CASE("a_ping_leaves_no_deadline_that_breaks_the_next_message") {
  session_options o = beating();
  o.write_timeout = 10 * tick;
  beating_stage s(o);
  outcome pinged;
  s.ws().ping(pinged.handler());
  s.time.run_ready();
  CHECK(pinged.done);
  for (int i = 0; i < 5; ++i) {
    s.time.advance(3 * interval);
    s.on_own_thread([&] { s.ws().try_send("late"); });
  }
  CHECK(s.peer->messages.size() == 5);
  CHECK(s.ws().is_open());
}

// --- Idle.

TEST_CASE("a_session_without_messages_becomes_idle_and_a_message_either_way_wakes_it") {
  const bool from_peer = GENERATE(true, false);
  session_options o = beating();
  o.idle_after = 10 * tick;
  beating_stage s(o);
  s.peer->send("begin");
  s.time.run_ready();
  s.time.advance(o.idle_after - tick);
  CHECK(s.ws().state() == session_state::active);
  s.time.advance(2 * tick);
  CHECK(s.ws().state() == session_state::idle);
  CHECK(s.server->counters().in_state(session_state::idle) == 1);
  CHECK(s.server->counters().in_state(session_state::active) == 0);
  s.be_heard();
  CHECK(s.ws().state() == session_state::idle);  // control frames are no messages
  if (from_peer) {
    s.peer->send("hello");
    s.time.run_ready();
  } else {
    s.on_own_thread([&] { s.ws().try_send("hello"); });
  }
  CHECK(s.ws().state() == session_state::active);
  s.time.advance(o.idle_after - tick);
  CHECK(s.ws().state() == session_state::active);
  s.time.advance(2 * tick);
  using enum session_state;
  CHECK(s.seen.states ==
        std::vector{std::pair(active, idle), std::pair(idle, active), std::pair(active, idle)});
}

TEST_CASE("without_a_heartbeat_an_idle_session_is_closed_with_1001_and_not_a_tick_before") {
  session_options o = beating();
  o.heartbeat.interval = duration::max();
  o.idle_timeout = 50 * tick;
  beating_stage s(o);
  s.peer->send("begin");
  s.time.run_ready();
  s.time.advance(o.idle_timeout - tick);
  s.be_heard();  // is no message
  CHECK(s.ws().is_open());
  s.time.advance(2 * tick);
  CHECK(s.seen.error == errc::idle_timeout);
  REQUIRE(s.peer->closed);
  CHECK(s.peer->closed->code == close_code::going_away);
}

TEST_CASE("with_a_heartbeat_a_silent_peer_that_lives_is_not_closed") {
  session_options o = beating();
  o.idle_timeout = 50 * tick;
  beating_stage s(o);
  s.time.advance(20 * interval);
  CHECK(s.ws().is_open());
}

TEST_CASE("a_question_of_the_application_makes_no_session_active") {
  session_options o = beating();
  o.heartbeat.question = message_view("are you there?").keep();
  o.idle_after = interval / 2;
  beating_stage s(o);
  s.time.advance(interval - tick);
  REQUIRE(s.ws().state() == session_state::idle);
  s.time.advance(2 * tick);
  CHECK(s.peer->texts().back() == "are you there?");
  CHECK(s.ws().state() == session_state::idle);
  s.on_own_thread([&] { s.ws().try_send("news"); });
  CHECK(s.ws().state() == session_state::active);
}

// --- Authentication. SCOPE 15: AUTHENTICATING has no timer. TRUST R05.

TEST_CASE("who_does_not_say_in_time_who_it_is_is_closed_with_4001_and_not_a_tick_before") {
  session_options o = beating();
  o.authentication_timeout = 50 * tick;
  o.heartbeat.interval = 10 * tick;
  full_record seen;
  timed_stage s;
  s.server->route("/", seen.all(), o);
  const auto peer = s.join();
  CHECK(seen.ws->state() == session_state::authenticating);
  CHECK(s.server->counters().in_state(session_state::authenticating) == 1);
  for (int i = 0; i < 49; ++i) {
    s.time.advance(tick);
    peer->send("keep me");
    peer->write(frame(0x89, ""));
  }
  s.time.run_ready();
  CHECK(seen.ws->is_open());
  s.time.advance(2 * tick);
  REQUIRE(peer->closed);
  CHECK(peer->closed->code == authentication_failed);
  CHECK(seen.error == errc::authentication_timeout);
  CHECK(seen.closes == 1);
}

TEST_CASE("set_user_in_time_makes_a_session_active_from_either_thread") {
  const bool own = GENERATE(true, false);
  session_options o = beating();
  o.authentication_timeout = 50 * tick;
  full_record seen;
  timed_stage s;
  s.server->route("/", seen.all(), o);
  const auto peer = s.join();
  s.time.advance(49 * tick);
  if (own) {
    s.on_own_thread([&] { seen.ws->set_user("ada"); });
  } else {
    seen.ws->set_user("ada");
    s.time.run_ready();
  }
  CHECK(seen.ws->state() == session_state::active);
  CHECK(seen.ws->user() == "ada");
  s.time.advance(100 * tick);
  CHECK(seen.ws->is_open());
  CHECK(seen.states == std::vector{std::pair(session_state::authenticating, session_state::active)});
}

TEST_CASE("an_authenticated_session_becomes_idle_like_any_other") {
  session_options o = beating();
  o.authentication_timeout = 50 * tick;
  o.idle_after = 10 * tick;
  full_record seen;
  timed_stage s;
  s.server->route("/", seen.all(), o);
  const auto peer = s.join();
  s.time.advance(20 * tick);
  CHECK(seen.ws->state() == session_state::authenticating);
  s.on_own_thread([&] { seen.ws->set_user("ada"); });
  s.time.advance(12 * tick);
  CHECK(seen.ws->state() == session_state::idle);
}

TEST_CASE("who_has_not_said_who_it_is_sends_small_messages_only") {
  const bool above = GENERATE(false, true);
  session_options o = beating();
  o.authentication_timeout = 50 * tick;
  o.unauthenticated_message_size = 100;
  o.connection.max_message_size = 1000;
  full_record seen;
  timed_stage s;
  s.server->route("/", seen.all(), o);
  const auto peer = s.join();
  peer->send(std::string(above ? 101 : 100, 'x'));
  s.time.run_ready();
  if (above) {
    REQUIRE(peer->closed);
    CHECK(peer->closed->code == close_code::message_too_big);
    return;
  }
  CHECK(seen.ws->statistics().messages_received == 1);
  s.on_own_thread([&] { seen.ws->set_user("ada"); });
  peer->send(std::string(1000, 'x'));
  s.time.run_ready();
  CHECK(seen.ws->statistics().messages_received == 2);
  peer->send(std::string(1001, 'x'));
  s.time.run_ready();
  REQUIRE(peer->closed);
  CHECK(peer->closed->code == close_code::message_too_big);
}

// --- Slow messages.

TEST_CASE("a_message_that_takes_longer_than_message_timeout_closes_with_1008_and_not_a_tick_before") {
  session_options o = beating();
  o.message_timeout = 50 * tick;
  beating_stage s(o);
  s.peer->write(std::string("\x01\x83\x11\x22\x33\x44", 6));
  s.time.run_ready();
  s.time.advance(o.message_timeout - tick);
  s.peer->write(std::string("\x11", 1));
  s.peer->write("");
  s.time.run_ready();
  CHECK(s.ws().is_open());
  s.time.advance(2 * tick);
  CHECK(s.seen.error == errc::message_timeout);
  REQUIRE(s.peer->closed);
  CHECK(s.peer->closed->code == close_code::policy_violation);
}

TEST_CASE("a_message_that_arrives_in_time_is_followed_by_one_with_as_much_time") {
  session_options o = beating();
  o.message_timeout = 50 * tick;
  beating_stage s(o);
  for (int i = 0; i < 4; ++i) {
    s.peer->write(frame(0x01, "a"));
    s.time.run_ready();
    s.time.advance(o.message_timeout - tick);
    s.peer->write(frame(0x80, "b"));
    s.time.run_ready();
  }
  CHECK(s.seen.events == std::vector<std::string>{"open", "ab", "ab", "ab", "ab"});
}

TEST_CASE("a_message_in_parts_may_take_any_time") {
  session_options o = beating();
  o.message_timeout = 50 * tick;
  full_record seen;
  timed_stage s;
  handlers h = seen.without_messages();
  h.on_part = [&](session&, message_part part) { seen.events.emplace_back(part.last ? "last" : "part"); };
  s.server->route("/", std::move(h), o);
  const auto peer = s.join();
  peer->write(frame(0x01, "a"));
  s.time.advance(500 * tick);
  peer->write(frame(0x80, "b"));
  s.time.run_ready();
  CHECK(seen.events.back() == "last");
}

TEST_CASE("the_application_may_pause_within_a_message_for_longer_than_message_timeout") {
  session_options o = beating();
  o.message_timeout = 50 * tick;
  beating_stage s(o);
  s.peer->write(frame(0x01, "a"));
  s.time.run_ready();
  s.ws().pause_reading();
  s.time.advance(500 * tick);
  CHECK(s.ws().is_open());
  s.ws().resume_reading();
  s.peer->write(frame(0x80, "b"));
  s.time.run_ready();
  CHECK(s.seen.events.back() == "ab");
}
