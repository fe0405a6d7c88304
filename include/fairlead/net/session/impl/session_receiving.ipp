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
  pauses_ |= static_cast<std::uint8_t>(1u << static_cast<unsigned>(why));
  if (std::exchange(reading_paused_, true)) return;
  link_->pause_reading();
}

FAIRLEAD_DECL void session_core::resume(pause_reason why) {
  if (!mailbox_->is_current()) {
    on_own_thread([why](session_core& self) { self.resume(why); });
    return;
  }
  if (why == pause_reason::by_receivers && (holds_ == 0 || --holds_ != 0)) return;
  pauses_ &= static_cast<std::uint8_t>(~(1u << static_cast<unsigned>(why)));
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
  if (extras_ != nullptr && !extras_->unread.empty()) {
    growing_bytes unread = std::move(extras_->unread);
    feed(unread.bytes());
    charge_input();
    flush();  // what was sent meanwhile may refer to `unread`
  }
  if (reading_paused_ || link_ == nullptr) return;
  link_->resume_reading();
  schedule_by(next_deadline());
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
