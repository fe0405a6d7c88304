#ifndef FAIRLEAD_NET_SESSION_DETAIL_OUTBOX_HPP
#define FAIRLEAD_NET_SESSION_DETAIL_OUTBOX_HPP

#include <fairlead/config.hpp>
#include <fairlead/net/session/detail/counter.hpp>
#include <fairlead/net/session/message_class.hpp>
#include <fairlead/net/session/session_statistics.hpp>
#include <fairlead/protocol/connection.hpp>
#include <fairlead/time.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace fairlead::inline FAIRLEAD_ABI::detail {

/// Messages that wait until the peer has read what was sent before: unframed, in lanes, each with what becomes
/// of it when there are too many. Their bytes are counted from the moment they are on their way, which may be on
/// another thread; all else belongs to the session's.
class outbox {
  struct queued {
    outgoing sent;
    std::uint64_t number;  // in the order of the calls, over all lanes
    time_point expires_at;
    std::string key;
    fairlead::lane lane;
    slow_policy policy;
  };

 public:
  /// What each message counts beside its bytes: itself, its allocations, and its place in a map of keys.
  static constexpr std::size_t message_cost = sizeof(queued) + 64;

  struct watermarks {
    std::size_t high;  ///< The policies apply.
    std::size_t hard;  ///< Nothing goes beyond.
  };

  /// What push() did.
  enum class outcome : unsigned char {
    taken,
    conflated,  ///< Taken, in the place of another.
    dropped,
    full,  ///< Not taken: the receiver is too slow for a message of this class and has to be disconnected.
  };

  /// \param total  The drops of all outboxes of the thread; has to outlive this one.
  explicit outbox(live_drop_counts& total) noexcept : total_(total) {}
  ~outbox();

  /// Counts a message of `n` bytes that another thread will bring. False, and counts nothing, when it would pass
  /// `limit`; a single message is let into an empty outbox whatever its size, since otherwise it could never be
  /// sent. Any thread.
  bool reserve(std::size_t n, std::size_t limit) noexcept;

  /// Takes back a reserve(). Any thread.
  void release(std::size_t n) noexcept { size_.fetch_sub(n + message_cost, std::memory_order_relaxed); }

  /// What is reserved and what waits, in bytes. Any thread.
  std::size_t size() const noexcept { return size_.load(std::memory_order_relaxed); }

  /// The most that size() has been when something was pushed. Any thread.
  std::size_t max_size() const noexcept { return max_size_.load(); }

  /// Messages that wait.
  std::size_t count() const noexcept { return count_; }

  /// Nothing can be popped now.
  bool empty() const noexcept { return between_pieces_ ? pieces_ == nullptr : count_ == 0; }

  /// The first piece of a message was popped, and its last not yet: all but further pieces waits.
  bool between_pieces() const noexcept { return between_pieces_; }

  /// Takes a whole message, or does with it, or with others, what its class says. The bytes are kept only when it is
  /// taken.
  outcome push(const message_view& m, const message_class& c, watermarks limits, time_point now);

  /// Takes a piece of a message in the normal lane, in order, up to `limits.hard`.
  outcome push_piece(outgoing m, watermarks limits);

  /// The next message of the highest lane, or the next piece; drops what has expired before it.
  std::optional<outgoing> pop(time_point now);

  /// Drops what may be dropped for newer messages; returns its size.
  std::size_t drop_expendable(drop_reason why);

  /// Drops everything.
  void clear(drop_reason why);

  /// What became of messages that were not sent. Any thread.
  drop_counts drops() const noexcept;
  /// Any thread.
  void count_drop(drop_reason why, std::size_t n = 1);

 private:
  using queue = std::deque<queued>;  // elements stay where they are

  struct lane_queues {
    std::unique_ptr<queue> kept;        // null when empty, as are the next two
    std::unique_ptr<queue> giving_way;  // slow_policy::drop_oldest
    std::unique_ptr<queue> expiring;
    std::size_t giving_way_size = 0;
    std::unordered_map<std::string_view, queued*> by_key;  // into `kept`
  };

  static std::size_t cost_of(const queued& q) noexcept { return q.sent.content.size() + message_cost; }
  static bool is_expendable(slow_policy p) noexcept {
    return p == slow_policy::drop_oldest || p == slow_policy::expire;
  }
  lane_queues& lane_of(const queued& q) noexcept { return (*lanes_)[static_cast<std::size_t>(q.lane)]; }
  static std::unique_ptr<queue>& queue_for(lane_queues& l, slow_policy p) noexcept;
  bool has_room(std::size_t cost, std::size_t limit, std::size_t freed = 0) const noexcept;
  queued* find(fairlead::lane l, std::string_view key) noexcept;
  bool drop_oldest(fairlead::lane l, std::size_t cost, std::size_t limit);
  void drop_expired(fairlead::lane l, time_point now);
  void note_size() noexcept { max_size_.set(std::max(max_size_.load(), size())); }
  void take(queued q);
  void put(queued q);
  queued take_front(lane_queues& l, std::unique_ptr<queue>& from);
  std::optional<queued> take_next();

  std::optional<queued> first_;  // so that one message a turn needs no allocation
  std::unique_ptr<std::array<lane_queues, lane_count>> lanes_;  // of all when there are more; null before
  // Behind the first of their message, which waits among the others; null when empty.
  std::unique_ptr<queue> pieces_;
  live_drop_counts& total_;
  std::atomic<live_drop_counts*> drops_ = nullptr;  // owned; null before the first
  std::atomic<std::size_t> size_ = 0;
  counter<std::size_t> max_size_;
  std::size_t count_ = 0;
  std::uint64_t next_number_ = 0;
  bool between_pieces_ = false;
};

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/net/session/impl/outbox.ipp>
#endif

#endif
