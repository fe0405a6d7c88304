#ifndef FAIRLEAD_NET_SESSION_IMPL_EVENT_LOOP_IPP
#define FAIRLEAD_NET_SESSION_IMPL_EVENT_LOOP_IPP

#include <fairlead/net/detail/random.hpp>
#include <fairlead/net/session/detail/event_loop.hpp>
#include <fairlead/net/session/detail/session_core.hpp>

#include <asio/post.hpp>

#include <cassert>
#include <exception>
#include <utility>

namespace fairlead::inline FAIRLEAD_ABI::detail {

FAIRLEAD_DECL event_loop::event_loop(asio::io_context& context)
    : context_(context),
      mailbox_(std::make_shared<mailbox>(context)),
      wheel_(clock::now()),
      timer_(context),
      recent_(clock::now()),
      counters_(mailbox_->drops),
      loop_number_(random_number()) {}

FAIRLEAD_DECL event_loop& event_loop::of(asio::io_context& context) {
  return asio::use_service<event_loops>(context).loop();
}

FAIRLEAD_DECL lagging_sessions& event_loop::lagging(const std::shared_ptr<memory_budget>& budget) {
  const auto& wanted = budget != nullptr ? budget : memory_budget::of_process();
  for (const auto& known : lagging_) {
    if (known->budget() == wanted.get()) return *known;
  }
  return *lagging_.emplace_back(std::make_unique<lagging_sessions>(wanted, mailbox_));
}

FAIRLEAD_DECL void event_loop::shut_down() {
  mailbox_->close();
  while (endpoints_ != nullptr) {
    endpoint& e = *endpoints_;
    remove(e);
    e.drop();
  }
  dirty_.clear();
}

FAIRLEAD_DECL void event_loop::add(endpoint& e) noexcept {
  e.next_ = endpoints_;
  if (endpoints_ != nullptr) endpoints_->previous_ = &e;
  endpoints_ = &e;
  size_.fetch_add(1, std::memory_order_relaxed);
}

FAIRLEAD_DECL void event_loop::remove(endpoint& e) noexcept {
  if (e.next_ != nullptr) e.next_->previous_ = e.previous_;
  (e.previous_ != nullptr ? e.previous_->next_ : endpoints_) = e.next_;
  e.next_ = e.previous_ = nullptr;
  e.place_.reset();
  size_.fetch_sub(1, std::memory_order_relaxed);
  if (endpoints_ != nullptr) return;
  rest();
  if (on_empty) on_empty();
}

// Without this, run() would not return before the time of a deadline that was cancelled long ago.
FAIRLEAD_DECL void event_loop::rest() {
  timer_.cancel();
  timer_at_ = time_point::max();
  if (!wheel_.empty()) arm_timer();
}

// Calls `f` for each endpoint; `f` may end the one it is given, but no other.
template <class Function>
void event_loop::for_each(Function f) {
  for (endpoint* e = endpoints_; e != nullptr;) {
    endpoint* const next = e->next_;
    f(*e);
    e = next;
  }
}

FAIRLEAD_DECL void event_loop::stop_all() {
  for_each([](endpoint& e) { e.stop(); });
}

FAIRLEAD_DECL void event_loop::abort_all() {
  // A callback may end another endpoint, so from the front each time.
  while (endpoints_ != nullptr) endpoints_->abort();
}

FAIRLEAD_DECL void event_loop::schedule(wheel_timer& t, time_point deadline) {
  if (wheel_.empty())
    wheel_.advance(now());  // it has stood still, and does not go over the ticks since one by one
  wheel_.schedule(t, deadline);
  if (deadline < timer_at_) arm_timer();
}

FAIRLEAD_DECL void event_loop::arm_timer() {
  if (virtual_now_ != nullptr) return;
  const time_point next = wheel_.next();
  if (next >= timer_at_) return;  // early at worst, and armed again then
  timer_at_ = time_point::max();  // while it is not armed
  timer_.expires_at(next);
  timer_.async_wait([this](std::error_code ec) {
    if (ec) return;  // set to an earlier time
    timer_at_ = time_point::max();
    try {
      advance_timers();
    } catch (...) {  // out of run(), which may be called again
      arm_timer();
      throw;
    }
    arm_timer();
  });
  timer_at_ = next;
}

FAIRLEAD_DECL void event_loop::advance_timers() {
  mailbox_->enter();
  wheel_.advance(now());
}

FAIRLEAD_DECL void event_loop::mark_dirty(core_ptr core) {
  dirty_.push_back(std::move(core));
  if (dirty_.size() != 1) return;
  try {
    asio::post(context_, [this] { flush_dirty(); });
  } catch (...) {
    dirty_.clear();  // else nobody who comes later would be served either
    throw;
  }
}

FAIRLEAD_DECL void event_loop::flush_dirty() {
  mailbox_->enter();
  std::vector<core_ptr> dirty;
  dirty.swap(dirty_);
  std::exception_ptr error;
  for (const core_ptr& core : dirty) {
    try {
      core->serve_dirty();
    } catch (...) {  // the others are not to be forgotten with it
      error = std::current_exception();
    }
  }
  dirty.clear();
  if (dirty_.empty()) dirty_.swap(dirty);  // keeps its memory
  if (error) std::rethrow_exception(error);
}

FAIRLEAD_DECL event_loop::turn::turn(event_loop& loop, session_core& core)
    : loop_(loop), core_(core), handle_(core_ptr(&core)) {
  assert(current == nullptr && "the turns of a thread do not nest");
  loop.mailbox_->enter();
  loop.now();
  current = &core;
  loop.handle_ = &handle_;
}

FAIRLEAD_DECL event_loop::turn::~turn() {
  if (std::uncaught_exceptions() > exceptions_) core_.abandon();
  current = nullptr;
  loop_.handle_ = nullptr;
  core_.end_turn();
}

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#endif
