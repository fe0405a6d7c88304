#ifndef FAIRLEAD_NET_SESSION_SESSION_HPP
#define FAIRLEAD_NET_SESSION_SESSION_HPP

#include <fairlead/config.hpp>
#include <fairlead/net/detail/asio_configuration.hpp>
#include <fairlead/net/session/detail/completion.hpp>
#include <fairlead/net/session/detail/inbox.hpp>
#include <fairlead/net/session/message_class.hpp>
#include <fairlead/net/session/released_connection.hpp>
#include <fairlead/net/session/session_id.hpp>
#include <fairlead/net/session/session_state.hpp>
#include <fairlead/net/session/session_statistics.hpp>
#include <fairlead/peer_address.hpp>
#include <fairlead/protocol/message.hpp>
#include <fairlead/time.hpp>
#include <fairlead/wire/close_code.hpp>

#include <asio/associated_cancellation_slot.hpp>
#include <asio/async_result.hpp>
#include <asio/cancellation_type.hpp>
#include <asio/use_awaitable.hpp>

#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <typeinfo>
#include <utility>

#if !defined(ASIO_HAS_CO_AWAIT)
#error "fairlead needs C++20 coroutines; with Clang take the definitions that fairlead's CMake target carries"
#endif

namespace fairlead::inline FAIRLEAD_ABI {

class request;
class session;
class session_group;

/// What became of a message given to try_send().
enum class send_result : unsigned char {
  sent,       ///< On its way: it leaves with the write that ends the session's turn, this one or its next.
  queued,     ///< Waits until the peer has taken what was sent before.
  conflated,  ///< Waits in the place of an older message with its key.
  posted,  ///< Called from another thread: on its way to the session's own, which does there what its class says.
  dropped,  ///< It gave way, as its class says; or the queue is full, and the session is being closed with 1013.
  closed,  ///< The session is closing or gone.
};

/// How a session ended.
struct close_info {
  /// The peer's close code, or `no_status`; `abnormal` when the peer went without a close frame; the code
  /// that we sent when the connection failed.
  close_code code = close_code::abnormal;
  std::string_view reason;  ///< The peer's words, or ours; valid during the call.
  std::error_code error;    ///< Why it was no clean close (RFC 6455 section 7.1.4); no error for a clean one.
};

/// Callbacks of a route. Each is optional and runs on the session's thread; on_open and on_close come
/// strictly in pairs, and nothing follows on_close. What a callback throws closes the session with 1011 and
/// reaches server::on_error().
///
/// `ws` ends with the call: copy it to keep a handle. With several threads the callbacks of different
/// sessions run at the same time.
struct handlers {
  /// The upgrade is accepted. `head` ends with the call.
  std::function<void(session& ws, const request& head)> on_open = nullptr;

  /// A whole message; its bytes end with the call. Replies of one read leave in one write. Without this
  /// callback messages wait for session::receive().
  std::function<void(session& ws, message_view m)> on_message = nullptr;

  /// A part of a message, as it arrives, instead of on_message: for messages of any size. Set
  /// `max_message_size` to the largest that is welcome; none of it is held in memory.
  std::function<void(session& ws, message_part part)> on_part = nullptr;

  /// The queue is at `queue_low`, after it was at `queue_high` or messages were dropped: how many since the last
  /// call.
  std::function<void(session& ws, const drop_counts& dropped)> on_drain = nullptr;

  /// The session went from one state to another, between on_open and on_close.
  std::function<void(session& ws, session_state from, session_state to)> on_state = nullptr;

  /// The session is over: nothing can be sent or received any more.
  std::function<void(session& ws, const close_info& info)> on_close = nullptr;
};

namespace detail {

class session_core;

/// What a session makes of the content of a send.
enum class sent_as : unsigned char { whole, part, last_part };

struct kept_class;

/// Counts a reference to a session_core.
class core_ptr {
 public:
  core_ptr() noexcept = default;
  explicit core_ptr(session_core* core) noexcept : core_(core) { add_reference(); }
  core_ptr(const core_ptr& other) noexcept : core_(other.core_) { add_reference(); }
  core_ptr(core_ptr&& other) noexcept : core_(std::exchange(other.core_, nullptr)) {}
  core_ptr& operator=(core_ptr other) noexcept {
    std::swap(core_, other.core_);
    return *this;
  }
  ~core_ptr() { drop_reference(); }

  session_core* get() const noexcept { return core_; }
  session_core* operator->() const noexcept { return core_; }
  explicit operator bool() const noexcept { return core_ != nullptr; }

 private:
  void add_reference() const noexcept;
  void drop_reference() const noexcept;

  session_core* core_ = nullptr;
};

}  // namespace detail

/// One WebSocket connection (RFC 6455): the same type for both roles, for handlers and for coroutines.
///
/// A small copyable handle, safe from any thread. The connection lives as long as it is open, whether or not
/// a handle to it exists; a handle to a closed one, or an empty one, answers errc::closed.
///
/// Operations complete on the executor of their handler, never inside the call that starts them. Without a
/// token they are awaited in a coroutine, where an error is thrown as std::system_error. An io_context that
/// is destroyed ends its sessions without completing what is under way.
class session {
 public:
  session() noexcept = default;
  explicit session(detail::core_ptr core) noexcept : core_(std::move(core)) {}

