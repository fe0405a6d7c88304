#ifndef FAIRLEAD_NET_SESSION_IMPL_INCOMING_LIMITS_IPP
#define FAIRLEAD_NET_SESSION_IMPL_INCOMING_LIMITS_IPP

#include <fairlead/net/session/detail/incoming_limiter.hpp>
#include <fairlead/net/session/incoming_limits.hpp>

#include <algorithm>
#include <stdexcept>

namespace fairlead::inline FAIRLEAD_ABI {

FAIRLEAD_DECL void check_limits(const incoming_limits& limits) {
  if (limits.window && (limits.messages || limits.bytes)) {
    throw std::invalid_argument("incoming_limits are token buckets or a window, not both");
  }
  if (limits.messages) detail::check_rate(*limits.messages);
  if (limits.bytes) detail::check_rate(*limits.bytes);
  if (limits.window) static_cast<void>(sliding_window(*limits.window));
}

namespace detail {

FAIRLEAD_DECL rate_verdict incoming_limiter::check(const incoming_limits& limits,
                                                   time_point now) const noexcept {
  if (const auto* window = std::get_if<sliding_window>(&state_)) return sliding_window(*window).add(1, now);
  const auto& levels = *std::get_if<rate_buckets>(&state_);
  const auto is_empty = [now](const token_level& level, const std::optional<token_rate>& rate) {
    return rate && level.ready_at(*rate, 1, now) > now;
  };
  if (is_empty(levels.messages, limits.messages)) return rate_verdict::messages;
  if (is_empty(levels.bytes, limits.bytes)) return rate_verdict::bytes;
  return rate_verdict::ok;
}

FAIRLEAD_DECL time_point incoming_limiter::ready_at(const incoming_limits& limits,
                                                    time_point now) const noexcept {
  if (const auto* window = std::get_if<sliding_window>(&state_)) return window->ready_at(1, now);
  const auto& levels = *std::get_if<rate_buckets>(&state_);
  time_point ready = now;
  if (limits.messages) ready = std::max(ready, levels.messages.ready_at(*limits.messages, 1, now));
  if (limits.bytes) ready = std::max(ready, levels.bytes.ready_at(*limits.bytes, 1, now));
  return ready;
}

FAIRLEAD_DECL void incoming_limiter::take(const incoming_limits& limits, std::size_t size, bool begins,
                                          time_point now) noexcept {
  const std::uint64_t messages = begins ? 1 : 0;
  if (auto* window = std::get_if<sliding_window>(&state_)) return window->add_ahead(messages, size, now);
  auto& levels = *std::get_if<rate_buckets>(&state_);
  if (limits.messages) levels.messages.take_ahead(*limits.messages, messages, now);
  if (limits.bytes) levels.bytes.take_ahead(*limits.bytes, size, now);
}

}  // namespace detail
}  // namespace fairlead::inline FAIRLEAD_ABI

#endif
