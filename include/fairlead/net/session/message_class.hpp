#ifndef FAIRLEAD_NET_SESSION_MESSAGE_CLASS_HPP
#define FAIRLEAD_NET_SESSION_MESSAGE_CLASS_HPP

#include <fairlead/config.hpp>
#include <fairlead/time.hpp>

#include <cstddef>
#include <string_view>

namespace fairlead::inline FAIRLEAD_ABI {

class session;

/// Which of the messages that wait for a peer leaves first. A message that is being sent is finished before
/// any other begins (RFC 6455 section 5.4), so send large things in several messages.
enum class lane : unsigned char {
  control,  ///< The application's own signals: few and small. The protocol's pings and closes pass even these.
  high,
  normal,
  bulk,  ///< What may wait while anything else does.
};

inline constexpr std::size_t lane_count = 4;

/// What becomes of a message whose receiver is slow, so that its queue is at session_options::queue_high.
enum class slow_policy : unsigned char {
  /// Keeps it, up to `queue_hard`; past that the session is closed with 1013. For chat.
  queue,

  /// Drops it. For telemetry.
  drop_newest,

  /// Drops messages of this policy that wait in the same lane, the oldest first, until it has room, and itself
  /// when that is not enough. For telemetry.
  drop_oldest,

  /// Takes the place of a message with the same key that waits in the same lane, at the high watermark and
  /// below. Without one it is kept, as with `queue`: up to `queue_hard`, which bounds a value that is larger than the
  /// one before as well. For prices, cursors, presence.
  conflate,

  /// Is dropped when it has waited longer than `ttl` when its turn comes, and at the high watermark. For typing
  /// indicators.
  expire,

  /// Closes the session with 1013. For feeds that must not fall behind.
  disconnect,

  /// Keeps it, as `queue` does, and reads nothing more from `source` until this queue is at `queue_low`. After
  /// session_options::max_pause the slow receiver is closed with 1013. For relays and echo.
  pause_source,
};

/// How a message is treated among others. Make one for each kind of message, and add the key or the source as
/// it is sent: `ws.try_send(price, prices.with_key("EURUSD"))`.
struct message_class {
  fairlead::lane lane = fairlead::lane::normal;
  slow_policy policy = slow_policy::queue;

  /// With slow_policy::expire: how long it may wait.
  duration ttl = std::chrono::seconds(5);

  /// With slow_policy::conflate: what it is the newest value of. Copied; empty is a key like any other.
  std::string_view key{};

  /// With slow_policy::pause_source: whose messages cause this one. Has to live until the call returns; null
  /// for nobody.
  const session* source = nullptr;

  constexpr message_class with_key(std::string_view k) const noexcept {
    message_class c = *this;
    c.key = k;
    return c;
  }
  constexpr message_class from(const session& s) const noexcept {
    message_class c = *this;
    c.source = &s;
    return c;
  }
};

}  // namespace fairlead::inline FAIRLEAD_ABI

#endif
