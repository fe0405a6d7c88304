#ifndef FAIRLEAD_NET_SESSION_DETAIL_SESSION_CORE_HPP
#define FAIRLEAD_NET_SESSION_DETAIL_SESSION_CORE_HPP

#include <fairlead/config.hpp>
#include <fairlead/net/detail/asio_configuration.hpp>
#include <fairlead/net/session/detail/event_loop.hpp>
#include <fairlead/net/session/detail/heartbeat.hpp>
#include <fairlead/net/session/detail/incoming_limiter.hpp>
#include <fairlead/net/session/detail/lagging_sessions.hpp>
#include <fairlead/net/session/detail/outbox.hpp>
#include <fairlead/net/session/detail/session_context.hpp>
#include <fairlead/net/session/net_counters.hpp>
#include <fairlead/net/session/session.hpp>
#include <fairlead/net/session/session_options.hpp>
#include <fairlead/protocol/connection.hpp>

#include <asio/awaitable.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace fairlead::inline FAIRLEAD_ABI {

class request;

namespace detail {

/// What the sessions of one route share.
struct session_route {
  handlers callbacks;
  std::function<asio::awaitable<void>(session, request)> coroutine;  // empty when the callbacks receive
  session_options options;
  std::function<void(const session&, std::exception_ptr)> on_error;
  std::shared_ptr<net_sink> sink = nullptr;  // for none
};

/// A message_class that outlives the call that brought it.
struct kept_class {
  message_class plain;
  std::string key;
  session source;

  /// Null for the class of messages that have none.
  static std::shared_ptr<kept_class> of(const message_class& c);

  /// Lives as long as this.
  message_class view() const noexcept;
};

/// Whether peers may say who they are once their sessions have begun.
inline bool may_authenticate(const session_options& o) noexcept {
  return o.authenticate || o.authentication_timeout != duration::zero();
}

/// What is known of a session's peer before it begins.
struct known_peer {
  peer_address address;
  std::string user;  // empty while it has not said so
  std::shared_ptr<void> data;
  const std::type_info* data_type = nullptr;
};

/// A route that differs from `base` in the options of its sessions.
std::shared_ptr<const session_route> with_options(std::shared_ptr<const session_route> base,
                                                  session_options options);
class group_shard;

/// Why a session does not read.
enum class pause_reason : unsigned char {
  inbox_full,
  not_begun,       // a client's handler has not returned
  by_application,  // session::pause_reading()
  by_receivers,    // slow_policy::pause_source; counted, since there may be several
  by_rate,         // incoming_limits
  asking,          // session_options::authenticate decides
  by_release,      // the last message was handed out
};

/// The connection behind the session handles: joins the protocol, which knows bytes, to a link, which moves
/// them, and to the route's callbacks or coroutine, which use the messages.
///
/// Lives until the last reference is gone; the loop holds one while there is a link. Everything but the
/// functions marked "any thread" runs on the thread of the loop's context.
class session_core final : public endpoint, public charged_queue, private event_sink, private message_source {
 public:
  session_core(event_loop& loop, role r, link_ptr l, std::shared_ptr<const session_route> route,
               std::string_view subprotocol);
  ~session_core() override;

