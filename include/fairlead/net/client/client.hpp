#ifndef FAIRLEAD_NET_CLIENT_CLIENT_HPP
#define FAIRLEAD_NET_CLIENT_CLIENT_HPP

#include <fairlead/config.hpp>
#include <fairlead/handshake/head_limits.hpp>
#include <fairlead/handshake/http_field.hpp>
#include <fairlead/handshake/response_head.hpp>
#include <fairlead/net/detail/asio_configuration.hpp>
#include <fairlead/net/link/link_kind.hpp>
#include <fairlead/net/link/tls.hpp>
#include <fairlead/net/session/detail/completion.hpp>
#include <fairlead/net/session/net_counters.hpp>
#include <fairlead/net/session/session.hpp>
#include <fairlead/net/session/session_options.hpp>
#include <fairlead/time.hpp>

#include <asio/any_io_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/io_context.hpp>
#include <asio/use_awaitable.hpp>

#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace fairlead::inline FAIRLEAD_ABI {

/// The steps of connect(), in their order; those that a URL does not need are left out.
enum class connect_stage : unsigned char {
  arguments,  ///< The URL and the options.
  resolve,    ///< The name of the host, or of the proxy, into addresses.
  connect,    ///< To one of them.
  proxy,      ///< The proxy, to the server.
  tls,        ///< The TLS handshake.
  handshake,  ///< The request for an upgrade, and the answer.
};

/// In which stage connect() failed with this error.
FAIRLEAD_DECL connect_stage stage_of(std::error_code ec) noexcept;

/// The stage in a word, such as `resolve`.
FAIRLEAD_DECL std::string_view name_of(connect_stage stage) noexcept;

/// How long each stage of connect() may take; without limit: duration::max().
struct connect_deadlines {
  duration resolve = std::chrono::seconds(10);
  duration connect = std::chrono::seconds(10);  ///< All addresses together.
  duration proxy = std::chrono::seconds(10);
  duration tls = std::chrono::seconds(10);
  duration handshake = std::chrono::seconds(10);
};

/// An HTTP proxy, asked with CONNECT (RFC 9110 section 9.3.6). Not for local sockets.
struct http_proxy {
  std::string host;  ///< A name or an address; IPv6 without brackets.
  std::uint16_t port = 8080;
  std::vector<header_field> fields{};  ///< Such as Proxy-Authorization.
};

/// How a client connects, and how its session behaves.
struct client_options {
  /// As for a server's sessions; `session.deflate` is what is offered, `session.subprotocols` too, the preferred
  /// one first.
  session_options session{};

  std::vector<header_field>
      fields{};  ///< More fields of the request, such as Origin, Authorization or Cookie.

  tls_client_context tls{};  ///< For `wss`. As it is: the system's authorities, and the URL's host.

  std::optional<http_proxy> proxy{};

  connect_deadlines deadlines{};

  link_kind link =
      link_kind::epoll;  ///< As for a server: plain Asio links where several threads run the context.

  /// Receive in place of session::receive(). Nothing is received before the handler of connect() has returned,
  /// which stands in place of on_open: that is not called.
  handlers callbacks{};

  /// Is told what the callbacks throw, on the session's thread.
  std::function<void(const fairlead::session& ws, std::exception_ptr error)> on_error = nullptr;

  /// Sees the head of the server's answer, whatever its status, before connect() completes: for its fields, such as
  /// Retry-After or Location. Must not throw. `head` ends with the call.
  std::function<void(const response_head& head)> on_response = nullptr;

  std::shared_ptr<net_sink> sink{};  ///< As for a server's sessions.

  head_limits head{};  ///< What the head of the answer, or of the proxy's, may cost.
};

namespace detail {

using connected = completion<std::error_code, core_ptr>;

/// A connect() that is under way, which may be given up from any thread.
struct connect_attempt;

FAIRLEAD_DECL std::shared_ptr<connect_attempt> make_connect_attempt(const asio::any_io_executor& executor);
FAIRLEAD_DECL void begin_connect(const std::shared_ptr<connect_attempt>& attempt, std::string url,
                                 client_options options, connected done);
FAIRLEAD_DECL void cancel_connect(const std::shared_ptr<connect_attempt>& attempt);
FAIRLEAD_DECL void discard(const core_ptr& core);
FAIRLEAD_DECL void begin_receiving(const core_ptr& core);

/// What waits for the end of a connect().
template <class Handler>
class connect_handler {
 public:
  using allocator_type = asio::associated_allocator_t<Handler>;
  using executor_type = asio::associated_executor_t<Handler, asio::any_io_executor>;