  /// Sends a message without waiting, as one frame.
  ///
  /// \param m  Copied or shared before the call returns. Text has to be UTF-8, and is not checked.
  /// \param c  Among the messages that wait: its lane, and what becomes of it when there are too many.
  /// \return   What became of it: with `dropped` and `closed` it is not sent.
  send_result try_send(message_view m, const message_class& c = {}) const;

  /// Begins to close: messages sent before leave first, then the close frame (RFC 6455 section 7.1.2). The
  /// peer has `close_timeout` from this call on to take them and to answer. What it still sends is discarded;
  /// messages that arrived before can still be received.
  ///
  /// \param code    `no_status` for a close frame without a code, or one that may_be_sent().
  /// \param reason  UTF-8, at most max_close_reason_size bytes; empty with `no_status`. Copied.
  /// \return        errc::bad_argument, or errc::closed when it is closing already.
  std::error_code try_close(close_code code = close_code::normal, std::string_view reason = {}) const;

  /// Waits for the next whole message. At most one at a time; send() and close() may run beside it.
  ///
  /// \par Completion signature  void(std::error_code, std::optional<message>). After a clean close: no error
  ///                            and no message. After any other end: the error, once the messages before it
  ///                            are taken. errc::busy while another receive() waits, and on a session whose
  ///                            route has on_message.
  /// \par Cancellation          All kinds: asio::error::operation_aborted. No message is lost, the session
  ///                            goes on, and receive() may be called again.
  template <class Token = asio::use_awaitable_t<>>
  auto receive(Token&& token = {}) const {
    return asio::async_initiate<Token, void(std::error_code, std::optional<message>)>(
        [core = core_](auto handler) { start_receive(core, std::move(handler)); }, token);
  }

  /// Sends a message and waits until no more than `queue_low` bytes wait for the peer: who awaits each send
  /// cannot outrun it. Any number may be under way; those begun on one thread leave in that order.
  ///
  /// \param m                   As for try_send(); copied or shared before the call returns.
  /// \param c                   As for try_send(); so is its key.
  /// \par Completion signature  void(std::error_code): errc::closed; for send_result::dropped errc::message_dropped,
  ///                            or errc::queue_full when the session is being closed.
  /// \par Cancellation          All kinds: ends the wait with asio::error::operation_aborted; the message is
  ///                            sent all the same.
  template <class Token = asio::use_awaitable_t<>>
  requires(!std::convertible_to<Token, message_class>) auto send(message_view m, Token&& token = {}) const {
    return send(m, message_class(), std::forward<Token>(token));
  }
  template <class Token = asio::use_awaitable_t<>>
  auto send(message_view m, const message_class& c, Token&& token = {}) const {
    return asio::async_initiate<Token, void(std::error_code)>(
        [core = core_](auto handler, message whole, std::shared_ptr<detail::kept_class> kept) {
          start_send(core, std::move(whole), std::move(kept), detail::sent_as::whole, std::move(handler));
        },
        token, m.keep(), keep_class(c));
  }

  /// Sends a message in parts, of which this is the next one, or the first: for messages that are too large to
  /// be held, or not whole yet. Otherwise as send(). One message in parts at a time; what is sent by send()
  /// and try_send() meanwhile leaves behind it. A message that try_close() cuts off stays unfinished, and the
  /// peer discards it.
  ///
  /// Where compression was agreed on, the first part decides for all: the message is compressed unless that part
  /// is uncompressed() or smaller than deflate_options::min_size. The peer can read each part when it arrives,
  /// which costs each about five bytes more, so that small ones do not become smaller. Without `send_takeover`
  /// the session holds a compressor meanwhile, 268,096 bytes by default: see deflate_options.
  ///
  /// \param part  Of the same kind as the first. Text may be cut within a character, and is UTF-8 in all.
  /// \param last  Ends the message.
  template <class Token = asio::use_awaitable_t<>>
  auto send_part(message_view part, bool last, Token&& token = {}) const {
    return asio::async_initiate<Token, void(std::error_code)>(
        [core = core_, last](auto handler, message whole) {
          start_send(core, std::move(whole), nullptr,
                     last ? detail::sent_as::last_part : detail::sent_as::part, std::move(handler));
        },
        token, part.keep());
  }

