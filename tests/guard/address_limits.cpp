#include <fairlead/guard/address_limits.hpp>

#include <support/catch.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

using namespace fairlead;
using namespace std::chrono_literals;
using enum address_verdict;

namespace {

constexpr time_point start{1000s};
constexpr address_limits::seed some_seed{0x0123456789abcdef, 0xfedcba9876543210};

peer_address at(std::string_view text) { return parse_address(text).value(); }

/// One of 2^32 addresses.
peer_address numbered(std::uint32_t n) {
  peer_address a;
  a.family = peer_address::kind::ipv4;
  for (std::size_t i = 0; i < 4; ++i) a.bytes[i] = static_cast<std::byte>(n >> (24 - 8 * i) & 0xFF);
  return a;
}

/// Remembers everything, for ever.
class plain_limits {
 public:
  explicit plain_limits(const address_limit_options& options) : options_(options) {}

  struct entry {
    std::size_t connections;
    token_bucket bucket;
  };

  entry& of(std::uint32_t n) {
    const token_rate rate{options_.max_new_per_minute, options_.max_new_per_minute, 1min};
    return entries_.try_emplace(n, entry{0, token_bucket(rate)}).first->second;
  }

  address_verdict enter(std::uint32_t n, time_point now) {
    entry& e = of(n);
    if (e.connections == options_.max_concurrent) return too_many;
    if (!e.bucket.take(1, now)) return too_fast;
    ++e.connections;
    return ok;
  }

 private:
  address_limit_options options_;
  std::map<std::uint32_t, entry> entries_;
};

}  // namespace

TEST_CASE("R03: one_address_has_so_many_connections_at_once_and_no_more") {
  address_limits limits({.max_concurrent = 3}, some_seed);
  for (int i = 0; i < 3; ++i) CHECK(limits.enter(at("192.0.2.1"), start) == ok);
  CHECK(limits.enter(at("192.0.2.1:99"), start) == too_many);
  CHECK(limits.enter(at("192.0.2.2"), start) == ok);
  limits.leave(at("192.0.2.1"));
  CHECK(limits.enter(at("192.0.2.1"), start) == ok);
  CHECK(limits.enter(at("192.0.2.1"), start) == too_many);
}

TEST_CASE("R03: one_address_opens_so_many_a_minute_and_no_more") {
  address_limits limits({.max_new_per_minute = 10}, some_seed);
  for (int i = 0; i < 10; ++i) {
    CHECK(limits.enter(at("192.0.2.1"), start) == ok);
    limits.leave(at("192.0.2.1"));
  }
  CHECK(limits.enter(at("192.0.2.1"), start) == too_fast);
  CHECK(limits.enter(at("192.0.2.2"), start) == ok);
  CHECK(limits.enter(at("192.0.2.1"), start + 6s - 1ns) == too_fast);
  CHECK(limits.enter(at("192.0.2.1"), start + 6s) == ok);
  CHECK(limits.enter(at("192.0.2.1"), start + 6s) == too_fast);
}

TEST_CASE("the_defaults_hold_at_their_numbers") {
  address_limits limits({}, some_seed);
  for (int i = 0; i < 100; ++i) REQUIRE(limits.enter(at("192.0.2.1"), start) == ok);
  CHECK(limits.enter(at("192.0.2.1"), start) == too_many);
  for (int i = 0; i < 20; ++i) {
    limits.leave(at("192.0.2.1"));
    REQUIRE(limits.enter(at("192.0.2.1"), start) == ok);
  }
  limits.leave(at("192.0.2.1"));
  CHECK(limits.enter(at("192.0.2.1"), start) == too_fast);
}

