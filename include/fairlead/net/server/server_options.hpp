#ifndef FAIRLEAD_NET_SERVER_SERVER_OPTIONS_HPP
#define FAIRLEAD_NET_SERVER_SERVER_OPTIONS_HPP

#include <fairlead/config.hpp>
#include <fairlead/guard/address_limits.hpp>
#include <fairlead/guard/trusted_proxies.hpp>
#include <fairlead/handshake/head_limits.hpp>
#include <fairlead/net/link/link_kind.hpp>
#include <fairlead/net/link/tls.hpp>
#include <fairlead/net/server/drain_options.hpp>
#include <fairlead/net/session/net_counters.hpp>
#include <fairlead/net/session/session_options.hpp>
#include <fairlead/time.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

namespace fairlead::inline FAIRLEAD_ABI {

/// How a server listens and what its connections may cost. The defaults suit a server on the open internet.
struct server_options {
  std::string address = "0.0.0.0";  ///< A numeric IPv4 or IPv6 address; `::` for both.
  std::uint16_t port = 0;           ///< 0 lets the system choose; server::port() tells which.

  /// Listens on a local socket at this path, in place of address and port. A socket that another server left
  /// behind is replaced. The file goes when the server stops listening.
  std::filesystem::path local_path{};

  /// Of the local socket: who may write to it may connect. 0600 unless set.
  std::filesystem::perms local_permissions =
      std::filesystem::perms::owner_read | std::filesystem::perms::owner_write;

  /// Listens on this descriptor, which is there already, in place of address and port or `local_path`: a stream socket
  /// that listens, such as one of inherited_sockets(). The server owns it once listen() has returned. It is taken to
  /// live on elsewhere when the server ends: a drain closes it at its begin, and leaves what waits there to who comes
  /// next; the file of a local socket stays. -1 for none.
  int listening_socket = -1;

  /// Where a restart passes the listening socket on, so that no connection is refused: the path of a local socket, on
  /// which the server waits for its successor, another process of the same user with the same option. listen() of the
  /// successor gets the socket there; once its event loop runs it says so, and only then the predecessor stops to
  /// accept, drains with `drain`, and run() returns there. Empty for none; not with `listening_socket`.
  ///
  /// Where nobody waits there, or who does gives no socket that is bound as this server's is to be, listen() opens its
  /// own. It waits at most five seconds for each step of a predecessor.
  std::filesystem::path handover_path{};

  /// Connections that the kernel completes before they are accepted; the system may have a lower limit.
  int backlog = 1024;

  /// Event loops of a server that has its own, each with a thread; 0 is read as 1. A connection stays on the
  /// loop that had the fewest when it was accepted.
  std::size_t threads = 1;

  /// On a context that several threads run always link_kind::asio: see share_between_threads().
  link_kind link = link_kind::epoll;

  /// When it is not empty all connections are TLS: `https` and `wss`. Keep a copy to reload() its certificates.
  tls_server_context tls{};

  /// From the accept, TLS included, to the end of the request's head, and for an upgrade to that of its checks; then the
  /// connection is closed. An answer that the peer does not take is given up after as long without progress.
  duration handshake_timeout = std::chrono::seconds(10);

  /// What a request's head may cost; past it 431.
  head_limits head{};

  /// Most connections at a time, whatever their state; one more is answered 503. 0: as many as the process may
  /// have descriptors when it listens, less 128 for the application, or half of them if that is more.
  std::size_t max_connections = 0;

  /// What the connections of one client may be; one more is answered 429, over TLS closed at once. Nothing: no
  /// limits, since behind one address may be many people, or a proxy that is not named in `proxies`.
  std::optional<address_limit_options> address_limits{};

  /// Who is believed when it says for whom it speaks: for admission::client(), session::peer(), the limits above and
  /// the origin of pages behind a proxy that ends TLS.
  trusted_proxies proxies{};

  /// Every connection has to begin with the header of the PROXY protocol, version 1 or 2, before TLS. One that does
  /// not, or that is from none of `proxies`, is closed.
  bool proxy_protocol = false;

  /// For routes that bring no options of their own.
  session_options session{};

  /// What run() does at the first signal, and a server whose successor accepts.
  drain_options drain{};

  /// Is told what happens to the sessions of all routes; null for nobody.
  std::shared_ptr<net_sink> sink{};
};

}  // namespace fairlead::inline FAIRLEAD_ABI

#endif
