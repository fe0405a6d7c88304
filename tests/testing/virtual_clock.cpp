#include <fairlead/testing/virtual_clock.hpp>

#include <fairlead/net/server/server.hpp>

#include <net/session/session_support.hpp>
#include <support/catch.hpp>

#include <asio/io_context.hpp>
#include <asio/post.hpp>

#include <chrono>
#include <functional>
#include <random>
#include <stdexcept>
#include <utility>
#include <vector>

using namespace fairlead;
using namespace std::chrono_literals;

namespace {

/// A timer on the context's wheel that remembers when it fired, and then does what it is told.
class loop_timer final : public wheel_timer {
 public:
  explicit loop_timer(asio::io_context& context) : loop_(detail::event_loop::of(context)) {}

  void schedule_in(duration d) { loop_.schedule_in(*this, d); }

  void on_timer(time_point now) override {
    fired.push_back(now);
    agreed = agreed && now == loop_.now();
    if (then) then();
  }

  std::vector<time_point> fired;
  bool agreed = true;  ///< What the timer was told is what the loop said.
  std::function<void()> then;

 private:
  detail::event_loop& loop_;
};

}  // namespace

TEST_CASE("time_stands_still_until_it_is_advanced_and_then_by_exactly_that") {
  asio::io_context context(1);
  virtual_clock time(context);
  const time_point start = time.now();
  time.run_ready();
  CHECK(time.now() == start);
  time.advance(1ns);
  CHECK(time.now() - start == 1ns);
  time.advance(3h);
  CHECK(time.now() - start == 3h + 1ns);
  time.advance(-1s);
  CHECK(time.now() - start == 3h + 1ns);
  time.advance(0s);
  CHECK(time.now() - start == 3h + 1ns);
}

TEST_CASE("a_deadline_is_never_early_and_late_by_one_step_at_most") {
  constexpr duration turn = 1024 * timer_wheel::tick;
  for (const duration d : {duration(1ns), duration(10ms), virtual_clock::resolution, duration(30s),
                           turn - 1ns, turn, turn + 1ns, duration(5h)}) {
    CAPTURE(d.count());
    asio::io_context context(1);
    virtual_clock time(context);
    loop_timer timer(context);
    timer.schedule_in(d);
    const time_point start = time.now();
    time.advance(d - 1ns);
    CHECK(timer.fired.empty());
    time.advance(1ns + virtual_clock::resolution);
    REQUIRE(timer.fired.size() == 1);
    CHECK(timer.fired.front() - start > d - 1ns);
    CHECK(timer.fired.front() - start <= d + virtual_clock::resolution);
    CHECK(timer.agreed);
  }
}

TEST_CASE("deadlines_are_met_in_order_each_at_its_time_and_its_handlers_before_the_next") {
  asio::io_context context(1);
  virtual_clock time(context);
  std::vector<std::pair<int, time_point>> seen;
  loop_timer late(context), early(context);
  late.then = [&] { seen.emplace_back(3, time.now()); };
  early.then = [&] {
    seen.emplace_back(1, time.now());
    asio::post(context, [&] { seen.emplace_back(2, time.now()); });
  };
  late.schedule_in(64ms);
  early.schedule_in(32ms);
  time.advance(1h);
  REQUIRE(seen.size() == 3);
  CHECK(seen[0].first == 1);
  CHECK(seen[1] == std::pair(2, seen[0].second));
  CHECK(seen[2].first == 3);
  CHECK(seen[2].second > seen[1].second);
}

TEST_CASE("a_deadline_set_by_a_deadline_is_met_in_the_same_advance") {
  asio::io_context context(1);
  virtual_clock time(context);
  loop_timer heartbeat(context);
  heartbeat.then = [&] { heartbeat.schedule_in(30s); };
  heartbeat.schedule_in(30s);
  time.advance(10min);
  CHECK(heartbeat.fired.size() == 19);  // each one step late
  for (std::size_t i = 1; i < heartbeat.fired.size(); ++i) {
    CHECK(heartbeat.fired[i] - heartbeat.fired[i - 1] >= 30s);
    CHECK(heartbeat.fired[i] - heartbeat.fired[i - 1] <= 30s + virtual_clock::resolution);
  }
}

TEST_CASE("two_runs_see_the_same_times") {
  const auto run = [] {
    asio::io_context context(1);
    virtual_clock time(context);
    loop_timer timer(context);
    timer.schedule_in(1s);
    const time_point start = time.now();
    time.advance(2s);
    return timer.fired.at(0) - start;
  };
  CHECK(run() == run());
}

