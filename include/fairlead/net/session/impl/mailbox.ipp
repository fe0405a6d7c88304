#ifndef FAIRLEAD_NET_SESSION_IMPL_MAILBOX_IPP
#define FAIRLEAD_NET_SESSION_IMPL_MAILBOX_IPP

#include <fairlead/net/session/detail/mailbox.hpp>

#include <asio/post.hpp>
#include <asio/system_executor.hpp>

#include <exception>

namespace fairlead::inline FAIRLEAD_ABI::detail {

FAIRLEAD_DECL bool mailbox::post(task t) {
  const std::lock_guard lock(mutex_);
  if (closed_) return false;
  letters_.push_back(std::move(t));
  // Inside the lock: close() has to wait, for after it the context is gone.
  if (letters_.size() != 1) return true;
  try {
    auto fetch = [self = shared_from_this()] { self->drain(); };
    if (strand_) {
      asio::post(*strand_, std::move(fetch));
    } else {
      asio::post(*context_, std::move(fetch));
    }
  } catch (...) {
    t = std::move(letters_.back());  // destroyed outside the lock: it may own what calls back
    letters_.clear();                // else no later letter would be fetched either
    throw;
  }
  return true;
}

FAIRLEAD_DECL asio::any_io_executor mailbox::executor() {
  const std::lock_guard lock(mutex_);
  if (closed_) return asio::system_executor();
  if (strand_) return *strand_;
  return context_->get_executor();
}

FAIRLEAD_DECL bool mailbox::is_closed() {
  const std::lock_guard lock(mutex_);
  return closed_;
}

// Behind the mutex, since the strand goes with the context while others still hold handles. Who ran it last says
// nothing: the next one may be run by another thread, and by that one too a moment later.
FAIRLEAD_DECL bool mailbox::is_in_strand() const noexcept {
  const std::lock_guard lock(mutex_);
  return strand_ && strand_->running_in_this_thread();
}

FAIRLEAD_DECL void mailbox::drain() {
  enter();
  std::vector<task> letters;
  {
    const std::lock_guard lock(mutex_);
    letters.swap(letters_);
  }
  std::exception_ptr error;
  for (task& letter : letters) {
    try {
      letter();
    } catch (...) {  // the others are not to be lost with it
      error = std::current_exception();
    }
  }
  if (error) std::rethrow_exception(error);
}

FAIRLEAD_DECL void mailbox::close() noexcept {
  std::vector<task> dropped;
  const std::lock_guard lock(mutex_);
  closed_ = true;
  strand_.reset();
  owner_.store({}, std::memory_order_relaxed);
  dropped.swap(letters_);
}

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#endif
