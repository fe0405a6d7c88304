#ifndef FAIRLEAD_GUARD_IMPL_SLIDING_WINDOW_IPP
#define FAIRLEAD_GUARD_IMPL_SLIDING_WINDOW_IPP

#include <fairlead/guard/sliding_window.hpp>

#include <algorithm>
#include <stdexcept>

namespace fairlead::inline FAIRLEAD_ABI {
namespace detail {

inline constexpr auto window_length = static_cast<std::uint64_t>(sliding_window::length.count());

/// Says whether `more` fit beside `current` and what still weighs of `previous`, `elapsed` after the window's
/// start. None of them is above `limit`, so no product passes 64 bits.
inline bool fits(std::uint64_t limit, std::uint64_t previous, std::uint64_t current, std::uint64_t more,
                 std::uint64_t elapsed) noexcept {
  static_assert(message_rate::max <= UINT64_MAX / window_length);
  if (more > limit - current) return false;
  return previous * (window_length - elapsed) <= (limit - current - more) * window_length;
}

/// How long after the window's start `more` fit, `elapsed` after it at the earliest; the highest number for never.
inline std::uint64_t fits_after(std::uint64_t limit, std::uint64_t previous, std::uint64_t current,
                                std::uint64_t more, std::uint64_t elapsed) noexcept {
  if (fits(limit, previous, current, more, elapsed)) return elapsed;
  if (more > limit) return UINT64_MAX;
  if (more <= limit - current) return window_length - (limit - current - more) * window_length / previous;
  return 2 * window_length - (limit - more) * window_length / current;  // in the next window
}

/// How long the limit takes to let through what `sum` has above it, at most message_rate::max.
inline std::uint64_t excess_time(std::uint64_t sum, std::uint64_t limit) noexcept {
  return sum <= limit ? 0 : (sum - limit) * window_length / limit;
}

}  // namespace detail

FAIRLEAD_DECL sliding_window::sliding_window(const message_rate& limit) : limit_(limit) {
  if (limit.messages == 0 || limit.messages > message_rate::max) {
    throw std::invalid_argument("the messages of a second are 1 to message_rate::max");
  }
  if (limit.bytes == 0 || limit.bytes > message_rate::max) {
    throw std::invalid_argument("the bytes of a second are 1 to message_rate::max");
  }
}

/// Makes `current_` the window that `now` is in. Returns the nanoseconds since its start.
FAIRLEAD_DECL std::uint64_t sliding_window::advance(time_point now) noexcept {
  if (now <= start_) return 0;
  // Unsigned, since two times may be further apart than a duration can say.
  const std::uint64_t elapsed = static_cast<std::uint64_t>(now.time_since_epoch().count()) -
                                static_cast<std::uint64_t>(start_.time_since_epoch().count());
  if (elapsed < detail::window_length) return elapsed;
  if (elapsed >= 2 * detail::window_length) {
    previous_ = {};
    current_ = {};
    start_ = now;
    return 0;
  }
  previous_ = current_;
  current_ = {};
  start_ += length;
  return elapsed - detail::window_length;
}

FAIRLEAD_DECL rate_verdict sliding_window::add(std::uint64_t bytes, time_point now) noexcept {
  const std::uint64_t elapsed = advance(now);
  if (!detail::fits(limit_.messages, previous_.messages, current_.messages, 1, elapsed)) {
    return rate_verdict::messages;
  }
  if (!detail::fits(limit_.bytes, previous_.bytes, current_.bytes, bytes, elapsed)) {
    return rate_verdict::bytes;
  }
  ++current_.messages;
  current_.bytes += bytes;
  return rate_verdict::ok;
}

FAIRLEAD_DECL void sliding_window::add_ahead(std::uint64_t messages, std::uint64_t bytes,
                                             time_point now) noexcept {
  advance(now);
  const std::uint64_t messages_sum = current_.messages + std::min(messages, message_rate::max);
  const std::uint64_t bytes_sum = current_.bytes + std::min(bytes, message_rate::max);
  const std::uint64_t late = std::max(detail::excess_time(messages_sum, limit_.messages),
                                      detail::excess_time(bytes_sum, limit_.bytes));
  current_.messages = std::min(messages_sum, limit_.messages);
  current_.bytes = std::min(bytes_sum, limit_.bytes);
  const auto longest = static_cast<std::uint64_t>(duration::max().count());
  start_ = detail::deadline_after(start_, duration(static_cast<duration::rep>(std::min(late, longest))));
}

FAIRLEAD_DECL time_point sliding_window::ready_at(std::uint64_t bytes, time_point now) const noexcept {
  sliding_window then = *this;
  const std::uint64_t elapsed = then.advance(now);
  const std::uint64_t ready = std::max(
      detail::fits_after(limit_.messages, then.previous_.messages, then.current_.messages, 1, elapsed),
      detail::fits_after(limit_.bytes, then.previous_.bytes, then.current_.bytes, bytes, elapsed));
  if (ready == elapsed) return now;
  if (ready == UINT64_MAX) return time_point::max();
  return detail::deadline_after(then.start_, duration(static_cast<duration::rep>(ready)));
}

}  // namespace fairlead::inline FAIRLEAD_ABI

#endif
