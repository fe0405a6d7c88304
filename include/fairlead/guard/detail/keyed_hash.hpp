#ifndef FAIRLEAD_GUARD_DETAIL_KEYED_HASH_HPP
#define FAIRLEAD_GUARD_DETAIL_KEYED_HASH_HPP

#include <fairlead/config.hpp>

#include <array>
#include <bit>
#include <cstdint>

namespace fairlead::inline FAIRLEAD_ABI::detail {

/// SipHash-2-4 of 16 bytes, given as two numbers in little endian: whoever does not know the key cannot choose
/// inputs that collide (TRUST R09).
constexpr std::uint64_t keyed_hash(const std::array<std::uint64_t, 2>& key,
                                   const std::array<std::uint64_t, 2>& input) noexcept {
  std::uint64_t a = key[0] ^ 0x736f6d6570736575;
  std::uint64_t b = key[1] ^ 0x646f72616e646f6d;
  std::uint64_t c = key[0] ^ 0x6c7967656e657261;
  std::uint64_t d = key[1] ^ 0x7465646279746573;
  const auto mix = [&](int rounds) {
    for (int i = 0; i < rounds; ++i) {
      a += b;
      b = std::rotl(b, 13) ^ a;
      a = std::rotl(a, 32);
      c += d;
      d = std::rotl(d, 16) ^ c;
      a += d;
      d = std::rotl(d, 21) ^ a;
      c += b;
      b = std::rotl(b, 17) ^ c;
      c = std::rotl(c, 32);
    }
  };
  constexpr std::uint64_t size_word = std::uint64_t{16} << 56;
  for (const std::uint64_t word : {input[0], input[1], size_word}) {
    d ^= word;
    mix(2);
    a ^= word;
  }
  c ^= 0xFF;
  mix(4);
  return a ^ b ^ c ^ d;
}

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#endif
