#ifndef FAIRLEAD_NET_SESSION_IMPL_SESSION_GROUP_IPP
#define FAIRLEAD_NET_SESSION_IMPL_SESSION_GROUP_IPP

#include <fairlead/net/session/detail/group_shard.hpp>
#include <fairlead/net/session/detail/session_core.hpp>
#include <fairlead/net/session/session_group.hpp>

#include <algorithm>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

namespace fairlead::inline FAIRLEAD_ABI {
namespace detail {

/// A shard for each event_loop that has, or had, members.
class group_state {
 public:
  using shards = std::vector<std::shared_ptr<group_shard>>;

  explicit group_state(const session_group_options& options) : options_(options) {}
  group_state(const group_state&) = delete;
  group_state& operator=(const group_state&) = delete;
  ~group_state() {
    for (const auto& shard : *shards_) {
      try {
        shard->dissolve();
      } catch (const std::bad_alloc&) {  // then each member forgets it when it ends
      }
    }
  }

  /// Those there are now. Never changes, so it may be used without the lock.
  std::shared_ptr<const shards> all() const {
    const std::lock_guard lock(mutex_);
    return shards_;
  }

  std::shared_ptr<group_shard> find(const mailbox* home) const {
    const auto known = all();
    const auto found = std::ranges::find(*known, home, [](const auto& shard) { return shard->home().get(); });
    return found != known->end() ? *found : nullptr;
  }

  std::shared_ptr<group_shard> find_or_make(const std::shared_ptr<mailbox>& home) {
    if (auto found = find(home.get())) return found;
    const auto made = std::make_shared<group_shard>(home, options_.max_posted_size);
    std::shared_ptr<const shards> replaced;  // destroyed outside the lock
    const std::lock_guard lock(mutex_);
    auto next = std::make_shared<shards>();
    for (const auto& shard : *shards_) {
      if (shard->home() == home) return shard;  // another thread was first
      if (!shard->home()->is_closed()) next->push_back(shard);
    }
    next->push_back(made);
    replaced = std::exchange(shards_, std::move(next));
    return made;
  }

 private:
  const session_group_options options_;
  mutable std::mutex mutex_;
  std::shared_ptr<const shards> shards_ = std::make_shared<shards>();
};

}  // namespace detail

FAIRLEAD_DECL session_group::session_group(const session_group_options& options)
    : state_(std::make_shared<detail::group_state>(options)) {}

FAIRLEAD_DECL void session_group::add(const session& ws) const {
  if (!ws.is_open()) return;
  state_->find_or_make(ws.core_->home())->add(ws.core_);
}

FAIRLEAD_DECL void session_group::remove(const session& ws) const {
  if (!ws.core_) return;
  if (const auto shard = state_->find(ws.core_->home().get())) shard->remove(ws.core_);
}

FAIRLEAD_DECL std::size_t session_group::try_send(message_view m, const message_class& c,
                                                  const session* except) const {
  const auto shards = state_->all();
  const auto has_members = [](const auto& shard) { return shard->size() != 0; };
  if (std::ranges::none_of(*shards, has_members)) return 0;
  const message whole = m.keep();
  const auto kept = detail::kept_class::of(c);
  const detail::core_ptr left_out = except != nullptr ? except->core_ : detail::core_ptr();
  detail::group_shard* own = nullptr;
  std::size_t reached = 0;
  for (const auto& shard : *shards) {
    if (!has_members(shard)) continue;
    if (shard->home()->is_current()) {
      own = shard.get();
    } else {
      reached += shard->post(whole, kept, left_out);
    }
  }
  if (own == nullptr) return reached;
  const message also = whole;  // what is compressed for one of them is for all
  return reached + own->deliver(also, c, left_out.get());
}

FAIRLEAD_DECL std::size_t session_group::size() const {
  std::size_t sum = 0;
  for (const auto& shard : *state_->all()) sum += shard->size();
  return sum;
}

}  // namespace fairlead

#endif
