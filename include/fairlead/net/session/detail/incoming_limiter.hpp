#ifndef FAIRLEAD_NET_SESSION_DETAIL_INCOMING_LIMITER_HPP
#define FAIRLEAD_NET_SESSION_DETAIL_INCOMING_LIMITER_HPP

#include <fairlead/config.hpp>
#include <fairlead/guard/sliding_window.hpp>
#include <fairlead/guard/token_bucket.hpp>
#include <fairlead/net/session/detail/counter.hpp>
#include <fairlead/net/session/incoming_limits.hpp>
#include <fairlead/time.hpp>

#include <cstddef>
#include <optional>
#include <variant>

namespace fairlead::inline FAIRLEAD_ABI::detail {

/// The token buckets of incoming_limits. One whose rate is not set is not used.
struct rate_buckets {
  token_level messages;
  token_level bytes;

  explicit rate_buckets(const incoming_limits& limits) noexcept
      : messages(limits.messages.value_or(token_rate())), bytes(limits.bytes.value_or(token_rate())) {}
};

/// How much of its route's incoming_limits a session has used. Each call needs those same limits. Reads no clock.
class incoming_limiter {
 public:
  explicit incoming_limiter(const incoming_limits& limits) : state_(rate_buckets(limits)) {
    if (limits.window) state_.emplace<sliding_window>(*limits.window);
  }

  /// What there is no room for, of one more message and one more byte.
  rate_verdict check(const incoming_limits& limits, time_point now) const noexcept;

  /// When check() says `ok`.
  time_point ready_at(const incoming_limits& limits, time_point now) const noexcept;

  /// Takes what a message, or a part of one, uses.
  void take(const incoming_limits& limits, std::size_t size, bool begins_message, time_point now) noexcept;

  // What the session notes here.
  time_point resume_at{};    // while it pauses
  bool in_message = false;   // a part has come, and the last has not
  bool is_dropping = false;  // that message
  live_limit_counts pauses;
  live_limit_counts drops;

 private:
  std::variant<rate_buckets, sliding_window> state_;
};

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/net/session/impl/incoming_limits.ipp>
#endif

#endif
