#ifndef FAIRLEAD_NET_SESSION_DETAIL_DEPARTURE_HPP
#define FAIRLEAD_NET_SESSION_DETAIL_DEPARTURE_HPP

#include <fairlead/config.hpp>
#include <fairlead/time.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <random>

namespace fairlead::inline FAIRLEAD_ABI::detail {

/// How the sessions of a server leave it: how many may be told so when, in how long each is to come back, and by when
/// all are gone. Shared by the server's loops; any thread.
class departure {
 public:
  struct terms {
    duration within;
    duration spread;
    std::chrono::milliseconds retry_after_min;
    std::chrono::milliseconds retry_after_max;
  };

  /// In any `window` at most this part of the sessions is told, but always one.
  static constexpr duration window = std::chrono::milliseconds(100);
  static constexpr std::size_t part = 20;

  /// \param sessions  That are there when it begins.
  departure(const terms& t, std::size_t sessions, time_point now);

  time_point began() const noexcept { return began_; }
  time_point deadline() const noexcept { return deadline_; }

  /// When no more is accepted, so that who was accepted last can still be answered by the deadline.
  time_point last_call() const noexcept { return last_call_; }

  /// How long a client is to wait before it comes back: another time for each.
  std::chrono::milliseconds retry_after();

  /// How many of the `sessions` of one loop are to be told by now, were there no window.
  std::size_t due(std::size_t sessions, time_point now) const noexcept;

  /// Counts one more session that is told now; false when the window has no room for it.
  bool take(time_point now);

  std::size_t told() const noexcept { return told_.load(std::memory_order_relaxed); }

  void count_cut(std::size_t connections) noexcept { cut_.fetch_add(connections, std::memory_order_relaxed); }
  std::size_t cut() const noexcept { return cut_.load(std::memory_order_relaxed); }

 private:
  struct batch {
    time_point at;
    std::size_t size;
  };

  const time_point began_;
  const time_point deadline_;
  const time_point last_call_;
  const duration spread_;
  const std::size_t max_in_window_;
  std::mutex mutex_;
  std::deque<batch> recent_;  // in the window
  std::size_t in_window_ = 0;
  std::mt19937 random_;
  std::uniform_int_distribution<std::int64_t> retry_after_;
  std::atomic<std::size_t> told_ = 0;
  std::atomic<std::size_t> cut_ = 0;
};

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/net/session/impl/departure.ipp>
#endif

#endif
