#ifndef FAIRLEAD_NET_SESSION_TIMER_WHEEL_HPP
#define FAIRLEAD_NET_SESSION_TIMER_WHEEL_HPP

#include <fairlead/config.hpp>
#include <fairlead/time.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace fairlead::inline FAIRLEAD_ABI {

class timer_wheel;

/// Something with one deadline at a time. Leaves its wheel by itself when it is destroyed.
class wheel_timer {
 public:
  wheel_timer(const wheel_timer&) = delete;
  wheel_timer& operator=(const wheel_timer&) = delete;

  /// The deadline has passed. May schedule, cancel or destroy any timer, this one included.
  virtual void on_timer(time_point now) = 0;

  /// True from schedule() until the timer fires or is cancelled.
  bool is_scheduled() const noexcept { return wheel_ != nullptr; }

 protected:
  wheel_timer() noexcept = default;
  virtual ~wheel_timer();

 private:
  friend class timer_wheel;

  wheel_timer* next_ = nullptr;
  wheel_timer* previous_ = nullptr;
  timer_wheel* wheel_ = nullptr;
  std::uint64_t tick_ = 0;
};

/// The deadlines of one thread: scheduling and cancelling cost the same for one timer and for a million. A
/// deadline is rounded up to a tick, so no timer fires early. Reads no clock; not thread-safe.
class timer_wheel {
 public:
  /// The resolution of deadlines.
  static constexpr duration tick = std::chrono::milliseconds(32);

  /// \param start  Ticks are counted from here; a deadline before it is due at the first.
  explicit timer_wheel(time_point start) noexcept : start_(start) {}
  timer_wheel(const timer_wheel&) = delete;
  timer_wheel& operator=(const timer_wheel&) = delete;
  ~timer_wheel();

  /// Schedules `t` for `deadline`, in place of the deadline it had.
  void schedule(wheel_timer& t, time_point deadline) noexcept;
  /// Forgets the deadline of `t`, if it has one in this wheel.
  void cancel(wheel_timer& t) noexcept;

  /// Calls on_timer() of each timer whose deadline is at or before `now`, those of an earlier tick first.
  void advance(time_point now);

  bool empty() const noexcept { return size_ == 0; }

  /// When advance() has work at the earliest; time_point::max() when empty(). May be early by full turns of
  /// the wheel, never late.
  time_point next() const noexcept;

 private:
  static constexpr std::size_t slot_count = 1024;  // 33 s in one turn
  static constexpr std::uint64_t due_tick = 0;     // of the timers set apart in due_

  std::uint64_t tick_of(time_point t) const noexcept;
  static void push_front(wheel_timer*& head, wheel_timer& t) noexcept;
  static void remove(wheel_timer*& head, wheel_timer& t) noexcept;
  void unlink(wheel_timer& t) noexcept;

  time_point start_;
  std::uint64_t done_tick_ = 0;  // every timer up to it has fired
  std::size_t size_ = 0;
  std::array<wheel_timer*, slot_count> slots_{};
  wheel_timer* due_ = nullptr;
};

}  // namespace fairlead

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/net/session/impl/timer_wheel.ipp>
#endif

#endif
