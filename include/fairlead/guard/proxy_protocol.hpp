#ifndef FAIRLEAD_GUARD_PROXY_PROTOCOL_HPP
#define FAIRLEAD_GUARD_PROXY_PROTOCOL_HPP

#include <fairlead/config.hpp>
#include <fairlead/handshake/parse_result.hpp>
#include <fairlead/peer_address.hpp>

#include <cstddef>
#include <span>
#include <string>

namespace fairlead::inline FAIRLEAD_ABI {

/// What a proxy says of the connection that it passes on.
struct proxied_connection {
  /// The client; `unknown` when the proxy speaks for itself, as its health checks do, or does not know: then it
  /// is the connection's own peer.
  peer_address source;
  peer_address destination;  ///< Where the client connected to; as `source`.
  bool secure = false;       ///< The client came over TLS; only version 2 can say so.

  friend bool operator==(const proxied_connection&, const proxied_connection&) = default;
};

/// What feed() of proxy_protocol_parser made of its input.
struct proxy_protocol_result {
  parse_state state = parse_state::need_more;

  /// Bytes of this input that were used: all of it while more is needed. When done, what follows is the
  /// client's.
  std::size_t consumed = 0;

  friend bool operator==(const proxy_protocol_result&, const proxy_protocol_result&) = default;
};

/// Reads the header that a proxy sends before the client's first byte: the PROXY protocol of HAProxy, version 1
/// (a line) and 2 (binary), in pieces of any size. Only for connections of trusted proxies, since whoever sends
/// it says who he is.
///
/// Takes only what the specification allows to be sent over a stream: of version 1 lines of at most 107 bytes
/// with single spaces, of version 2 the commands LOCAL and PROXY for TCP and local sockets. Of what follows the
/// addresses only the part about TLS is read; more than 4096 bytes behind the first 16 are refused. The first
/// byte that cannot belong to a header fails.
///
/// Holds what has arrived of the header, and nothing when it is done. Throws only std::bad_alloc.
class proxy_protocol_parser {
 public:
  static constexpr std::size_t max_line_size = 107;    ///< Of version 1, with its CRLF.
  static constexpr std::size_t max_block_size = 4096;  ///< Of version 2: addresses and all that follows them.

  /// Takes the next bytes. After `done` or `failed` it says the same again and uses nothing.
  FAIRLEAD_DECL proxy_protocol_result feed(std::span<const std::byte> in);

  /// What the header said; after `done`.
  const proxied_connection& connection() const noexcept { return connection_; }

 private:
  FAIRLEAD_DECL parse_state take_of_line() noexcept;
  FAIRLEAD_DECL parse_state take_of_block() noexcept;

  std::string header_;  // as far as it has arrived
  proxied_connection connection_;
  parse_state state_ = parse_state::need_more;
};

}  // namespace fairlead::inline FAIRLEAD_ABI

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/guard/impl/proxy_protocol.ipp>
#endif

#endif