TEST_CASE("what_is_refused_counts_for_nothing") {
  address_limits limits({.max_concurrent = 1, .max_new_per_minute = 2}, some_seed);
  REQUIRE(limits.enter(at("192.0.2.1"), start) == ok);
  for (int i = 0; i < 100; ++i) REQUIRE(limits.enter(at("192.0.2.1"), start) == too_many);
  limits.leave(at("192.0.2.1"));
  CHECK(limits.enter(at("192.0.2.1"), start) == ok);
}

TEST_CASE("ipv6_addresses_of_one_block_of_64_bits_are_one") {
  address_limits limits({.max_concurrent = 1}, some_seed);
  CHECK(limits.enter(at("2001:db8:0:1::1"), start) == ok);
  CHECK(limits.enter(at("2001:db8:0:1:ffff:ffff:ffff:ffff"), start) == too_many);
  CHECK(limits.enter(at("2001:db8:0:2::1"), start) == ok);
  limits.leave(at("2001:db8:0:1::7"));
  CHECK(limits.enter(at("2001:db8:0:1::8"), start) == ok);
  CHECK(limits.size() == 2);
}

TEST_CASE("the_block_of_ipv6_can_be_chosen") {
  address_limits whole({.max_concurrent = 1, .ipv6_prefix = 128}, some_seed);
  CHECK(whole.enter(at("2001:db8::1"), start) == ok);
  CHECK(whole.enter(at("2001:db8::2"), start) == ok);
  CHECK(whole.enter(at("2001:db8::2"), start) == too_many);
  address_limits site({.max_concurrent = 1, .ipv6_prefix = 47}, some_seed);
  CHECK(site.enter(at("2001:db8:0::"), start) == ok);
  CHECK(site.enter(at("2001:db8:1:ffff::"), start) == too_many);
  CHECK(site.enter(at("2001:db8:2::"), start) == ok);
}

TEST_CASE("an_ipv4_address_is_one_by_whichever_socket_it_comes") {
  address_limits limits({.max_concurrent = 1, .ipv6_prefix = 1}, some_seed);
  peer_address mapped;
  mapped.family = peer_address::kind::ipv6;
  mapped.bytes[10] = mapped.bytes[11] = std::byte{0xFF};
  mapped.bytes[12] = std::byte{192};
  mapped.bytes[14] = std::byte{2};
  mapped.bytes[15] = std::byte{1};
  CHECK(limits.enter(at("192.0.2.1"), start) == ok);
  CHECK(limits.enter(mapped, start) == too_many);
  limits.leave(mapped);
  CHECK(limits.enter(at("192.0.2.1"), start) == ok);
  // No other of both families is the same.
  CHECK(limits.enter(at("0.0.0.0"), start) == ok);
  CHECK(limits.enter(at("::"), start) == ok);
}

TEST_CASE("local_and_unknown_addresses_are_not_limited") {
  address_limits limits({.max_concurrent = 1, .max_new_per_minute = 1}, some_seed);
  peer_address local;
  local.family = peer_address::kind::local;
  REQUIRE(limits.enter(at("::"), start) == ok);
  for (int i = 0; i < 100; ++i) {
    REQUIRE(limits.enter(local, start) == uncounted);
    REQUIRE(limits.enter({}, start) == uncounted);
  }
  // Their bytes are those of `::`, which they must not be taken for.
  limits.leave(local);
  limits.leave({});
  CHECK(limits.enter(at("::"), start) == too_many);
  CHECK(limits.size() == 1);
}

TEST_CASE("to_leave_without_having_entered_does_nothing") {
  address_limits limits({.max_concurrent = 1}, some_seed);
  limits.leave(at("192.0.2.1"));
  REQUIRE(limits.enter(at("192.0.2.1"), start) == ok);
  limits.leave(at("192.0.2.1"));
  limits.leave(at("192.0.2.1"));
  CHECK(limits.enter(at("192.0.2.1"), start) == ok);
  CHECK(limits.enter(at("192.0.2.1"), start) == too_many);
}

