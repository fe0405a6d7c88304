#ifndef FAIRLEAD_NET_SESSION_IMPL_EVENT_LOOP_IPP
#define FAIRLEAD_NET_SESSION_IMPL_EVENT_LOOP_IPP

#include <fairlead/net/detail/random.hpp>
#include <fairlead/net/session/detail/event_loop.hpp>
#include <fairlead/net/session/detail/session_core.hpp>

#include <asio/post.hpp>

#include <algorithm>
#include <cassert>
#include <exception>
#include <span>
#include <stdexcept>
#include <utility>

#include <unistd.h>

namespace fairlead::inline FAIRLEAD_ABI::detail {

// Not a secret: where there is no randomness, which the client's keys say, time and place will do.
inline std::uint64_t random_loop_number() {
  std::uint64_t number = 0;
  try {
    draw_random(std::as_writable_bytes(std::span(&number, 1)));
  } catch (const std::system_error&) {
    number = static_cast<std::uint64_t>(clock::now().time_since_epoch().count()) * 0x9E3779B97F4A7C15 +
             static_cast<std::uint64_t>(::getpid());
  }
  return number;
}

inline std::optional<loop_strand> strand_for(asio::io_context& context, event_loop::run_by who) {
  if (who == event_loop::run_by::one_thread) return std::nullopt;
  return loop_strand(context.get_executor());
}

FAIRLEAD_DECL event_loop::event_loop(asio::io_context& context, run_by who)
    : context_(context),
      strand_(strand_for(context, who)),
      mailbox_(std::make_shared<mailbox>(context, strand_ ? &*strand_ : nullptr)),
      wheel_(clock::now()),
      timer_(executor()),
      recent_(clock::now()),
      counters_(mailbox_->drops),
      loop_number_(random_loop_number()) {}

FAIRLEAD_DECL event_loop& event_loop::of(asio::io_context& context) {
  auto& loops = asio::use_service<event_loops>(context);
  if (loops.are_shared()) {
    throw std::logic_error("this is not possible on an io_context that several threads run");
  }
  return *loops.all().front();
}

FAIRLEAD_DECL event_loops::event_loops(asio::io_context& context, std::size_t count)
    : asio::execution_context::service(context),
      first_(context, event_loop::run_by::several_threads),
      all_{&first_} {
  while (all_.size() < count) {
    all_.push_back(&more_.emplace_back(context, event_loop::run_by::several_threads));
  }
}

FAIRLEAD_DECL event_loop* event_loops::find(const asio::any_io_executor& executor) const {
  const auto is_own = [&executor](const event_loop* l) { return l->executor() == executor; };
  const auto found = std::ranges::find_if(all_, is_own);
  return found != all_.end() ? *found : nullptr;
}

FAIRLEAD_DECL void event_loops::shutdown() {
  for (event_loop* const l : all_) l->shut_down();
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
    if (strand_) {
      asio::post(*strand_, [this] { flush_dirty(); });
    } else {
      asio::post(context_, [this] { flush_dirty(); });
    }
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
