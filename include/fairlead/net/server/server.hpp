#ifndef FAIRLEAD_NET_SERVER_SERVER_HPP
#define FAIRLEAD_NET_SERVER_SERVER_HPP

#include <fairlead/config.hpp>
#include <fairlead/guard/address_limits.hpp>
#include <fairlead/guard/cors_policy.hpp>
#include <fairlead/guard/trusted_proxies.hpp>
#include <fairlead/handshake/request.hpp>
#include <fairlead/handshake/request_parser.hpp>
#include <fairlead/handshake/response.hpp>
#include <fairlead/net/detail/asio_configuration.hpp>
#include <fairlead/net/link/link.hpp>
#include <fairlead/net/link/link_kind.hpp>
#include <fairlead/net/link/tls.hpp>
#include <fairlead/net/server/admission.hpp>
#include <fairlead/net/server/drain_options.hpp>
#include <fairlead/net/session/detail/completion.hpp>
#include <fairlead/net/session/net_counters.hpp>
#include <fairlead/net/session/session.hpp>
#include <fairlead/net/session/session_options.hpp>
#include <fairlead/time.hpp>

#include <asio/async_result.hpp>
#include <asio/awaitable.hpp>
#include <asio/io_context.hpp>
#include <asio/use_awaitable.hpp>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

namespace fairlead::inline FAIRLEAD_ABI {

/// How a server listens and what its connections may cost. The defaults suit a server on the open internet.
struct server_options {
  std::string address = "0.0.0.0";  ///< A numeric IPv4 or IPv6 address; `::` for both.
  std::uint16_t port = 0;           ///< 0 lets the system choose; server::port() tells which.

  /// Listens on a local socket at this path, in place of address and port. A socket that another server left
  /// behind is replaced. The file goes when the server stops listening.
  std::filesystem::path local_path{};

  /// Of the local socket: who may write to it may connect. 0600 unless set.
  std::filesystem::perms local_permissions =
      std::filesystem::perms::owner_read | std::filesystem::perms::owner_write;

  /// Listens on this descriptor, which is there already, in place of address and port or `local_path`: a stream socket
  /// that listens, such as one of inherited_sockets(). The server owns it once listen() has returned. It is taken to
  /// live on elsewhere when the server ends: a drain closes it at its begin, and leaves what waits there to who comes
  /// next; the file of a local socket stays. -1 for none.
  int listening_socket = -1;

  /// Where a restart passes the listening socket on, so that no connection is refused: the path of a local socket, on
  /// which the server waits for its successor, another process of the same user with the same option. listen() of the
  /// successor gets the socket there; once its event loop runs it says so, and only then the predecessor stops to
  /// accept, drains with `drain`, and run() returns there. Empty for none; not with `listening_socket`.
  ///
  /// Where nobody waits there, or who does gives no socket that is bound as this server's is to be, listen() opens its
  /// own. It waits at most five seconds for each step of a predecessor.
  std::filesystem::path handover_path{};

  /// Connections that the kernel completes before they are accepted; the system may have a lower limit.
  int backlog = 1024;

  /// Event loops of a server that has its own, each with a thread; 0 is read as 1. A connection stays on the
  /// loop that had the fewest when it was accepted.
  std::size_t threads = 1;

  /// On a context that several threads run always link_kind::asio: see share_between_threads().
  link_kind link = link_kind::epoll;

  /// When it is not empty all connections are TLS: `https` and `wss`. Keep a copy to reload() its certificates.
  tls_server_context tls{};

  /// From the accept, TLS included, to the end of the request's head; then the connection is closed. An answer that the peer
  /// does not take is given up after as long without progress.
  duration handshake_timeout = std::chrono::seconds(10);

  /// What a request's head may cost; past it 431.
  head_limits head{};

  /// Most connections at a time, whatever their state; one more is answered 503. 0: as many as the process may
  /// have descriptors when it listens, less 128 for the application, or half of them if that is more.
  std::size_t max_connections = 0;

  /// What the connections of one client may be; one more is answered 429, over TLS closed at once. Nothing: no
  /// limits, since behind one address may be many people, or a proxy that is not named in `proxies`.
  std::optional<address_limit_options> address_limits{};

  /// Who is believed when it says for whom it speaks: for admission::client(), session::peer(), the limits above and
  /// the origin of pages behind a proxy that ends TLS.
  trusted_proxies proxies{};

  /// Every connection has to begin with the header of the PROXY protocol, version 1 or 2, before TLS. One that does
  /// not, or that is from none of `proxies`, is closed.
  bool proxy_protocol = false;

  /// For routes that bring no options of their own.
  session_options session{};

