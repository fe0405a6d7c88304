#ifndef FAIRLEAD_NET_IMPL_OUTBOX_IPP
#define FAIRLEAD_NET_IMPL_OUTBOX_IPP

#include <fairlead/net/detail/outbox.hpp>

#include <utility>

namespace fairlead::inline FAIRLEAD_ABI::detail {

FAIRLEAD_DECL bool outbox::reserve(std::size_t n, std::size_t limit) noexcept {
  const std::size_t cost = n + message_cost;
  const std::size_t before = size_.fetch_add(cost, std::memory_order_relaxed);
  if (before == 0 || before + cost <= limit) return true;
  release(n);
  return false;
}

FAIRLEAD_DECL void outbox::push(message m) {
  if (!first_) {
    first_ = std::move(m);
    return;
  }
  if (rest_ == nullptr) rest_ = std::make_unique<std::deque<message>>();
  rest_->push_back(std::move(m));
}

FAIRLEAD_DECL std::optional<message> outbox::pop() {
  std::optional<message> m = std::exchange(first_, std::nullopt);
  if (!m) return m;
  release(m->size());
  if (rest_ != nullptr) {
    first_ = std::move(rest_->front());
    rest_->pop_front();
    if (rest_->empty()) rest_.reset();
  }
  return m;
}

FAIRLEAD_DECL void outbox::clear() {
  while (pop()) {
  }
}

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#endif
