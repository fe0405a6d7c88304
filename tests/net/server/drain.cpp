#include <fairlead/net/server/drain_options.hpp>

#include <net/session/timed_stage.hpp>

#include <algorithm>
#include <charconv>
#include <future>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

// server::drain() on a context of the caller's. The signals, several threads and real sockets are in drain_run.cpp.

using namespace net_test;

namespace {

/// What became of one drain().
struct drained {
  bool done = false;
  std::error_code error;
  drain_report report;

  auto handler() {
    return [this](std::error_code ec, const drain_report& r) {
      done = true;
      error = ec;
      report = r;
    };
  }
};

/// No timer but those of a drain and of a close handshake.
server_options quiet_options() {
  server_options options;
  options.session.heartbeat.interval = duration::max();
  options.session.idle_timeout = duration::max();
  options.session.write_timeout = duration::max();
  options.session.connection.close_timeout = 1s;
  return options;
}

constexpr auto never = 1h;

struct drain_stage : timed_stage {
  explicit drain_stage(server_options options = quiet_options()) : timed_stage(std::move(options)) {
    server->ready("/ready");
    server->health("/health");
    server->get("/page", [](const request&) { return text_response(http_status::ok, "a page\n"); });
  }

  std::vector<std::unique_ptr<client>> join_many(std::size_t count) {
    std::vector<std::unique_ptr<client>> peers;
    for (std::size_t i = 0; i < count; ++i) peers.push_back(join());
    return peers;
  }

