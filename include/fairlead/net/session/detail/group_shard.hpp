#ifndef FAIRLEAD_NET_SESSION_DETAIL_GROUP_SHARD_HPP
#define FAIRLEAD_NET_SESSION_DETAIL_GROUP_SHARD_HPP

#include <fairlead/config.hpp>
#include <fairlead/net/session/detail/mailbox.hpp>
#include <fairlead/net/session/message_class.hpp>
#include <fairlead/net/session/session.hpp>
#include <fairlead/protocol/message.hpp>

#include <atomic>
#include <cstddef>
#include <memory>
#include <unordered_map>
#include <vector>

namespace fairlead::inline FAIRLEAD_ABI::detail {

/// The members of a session_group that live on one event_loop. Only the loop's thread touches the list; the others
/// post, one letter for all members.
class group_shard : public std::enable_shared_from_this<group_shard> {
 public:
  group_shard(std::shared_ptr<mailbox> home, std::size_t max_posted_size)
      : home_(std::move(home)), max_posted_size_(max_posted_size) {}

  // Any thread.

  const std::shared_ptr<mailbox>& home() const noexcept { return home_; }

  /// Members, and sessions that are on their way to become one.
  std::size_t size() const noexcept { return size_.load(std::memory_order_relaxed); }

  void add(const core_ptr& core);
  void remove(const core_ptr& core);

  /// Lets the loop's thread deliver the message; returns to how many. Not on that thread.
  std::size_t post(const message& m, const std::shared_ptr<kept_class>& kept, const core_ptr& except);

  /// The group is gone: the sessions forget it.
  void dissolve();

  // The loop's thread.

  /// Gives the message to each member but `except`; returns how many took it. The list may change meanwhile: who comes
  /// in does not get it. When a member finds no memory the others get it all the same, then std::bad_alloc is thrown.
  std::size_t deliver(const message& m, const message_class& c, const session_core* except);

  /// The session leaves, if it is a member.
  void leave(const session_core& core) noexcept;

  /// The session's list of shards has changed: this one is at `index` now.
  void set_index(const session_core& core, std::size_t index) noexcept;

 private:
  struct member {
    session_core* core;  // null when it left while the list was gone through
    std::size_t index;   // of this shard in the session's list
  };
  class posted_bytes;
  class pass;

  void join(session_core& core);
  void count_missed();
  void forget_all() noexcept;
  template <class Function>
  void for_each(Function f);
  void fill_holes() noexcept;

  const std::shared_ptr<mailbox> home_;
  const std::size_t max_posted_size_;
  std::atomic<std::size_t> size_ = 0;
  std::atomic<std::size_t> posted_size_ = 0;  // of messages in the mailbox
  std::atomic<std::size_t> missed_ = 0;       // messages that found no room there

  std::vector<member> members_;
  std::unordered_map<const session_core*, std::size_t> places_;  // in `members_`
  std::size_t passes_ = 0;                                       // that go through the list now
  bool has_holes_ = false;
};

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/net/session/impl/group_shard.ipp>
#endif

#endif
