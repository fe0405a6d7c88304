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
  std::function<std::unique_ptr<peer>(delivery)> make;
};

/// A fairlead::server with a route that echoes, over a pair of links in memory.
peer_kind fairlead_server();

/// A fairlead::connection in the client's role that echoes.
peer_kind fairlead_client();

}  // namespace conformance

#endif
