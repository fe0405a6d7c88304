#ifndef FAIRLEAD_NET_SESSION_IMPL_MASK_KEYS_IPP
#define FAIRLEAD_NET_SESSION_IMPL_MASK_KEYS_IPP

#include <fairlead/net/detail/random.hpp>
#include <fairlead/net/session/detail/mask_keys.hpp>

#include <atomic>
#include <span>

#include <pthread.h>

namespace fairlead::inline FAIRLEAD_ABI::detail {

/// How often this process has come out of a fork since it first drew keys.
inline unsigned count_forks() {
  static std::atomic<unsigned> forks = 0;
  [[maybe_unused]] static const int watching =
      pthread_atfork(nullptr, nullptr, [] { forks.fetch_add(1, std::memory_order_relaxed); });
  return forks.load(std::memory_order_relaxed);
}

FAIRLEAD_DECL mask_key random_mask_keys::next() {
  const unsigned forks = count_forks();
  if (left_ == 0 || forks_ != forks) {
    draw_random(std::as_writable_bytes(std::span(keys_)));
    left_ = keys_.size();
    forks_ = forks;
  }
  return keys_[--left_];
}

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#endif
