#include <fairlead/net/session/session_id.hpp>

#include <support/catch.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <unordered_set>
#include <vector>

using namespace fairlead;

TEST_CASE("a_session_id_is_written_as_32_hexadecimal_digits") {
  CHECK(to_string(session_id{}) == "00000000000000000000000000000000");
  CHECK(to_string(session_id{0x0123456789abcdef, 1}) == "0123456789abcdef0000000000000001");
  CHECK(to_string(session_id{1, 0xFEDCBA9876543210}) == "0000000000000001fedcba9876543210");
  CHECK(to_string(session_id{UINT64_MAX, UINT64_MAX}) == "ffffffffffffffffffffffffffffffff");
}

TEST_CASE("session_ids_are_ordered_as_they_are_written") {
  const std::vector<session_id> ids{{0, 0}, {0, 1}, {0, 10},        {0, UINT64_MAX},
                                    {1, 0}, {1, 9}, {UINT64_MAX, 0}};
  for (const session_id& a : ids) {
    for (const session_id& b : ids) {
      CHECK((a <=> b) == (to_string(a) <=> to_string(b)));
      CHECK((a == b) == (&a == &b));
    }
  }
  CHECK(std::ranges::is_sorted(ids));
}

TEST_CASE("equal_session_ids_have_one_hash_and_those_of_many_loops_hardly_share_any") {
  const std::hash<session_id> hash;
  CHECK(hash({7, 9}) == hash({7, 9}));
  std::unordered_set<std::size_t> hashes;
  std::unordered_set<session_id> ids;
  for (const std::uint64_t loop : {0x0123456789abcdefu, 0xfedcba9876543210u, 0x5555555555555555u}) {
    for (std::uint64_t number = 1; number <= 10'000; ++number) {
      ids.insert({loop, number});
      hashes.insert(hash({loop, number}));
    }
  }
  CHECK(ids.size() == 30'000);
  CHECK(hashes.size() >= 29'990);
  CHECK(ids.contains({0x5555555555555555u, 10'000}));
  CHECK_FALSE(ids.contains({0x5555555555555555u, 10'001}));
}
