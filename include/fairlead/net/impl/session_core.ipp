#ifndef FAIRLEAD_NET_IMPL_SESSION_CORE_IPP
#define FAIRLEAD_NET_IMPL_SESSION_CORE_IPP

#include <fairlead/handshake/request.hpp>
#include <fairlead/net/detail/session_core.hpp>

#include <asio/co_spawn.hpp>
#include <asio/error.hpp>

#include <algorithm>
#include <cstring>
#include <utility>

namespace fairlead::inline FAIRLEAD_ABI::detail {

// Bytes that a peer may still send when all is said, before its link is closed regardless. Enough for the
// rest of a message that was refused: who sent it is to see why.
inline constexpr std::size_t min_lingered_size = 16 * 1024 * 1024;

FAIRLEAD_DECL session_core::session_core(session_service& service, role r, link_ptr l,
                                         std::shared_ptr<const session_route> route,
                                         std::string_view subprotocol)
    : service_(service),
      mailbox_(service.letters()),
      link_(std::move(l)),
      route_(std::move(route)),
      connection_(r, route_->options.connection, service.workspace(),
                  r == role::client ? &service.mask_keys() : nullptr),
      subprotocol_(subprotocol) {}

FAIRLEAD_DECL session_core::~session_core() = default;

FAIRLEAD_DECL void session_core::open(std::string_view response, const deflate_params* deflate, request head,
                                      std::span<std::byte> behind) {
  add_reference();
  service_.add(*this);
  const session_service::turn turn(service_, *this);
  set_up(deflate);
  connection_.send_handshake(response);
  link_->start(*this);
  opened_ = true;
  start_route(std::move(head));
  if (!behind.empty()) feed(behind);
  flush();
}

FAIRLEAD_DECL void session_core::open_as_client(const deflate_params* deflate, std::span<std::byte> behind) {
  add_reference();
  service_.add(*this);
  const session_service::turn turn(service_, *this);
  set_up(deflate);
  link_->start(*this);
  opened_ = true;
  if (has_receiving_callbacks()) {
    reading_paused_ = true;
    link_->pause_reading();
    if (!behind.empty()) more().unread.append(behind);
  } else if (!behind.empty()) {
    feed(behind);
  }
  flush();
}

FAIRLEAD_DECL void session_core::set_up(const deflate_params* deflate) {
  if (route_->callbacks.on_part) connection_.receive_in_parts();
  if (deflate != nullptr) {
    connection_.enable_deflate(*deflate, route_->options.deflate, service_.compression());
  }
}

FAIRLEAD_DECL void session_core::begin_receiving() {
  if (has_receiving_callbacks()) request_resume();
}

FAIRLEAD_DECL void session_core::start_route(request head) {
  try {
    if (route_->callbacks.on_open) route_->callbacks.on_open(service_.current_handle(), head);
    if (!route_->coroutine) return;
    asio::co_spawn(service_.context(), route_->coroutine(service_.current_handle(), std::move(head)),
                   [self = core_ptr(this)](std::exception_ptr error) { self->on_coroutine_end(error); });
  } catch (...) {
    report(std::current_exception());
  }
}

FAIRLEAD_DECL void session_core::on_coroutine_end(std::exception_ptr error) {
  try {
    if (error) std::rethrow_exception(error);
  } catch (const std::system_error& e) {
    const bool is_end =
        e.code() == errc_condition::disconnected || e.code() == asio::error::operation_aborted;
    if (!is_end) return report(error);
  } catch (...) {
    return report(error);
  }
  try_close(close_code::normal, {});
}

FAIRLEAD_DECL void session_core::report(std::exception_ptr error) {
  if (route_->on_error) {
    try {
      route_->on_error(session(core_ptr(this)), error);
    } catch (...) {  // there is nobody left to tell
    }
  }
  try_close(close_code::internal_error, {});
}

// --- From the link.

FAIRLEAD_DECL std::span<std::byte> session_core::read_room() { return connection_.payload_room(); }

FAIRLEAD_DECL void session_core::on_bytes(std::span<std::byte> bytes) {
  const session_service::turn turn(service_, *this);
  if (lingering_) {
    lingered_size_ += bytes.size();
    const std::size_t max_size = std::max(min_lingered_size, 2 * route_->options.connection.max_message_size);
    if (lingered_size_ > max_size) end();
    return;
  }
  feed(bytes);
  flush();
}

FAIRLEAD_DECL void session_core::feed(std::span<std::byte> bytes) {
  const std::size_t used = connection_.receive(bytes, service_.now(), *this);
  if (used < bytes.size()) more().unread.append(bytes.subspan(used));
}

FAIRLEAD_DECL void session_core::on_writable() {
  const session_service::turn turn(service_, *this);
  blocked_ = false;
  flush();
}

FAIRLEAD_DECL void session_core::on_eof() {
  const session_service::turn turn(service_, *this);
  at_eof_ = true;
  if (lingering_ || !finished_) {
    connection_.receive_eof(*this);
    return end();
  }
  flush();  // a close frame may still be on its way
}

FAIRLEAD_DECL void session_core::on_link_error(std::error_code) {
  const session_service::turn turn(service_, *this);
  connection_.receive_eof(*this);
  end();
}

FAIRLEAD_DECL void session_core::on_timer(time_point) {
  const session_service::turn turn(service_, *this);
  connection_.on_deadline(*this);
  end();
}

// --- From the protocol.

FAIRLEAD_DECL flow session_core::on_message(message_view m) {
  if (!is_open()) return flow::proceed;  // try_close() discards what still comes
  if (route_->callbacks.on_message) {
    try {
      route_->callbacks.on_message(service_.current_handle(), m);
    } catch (...) {
      report(std::current_exception());
    }
    return flow::proceed;
  }
  if (messages().put(m.keep())) return flow::proceed;
  reading_paused_ = true;
  link_->pause_reading();
  return flow::pause;
}

FAIRLEAD_DECL flow session_core::on_message_part(message_part part) {
  if (!is_open()) return flow::proceed;
  try {
    route_->callbacks.on_part(service_.current_handle(), part);
  } catch (...) {
    report(std::current_exception());
  }
  return flow::proceed;
}

FAIRLEAD_DECL void session_core::on_close(close_code code, std::string_view reason) {
  finish({code, reason, {}});
}

FAIRLEAD_DECL void session_core::on_failure(errc why, close_code code) {
  const std::error_code error = why;
  finish({code, error.message(), error});
}

// --- Sending.

FAIRLEAD_DECL send_result session_core::try_send(message_view m) {
  if (!is_open()) return send_result::closed;
  if (in_own_turn() && outbox_.empty() && !outbox_.between_pieces()) {
    // One read may bring more replies than a quantum. An error shows again when the turn ends.
    if (!connection_.writable() && !blocked_ && link_ != nullptr) write_some();
    if (connection_.writable()) {
      connection_.send(m);
      return blocked_ ? send_result::queued : send_result::sent;
    }
  }
  if (!reserve(m.size())) return send_result::dropped;
  if (mailbox_->is_current()) return enqueue(m.keep());
  const bool posted = on_own_thread([whole = m.keep()](session_core& self) { self.enqueue(whole); });
  return posted ? send_result::posted : send_result::closed;
}

// True when there is room for a message of that size; otherwise the session is on its way to its end. Any
// thread.
FAIRLEAD_DECL bool session_core::reserve(std::size_t size) {
  if (outbox_.reserve(size, route_->options.queue_hard)) return true;
  if (mailbox_->is_current()) {
    overflow();
  } else {
    on_own_thread([](session_core& self) { self.overflow(); });
  }
  return false;
}

// Takes a message for which there was room. It may come from another thread and too late: nothing is sent
// behind one that was dropped. But what was posted before a try_close() is sent.
FAIRLEAD_DECL send_result session_core::enqueue(message m, sent_as as) {
  if (finished_ || ended_with_ || !connection_.is_open()) {
    outbox_.release(m.size());
    return send_result::closed;
  }
  const bool waits = blocked_ || !outbox_.empty() || outbox_.between_pieces();
  outbox_.push({std::move(m), piece_of(as)});
  touch();
  return waits ? send_result::queued : send_result::sent;
}

FAIRLEAD_DECL piece session_core::piece_of(sent_as as) noexcept {
  if (as == sent_as::whole) return piece::whole;
  const bool begins = !std::exchange(parts_open_, as == sent_as::part);
  if (as == sent_as::part) return begins ? piece::first : piece::middle;
  return begins ? piece::whole : piece::last;
}

FAIRLEAD_DECL void session_core::overflow() {
  if (!accepting_.exchange(false)) return;
  ended_with_ = errc::queue_full;
  outbox_.clear();
  complete_senders(errc::queue_full);
  request_close(close_code::try_again_later, "the queue is full");
}

FAIRLEAD_DECL std::size_t session_core::backlog() const noexcept {
  return outbox_.size() + connection_.output_size();
}

FAIRLEAD_DECL void session_core::send(message content, sent_as as, completion<std::error_code> done,
                                      std::uint64_t wait_number) {
  if (mailbox_->is_current() && as == sent_as::whole) {
    switch (try_send(content)) {
      case send_result::closed: return done.post(errc::closed);
      case send_result::dropped: return done.post(errc::queue_full);
      default: return await_low(std::move(done), wait_number);
    }
  }
  if (!is_open()) return done.post(errc::closed);
  if (!reserve(content.size())) return done.post(errc::queue_full);
  if (mailbox_->is_current()) {
    if (enqueue(std::move(content), as) == send_result::closed) return done.post(errc::closed);
    return await_low(std::move(done), wait_number);
  }
  const auto shared_done = std::make_shared<completion<std::error_code>>(std::move(done));
  const bool posted = on_own_thread([content, as, shared_done, wait_number](session_core& self) {
    if (self.enqueue(content, as) == send_result::closed) return shared_done->post(errc::closed);
    self.await_low(std::move(*shared_done), wait_number);
  });
  if (!posted) shared_done->post(errc::closed);
}

FAIRLEAD_DECL void session_core::await_low(completion<std::error_code> done, std::uint64_t wait_number) {
  if (backlog() <= route_->options.queue_low) return done.post({});
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
  for (auto it = senders.begin(); it != senders.end(); ++it) {
    if (it->number != wait_number) continue;
    it->done.post(asio::error::operation_aborted);
    senders.erase(it);
    return;
  }
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
    waiter.sent_at = service_.now();
    const std::error_code closed = connection_.ping(std::as_bytes(std::span(&waiter.number, 1)));
    static_cast<void>(closed);  // then finish() completes it
  }
}

