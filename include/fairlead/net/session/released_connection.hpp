#ifndef FAIRLEAD_NET_SESSION_RELEASED_CONNECTION_HPP
#define FAIRLEAD_NET_SESSION_RELEASED_CONNECTION_HPP

#include <fairlead/config.hpp>
#include <fairlead/net/link/owned_socket.hpp>
#include <fairlead/protocol/role.hpp>

#include <cstddef>
#include <string>
#include <vector>

namespace fairlead::inline FAIRLEAD_ABI {

/// A WebSocket connection behind its handshake, between two messages in both directions, without TLS and without
/// extensions: what session::release() lets go of, and server::adopt() goes on with. Another library or another
/// process may be at either end of it.
struct released_connection {
  owned_socket socket;
  role side = role::server;  ///< Ours.
  std::string subprotocol;   ///< That was agreed on; empty for none.
  std::vector<std::byte>
      unread;  ///< What the peer sent behind its last message; the begin of a frame, if any.
};

}  // namespace fairlead::inline FAIRLEAD_ABI

#endif
