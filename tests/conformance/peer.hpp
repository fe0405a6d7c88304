#ifndef FAIRLEAD_TESTS_CONFORMANCE_PEER_HPP
#define FAIRLEAD_TESTS_CONFORMANCE_PEER_HPP

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace conformance {

enum class side { server, client };

/// The side under test as the tester sees it: bytes in, bytes out. It sends back every message.
class peer {
 public:
  virtual ~peer() = default;

  /// Hands it bytes, as one read brings them, and lets it do all it can.
  virtual void give(std::string_view bytes) = 0;

  /// The tester will send no more.
  virtual void give_end() = 0;

  /// What it has sent since the last call.
  virtual std::string take() = 0;

  /// It will send no more.
  virtual bool has_ended() const = 0;

  /// It has given up the connection and keeps nothing of it.
  virtual bool is_gone() const = 0;
};

/// How what the tester sends reaches the peer: as it was sent, or byte by byte.
enum class delivery { whole, bytewise };

struct peer_kind {
  side role;
  std::string over;  ///< What carries its bytes, in words; empty for memory.
  std::function<std::unique_ptr<peer>(delivery)> make;
};

/// A fairlead::server with a route that echoes, over a pair of links in memory.
peer_kind fairlead_server();

/// The same with TLS over the links.
peer_kind fairlead_server_over_tls();

/// A fairlead::connection in the client's role that echoes.
peer_kind fairlead_client();

/// A session of connect() that echoes, over TCP, and with TLS over that. They can be delivered to as a whole only.
peer_kind fairlead_client_over_tcp();
peer_kind fairlead_client_over_tls();

}  // namespace conformance

#endif
