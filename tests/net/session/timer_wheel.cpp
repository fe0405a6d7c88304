#include <fairlead/net/session/timer_wheel.hpp>

#include <support/catch.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <stdexcept>
#include <utility>
#include <vector>

using namespace fairlead;
using namespace std::chrono_literals;

namespace {

/// A timer that remembers when it fired, and then does what it is told.
class watched_timer final : public wheel_timer {
 public:
  watched_timer() = default;
  explicit watched_timer(std::function<void(time_point)> f) : then(std::move(f)) {}

  void on_timer(time_point now) override {
    fired.push_back(now);
    const auto keep = then;  // the call may destroy the timer
    if (keep) keep(now);
  }

  std::vector<time_point> fired;
  std::function<void(time_point)> then;
};

constexpr duration turn = 1024 * timer_wheel::tick;
const time_point start{100s};

}  // namespace

TEST_CASE("a_timer_is_never_early_and_at_most_one_tick_late") {
  for (const duration delay :
       {duration(1ns), duration(1ms), timer_wheel::tick - 1ns, timer_wheel::tick, timer_wheel::tick + 1ns,
        duration(1s), turn - 1ns, turn, turn + 1ns, 3 * turn, 7 * turn + 5ms}) {
    CAPTURE(delay.count());
    timer_wheel wheel(start);
    watched_timer timer;
    const time_point deadline = start + delay;
    wheel.schedule(timer, deadline);
    wheel.advance(deadline - 1ns);
    CHECK(timer.fired.empty());
    wheel.advance(deadline + timer_wheel::tick);
    CHECK(timer.fired == std::vector{deadline + timer_wheel::tick});
    CHECK_FALSE(timer.is_scheduled());
  }
}

TEST_CASE("a_deadline_in_the_past_is_met_by_the_next_tick") {
  for (const duration past : {0s, 1s, 100s, 1000s}) {
    timer_wheel wheel(start);
    wheel.advance(start + 10s);
    watched_timer timer;
    wheel.schedule(timer, start + 10s - past);
    wheel.advance(start + 10s + timer_wheel::tick);
    CHECK(timer.fired.size() == 1);
  }
}

TEST_CASE("a_timer_fires_once") {
  timer_wheel wheel(start);
  watched_timer timer;
  wheel.schedule(timer, start + 1s);
  for (int i = 1; i <= 200; ++i) wheel.advance(start + i * 1s);
  CHECK(timer.fired == std::vector{start + 2s});
}

TEST_CASE("time_that_stands_still_or_runs_backwards_fires_nothing") {
  timer_wheel wheel(start);
  watched_timer timer;
  wheel.advance(start + 10s);
  wheel.schedule(timer, start + 11s);
  wheel.advance(start + 10s);
  wheel.advance(start);
  wheel.advance(start - 50s);
  CHECK(timer.fired.empty());
  wheel.advance(start + 12s);
  CHECK(timer.fired.size() == 1);
}

TEST_CASE("timers_fire_in_the_order_of_their_ticks") {
  // One advance over so many turns, from an early or a late place on the wheel.
  const int turns = GENERATE(0, 1, 2, 5);
  const duration already = GENERATE(duration(0), turn / 2, turn - timer_wheel::tick);
  CAPTURE(turns, already.count());
  timer_wheel wheel(start);
  wheel.advance(start + already);
  const duration reach = turns == 0 ? duration(20s) : turns * turn;

  std::vector<int> order;
  std::vector<std::unique_ptr<watched_timer>> timers;
  constexpr int count = 400;
  std::vector<int> shuffled(count);
  for (int i = 0; i < count; ++i) shuffled[static_cast<std::size_t>(i)] = i;
  std::shuffle(shuffled.begin(), shuffled.end(), std::mt19937(7));
  for (const int i : shuffled) {
    timers.push_back(std::make_unique<watched_timer>([&order, i](time_point) { order.push_back(i); }));
    wheel.schedule(*timers.back(), start + already + i * (reach / count));
  }
  wheel.advance(start + already + reach + timer_wheel::tick);
  CHECK(order.size() == count);
  // Those of one tick may come in any order.
  const duration step = reach / count;
  for (std::size_t i = 1; i < order.size(); ++i) {
    CHECK((order[i - 1] - order[i]) * step < timer_wheel::tick);
  }
  CHECK(wheel.empty());
}

