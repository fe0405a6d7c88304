#ifndef FAIRLEAD_GUARD_IMPL_TOKEN_BUCKET_IPP
#define FAIRLEAD_GUARD_IMPL_TOKEN_BUCKET_IPP

#include <fairlead/guard/token_bucket.hpp>

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <type_traits>

namespace fairlead::inline FAIRLEAD_ABI {
namespace detail {

static_assert(std::is_same_v<duration, std::chrono::nanoseconds>, "a tick of the clock is a nanosecond");

FAIRLEAD_DECL void check_rate(const token_rate& rate) {
  if (rate.tokens == 0) throw std::invalid_argument("a rate needs at least one token");
  if (rate.burst == 0) throw std::invalid_argument("a rate needs a burst of at least one token");
  if (rate.per <= duration::zero()) throw std::invalid_argument("a rate needs a time of more than zero");
  if (rate.burst > std::numeric_limits<std::uint64_t>::max() / static_cast<std::uint64_t>(rate.per.count())) {
    throw std::invalid_argument("the burst of a rate is too large for its time");
  }
}

FAIRLEAD_DECL std::uint64_t token_level::level_at(const token_rate& rate, time_point now) const noexcept {
  if (now <= last_) return level_;
  // Unsigned, since two times may be further apart than a duration can say.
  const std::uint64_t elapsed = static_cast<std::uint64_t>(now.time_since_epoch().count()) -
                                static_cast<std::uint64_t>(last_.time_since_epoch().count());
  const std::uint64_t missing = capacity(rate) - level_;
  return elapsed > missing / rate.tokens ? capacity(rate) : level_ + elapsed * rate.tokens;
}

FAIRLEAD_DECL bool token_level::take(const token_rate& rate, std::uint64_t n, time_point now) noexcept {
  level_ = level_at(rate, now);
  last_ = std::max(last_, now);
  if (n > rate.burst || units(rate, n) > level_) return false;
  level_ -= units(rate, n);
  return true;
}

FAIRLEAD_DECL void token_level::take_ahead(const token_rate& rate, std::uint64_t n, time_point now) noexcept {
  const auto per = static_cast<std::uint64_t>(rate.per.count());
  const std::uint64_t wanted = units(rate, std::min(n, std::numeric_limits<std::uint64_t>::max() / per));
  level_ = level_at(rate, now);
  last_ = std::max(last_, now);
  if (wanted <= level_) {
    level_ -= wanted;
    return;
  }
  const std::uint64_t missing = wanted - level_;
  const std::uint64_t wait = (missing - 1) / rate.tokens + 1;
  const auto longest = static_cast<std::uint64_t>(duration::max().count());
  last_ = deadline_after(last_, duration(static_cast<duration::rep>(std::min(wait, longest))));
  // What the last nanosecond brings beyond what was owed, but no whole token, which would be there at once.
  level_ = std::min({wait * rate.tokens - missing, per - 1, capacity(rate)});
}

FAIRLEAD_DECL time_point token_level::ready_at(const token_rate& rate, std::uint64_t n,
                                               time_point now) const noexcept {
  if (n > rate.burst) return time_point::max();
  const std::uint64_t level = level_at(rate, now);
  const std::uint64_t wanted = units(rate, n);
  if (wanted <= level) return now;
  const std::uint64_t wait = (wanted - level - 1) / rate.tokens + 1;
  const auto longest = static_cast<std::uint64_t>(duration::max().count());
  return deadline_after(std::max(last_, now), duration(static_cast<duration::rep>(std::min(wait, longest))));
}

}  // namespace detail

FAIRLEAD_DECL token_bucket::token_bucket(const token_rate& rate)
    : rate_((detail::check_rate(rate), rate)), level_(rate) {}

}  // namespace fairlead::inline FAIRLEAD_ABI

#endif
