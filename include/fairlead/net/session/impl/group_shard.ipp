#ifndef FAIRLEAD_NET_SESSION_IMPL_GROUP_SHARD_IPP
#define FAIRLEAD_NET_SESSION_IMPL_GROUP_SHARD_IPP

#include <fairlead/net/session/detail/group_shard.hpp>
#include <fairlead/net/session/detail/session_core.hpp>

#include <exception>
#include <new>
#include <utility>

namespace fairlead::inline FAIRLEAD_ABI::detail {

// What a message in the mailbox counts beside its bytes: its letter, and its own bookkeeping.
inline constexpr std::size_t letter_cost = 256;

/// Counts a message as long as it is in the mailbox.
class group_shard::posted_bytes {
 public:
  posted_bytes(group_shard& shard, std::size_t size) noexcept : size_(size + letter_cost) {
    std::size_t before = shard.posted_size_.load(std::memory_order_relaxed);
    do {
      // One message is let in whatever its size, since otherwise it could never be sent.
      if (before != 0 && before + size_ > shard.max_posted_size_) return;
    } while (!shard.posted_size_.compare_exchange_weak(before, before + size_, std::memory_order_relaxed));
    shard_ = &shard;
  }
  posted_bytes(posted_bytes&& other) noexcept
      : shard_(std::exchange(other.shard_, nullptr)), size_(other.size_) {}
  ~posted_bytes() { release(); }

  explicit operator bool() const noexcept { return shard_ != nullptr; }

  void release() noexcept {
    if (shard_ == nullptr) return;
    std::exchange(shard_, nullptr)->posted_size_.fetch_sub(size_, std::memory_order_relaxed);
  }

 private:
  group_shard* shard_ = nullptr;  // null when there was no room
  std::size_t size_;
};

/// The length of one walk through the list. Nobody is moved in it meanwhile.
class group_shard::pass {
 public:
  explicit pass(group_shard& shard) noexcept : shard_(shard) { ++shard_.passes_; }
  pass(const pass&) = delete;
  pass& operator=(const pass&) = delete;
  ~pass() {
    if (--shard_.passes_ == 0) shard_.fill_holes();
  }

 private:
  group_shard& shard_;
};

// --- Any thread.

FAIRLEAD_DECL void group_shard::add(const core_ptr& core) {
  if (home_->is_current()) return join(*core.get());
  // From here on, so that what this thread sends next is posted too.
  size_.fetch_add(1, std::memory_order_relaxed);
  struct on_its_way {
    explicit on_its_way(std::shared_ptr<group_shard> s) noexcept : shard(std::move(s)) {}
    on_its_way(on_its_way&&) noexcept = default;
    ~on_its_way() {
      if (shard != nullptr) shard->size_.fetch_sub(1, std::memory_order_relaxed);
    }
    std::shared_ptr<group_shard> shard;
  };
  home_->post(task([coming = on_its_way(shared_from_this()), core] { coming.shard->join(*core.get()); }));
}

FAIRLEAD_DECL void group_shard::remove(const core_ptr& core) {
  if (home_->is_current()) return leave(*core.get());
  home_->post(task([self = shared_from_this(), core] { self->leave(*core.get()); }));
}

FAIRLEAD_DECL std::size_t group_shard::post(const message& m, const std::shared_ptr<kept_class>& kept,
                                            const core_ptr& except) {
  const std::size_t members = size();
  posted_bytes counted(*this, m.size());
  if (!counted) {
    if (missed_.fetch_add(1, std::memory_order_relaxed) != 0) return 0;
    try {
      home_->post(task([self = shared_from_this()] { self->count_missed(); }));
    } catch (...) {
      missed_.store(0, std::memory_order_relaxed);  // else no later one would be told of either
      throw;
    }
    return 0;
  }
  const bool is_posted =
      home_->post(task([self = shared_from_this(), m, kept, except, waiting = std::move(counted)]() mutable {
        waiting.release();  // from here on the sessions count it
        self->deliver(m, kept != nullptr ? kept->view() : message_class(), except.get());
      }));
  if (!is_posted) return 0;
  const bool has_except = except && except->home() == home_;
  return members - (has_except && members != 0 ? 1 : 0);
}

FAIRLEAD_DECL void group_shard::dissolve() {
  if (home_->is_current()) return forget_all();
  home_->post(task([self = shared_from_this()] { self->forget_all(); }));
}

// --- The loop's thread.

// Calls `f` for those who are members now.
template <class Function>
void group_shard::for_each(Function f) {
  const pass guard(*this);
  const std::size_t count = members_.size();
  std::exception_ptr error;
  for (std::size_t i = 0; i < count; ++i) {
    if (members_[i].core == nullptr) continue;
    try {
      f(*members_[i].core);
    } catch (...) {  // the others are not to miss it
      error = std::current_exception();
    }
  }
  if (error) std::rethrow_exception(error);
}

FAIRLEAD_DECL std::size_t group_shard::deliver(const message& m, const message_class& c,
                                               const session_core* except) {
  std::size_t reached = 0;
  for_each([&](session_core& core) {
    if (&core == except) return;
    const send_result result = core.give(m, c);
    reached += result != send_result::dropped && result != send_result::closed;
  });
  return reached;
}

FAIRLEAD_DECL void group_shard::count_missed() {
  const std::size_t missed = missed_.exchange(0, std::memory_order_relaxed);
  for_each([missed](session_core& core) { core.count_missed(missed); });
}

FAIRLEAD_DECL void group_shard::join(session_core& core) {
  if (!core.may_join()) return;
  const auto [place, is_new] = places_.try_emplace(&core, members_.size());
  if (!is_new) return;
  try {
    members_.push_back({&core, core.groups().size()});
    try {
      core.groups().push_back(shared_from_this());
    } catch (...) {
      members_.pop_back();
      throw;
    }
  } catch (...) {
    places_.erase(place);
    throw;
  }
  size_.fetch_add(1, std::memory_order_relaxed);
}

FAIRLEAD_DECL void group_shard::leave(const session_core& core) noexcept {
  const auto place = places_.find(&core);
  if (place == places_.end()) return;
  const std::size_t i = place->second;
  places_.erase(place);
  size_.fetch_sub(1, std::memory_order_relaxed);
  const member left = std::exchange(members_[i], {nullptr, 0});
  if (passes_ != 0) {
    has_holes_ = true;
  } else {
    if (i + 1 != members_.size()) {
      members_[i] = members_.back();
      places_.find(members_[i].core)->second = i;
    }
    members_.pop_back();
  }
  left.core->forget_group(left.index);  // last: this may go with it
}

FAIRLEAD_DECL void group_shard::set_index(const session_core& core, std::size_t index) noexcept {
  if (const auto place = places_.find(&core); place != places_.end()) members_[place->second].index = index;
}

FAIRLEAD_DECL void group_shard::fill_holes() noexcept {
  if (!std::exchange(has_holes_, false)) return;
  std::erase_if(members_, [](const member& m) { return m.core == nullptr; });
  for (std::size_t i = 0; i < members_.size(); ++i) places_.find(members_[i].core)->second = i;
}

FAIRLEAD_DECL void group_shard::forget_all() noexcept {
  const auto keep = shared_from_this();
  const pass guard(*this);
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (members_[i].core != nullptr) leave(*members_[i].core);
  }
}

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#endif
