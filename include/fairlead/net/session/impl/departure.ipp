#ifndef FAIRLEAD_NET_SESSION_IMPL_DEPARTURE_IPP
#define FAIRLEAD_NET_SESSION_IMPL_DEPARTURE_IPP

#include <fairlead/net/detail/random.hpp>
#include <fairlead/net/session/detail/departure.hpp>

#include <algorithm>

namespace fairlead::inline FAIRLEAD_ABI::detail {

// Those who are accepted at the last call have as long to be answered, or the last tenth of a short time.
inline constexpr duration last_call_time = std::chrono::seconds(1);

inline std::int64_t not_negative(std::chrono::milliseconds t) noexcept {
  return std::max<std::int64_t>(t.count(), 0);
}

FAIRLEAD_DECL departure::departure(const terms& t, std::size_t sessions, time_point now)
    : began_(now),
      deadline_(deadline_after(now, std::max(t.within, duration::zero()))),
      last_call_(deadline_ - std::min(last_call_time, std::max(t.within, duration::zero()) / 10)),
      spread_(std::max<duration>(t.spread, window)),
      max_in_window_(std::max<std::size_t>(sessions / part, 1)),
      random_(static_cast<std::mt19937::result_type>(random_number())),
      retry_after_(not_negative(t.retry_after_min),
                   std::max(not_negative(t.retry_after_min), not_negative(t.retry_after_max))) {}

FAIRLEAD_DECL std::chrono::milliseconds departure::retry_after() {
  const std::lock_guard lock(mutex_);
  return std::chrono::milliseconds(retry_after_(random_));
}

FAIRLEAD_DECL std::size_t departure::due(std::size_t sessions, time_point now) const noexcept {
  const double passed = std::chrono::duration<double>(now - began_).count();
  const double evenly =
      static_cast<double>(sessions) * passed / std::chrono::duration<double>(spread_).count();
  const double one_a_window = passed / std::chrono::duration<double>(window).count();
  return 1 + static_cast<std::size_t>(std::max({evenly, one_a_window, 0.0}));
}

FAIRLEAD_DECL bool departure::take(time_point now) {
  const std::lock_guard lock(mutex_);
  while (!recent_.empty() && now - recent_.front().at >= window) {
    in_window_ -= recent_.front().size;
    recent_.pop_front();
  }
  if (in_window_ >= max_in_window_) return false;
  // The clocks of two loops may be read in another order than they come here.
  if (recent_.empty() || recent_.back().at < now) recent_.push_back({now, 0});
  ++recent_.back().size;
  ++in_window_;
  told_.fetch_add(1, std::memory_order_relaxed);
  return true;
}

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#endif
