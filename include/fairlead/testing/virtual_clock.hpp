#ifndef FAIRLEAD_TESTING_VIRTUAL_CLOCK_HPP
#define FAIRLEAD_TESTING_VIRTUAL_CLOCK_HPP

#include <fairlead/config.hpp>
#include <fairlead/net/detail/asio_configuration.hpp>
#include <fairlead/net/session/timer_wheel.hpp>
#include <fairlead/time.hpp>

#include <asio/io_context.hpp>

#include <cstddef>

namespace fairlead::inline FAIRLEAD_ABI {

namespace detail {
class event_loop;
class virtual_time;
}  // namespace detail

/// Lets a test decide what time it is on an io_context: every deadline of fairlead there, of servers, sessions,
/// clients and fault links, follows this clock. Hours pass in the time that their handlers take.
///
/// Make it before anything of fairlead uses the context, and do not run the context but by this clock. The context
/// has to outlive the clock; the time stands still when the clock is gone.
///
/// One thread: that which makes the clock calls it, and never inside a handler of the context.
///
/// What does not follow it: Asio's timers, the kernel's timeouts and its delivery of what sockets send, the resolving
/// of names, the dates in certificates, and any clock that the program reads itself. So it serves best over
/// make_memory_pair(), where nothing waits for the kernel.
class virtual_clock {
 public:
  /// Deadlines are met in steps of this, and late by one at most, never early, with this clock as with the real
  /// one: who waits for a deadline advances by one step more.
  static constexpr duration resolution = timer_wheel::tick;

  /// What makes each other ready without time passing is taken for a circle after so many handlers.
  static constexpr std::size_t max_handlers_at_once = 4'000'000;

  /// \param context  Not used by fairlead before (otherwise std::logic_error).
  explicit virtual_clock(asio::io_context& context);

  virtual_clock(const virtual_clock&) = delete;
  virtual_clock& operator=(const virtual_clock&) = delete;

  /// The time now. It begins at a time of no meaning: only differences count.
  time_point now() const noexcept;

  /// Runs every handler that is ready, and what becomes ready by it, at the time now. Restarts the context if it was
  /// stopped, be it for want of work.
  ///
  /// Passes on what a handler throws; call it again to go on. std::logic_error inside a handler, and
  /// std::runtime_error after max_handlers_at_once.
  void run_ready();

  /// Lets `d` pass: runs what is ready, goes from deadline to deadline, each in its order and at its time, runs what
  /// that makes ready, and ends at exactly now() + `d`. A negative `d` is none. Throws as run_ready() does; the time is
  /// then that of the handler, and another call goes on from there.
  void advance(duration d);

  /// advance() by `limit` at most, which ends as soon as `done()` is true, at the deadline where it became so.
  ///
  /// \param done  Asked before, and after each deadline.
  /// \return      What `done()` said last.
  template <class Condition>
  bool advance_until(Condition done, duration limit);

 private:
  bool advance_to_next(time_point end);

  asio::io_context& context_;
  detail::virtual_time& time_;
  detail::event_loop& loop_;
};

}  // namespace fairlead

#include <fairlead/testing/impl/virtual_clock.hpp>

#endif