TEST_CASE("R03: a_flood_of_addresses_neither_grows_the_table_nor_pushes_out_one_with_connections") {
  address_limits limits({.max_concurrent = 2, .max_new_per_minute = 2, .max_addresses = 100}, some_seed);
  REQUIRE(limits.enter(at("192.0.2.1"), start) == ok);
  REQUIRE(limits.enter(at("192.0.2.2"), start) == ok);
  REQUIRE(limits.enter(at("192.0.2.2"), start) == ok);
  for (std::uint32_t i = 0; i < 100'000; ++i) {
    REQUIRE(limits.enter(numbered(i), start) == ok);
    limits.leave(numbered(i));
    REQUIRE(limits.size() <= 100);
  }
  CHECK(limits.enter(at("192.0.2.2"), start) == too_many);
  CHECK(limits.enter(at("192.0.2.1"), start) == ok);
  limits.leave(at("192.0.2.1"));
  CHECK(limits.enter(at("192.0.2.1"), start) == too_fast);
}

TEST_CASE("the_address_that_had_no_connection_for_the_longest_is_forgotten_first") {
  address_limits limits({.max_new_per_minute = 1, .max_addresses = 3}, some_seed);
  for (const std::uint32_t n : {1U, 2U, 3U}) REQUIRE(limits.enter(numbered(n), start) == ok);
  for (const std::uint32_t n : {2U, 1U, 3U}) limits.leave(numbered(n));
  // 2 tries again, so that 1 is the oldest.
  REQUIRE(limits.enter(numbered(2), start) == too_fast);
  REQUIRE(limits.enter(numbered(4), start) == ok);
  CHECK(limits.enter(numbered(2), start) == too_fast);
  CHECK(limits.enter(numbered(3), start) == too_fast);
  CHECK(limits.enter(numbered(1), start) == ok);
  CHECK(limits.size() == 3);
}

TEST_CASE("where_all_addresses_have_connections_further_ones_are_admitted_uncounted") {
  address_limits limits({.max_concurrent = 1, .max_addresses = 2}, some_seed);
  REQUIRE(limits.enter(numbered(1), start) == ok);
  REQUIRE(limits.enter(numbered(2), start) == ok);
  CHECK(limits.enter(numbered(3), start) == uncounted);
  CHECK(limits.enter(numbered(3), start) == uncounted);
  CHECK(limits.enter(numbered(1), start) == too_many);
  CHECK(limits.size() == 2);
  limits.leave(numbered(1));
  CHECK(limits.enter(numbered(3), start) == ok);
  CHECK(limits.enter(numbered(3), start) == too_many);
}

TEST_CASE("addresses_are_forgotten_when_it_makes_no_difference_any_more") {
  address_limits limits({.max_new_per_minute = 10}, some_seed);
  for (std::uint32_t i = 0; i < 1000; ++i) {
    REQUIRE(limits.enter(numbered(i), start) == ok);
    limits.leave(numbered(i));
  }
  REQUIRE(limits.size() == 1000);
  // Each took one of ten: full again after six seconds.
  REQUIRE(limits.enter(numbered(5000), start + 6s - 1ns) == ok);
  CHECK(limits.size() == 1001);
  for (std::uint32_t i = 0; i < 1000; ++i) REQUIRE(limits.enter(numbered(6000 + i), start + 6s) == ok);
  CHECK(limits.size() == 1001);
}

TEST_CASE("options_outside_their_range_are_refused") {
  CHECK_THROWS_AS(address_limits({.max_concurrent = 0}, some_seed), std::invalid_argument);
  CHECK_THROWS_AS(address_limits({.max_new_per_minute = 0}, some_seed), std::invalid_argument);
  CHECK_NOTHROW(address_limits({.max_new_per_minute = 300'000'000}, some_seed));
  CHECK_THROWS_AS(address_limits({.max_new_per_minute = 300'000'001}, some_seed), std::invalid_argument);
  CHECK_THROWS_AS(address_limits({.ipv6_prefix = 0}, some_seed), std::invalid_argument);
  CHECK_THROWS_AS(address_limits({.ipv6_prefix = 129}, some_seed), std::invalid_argument);
  CHECK_THROWS_AS(address_limits({.max_addresses = 0}, some_seed), std::invalid_argument);
}