TEST_CASE("a_later_schedule_replaces_the_deadline") {
  timer_wheel wheel(start);
  watched_timer timer;
  wheel.schedule(timer, start + 1s);
  wheel.schedule(timer, start + 5s);
  wheel.advance(start + 4s);
  CHECK(timer.fired.empty());
  wheel.schedule(timer, start + 4500ms);
  wheel.advance(start + 4900ms);
  CHECK(timer.fired.size() == 1);
  wheel.advance(start + 100s);
  CHECK(timer.fired.size() == 1);
}

TEST_CASE("a_cancelled_timer_does_not_fire") {
  timer_wheel wheel(start);
  watched_timer timer;
  watched_timer stays;
  wheel.cancel(timer);  // nothing to do
  wheel.schedule(timer, start + 1s);
  wheel.schedule(stays, start + 1s);
  wheel.cancel(timer);
  CHECK_FALSE(timer.is_scheduled());
  CHECK_FALSE(wheel.empty());
  wheel.cancel(timer);
  wheel.advance(start + 2s);
  CHECK(timer.fired.empty());
  CHECK(stays.fired.size() == 1);
  CHECK(wheel.empty());
}

TEST_CASE("a_wheel_leaves_the_timers_of_another_alone") {
  timer_wheel one(start);
  timer_wheel other(start);
  watched_timer timer;
  one.schedule(timer, start + 1s);
  other.cancel(timer);
  CHECK(timer.is_scheduled());
  one.advance(start + 2s);
  CHECK(timer.fired.size() == 1);
}

TEST_CASE("a_timer_may_schedule_itself_anew_when_it_fires") {
  timer_wheel wheel(start);
  watched_timer timer;
  timer.then = [&](time_point now) { wheel.schedule(timer, now + 1s); };
  wheel.schedule(timer, start + 1s);
  for (int i = 0; i < 100; ++i) wheel.advance(start + i * 100ms);
  CHECK(timer.fired.size() == 9);  // every 1.1 s: a second is never over at the advance a second later
  CHECK(timer.is_scheduled());
}

TEST_CASE("a_timer_that_schedules_itself_for_the_past_fires_once_an_advance") {
  timer_wheel wheel(start);
  watched_timer timer;
  timer.then = [&](time_point now) { wheel.schedule(timer, now - 5s); };
  wheel.schedule(timer, start + 1s);
  wheel.advance(start + 200s);  // many turns
  CHECK(timer.fired.size() == 1);
  wheel.advance(start + 200s + timer_wheel::tick);
  CHECK(timer.fired.size() == 2);
}

TEST_CASE("on_timer_may_cancel_what_is_due_with_it") {
  timer_wheel wheel(start);
  std::vector<std::unique_ptr<watched_timer>> timers;
  int fired = 0;
  for (int i = 0; i < 10; ++i) {
    timers.push_back(std::make_unique<watched_timer>([&](time_point) {
      ++fired;
      for (const auto& t : timers) wheel.cancel(*t);
    }));
    wheel.schedule(*timers.back(), start + 1s + i % 3 * timer_wheel::tick);
  }
  wheel.advance(start + 2s);
  CHECK(fired == 1);
  CHECK(wheel.empty());
}

TEST_CASE("on_timer_may_put_off_what_is_due_with_it") {
  timer_wheel wheel(start);
  watched_timer first;
  watched_timer second;
  first.then = [&](time_point now) { wheel.schedule(second, now + 1s); };
  wheel.schedule(first, start + 1s);
  wheel.schedule(second, start + 1100ms);
  wheel.advance(start + 2s);
  CHECK(first.fired.size() == 1);
  CHECK(second.fired.empty());
  wheel.advance(start + 3100ms);
  CHECK(second.fired.size() == 1);
}

TEST_CASE("on_timer_may_destroy_its_own_timer") {
  timer_wheel wheel(start);
  watched_timer other;
  auto* const timer = new watched_timer;
  timer->then = [timer](time_point) { delete timer; };
  wheel.schedule(*timer, start + 1s);
  wheel.schedule(other, start + 1s);
  wheel.advance(start + 2s);
  CHECK(other.fired.size() == 1);
  CHECK(wheel.empty());
}