  /// try_close(), and waits until the session is over, which takes `close_timeout` at most. Any number may be
  /// under way: all wait for the one end, and the code and reason of the first are sent.
  ///
  /// \param code                As for try_close().
  /// \param reason              As for try_close(); copied before the call returns.
  /// \par Completion signature  void(std::error_code): no error after a clean close, or when it was over
  ///                            already; errc::bad_argument, and then it does not close; otherwise why it
  ///                            was not clean.
  /// \par Cancellation          None.
  template <class Token = asio::use_awaitable_t<>>
  auto close(close_code code, std::string_view reason, Token&& token = {}) const {
    return asio::async_initiate<Token, void(std::error_code)>(
        [core = core_](auto handler, close_code c, std::string r) {
          start_close(core, c, std::move(r), std::move(handler));
        },
        token, code, std::string(reason));
  }

  /// Sends a ping and waits for its pong (RFC 6455 sections 5.5.2 and 5.5.3). It passes the messages that wait in
  /// the queue, and not what is already framed. Any number may be under way; a pong answers the pings before its
  /// own as well.
  ///
  /// \par Completion signature  void(std::error_code, duration round_trip): errc::closed when the session is over
  ///                            before the pong.
  /// \par Cancellation          All kinds: asio::error::operation_aborted; the ping is sent all the same.
  template <class Token = asio::use_awaitable_t<>>
  auto ping(Token&& token = {}) const {
    return asio::async_initiate<Token, void(std::error_code, duration)>(
        [core = core_](auto handler) { start_ping(core, std::move(handler)); }, token);
  }

  /// Gives the connection away: to server::adopt(), here or in another process, or to another library. Messages go on
  /// to arrive until one of the peer's ends; what is queued leaves; then the session is over, on_close says
  /// errc::released, and the connection goes on without it. What was received before can still be received.
  ///
  /// \par Completion signature  void(std::error_code, released_connection), after on_close: errc::not_releasable,
  ///                            and the session goes on, with TLS, compression or a link that has no socket;
  ///                            errc::busy while another release() waits; errc::closed when the session ends first.
  /// \par Cancellation          None.
  template <class Token = asio::use_awaitable_t<>>
  auto release(Token&& token = {}) const {
    return asio::async_initiate<Token, void(std::error_code, released_connection)>(
        [core = core_](auto handler) { start_release(core, std::move(handler)); }, token);
  }

  /// Stops reading from the peer, until resume_reading(); nothing more is received but what was read already. A
  /// peer that is not read is not asked whether it lives, and a reset is noticed all the same. From any thread.
  void pause_reading() const;
  void resume_reading() const;

  /// True until the session begins to close, from either side.
  bool is_open() const noexcept;

  session_state state() const noexcept;

  /// Which session this is; the same for all handles to it. All zero for an empty handle.
  session_id id() const noexcept;

  /// Where the peer is: of a server's session the client, as trusted proxies say (server_options::proxies).
  peer_address peer() const noexcept;

  /// Who the peer is, as set_user() said; empty before. From any thread.
  std::string user() const;

  /// Says who the peer is, and makes an authenticating session an active one, unless session_options::authenticate
  /// is deciding just then. From any thread.
  void set_user(std::string name) const;

  /// The value of a field of the upgrade request that session_options::kept_headers names, in any case; empty when
  /// there was none. Lives as long as any handle to the session.
  std::string_view header(std::string_view name) const noexcept;

  /// What the session has done so far. From any thread, though then the numbers may be of different moments.
  session_statistics statistics() const noexcept;

  /// The application's own data: one object of any type, made in place of the one there was. It goes with the last
  /// handle. On the session's thread, as data(), and not through an empty handle.
  template <class T, class... Args>
  T& emplace_data(Args&&... args) const {
    auto made = std::make_shared<T>(std::forward<Args>(args)...);
    T& data = *made;
    set_data(std::move(made), typeid(T));
    return data;
  }

  /// That object; null when there is none, or of another type.
  template <class T>
  T* data() const noexcept {
    return static_cast<T*>(find_data(typeid(T)));
  }

  /// The sub-protocol that was agreed; empty for none. The view lives as long as any handle to the session.
  std::string_view subprotocol() const noexcept;

  /// Whether both are handles to the same connection, or both are empty.
  friend bool operator==(const session& a, const session& b) noexcept {
    return a.core_.get() == b.core_.get();
  }

 private:
  template <class Handler>
  static void start_receive(const detail::core_ptr& core, Handler handler);
  template <class Handler>
  static void start_send(const detail::core_ptr& core, message content,
                         std::shared_ptr<detail::kept_class> kept, detail::sent_as as, Handler handler);
  template <class Handler>
  static void start_ping(const detail::core_ptr& core, Handler handler);
  template <class Handler>
  static void start_release(const detail::core_ptr& core, Handler handler);
  template <class Handler>
  static void start_close(const detail::core_ptr& core, close_code code, std::string reason, Handler handler);
  static std::shared_ptr<detail::kept_class> keep_class(const message_class& c);
  void set_data(std::shared_ptr<void> data, const std::type_info& type) const;
  void* find_data(const std::type_info& type) const noexcept;

  friend detail::session_core;
  friend session_group;
  detail::core_ptr core_;
};

}  // namespace fairlead

#include <fairlead/net/session/impl/session.hpp>
#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/net/session/impl/session.ipp>
#endif

#endif
