#ifndef FAIRLEAD_NET_SESSION_IMPL_SESSION_CLOSING_IPP
#define FAIRLEAD_NET_SESSION_IMPL_SESSION_CLOSING_IPP

#include <fairlead/net/session/detail/group_shard.hpp>
#include <fairlead/net/session/detail/session_core.hpp>

#include <utility>

namespace fairlead::inline FAIRLEAD_ABI::detail {

FAIRLEAD_DECL std::error_code session_core::try_close(close_code code, std::string_view reason) {
  if (const std::error_code error = connection::check_close(code, reason)) return error;
  if (!accepting_.exchange(false)) return errc::closed;
  if (mailbox_->is_current()) {
    request_close(code, std::string(reason), in_close_timeout());
  } else {
    on_own_thread([code, text = std::string(reason)](session_core& self) {
      self.request_close(code, text, self.in_close_timeout());
    });
  }
  return {};
}

FAIRLEAD_DECL time_point session_core::in_close_timeout() {
  return deadline_after(loop_.now(), options().connection.close_timeout);
}

FAIRLEAD_DECL void session_core::leave(time_point by, std::string reason) {
  accepting_ = false;
  leaving_ = true;
  request_close(close_code::service_restart, std::move(reason), by);
}

FAIRLEAD_DECL void session_core::request_close(close_code code, std::string reason, time_point by) {
  if (finished_) return;
  if (state() != session_state::closing) enter(session_state::closing);
  leave_groups();
  release_sources();
  stop_asking();
  more().close = close_request{code, std::move(reason)};
  // Counted from now, not from the close frame: a peer that does not read must not hold up the end.
  close_at_ = by;
  schedule_by(close_at_);
  touch();
}

FAIRLEAD_DECL void session_core::close(close_code code, std::string reason,
                                       completion<std::error_code> done) {
  if (!mailbox_->is_current()) {
    const auto shared_done = std::make_shared<completion<std::error_code>>(std::move(done));
    const bool posted = on_own_thread([code, reason, shared_done](session_core& self) {
      self.close(code, reason, std::move(*shared_done));
    });
    if (!posted) shared_done->post({});
    return;
  }
  if (try_close(code, reason) == errc::bad_argument) return done.post(errc::bad_argument);
  if (finished_) return done.post({});
  more().closers.push_back(std::move(done));
}

// Gives the session up for being slow, or for holding too much: what waits is dropped, the peer is told if it
// still listens.
FAIRLEAD_DECL void session_core::disconnect(errc why) {
  if (!accepting_.exchange(false)) return;
  ended_with_ = why;
  outbox_.clear(drop_reason::closed);
  complete_senders(errc::queue_full);
  request_close(close_code::try_again_later, ended_with_.message(), in_close_timeout());
}

FAIRLEAD_DECL void session_core::close_when_drained() {
  if (extras_ == nullptr || !extras_->close || !outbox_.empty() || !connection_.is_open()) return;
  const std::error_code refused =
      connection_.close(extras_->close->code, extras_->close->reason, loop_.now());
  static_cast<void>(refused);  // checked by try_close()
  extras_->close.reset();
  // The peer's close frame may stand behind messages that nobody receives; they are discarded now.
  pauses_ = 0;
  if (!reading_paused_) return;
  resume_wanted_ = true;
  request_turn();
}

FAIRLEAD_DECL void session_core::finish(close_info info) {
  if (finished_) return;
  finished_ = true;
  accepting_ = false;
  enter(session_state::closed);
  leave_groups();
  if (!ended_with_) ended_with_ = info.error;
  info.error = ended_with_;
  outbox_.clear(drop_reason::closed);
  release_sources();
  stop_asking();
  if (inbox_ != nullptr) inbox_->end(ended_with_);
  complete_senders(errc::closed);
  if (extras_ != nullptr) {
    for (ping_waiter& waiter : extras_->pings) waiter.done.post(errc::closed, {});
    extras_->pings.clear();
  }
  if (extras_ != nullptr && extras_->release && ended_with_ != errc::released) {
    extras_->release.post(errc::closed, {});
  }
  if (opened_) report_end(info);
  // Last: who was told that close() is done hears of no callback any more, on whichever thread.
  if (extras_ == nullptr) return;
  for (auto& closer : extras_->closers) closer.post(ended_with_);
  extras_->closers.clear();
}

// --- Its groups.

FAIRLEAD_DECL void session_core::leave_groups() noexcept {
  while (groups_ != nullptr && !groups_->empty()) {
    const auto last = groups_->back();
    last->leave(*this);  // calls forget_group()
  }
  groups_.reset();
}

FAIRLEAD_DECL void session_core::forget_group(std::size_t index) noexcept {
  auto& own = *groups_;
  const auto left = std::move(own[index]);  // goes last
  if (index + 1 != own.size()) own[index] = std::move(own.back());
  own.pop_back();
  if (index < own.size()) own[index]->set_index(*this, index);
}

FAIRLEAD_DECL void session_core::count_missed(std::size_t n) {
  outbox_.count_drop(drop_reason::thread_busy, n);
  touch();
}

// --- Release.

FAIRLEAD_DECL void session_core::release(completion<std::error_code, released_connection> done) {
  if (!mailbox_->is_current()) {
    const auto shared_done =
        std::make_shared<completion<std::error_code, released_connection>>(std::move(done));
    const bool posted =
        on_own_thread([shared_done](session_core& self) { self.release(std::move(*shared_done)); });
    if (!posted) shared_done->post(errc::closed, {});
    return;
  }
  if (!is_open()) return done.post(errc::closed, {});
  if (release_wanted()) return done.post(errc::busy, {});
  if (connection_.has_deflate() || !link_->has_socket()) return done.post(errc::not_releasable, {});
  more().release = std::move(done);
  pause_for_release();
  touch();
}

// Between two messages nothing more is read; what was read behind the last is kept as it came.
FAIRLEAD_DECL void session_core::pause_for_release() {
  if (release_wanted() && connection_.is_between_messages()) pause(pause_reason::by_release);
}

FAIRLEAD_DECL void session_core::finish_release() {
  const bool is_due = release_wanted() && is_open() && reading_paused_ && connection_.is_between_messages() &&
                      outbox_.empty() && !outbox_.between_pieces() && connection_.output_size() == 0;
  if (!is_due) return;
  released_connection given;
  given.side = connection_.side();
  given.subprotocol = std::string(subprotocol_);
  const auto header = connection_.unfinished_header();
  given.unread.assign(header.begin(), header.end());
  const auto unread = extras_->unread.bytes().subspan(extras_->unread_begin);
  given.unread.insert(given.unread.end(), unread.begin(), unread.end());
  given.socket = owned_socket(link_->release());
  auto done = std::move(extras_->release);
  ended_with_ = errc::released;
  connection_.receive_eof(*this);
  end();
  done.post({}, std::move(given));
}

FAIRLEAD_DECL void session_core::report_end(const close_info& info) {
  const auto kind = static_cast<std::size_t>(ended_with_.value());
  auto& closed = loop_.counters().closed;
  closed[kind < closed.size() ? kind : 0].add(1);
  call(route_->callbacks.on_close, info);
  if (route_->sink != nullptr) route_->sink->on_close(handle(), info);
}

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#endif
