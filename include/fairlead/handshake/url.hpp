#ifndef FAIRLEAD_HANDSHAKE_URL_HPP
#define FAIRLEAD_HANDSHAKE_URL_HPP

#include <fairlead/config.hpp>
#include <fairlead/errc.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace fairlead::inline FAIRLEAD_ABI {

/// The ports that a URL need not name (RFC 6455 section 3).
inline constexpr std::uint16_t default_port = 80;
inline constexpr std::uint16_t default_secure_port = 443;

/// Where a client connects to: a WebSocket URL, taken apart by parse_url().
struct url {
  bool secure = false;                ///< TLS: `wss` rather than `ws`.
  std::string host;                   ///< Lower case; IPv6 without brackets; empty for a local socket.
  std::uint16_t port = default_port;  ///< 1 to 65535; for a local socket it means nothing.
  std::string local_path;             ///< Of a local socket, decoded, absolute; empty for all others.
  std::string target = "/";           ///< Path and query as they stand in the request line.

  /// The value of the Host field: the host, and the port unless it is the scheme's own (RFC 6455
  /// section 4.1); `localhost` for a local socket.
  FAIRLEAD_DECL std::string host_field() const;

  /// Host and port, the port always: what a CONNECT names (RFC 9110 section 9.3.6). Not for a local socket.
  FAIRLEAD_DECL std::string authority() const;

  friend bool operator==(const url&, const url&) = default;
};

/// What parse_url() made of its text.
struct parsed_url {
  errc error = errc::ok;  ///< `ok` or errc::bad_url.
  url value;              ///< As made by the default constructor after an error.
};

/// Takes a WebSocket URL apart (RFC 6455 section 3), in one of these forms, the scheme in any case:
///
///     ws://host[:port][/path][?query]       wss://...
///     ws+unix:/path/to/socket[:/path[?query]]   wss+unix:...
///
/// A host is a name, an IPv4 address, or an IPv6 address in brackets. The second form is that of npm's ws:
/// the path of a local socket, which must be absolute and may be percent-encoded, as its `:` and `?` must be;
/// two slashes may stand before it. Refused are a fragment, user information, an empty host, port 0, other
/// schemes, and whatever cannot stand in a request line: spaces, control bytes, bytes beyond ASCII, `%`
/// without its two digits. Throws std::bad_alloc.
FAIRLEAD_DECL parsed_url parse_url(std::string_view text);

}  // namespace fairlead::inline FAIRLEAD_ABI

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/handshake/impl/url.ipp>
#endif

#endif
