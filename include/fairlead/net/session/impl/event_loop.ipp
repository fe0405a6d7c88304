#ifndef FAIRLEAD_NET_SESSION_IMPL_EVENT_LOOP_IPP
#define FAIRLEAD_NET_SESSION_IMPL_EVENT_LOOP_IPP

#include <fairlead/net/detail/random.hpp>
#include <fairlead/net/session/detail/event_loop.hpp>
#include <fairlead/net/session/detail/session_core.hpp>

#include <asio/post.hpp>

#include <algorithm>
#include <cassert>
#include <exception>
#include <stdexcept>
#include <utility>

namespace fairlead::inline FAIRLEAD_ABI::detail {

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
      loop_number_(random_number()) {}

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
  of_nobody_.drop_all();
  for (const auto& group : groups_) group->drop_all();
  dirty_.clear();
}

FAIRLEAD_DECL std::shared_ptr<endpoint_group> event_loop::make_group() {
  std::erase_if(groups_, [](const auto& group) { return group.use_count() == 1 && group->size() == 0; });
  return groups_.emplace_back(std::make_shared<endpoint_group>(*this));
}

FAIRLEAD_DECL void event_loop::add(endpoint& e, endpoint_group& group) noexcept {
  group.add(e);
  size_.fetch_add(1, std::memory_order_relaxed);
}

FAIRLEAD_DECL void event_loop::remove(endpoint& e) noexcept {
  endpoint_group& group = e.group();
  group.remove(e);
  size_.fetch_sub(1, std::memory_order_relaxed);
  if (size() == 0) rest();
  if (group.size() == 0 && group.on_empty) group.on_empty();
}

// Without this, run() would not return before the time of a deadline that was cancelled long ago.
FAIRLEAD_DECL void event_loop::rest() {
  timer_.cancel();
  timer_at_ = time_point::max();
  if (!wheel_.empty()) arm_timer();
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
