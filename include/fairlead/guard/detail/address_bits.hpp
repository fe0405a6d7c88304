#ifndef FAIRLEAD_GUARD_DETAIL_ADDRESS_BITS_HPP
#define FAIRLEAD_GUARD_DETAIL_ADDRESS_BITS_HPP

#include <fairlead/config.hpp>
#include <fairlead/peer_address.hpp>

#include <cstddef>

namespace fairlead::inline FAIRLEAD_ABI::detail {

/// Clears all bits of the address behind the first `count`.
inline void keep_bits(peer_address& a, unsigned count) noexcept {
  for (std::size_t i = 0; i < a.bytes.size(); ++i) {
    const auto kept = static_cast<unsigned>(count > i * 8 ? count - i * 8 : 0);
    if (kept < 8) a.bytes[i] &= static_cast<std::byte>(0xFF00U >> kept);
  }
}

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#endif