TEST_CASE("on_timer_may_destroy_any_other_timer") {
  timer_wheel wheel(start);
  std::vector<std::unique_ptr<watched_timer>> timers;
  int fired = 0;
  for (int i = 0; i < 30; ++i) {
    timers.push_back(std::make_unique<watched_timer>());
    // Due in the same advance, in the same slot a turn on, and elsewhere.
    wheel.schedule(*timers.back(), start + 1s + (i % 3) * turn / 2);
  }
  watched_timer first([&](time_point) {
    ++fired;
    timers.clear();
  });
  wheel.schedule(first, start);
  wheel.advance(start + 1s + turn / 2 + 1s);
  CHECK(fired == 1);
  CHECK(wheel.empty());
}

TEST_CASE("a_timer_that_is_destroyed_leaves_its_wheel") {
  timer_wheel wheel(start);
  watched_timer stays;
  wheel.schedule(stays, start + 1s);
  {
    watched_timer goes;
    wheel.schedule(goes, start + 1s);
  }
  wheel.advance(start + 2s);
  CHECK(stays.fired.size() == 1);
  CHECK(wheel.empty());
}

TEST_CASE("a_wheel_may_go_before_its_timers") {
  watched_timer timer;
  watched_timer other;
  {
    timer_wheel wheel(start);
    wheel.schedule(timer, start + 1s);
    wheel.schedule(other, start + 1s + turn);
  }
  CHECK_FALSE(timer.is_scheduled());
  CHECK_FALSE(other.is_scheduled());
}

TEST_CASE("what_on_timer_throws_leaves_the_other_timers_due") {
  watched_timer later;
  watched_timer latest;
  {
    timer_wheel wheel(start);
    watched_timer throws([](time_point) { throw std::runtime_error("no"); });
    wheel.schedule(throws, start + 1s);
    wheel.schedule(later, start + 2s);
    wheel.schedule(latest, start + 2s);
    CHECK_THROWS_AS(wheel.advance(start + 3s), std::runtime_error);
    CHECK(wheel.next() <= start + 3s);
    later.then = [](time_point) { throw std::runtime_error("no"); };
    latest.then = later.then;
    CHECK_THROWS_AS(wheel.advance(start + 3s), std::runtime_error);
    CHECK(later.fired.size() + latest.fired.size() == 1);
  }
  CHECK_FALSE(later.is_scheduled());
  CHECK_FALSE(latest.is_scheduled());
}

TEST_CASE("deadlines_beyond_a_turn_wait_for_theirs") {
  timer_wheel wheel(start);
  std::vector<std::unique_ptr<watched_timer>> timers;
  for (int i = 0; i < 5; ++i) {  // all in one slot
    timers.push_back(std::make_unique<watched_timer>());
    wheel.schedule(*timers.back(), start + 1s + i * turn);
  }
  for (int i = 0; i < 5; ++i) {
    CAPTURE(i);
    wheel.advance(start + 1s + i * turn - 1ns);
    CHECK(timers[static_cast<std::size_t>(i)]->fired.empty());
    wheel.advance(start + 1s + i * turn + timer_wheel::tick);
    CHECK(timers[static_cast<std::size_t>(i)]->fired.size() == 1);
  }
}

TEST_CASE("a_pause_of_many_turns_finds_all_that_is_due") {
  timer_wheel wheel(start);
  std::vector<std::unique_ptr<watched_timer>> timers;
  for (int i = 0; i < 5000; ++i) {
    timers.push_back(std::make_unique<watched_timer>());
    wheel.schedule(*timers.back(), start + i * 100ms);
  }
  const duration pause = 300s + 5ms;
  wheel.advance(start + pause);
  for (int i = 0; i < 5000; ++i) {
    CAPTURE(i);
    const std::size_t fired = timers[static_cast<std::size_t>(i)]->fired.size();
    if (i * 100ms + timer_wheel::tick <= pause) CHECK(fired == 1);
    if (i * 100ms > pause) CHECK(fired == 0);
  }
}

