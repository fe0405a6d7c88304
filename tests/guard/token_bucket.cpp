#include <fairlead/guard/token_bucket.hpp>

#include <support/catch.hpp>

#include <chrono>
#include <cstdint>
#include <limits>
#include <random>
#include <stdexcept>

using namespace fairlead;
using namespace std::chrono_literals;

namespace {

__extension__ using wide = unsigned __int128;

constexpr time_point start{1000s};
constexpr std::uint64_t largest = std::numeric_limits<std::uint64_t>::max();

/// The same in numbers that cannot overflow: what came since the first take, less what was taken, cut at the
/// burst.
class plain_bucket {
 public:
  explicit plain_bucket(const token_rate& rate) : rate_(rate), units_(full()) {}

  bool take(std::uint64_t n, time_point now) {
    if (now > last_) {
      const wide elapsed = static_cast<wide>(now.time_since_epoch().count()) -
                           static_cast<wide>(last_.time_since_epoch().count());
      units_ += elapsed * rate_.tokens;
      if (units_ > full()) units_ = full();
      last_ = now;
    }
    const wide wanted = static_cast<wide>(n) * static_cast<wide>(rate_.per.count());
    if (wanted > units_) return false;
    units_ -= wanted;
    return true;
  }

 private:
  wide full() const { return static_cast<wide>(rate_.burst) * static_cast<wide>(rate_.per.count()); }

  token_rate rate_;
  wide units_;
  time_point last_{};
};

}  // namespace

TEST_CASE("a_bucket_begins_full_and_gives_its_burst_at_once") {
  token_bucket bucket({.tokens = 10, .burst = 3});
  CHECK(bucket.take(1, start));
  CHECK(bucket.take(2, start));
  CHECK_FALSE(bucket.take(1, start));
  CHECK(bucket.take(0, start));
}

TEST_CASE("what_is_refused_takes_nothing") {
  token_bucket bucket({.tokens = 10, .burst = 3});
  CHECK_FALSE(bucket.take(4, start));
  CHECK(bucket.take(3, start));
}

TEST_CASE("a_token_is_there_at_its_nanosecond_and_not_before") {
  token_bucket bucket({.tokens = 3, .burst = 1});
  REQUIRE(bucket.take(1, start));
  const time_point ready = bucket.ready_at(1, start);
  CHECK(ready == start + 333'333'334ns);
  CHECK_FALSE(bucket.take(1, ready - 1ns));
  CHECK(bucket.take(1, ready));
}

TEST_CASE("thirds_of_a_second_do_not_drift") {
  token_bucket bucket({.tokens = 3, .burst = 1});
  time_point now = start;
  for (int i = 0; i < 3'000'000; ++i) {
    now = bucket.ready_at(1, now);
    REQUIRE(bucket.take(1, now));
  }
  // The first was there at once; with each wait rounded up on its own this would be 2 s late.
  CHECK(now >= start + 1'000'000s - 334ms);
  CHECK(now <= start + 1'000'000s);
}

TEST_CASE("a_rate_by_the_minute_is_one") {
  token_bucket bucket({.tokens = 10, .burst = 10, .per = 1min});
  CHECK(bucket.take(10, start));
  CHECK(bucket.ready_at(1, start) == start + 6s);
  CHECK(bucket.ready_at(10, start) == start + 60s);
}

TEST_CASE("ready_at_is_now_for_what_is_there_and_never_for_more_than_the_burst") {
  const token_bucket bucket({.tokens = 10, .burst = 3});
  CHECK(bucket.ready_at(0, start) == start);
  CHECK(bucket.ready_at(3, start) == start);
  CHECK(bucket.ready_at(4, start) == time_point::max());
  CHECK(bucket.ready_at(largest, start) == time_point::max());
}

TEST_CASE("a_wait_beyond_the_end_of_time_is_never") {
  token_bucket bucket({.tokens = 1, .burst = 1, .per = duration::max()});
  REQUIRE(bucket.take(1, start));
  CHECK(bucket.ready_at(1, start) == time_point::max());
  CHECK_FALSE(bucket.take(1, time_point::max() - 1ns));
}

