#ifndef FAIRLEAD_NET_DETAIL_OUTBOX_HPP
#define FAIRLEAD_NET_DETAIL_OUTBOX_HPP

#include <fairlead/config.hpp>
#include <fairlead/protocol/message.hpp>

#include <atomic>
#include <cstddef>
#include <deque>
#include <memory>
#include <optional>

namespace fairlead::inline FAIRLEAD_ABI::detail {

/// Messages that wait until the peer has read what was sent before, in order and unframed. Their bytes are
/// counted from the moment they are on their way, which may be on another thread; the messages themselves
/// belong to the session's.
class outbox {
 public:
  /// What each message counts beside its bytes, so that empty ones are bounded too.
  static constexpr std::size_t message_cost = sizeof(message);

  /// Counts a message of `n` bytes that push() will bring. False, and counts nothing, when it would pass
  /// `limit`; a single message is let into an empty outbox whatever its size, since otherwise it could never be
  /// sent. Any thread.
  bool reserve(std::size_t n, std::size_t limit) noexcept;

  /// Takes back a reserve() that no push() will follow. Any thread.
  void release(std::size_t n) noexcept { size_.fetch_sub(n + message_cost, std::memory_order_relaxed); }

  /// What is reserved and not yet popped, in bytes. Any thread.
  std::size_t size() const noexcept { return size_.load(std::memory_order_relaxed); }

  bool empty() const noexcept { return !first_; }
  void push(message m);
  std::optional<message> pop();
  void clear();

 private:
  std::optional<message> first_;  // so that one message a turn needs no allocation
  std::unique_ptr<std::deque<message>> rest_;
  std::atomic<std::size_t> size_ = 0;
};

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/net/impl/outbox.ipp>
#endif

#endif
