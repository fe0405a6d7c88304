#ifndef FAIRLEAD_NET_SESSION_DETAIL_COUNTER_HPP
#define FAIRLEAD_NET_SESSION_DETAIL_COUNTER_HPP

#include <fairlead/config.hpp>
#include <fairlead/guard/sliding_window.hpp>
#include <fairlead/net/session/session_statistics.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace fairlead::inline FAIRLEAD_ABI::detail {

/// A number that one thread changes, for the price of a plain one, and any may read.
template <class Number>
class counter {
 public:
  void add(Number n) noexcept { set(load() + n); }
  void subtract(Number n) noexcept { set(load() - n); }
  void set(Number n) noexcept { value_.store(n, std::memory_order_relaxed); }
  Number load() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<Number> value_{};
};

/// drop_counts that any thread adds to and reads.
class live_drop_counts {
 public:
  void add(drop_reason why, std::size_t n) noexcept {
    by_reason_[static_cast<std::size_t>(why)].fetch_add(n, std::memory_order_relaxed);
  }

  drop_counts read() const noexcept {
    drop_counts counts;
    for (std::size_t i = 0; i < drop_reason_count; ++i)
      counts.by_reason[i] = by_reason_[i].load(std::memory_order_relaxed);
    return counts;
  }

 private:
  std::array<std::atomic<std::uint64_t>, drop_reason_count> by_reason_{};
};

/// limit_counts that one thread adds to and any may read.
struct live_limit_counts {
  counter<std::uint64_t> messages;
  counter<std::uint64_t> bytes;

  void add(rate_verdict over) noexcept { (over == rate_verdict::messages ? messages : bytes).add(1); }
  limit_counts read() const noexcept { return {messages.load(), bytes.load()}; }
};

/// Messages and their payload bytes, in one direction.
struct live_traffic {
  counter<std::uint64_t> messages;
  counter<std::uint64_t> bytes;

  void add(std::size_t size, bool ends_message = true) noexcept {
    if (ends_message) messages.add(1);
    bytes.add(size);
  }
};

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#endif
