#ifndef FAIRLEAD_NET_DETAIL_OUTBOX_HPP
#define FAIRLEAD_NET_DETAIL_OUTBOX_HPP

#include <fairlead/config.hpp>
#include <fairlead/protocol/connection.hpp>

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
  static constexpr std::size_t message_cost = sizeof(outgoing);

  /// Counts a message of `n` bytes that push() will bring. False, and counts nothing, when it would pass
  /// `limit`; a single message is let into an empty outbox whatever its size, since otherwise it could never be
  /// sent. Any thread.
  bool reserve(std::size_t n, std::size_t limit) noexcept;

  /// Takes back a reserve() that no push() will follow. Any thread.
  void release(std::size_t n) noexcept { size_.fetch_sub(n + message_cost, std::memory_order_relaxed); }

  /// What is reserved and not yet popped, in bytes. Any thread.
  std::size_t size() const noexcept { return size_.load(std::memory_order_relaxed); }

  /// Nothing can be popped now.
  bool empty() const noexcept { return between_pieces_ ? pieces_ == nullptr : !first_; }

  /// The first piece of a message was popped, and its last not yet: all but further pieces waits.
  bool between_pieces() const noexcept { return between_pieces_; }

  void push(outgoing m);
  std::optional<outgoing> pop();
  void clear();

 private:
  using queue = std::deque<outgoing>;
  static void put(std::unique_ptr<queue>& q, outgoing m);
  static outgoing take(std::unique_ptr<queue>& q);

  std::optional<outgoing> first_;  // so that one message a turn needs no allocation
  std::unique_ptr<queue> rest_;    // null when empty, as is the next
  std::unique_ptr<queue> pieces_;  // behind the first of their message, which waits among the others
  std::atomic<std::size_t> size_ = 0;
  bool between_pieces_ = false;
};

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/net/impl/outbox.ipp>
#endif

#endif
