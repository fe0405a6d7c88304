#ifndef FAIRLEAD_NET_SESSION_IMPL_SESSION_CORE_IPP
#define FAIRLEAD_NET_SESSION_IMPL_SESSION_CORE_IPP

#include <fairlead/handshake/request.hpp>
#include <fairlead/net/session/detail/session_core.hpp>

#include <asio/co_spawn.hpp>
#include <asio/error.hpp>

#include <algorithm>
#include <cassert>
#include <new>
#include <utility>

namespace fairlead::inline FAIRLEAD_ABI::detail {

// Bytes that a peer may still send when all is said, before its link is closed regardless. Enough for the
// rest of a message that was refused: who sent it is to see why.
inline constexpr std::size_t min_lingered_size = 16 * 1024 * 1024;

FAIRLEAD_DECL session_core::session_core(event_loop& loop, role r, link_ptr l,
                                         std::shared_ptr<const session_route> route,
                                         std::string_view subprotocol)
    : loop_(loop),
      mailbox_(loop.letters()),
      link_(std::move(l)),
      route_(std::move(route)),
      connection_(r, route_->options.connection, loop.workspace(),
                  r == role::client ? &loop.mask_keys() : nullptr),
      subprotocol_(subprotocol),
      id_(loop.next_id()),
      peer_(link_->peer()),
      outbox_(mailbox_->drops) {
  loop_.counters().sessions[static_cast<std::size_t>(session_state::connecting)].add(1);
}

FAIRLEAD_DECL session_core::~session_core() {
  delete context_.load(std::memory_order_relaxed);
  delete limiter_.load(std::memory_order_relaxed);
}

FAIRLEAD_DECL std::shared_ptr<const session_route> with_options(std::shared_ptr<const session_route> base,
                                                                session_options options) {
  const auto varied = std::make_shared<session_route>();
  const handlers& callbacks = base->callbacks;
  // Through `base`, since callbacks and coroutine are one object for all sessions.
  const auto same = [&base]<class... Args>(const std::function<void(Args...)>& callback) {
    std::function<void(Args...)> forward;
    if (callback) {
      forward = [base, of_base = &callback](Args... args) { (*of_base)(std::forward<Args>(args)...); };
    }
    return forward;
  };
  varied->callbacks = {same(callbacks.on_open),  same(callbacks.on_message), same(callbacks.on_part),
                       same(callbacks.on_drain), same(callbacks.on_state),   same(callbacks.on_close)};
  if (base->coroutine) {
    varied->coroutine = [base](session ws, request head) {
      return base->coroutine(std::move(ws), std::move(head));
    };
  }
  varied->options = std::move(options);
  varied->on_error = base->on_error;
  varied->sink = base->sink;
  return varied;
}

FAIRLEAD_DECL void session_core::open(endpoint_group& server, std::string_view response,
                                      const deflate_params* deflate, request head, known_peer peer,
                                      std::span<std::byte> behind) {
  add_reference();
  loop_.add(*this, server);
  const event_loop::turn turn(loop_, *this);
  for (const std::string& name : options().kept_headers) {
    if (const auto value = head.field(name))
      context().headers.push_back(header_field{name, std::string(*value)});
  }
  introduce(std::move(peer));
  set_up(deflate);
  connection_.send_handshake(response);
  begin(std::move(head), behind);
}

FAIRLEAD_DECL void session_core::open_adopted(endpoint_group& server, known_peer peer,
                                              std::span<std::byte> unread) {
  add_reference();
  loop_.add(*this, server);
  const event_loop::turn turn(loop_, *this);
  introduce(std::move(peer));
  set_up(nullptr);
  begin(request(), unread);
}

FAIRLEAD_DECL void session_core::begin(request head, std::span<std::byte> behind) {
  link_->start(*this);
  announce();
  start_route(std::move(head));
  if (!behind.empty()) feed(behind);
  flush();
}

FAIRLEAD_DECL void session_core::open_as_client(const deflate_params* deflate, std::span<std::byte> behind) {
  add_reference();
  loop_.add(*this);
  const event_loop::turn turn(loop_, *this);
  set_up(deflate);
  link_->start(*this);
  announce();
  if (has_receiving_callbacks()) {
    pause(pause_reason::not_begun);
    if (!behind.empty()) more().unread.append(behind);
  } else if (!behind.empty()) {
    feed(behind);
  }
  flush();
}

FAIRLEAD_DECL void session_core::introduce(known_peer peer) {
  peer_ = peer.address;
  if (!peer.user.empty()) context().user = std::move(peer.user);
  if (peer.data != nullptr) set_data(std::move(peer.data), *peer.data_type);
}

FAIRLEAD_DECL void session_core::set_up(const deflate_params* deflate) {
  opened_at_ = loop_.now();
  active_at_.store(opened_at_, std::memory_order_relaxed);
  // A first message that says who the peer is comes whole.
  if (route_->callbacks.on_part && !options().authenticate) connection_.receive_in_parts();
  if (deflate != nullptr) {
    connection_.enable_deflate(*deflate, route_->options.deflate, loop_.compression());
  }
}

// Nothing can fail any more: who is told of the begin is told of the end.
FAIRLEAD_DECL void session_core::announce() {
  opened_ = true;
  const bool has_to_authenticate = may_authenticate(options()) && user().empty();
  enter(has_to_authenticate ? session_state::authenticating : session_state::active);
  if (has_to_authenticate) {
    connection_.limit_messages(options().unauthenticated_message_size);
  }
  reported_state_ = state();
  const heartbeat_options& beats = options().heartbeat;
  if (heartbeat_runs()) {
    beat_.start(opened_at_, beats.interval, id_.number);
    if (beats.timeout < duration::max() - beats.interval)
      link_->give_up_after(beats.interval + beats.timeout);
  }
  loop_.counters().opened.add(1);
  schedule_by(next_deadline());
  if (route_->sink != nullptr) route_->sink->on_open(handle());
}

FAIRLEAD_DECL void session_core::start_route(request head) {
  try {
    if (route_->callbacks.on_open) route_->callbacks.on_open(handle(), head);
    if (!route_->coroutine) return;
    if (!asks_peer()) return start_coroutine(std::move(head));
    asking().head = std::make_shared<request>(std::move(head));
  } catch (...) {
    report(std::current_exception());
  }
}

FAIRLEAD_DECL void session_core::start_coroutine(request head) {
  asio::co_spawn(loop_.executor(), route_->coroutine(session(core_ptr(this)), std::move(head)),
                 [self = core_ptr(this)](std::exception_ptr error) { self->on_coroutine_end(error); });
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

// Calls one of the route's callbacks, if it has it, in a turn.
template <class Callback, class... Args>
void session_core::call(const Callback& callback, const Args&... args) {
  if (!callback) return;
  try {
    callback(handle(), args...);
  } catch (...) {
    report(std::current_exception());
  }
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

FAIRLEAD_DECL std::span<std::byte> session_core::read_room() {
  try {
    return connection_.payload_room();
  } catch (const std::bad_alloc&) {  // then the link's own buffer has to do
    return {};
  }
}

FAIRLEAD_DECL void session_core::on_bytes(std::span<std::byte> bytes) {
  in_turn([&] {
    if (lingering_) {
      lingered_size_ += bytes.size();
      const std::size_t max_size =
          std::max(min_lingered_size, 2 * route_->options.connection.max_message_size);
      if (lingered_size_ > max_size) end();
      return;
    }
    feed(bytes);
    charge_input();
    flush();
  });
}

FAIRLEAD_DECL std::size_t session_core::receive_bytes(std::span<std::byte> bytes) {
  const time_point now = loop_.recent();
  beat_.on_heard(now);
  const std::size_t used = connection_.receive(bytes, now, *this);
  pause_for_release();
  return used;
}

FAIRLEAD_DECL void session_core::feed(std::span<std::byte> bytes) {
  const std::size_t used = receive_bytes(bytes);
  if (used < bytes.size()) more().unread.append(bytes.subspan(used));
}

FAIRLEAD_DECL void session_core::on_writable() {
  in_turn([&] {
    blocked_ = false;
    beat_.on_heard(loop_.recent());  // it took what was in front of the question
    flush();
    schedule_by(next_deadline());  // the heartbeat's may be before that of the last write
  });
}

FAIRLEAD_DECL void session_core::on_eof() {
  in_turn([&] {
    at_eof_ = true;
    if (lingering_ || !finished_) {
      connection_.receive_eof(*this);
      return end();
    }
    flush();  // a close frame may still be on its way
  });
}

FAIRLEAD_DECL void session_core::on_link_error(std::error_code) {
  in_turn([&] {
    connection_.receive_eof(*this);
    end();
  });
}

// --- From the protocol.

FAIRLEAD_DECL flow session_core::on_message(message_view m) {
  if (!is_open()) return flow::proceed;  // try_close() discards what still comes
  received_.add(m.size());
  loop_.counters().received.add(m.size());
  on_activity();
  if (options().incoming.any() && !admit(m.size())) return flow::proceed;
  if (asks_peer()) {
    ask(m);
  } else if (route_->callbacks.on_message) {
    call(route_->callbacks.on_message, m);
  } else if (route_->callbacks.on_part) {  // begun when the peer was not known yet
    call(route_->callbacks.on_part, message_part{m.kind(), m.bytes(), true});
  } else if (!messages().put(m.keep())) {
    pause(pause_reason::inbox_full);
  }
  if (release_wanted()) pause(pause_reason::by_release);
  return reading_paused_ ? flow::pause : flow::proceed;
}

FAIRLEAD_DECL flow session_core::on_message_part(message_part part) {
  if (!is_open()) return flow::proceed;
  received_.add(part.bytes.size(), part.last);
  loop_.counters().received.add(part.bytes.size(), part.last);
  on_activity();
  if (options().incoming.any() && !admit(part.bytes.size(), part.last)) return flow::proceed;
  call(route_->callbacks.on_part, part);
  if (part.last && release_wanted()) pause(pause_reason::by_release);
  return reading_paused_ ? flow::pause : flow::proceed;
}

FAIRLEAD_DECL void session_core::on_close(close_code code, std::string_view reason) {
  finish({code, reason, {}});
}

FAIRLEAD_DECL void session_core::on_failure(errc why, close_code code) {
  const std::error_code error = ended_with_ ? ended_with_ : std::error_code(why);
  finish({code, error.message(), error});
}

// --- State.

FAIRLEAD_DECL void session_core::enter(session_state to) {
  const session_state from = state();
  assert(may_follow(from, to));
  state_.store(to, std::memory_order_relaxed);
  loop_.counters().sessions[static_cast<std::size_t>(from)].subtract(1);
  loop_.counters().sessions[static_cast<std::size_t>(to)].add(1);
  if (opened_ && to != session_state::closed) touch();  // to report it
}

// Between on_open and on_close, in a turn; of states that followed each other at once the last.
FAIRLEAD_DECL void session_core::report_state() {
  const session_state from = std::exchange(reported_state_, state());
  if (from == reported_state_ || finished_) return;
  call(route_->callbacks.on_state, from, reported_state_);
  if (route_->sink != nullptr) route_->sink->on_state(handle(), from, reported_state_);
}

FAIRLEAD_DECL void session_core::on_activity() {
  active_at_.store(loop_.recent(), std::memory_order_relaxed);
  if (state() == session_state::idle) {
    enter(session_state::active);
    schedule_by(next_deadline());
  }
}

FAIRLEAD_DECL session_context& session_core::context() const {
  session_context* made = context_.load(std::memory_order_acquire);
  if (made != nullptr) return *made;
  auto fresh = std::make_unique<session_context>();
  // Of two threads the first wins.
  if (context_.compare_exchange_strong(made, fresh.get(), std::memory_order_acq_rel)) return *fresh.release();
  return *made;
}

FAIRLEAD_DECL std::string_view session_core::header(std::string_view name) const noexcept {
  const session_context* const known = context_.load(std::memory_order_acquire);
  if (known == nullptr) return {};
  for (const header_field& field : known->headers) {
    if (equals_ignoring_case(field.name, name)) return field.value;
  }
  return {};
}

FAIRLEAD_DECL std::string session_core::user() const {
  session_context* const known = context_.load(std::memory_order_acquire);
  if (known == nullptr) return {};
  const std::lock_guard lock(known->mutex);
  return known->user;
}

FAIRLEAD_DECL void session_core::set_data(std::shared_ptr<void> data, const std::type_info& type) {
  session_context& known = context();
  known.data = std::move(data);
  known.data_type = &type;
}

FAIRLEAD_DECL void* session_core::find_data(const std::type_info& type) const noexcept {
  const session_context* const known = context_.load(std::memory_order_acquire);
  const bool is_there = known != nullptr && known->data_type != nullptr && *known->data_type == type;
  return is_there ? known->data.get() : nullptr;
}

FAIRLEAD_DECL session_statistics session_core::statistics() const noexcept {
  session_statistics s;
  s.messages_received = received_.messages.load();
  s.bytes_received = received_.bytes.load();
  s.messages_sent = sent_.messages.load();
  s.bytes_sent = sent_.bytes.load();
  s.drops = outbox_.drops();
  if (const incoming_limiter* const used = limiter_.load(std::memory_order_acquire)) {
    s.rate_pauses = used->pauses.read();
    s.rate_drops = used->drops.read();
  }
  s.queue_size = outbox_.size();
  s.queue_size_max = outbox_.max_size();
  s.opened_at = opened_at_;
  s.last_activity = active_at_.load(std::memory_order_relaxed);
  s.round_trip = round_trip_.smoothed();
  return s;
}

// --- Turns.

// What no memory does to a session stays with that session.
template <class Function>
void session_core::in_turn(Function f) {
  const event_loop::turn turn(loop_, *this);
  try {
    f();
  } catch (const std::bad_alloc&) {
    abandon();
  }
}

FAIRLEAD_DECL void session_core::touch() {
  if (!in_own_turn()) request_turn();
}

FAIRLEAD_DECL void session_core::request_turn() {
  if (dirty_) return;
  loop_.mark_dirty(core_ptr(this));
  dirty_ = true;
}

FAIRLEAD_DECL void session_core::serve_dirty() {
  if (link_ == nullptr) return;
  in_turn([&] {
    dirty_ = false;
    if (std::exchange(resume_wanted_, false)) resume_reading();
    flush();
  });
}

// --- The end.

FAIRLEAD_DECL void session_core::stop() {
  if (lingering_) return abort();
  if (std::exchange(leaving_, false)) {  // its queue has waited long enough
    close_at_ = std::min(close_at_, in_close_timeout());
    return schedule_by(close_at_);
  }
  try_close(close_code::going_away, "the server is shutting down");
}

FAIRLEAD_DECL void session_core::abort() {
  in_turn([&] {
    connection_.receive_eof(*this);
    end();
  });
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
  leave_groups();
  loop_.cancel(*this);
  link_.reset();
  loop_.counters().sessions[static_cast<std::size_t>(state())].subtract(1);
  connection_.settle();
  connection_.release();
  loop_.lagging(options().budget).forget(*this);
  loop_.remove(*this);
  ended_ = true;
}

FAIRLEAD_DECL void session_core::abandon() noexcept {
  if (link_ == nullptr) return;
  try {
    connection_.consume(connection_.output_size());  // it may refer to what is gone
    connection_.receive_eof(*this);
  } catch (...) {  // the same again, such as want of memory; there is no more to be told
  }
  end();
}

// The loop's reference goes with the turn: a callback may have moved the turn's handle away.
FAIRLEAD_DECL void session_core::end_turn() noexcept {
  if (std::exchange(ended_, false)) drop_reference();
}

FAIRLEAD_DECL void session_core::drop() noexcept {
  finished_ = true;
  accepting_ = false;
  state_.store(session_state::closed, std::memory_order_relaxed);
  leave_groups();
  loop_.cancel(*this);
  loop_.lagging(options().budget).forget(*this);
  link_.reset();
  connection_.release();
  if (inbox_ != nullptr) inbox_->drop();
  try {
    release_sources();               // which may live on another context
  } catch (const std::bad_alloc&) {  // then that source ends at its own timeouts
  }
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

FAIRLEAD_DECL std::vector<std::shared_ptr<group_shard>>& session_core::groups() {
  if (groups_ == nullptr) groups_ = std::make_unique<std::vector<std::shared_ptr<group_shard>>>();
  return *groups_;
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

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#endif
