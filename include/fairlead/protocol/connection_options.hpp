#ifndef FAIRLEAD_PROTOCOL_CONNECTION_OPTIONS_HPP
#define FAIRLEAD_PROTOCOL_CONNECTION_OPTIONS_HPP

#include <fairlead/time.hpp>

#include <chrono>
#include <cstddef>

namespace fairlead::inline FAIRLEAD_ABI {

/// What one connection accepts from its peer. The defaults are safe for a server on the open internet.
struct connection_options {
  /// Largest message, in bytes over all its frames. A larger one is refused with 1009 at the header that
  /// announces it. Raise it for uploads; memory grows with what has arrived, never with what was announced.
  std::size_t max_message_size = 64 * 1024;

  /// Most frames in one message, counted anew for each. One more is refused with 1008. Raise it for peers
  /// that stream large messages in small frames.
  std::size_t max_fragments = 16'384;

  /// Most frames of messages that come in several, in one second; a message in one frame does not count. One more
  /// is refused with 1008. By default four messages of `max_fragments` pass in a second, which is more than anyone
  /// sends who cuts messages for a reason, and keeps a peer from working us with frames of a byte or none. Raise it
  /// together with `max_fragments`.
  std::size_t max_fragments_per_second = 65'536;

  /// Most pings, pongs and closes in one second. One more is refused with 1008.
  std::size_t max_control_frames_per_second = 200;

  /// Most pongs that wait for a peer that does not read, at least one; past it only the newest ping is
  /// answered, once those before it are written (RFC 6455 section 5.5.3 allows that).
  std::size_t max_queued_pongs = 16;

  /// How long the peer may take to finish the close handshake and to close its side of the link (RFC 6455
  /// section 7.1.1).
  duration close_timeout = std::chrono::seconds(5);
};

}  // namespace fairlead::inline FAIRLEAD_ABI

#endif
