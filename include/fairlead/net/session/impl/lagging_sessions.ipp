#ifndef FAIRLEAD_NET_SESSION_IMPL_LAGGING_SESSIONS_IPP
#define FAIRLEAD_NET_SESSION_IMPL_LAGGING_SESSIONS_IPP

#include <fairlead/net/session/detail/lagging_sessions.hpp>

#include <algorithm>
#include <functional>
#include <utility>

namespace fairlead::inline FAIRLEAD_ABI::detail {

FAIRLEAD_DECL lagging_sessions::lagging_sessions(std::shared_ptr<memory_budget> budget,
                                                 std::shared_ptr<mailbox> letters)
    : budget_(std::move(budget)), mailbox_(std::move(letters)) {
  const std::lock_guard lock(budget_->mutex_);
  budget_->members_.push_back(this);
}

FAIRLEAD_DECL lagging_sessions::~lagging_sessions() {
  const std::lock_guard lock(budget_->mutex_);
  std::erase(budget_->members_, this);
}

FAIRLEAD_DECL void lagging_sessions::charge(charged_queue& q, std::size_t size) {
  if (size == q.queue_size_) return;
  if (q.queue_size_ == 0) {
    q.index_ = static_cast<std::uint32_t>(queues_.size());
    queues_.push_back(&q);
  } else if (size == 0) {
    queues_[q.index_] = queues_.back();
    queues_[q.index_]->index_ = q.index_;
    queues_.pop_back();
  }
  budget_->queues_.fetch_add(size - q.queue_size_, std::memory_order_relaxed);  // wraps to less
  q.queue_size_ = size;
  if (size > largest_.load(std::memory_order_relaxed)) largest_.store(size, std::memory_order_relaxed);
  if (!is_paying_ && budget_->queues() > budget_->limits_.queues) collect();
}

FAIRLEAD_DECL void lagging_sessions::forget(charged_queue& q) noexcept {
  {
    const paying guard(*this);
    charge(q, 0);
  }
  count_input(q, 0);
  std::ranges::replace(payers_, &q, nullptr);
}

FAIRLEAD_DECL void lagging_sessions::charge_input(charged_queue& q, std::size_t size) {
  const bool grows = size > q.input_size_;
  count_input(q, size);
  if (grows && !is_paying_ && budget_->input() > budget_->limits_.input) collect_input();
}

// Throws std::bad_alloc, before anything is counted, for the first input of a session alone.
FAIRLEAD_DECL void lagging_sessions::count_input(charged_queue& q, std::size_t size) {
  if (size == q.input_size_) return;
  if (q.input_size_ == 0) {
    inputs_.push_back(&q);
    q.input_index_ = static_cast<std::uint32_t>(inputs_.size() - 1);
    budget_->input_holders_.fetch_add(1, std::memory_order_relaxed);
  } else if (size == 0) {
    inputs_[q.input_index_] = inputs_.back();
    inputs_[q.input_index_]->input_index_ = q.input_index_;
    inputs_.pop_back();
    budget_->input_holders_.fetch_sub(1, std::memory_order_relaxed);
  }
  budget_->input_.fetch_add(size - q.input_size_, std::memory_order_relaxed);  // wraps to less
  q.input_size_ = size;
}

// Of those that are equal one that came late: what arrived earlier may yet be whole.
FAIRLEAD_DECL charged_queue* lagging_sessions::largest_input() const noexcept {
  charged_queue* largest = nullptr;
  for (charged_queue* const q : inputs_) {
    if (largest == nullptr || q->input_size_ >= largest->input_size_) largest = q;
  }
  return largest;
}

FAIRLEAD_DECL void lagging_sessions::collect_input() {
  const std::size_t limit = budget_->limits_.input;
  const paying guard(*this);
  while (budget_->input() > limit) {
    charged_queue* const q = largest_input();
    // Who holds no more than that is not the cause: somebody else holds more.
    const std::size_t share =
        limit / std::max<std::size_t>(budget_->input_holders_.load(std::memory_order_relaxed), 1);
    if (q == nullptr || q->input_size_ <= share) return call_others_for_input();
    count_input(*q, 0);
    q->give_up_input();
  }
}

FAIRLEAD_DECL void lagging_sessions::call_others_for_input() {
  const std::lock_guard lock(budget_->mutex_);
  for (lagging_sessions* const other : budget_->members_) {
    if (other == this || other->is_called_for_input_.exchange(true)) continue;
    other->mailbox_->post(task([other] {
      other->is_called_for_input_ = false;
      if (other->budget_->input() > other->budget_->limits_.input) other->collect_input();
    }));
  }
}

FAIRLEAD_DECL std::size_t lagging_sessions::largest() noexcept {
  std::size_t size = 0;
  for (const charged_queue* q : queues_) size = std::max(size, q->queue_size_);
  largest_.store(size, std::memory_order_relaxed);
  return size;
}

FAIRLEAD_DECL void lagging_sessions::collect() {
  const std::size_t limit = budget_->limits_.queues;
  const std::size_t own = largest();
  {
    const std::lock_guard lock(budget_->mutex_);
    const auto with_largest = std::ranges::max_element(budget_->members_, {}, [](const lagging_sessions* m) {
      return m->largest_.load(std::memory_order_relaxed);
    });
    lagging_sessions& other = **with_largest;
    if (other.largest_.load(std::memory_order_relaxed) > own) {
      if (!other.is_called_.exchange(true)) {
        other.mailbox_->post(task([&other] {
          other.is_called_ = false;
          if (other.budget_->queues() > other.budget_->limits_.queues) other.collect();
        }));
      }
      // A thread that is busy must not let the sum grow for long.
      if (budget_->queues() <= limit + limit / 16) return;
    }
  }
  pay();
}

FAIRLEAD_DECL void lagging_sessions::pay() {
  const std::size_t target = budget_->limits_.queues - budget_->limits_.queues / 16;
  payers_ = queues_;
  std::ranges::sort(payers_, std::greater<>(), [](const charged_queue* q) { return q->queue_size_; });
  const paying guard(*this);
  for (charged_queue* const& q : payers_) {
    if (budget_->queues() <= target) break;
    if (q != nullptr && q->queue_size_ != 0) q->give_way();
  }
  payers_ = {};
  largest();
}

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#endif
