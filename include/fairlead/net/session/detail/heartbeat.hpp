#ifndef FAIRLEAD_NET_SESSION_DETAIL_HEARTBEAT_HPP
#define FAIRLEAD_NET_SESSION_DETAIL_HEARTBEAT_HPP

#include <fairlead/config.hpp>
#include <fairlead/net/session/detail/counter.hpp>
#include <fairlead/net/session/session_options.hpp>
#include <fairlead/time.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace fairlead::inline FAIRLEAD_ABI::detail {

/// Payload of the heartbeat's pings; those of session::ping() count from 1.
inline constexpr std::uint64_t heartbeat_ping = 0;

/// Whether a peer still lives: anything that it sends says so; who is silent is asked, and given up when nothing
/// comes. Reads no clock.
class heartbeat {
 public:
  enum class step : unsigned char { wait, ask, give_up };

  /// Sessions that begin together must not all ask together for ever: each is `number` of many, whose first
  /// questions are spread evenly over the interval.
  void start(time_point now, duration interval, std::uint64_t number) noexcept {
    // Of 2^64: any run of multiples is spread evenly.
    constexpr std::uint64_t golden_ratio = 0x9E3779B97F4A7C15;
    const double part = static_cast<double>((number * golden_ratio) >> 32) / 4294967296.0;
    const auto early =
        interval == duration::max() ? duration() : std::chrono::duration_cast<duration>(interval * part);
    at_ = deadline_after(now, interval - early);
    phase_ = phase::started;
  }

  /// Something came from the peer.
  void on_heard(time_point now) noexcept {
    at_ = now;
    phase_ = phase::heard;
  }

  /// When the next step is due.
  time_point deadline(const heartbeat_options& o) const noexcept {
    switch (phase_) {
      case phase::started: return at_;
      case phase::heard: return deadline_after(at_, o.interval);
      case phase::asked: return deadline_after(at_, o.timeout);
    }
    return at_;
  }

  /// The step that is due now.
  step next(time_point now, const heartbeat_options& o) noexcept {
    if (now < deadline(o)) return step::wait;
    if (phase_ == phase::asked) return step::give_up;
    at_ = now;
    phase_ = phase::asked;
    return step::ask;
  }

 private:
  enum class phase : unsigned char { started, heard, asked };

  time_point at_ = time_point::max();  // of the first question, or when the phase began
  phase phase_ = phase::started;
};

/// The time from a ping to its pong, smoothed (RFC 6298 section 2, the mean alone).
class round_trip {
 public:
  void add(duration sample) noexcept {
    const std::uint32_t before = microseconds_.load();
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(sample).count();
    const auto measured = static_cast<std::uint32_t>(std::clamp<std::int64_t>(us, 1, UINT32_MAX));
    microseconds_.set(before == 0 ? measured : before - before / 8 + measured / 8);
  }

  /// Zero before the first sample. Any thread.
  duration smoothed() const noexcept { return std::chrono::microseconds(microseconds_.load()); }

 private:
  counter<std::uint32_t> microseconds_;
};

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#endif