  connect_handler(Handler handler, const asio::any_io_executor& fallback,
                  std::shared_ptr<const bool> cancelled)
      : handler_(std::move(handler)),
        executor_(asio::get_associated_executor(handler_, fallback)),
        cancelled_(std::move(cancelled)) {}

  allocator_type get_allocator() const noexcept { return asio::get_associated_allocator(handler_); }
  executor_type get_executor() const noexcept { return executor_; }

  void operator()(std::error_code ec, core_ptr core) {
    if (auto slot = asio::get_associated_cancellation_slot(handler_); slot.is_connected()) slot.clear();
    // Cancelled after it was posted: nobody would own the session.
    const bool is_discarded = !ec && cancelled_ != nullptr && *cancelled_;
    if (is_discarded) {
      discard(core);
      ec = asio::error::operation_aborted;
    }
    try {
      std::move(handler_)(ec, session(is_discarded ? core_ptr() : core));
    } catch (...) {
      begin_receiving(core);  // the session outlives what the handler throws
      throw;
    }
    begin_receiving(core);  // also what is discarded: the close handshake is read
  }

 private:
  Handler handler_;
  executor_type executor_;
  std::shared_ptr<const bool> cancelled_;  // null without a slot
};

template <class Handler>
void start_connect(const asio::any_io_executor& executor, std::string url, client_options options,
                   Handler handler) {
  const auto attempt = make_connect_attempt(executor);
  std::shared_ptr<bool> cancelled;
  if (auto slot = asio::get_associated_cancellation_slot(handler); slot.is_connected()) {
    cancelled = std::make_shared<bool>(false);
    slot.assign([attempt, cancelled](asio::cancellation_type type) {
      if (type == asio::cancellation_type::none) return;
      *cancelled = true;
      cancel_connect(attempt);
    });
  }
  begin_connect(
      attempt, std::move(url), std::move(options),
      connected(connect_handler<Handler>(std::move(handler), executor, std::move(cancelled)), executor));
}

}  // namespace detail

/// Connects to a WebSocket server (RFC 6455 section 4.1) and gives the same session that servers have.
///
/// A name is resolved without blocking, and the addresses of both families are tried in turn, a quarter of a second
/// apart, until one answers (RFC 8305). The first that is connected is used. While a name is being resolved the
/// context cannot be destroyed: its destructor waits for the system's answer.
///
/// \param executor  Of an io_context, or of a strand of one; the session lives on that context, which one thread runs,
///                  or several after share_between_threads(): then on the event loop with the fewest, or on that of the
///                  session whose executor it is. May be called from any thread.
/// \param url       As for parse_url(): `ws://`, `wss://`, `ws+unix:`, `wss+unix:`.
/// \param options   Copied before the call returns.
/// \par Completion signature  void(std::error_code, session). stage_of() says in which stage it failed. What the
///                            options and the URL have wrong: errc::bad_url, errc::bad_argument. Names that are not
///                            found: Asio's resolver errors. Addresses that do not answer: the system's. A proxy,
///                            certificates, TLS, the upgrade: errc, tls_category(); another status than 101:
///                            http_status. A deadline that passed: errc::resolve_timeout, connect_timeout,
///                            proxy_timeout, tls_timeout, handshake_timeout.
/// \par Cancellation          All kinds: asio::error::operation_aborted, and there is no session.
template <class Token = asio::use_awaitable_t<>>
auto connect(asio::any_io_executor executor, std::string_view url, client_options options = {},
             Token&& token = {}) {
  return asio::async_initiate<Token, void(std::error_code, session)>(
      [](auto handler, const asio::any_io_executor& e, std::string u, client_options o) {
        detail::start_connect(e, std::move(u), std::move(o), std::move(handler));
      },
      token, std::move(executor), std::string(url), std::move(options));
}

/// The same on a context.
template <class Token = asio::use_awaitable_t<>>
auto connect(asio::io_context& context, std::string_view url, client_options options = {},
             Token&& token = {}) {
  return connect(asio::any_io_executor(context.get_executor()), url, std::move(options),
                 std::forward<Token>(token));
}

}  // namespace fairlead

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/net/client/impl/client.ipp>
#endif

#endif
