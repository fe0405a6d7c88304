#ifndef FAIRLEAD_NET_SESSION_SESSION_ID_HPP
#define FAIRLEAD_NET_SESSION_SESSION_ID_HPP

#include <fairlead/config.hpp>

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

namespace fairlead::inline FAIRLEAD_ABI {

/// Names one session among all of a cluster, for good: a random number that each event loop draws for itself, and
/// the session's number there. Not a secret: who knows one can guess others.
struct session_id {
  std::uint64_t loop = 0;
  std::uint64_t number = 0;  ///< From 1; 0 for an empty handle.

  friend auto operator<=>(const session_id&, const session_id&) = default;
};

/// 32 digits in lower case hexadecimal.
FAIRLEAD_DECL std::string to_string(const session_id& id);

}  // namespace fairlead::inline FAIRLEAD_ABI

template <>
struct std::hash<fairlead::session_id> {
  std::size_t operator()(const fairlead::session_id& id) const noexcept {
    return static_cast<std::size_t>(id.loop ^ (id.number * 0x9E3779B97F4A7C15));
  }
};

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/net/session/impl/session_id.ipp>
#endif

#endif
