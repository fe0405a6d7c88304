#ifndef FAIRLEAD_WIRE_MASK_HPP
#define FAIRLEAD_WIRE_MASK_HPP

#include <fairlead/config.hpp>

#include <array>
#include <cstddef>
#include <span>

namespace fairlead::inline FAIRLEAD_ABI {

/// The four bytes that a client draws for each frame, in the order of the wire (RFC 6455 section 5.3).
using mask_key = std::array<std::byte, 4>;

/// Masks or unmasks `payload` in place; the two are the same operation.
///
/// \param payload     One piece of one frame's payload, at any alignment. No byte outside it is touched.
/// \param key         The frame's.
/// \param key_offset  Bytes of this frame's payload that came before this piece; counted modulo 4.
/// \note              Pure: no allocation, no exception, any thread.
/// \see               RFC 6455 section 5.3
constexpr void apply_mask(std::span<std::byte> payload, const mask_key& key,
                          std::size_t key_offset = 0) noexcept;

}  // namespace fairlead

#include <fairlead/wire/impl/mask.hpp>

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/wire/impl/mask.ipp>
#endif

#endif
