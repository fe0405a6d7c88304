#ifndef FAIRLEAD_NET_SESSION_OPTIONS_HPP
#define FAIRLEAD_NET_SESSION_OPTIONS_HPP

#include <fairlead/config.hpp>
#include <fairlead/handshake/permessage_deflate.hpp>
#include <fairlead/protocol/connection_options.hpp>

#include <cstddef>
#include <string>
#include <vector>

namespace fairlead::inline FAIRLEAD_ABI {

/// How the sessions of a route behave. The defaults suit a server on the open internet.
struct session_options {
  /// What is accepted from the peer.
  connection_options connection{};

  /// Whether and how messages are compressed; off unless `deflate.enabled`. What a session's compression costs
  /// in memory stands with its options. `connection.max_message_size` holds for what a message inflates to.
  deflate_options deflate{};

  /// Bytes waiting for the peer at which session::send() completes; above, it waits. Lower it to hold less
  /// for each slow peer, raise it for throughput over long distances.
  std::size_t queue_low = 256 * 1024;

  /// Most bytes of messages in the queue, some bookkeeping for each included. One more message is dropped and
  /// the session closed with 1013, since a peer that does not read would cost memory without end. A single
  /// message is let into an empty queue whatever its size. Raise it where bursts to one session are larger.
  std::size_t queue_hard = 2 * 1024 * 1024;

  /// Bytes of messages that wait for session::receive(), some bookkeeping for each included: at that many
  /// reading stops, at half it goes on. A single larger message is let in. Without effect with on_message.
  std::size_t inbox_size = 64 * 1024;

  /// Sub-protocols that the route speaks, the preferred one first; the first that the client offers is agreed
  /// (RFC 6455 section 4.2.2). Empty: none.
  std::vector<std::string> subprotocols{};
};

}  // namespace fairlead

#endif
