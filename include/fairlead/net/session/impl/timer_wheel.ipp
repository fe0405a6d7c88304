#ifndef FAIRLEAD_NET_SESSION_IMPL_TIMER_WHEEL_IPP
#define FAIRLEAD_NET_SESSION_IMPL_TIMER_WHEEL_IPP

#include <fairlead/net/session/timer_wheel.hpp>

#include <algorithm>

namespace fairlead::inline FAIRLEAD_ABI {

FAIRLEAD_DECL wheel_timer::~wheel_timer() {
  if (wheel_ != nullptr) wheel_->cancel(*this);
}

FAIRLEAD_DECL timer_wheel::~timer_wheel() {
  const auto forget = [](wheel_timer* timer) {
    for (; timer != nullptr; timer = timer->next_) timer->wheel_ = nullptr;
  };
  std::for_each(slots_.begin(), slots_.end(), forget);
  forget(due_);
}

FAIRLEAD_DECL std::uint64_t timer_wheel::tick_of(time_point t) const noexcept {
  if (t <= start_) return 0;
  return static_cast<std::uint64_t>((t - start_) / tick);
}

FAIRLEAD_DECL void timer_wheel::schedule(wheel_timer& t, time_point deadline) noexcept {
  if (t.wheel_ != nullptr) unlink(t);
  // The first tick in which the deadline has passed for certain, and one that advance() has not done.
  t.tick_ = std::max(tick_of(deadline), done_tick_) + 1;
  t.wheel_ = this;
  push_front(slots_[t.tick_ % slot_count], t);
  ++size_;
}

FAIRLEAD_DECL void timer_wheel::cancel(wheel_timer& t) noexcept {
  if (t.wheel_ == this) unlink(t);
}

FAIRLEAD_DECL void timer_wheel::push_front(wheel_timer*& head, wheel_timer& t) noexcept {
  t.previous_ = nullptr;
  t.next_ = head;
  if (head != nullptr) head->previous_ = &t;
  head = &t;
}

FAIRLEAD_DECL void timer_wheel::remove(wheel_timer*& head, wheel_timer& t) noexcept {
  if (t.next_ != nullptr) t.next_->previous_ = t.previous_;
  (t.previous_ != nullptr ? t.previous_->next_ : head) = t.next_;
}

FAIRLEAD_DECL void timer_wheel::unlink(wheel_timer& t) noexcept {
  remove(t.tick_ == due_tick ? due_ : slots_[t.tick_ % slot_count], t);
  t.wheel_ = nullptr;
  --size_;
}

FAIRLEAD_DECL void timer_wheel::advance(time_point now) {
  const std::uint64_t now_tick = tick_of(now);
  // What is due is set apart, in order, before any of it is called, since a call may change every list.
  wheel_timer* last = due_;  // only after an exception is there any
  while (last != nullptr && last->next_ != nullptr) last = last->next_;
  std::size_t waiting = size_;
  for (std::uint64_t t = done_tick_ + 1; t <= now_tick && waiting != 0; ++t) {
    wheel_timer*& slot = slots_[t % slot_count];
    for (wheel_timer* timer = slot; timer != nullptr;) {
      wheel_timer* const next = timer->next_;
      if (timer->tick_ == t) {
        remove(slot, *timer);
        timer->tick_ = due_tick;
        timer->next_ = nullptr;
        timer->previous_ = last;
        (last != nullptr ? last->next_ : due_) = timer;
        last = timer;
        --waiting;
      }
      timer = next;
    }
  }
  done_tick_ = std::max(done_tick_, now_tick);
  while (due_ != nullptr) {
    wheel_timer& timer = *due_;
    unlink(timer);
    timer.on_timer(now);
  }
}

FAIRLEAD_DECL time_point timer_wheel::next() const noexcept {
  if (size_ == 0) return time_point::max();
  if (due_ != nullptr) return start_ + static_cast<duration::rep>(done_tick_) * tick;
  std::uint64_t t = done_tick_ + 1;
  while (slots_[t % slot_count] == nullptr) ++t;
  return start_ + static_cast<duration::rep>(t) * tick;
}

}  // namespace fairlead

#endif