  /// What run() does at the first signal, and a server whose successor accepts.
  drain_options drain{};

  /// Is told what happens to the sessions of all routes; null for nobody.
  std::shared_ptr<net_sink> sink{};
};

/// Accepts connections, answers HTTP, and makes sessions of those that ask for an upgrade.
///
/// Set up the routes, then run(). All of it on one thread, but for drain(), stop(), counters() and connection_count(),
/// which may be called from any. With several threads the handlers of different connections run at the same time.
///
/// A request that asks for an upgrade is for the routes of sessions alone. Any other is answered by the first
/// get() or health() whose pattern matches; else with 426, or 405 unless it is a GET, where a route of
/// sessions matches; else by files(); else with 404.
class server {
 public:
  /// A server with event loops of its own, as many as `options.threads`: for run().
  explicit server(server_options options = {});

  /// A server on a context that the caller runs, on one thread, or on several after share_between_threads(). Call listen(). `context` has to outlive the
  /// server; sessions live on when the server goes.
  explicit server(asio::io_context& context, server_options options = {});

  server(const server&) = delete;
  server& operator=(const server&) = delete;

  /// Stops listening. On own event loops all connections end without further calls.
  ~server();

  /// Sessions at `pattern`, with callbacks. The first pattern that matches is taken. Throws
  /// std::invalid_argument for a bad pattern, and std::logic_error once the server listens, as do the other
  /// functions that take one.
  ///
  /// \param pattern    Such as `/echo` or `/rooms/{room}`: a parameter is one whole segment, not empty, and
  ///                   request::param() has what it matched.
  /// \param callbacks  Live as long as the server and the route's sessions.
  /// \param options    In place of server_options::session.
  /// \return           Says who may come in at this route.
  admission_rules route(std::string pattern, handlers callbacks);
  admission_rules route(std::string pattern, handlers callbacks, session_options options);

  /// Sessions at `pattern`, each with a coroutine `asio::awaitable<void>(session)` or `(session, request)`,
  /// which runs on the session's thread. When it ends the session is closed with 1000; when it throws, with
  /// 1011 and a call of on_error(), unless it throws a std::system_error that only says that the session is
  /// over (errc_condition::disconnected) or that an operation was cancelled.
  ///
  /// \param pattern    As above.
  /// \param coroutine  One object for all sessions of the route, called on all threads. It lives as long as
  ///                   they do, so a lambda's captures may be used in its body to the end.
  /// \param options    In place of server_options::session.
  template <class Coroutine>
  requires std::invocable<Coroutine&, session> || std::invocable<Coroutine&, session, request> admission_rules
  route(std::string pattern, Coroutine coroutine) {
    return add_coroutine(std::move(pattern), erase(std::move(coroutine)), nullptr);
  }
  template <class Coroutine>
  requires std::invocable<Coroutine&, session> || std::invocable<Coroutine&, session, request> admission_rules
  route(std::string pattern, Coroutine coroutine, session_options options) {
    return add_coroutine(std::move(pattern), erase(std::move(coroutine)), &options);
  }

  /// Says who may come in at any route: its checks come before those of the route.
  admission_rules admission();

  /// Lets pages of other origins read what get(), health(), ready() and files() answer (CORS, in the Fetch standard),
  /// and answers their preflight requests. Without it browsers keep the answers from them.
  void cors(cors_policy policy);

  /// Answers GET and HEAD at `pattern`, on the connection's thread. What the handler throws becomes 500, as
  /// does a response that encode() refuses; on_error() is not told.
  void get(std::string pattern, std::function<response(const request&)> handler);

  /// Answers GET and HEAD at `path` with `{"status":"ok","connections":N}`: connection_count(), the one that
  /// asks included.
  void health(std::string path);

  /// Answers GET and HEAD at `path` with `{"status":"ready"}`, or with 503 and `{"status":"not ready"}` while it would be
  /// wrong to send new clients here: once drain() or stop() was called, or while `check` says false. For load balancers.
  ///
  /// \param check  Called for each request, on the connection's thread; what it throws counts as false. Null for
  ///               always true.
  void ready(std::string path, std::function<bool()> check = nullptr);

  /// Answers GET and HEAD below `prefix` with the files of a folder, each at most 64 MiB; hidden files and
  /// links that lead out of the folder are not there. A path that ends in `/` names its `index.html`. A file
  /// is read whole, on the connection's thread: for a few small ones. Throws std::system_error when the
  /// folder cannot be read.
  void files(std::string prefix, const std::filesystem::path& folder);

