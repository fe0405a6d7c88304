#ifndef FAIRLEAD_NET_SESSION_IMPL_OUTBOX_IPP
#define FAIRLEAD_NET_SESSION_IMPL_OUTBOX_IPP

#include <fairlead/net/session/detail/outbox.hpp>

#include <utility>

namespace fairlead::inline FAIRLEAD_ABI::detail {

FAIRLEAD_DECL outbox::~outbox() { delete drops_.load(std::memory_order_relaxed); }

FAIRLEAD_DECL bool outbox::reserve(std::size_t n, std::size_t limit) noexcept {
  const std::size_t cost = n + message_cost;
  std::size_t before = size();
  do {
    if (before != 0 && before + cost > limit) return false;
  } while (!size_.compare_exchange_weak(before, before + cost, std::memory_order_relaxed));
  return true;
}

// For `cost` more once `freed` is gone.
FAIRLEAD_DECL bool outbox::has_room(std::size_t cost, std::size_t limit, std::size_t freed) const noexcept {
  const std::size_t before = size() - freed;
  return before == 0 || before + cost <= limit;
}

FAIRLEAD_DECL outbox::outcome outbox::push(const message_view& m, const message_class& c, watermarks limits,
                                           time_point now) {
  const std::size_t cost = m.size() + message_cost;
  if (c.policy == slow_policy::conflate) {
    if (queued* const older = find(c.lane, c.key)) {
      const bool grows = m.size() > older->sent.content.size();
      if (grows && !has_room(cost, limits.hard, cost_of(*older))) return outcome::full;
      message newer = m.keep();
      size_.fetch_add(newer.size() - older->sent.content.size(), std::memory_order_relaxed);  // wraps to less
      older->sent.content = std::move(newer);
      note_size();
      count_drop(drop_reason::conflated);
      return outcome::conflated;
    }
  }
  if (!has_room(cost, limits.high)) {
    switch (c.policy) {
      case slow_policy::drop_newest: count_drop(drop_reason::newest); return outcome::dropped;
      case slow_policy::expire: drop_expired(c.lane, now); [[fallthrough]];
      case slow_policy::drop_oldest: {
        const bool may_push_out = c.policy == slow_policy::drop_oldest;
        if (has_room(cost, limits.high) || (may_push_out && drop_oldest(c.lane, cost, limits.high))) break;
        count_drop(drop_reason::newest);
        return outcome::dropped;
      }
      case slow_policy::disconnect: return outcome::full;
      case slow_policy::queue:
      case slow_policy::conflate:
      case slow_policy::pause_source:
        if (!has_room(cost, limits.hard)) return outcome::full;
        break;
    }
  }
  queued q{{m.keep(), piece::whole}, next_number_++, time_point::max(), {}, c.lane, c.policy};
  if (c.policy == slow_policy::expire) q.expires_at = deadline_after(now, c.ttl);
  if (c.policy == slow_policy::conflate) q.key = c.key;
  size_.fetch_add(cost, std::memory_order_relaxed);
  take(std::move(q));
  return outcome::taken;
}

FAIRLEAD_DECL outbox::outcome outbox::push_piece(outgoing m, watermarks limits) {
  if (!reserve(m.content.size(), limits.hard)) return outcome::full;
  queued q{std::move(m), next_number_++, time_point::max(), {}, lane::normal, slow_policy::queue};
  if (q.sent.piece == piece::whole || q.sent.piece == piece::first) {
    take(std::move(q));
    return outcome::taken;
  }
  if (pieces_ == nullptr) pieces_ = std::make_unique<queue>();
  pieces_->push_back(std::move(q));
  note_size();
  return outcome::taken;
}

FAIRLEAD_DECL void outbox::take(queued q) {
  note_size();
  if (++count_ == 1) {
    first_ = std::move(q);
    return;
  }
  if (lanes_ == nullptr) lanes_ = std::make_unique<std::array<lane_queues, lane_count>>();
  if (first_) {
    put(std::move(*first_));
    first_.reset();
  }
  put(std::move(q));
}

FAIRLEAD_DECL std::unique_ptr<outbox::queue>& outbox::queue_for(lane_queues& l, slow_policy p) noexcept {
  if (p == slow_policy::drop_oldest) return l.giving_way;
  return p == slow_policy::expire ? l.expiring : l.kept;
}

FAIRLEAD_DECL void outbox::put(queued q) {
  lane_queues& l = lane_of(q);
  if (q.policy == slow_policy::drop_oldest) l.giving_way_size += cost_of(q);
  std::unique_ptr<queue>& to = queue_for(l, q.policy);
  if (to == nullptr) to = std::make_unique<queue>();
  queued& placed = to->emplace_back(std::move(q));
  if (placed.policy == slow_policy::conflate) l.by_key.emplace(placed.key, &placed);
}

FAIRLEAD_DECL outbox::queued* outbox::find(fairlead::lane l, std::string_view key) noexcept {
  if (first_) {
    const bool same = first_->policy == slow_policy::conflate && first_->lane == l && first_->key == key;
    return same ? &*first_ : nullptr;
  }
  if (lanes_ == nullptr) return nullptr;
  const auto& by_key = (*lanes_)[static_cast<std::size_t>(l)].by_key;
  const auto found = by_key.find(key);
  return found == by_key.end() ? nullptr : found->second;
}

FAIRLEAD_DECL outbox::queued outbox::take_front(lane_queues& l, std::unique_ptr<queue>& from) {
  if (from->front().policy == slow_policy::conflate) l.by_key.erase(from->front().key);
  queued q = std::move(from->front());
  from->pop_front();
  if (from->empty()) from.reset();
  if (q.policy == slow_policy::drop_oldest) l.giving_way_size -= cost_of(q);
  --count_;
  release(q.sent.content.size());
  return q;
}

// Makes room for `cost` below `limit`, unless all that may be dropped in the lane were too little.
FAIRLEAD_DECL bool outbox::drop_oldest(fairlead::lane l, std::size_t cost, std::size_t limit) {
  if (first_) {
    if (first_->policy != slow_policy::drop_oldest || first_->lane != l) return false;
    if (!has_room(cost, limit, cost_of(*first_))) return false;
    take_next();
    count_drop(drop_reason::oldest);
    return true;
  }
  if (lanes_ == nullptr) return false;
  lane_queues& in = (*lanes_)[static_cast<std::size_t>(l)];
  if (!has_room(cost, limit, in.giving_way_size)) return false;
  while (!has_room(cost, limit) && in.giving_way != nullptr) {
    take_front(in, in.giving_way);
    count_drop(drop_reason::oldest);
  }
  return true;
}

// Those in front only: a lane's messages expire about in order, and the rest is seen when its turn comes.
FAIRLEAD_DECL void outbox::drop_expired(fairlead::lane l, time_point now) {
  if (first_) {
    if (first_->lane != l || first_->expires_at >= now) return;
    take_next();
    count_drop(drop_reason::expired);
    return;
  }
  if (lanes_ == nullptr) return;
  lane_queues& in = (*lanes_)[static_cast<std::size_t>(l)];
  while (in.expiring != nullptr && in.expiring->front().expires_at < now) {
    take_front(in, in.expiring);
    count_drop(drop_reason::expired);
  }
}

FAIRLEAD_DECL std::optional<outbox::queued> outbox::take_next() {
  if (first_) {
    --count_;
    release(first_->sent.content.size());
    return std::exchange(first_, std::nullopt);
  }
  if (lanes_ == nullptr) return std::nullopt;
  for (lane_queues& l : *lanes_) {
    std::unique_ptr<queue>* next = nullptr;
    for (std::unique_ptr<queue>* const of : {&l.kept, &l.giving_way, &l.expiring}) {
      if (*of == nullptr) continue;
      if (next == nullptr || (*of)->front().number < (*next)->front().number) next = of;
    }
    if (next != nullptr) return take_front(l, *next);
  }
  return std::nullopt;
}

FAIRLEAD_DECL std::optional<outgoing> outbox::pop(time_point now) {
  if (between_pieces_) {
    if (pieces_ == nullptr) return std::nullopt;
    outgoing m = std::move(pieces_->front().sent);
    pieces_->pop_front();
    if (pieces_->empty()) pieces_.reset();
    release(m.content.size());
    between_pieces_ = m.piece != piece::last;
    return m;
  }
  std::optional<queued> q = take_next();
  while (q && q->expires_at < now) {
    count_drop(drop_reason::expired);
    q = take_next();
  }
  if (count_ == 0) lanes_.reset();
  if (!q) return std::nullopt;
  between_pieces_ = q->sent.piece == piece::first;
  return std::move(q->sent);
}

FAIRLEAD_DECL std::size_t outbox::drop_expendable(drop_reason why) {
  std::size_t freed = 0;
  if (first_ && is_expendable(first_->policy)) {
    freed = cost_of(*take_next());
    count_drop(why);
  } else if (lanes_ != nullptr) {
    for (lane_queues& l : *lanes_) {
      for (std::unique_ptr<queue>* const of : {&l.giving_way, &l.expiring}) {
        while (*of != nullptr) {
          freed += cost_of(take_front(l, *of));
          count_drop(why);
        }
      }
    }
  }
  return freed;
}

FAIRLEAD_DECL void outbox::clear(drop_reason why) {
  while (take_next()) count_drop(why);
  lanes_.reset();
  if (pieces_ == nullptr) return;
  for (const queued& q : *pieces_) release(q.sent.content.size());
  pieces_.reset();
}

FAIRLEAD_DECL drop_counts outbox::drops() const noexcept {
  const live_drop_counts* const counts = drops_.load(std::memory_order_acquire);
  return counts == nullptr ? drop_counts() : counts->read();
}

FAIRLEAD_DECL void outbox::count_drop(drop_reason why, std::size_t n) {
  live_drop_counts* counts = drops_.load(std::memory_order_acquire);
  if (counts == nullptr) {
    auto fresh = std::make_unique<live_drop_counts>();
    // Of two threads the first wins.
    if (drops_.compare_exchange_strong(counts, fresh.get(), std::memory_order_acq_rel)) {
      counts = fresh.release();
    }
  }
  counts->add(why, n);
  total_.add(why, n);
}

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#endif
