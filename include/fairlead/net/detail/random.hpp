#ifndef FAIRLEAD_NET_DETAIL_RANDOM_HPP
#define FAIRLEAD_NET_DETAIL_RANDOM_HPP

#include <fairlead/config.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace fairlead::inline FAIRLEAD_ABI::detail {

/// Fills `room` from OpenSSL's random source, which nobody can predict. Any thread. Throws std::system_error,
/// std::errc::resource_unavailable_try_again, when there is no randomness.
FAIRLEAD_DECL void draw_random(std::span<std::byte> room);

/// A number that is likely to be another each time, and no secret: where there is no randomness it is made of time and
/// place. Any thread.
FAIRLEAD_DECL std::uint64_t some_number() noexcept;

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/net/impl/random.ipp>
#endif

#endif
