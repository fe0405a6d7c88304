#ifndef FAIRLEAD_NET_SESSION_NET_COUNTERS_HPP
#define FAIRLEAD_NET_SESSION_NET_COUNTERS_HPP

#include <fairlead/config.hpp>
#include <fairlead/errc.hpp>
#include <fairlead/net/session/session_state.hpp>
#include <fairlead/net/session/session_statistics.hpp>
#include <fairlead/time.hpp>

#include <array>
#include <cstddef>
#include <cstdint>

namespace fairlead::inline FAIRLEAD_ABI {

class session;
struct close_info;

/// What the sessions of a server have done since it began, those of all its threads together.
struct net_counters {
  /// Sessions now, by state; one that is closed counts until its connection is gone.
  std::array<std::size_t, session_state_count> sessions{};

  std::uint64_t opened = 0;

  /// Ends by their errc; under errc::ok those with a clean close.
  std::array<std::uint64_t, 128> closed{};

  std::uint64_t messages_received = 0;
  std::uint64_t bytes_received = 0;  ///< Payload, as the next but one.
  std::uint64_t messages_sent = 0;
  std::uint64_t bytes_sent = 0;
  drop_counts drops{};
  limit_counts rate_pauses{};  ///< As in session_statistics.
  limit_counts rate_drops{};

  std::size_t in_state(session_state s) const noexcept { return sessions[static_cast<std::size_t>(s)]; }
  std::uint64_t closed_with(errc e) const noexcept { return closed[static_cast<std::size_t>(e)]; }
};

/// Is told what happens to sessions, for who measures: the layers above observe through it. Called on the session's
/// thread, with several threads on several at once. Must not throw, and must not block.
class net_sink {
 public:
  virtual ~net_sink() = default;

  virtual void on_open(const session&) {}

  /// With session::statistics() as they are at the end.
  virtual void on_close(const session&, const close_info&) {}

  virtual void on_state(const session&, session_state /*from*/, session_state /*to*/) {}

  /// The queue has drained, and messages were dropped since the last call.
  virtual void on_drops(const session&, const drop_counts&) {}

  /// A pong came, so long after its ping.
  virtual void on_round_trip(const session&, duration) {}
};

}  // namespace fairlead::inline FAIRLEAD_ABI

#endif
