#ifndef FAIRLEAD_GUARD_SLIDING_WINDOW_HPP
#define FAIRLEAD_GUARD_SLIDING_WINDOW_HPP

#include <fairlead/config.hpp>
#include <fairlead/time.hpp>

#include <chrono>
#include <cstdint>
#include <string_view>

namespace fairlead::inline FAIRLEAD_ABI {

/// What one sender may send in a second.
struct message_rate {
  static constexpr std::uint64_t max = 18'000'000'000;  ///< The largest number that either may be.

  std::uint64_t messages = 50;
  std::uint64_t bytes = 512 * 1024;
};

/// What sliding_window thinks of a message.
enum class rate_verdict : unsigned char {
  ok,
  messages,  ///< One message too many.
  bytes,     ///< Too many bytes.
};

/// `ok`, `messages` or `bytes`.
constexpr std::string_view name_of(rate_verdict v) noexcept {
  switch (v) {
    case rate_verdict::ok: return "ok";
    case rate_verdict::messages: return "messages";
    case rate_verdict::bytes: return "bytes";
  }
  return {};
}

/// Counts the messages and bytes of the last second in two buckets: those of the second that runs, and those of
/// the one before, which weigh less the longer ago it is. Refused messages do not count, so a sender who is too
/// fast gets through what is allowed.
///
/// Who sends evenly and stays below the limit is never refused. The sum is an estimate for who does not: one who
/// saves a whole second's messages for its end can send up to twice the limit within a second, but never more,
/// and never more than n + 1 times the limit in n seconds. Where the limit must hold in every span, use a
/// token_bucket with a small burst.
///
/// A time before that of an earlier call never lets more through. 56 bytes, no allocation. Not thread-safe.
class sliding_window {
 public:
  static constexpr duration length = std::chrono::seconds(1);

  /// Throws std::invalid_argument when either number is 0 or more than message_rate::max.
  FAIRLEAD_DECL explicit sliding_window(const message_rate& limit);

  /// Counts a message of that size unless it is too much: then nothing changes, and it says of what. A message
  /// larger than the bytes of a second is always too much.
  FAIRLEAD_DECL rate_verdict add(std::uint64_t bytes, time_point now) noexcept;

  /// Counts so much whether it is too much or not, for who learns too late how much it is. What is above the
  /// limit is made up for: nothing passes for as long as the limit would have taken to let it through.
  FAIRLEAD_DECL void add_ahead(std::uint64_t messages, std::uint64_t bytes, time_point now) noexcept;

  /// The first time at which add() lets a message of that size through if nothing is added before: `now` if it does
  /// already, time_point::max() if it never will.
  FAIRLEAD_DECL time_point ready_at(std::uint64_t bytes, time_point now) const noexcept;

  const message_rate& limit() const noexcept { return limit_; }

 private:
  struct counts {
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
  };

  FAIRLEAD_DECL std::uint64_t advance(time_point now) noexcept;

  message_rate limit_;
  counts previous_;
  counts current_;
  time_point start_ = time_point::min();  // of the second that `current_` counts; in the future to make up
};

}  // namespace fairlead::inline FAIRLEAD_ABI

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/guard/impl/sliding_window.ipp>
#endif

#endif
