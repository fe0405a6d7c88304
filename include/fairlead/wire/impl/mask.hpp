#ifndef FAIRLEAD_WIRE_IMPL_MASK_HPP
#define FAIRLEAD_WIRE_IMPL_MASK_HPP

#include <fairlead/wire/mask.hpp>

#include <type_traits>

namespace fairlead::inline FAIRLEAD_ABI {
namespace detail {

/// apply_mask() in words; `key` begins with the byte for the front of `payload`.
FAIRLEAD_DECL void apply_mask_in_words(std::span<std::byte> payload, const mask_key& key) noexcept;

}  // namespace detail

constexpr void apply_mask(std::span<std::byte> payload, const mask_key& key,
                          std::size_t key_offset) noexcept {
  const auto key_byte = [&key, key_offset](std::size_t i) { return key[(key_offset + i) % key.size()]; };
  if (std::is_constant_evaluated()) {
    for (std::size_t i = 0; i < payload.size(); ++i) payload[i] ^= key_byte(i);
  } else {
    detail::apply_mask_in_words(payload, {key_byte(0), key_byte(1), key_byte(2), key_byte(3)});
  }
}

}  // namespace fairlead::inline FAIRLEAD_ABI

#endif
