#ifndef FAIRLEAD_NET_SESSION_SESSION_STATE_HPP
#define FAIRLEAD_NET_SESSION_SESSION_STATE_HPP

#include <fairlead/config.hpp>

#include <array>
#include <cstddef>
#include <string_view>

namespace fairlead::inline FAIRLEAD_ABI {

/// Where a session is in its life.
enum class session_state : unsigned char {
  connecting,      ///< The handshake is not done.
  authenticating,  ///< The peer has `authentication_timeout` to say who it is.
  active,
  idle,     ///< No message either way for `idle_after`.
  closing,  ///< We close it: what was sent before leaves, then the close handshake runs.
  closed,   ///< Nothing can be sent or received any more.
};

inline constexpr std::size_t session_state_count = 6;

/// The transitions that there are; time, messages and closes drive them.
constexpr bool may_follow(session_state from, session_state to) noexcept {
  using enum session_state;
  switch (from) {
    case connecting: return to == authenticating || to == active || to == closed;
    case authenticating: return to == active || to == closing || to == closed;
    case active: return to == idle || to == closing || to == closed;
    case idle: return to == active || to == closing || to == closed;
    case closing: return to == closed;
    case closed: return false;
  }
  return false;
}

constexpr std::string_view name_of(session_state s) noexcept {
  constexpr std::array<std::string_view, session_state_count> names{"connecting", "authenticating", "active",
                                                                    "idle",       "closing",        "closed"};
  return names[static_cast<std::size_t>(s)];
}

}  // namespace fairlead::inline FAIRLEAD_ABI

#endif
