#ifndef FAIRLEAD_NET_SESSION_IMPL_INBOX_IPP
#define FAIRLEAD_NET_SESSION_IMPL_INBOX_IPP

#include <fairlead/net/session/detail/inbox.hpp>

#include <asio/error.hpp>

#include <utility>

namespace fairlead::inline FAIRLEAD_ABI::detail {

FAIRLEAD_DECL bool inbox::put(message m) {
  const std::lock_guard lock(mutex_);
  size_ += m.size() + sizeof(message);  // what it costs, so that empty messages fill the inbox too
  messages_.push_back(std::move(m));
  schedule();
  full_ = size_ >= limit_;
  return !full_;
}

FAIRLEAD_DECL std::size_t inbox::size() {
  const std::lock_guard lock(mutex_);
  return size_;
}

FAIRLEAD_DECL void inbox::end(std::error_code why) {
  const std::lock_guard lock(mutex_);
  ended_ = true;
  end_ = why;
  schedule();
}

FAIRLEAD_DECL void inbox::wait(std::unique_ptr<receive_waiter> waiter, std::uint64_t number) {
  const std::lock_guard lock(mutex_);
  if (waiting_) {
    receive_waiter& refused = *waiter;
    return refused.schedule(std::move(waiter), errc::busy);
  }
  waiting_ = true;
  cancelled_ = false;
  waiter_ = std::move(waiter);
  wait_number_ = number;
  if (!messages_.empty() || ended_) schedule();
}

FAIRLEAD_DECL void inbox::cancel(std::uint64_t number) {
  const std::lock_guard lock(mutex_);
  if (!waiting_ || number != wait_number_) return;
  cancelled_ = true;
  schedule();
}

FAIRLEAD_DECL inbox::taken inbox::take(bool cancelled) {
  const std::lock_guard lock(mutex_);
  waiting_ = false;
  if (cancelled || cancelled_) return {{asio::error::operation_aborted, std::nullopt}, false};
  if (messages_.empty()) return {{end_, std::nullopt}, false};
  taken result{{{}, std::move(messages_.front())}, false};
  messages_.pop_front();
  size_ -= result.outcome.whole->size() + sizeof(message);
  result.is_empty = messages_.empty();
  if (full_ && size_ <= limit_ / 2) {
    full_ = false;
    result.has_room = true;
  }
  return result;
}

FAIRLEAD_DECL void inbox::drop() {
  std::unique_ptr<receive_waiter> dropped;  // destroyed outside the lock: it may own what calls back
  const std::lock_guard lock(mutex_);
  dropped = std::move(waiter_);
}

FAIRLEAD_DECL void inbox::schedule() {
  if (waiter_ == nullptr) return;
  receive_waiter& waiter = *waiter_;
  waiter.schedule(std::move(waiter_), {});
}

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#endif