FAIRLEAD_DECL void session_core::on_pong(std::span<const std::byte> payload) {
  std::uint64_t number = 0;
  if (extras_ == nullptr || payload.size() != sizeof number) return;  // a pong that nobody asked for
  std::memcpy(&number, payload.data(), sizeof number);
  auto& pings = extras_->pings;
  const auto own = std::ranges::find(pings, number, &ping_waiter::number);
  if (own == pings.end() || own->sent_at == time_point::max()) return;
  const time_point now = service_.now();
  for (auto it = pings.begin(); it != own + 1; ++it) it->done.post({}, now - it->sent_at);
  pings.erase(pings.begin(), own + 1);
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

// --- Receiving.

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
  if (taken.has_room) request_resume();
  return std::move(taken.outcome);
}

FAIRLEAD_DECL void session_core::cancel_receive(std::uint64_t wait_number) {
  if (!mailbox_->is_current()) {
    on_own_thread([wait_number](session_core& self) { self.cancel_receive(wait_number); });
    return;
  }
  if (inbox_ != nullptr) inbox_->cancel(wait_number);
}

FAIRLEAD_DECL void session_core::request_resume() {
  if (!mailbox_->is_current()) {
    on_own_thread([](session_core& self) { self.request_resume(); });
    return;
  }
  resume_wanted_ = true;
  touch();
}

