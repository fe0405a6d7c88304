#ifndef FAIRLEAD_NET_SESSION_SESSION_STATISTICS_HPP
#define FAIRLEAD_NET_SESSION_SESSION_STATISTICS_HPP

#include <fairlead/config.hpp>
#include <fairlead/time.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <string_view>

namespace fairlead::inline FAIRLEAD_ABI {

/// Why a message that was given to a session was not sent.
enum class drop_reason : unsigned char {
  newest,     ///< slow_policy::drop_newest, or a message for which dropping others made no room.
  oldest,     ///< slow_policy::drop_oldest: gave way to a newer one.
  conflated,  ///< slow_policy::conflate: a newer value took its place.
  expired,    ///< slow_policy::expire.
  budget,     ///< The process's memory_budget was spent, and this queue was among the largest.
  closed,     ///< It still waited when the session was closed for being slow, or ended.

  /// It was sent to a session_group, and too many bytes waited already for the session's thread to take them.
  thread_busy,
};

inline constexpr std::size_t drop_reason_count = 7;

constexpr std::string_view name_of(drop_reason r) noexcept {
  constexpr std::array<std::string_view, drop_reason_count> names{"newest", "oldest", "conflated",  "expired",
                                                                  "budget", "closed", "thread_busy"};
  return names[static_cast<std::size_t>(r)];
}

/// Messages that were not sent, by reason.
struct drop_counts {
  std::array<std::uint64_t, drop_reason_count> by_reason{};

  constexpr std::uint64_t operator[](drop_reason r) const noexcept {
    return by_reason[static_cast<std::size_t>(r)];
  }
  constexpr void add(drop_reason r, std::uint64_t n = 1) noexcept {
    by_reason[static_cast<std::size_t>(r)] += n;
  }

  /// What came after `earlier`.
  constexpr drop_counts since(const drop_counts& earlier) const noexcept {
    drop_counts more = *this;
    for (std::size_t i = 0; i < drop_reason_count; ++i) more.by_reason[i] -= earlier.by_reason[i];
    return more;
  }

  /// All but those that a newer value replaced: what the peer misses.
  constexpr std::uint64_t lost() const noexcept {
    return std::accumulate(by_reason.begin(), by_reason.end(), std::uint64_t{0}) -
           (*this)[drop_reason::conflated];
  }
};

/// How often a limit of incoming_limits was met, by what there was too much of.
struct limit_counts {
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;

  friend bool operator==(const limit_counts&, const limit_counts&) = default;
};

/// What a session has done so far. Payload bytes; control frames do not count.
struct session_statistics {
  std::uint64_t messages_received = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t messages_sent = 0;  ///< Given to the link.
  std::uint64_t bytes_sent = 0;     ///< Before compression.
  drop_counts drops{};
  limit_counts rate_pauses{};      ///< over_limit::pause: how often reading stopped.
  limit_counts rate_drops{};       ///< over_limit::drop: messages, which count as received too.
  std::size_t queue_size = 0;      ///< Bytes that wait now, some bookkeeping for each message included.
  std::size_t queue_size_max = 0;  ///< The most there were.
  time_point opened_at{};
  time_point last_activity{};  ///< The last message, either way; exact to a turn of the event loop.
  duration round_trip{};       ///< Of pings, smoothed as in RFC 6298; zero before the first.
};

}  // namespace fairlead::inline FAIRLEAD_ABI

#endif
