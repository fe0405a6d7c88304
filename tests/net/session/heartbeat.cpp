#include <fairlead/net/session/detail/heartbeat.hpp>

#include <support/catch.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

using namespace fairlead;
using namespace std::chrono_literals;
using detail::heartbeat;
using detail::round_trip;

namespace {

using step = heartbeat::step;

constexpr time_point start{100s};
constexpr duration tick{1};

heartbeat_options every(duration interval, duration timeout = 10s) {
  heartbeat_options o;
  o.interval = interval;
  o.timeout = timeout;
  return o;
}

/// A heartbeat whose peer said something at the start.
heartbeat heard_at_start() {
  heartbeat beat;
  beat.start(start - 1s, 30s, 1);
  beat.on_heard(start);
  return beat;
}

double microseconds(const round_trip& trip) {
  return std::chrono::duration<double, std::micro>(trip.smoothed()).count();
}

}  // namespace

// TRUST C11.
TEST_CASE("the_first_questions_of_sessions_that_begin_together_are_spread_over_the_interval") {
  constexpr std::size_t sessions = 20'000;
  const heartbeat_options o = every(30s);
  for (const std::uint64_t first : {std::uint64_t{1}, std::uint64_t{1'000'000'007}, UINT64_MAX - sessions}) {
    std::vector<std::size_t> buckets(300);
    for (std::uint64_t number = first; number < first + sessions; ++number) {
      heartbeat beat;
      beat.start(start, o.interval, number);
      const duration after = beat.deadline(o) - start;
      REQUIRE(after > 0s);
      REQUIRE(after <= 30s);
      ++buckets[static_cast<std::size_t>((after - tick) / 100ms)];
    }
    CHECK(std::ranges::max(buckets) <= 3 * sessions / buckets.size());
    CHECK(std::ranges::min(buckets) > 0);
  }
}

TEST_CASE("a_silent_peer_is_asked_once_and_given_up_when_the_timeout_is_over") {
  const heartbeat_options o = every(30s, 10s);
  heartbeat beat = heard_at_start();
  CHECK(beat.deadline(o) == start + 30s);
  CHECK(beat.next(start, o) == step::wait);
  CHECK(beat.next(start + 30s - tick, o) == step::wait);
  CHECK(beat.next(start + 30s, o) == step::ask);
  CHECK(beat.deadline(o) == start + 40s);
  CHECK(beat.next(start + 30s, o) == step::wait);
  CHECK(beat.next(start + 40s - tick, o) == step::wait);
  CHECK(beat.next(start + 40s, o) == step::give_up);
}

TEST_CASE("the_timeout_begins_when_the_question_was_asked") {
  const heartbeat_options o = every(30s, 10s);
  heartbeat beat = heard_at_start();
  CHECK(beat.next(start + 33s, o) == step::ask);  // the event loop was late
  CHECK(beat.next(start + 43s - tick, o) == step::wait);
  CHECK(beat.next(start + 43s, o) == step::give_up);
}

TEST_CASE("anything_that_a_peer_sends_puts_the_question_off") {
  const heartbeat_options o = every(30s);
  heartbeat beat = heard_at_start();
  for (int i = 1; i <= 10; ++i) {
    beat.on_heard(start + i * 20s);
    CHECK(beat.deadline(o) == start + i * 20s + 30s);
    CHECK(beat.next(start + i * 20s + 30s - tick, o) == step::wait);
  }
}

TEST_CASE("anything_that_a_peer_sends_answers_the_question") {
  const heartbeat_options o = every(30s, 10s);
  heartbeat beat = heard_at_start();
  for (int i = 1; i <= 3; ++i) {
    const time_point heard = start + i * 1h;
    CHECK(beat.next(heard - tick, o) == step::ask);
    beat.on_heard(heard);
    CHECK(beat.next(heard + 10s, o) == step::wait);
    CHECK(beat.deadline(o) == heard + 30s);
  }
}

TEST_CASE("a_peer_that_never_sent_anything_is_asked_and_given_up_too") {
  const heartbeat_options o = every(30s, 10s);
  heartbeat beat;
  beat.start(start, o.interval, 4711);
  const time_point first = beat.deadline(o);
  CHECK(beat.next(first - tick, o) == step::wait);
  CHECK(beat.next(first, o) == step::ask);
  CHECK(beat.next(first + 10s - tick, o) == step::wait);
  CHECK(beat.next(first + 10s, o) == step::give_up);
}

TEST_CASE("the_first_question_may_come_before_the_clock_has_run_for_an_interval") {
  const heartbeat_options o = every(30s);
  for (std::uint64_t number = 1; number <= 100; ++number) {
    const time_point boot{1s};
    heartbeat beat;
    beat.start(boot, o.interval, number);
    CHECK(beat.deadline(o) > boot);
    CHECK(beat.deadline(o) <= boot + 30s);
  }
}

TEST_CASE("with_an_interval_without_end_nobody_is_asked") {
  const heartbeat_options o = every(duration::max());
  for (std::uint64_t number = 0; number <= 1'000; ++number) {
    heartbeat beat;
    beat.start(start, o.interval, number);
    CHECK(beat.deadline(o) == time_point::max());
    CHECK(beat.next(time_point::max() - tick, o) == step::wait);
    beat.on_heard(start + 1s);
    CHECK(beat.deadline(o) == time_point::max());
    CHECK(beat.next(time_point::max() - tick, o) == step::wait);
  }
}

TEST_CASE("with_a_timeout_without_end_nobody_is_given_up") {
  const heartbeat_options o = every(30s, duration::max());
  heartbeat beat = heard_at_start();
  CHECK(beat.next(start + 30s, o) == step::ask);
  CHECK(beat.next(time_point::max() - tick, o) == step::wait);
}

// RFC 6298 section 2.

TEST_CASE("a_round_trip_is_zero_before_the_first_sample_and_then_that_sample") {
  round_trip trip;
  CHECK(trip.smoothed() == 0s);
  trip.add(80ms);
  CHECK(trip.smoothed() == 80ms);
}

TEST_CASE("each_sample_of_a_round_trip_counts_an_eighth") {
  round_trip trip;
  trip.add(80ms);
  trip.add(160ms);
  CHECK(trip.smoothed() == 90ms);
  trip.add(10ms);
  CHECK(trip.smoothed() == 80ms);
}

TEST_CASE("a_round_trip_follows_the_mean_of_the_standard_to_a_microsecond_a_step") {
  round_trip trip;
  trip.add(100ms);
  for (int i = 0; i < 1'000; ++i) {
    const double before = microseconds(trip);
    const double sample = i * 7919 % 300'000 + 1;
    trip.add(std::chrono::microseconds(static_cast<int>(sample)));
    CHECK(std::abs(microseconds(trip) - (before * 7 + sample) / 8) < 1);
  }
}

TEST_CASE("a_round_trip_that_stays_the_same_is_learned") {
  for (const auto steady : {20us, 1'000us, 200'000us}) {
    for (const auto first : {1us, 10'000'000us}) {
      round_trip trip;
      trip.add(first);
      for (int i = 0; i < 300; ++i) trip.add(steady);
      CHECK(trip.smoothed() > steady - 8us);
      CHECK(trip.smoothed() < steady + 8us);
    }
  }
}

TEST_CASE("a_round_trip_too_short_or_too_long_to_be_said_is_the_shortest_or_the_longest") {
  round_trip none;
  none.add(0s);
  CHECK(none.smoothed() == 1us);  // zero would say that there was none
  round_trip endless;
  endless.add(duration::max());
  CHECK(endless.smoothed() == std::chrono::microseconds(UINT32_MAX));
  endless.add(duration::max());
  CHECK(endless.smoothed() == std::chrono::microseconds(UINT32_MAX));
}
