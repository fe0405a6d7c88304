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
#include <string>
#include <string_view>

namespace fairlead::inline FAIRLEAD_ABI {

class session;
struct close_info;

/// Why a connection did not become a session.
enum class refusal : unsigned char {
  bad_request,     ///< A head that is no HTTP, or an upgrade that is not valid: 400, 405, 426, 505.
  head_too_large,  ///< 431.
  slow_handshake,  ///< The handshake timeout passed.
  not_found,       ///< No route: 404.
  origin,          ///< A page of another origin: 403.
  check,           ///< A check of the server or the route said so, or threw.
  server_full,     ///< server_options::max_connections: 503.
  address_count,   ///< Too many connections of one client: 429.
  address_rate,    ///< Too many new connections of one client: 429.
  proxy_header,    ///< No PROXY protocol where a proxy has to speak it.
  tls,             ///< The TLS handshake failed.
  leaving,         ///< The server drains or stops: 503.
};
inline constexpr std::size_t refusal_count = 12;

/// Such as `origin`.
constexpr std::string_view name_of(refusal r) noexcept {
  constexpr std::array<std::string_view, refusal_count> names{
      "bad_request", "head_too_large", "slow_handshake", "not_found",    "origin", "check",
      "server_full", "address_count",  "address_rate",   "proxy_header", "tls",    "leaving"};
  return names[static_cast<std::size_t>(r)];
}

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

  /// Connections that asked for an upgrade, or for nothing that is HTTP, and did not become sessions.
  std::array<std::uint64_t, refusal_count> refused{};

  std::uint64_t refused_for(refusal r) const noexcept { return refused[static_cast<std::size_t>(r)]; }

  std::size_t in_state(session_state s) const noexcept { return sessions[static_cast<std::size_t>(s)]; }
  std::uint64_t closed_with(errc e) const noexcept { return closed[static_cast<std::size_t>(e)]; }
};

/// The counters as one JSON object, for a route that monitoring reads: `server.get("/counters", ...)`. Every state, errc, drop
/// and refusal is there by name, also those that count nothing, so the members are always the same:
///
///     {"sessions":{"connecting":0,...},"opened":7,"closed":{"ok":5,...},"messages_received":31,...,
///      "drops":{"newest":0,...},"rate_pauses":{"messages":0,"bytes":0},...,"refused":{"bad_request":1,...}}
FAIRLEAD_DECL std::string to_json(const net_counters& counters);

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

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/net/session/impl/net_counters.ipp>
#endif

#endif
