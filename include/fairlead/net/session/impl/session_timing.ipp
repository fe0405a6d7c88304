#ifndef FAIRLEAD_NET_SESSION_IMPL_SESSION_TIMING_IPP
#define FAIRLEAD_NET_SESSION_IMPL_SESSION_TIMING_IPP

#include <fairlead/net/session/detail/session_core.hpp>

#include <algorithm>
#include <span>

namespace fairlead::inline FAIRLEAD_ABI::detail {

// One timer serves all that time does to a session. It is set to the first of the deadlines, and when it fires each
// is looked at again: most have moved meanwhile, as anything that arrives moves them, which so costs nothing.

FAIRLEAD_DECL void session_core::schedule_by(time_point deadline) {
  if (deadline >= timer_at_ || link_ == nullptr) return;
  timer_at_ = deadline;
  loop_.schedule(*this, deadline);
}

FAIRLEAD_DECL bool session_core::heartbeat_runs() const noexcept {
  return options().heartbeat.interval != duration::max();
}

// Nothing while we are the ones who do not go on.
FAIRLEAD_DECL std::optional<time_point> session_core::unfinished_since() const noexcept {
  return reading_paused_ ? std::nullopt : connection_.unfinished_since();
}

FAIRLEAD_DECL time_point session_core::next_deadline() const {
  if (finished_ || !is_open()) return close_at_;
  time_point first = close_at_;
  const auto consider = [&first](time_point from, duration t) {
    first = std::min(first, deadline_after(from, t));
  };
  const time_point active_at = active_at_.load(std::memory_order_relaxed);
  if (state() == session_state::authenticating) consider(opened_at_, authentication_time());
  if (state() == session_state::active) consider(active_at, options().idle_after);
  if (heartbeat_runs()) {
    // What a peer that we do not read, or that takes nothing, has to say we cannot know.
    if (!reading_paused_ && !blocked_) first = std::min(first, beat_.deadline(options().heartbeat));
  } else {
    consider(active_at, options().idle_timeout);
  }
  if (const auto since = unfinished_since()) consider(*since, options().message_timeout);
  if (is_paused(pause_reason::by_rate))
    first = std::min(first, limiter_.load(std::memory_order_relaxed)->resume_at);
  if (blocked_) consider(blocked_since_, options().write_timeout);
  if (extras_ != nullptr && !extras_->held_sources.empty()) {
    consider(extras_->held_sources.front().since, options().max_pause);
  }
  return first;
}

FAIRLEAD_DECL void session_core::on_timer(time_point now) {
  in_turn([&] {
    timer_at_ = time_point::max();
    if (now >= close_at_) {
      connection_.on_deadline(*this);
      return end();
    }
    if (!finished_ && is_open()) check_deadlines(now);
    flush();
    schedule_by(next_deadline());
  });
}

FAIRLEAD_DECL void session_core::check_deadlines(time_point now) {
  const auto is_over = [now](time_point from, duration t) { return now >= deadline_after(from, t); };
  const time_point active_at = active_at_.load(std::memory_order_relaxed);
  if (state() == session_state::authenticating && is_over(opened_at_, authentication_time())) {
    return close_for(errc::authentication_timeout, authentication_failed);
  }
  if (const auto since = unfinished_since(); since && is_over(*since, options().message_timeout)) {
    return close_for(errc::message_timeout, close_code::policy_violation);
  }
  if (blocked_ && is_over(blocked_since_, options().write_timeout)) return disconnect(errc::write_timeout);
  if (holds_for_too_long(now)) return disconnect(errc::pause_timeout);
  if (is_paused(pause_reason::by_rate) && now >= limiter().resume_at) resume(pause_reason::by_rate);
  if (heartbeat_runs()) {
    if (!reading_paused_ && !blocked_) beat(now);
  } else if (is_over(active_at, options().idle_timeout)) {
    return close_for(errc::idle_timeout, close_code::going_away);
  }
  if (state() == session_state::active && is_over(active_at, options().idle_after))
    enter(session_state::idle);
}

FAIRLEAD_DECL void session_core::close_for(errc why, close_code code) {
  ended_with_ = why;
  try_close(code, ended_with_.message());
}

FAIRLEAD_DECL void session_core::beat(time_point now) {
  switch (beat_.next(now, options().heartbeat)) {
    case heartbeat::step::wait: return;
    case heartbeat::step::give_up: return give_up(errc::peer_timeout);
    case heartbeat::step::ask: break;
  }
  beat_sent_at_ = now;
  if (const auto& question = options().heartbeat.question) {
    take(*question, {.lane = lane::control});
    return;
  }
  const std::error_code closed = connection_.ping(std::as_bytes(std::span(&heartbeat_ping, 1)));
  static_cast<void>(closed);  // then another timer runs
}

// The peer is gone: there is nobody for a close frame.
FAIRLEAD_DECL void session_core::give_up(errc why) {
  ended_with_ = why;
  connection_.receive_eof(*this);
  end();
}

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#endif
