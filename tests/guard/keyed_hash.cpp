#include <fairlead/guard/detail/keyed_hash.hpp>

#include <support/catch.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <random>
#include <vector>

using namespace fairlead;

// The vector of the paper's authors for 16 bytes: key 00 01 .. 0f, input 00 01 .. 0f.
TEST_CASE("the_hash_is_siphash_2_4") {
  constexpr std::array<std::uint64_t, 2> bytes{0x0706050403020100, 0x0f0e0d0c0b0a0908};
  STATIC_REQUIRE(detail::keyed_hash(bytes, bytes) == 0x3f2acc7f57c29bdb);
}

TEST_CASE("R09: inputs_that_collide_under_one_key_do_not_under_another") {
  constexpr std::uint64_t buckets = 4096;
  const std::array<std::uint64_t, 2> known{1, 2};
  const std::array<std::uint64_t, 2> secret{3, 4};
  std::vector<std::array<std::uint64_t, 2>> colliding;
  for (std::uint64_t i = 0; colliding.size() < 1000; ++i) {
    if (detail::keyed_hash(known, {i << 16, 0}) % buckets == 0) colliding.push_back({i << 16, 0});
  }
  std::vector<int> load(buckets);
  for (const auto& input : colliding) ++load[detail::keyed_hash(secret, input) % buckets];
  CHECK(*std::ranges::max_element(load) <= 6);
}
