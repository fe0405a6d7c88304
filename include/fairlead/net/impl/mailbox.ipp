#ifndef FAIRLEAD_NET_IMPL_MAILBOX_IPP
#define FAIRLEAD_NET_IMPL_MAILBOX_IPP

#include <fairlead/net/detail/mailbox.hpp>

#include <asio/post.hpp>
#include <asio/system_executor.hpp>

namespace fairlead::inline FAIRLEAD_ABI::detail {

FAIRLEAD_DECL bool mailbox::post(task t) {
  const std::lock_guard lock(mutex_);
  if (closed_) return false;
  letters_.push_back(std::move(t));
  // Inside the lock: close() has to wait, for after it the context is gone.
  if (letters_.size() == 1) asio::post(*context_, [self = shared_from_this()] { self->drain(); });
  return true;
}

FAIRLEAD_DECL asio::any_io_executor mailbox::executor() {
  const std::lock_guard lock(mutex_);
  if (closed_) return asio::system_executor();
  return context_->get_executor();
}

FAIRLEAD_DECL void mailbox::drain() {
  enter();
  std::vector<task> letters;
  {
    const std::lock_guard lock(mutex_);
    letters.swap(letters_);
  }
  for (task& letter : letters) letter();
}

FAIRLEAD_DECL void mailbox::close() noexcept {
  std::vector<task> dropped;
  const std::lock_guard lock(mutex_);
  closed_ = true;
  owner_.store({}, std::memory_order_relaxed);
  dropped.swap(letters_);
}

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#endif