TEST_CASE("limits_agree_with_those_that_remember_everything") {
  const address_limit_options options{
      .max_concurrent = 4, .max_new_per_minute = 12, .max_addresses = 100'000};
  address_limits limits(options, some_seed);
  plain_limits plain(options);
  std::mt19937 random(20260104);
  std::vector<std::uint32_t> open;
  time_point now = start;
  int seen[4] = {};
  std::uint32_t wrong = 0;
  for (int step = 0; step < 2'000'000; ++step) {
    now += std::chrono::microseconds(random() % 2000);
    const bool leaves = random() % 100 < (step / 100'000 % 2 == 0 ? 15U : 60U);
    if (leaves && !open.empty()) {
      std::swap(open[random() % open.size()], open.back());
      limits.leave(numbered(open.back()));
      --plain.of(open.back()).connections;
      open.pop_back();
    } else {
      const auto n = static_cast<std::uint32_t>(random() % (random() % 3000 + 1));
      const address_verdict expected = plain.enter(n, now);
      wrong += limits.enter(numbered(n), now) == expected ? 0 : 1;
      ++seen[static_cast<int>(expected)];
      if (expected == ok) open.push_back(n);
    }
  }
  CHECK(wrong == 0);
  CHECK(seen[static_cast<int>(ok)] > 100'000);
  CHECK(seen[static_cast<int>(too_many)] > 1000);
  CHECK(seen[static_cast<int>(too_fast)] > 1000);
}

TEST_CASE("a_table_that_is_too_small_forgets_how_fast_but_never_how_many") {
  const address_limit_options options{.max_concurrent = 3, .max_new_per_minute = 6, .max_addresses = 64};
  static constexpr duration token = 10s;
  // As a time: how much an address that nobody forgot would have left, less than nothing for one that was.
  struct budget {
    duration left = 6 * token;
    time_point at = start;
  };
  address_limits limits(options, some_seed);
  std::map<std::uint32_t, budget> budgets;
  std::map<std::uint32_t, std::size_t> counted;
  std::vector<std::uint32_t> open;
  std::mt19937 random(20260105);
  time_point now = start;
  int seen[4] = {};
  int forgotten = 0;
  for (int step = 0; step < 500'000; ++step) {
    now += std::chrono::milliseconds(random() % 100);
    const bool leaves = random() % 100 < (step / 10'000 % 2 == 0 ? 15U : 60U);
    if (leaves && !open.empty()) {
      std::swap(open[random() % open.size()], open.back());
      limits.leave(numbered(open.back()));
      if (--counted[open.back()] == 0) counted.erase(open.back());
      open.pop_back();
      continue;
    }
    const auto n = static_cast<std::uint32_t>(random() % (random() % 200 + 1));
    const std::size_t before = counted.contains(n) ? counted[n] : 0;
    budget& b = budgets[n];
    b.left = std::min(b.left + (now - b.at), duration(6 * token));
    b.at = now;
    const address_verdict got = limits.enter(numbered(n), now);
    REQUIRE(limits.size() <= options.max_addresses);
    REQUIRE((got == too_many) == (before == options.max_concurrent));
    REQUIRE((got == uncounted) == (before == 0 && counted.size() == options.max_addresses));
    if (got == too_fast) REQUIRE(b.left < token);
    ++seen[static_cast<int>(got)];
    if (got != ok) continue;
    if (b.left < token) ++forgotten;
    b.left -= token;
    ++counted[n];
    open.push_back(n);
  }
  CHECK(std::ranges::min(seen) > 1000);
  CHECK(forgotten > 100);
}
