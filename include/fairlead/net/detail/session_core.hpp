#ifndef FAIRLEAD_NET_DETAIL_SESSION_CORE_HPP
#define FAIRLEAD_NET_DETAIL_SESSION_CORE_HPP

#include <fairlead/config.hpp>
#include <fairlead/net/detail/asio_configuration.hpp>
#include <fairlead/net/detail/outbox.hpp>
#include <fairlead/net/detail/session_service.hpp>
#include <fairlead/net/session.hpp>
#include <fairlead/net/session_options.hpp>
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
};

/// The connection behind the session handles: joins the protocol, which knows bytes, to a link, which moves
/// them, and to the route's callbacks or coroutine, which use the messages.
///
/// Lives until the last reference is gone; the service holds one while there is a link. Everything but the
/// functions marked "any thread" runs on the thread of the service's context.
class session_core final : public endpoint, private event_sink, private message_source {
 public:
  session_core(session_service& service, role r, link_ptr l, std::shared_ptr<const session_route> route,
               std::string_view subprotocol);
  ~session_core() override;

  void add_reference() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  void drop_reference() noexcept {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

  /// Begins the session of a server.
  ///
  /// \param response  The head that accepts the upgrade.
  /// \param deflate   What it agrees to; null for messages as they are.
  /// \param behind    The bytes that came behind the request.
  void open(std::string_view response, const deflate_params* deflate, request head,
            std::span<std::byte> behind);

  /// Begins the session of a client. With callbacks nothing is received before begin_receiving().
  ///
  /// \param deflate  What was agreed to; null for messages as they are.
  /// \param behind   The bytes that came behind the response.
  void open_as_client(const deflate_params* deflate, std::span<std::byte> behind);

  // Any thread.
  void begin_receiving();
  send_result try_send(message_view m);
  std::error_code try_close(close_code code, std::string_view reason);
  bool is_open() const noexcept { return accepting_.load(std::memory_order_relaxed); }
  std::string_view subprotocol() const noexcept { return subprotocol_; }
  asio::any_io_executor executor() const;
  std::uint64_t next_wait_number() noexcept { return wait_number_.fetch_add(1, std::memory_order_relaxed); }
  void receive(std::unique_ptr<receive_waiter> waiter, std::uint64_t wait_number);
  received take_received(bool cancelled);
  void cancel_receive(std::uint64_t wait_number);
  void send(message content, sent_as as, completion<std::error_code> done, std::uint64_t wait_number);
  void cancel_send(std::uint64_t wait_number);
  void ping(completion<std::error_code, duration> done, std::uint64_t wait_number);
  void cancel_ping(std::uint64_t wait_number);
  void close(close_code code, std::string reason, completion<std::error_code> done);

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
  struct close_request {
    close_code code;
    std::string reason;
  };

  /// What only a session that lags, closes or is awaited needs.
  struct extras {
    std::vector<send_waiter> senders;
    std::vector<ping_waiter> pings;  // those that are sent, in that order, then those that are not
    std::vector<completion<std::error_code>> closers;
    std::optional<close_request> close;
    growing_bytes unread;
  };

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

  // message_source
  std::optional<outgoing> next() override { return outbox_.pop(); }

  void on_timer(time_point now) override;
  void drop() noexcept override;

  bool has_receiving_callbacks() const noexcept {
    return route_->callbacks.on_message || route_->callbacks.on_part;
  }
  void set_up(const deflate_params* deflate);
  bool in_own_turn() const noexcept { return session_service::current == this; }
  void start_route(request head);
  void on_coroutine_end(std::exception_ptr error);
  void feed(std::span<std::byte> bytes);
  void request_resume();
  void resume_reading();
  void send_pings();
  void flush();
  std::error_code write_some();
  bool write_output();
  void close_when_drained();
  void after_flush();
  void linger();
  void end();

  bool reserve(std::size_t size);
  send_result enqueue(message m, sent_as as = sent_as::whole);
  piece piece_of(sent_as as) noexcept;
  void await_low(completion<std::error_code> done, std::uint64_t wait_number);
  void complete_senders(std::error_code ec);
  void overflow();
  std::size_t backlog() const noexcept;
  void request_close(close_code code, std::string reason);
  void finish(close_info info);
  void report(std::exception_ptr error);
  void touch();
  void request_turn();
  template <class Function>
  bool on_own_thread(Function f);
  inbox& messages();
  extras& more();

  session_service& service_;
  std::shared_ptr<mailbox> mailbox_;
  link_ptr link_;
  std::shared_ptr<const session_route> route_;
  connection connection_;
  std::string_view subprotocol_;
  outbox outbox_;
  std::unique_ptr<inbox> inbox_;
  std::unique_ptr<extras> extras_;
  std::error_code ended_with_;
  std::size_t lingered_size_ = 0;
  std::atomic<std::uint64_t> wait_number_ = 1;
  std::atomic<std::uint32_t> references_ = 0;
  std::atomic<bool> accepting_ = true;
  bool opened_ = false;
  bool finished_ = false;
  bool ended_ = false;    // in this turn
  bool blocked_ = false;  // the link took less than it was given
  bool reading_paused_ = false;
  bool resume_wanted_ = false;
  bool at_eof_ = false;
  bool lingering_ = false;
  bool parts_open_ = false;  // the last of them is still to be given to send_part()
  bool dirty_ = false;
};

}  // namespace detail
}  // namespace fairlead

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/net/impl/session_core.ipp>
#include <fairlead/net/impl/session_service.ipp>
#endif

#endif
