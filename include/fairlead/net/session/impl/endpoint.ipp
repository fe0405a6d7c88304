#ifndef FAIRLEAD_NET_SESSION_IMPL_ENDPOINT_IPP
#define FAIRLEAD_NET_SESSION_IMPL_ENDPOINT_IPP

#include <fairlead/net/detail/random.hpp>
#include <fairlead/net/session/detail/endpoint.hpp>
#include <fairlead/net/session/detail/event_loop.hpp>

#include <algorithm>
#include <new>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace fairlead::inline FAIRLEAD_ABI::detail {

FAIRLEAD_DECL void endpoint_group::link(endpoint*& list, endpoint& e) noexcept {
  e.next_ = list;
  e.at_ = &list;
  if (list != nullptr) list->at_ = &e.next_;
  list = &e;
}

FAIRLEAD_DECL void endpoint_group::unlink(endpoint& e) noexcept {
  *e.at_ = e.next_;
  if (e.next_ != nullptr) e.next_->at_ = e.at_;
  e.next_ = nullptr;
  e.at_ = nullptr;
}

FAIRLEAD_DECL void endpoint_group::add(endpoint& e) noexcept {
  e.group_ = this;
  link(departure_ != nullptr ? untold_ : endpoints_, e);
  size_.fetch_add(1, std::memory_order_relaxed);
  if (e.is_session()) session_count_.fetch_add(1, std::memory_order_relaxed);
}

FAIRLEAD_DECL void endpoint_group::remove(endpoint& e) noexcept {
  unlink(e);
  e.place_.reset();
  size_.fetch_sub(1, std::memory_order_relaxed);
  if (e.is_session()) session_count_.fetch_sub(1, std::memory_order_relaxed);
}

FAIRLEAD_DECL void endpoint_group::drop_all() noexcept {
  while (endpoint* const e = any()) {
    remove(*e);
    e->drop();
  }
}

FAIRLEAD_DECL void endpoint_group::stop_all() {
  for (endpoint* const list : {endpoints_, untold_}) {
    for (endpoint* e = list; e != nullptr;) {
      endpoint* const next = e->next_;  // stop() may end the one it is called for, but no other
      e->stop();
      e = next;
    }
  }
}

FAIRLEAD_DECL void endpoint_group::abort_all() {
  // A callback may end another endpoint, so from the front each time.
  while (endpoint* const e = any()) e->abort();
}

// --- Departure.

FAIRLEAD_DECL void endpoint_group::begin_departure(std::shared_ptr<departure> d,
                                                   std::function<void(time_point)> on_step) {
  departure_ = std::move(d);
  on_step_ = std::move(on_step);
  sessions_at_departure_ = session_count();
  told_ = 0;
  shuffle();
  step(loop_.now());
}

FAIRLEAD_DECL void endpoint_group::last_call() {
  for (endpoint* const list : {endpoints_, untold_}) {
    for (endpoint* e = list; e != nullptr; e = e->next_) e->last_call();
  }
}

FAIRLEAD_DECL void endpoint_group::end_departure() noexcept {
  loop_.cancel(*this);
  on_step_ = nullptr;
}

// Who came together does not leave together: one gateway's clients, say, which are all to come back through it.
FAIRLEAD_DECL void endpoint_group::shuffle() {
  std::vector<endpoint*> all;
  try {
    all.reserve(size());
  } catch (const std::bad_alloc&) {  // then in the order in which they came
  }
  while (endpoints_ != nullptr) {
    endpoint& e = *endpoints_;
    unlink(e);
    if (all.size() < all.capacity()) {
      all.push_back(&e);
    } else {
      link(untold_, e);
    }
  }
  std::mt19937 random(static_cast<std::mt19937::result_type>(random_number()));
  std::ranges::shuffle(all, random);
  for (endpoint* const e : all) link(untold_, *e);
}

FAIRLEAD_DECL void endpoint_group::on_timer(time_point now) { step(now); }

FAIRLEAD_DECL void endpoint_group::step(time_point now) {
  loop_.schedule_in(*this, timer_wheel::tick);
  if (now >= departure_->deadline()) {
    departure_->count_cut(size());
    abort_all();
  } else {
    tell_some(now);
  }
  if (const auto on_step = on_step_) on_step(now);  // a copy: it may end the departure
}

FAIRLEAD_DECL void endpoint_group::tell_some(time_point now) {
  // The group ends them at the deadline and counts them; this is for when the server is gone by then.
  const time_point by = deadline_after(departure_->deadline(), 2 * timer_wheel::tick);
  const std::size_t due = departure_->due(sessions_at_departure_, now);
  while (untold_ != nullptr && told_ < due) {
    endpoint& e = *untold_;
    const bool may_leave = e.may_leave();
    if (may_leave && !departure_->take(now)) return;
    unlink(e);
    link(endpoints_, e);
    if (!may_leave) continue;
    ++told_;
    try {
      e.leave(by, "retry-after-ms=" + std::to_string(departure_->retry_after().count()));
    } catch (const std::bad_alloc&) {  // as everywhere: what there is no memory for ends
      e.abort();
    }
  }
}

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#endif
