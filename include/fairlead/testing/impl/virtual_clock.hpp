#ifndef FAIRLEAD_TESTING_IMPL_VIRTUAL_CLOCK_HPP
#define FAIRLEAD_TESTING_IMPL_VIRTUAL_CLOCK_HPP

// Before what it needs of the sessions' own headers, which know each other.
#include <fairlead/net/session/session.hpp>

#include <fairlead/net/detail/asio_configuration.hpp>
#include <fairlead/net/link/detail/handler_memory.hpp>
#include <fairlead/net/session/detail/session_core.hpp>
#include <fairlead/testing/virtual_clock.hpp>

#include <asio/execution_context.hpp>
#include <asio/post.hpp>

#include <algorithm>
#include <stdexcept>

namespace fairlead::inline FAIRLEAD_ABI {
namespace detail {

/// Keeps the time of a context. A service, so that it lives as long as those who read it.
class virtual_time final : public asio::execution_context::service {
 public:
  using key_type = virtual_time;
  inline static asio::execution_context::id id;

  explicit virtual_time(asio::execution_context& context) : asio::execution_context::service(context) {}

  time_point now{};
  handler_memory step_memory;  // so that a test that counts allocations counts none of the clock's

  struct step {
    using allocator_type = handler_memory::allocator<>;
    allocator_type get_allocator() const noexcept { return allocator_type(memory); }
    void operator()() const { loop.advance_timers(); }
    event_loop& loop;
    handler_memory& memory;
  };

  // Services go in the reverse order of their making, so this one has to be there first.
  static virtual_time& make(asio::io_context& context) {
    if (asio::has_service<event_loops>(context)) {
      if (asio::use_service<event_loops>(context).are_shared()) {
        throw std::logic_error("a virtual_clock is for an io_context that one thread runs");
      }
      throw std::logic_error("a virtual_clock has to be made before fairlead uses the context");
    }
    return asio::use_service<virtual_time>(context);
  }

 private:
  void shutdown() override {}
};

/// When the wheel of `loop` was started, of which nothing else tells.
inline time_point start_of_wheel(event_loop& loop) {
  struct probe final : wheel_timer {
    void on_timer(time_point) override {}
  } first_tick;
  loop.schedule(first_tick, time_point::min());
  const time_point start = loop.next_timer() - timer_wheel::tick;
  loop.cancel(first_tick);
  return start;
}

}  // namespace detail

inline virtual_clock::virtual_clock(asio::io_context& context)
    : context_(context), time_(detail::virtual_time::make(context)), loop_(detail::event_loop::of(context)) {
  time_.now = time_point::min();
  loop_.use_virtual_time(time_.now);
  // From a tick on, and not from somewhere between two, so that each run of a test sees the same times.
  time_.now = detail::start_of_wheel(loop_);
}

inline time_point virtual_clock::now() const noexcept { return time_.now; }

inline void virtual_clock::run_ready() {
  if (context_.get_executor().running_in_this_thread()) {
    throw std::logic_error("a handler of the context cannot let its time pass");
  }
  context_.restart();
  for (std::size_t handlers = 0; context_.poll_one() != 0; ++handlers) {
    if (handlers == max_handlers_at_once) {
      throw std::runtime_error("handlers make each other ready without end, and no time passes");
    }
  }
}

inline bool virtual_clock::advance_to_next(time_point end) {
  const time_point next = loop_.next_timer();
  if (next > end || next == time_point::max()) return false;
  time_.now = std::max(time_.now, next);
  // In a handler, since sessions are served inside run() only.
  asio::post(context_, detail::virtual_time::step{loop_, time_.step_memory});
  run_ready();
  return true;
}

inline void virtual_clock::advance(duration d) {
  const time_point end = detail::deadline_after(time_.now, std::max(d, duration::zero()));
  run_ready();
  while (advance_to_next(end)) {
  }
  time_.now = end;
}

template <class Condition>
bool virtual_clock::advance_until(Condition done, duration limit) {
  const time_point end = detail::deadline_after(time_.now, std::max(limit, duration::zero()));
  run_ready();
  while (!done()) {
    if (advance_to_next(end)) continue;
    time_.now = end;
    return false;
  }
  return true;
}

}  // namespace fairlead

#endif