  void add_reference() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  void drop_reference() noexcept {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

  /// Begins the session of a server.
  ///
  /// \param server    Its sessions, of which this is one from now on.
  /// \param response  The head that accepts the upgrade.
  /// \param deflate   What it agrees to; null for messages as they are.
  /// \param behind    The bytes that came behind the request.
  void open(endpoint_group& server, std::string_view response, const deflate_params* deflate, request head,
            known_peer peer, std::span<std::byte> behind);

  /// Begins with a connection behind its handshake.
  ///
  /// \param unread  What the peer sent already.
  void open_adopted(endpoint_group& server, known_peer peer, std::span<std::byte> unread);

  /// Begins the session of a client. With callbacks nothing is received before begin_receiving().
  ///
  /// \param deflate  What was agreed to; null for messages as they are.
  /// \param behind   The bytes that came behind the response.
  void open_as_client(const deflate_params* deflate, std::span<std::byte> behind);

  // Any thread: sending.
  send_result try_send(message_view m, const message_class& c);
  void send(message content, std::shared_ptr<kept_class> kept, sent_as as, completion<std::error_code> done,
            std::uint64_t wait_number);
  void cancel_send(std::uint64_t wait_number);
  void ping(completion<std::error_code, duration> done, std::uint64_t wait_number);
  void cancel_ping(std::uint64_t wait_number);

  // Any thread: receiving.
  void begin_receiving() { resume(pause_reason::not_begun); }
  void receive(std::unique_ptr<receive_waiter> waiter, std::uint64_t wait_number);
  received take_received(bool cancelled);
  void cancel_receive(std::uint64_t wait_number);
  void pause(pause_reason why);
  void resume(pause_reason why);

  // Any thread: closing.
  std::error_code try_close(close_code code, std::string_view reason);
  void close(close_code code, std::string reason, completion<std::error_code> done);

  void release(completion<std::error_code, released_connection> done);

  // Any thread: what the session is.
  bool is_open() const noexcept { return accepting_.load(std::memory_order_relaxed); }
  session_state state() const noexcept { return state_.load(std::memory_order_relaxed); }
  const session_id& id() const noexcept { return id_; }
  const peer_address& peer() const noexcept { return peer_; }
  std::string_view subprotocol() const noexcept { return subprotocol_; }
  std::string_view header(std::string_view name) const noexcept;
  std::string user() const;
  void set_user(std::string name);
  session_statistics statistics() const noexcept;
  asio::any_io_executor executor() const { return mailbox_->executor(); }
  std::uint64_t next_wait_number() noexcept { return wait_number_.fetch_add(1, std::memory_order_relaxed); }

  void set_data(std::shared_ptr<void> data, const std::type_info& type);
  void* find_data(const std::type_info& type) const noexcept;

  bool is_session() const noexcept override { return true; }
  bool may_leave() const noexcept override { return is_open(); }
  void leave(time_point by, std::string reason) override;
  /// How its thread is reached. Any thread.
  const std::shared_ptr<mailbox>& home() const noexcept { return mailbox_; }

  // Its own thread: its groups.

  /// What a group's members are given: that is only queued, so that no member is written to in another's turn.
  send_result give(const message_view& m, const message_class& c) { return take(m, c); }

  /// Messages to a group were not sent, since this session's thread is busy.
  void count_missed(std::size_t n);
  /// Also when another thread has closed it: what that sent to the group before comes first.
  bool may_join() const noexcept {
    return state() != session_state::closing && link_ != nullptr && !finished_;
  }
  std::vector<std::shared_ptr<group_shard>>& groups();
  void forget_group(std::size_t index) noexcept;

  void stop() override;
  void abort() override;

  /// A turn of its own, after mark_dirty().
  void serve_dirty();

  /// Called in a turn that an exception ends: nothing is known of what was half done, so the session ends too.
  void abandon() noexcept;

  /// Called last in each turn; the session may be gone after it.
  void end_turn() noexcept;

 private:
  struct send_waiter {
    std::uint64_t number;
    completion<std::error_code> done;
  };
  struct ping_waiter {
    std::uint64_t number;
    time_point sent_at;  // time_point::max() until it is sent
    completion<std::error_code, duration> done;
  };
  struct held_source {  // whose reading is paused until this queue has drained
    core_ptr core;
    time_point since;
  };
  struct close_request {
    close_code code;
    std::string reason;
  };

  /// What only a session that lags, closes or is awaited needs.
  struct extras {
    std::vector<send_waiter> senders;
    std::vector<ping_waiter> pings;  // those that are sent, in that order, then those that are not
    std::vector<completion<std::error_code>> closers;
    completion<std::error_code, released_connection> release;  // empty unless it is wanted
    std::optional<close_request> close;
    growing_bytes unread;
    std::size_t unread_begin = 0;           // what is before it was taken
    std::vector<held_source> held_sources;  // in the order of their times
    drop_counts reported_drops;
  };

  // --- Life: session_core.ipp

  // link_sink
  std::span<std::byte> read_room() override;
  void on_bytes(std::span<std::byte> bytes) override;
  void on_writable() override;
  void on_eof() override;
  void on_link_error(std::error_code ec) override;

  // event_sink
  flow on_message(message_view m) override;
  flow on_message_part(message_part part) override;
  void on_ping(std::span<const std::byte>) override {}
  void on_pong(std::span<const std::byte> payload) override;
  void on_close(close_code code, std::string_view reason) override;
  void on_failure(errc why, close_code code) override;

  bool in_own_turn() const noexcept { return event_loop::current == this; }
  bool has_receiving_callbacks() const noexcept {
    return route_->callbacks.on_message || route_->callbacks.on_part;
  }
  /// For callbacks. One of them may have moved it away.
  session& handle() {
    session& own = loop_.current_handle();
    if (own.core_.get() != this) own = session(core_ptr(this));
    return own;
  }
  const session_options& options() const noexcept { return route_->options; }
  void introduce(known_peer peer);
  void begin(request head, std::span<std::byte> behind);
  void set_up(const deflate_params* deflate);
  void announce();
  void start_route(request head);
  void start_coroutine(request head);
  void on_coroutine_end(std::exception_ptr error);
  template <class Callback, class... Args>
  void call(const Callback& callback, const Args&... args);
  void report(std::exception_ptr error);
  std::size_t receive_bytes(std::span<std::byte> bytes);
  void feed(std::span<std::byte> bytes);
  void enter(session_state to);
  void report_state();
  void on_activity();
  void linger();
  void end();
  void drop() noexcept override;
  template <class Function>
  void in_turn(Function f);
  void touch();
  void request_turn();
  template <class Function>
  bool on_own_thread(Function f);
  session_context& context() const;
  inbox& messages();
  extras& more();

  // --- Who the peer is: session_authentication.ipp

  duration authentication_time() const noexcept;
  bool asks_peer() const noexcept {
    return state() == session_state::authenticating && options().authenticate;
  }
  authentication& asking();
  void ask(message_view first);
  void on_answer(std::exception_ptr error, std::optional<std::string> name);
  void keep_user(std::string name);
  void on_authenticated();
  void stop_asking();

  // --- Time: session_timing.ipp

  void on_timer(time_point now) override;
  void schedule_by(time_point deadline);
  time_point next_deadline() const;
  std::optional<time_point> unfinished_since() const noexcept;
  void check_deadlines(time_point now);
  bool heartbeat_runs() const noexcept;
  void close_for(errc why, close_code code);
  void beat(time_point now);
  void give_up(errc why);

  // --- Sending: session_sending.ipp

  // message_source
  std::optional<outgoing> next() override;

  // charged_queue
  void give_way() override;
  void give_up_input() override;

  outbox::watermarks watermarks() const noexcept;
  send_result take(const message_view& m, const message_class& c);
  send_result take_piece(message m, sent_as as);
  piece piece_of(sent_as as) noexcept;
  bool may_take() const noexcept { return !finished_ && !ended_with_ && connection_.is_open(); }
  std::error_code reserve(std::size_t size, slow_policy policy);
  void on_taken(lane l);
  void pace();
  void limit_unsent();
  void hold(const session& source);
  void release_sources();
  bool holds_for_too_long(time_point now);
  void await_low(send_result result, completion<std::error_code> done, std::uint64_t wait_number);
  void complete_senders(std::error_code ec);
  void send_pings();
  std::size_t backlog() const noexcept { return outbox_.size() + connection_.output_size(); }
  std::size_t quantum();
  void flush();
  void write_all();
  std::error_code write_some();
  bool write_output();
  void on_blocked();
  void count_sent(std::size_t size, bool ends_message = true);
  bool has_drained() const;
  bool report_drain();
  void send_drop_notice(const drop_counts& drops);
  void on_round_trip(duration sample);
  void charge();
  void after_flush();

  // --- Receiving: session_receiving.ipp

  bool is_paused(pause_reason why) const noexcept { return (pauses_ & bit_of(why)) != 0; }
  static std::uint8_t bit_of(pause_reason why) noexcept {
    return static_cast<std::uint8_t>(1u << static_cast<unsigned>(why));
  }
  void resume_reading();
  void feed_unread();
  incoming_limiter& limiter();
  bool admit(std::size_t size, bool ends_message = true);
  void refuse_for_rate(rate_verdict over);
  void pause_for_rate();
  std::size_t unfinished_size() const;
  void charge_input();

  // --- Closing: session_closing.ipp

  void disconnect(errc why);
  void leave_groups() noexcept;
  void request_close(close_code code, std::string reason, time_point by);
  time_point in_close_timeout();
  void close_when_drained();
  void finish(close_info info);
  bool release_wanted() const noexcept { return extras_ != nullptr && extras_->release; }
  void pause_for_release();
  void finish_release();
  void report_end(const close_info& info);

  event_loop& loop_;
  std::shared_ptr<mailbox> mailbox_;
  link_ptr link_;
  std::shared_ptr<const session_route> route_;
  connection connection_;
  std::string_view subprotocol_;
  const session_id id_;
  peer_address peer_;  // does not change once it is open
  outbox outbox_;
  std::unique_ptr<inbox> inbox_;
  std::unique_ptr<extras> extras_;
  std::unique_ptr<std::vector<std::shared_ptr<group_shard>>> groups_;
  mutable std::atomic<session_context*> context_ = nullptr;  // owned; null before it is needed
  std::atomic<incoming_limiter*> limiter_ = nullptr;         // the same
  std::error_code ended_with_;

  time_point opened_at_{};
  time_point timer_at_ = time_point::max();
  time_point close_at_ = time_point::max();  // when the link goes, whatever the peer does
  time_point blocked_since_{};
  std::atomic<time_point> active_at_{};
  heartbeat beat_;
  time_point beat_sent_at_ = time_point::max();  // when its pong is awaited
  round_trip round_trip_;
  std::uint32_t holds_ = 0;  // receivers that want no more from this source

  live_traffic received_;
  live_traffic sent_;
  std::size_t lingered_size_ = 0;
  std::atomic<std::uint64_t> wait_number_ = 1;
  std::atomic<std::uint32_t> references_ = 0;
  std::atomic<session_state> state_ = session_state::connecting;
  std::atomic<bool> accepting_ = true;
  session_state reported_state_ = session_state::connecting;
  std::uint8_t pauses_ = 0;  // a bit for each pause_reason
  bool opened_ = false;
  bool finished_ = false;
  bool ended_ = false;    // in this turn
  bool blocked_ = false;  // the link takes nothing now
  bool lagging_ = false;  // it was blocked, and not all was sent since
  bool paced_ = false;    // no more is framed than the link sends soon: what waits may still change
  bool unsent_limited_ = false;
  bool has_sent_ = false;  // a message, since the last turn
  bool was_high_ = false;
  bool reading_paused_ = false;
  bool resume_wanted_ = false;
  bool at_eof_ = false;
  bool lingering_ = false;
  bool leaving_ = false;     // told by a drain: what is queued has until close_at_
  bool parts_open_ = false;  // the last of them is still to be given to send_part()
  bool dirty_ = false;
};

}  // namespace detail
}  // namespace fairlead

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/net/session/impl/endpoint.ipp>
#include <fairlead/net/session/impl/event_loop.ipp>
#include <fairlead/net/session/impl/session_authentication.ipp>
#include <fairlead/net/session/impl/session_closing.ipp>
#include <fairlead/net/session/impl/session_core.ipp>
#include <fairlead/net/session/impl/session_receiving.ipp>
#include <fairlead/net/session/impl/session_sending.ipp>
#include <fairlead/net/session/impl/session_timing.ipp>
#endif

#endif
