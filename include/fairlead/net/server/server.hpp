#ifndef FAIRLEAD_NET_SERVER_SERVER_HPP
#define FAIRLEAD_NET_SERVER_SERVER_HPP

#include <fairlead/config.hpp>
#include <fairlead/handshake/request.hpp>
#include <fairlead/handshake/request_parser.hpp>
#include <fairlead/handshake/response.hpp>
#include <fairlead/net/detail/asio_configuration.hpp>
#include <fairlead/net/link/link.hpp>
#include <fairlead/net/link/link_kind.hpp>
#include <fairlead/net/link/tls.hpp>
#include <fairlead/net/session/net_counters.hpp>
#include <fairlead/net/session/session.hpp>
#include <fairlead/net/session/session_options.hpp>
#include <fairlead/time.hpp>

#include <asio/awaitable.hpp>
#include <asio/io_context.hpp>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
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

  /// For routes that bring no options of their own.
  session_options session{};

  /// Is told what happens to the sessions of all routes; null for nobody.
  std::shared_ptr<net_sink> sink{};
};

/// Accepts connections, answers HTTP, and makes sessions of those that ask for an upgrade.
///
/// Set up the routes, then run(). All of it on one thread, but for stop() and connection_count(), which may
/// be called from any. With several threads the handlers of different connections run at the same time.
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
  void route(std::string pattern, handlers callbacks);
  void route(std::string pattern, handlers callbacks, session_options options);

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
  requires std::invocable<Coroutine&, session> || std::invocable<Coroutine&, session, request>
  void route(std::string pattern, Coroutine coroutine) {
    add_coroutine(std::move(pattern), erase(std::move(coroutine)), nullptr);
  }
  template <class Coroutine>
  requires std::invocable<Coroutine&, session> || std::invocable<Coroutine&, session, request>
  void route(std::string pattern, Coroutine coroutine, session_options options) {
    add_coroutine(std::move(pattern), erase(std::move(coroutine)), &options);
  }

  /// Answers GET and HEAD at `pattern`, on the connection's thread. What the handler throws becomes 500, as
  /// does a response that encode() refuses; on_error() is not told.
  void get(std::string pattern, std::function<response(const request&)> handler);

  /// Answers GET and HEAD at `path` with `{"status":"ok","connections":N}`: connection_count(), the one that
  /// asks included.
  void health(std::string path);

  /// Answers GET and HEAD at `path` with `{"status":"ready"}`, or with 503 and `{"status":"not ready"}` while it would be
  /// wrong to send new clients here: once stop() was called, or while `check` says false. For load balancers.
  ///
  /// \param check  Called for each request, on the connection's thread; what it throws counts as false. Null for
  ///               always true.
  void ready(std::string path, std::function<bool()> check = nullptr);

  /// Answers GET and HEAD below `prefix` with the files of a folder, each at most 64 MiB; hidden files and
  /// links that lead out of the folder are not there. A path that ends in `/` names its `index.html`. A file
  /// is read whole, on the connection's thread: for a few small ones. Throws std::system_error when the
  /// folder cannot be read.
  void files(std::string prefix, const std::filesystem::path& folder);

  /// Is told what callbacks and coroutines throw, on the session's thread. Set it before listen(); what it
  /// throws itself is lost.
  void on_error(std::function<void(const session& ws, std::exception_ptr error)> handler);

  /// Begins to accept connections, unless it does; no route can be added any more. Throws std::system_error,
  /// which names the address or the path, when it is taken or may not be used: a path by a server that listens
  /// there, or by a file that is no socket; or when the path has more than 107 bytes.
  void listen();

  /// The port that listen() got; 0 before, and for a local socket.
  std::uint16_t port() const noexcept;

  /// Serves a connection that was made elsewhere, such as one end of make_memory_pair(), on the context that
  /// the caller runs; no route can be added any more. Throws std::logic_error where several threads run it.
  void serve(link_ptr connection);

  /// Listens unless it does, and serves until stop() or SIGINT or SIGTERM, then until every session is
  /// closed; a second signal closes them at once. Once, and only for a server with event loops of its own
  /// (otherwise std::logic_error). Throws what listen() throws.
  void run();

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

  void add_coroutine(std::string pattern, erased_coroutine coroutine, const session_options* options);

  class impl;
  std::shared_ptr<impl> impl_;
};

}  // namespace fairlead

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/net/server/impl/server.ipp>
#endif

#endif