  /// Is told what callbacks and coroutines throw, on the session's thread, and with an empty session what checks of
  /// admission throw. Set it before listen(); what it throws itself is lost.
  void on_error(std::function<void(const session& ws, std::exception_ptr error)> handler);

  /// Begins to accept connections, unless it does; no route can be added any more. Throws std::system_error,
  /// which names the address or the path, when it is taken or may not be used: a path by a server that listens
  /// there, or by a file that is no socket; when the path has more than 107 bytes; when `listening_socket` does not
  /// listen; or when nobody could wait at `handover_path`. std::invalid_argument for both of these.
  void listen();

  /// The port that listen() got, or found; 0 before, and for a local socket.
  std::uint16_t port() const noexcept;

  /// Serves a connection that was made elsewhere, such as one end of make_memory_pair(), on the context that
  /// the caller runs; no route can be added any more. Throws std::logic_error where several threads run it.
  void serve(link_ptr connection);

  /// Goes on with a connection that session::release() gave away, or that another library upgraded, as a session of the
  /// route that matches `path`. Nobody is asked whether it may come in, and handlers get an empty request. From any
  /// thread, once the server listens or serves; takes effect on the one of its threads that has the fewest.
  ///
  /// Throws std::invalid_argument when no route matches, when it is a client's, or when it has no connected socket; then
  /// the connection is closed, as it is when the server has no place for it.
  void adopt(std::string_view path, released_connection connection);

  /// Listens unless it does, and serves until a drain() is done, or after stop() until every session is closed. SIGINT
  /// or SIGTERM drains with server_options::drain; another while that goes on, or after stop(), ends every connection
  /// at once. Once, and only for a server with event loops of its own (otherwise std::logic_error). Throws what
  /// listen() throws.
  void run();

  /// Lets every client go so that it can be served elsewhere, and ends the server, without a message lost:
  ///
  /// 1. ready() answers 503 at once, and so do upgrades, with Retry-After. Other requests are answered as before.
  /// 2. The sessions are told to leave, a few at a time: what is queued for each is sent, for which it has until the
  ///    deadline, then a close frame with 1012, service_restart, and the reason `retry-after-ms=N`. From then on the
  ///    peer has the close timeout.
  /// 3. When no session is left, or a second before the deadline (a tenth of a shorter time), what waits to be accepted
  ///    is accepted and answered, and the server stops to listen.
  /// 4. When no connection is left the drain is done. At the deadline the rest is cut.
  ///
  /// Sessions that close by themselves and requests under way are waited for as well. Connections of other servers and
  /// clients on the same context are not touched. stop() meanwhile ends the drain early: the rest is closed as it does
  /// it. From any thread, and before run() too.
  ///
  /// \par Completion signature  void(std::error_code, drain_report): errc::busy while another drain() is under way;
  ///                            asio::error::operation_aborted when the server is destroyed meanwhile, with what was
  ///                            done by then: who was told still leaves in time, the others stay.
  /// \par Cancellation          None: who was told that the server restarts does not come back to this one.
  template <class Token = asio::use_awaitable_t<>>
  auto drain(const drain_options& options = {}, Token&& token = {}) {
    return asio::async_initiate<Token, void(std::error_code, drain_report)>(
        [self = std::weak_ptr<impl>(impl_)](auto handler, const drain_options& o) {
          begin_drain(self, o, {std::move(handler), executor_of(self)});
        },
        token, options);
  }

  /// Stops accepting, for good, and closes every session with 1001; each has its close timeout. From any
  /// thread: returns at once, and takes effect on the server's.
  void stop();

  /// What the sessions have done so far, on all threads together. From any thread.
  net_counters counters() const noexcept;

  /// Connections now, whatever their state: sessions, and requests that are read or answered. From any
  /// thread.
  std::size_t connection_count() const noexcept;

 private:
  using erased_coroutine = std::function<asio::awaitable<void>(session, request)>;

  template <class Coroutine>
  static erased_coroutine erase(Coroutine coroutine) {
    if constexpr (std::invocable<Coroutine&, session, request>) {
      return coroutine;
    } else {
      return [coroutine = std::move(coroutine)](session ws, const request&) mutable {
        return coroutine(std::move(ws));
      };
    }
  }

  admission_rules add_coroutine(std::string pattern, erased_coroutine coroutine,
                                const session_options* options);

  class impl;
  using drain_done = detail::completion<std::error_code, drain_report>;
  static asio::any_io_executor executor_of(const std::weak_ptr<impl>& self);
  static void begin_drain(const std::weak_ptr<impl>& self, const drain_options& options, drain_done done);

  std::shared_ptr<impl> impl_;
};

}  // namespace fairlead

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/net/server/impl/server.ipp>
#endif

#endif
