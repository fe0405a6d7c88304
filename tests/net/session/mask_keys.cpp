#include <fairlead/net/session/detail/mask_keys.hpp>

#include <net/link/link_support.hpp>
#include <net/session/random_support.hpp>
#include <support/catch.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <system_error>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

using namespace fairlead;

namespace {

std::vector<std::uint32_t> draw(detail::random_mask_keys& source, std::size_t count) {
  std::vector<std::uint32_t> keys(count);
  std::generate(keys.begin(), keys.end(), [&] { return std::bit_cast<std::uint32_t>(source.next()); });
  return keys;
}

}  // namespace

// RFC 6455 section 10.3: "the masking key [...] needs to be unpredictable".
TEST_CASE("a_million_mask_keys_look_random") {
  detail::random_mask_keys source;
  std::vector<std::uint32_t> keys = draw(source, 1'000'000);
  std::array<std::array<double, 256>, 4> counts{};
  for (const std::uint32_t key : keys) {
    for (std::size_t i = 0; i < 4; ++i) ++counts[i][(key >> (8 * i)) & 0xff];
  }
  for (const auto& of_one_byte : counts) {
    double chi_square = 0;
    constexpr double expected = 1'000'000 / 256.0;
    for (const double n : of_one_byte) chi_square += (n - expected) * (n - expected) / expected;
    CHECK(chi_square < 360);  // with 255 degrees of freedom passed by chance once in 70,000
  }
  // By chance 116 of them repeat another, and more than 200 once in 10^12.
  std::sort(keys.begin(), keys.end());
  const auto repeats = keys.end() - std::unique(keys.begin(), keys.end());
  CHECK(repeats < 200);
}

TEST_CASE("without_randomness_there_is_no_mask_key") {
  const net_test::no_randomness during;
  detail::random_mask_keys source;
  CHECK_THROWS_AS(source.next(), std::system_error);
}

TEST_CASE("parent_and_child_have_different_mask_keys_after_a_fork") {
  detail::random_mask_keys source;
  source.next();  // the next ones are drawn, and would be in both
  std::array<int, 2> pipe{};
  REQUIRE(::pipe(pipe.data()) == 0);
  const link_support::descriptor reader(pipe[0]), writer(pipe[1]);
  constexpr std::size_t count = 300;
  const pid_t child = ::fork();
  if (child == 0) {
    const auto keys = draw(source, count);
    const bool written = ::write(writer.get(), keys.data(), 4 * count) == 4 * count;
    ::_exit(written ? 0 : 1);
  }
  REQUIRE(child > 0);
  const auto ours = draw(source, count);
  std::vector<std::uint32_t> theirs(count);
  REQUIRE(::read(reader.get(), theirs.data(), 4 * count) == 4 * count);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  for (std::size_t i = 0; i < count; ++i) {
    if (ours[i] == theirs[i]) FAIL("the same key in both processes");
  }
}