TEST_CASE("hours_with_thousands_of_deadlines_far_away_take_no_time") {
  asio::io_context context(1);
  virtual_clock time(context);
  std::vector<std::unique_ptr<loop_timer>> timers;
  std::mt19937 random(1);
  for (int i = 0; i < 5'000; ++i) {
    timers.push_back(std::make_unique<loop_timer>(context));
    timers.back()->schedule_in(
        std::chrono::milliseconds(std::uniform_int_distribution(0, 86'400'000)(random)));
  }
  const time_point before = clock::now();
  time.advance(24h + 1s);
  CHECK(clock::now() - before < 20s);  // measured: 0.4 s
  for (const auto& timer : timers) CHECK(timer->fired.size() == 1);
}

TEST_CASE("advance_until_stops_at_the_deadline_that_made_it_true") {
  asio::io_context context(1);
  virtual_clock time(context);
  loop_timer timer(context);
  timer.schedule_in(30s);
  const time_point start = time.now();
  CHECK_FALSE(time.advance_until([&] { return !timer.fired.empty(); }, 10s));
  CHECK(time.now() - start == 10s);
  CHECK(time.advance_until([&] { return !timer.fired.empty(); }, 1h));
  CHECK(time.now() == timer.fired.front());
  CHECK(time.advance_until([] { return true; }, 1h));
  CHECK(time.now() == timer.fired.front());
}

TEST_CASE("what_a_handler_throws_comes_out_and_time_goes_on_after_it") {
  asio::io_context context(1);
  virtual_clock time(context);
  const time_point start = time.now();
  loop_timer bad(context), same_tick(context), later_one(context);
  bad.then = [] { throw std::runtime_error("bad"); };
  same_tick.schedule_in(1s);
  bad.schedule_in(1s);
  later_one.schedule_in(2s);
  CHECK_THROWS_WITH(time.advance(1h), "bad");
  CHECK(time.now() == bad.fired.at(0));
  CHECK(time.now() - start < 2s);
  time.advance(1h);
  CHECK(same_tick.fired.size() == 1);
  CHECK(later_one.fired.size() == 1);
}

TEST_CASE("a_clock_that_comes_too_late_or_is_called_in_a_handler_is_refused") {
  asio::io_context used(1);
  server s(used);
  CHECK_THROWS_AS(virtual_clock(used), std::logic_error);

  asio::io_context context(1);
  virtual_clock time(context);
  CHECK_THROWS_AS(virtual_clock(context), std::logic_error);
  asio::post(context, [&] { time.advance(1s); });
  CHECK_THROWS_AS(time.run_ready(), std::logic_error);
}

TEST_CASE("handlers_that_go_round_in_a_circle_are_found_out") {
  asio::io_context context(1);
  virtual_clock time(context);
  std::function<void()> again = [&] { asio::post(context, again); };
  again();
  CHECK_THROWS_AS(time.advance(1s), std::runtime_error);
}

TEST_CASE("the_deadlines_of_a_server_follow_the_clock") {
  asio::io_context context(1);
  virtual_clock time(context);
  server_options options;
  options.handshake_timeout = 10s;
  server s(context, options);
  net_test::record seen;
  s.route("/", seen.callbacks());

  SECTION("a peer that never asks is dropped when the handshake's time is over") {
    auto [ours, theirs] = make_memory_pair(context.get_executor());
    s.serve(std::move(ours));
    net_test::client c(std::move(theirs));
    time.advance(10s);
    CHECK(s.connection_count() == 1);
    CHECK_FALSE(c.is_over());
    time.advance(virtual_clock::resolution);
    CHECK(s.connection_count() == 0);
    CHECK(c.eof);
  }
  SECTION("a peer that answers no close frame is dropped when the close timeout is over") {
    auto [ours, theirs] = make_memory_pair(context.get_executor());
    s.serve(std::move(ours));
    net_test::client c(std::move(theirs));
    c.is_stubborn = true;
    c.upgrade();
    time.run_ready();
    REQUIRE(c.upgraded);
    CHECK_FALSE(seen.ws->try_close());
    time.advance(5s);
    CHECK(c.closed);
    CHECK(s.connection_count() == 1);
    time.advance(virtual_clock::resolution);
    CHECK(s.connection_count() == 0);
    CHECK(seen.code == close_code::abnormal);
  }
  SECTION("a session without deadlines stays for days") {
    auto [ours, theirs] = make_memory_pair(context.get_executor());
    s.serve(std::move(ours));
    net_test::client c(std::move(theirs));
    c.upgrade();
    time.advance(48h);
    CHECK(s.connection_count() == 1);
    c.hang_up();
    time.run_ready();
    CHECK(s.connection_count() == 0);
  }
}
