#ifndef FAIRLEAD_GUARD_TOKEN_BUCKET_HPP
#define FAIRLEAD_GUARD_TOKEN_BUCKET_HPP

#include <fairlead/config.hpp>
#include <fairlead/time.hpp>

#include <chrono>
#include <cstdint>

namespace fairlead::inline FAIRLEAD_ABI {

/// How fast something may happen: `tokens` in each `per`, evenly, and `burst` at once after a pause.
struct token_rate {
  std::uint64_t tokens = 1;                ///< At least 1.
  std::uint64_t burst = 1;                 ///< At least 1; times `per` in nanoseconds it has to fit 64 bits.
  duration per = std::chrono::seconds(1);  ///< More than zero.
};

namespace detail {

/// Throws std::invalid_argument for a rate outside the ranges that it names.
FAIRLEAD_DECL void check_rate(const token_rate& rate);

/// The part of a bucket that changes, for those who keep many of one rate. Every call needs that same rate,
/// which check_rate() found good. Begins full.
class token_level {
 public:
  explicit token_level(const token_rate& rate) noexcept : level_(capacity(rate)) {}

  FAIRLEAD_DECL bool take(const token_rate& rate, std::uint64_t n, time_point now) noexcept;
  FAIRLEAD_DECL void take_ahead(const token_rate& rate, std::uint64_t n, time_point now) noexcept;
  FAIRLEAD_DECL time_point ready_at(const token_rate& rate, std::uint64_t n, time_point now) const noexcept;

 private:
  // A token is as many units as `per` has nanoseconds, so each nanosecond brings `tokens` units: nothing is
  // ever rounded.
  static std::uint64_t units(const token_rate& rate, std::uint64_t n) noexcept {
    return n * static_cast<std::uint64_t>(rate.per.count());
  }
  static std::uint64_t capacity(const token_rate& rate) noexcept { return units(rate, rate.burst); }
  FAIRLEAD_DECL std::uint64_t level_at(const token_rate& rate, time_point now) const noexcept;

  std::uint64_t level_;
  time_point last_ = time_point::min();  // in the future while tokens are owed
};

}  // namespace detail

/// Lets things through at an even rate, with a reserve for bursts: it holds at most `burst` tokens, gets
/// `tokens` more in each `per`, and who takes more than there are waits or is refused.
///
/// Exact to the nanosecond: in any span s it gives at most `burst + s * tokens / per` tokens, so with a burst of
/// one second's tokens up to twice the rate within a second, and gives that much to whoever asks for it. Nothing
/// is rounded, so nothing drifts.
///
/// A time before that of an earlier call counts as that time. 40 bytes, no allocation. Not thread-safe.
class token_bucket {
 public:
  /// Begins full. Throws std::invalid_argument for a rate outside the ranges that it names.
  FAIRLEAD_DECL explicit token_bucket(const token_rate& rate);

  /// Takes `n` tokens if they are there, else none. True for 0, false for more than the burst.
  bool take(std::uint64_t n, time_point now) noexcept { return level_.take(rate_, n, now); }

  /// Takes `n` tokens whether they are there or not, for who learns too late how many it takes: until those that
  /// were missing have come nothing is there for anybody.
  void take_ahead(std::uint64_t n, time_point now) noexcept { level_.take_ahead(rate_, n, now); }

  /// The first time at which take() gives `n` tokens if nobody takes any before: `now` if they are there,
  /// time_point::max() if they never will be.
  time_point ready_at(std::uint64_t n, time_point now) const noexcept {
    return level_.ready_at(rate_, n, now);
  }

  const token_rate& rate() const noexcept { return rate_; }

 private:
  token_rate rate_;
  detail::token_level level_;
};

}  // namespace fairlead::inline FAIRLEAD_ABI

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/guard/impl/token_bucket.ipp>
#endif

#endif
