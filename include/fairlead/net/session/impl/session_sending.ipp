#ifndef FAIRLEAD_NET_SESSION_IMPL_SESSION_SENDING_IPP
#define FAIRLEAD_NET_SESSION_IMPL_SESSION_SENDING_IPP

#include <fairlead/net/session/detail/session_core.hpp>

#include <asio/error.hpp>

#include <algorithm>
#include <cstring>
#include <utility>

namespace fairlead::inline FAIRLEAD_ABI::detail {

// What the link of a slow peer, or of a session that paces, holds that is not sent. More would be old when the peer
// reads it, and the kernel's memory; less would leave the network waiting for us.
inline constexpr std::size_t max_unsent_size = 16 * 1024;

// Framed at a time for a peer that lags, so that a thousand of them do not hold a full quantum each.
inline constexpr std::size_t lagging_quantum = 16 * 1024;

// A queue up to this size that was empty is not charged before its turn ends: most are empty by then.
inline constexpr std::size_t uncharged_size = 64 * 1024;

FAIRLEAD_DECL std::shared_ptr<kept_class> kept_class::of(const message_class& c) {
  if (c.policy == slow_policy::queue && c.lane == lane::normal) return nullptr;
  auto kept = std::make_shared<kept_class>();
  kept->plain = c;
  kept->key = c.key;
  if (c.source != nullptr) kept->source = *c.source;
  return kept;
}

FAIRLEAD_DECL message_class kept_class::view() const noexcept {
  message_class c = plain;
  c.key = key;
  c.source = plain.source != nullptr ? &source : nullptr;
  return c;
}

// --- Taking messages.

FAIRLEAD_DECL send_result session_core::try_send(message_view m, const message_class& c) {
  if (!is_open()) return send_result::closed;
  const bool is_plain = c.policy == slow_policy::queue;
  if (in_own_turn() && is_plain && !paced_ && !blocked_ && outbox_.empty() && !outbox_.between_pieces()) {
    // One read may bring more replies than a quantum. An error shows again when the turn ends.
    if (!connection_.writable() && link_ != nullptr) write_some();
    if (connection_.writable() && !blocked_) {
      connection_.send(m);
      count_sent(m.size());
      has_sent_ = true;
      return send_result::sent;
    }
  }
  if (mailbox_->is_current()) return take(m, c);
  if (reserve(m.size(), c.policy)) return send_result::dropped;
  const bool posted = on_own_thread([whole = m.keep(), kept = kept_class::of(c)](session_core& self) {
    self.outbox_.release(whole.size());
    self.take(whole, kept != nullptr ? kept->view() : message_class());
  });
  return posted ? send_result::posted : send_result::closed;
}

FAIRLEAD_DECL outbox::watermarks session_core::watermarks() const noexcept {
  return {std::min(options().queue_high, options().queue_hard), options().queue_hard};
}

// Counts a message that is on its way from another thread; an error when it has to be dropped, and with it maybe the
// session.
FAIRLEAD_DECL std::error_code session_core::reserve(std::size_t size, slow_policy policy) {
  const bool may_drop = policy == slow_policy::drop_newest || policy == slow_policy::drop_oldest ||
                        policy == slow_policy::expire;
  std::size_t limit = watermarks().hard;
  if (policy == slow_policy::drop_newest) limit = watermarks().high;
  if (policy == slow_policy::conflate) limit += watermarks().high;  // it may take the place of one that waits
  if (outbox_.reserve(size, limit)) return {};
  if (may_drop) {
    outbox_.count_drop(drop_reason::newest);
    return errc::message_dropped;
  }
  outbox_.count_drop(drop_reason::closed);
  on_own_thread([](session_core& self) { self.disconnect(errc::queue_full); });
  return errc::queue_full;
}

// It may come from another thread and too late: nothing is sent behind one that was dropped. But what was posted
// before a try_close() is sent.
FAIRLEAD_DECL send_result session_core::take(const message_view& m, const message_class& c) {
  if (!may_take()) return send_result::closed;
  if (c.policy != slow_policy::queue) pace();
  const bool waits = blocked_ || !outbox_.empty() || outbox_.between_pieces();
  const time_point now = c.policy == slow_policy::expire ? loop_.now() : loop_.recent();
  switch (outbox_.push(m, c, watermarks(), now)) {
    case outbox::outcome::full:
      outbox_.count_drop(drop_reason::closed);
      disconnect(errc::queue_full);
      return send_result::dropped;
    case outbox::outcome::dropped: was_high_ = true; return send_result::dropped;
    case outbox::outcome::conflated: on_taken(c.lane); return send_result::conflated;
    case outbox::outcome::taken: break;
  }
  on_taken(c.lane);
  if (was_high_ && c.policy == slow_policy::pause_source && c.source != nullptr) hold(*c.source);
  return waits ? send_result::queued : send_result::sent;
}

FAIRLEAD_DECL send_result session_core::take_piece(message m, sent_as as) {
  if (!may_take()) return send_result::closed;
  if (outbox_.push_piece({std::move(m), piece_of(as)}, watermarks()) == outbox::outcome::full) {
    outbox_.count_drop(drop_reason::closed);
    disconnect(errc::queue_full);
    return send_result::dropped;
  }
  on_taken(lane::normal);
  return send_result::queued;
}

FAIRLEAD_DECL piece session_core::piece_of(sent_as as) noexcept {
  const bool begins = !std::exchange(parts_open_, as == sent_as::part);
  if (as == sent_as::part) return begins ? piece::first : piece::middle;
  return begins ? piece::whole : piece::last;
}

// The application's own signals, such as a heartbeat's question, make no session active.
FAIRLEAD_DECL void session_core::on_taken(lane l) {
  if (l != lane::control) has_sent_ = true;
  if (outbox_.size() >= watermarks().high) was_high_ = true;
  touch();
  if (is_charged() || outbox_.size() > uncharged_size) charge();
}

// From now on what waits may change before it is sent, so as little as possible is framed ahead.
FAIRLEAD_DECL void session_core::pace() {
  paced_ = true;
  limit_unsent();
}

FAIRLEAD_DECL void session_core::limit_unsent() {
  if (link_ == nullptr || std::exchange(unsent_limited_, true)) return;
  link_->limit_unsent(max_unsent_size);
}

FAIRLEAD_DECL void session_core::send(message content, std::shared_ptr<kept_class> kept, sent_as as,
                                      completion<std::error_code> done, std::uint64_t wait_number) {
  if (!mailbox_->is_current()) {
    if (!is_open()) return done.post(errc::closed);
    const slow_policy policy = kept != nullptr ? kept->plain.policy : slow_policy::queue;
    if (const std::error_code dropped = reserve(content.size(), policy)) return done.post(dropped);
    const auto shared_done = std::make_shared<completion<std::error_code>>(std::move(done));
    const bool posted = on_own_thread([content, kept, as, shared_done, wait_number](session_core& self) {
      self.outbox_.release(content.size());
      const message_class c = kept != nullptr ? kept->view() : message_class();
      const send_result result = as == sent_as::whole ? self.take(content, c) : self.take_piece(content, as);
      self.await_low(result, std::move(*shared_done), wait_number);
    });
    if (!posted) shared_done->post(errc::closed);
    return;
  }
  if (!is_open()) return done.post(errc::closed);
  const message_class c = kept != nullptr ? kept->view() : message_class();
  const send_result result = as == sent_as::whole ? try_send(content, c) : take_piece(std::move(content), as);
  await_low(result, std::move(done), wait_number);
}

FAIRLEAD_DECL void session_core::await_low(send_result result, completion<std::error_code> done,
                                           std::uint64_t wait_number) {
  if (result == send_result::closed) return done.post(errc::closed);
  if (result == send_result::dropped) return done.post(is_open() ? errc::message_dropped : errc::queue_full);
  if (backlog() <= options().queue_low) return done.post({});
  more().senders.push_back({wait_number, std::move(done)});
}

FAIRLEAD_DECL void session_core::complete_senders(std::error_code ec) {
  if (extras_ == nullptr) return;
  for (send_waiter& sender : extras_->senders) sender.done.post(ec);
  extras_->senders.clear();
}

FAIRLEAD_DECL void session_core::cancel_send(std::uint64_t wait_number) {
  if (!mailbox_->is_current()) {
    on_own_thread([wait_number](session_core& self) { self.cancel_send(wait_number); });
    return;
  }
  if (extras_ == nullptr) return;
  auto& senders = extras_->senders;
  const auto found = std::ranges::find(senders, wait_number, &send_waiter::number);
  if (found == senders.end()) return;
  found->done.post(asio::error::operation_aborted);
  senders.erase(found);
}

// --- Slow receivers.

FAIRLEAD_DECL void session_core::hold(const session& source) {
  if (!source.core_) return;
  auto& held = more().held_sources;
  const auto is_source = [&source](const held_source& h) { return h.core.get() == source.core_.get(); };
  if (std::ranges::any_of(held, is_source)) return;
  const time_point now = loop_.now();
  held.push_back({source.core_, now});
  schedule_by(deadline_after(now, options().max_pause));
  source.core_->pause(pause_reason::by_receivers);
}

FAIRLEAD_DECL void session_core::release_sources() {
  if (extras_ == nullptr) return;
  for (const held_source& source : std::exchange(extras_->held_sources, {})) {
    source.core->resume(pause_reason::by_receivers);
  }
}

// A source that is over is not held up any more.
FAIRLEAD_DECL bool session_core::holds_for_too_long(time_point now) {
  if (extras_ == nullptr) return false;
  auto& held = extras_->held_sources;
  std::erase_if(held, [](const held_source& source) { return !source.core->is_open(); });
  return !held.empty() && now >= deadline_after(held.front().since, options().max_pause);
}

FAIRLEAD_DECL void session_core::give_way() {
  if (!is_open() && !leaving_) {
    outbox_.clear(drop_reason::budget);  // it closes, and does not get them through
  } else if (!blocked_) {
    return;  // who is not slow has had no turn yet to send this
  } else if (outbox_.drop_expendable(drop_reason::budget) != 0) {
    was_high_ = true;
  } else if (leaving_) {
    outbox_.clear(drop_reason::budget);
  } else {
    disconnect(errc::out_of_budget);
  }
  charge();
}

// Counts what waits. Who is called by that may be this session again, through give_way().
FAIRLEAD_DECL void session_core::charge() {
  if (link_ == nullptr) return;
  const std::size_t size = outbox_.size() + connection_.held_output_size();
  if (size == 0 && !is_charged()) return;
  loop_.lagging(options().budget).charge(*this, size);
}

// The queue is low, after it was high or something was dropped, maybe on another thread.
FAIRLEAD_DECL bool session_core::has_drained() const {
  if (!is_open() || backlog() > options().queue_low) return false;
  if (was_high_) return true;
  const std::uint64_t reported = extras_ != nullptr ? extras_->reported_drops.lost() : 0;
  return outbox_.drops().lost() != reported;
}

// True when on_drain was called: it may have sent something.
FAIRLEAD_DECL bool session_core::report_drain() {
  if (!has_drained()) return false;
  was_high_ = false;
  release_sources();
  const drop_counts drops = outbox_.drops();
  const drop_counts since = drops.since(more().reported_drops);
  extras_->reported_drops = drops;
  if (since.lost() != 0) {
    if (route_->sink != nullptr) route_->sink->on_drops(handle(), since);
    if (options().drop_notice) send_drop_notice(since);
  }
  call(route_->callbacks.on_drain, since);
  return true;
}

FAIRLEAD_DECL void session_core::send_drop_notice(const drop_counts& drops) {
  try {
    take(options().drop_notice(drops), {.lane = lane::control});
  } catch (...) {
    report(std::current_exception());
  }
}

// --- Writing.

FAIRLEAD_DECL std::optional<outgoing> session_core::next() {
  std::optional<outgoing> m = outbox_.pop(loop_.recent());
  if (m) count_sent(m->content.size(), m->piece == piece::whole || m->piece == piece::last);
  return m;
}

FAIRLEAD_DECL void session_core::count_sent(std::size_t size, bool ends_message) {
  sent_.add(size, ends_message);
  loop_.counters().sent.add(size, ends_message);
}

FAIRLEAD_DECL void session_core::flush() {
  if (link_ == nullptr) return;
  if (std::exchange(has_sent_, false)) on_activity();
  report_state();
  write_all();
  if (link_ != nullptr && report_drain()) write_all();
  if (link_ == nullptr) return;
  connection_.settle();
  charge();
  after_flush();
}

FAIRLEAD_DECL void session_core::write_all() {
  do {
    send_pings();
    if (!blocked_) connection_.pull(*this, quantum());
    close_when_drained();
  } while (!blocked_ && connection_.output_size() != 0 && write_output());
  if (!blocked_ && outbox_.empty()) lagging_ = false;
}

// How much may be framed now. Blocks when the link would hold it back.
FAIRLEAD_DECL std::size_t session_core::quantum() {
  if (!paced_) return lagging_ ? lagging_quantum : output_workspace::write_quantum;
  if (outbox_.empty()) return 0;
  const std::size_t size = std::min(link_->writable_size(), output_workspace::write_quantum);
  if (size == 0) {
    link_->notify_writable();
    on_blocked();
  }
  return size;
}

FAIRLEAD_DECL void session_core::on_blocked() {
  blocked_ = true;
  lagging_ = true;
  limit_unsent();
  blocked_since_ = loop_.recent();
  schedule_by(deadline_after(blocked_since_, options().write_timeout));
}

FAIRLEAD_DECL std::error_code session_core::write_some() {
  const std::size_t size = connection_.output_size();
  const write_result written = link_->write(connection_.output());
  if (written.error) return written.error;
  connection_.consume(written.size);
  if (written.size < size) on_blocked();
  return {};
}

// True when everything was taken, so that there may be room for more.
FAIRLEAD_DECL bool session_core::write_output() {
  if (write_some()) {
    connection_.settle();
    connection_.receive_eof(*this);
    end();
  }
  return link_ != nullptr && !blocked_;
}

FAIRLEAD_DECL void session_core::after_flush() {
  if (extras_ != nullptr && !extras_->senders.empty() && backlog() <= options().queue_low) {
    complete_senders({});
  }
  if (finished_ && close_at_ == time_point::max()) {
    close_at_ = in_close_timeout();
    schedule_by(close_at_);
  }
  // Its queue is gone, the close frame last: from now on it closes as any other.
  if (leaving_ && !connection_.is_open() && connection_.output_size() == 0) {
    leaving_ = false;
    close_at_ = std::min(close_at_, in_close_timeout());
    schedule_by(close_at_);
  }
  if (has_drained() || reported_state_ != state()) request_turn();  // one report a turn
  if (release_wanted()) return finish_release();
  if (connection_.wants_shutdown() && !lingering_) linger();
}

// --- Pinging.

FAIRLEAD_DECL void session_core::ping(completion<std::error_code, duration> done, std::uint64_t wait_number) {
  if (!mailbox_->is_current()) {
    const auto shared_done = std::make_shared<completion<std::error_code, duration>>(std::move(done));
    const bool posted = on_own_thread(
        [shared_done, wait_number](session_core& self) { self.ping(std::move(*shared_done), wait_number); });
    if (!posted) shared_done->post(errc::closed, {});
    return;
  }
  if (!is_open()) return done.post(errc::closed, {});
  more().pings.push_back({wait_number, time_point::max(), std::move(done)});
  touch();
}

// Each carries its number, by which its pong is known.
FAIRLEAD_DECL void session_core::send_pings() {
  if (extras_ == nullptr) return;
  for (ping_waiter& waiter : extras_->pings) {
    if (waiter.sent_at != time_point::max()) continue;
    waiter.sent_at = loop_.now();
    const std::error_code closed = connection_.ping(std::as_bytes(std::span(&waiter.number, 1)));
    static_cast<void>(closed);  // then finish() completes it
  }
}

FAIRLEAD_DECL void session_core::on_pong(std::span<const std::byte> payload) {
  std::uint64_t number = 0;
  if (payload.size() != sizeof number) return;  // a pong that nobody asked for
  std::memcpy(&number, payload.data(), sizeof number);
  const time_point now = loop_.recent();
  if (number == heartbeat_ping) {
    if (const time_point sent_at = std::exchange(beat_sent_at_, time_point::max());
        sent_at != time_point::max()) {
      on_round_trip(now - sent_at);
    }
    return;
  }
  if (extras_ == nullptr) return;
  auto& pings = extras_->pings;
  const auto own = std::ranges::find(pings, number, &ping_waiter::number);
  if (own == pings.end() || own->sent_at == time_point::max()) return;
  const duration sample = now - own->sent_at;
  for (auto it = pings.begin(); it != own + 1; ++it) it->done.post({}, now - it->sent_at);
  pings.erase(pings.begin(), own + 1);
  on_round_trip(sample);  // last: a sink may ping
}

FAIRLEAD_DECL void session_core::on_round_trip(duration sample) {
  round_trip_.add(sample);
  if (route_->sink != nullptr) route_->sink->on_round_trip(handle(), sample);
}

FAIRLEAD_DECL void session_core::cancel_ping(std::uint64_t wait_number) {
  if (!mailbox_->is_current()) {
    on_own_thread([wait_number](session_core& self) { self.cancel_ping(wait_number); });
    return;
  }
  if (extras_ == nullptr) return;
  auto& pings = extras_->pings;
  const auto found = std::ranges::find(pings, wait_number, &ping_waiter::number);
  if (found == pings.end()) return;
  found->done.post(asio::error::operation_aborted, {});
  pings.erase(found);
}

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#endif
