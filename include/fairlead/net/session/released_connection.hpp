#ifndef FAIRLEAD_NET_SESSION_RELEASED_CONNECTION_HPP
#define FAIRLEAD_NET_SESSION_RELEASED_CONNECTION_HPP

#include <fairlead/config.hpp>
#include <fairlead/protocol/role.hpp>

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include <unistd.h>

namespace fairlead::inline FAIRLEAD_ABI {

/// A connected stream socket, closed with its owner.
class owned_socket {
 public:
  owned_socket() noexcept = default;
  explicit owned_socket(int descriptor) noexcept : descriptor_(descriptor) {}
  owned_socket(owned_socket&& other) noexcept : descriptor_(other.release()) {}
  owned_socket& operator=(owned_socket other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~owned_socket() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }

  int get() const noexcept { return descriptor_; }  ///< -1 when it owns none.

  /// From now on it is the caller's to close.
  int release() noexcept { return std::exchange(descriptor_, -1); }

 private:
  int descriptor_ = -1;
};

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
