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

FAIRLEAD_DECL void outbox::push(outgoing m) {
  if (m.piece == piece::middle || m.piece == piece::last) return put(pieces_, std::move(m));
  if (first_) return put(rest_, std::move(m));
  first_ = std::move(m);
}

FAIRLEAD_DECL std::optional<outgoing> outbox::pop() {
  if (empty()) return std::nullopt;
  std::optional<outgoing> m;
  if (between_pieces_) {
    m = take(pieces_);
  } else {
    m = std::exchange(first_, std::nullopt);
    if (rest_ != nullptr) first_ = take(rest_);
  }
  release(m->content.size());
  between_pieces_ = m->piece == piece::first || m->piece == piece::middle;
  return m;
}

FAIRLEAD_DECL void outbox::clear() {
  for (const std::unique_ptr<queue>* q : {&rest_, &pieces_}) {
    if (*q == nullptr) continue;
    for (const outgoing& m : **q) release(m.content.size());
  }
  if (first_) release(first_->content.size());
  first_.reset();
  rest_.reset();
  pieces_.reset();
}

FAIRLEAD_DECL void outbox::put(std::unique_ptr<queue>& q, outgoing m) {
  if (q == nullptr) q = std::make_unique<queue>();
  q->push_back(std::move(m));
}

FAIRLEAD_DECL outgoing outbox::take(std::unique_ptr<queue>& q) {
  outgoing m = std::move(q->front());
  q->pop_front();
  if (q->empty()) q.reset();
  return m;
}

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#endif
