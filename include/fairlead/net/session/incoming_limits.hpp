#ifndef FAIRLEAD_NET_SESSION_INCOMING_LIMITS_HPP
#define FAIRLEAD_NET_SESSION_INCOMING_LIMITS_HPP

#include <fairlead/config.hpp>
#include <fairlead/guard/sliding_window.hpp>
#include <fairlead/guard/token_bucket.hpp>

#include <optional>

namespace fairlead::inline FAIRLEAD_ABI {

/// What becomes of a message that arrives faster than incoming_limits allow.
enum class over_limit : unsigned char {
  /// It waits: nothing is read until the peer may go on, so TCP holds the peer back. Nothing is lost, the order
  /// stays, and the heartbeat does not run meanwhile.
  pause,
  /// It is not handed out, and counted in session_statistics::rate_drops.
  drop,
  /// The session is closed with 1008; on_close says errc::message_rate_exceeded or errc::byte_rate_exceeded.
  close,
};

/// How fast a peer may send messages, for each session of a route. Two ways to count: `messages` and `bytes`, either
/// or both, as token buckets; or `window`, both over the last second.
///
/// A message passes when there is room for one more message and one more byte. Then it passes whole, and what it has
/// too many bytes is made up for before the next one: how large a message may be, connection_options::max_message_size
/// says, and none waits for ever. Messages in parts count once, with the bytes of each part as it arrives; with `drop`
/// the first part decides for all. Of a compressed message what it inflates to counts. Frames are counted below, by
/// connection_options::max_fragments_per_second and max_control_frames_per_second, since only the protocol sees them.
///
/// With `pause` reading goes on in steps of timer_wheel::tick, 32 ms: a burst smaller than what comes in that time lowers
/// the rate. A second's worth is a good one.
///
/// Off by default. Any number here is right for one application: a page that draws sends a hundred messages a second,
/// a feed between two servers a hundred thousand, and a limit that is met by who is honest is an outage. Without one
/// a fast peer costs processor time, of which each session gets its share, and no memory.
///
/// A limited session that has received something holds one allocation of 112 bytes more.
struct incoming_limits {
  std::optional<token_rate> messages{};
  std::optional<token_rate> bytes{};     ///< Payload.
  std::optional<message_rate> window{};  ///< In place of both.

  /// By default nothing is lost and nobody cut off: an honest peer that is too fast for a moment notices a short
  /// delay, where it would have to come back after `close`, all its peers at once, and would miss what `drop` takes.
  /// An attacker gains nothing by any of the three.
  over_limit at_limit = over_limit::pause;

  bool any() const noexcept { return messages.has_value() || bytes.has_value() || window.has_value(); }
};

/// Throws std::invalid_argument for a `window` beside one of the others, and for a rate that a token_bucket or a
/// sliding_window would not take.
FAIRLEAD_DECL void check_limits(const incoming_limits& limits);

}  // namespace fairlead::inline FAIRLEAD_ABI

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/net/session/impl/incoming_limits.ipp>
#endif

#endif