  void drain(const drain_options& options = {}) {
    server->drain(options, outcome.handler());
    time.run_ready();
  }
  bool run_until_done(duration limit = never) {
    return time.advance_until([this] { return outcome.done; }, limit);
  }
  /// The answer to a request; 0 when there is none.
  int status_of(std::string_view target) {
    const auto peer = connect();
    peer->write("GET " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n\r\n");
    time.run_ready();
    return peer->status();
  }

  drained outcome;
};

std::int64_t retry_after_ms(const client& peer) {
  constexpr std::string_view name = "retry-after-ms=";
  REQUIRE(peer.closed);
  const std::string& reason = peer.closed->reason;
  REQUIRE(reason.starts_with(name));
  std::int64_t value = -1;
  const char* const end = reason.data() + reason.size();
  const auto read = std::from_chars(reason.data() + name.size(), end, value);
  REQUIRE(read.ec == std::errc());
  REQUIRE(read.ptr == end);
  return value;
}

std::size_t told_of(const std::vector<std::unique_ptr<client>>& peers) {
  return static_cast<std::size_t>(
      std::ranges::count_if(peers, [](const auto& peer) { return peer->closed.has_value(); }));
}

}  // namespace

// --- Order and pace.

TEST_CASE("a_drained_session_gets_what_is_queued_then_1012_with_when_to_come_back") {
  drain_stage s;
  record seen;
  s.server->route("/", seen.callbacks());
  const auto peer = s.join();
  s.on_own_thread([&] {
    for (int i = 0; i < 3; ++i) seen.ws->try_send("message " + std::to_string(i));
    s.server->drain({}, s.outcome.handler());
  });
  REQUIRE(s.run_until_done());
  CHECK_FALSE(s.outcome.error);
  CHECK(s.outcome.report.told == 1);
  CHECK(s.outcome.report.cut == 0);
  CHECK(s.outcome.report.took < 1s);
  CHECK(peer->texts() == std::vector<std::string>{"message 0", "message 1", "message 2"});
  REQUIRE(peer->closed);
  CHECK(peer->closed->code == close_code::service_restart);
  CHECK(retry_after_ms(*peer) <= 10'000);
  CHECK(seen.closes == 1);
  CHECK_FALSE(seen.error);
  CHECK(s.server->connection_count() == 0);
}

TEST_CASE("while_a_server_drains_it_is_not_ready_and_takes_no_sessions_but_answers_what_else_is_asked") {
  drain_stage s;
  s.server->route("/", handlers{});
  const auto stubborn = s.join();
  stubborn->is_stubborn = true;
  const auto half = s.connect();
  half->write("GET / HTTP/1.1\r\nHost: a\r\n");
  s.time.run_ready();
  CHECK(s.status_of("/ready") == 200);
  s.server->drain({}, s.outcome.handler());
  // Before the server's own thread has heard of it: a load balancer cannot be told too early.
  CHECK_FALSE(s.outcome.done);
  CHECK(s.status_of("/ready") == 503);
  CHECK(s.status_of("/health") == 200);
  CHECK(s.status_of("/page") == 200);
  CHECK(s.status_of("/nothing") == 404);
  const auto late = s.connect();
  late->upgrade();
  half->write(
      "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
  s.time.run_ready();
  for (const client* refused : {late.get(), half.get()}) {
    CHECK(refused->status() == 503);
    const std::string after = field_in(refused->head, "Retry-After");
    REQUIRE_FALSE(after.empty());
    CHECK(std::stoi(after) >= 1);
    CHECK(std::stoi(after) <= 10);
    CHECK(refused->body == "this server is restarting\n");
  }
  REQUIRE(s.run_until_done());
}

// TRUST X10: and no more at any moment.
TEST_CASE(
    "X10: in any 100 ms at most a twentieth of the sessions is told to leave, and all of them in time") {
  const std::size_t count = GENERATE(1, 3, 20, 39, 40, 100, 1000);
  const auto spread = GENERATE(duration(0s), duration(1s), duration(5s));
  CAPTURE(count, spread.count());
  drain_stage s;
  s.server->route("/", handlers{});
  const auto peers = s.join_many(count);
  const time_point began = s.time.now();
  std::vector<std::pair<time_point, std::size_t>> told;  // how many by then
  s.drain({.spread = spread});
  while (!s.outcome.done && s.time.now() - began < 30s) {
    told.emplace_back(s.time.now(), told_of(peers));
    s.time.advance(1ms);
  }
  told.emplace_back(s.time.now(), told_of(peers));
  REQUIRE(s.outcome.done);
  CHECK(s.outcome.report.told == count);
  CHECK(told.back().second == count);
  CHECK(told.front().second == 1);
  const std::size_t limit = std::max<std::size_t>(count / 20, 1);
  std::size_t fullest = 0;
  for (std::size_t from = 0, to = 0; to < told.size(); ++to) {
    while (told[to].first - told[from].first > 99ms) ++from;
    const std::size_t before = from == 0 ? 0 : told[from - 1].second;
    fullest = std::max(fullest, told[to].second - before);
  }
  CHECK(fullest <= limit);
  // Not earlier than asked for, but where that would be fewer than one in 100 ms.
  if (count >= 100) CHECK(s.outcome.report.took > spread * 9 / 10);
  // Below forty it is one in 100 ms, which is four ticks of the wheel.
  const duration one_by_one = count < 40 ? 4 * static_cast<int>(count) * tick : duration(0s);
  CHECK(s.outcome.report.took < std::max({spread, one_by_one, duration(2700ms)}) + 200ms);
}

TEST_CASE("sessions_are_told_to_leave_in_an_order_left_to_chance") {
  drain_stage s;
  s.server->route("/", handlers{});
  const auto peers = s.join_many(60);
  s.drain();
  std::vector<std::size_t> order;
  std::set<std::size_t> seen;
  while (!s.outcome.done) {
    s.time.advance(10ms);
    for (std::size_t i = 0; i < peers.size(); ++i) {
      if (peers[i]->closed && seen.insert(i).second) order.push_back(i);
    }
  }
  REQUIRE(order.size() == 60);
  CHECK_FALSE(std::ranges::is_sorted(order));
  CHECK_FALSE(std::ranges::is_sorted(order, std::ranges::greater()));
}

TEST_CASE("each_client_is_told_another_time_within_the_window_to_come_back") {
  drain_stage s;
  s.server->route("/", handlers{});
  auto peers = s.join_many(100);
  std::set<std::int64_t> times;
  SECTION("a window") {
    s.drain({.retry_after_min = 3000ms, .retry_after_max = 3999ms});
    const auto late = s.connect();
    late->upgrade();
    s.time.run_ready();
    const std::string after = field_in(late->head, "Retry-After");
    CHECK((after == "3" || after == "4"));
    REQUIRE(s.run_until_done());
    for (const auto& peer : peers) times.insert(retry_after_ms(*peer));
    CHECK(*times.begin() >= 3000);
    CHECK(*times.rbegin() <= 3999);
    CHECK(*times.begin() < 3200);
    CHECK(*times.rbegin() > 3800);
    CHECK(times.size() > 80);
  }
  SECTION("one time") {
    s.drain({.retry_after_min = 500ms, .retry_after_max = 500ms});
    REQUIRE(s.run_until_done());
    for (const auto& peer : peers) times.insert(retry_after_ms(*peer));
    CHECK(times == std::set<std::int64_t>{500});
  }
  SECTION("the wrong way round, and below zero") {
    s.drain({.retry_after_min = 700ms, .retry_after_max = -5ms});
    REQUIRE(s.run_until_done());
    for (const auto& peer : peers) times.insert(retry_after_ms(*peer));
    CHECK(times == std::set<std::int64_t>{700});
  }
}

TEST_CASE("a_drain_without_sessions_is_done_at_once") {
  drain_stage s;
  s.server->route("/", handlers{});
  s.drain();
  CHECK(s.outcome.done);
  CHECK_FALSE(s.outcome.error);
  CHECK(s.outcome.report.told == 0);
  CHECK(s.outcome.report.cut == 0);
  CHECK(s.outcome.report.took == 0s);
  // A server that has drained is at its end.
  CHECK(s.status_of("/ready") == 503);
}

// --- What takes its time.

TEST_CASE("a_queue_may_take_longer_than_the_close_timeout_and_is_not_lost") {
  server_options options = quiet_options();
  drain_stage s(options);
  session_options route = slow_stage::small_queue();
  route.write_timeout = duration::max();
  route.connection.close_timeout = 1s;
  record seen;
  s.server->route("/", seen.callbacks(), route);
  const auto peer = s.join("/", slow_stage::capacity);
  peer->pause();
  std::vector<std::string> sent;
  s.on_own_thread([&] {
    for (int i = 0; i < 40; ++i) {
      sent.push_back(std::to_string(i) + std::string(1000, 'm'));
      REQUIRE(seen.ws->try_send(sent.back()) != send_result::dropped);
    }
  });
  s.drain();
  s.time.advance(10s);
  CHECK_FALSE(s.outcome.done);
  CHECK_FALSE(peer->is_over());
  CHECK(s.server->connection_count() == 1);
  SECTION("the peer reads at last") {
    peer->resume();
    REQUIRE(s.run_until_done(1s));
    CHECK(peer->texts() == sent);
    REQUIRE(peer->closed);
    CHECK(peer->closed->code == close_code::service_restart);
    CHECK(s.outcome.report.cut == 0);
  }
  SECTION("and then it does not answer the close frame") {
    peer->is_stubborn = true;
    peer->resume();
    s.time.advance(900ms);
    CHECK_FALSE(s.outcome.done);
    CHECK(peer->texts() == sent);
    REQUIRE(s.run_until_done(300ms));  // close_timeout
    CHECK(s.outcome.report.cut == 0);
  }
  SECTION("the peer never reads") {
    s.time.advance(19s);
    CHECK_FALSE(s.outcome.done);
    REQUIRE(s.run_until_done(2s));
    CHECK(s.outcome.report.cut == 1);
    CHECK(s.outcome.report.told == 1);
    CHECK(s.outcome.report.took >= 30s);
    CHECK(s.outcome.report.took < 30s + 3 * tick);
    peer->resume();
    s.time.run_ready();
    CHECK(peer->texts().size() < sent.size());
  }
  SECTION("stop() does not wait as long") {
    s.server->stop();
    s.time.advance(900ms);
    CHECK_FALSE(s.outcome.done);
    REQUIRE(s.run_until_done(300ms));
    CHECK(s.outcome.report.cut == 0);
  }
  CHECK(seen.closes == 1);
}

TEST_CASE("nothing_can_be_sent_to_a_session_that_was_told_to_leave") {
  drain_stage s;
  record seen;
  s.server->route("/", seen.callbacks());
  const auto peer = s.join();
  peer->is_stubborn = true;
  s.drain();
  CHECK(seen.ws->try_send("late") == send_result::closed);
  CHECK(seen.ws->state() == session_state::closing);
  REQUIRE(s.run_until_done());
  CHECK(peer->texts().empty());
}

// L07, X10.
TEST_CASE("L07: a drain ends connections in every state by its deadline and leaves nothing behind") {
  server_options options = quiet_options();
  const bool is_tls = GENERATE(false, true);
  const auto within = GENERATE(duration(0s), duration(2s));
  CAPTURE(is_tls, within.count());
  if (is_tls) options.tls = certificates::usual::instance().server();
  options.handshake_timeout = 1h;
  options.session.connection.close_timeout = 1h;
  options.session.message_timeout = 1h;
  drain_stage s(options);
  s.server->route("/", handlers{.on_message = [](session& ws, message_view m) {
                    if (m.text() == "close") static_cast<void>(ws.try_close());
                  }});
  std::vector<std::unique_ptr<client>> peers;
  const auto add = [&](bool join, std::string_view bytes) {
    auto [ours, theirs] = make_memory_pair(s.context.get_executor(), 256 * 1024);
    s.server->serve(std::move(ours));
    if (is_tls) {
      theirs = make_tls_link(s.context.get_executor(), std::move(theirs),
                             certificates::usual::instance().client(), "localhost", 443);
    }
    auto peer = std::make_unique<client>(std::move(theirs));
    peer->is_stubborn = true;
    if (join) {
      peer->upgrade();
      s.time.run_ready();
      REQUIRE(peer->upgraded);
    }
    if (!bytes.empty()) peer->write(bytes);
    peers.push_back(std::move(peer));
  };
  add(false, "");
  add(false, "GET / HT");
  add(false, "GET /page HTTP/1.1\r\nHost: a\r\n\r\n");
  add(true, "");
  add(true, text_frame("abc").substr(0, 7));
  add(true, frame(0x01, "abc"));
  add(true, text_frame("close"));
  add(true, close_frame(1000));
  auto [silent, half_of_tls] = make_memory_pair(s.context.get_executor(), 256 * 1024);
  s.server->serve(std::move(silent));  // in the midst of TLS, or before the first byte
  s.time.run_ready();
  REQUIRE(s.server->connection_count() == peers.size() + 1);
  s.drain({.within = within, .spread = 0s});
  REQUIRE(s.run_until_done(within + 3 * tick));
  CHECK(s.outcome.report.took >= within);
  CHECK(s.outcome.report.took <= within + 3 * tick);
  CHECK(s.outcome.report.cut == peers.size() + 1);
  CHECK(s.outcome.report.told == (within == 0s ? 0 : 3));  // the fourth and fifth close already
  CHECK(s.server->connection_count() == 0);
  s.time.run_ready();
  for (const auto& peer : peers) CHECK(peer->is_over());
  CHECK(detail::event_loop::of(s.context).next_timer() == time_point::max());
}

TEST_CASE("a_request_under_way_is_waited_for_as_is_a_session_that_the_application_closes") {
  drain_stage s;
  record seen;
  s.server->route("/", seen.callbacks());
  const auto closing = s.join();
  closing->is_stubborn = true;
  const auto half = s.connect();
  half->write("GET /page HTTP/1.1\r\n");
  s.time.run_ready();
  s.on_own_thread([&] { static_cast<void>(seen.ws->try_close(close_code::normal, "bye")); });
  s.drain();
  CHECK_FALSE(s.outcome.done);
  s.time.advance(1500ms);
  CHECK(s.server->connection_count() == 1);
  CHECK_FALSE(s.outcome.done);
  half->write("Host: a\r\n\r\n");
  REQUIRE(s.run_until_done(2s));
  CHECK(half->status() == 200);
  CHECK(closing->closed->code == close_code::normal);
  CHECK(s.outcome.report.told == 0);
  CHECK(s.outcome.report.cut == 0);
}

TEST_CASE("who_has_not_asked_when_all_sessions_are_gone_has_a_second_for_it") {
  drain_stage s;
  s.server->route("/", handlers{});
  const auto silent = s.connect();
  const auto slow = s.connect();
  const auto half = s.connect();
  half->write("GET /page HTTP/1.1\r\n");
  s.time.run_ready();
  s.drain();
  s.time.advance(900ms);
  CHECK_FALSE(silent->is_over());
  CHECK_FALSE(half->is_over());
  slow->write("GET /page HTTP/1.1\r\nHost: a\r\n\r\n");
  s.time.advance(200ms);
  CHECK(silent->is_over());
  CHECK(slow->status() == 200);
  CHECK(half->is_over());
  CHECK(half->status() == 0);
  REQUIRE(s.run_until_done(2s));
  CHECK(s.outcome.report.cut == 0);
}

// --- More than one call.

TEST_CASE("a_second_drain_is_busy_while_the_first_is_under_way") {
  drain_stage s;
  s.server->route("/", handlers{});
  const auto peer = s.join();
  peer->is_stubborn = true;
  s.drain();
  drained second;
  s.server->drain({}, second.handler());
  s.time.run_ready();
  CHECK(second.error == errc::busy);
  CHECK_FALSE(s.outcome.done);
  REQUIRE(s.run_until_done());
  CHECK(s.outcome.report.told == 1);
  // Later there is nothing left to do.
  drained third;
  s.server->drain({}, third.handler());
  s.time.run_ready();
  CHECK(third.done);
  CHECK_FALSE(third.error);
  CHECK(third.report.told == 0);
}

TEST_CASE("stop_during_a_drain_closes_the_rest_as_it_does_and_completes_the_drain") {
  drain_stage s;
  s.server->route("/", handlers{});
  const auto peers = s.join_many(40);
  s.drain();
  s.server->stop();
  REQUIRE(s.run_until_done(100ms));
  CHECK_FALSE(s.outcome.error);
  CHECK(s.outcome.report.cut == 0);
  std::size_t restarts = 0;
  for (const auto& peer : peers) {
    REQUIRE(peer->closed);
    if (peer->closed->code == close_code::service_restart) {
      ++restarts;
    } else {
      CHECK(peer->closed->code == close_code::going_away);
    }
  }
  CHECK(restarts == s.outcome.report.told);
  CHECK(restarts < 4);
}

TEST_CASE("a_drain_after_stop_tells_nobody_and_waits_for_those_who_close") {
  drain_stage s;
  s.server->route("/", handlers{});
  const auto peer = s.join();
  peer->is_stubborn = true;
  s.server->stop();
  s.drain();
  CHECK_FALSE(s.outcome.done);
  REQUIRE(s.run_until_done(2s));
  CHECK(s.outcome.report.told == 0);
  CHECK(peer->closed->code == close_code::going_away);
}

TEST_CASE("a_server_that_is_destroyed_amid_a_drain_says_so_and_who_was_told_leaves_in_time") {
  drain_stage s;
  s.server->route("/", handlers{});
  auto peers = s.join_many(2);
  for (const auto& peer : peers) {
    peer->is_stubborn = true;
  }
  s.drain({.within = 10s});
  REQUIRE(told_of(peers) == 1);
  s.server.reset();
  s.time.run_ready();
  REQUIRE(s.outcome.done);
  CHECK(s.outcome.error == asio::error::operation_aborted);
  CHECK(s.outcome.report.told == 1);
  s.time.advance(12s);
  CHECK(told_of(peers) == 1);
  CHECK(std::ranges::count_if(peers, [](const auto& peer) { return peer->is_over(); }) == 1);
}

TEST_CASE("a_context_may_be_destroyed_amid_a_drain") {
  drained outcome;
  {
    drain_stage s;
    s.server->route("/", handlers{});
    const auto peer = s.join();
    peer->is_stubborn = true;
    s.server->drain({}, outcome.handler());
    if (GENERATE(false, true)) s.time.run_ready();
  }
  CHECK_FALSE(outcome.done);
}

// --- More than one server on a context.

TEST_CASE("stop_and_drain_of_one_server_touch_nothing_else_on_the_context") {
  drain_stage s;
  const bool drains = GENERATE(false, true);
  s.server->route("/", handlers{});
  server other(s.context, quiet_options());
  record seen;
  other.route("/", seen.callbacks());
  const auto ours = s.join();
  auto [far, near] = make_memory_pair(s.context.get_executor(), 256 * 1024);
  other.serve(std::move(far));
  client theirs(std::move(near));
  theirs.upgrade();
  s.time.run_ready();
  REQUIRE(theirs.upgraded);
  CHECK(s.server->connection_count() == 1);
  CHECK(other.connection_count() == 1);
  if (drains) {
    s.drain();
  } else {
    s.server->stop();
  }
  s.time.advance(10s);
  CHECK(s.outcome.done == drains);
  CHECK(ours->closed);
  CHECK_FALSE(theirs.is_over());
  CHECK_FALSE(theirs.closed);
  CHECK(s.server->connection_count() == 0);
  CHECK(other.connection_count() == 1);
  s.on_own_thread([&] { CHECK(seen.ws->try_send("still here") != send_result::closed); });
  CHECK(theirs.texts() == std::vector<std::string>{"still here"});
}

TEST_CASE("many_servers_one_after_the_other_on_a_context_leave_nothing_of_them_behind") {
  timed_stage s;
  s.server->route("/", handlers{});
  for (int i = 0; i < 100; ++i) {
    server next(s.context, quiet_options());
    next.route("/", handlers{});
    auto [far, near] = make_memory_pair(s.context.get_executor(), 4096);
    next.serve(std::move(far));
    client peer(std::move(near));
    peer.upgrade();
    s.time.run_ready();
    REQUIRE(peer.upgraded);
  }
  s.time.run_ready();
  CHECK(detail::event_loop::of(s.context).size() == 0);
}
