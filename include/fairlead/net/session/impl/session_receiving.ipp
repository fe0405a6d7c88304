#ifndef FAIRLEAD_NET_SESSION_IMPL_SESSION_RECEIVING_IPP
#define FAIRLEAD_NET_SESSION_IMPL_SESSION_RECEIVING_IPP

#include <fairlead/net/session/detail/session_core.hpp>

#include <utility>

namespace fairlead::inline FAIRLEAD_ABI::detail {

FAIRLEAD_DECL void session_core::receive(std::unique_ptr<receive_waiter> waiter, std::uint64_t wait_number) {
  if (!mailbox_->is_current()) {
    const auto shared = std::make_shared<std::unique_ptr<receive_waiter>>(std::move(waiter));
    const bool posted = on_own_thread(
        [shared, wait_number](session_core& self) { self.receive(std::move(*shared), wait_number); });
    if (!posted) (*shared)->schedule(std::move(*shared), errc::closed);
    return;
  }
  if (has_receiving_callbacks()) {
    receive_waiter& refused = *waiter;
    return refused.schedule(std::move(waiter), errc::busy);
  }
  messages().wait(std::move(waiter), wait_number);
}

FAIRLEAD_DECL received session_core::take_received(bool cancelled) {
  inbox::taken taken = inbox_->take(cancelled);
  if (taken.has_room) resume(pause_reason::inbox_full);
  if (mailbox_->is_current()) {
    charge_input();
  } else if (taken.is_empty) {
    on_own_thread([](session_core& self) { self.charge_input(); });
  }
  return std::move(taken.outcome);
}

FAIRLEAD_DECL void session_core::cancel_receive(std::uint64_t wait_number) {
  if (!mailbox_->is_current()) {
    on_own_thread([wait_number](session_core& self) { self.cancel_receive(wait_number); });
    return;
  }
  if (inbox_ != nullptr) inbox_->cancel(wait_number);
}

// --- Pauses.

FAIRLEAD_DECL void session_core::pause(pause_reason why) {
  if (!mailbox_->is_current()) {
    on_own_thread([why](session_core& self) { self.pause(why); });
    return;
  }
  if (!is_open() || link_ == nullptr) return;  // what still comes is discarded
  if (why == pause_reason::by_receivers) ++holds_;
  pauses_ |= bit_of(why);
  if (std::exchange(reading_paused_, true)) return;
  link_->pause_reading();
}

FAIRLEAD_DECL void session_core::resume(pause_reason why) {
  if (!mailbox_->is_current()) {
    on_own_thread([why](session_core& self) { self.resume(why); });
    return;
  }
  if (why == pause_reason::by_receivers && (holds_ == 0 || --holds_ != 0)) return;
  pauses_ &= static_cast<std::uint8_t>(~bit_of(why));
  if (pauses_ != 0 || !reading_paused_) return;
  resume_wanted_ = true;
  request_turn();
}

// In a turn of its own, since what was read before is handed out here.
FAIRLEAD_DECL void session_core::resume_reading() {
  if (!reading_paused_ || pauses_ != 0 || link_ == nullptr) return;
  reading_paused_ = false;
  beat_.on_heard(loop_.recent());
  connection_.restart_unfinished(loop_.recent());
  if (extras_ != nullptr && !extras_->unread.empty()) feed_unread();
  if (reading_paused_ || link_ == nullptr) return;
  link_->resume_reading();
  schedule_by(next_deadline());
}

// What is not taken of it stays where it is: who is paused after each message is not to have the others copied each
// time.
FAIRLEAD_DECL void session_core::feed_unread() {
  growing_bytes unread = std::move(extras_->unread);
  std::size_t used = std::exchange(extras_->unread_begin, 0);
  used += receive_bytes(unread.bytes().subspan(used));
  if (used < unread.size()) {
    extras_->unread = std::move(unread);
    extras_->unread_begin = used;
  }
  charge_input();
  flush();  // what was sent meanwhile may refer to `unread`
}

// --- Limits.

FAIRLEAD_DECL incoming_limiter& session_core::limiter() {
  incoming_limiter* used = limiter_.load(std::memory_order_relaxed);
  if (used == nullptr) {
    used = new incoming_limiter(options().incoming);
    limiter_.store(used, std::memory_order_release);  // for statistics()
  }
  return *used;
}

// Says whether what has come of a message may be handed out.
FAIRLEAD_DECL bool session_core::admit(std::size_t size, bool ends_message) {
  const incoming_limits& limits = options().incoming;
  const time_point now = loop_.recent();
  incoming_limiter& used = limiter();
  const bool begins_message = !std::exchange(used.in_message, !ends_message);
  if (begins_message && limits.at_limit != over_limit::pause) {
    const rate_verdict over = used.check(limits, now);
    used.is_dropping = over != rate_verdict::ok;
    if (used.is_dropping) refuse_for_rate(over);
  }
  if (used.is_dropping) return false;
  used.take(limits, size, begins_message, now);
  if (limits.at_limit == over_limit::pause) pause_for_rate();
  return true;
}

FAIRLEAD_DECL void session_core::refuse_for_rate(rate_verdict over) {
  if (options().incoming.at_limit == over_limit::close) {
    const errc why = over == rate_verdict::messages ? errc::message_rate_exceeded : errc::byte_rate_exceeded;
    return close_for(why, close_code::policy_violation);
  }
  limiter().drops.add(over);
  loop_.counters().rate_drops.add(over);
}

// Stops reading while there is no room for another message.
FAIRLEAD_DECL void session_core::pause_for_rate() {
  const incoming_limits& limits = options().incoming;
  const time_point now = loop_.recent();
  incoming_limiter& used = limiter();
  const rate_verdict over = used.check(limits, now);
  if (over == rate_verdict::ok) return;
  if (!is_paused(pause_reason::by_rate)) {
    used.pauses.add(over);
    loop_.counters().rate_pauses.add(over);
    pause(pause_reason::by_rate);
  }
  used.resume_at = used.ready_at(limits, now);
  schedule_by(used.resume_at);
}

// --- What has arrived and is not handed out.

FAIRLEAD_DECL std::size_t session_core::unfinished_size() const {
  std::size_t size = connection_.unfinished_size();
  if (extras_ != nullptr) size += extras_->unread.capacity();
  if (inbox_ != nullptr) size += inbox_->size();
  return size;
}

FAIRLEAD_DECL void session_core::charge_input() {
  if (link_ == nullptr) return;
  if (const auto since = unfinished_since()) {
    schedule_by(deadline_after(*since, options().message_timeout));
  }
  loop_.lagging(options().budget).charge_input(*this, unfinished_size());
}

// What is unfinished goes when the close frame is written, in this session's next turn.
FAIRLEAD_DECL void session_core::give_up_input() { disconnect(errc::out_of_budget); }

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#endif
