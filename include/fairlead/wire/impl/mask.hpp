#ifndef FAIRLEAD_WIRE_IMPL_MASK_HPP
#define FAIRLEAD_WIRE_IMPL_MASK_HPP

#include <fairlead/wire/mask.hpp>

#include <type_traits>

namespace fairlead::inline FAIRLEAD_ABI {
namespace detail {

/// apply_mask() in words.
FAIRLEAD_DECL void apply_mask_in_words(std::span<std::byte> payload, const mask_key& key,
                                       std::size_t key_offset) noexcept;

}  // namespace detail

constexpr void apply_mask(std::span<std::byte> payload, const mask_key& key,
                          std::size_t key_offset) noexcept {
  if (!std::is_constant_evaluated()) return detail::apply_mask_in_words(payload, key, key_offset);
  for (std::size_t i = 0; i < payload.size(); ++i) payload[i] ^= key[(key_offset + i) % key.size()];
}

}  // namespace fairlead

#endif