FAIRLEAD_DECL void session_core::resume_reading() {
  if (!reading_paused_ || link_ == nullptr) return;
  reading_paused_ = false;
  if (extras_ != nullptr && !extras_->unread.empty()) {
    growing_bytes unread = std::move(extras_->unread);
    feed(unread.bytes());
    flush();  // what was sent meanwhile may refer to `unread`
  }
  if (!reading_paused_ && link_ != nullptr) link_->resume_reading();
}

// --- Closing.

FAIRLEAD_DECL std::error_code session_core::try_close(close_code code, std::string_view reason) {
  if (const std::error_code error = connection::check_close(code, reason)) return error;
  if (!accepting_.exchange(false)) return errc::closed;
  if (mailbox_->is_current()) {
    request_close(code, std::string(reason));
  } else {
    on_own_thread([code, text = std::string(reason)](session_core& self) { self.request_close(code, text); });
  }
  return {};
}

FAIRLEAD_DECL void session_core::request_close(close_code code, std::string reason) {
  if (finished_) return;
  more().close = close_request{code, std::move(reason)};
  // From now, not from the close frame: a peer that does not read must not hold up the end.
  service_.schedule_in(*this, route_->options.connection.close_timeout);
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

FAIRLEAD_DECL void session_core::close_when_drained() {
  if (extras_ == nullptr || !extras_->close || !outbox_.empty() || !connection_.is_open()) return;
  const std::error_code refused =
      connection_.close(extras_->close->code, extras_->close->reason, service_.now());
  static_cast<void>(refused);  // checked by try_close()
  extras_->close.reset();
  // The peer's close frame may stand behind messages that nobody receives; they are discarded now.
  if (!reading_paused_) return;
  resume_wanted_ = true;
  request_turn();
}

FAIRLEAD_DECL void session_core::finish(close_info info) {
  if (finished_) return;
  finished_ = true;
  accepting_ = false;
  if (!ended_with_) ended_with_ = info.error;
  info.error = ended_with_;
  outbox_.clear();
  if (inbox_ != nullptr) inbox_->end(ended_with_);
  complete_senders(errc::closed);
  if (extras_ != nullptr) {
    for (auto& closer : extras_->closers) closer.post(ended_with_);
    extras_->closers.clear();
    for (ping_waiter& waiter : extras_->pings) waiter.done.post(errc::closed, {});
    extras_->pings.clear();
  }
  if (!opened_ || !route_->callbacks.on_close) return;
  try {
    route_->callbacks.on_close(service_.current_handle(), info);
  } catch (...) {
    report(std::current_exception());
  }
}

FAIRLEAD_DECL void session_core::stop() {
  if (lingering_) return abort();
  try_close(close_code::going_away, "the server is shutting down");
}

FAIRLEAD_DECL void session_core::abort() {
  const session_service::turn turn(service_, *this);
  connection_.receive_eof(*this);
  end();
}

// --- Writing.

FAIRLEAD_DECL void session_core::touch() {
  if (!in_own_turn()) request_turn();
}

FAIRLEAD_DECL void session_core::request_turn() {
  if (dirty_) return;
  dirty_ = true;
  service_.mark_dirty(core_ptr(this));
}

FAIRLEAD_DECL void session_core::serve_dirty() {
  if (link_ == nullptr) return;
  const session_service::turn turn(service_, *this);
  dirty_ = false;
  if (std::exchange(resume_wanted_, false)) resume_reading();
  flush();
}

FAIRLEAD_DECL void session_core::flush() {
  if (link_ == nullptr) return;
  do {
    send_pings();
    connection_.pull(*this);
    close_when_drained();
  } while (!blocked_ && connection_.output_size() != 0 && write_output());
  if (link_ == nullptr) return;
  connection_.settle();
  after_flush();
}

FAIRLEAD_DECL std::error_code session_core::write_some() {
  const std::size_t size = connection_.output_size();
  const write_result written = link_->write(connection_.output());
  if (written.error) return written.error;
  connection_.consume(written.size);
  blocked_ = written.size < size;
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
  if (extras_ != nullptr && !extras_->senders.empty() && backlog() <= route_->options.queue_low) {
    complete_senders({});
  }
  if (finished_ && !is_scheduled()) {
    service_.schedule_in(*this, route_->options.connection.close_timeout);
  }
  if (connection_.wants_shutdown() && !lingering_) linger();
}

// Everything is said. The peer is told so, and what it still sends is read and discarded: closing a socket
// with unread bytes resets it, and the reset could overtake our close frame (RFC 6455 section 7.1.1).
FAIRLEAD_DECL void session_core::linger() {
  lingering_ = true;
  link_->shutdown_sending();
  if (at_eof_) return end();
  if (std::exchange(reading_paused_, false)) link_->resume_reading();
}

FAIRLEAD_DECL void session_core::end() {
  if (link_ == nullptr) return;
  service_.cancel(*this);
  link_.reset();
  connection_.settle();
  connection_.release();
  service_.remove(*this);
  ended_ = true;
}

// The service's reference goes with the turn: a callback may have moved the turn's handle away.
FAIRLEAD_DECL void session_core::end_turn() noexcept {
  if (std::exchange(ended_, false)) drop_reference();
}

FAIRLEAD_DECL void session_core::drop() noexcept {
  finished_ = true;
  accepting_ = false;
  service_.cancel(*this);
  link_.reset();
  connection_.release();
  if (inbox_ != nullptr) inbox_->drop();
  extras_.reset();
  drop_reference();
}

// --- Parts that are made when they are needed.

FAIRLEAD_DECL inbox& session_core::messages() {
  if (inbox_ == nullptr) {
    inbox_ = std::make_unique<inbox>(route_->options.inbox_size);
    if (finished_) inbox_->end(ended_with_);
  }
  return *inbox_;
}

FAIRLEAD_DECL session_core::extras& session_core::more() {
  if (extras_ == nullptr) extras_ = std::make_unique<extras>();
  return *extras_;
}

// Runs `f` with this session on its own thread. False when that is gone.
template <class Function>
bool session_core::on_own_thread(Function f) {
  return mailbox_->post(task([self = core_ptr(this), f = std::move(f)]() mutable { f(*self.get()); }));
}

FAIRLEAD_DECL asio::any_io_executor session_core::executor() const { return mailbox_->executor(); }

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#endif