TEST_CASE("after_the_longest_gap_there_is_a_bucket_is_full_and_no_more") {
  token_bucket bucket({.tokens = largest, .burst = 18'000'000'000});
  REQUIRE(bucket.take(18'000'000'000, time_point::min()));
  REQUIRE_FALSE(bucket.take(18'000'000'000, time_point::min()));
  CHECK(bucket.take(18'000'000'000, time_point::max()));
  CHECK_FALSE(bucket.take(1, time_point::max()));
}

TEST_CASE("time_that_goes_back_brings_nothing") {
  token_bucket bucket({.tokens = 1, .burst = 1});
  REQUIRE(bucket.take(1, start));
  CHECK_FALSE(bucket.take(1, start - 1h));
  CHECK(bucket.ready_at(1, start - 1h) == start + 1s);
  CHECK_FALSE(bucket.take(1, start + 1s - 1ns));
  CHECK(bucket.take(1, start + 1s));
}

TEST_CASE("what_is_taken_ahead_is_owed_to_the_nanosecond") {
  token_bucket bucket({.tokens = 10, .burst = 3});
  bucket.take_ahead(3, start);  // all that is there
  CHECK(bucket.ready_at(1, start) == start + 100ms);
  bucket.take_ahead(5, start);
  CHECK(bucket.ready_at(1, start) == start + 600ms);
  CHECK_FALSE(bucket.take(1, start + 600ms - 1ns));
  CHECK(bucket.take(1, start + 600ms));
  CHECK_FALSE(bucket.take(1, start + 600ms));
  // More than the burst, too: what was there is used first.
  bucket.take_ahead(13, start + 10s);
  CHECK(bucket.ready_at(1, start + 10s) == start + 11s + 100ms);
  CHECK(bucket.ready_at(3, start + 10s) == start + 11s + 300ms);
}

TEST_CASE("what_is_taken_ahead_one_by_one_is_as_much_as_all_at_once") {
  const token_rate rate{.tokens = 7, .burst = 4};
  token_bucket one_by_one(rate);
  token_bucket at_once(rate);
  for (int i = 0; i < 1000; ++i) one_by_one.take_ahead(1, start);
  at_once.take_ahead(1000, start);
  CHECK(one_by_one.ready_at(1, start) == at_once.ready_at(1, start));
  CHECK(at_once.ready_at(1, start) == start + 142'428'571'429ns);  // 997 tokens
}

TEST_CASE("owing_beyond_the_end_of_time_is_for_ever") {
  token_bucket bucket({.tokens = 1, .burst = 1, .per = 24h});
  for (int i = 0; i < 3; ++i) bucket.take_ahead(largest, start);
  CHECK_FALSE(bucket.take(1, time_point::max() - 1ns));
  // A rate of many tokens a nanosecond owes nothing for longer than one.
  token_bucket fast({.tokens = largest, .burst = 1});
  fast.take_ahead(2, start);
  CHECK_FALSE(fast.take(1, start));
  CHECK(fast.take(1, start + 2ns));
}

TEST_CASE("a_rate_that_is_none_is_refused") {
  CHECK_THROWS_AS(token_bucket({.tokens = 0, .burst = 1}), std::invalid_argument);
  CHECK_THROWS_AS(token_bucket({.tokens = 1, .burst = 0}), std::invalid_argument);
  CHECK_THROWS_AS(token_bucket({.tokens = 1, .burst = 1, .per = 0s}), std::invalid_argument);
  CHECK_THROWS_AS(token_bucket({.tokens = 1, .burst = 1, .per = -1s}), std::invalid_argument);
  const std::uint64_t most = largest / 1'000'000'000;
  CHECK_NOTHROW(token_bucket({.tokens = 1, .burst = most}));
  CHECK_THROWS_AS(token_bucket({.tokens = 1, .burst = most + 1}), std::invalid_argument);
}

TEST_CASE("a_bucket_agrees_with_the_plain_one_at_every_step") {
  constexpr std::uint64_t rates[] = {1, 3, 50, 7919, 512 * 1024, 18'000'000'000, largest};
  constexpr std::uint64_t bursts[] = {1, 10, 1000, 512 * 1024, 300'000'000};
  constexpr duration times[] = {1s, 60s, 1ns, 997ms};
  std::mt19937_64 random(20260101);
  int given = 0;
  int refused = 0;
  for (int round = 0; round < 200; ++round) {
    const token_rate rate{rates[random() % 7], bursts[random() % 5], times[random() % 4]};
    token_bucket bucket(rate);
    plain_bucket plain(rate);
    time_point now = start;
    for (int step = 0; step < 200; ++step) {
      const std::uint64_t n = random() % 16 == 0 ? random() : random() % (rate.burst + 2);
      if (random() % 4 == 0) {
        const time_point ready = bucket.ready_at(n, now);
        if (n > rate.burst) {
          REQUIRE(ready == time_point::max());
        } else if (ready != now) {
          plain_bucket early = plain;
          REQUIRE_FALSE(early.take(n, ready - 1ns));
          now = ready;
        }
      } else {
        now += duration(random() >> (24 + random() % 40));
      }
      const bool expected = plain.take(n, now);
      REQUIRE(bucket.take(n, now) == expected);
      ++(expected ? given : refused);
    }
  }
  CHECK(given > 10'000);
  CHECK(refused > 5'000);
}