TEST_CASE("next_is_never_late") {
  timer_wheel wheel(start);
  CHECK(wheel.empty());
  CHECK(wheel.next() == time_point::max());
  watched_timer timer;
  for (const duration delay : {1ms, 500ms, 32000ms, 33000ms, 100000ms}) {
    CAPTURE(delay.count());
    const time_point now = start + 7s;
    wheel.advance(now);
    wheel.schedule(timer, now + delay);
    CHECK_FALSE(wheel.empty());
    CHECK(wheel.next() <= now + delay + timer_wheel::tick);
    CHECK(wheel.next() > now);
    wheel.cancel(timer);
    CHECK(wheel.next() == time_point::max());
  }
}

TEST_CASE("advancing_to_next_again_and_again_serves_every_deadline_in_time") {
  timer_wheel wheel(start);
  std::vector<std::unique_ptr<watched_timer>> timers;
  for (int i = 1; i <= 200; ++i) {
    timers.push_back(std::make_unique<watched_timer>());
    wheel.schedule(*timers.back(), start + i * 531ms);
  }
  int advances = 0;
  while (!wheel.empty() && advances < 2000) {
    ++advances;
    wheel.advance(wheel.next());
  }
  CHECK(wheel.empty());
  for (int i = 1; i <= 200; ++i) {
    const auto& fired = timers[static_cast<std::size_t>(i) - 1]->fired;
    REQUIRE(fired.size() == 1);
    CHECK(fired[0] >= start + i * 531ms);
    CHECK(fired[0] <= start + i * 531ms + timer_wheel::tick);
  }
}

// What is due but not called yet counts as well: whoever arms a clock inside on_timer must not be told of a
// later time, nor be kept for ever.
TEST_CASE("next_inside_on_timer_knows_what_is_still_due") {
  timer_wheel wheel(start);
  std::vector<time_point> next;
  watched_timer first([&](time_point) { next.push_back(wheel.next()); });
  watched_timer second([&](time_point) { next.push_back(wheel.next()); });
  wheel.schedule(first, start + 1s);
  wheel.schedule(second, start + 2s);
  wheel.advance(start + 3s);
  REQUIRE(next.size() == 2);
  CHECK(next[0] <= start + 3s);
  CHECK(next[1] == time_point::max());
}

TEST_CASE("a_hundred_thousand_timers_agree_with_a_simple_model") {
  struct modelled final : wheel_timer {
    std::optional<time_point> deadline;  // what the model says
    time_point fired{};
    int fires = 0;
    void on_timer(time_point now) override {
      fired = now;
      ++fires;
    }
  };
  constexpr std::size_t count = 100'000;
  constexpr int rounds = 60;
  std::mt19937 random(20240501);
  const auto pick = [&random](std::size_t below) { return static_cast<std::size_t>(random()) % below; };
  timer_wheel wheel(start);
  const auto timers = std::make_unique<std::array<modelled, count>>();
  std::size_t scheduled = 0;
  time_point now = start;
  bool agreed = true;
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < count / 4; ++i) {
      modelled& t = (*timers)[pick(count)];
      scheduled -= t.deadline.has_value();
      if (pick(4) == 0) {
        wheel.cancel(t);
        t.deadline.reset();
      } else {
        t.deadline = now + std::chrono::milliseconds(pick(90'000)) - 1s;
        wheel.schedule(t, *t.deadline);
      }
      scheduled += t.deadline.has_value();
    }
    agreed = agreed && wheel.empty() == (scheduled == 0);
    const time_point next = wheel.next();
    // Mostly a step of some ticks, now and then a pause of turns.
    const time_point before = now;
    now += round % 20 == 19 ? duration(turn * 3) : duration(std::chrono::milliseconds(pick(700)));
    wheel.advance(now);
    for (modelled& t : *timers) {
      if (t.fires != 0) {
        agreed =
            agreed && t.fires == 1 && t.deadline && *t.deadline <= now && next <= now && !t.is_scheduled();
        t.fires = 0;
        t.deadline.reset();
        --scheduled;
      } else if (t.deadline) {
        // Scheduled behind `before`, it may take the tick after that.
        agreed = agreed && std::max(*t.deadline, before) + timer_wheel::tick > now && t.is_scheduled();
      }
    }
    REQUIRE(agreed);
  }
}
