#ifndef FAIRLEAD_NET_SERVER_IMPL_SERVER_IPP
#define FAIRLEAD_NET_SERVER_IMPL_SERVER_IPP

#include <fairlead/json_writer.hpp>
#include <fairlead/net/link/asio_link.hpp>
#include <fairlead/net/link/detail/socket.hpp>
#include <fairlead/net/link/epoll_set.hpp>
#include <fairlead/net/link/tls_link.hpp>
#include <fairlead/net/server/detail/http_exchange.hpp>
#include <fairlead/net/server/detail/listener.hpp>
#include <fairlead/net/server/detail/route_table.hpp>
#include <fairlead/net/server/detail/static_files.hpp>
#include <fairlead/net/server/server.hpp>
#include <fairlead/net/session/detail/event_loop.hpp>

#include <asio/executor_work_guard.hpp>
#include <asio/generic/stream_protocol.hpp>
#include <asio/post.hpp>
#include <asio/signal_set.hpp>

#include <algorithm>
#include <csignal>
#include <new>
#include <optional>
#include <stdexcept>
#include <thread>
#include <vector>

#include <unistd.h>

namespace fairlead::inline FAIRLEAD_ABI {

class server::impl final : public std::enable_shared_from_this<server::impl> {
 public:
  explicit impl(server_options options) : options_(std::move(options)) {
    for (std::size_t i = 0; i < std::max<std::size_t>(options_.threads, 1); ++i) {
      own_contexts_.push_back(std::make_unique<asio::io_context>(1));
      loops_.push_back(&detail::event_loop::of(*own_contexts_.back()));
    }
  }

  impl(asio::io_context& context, server_options options) : options_(std::move(options)) {
    loops_.push_back(&detail::event_loop::of(context));
  }

  const server_options& options() const noexcept { return options_; }

  /// The routes, while they may still be added to.
  detail::route_table& routes() {
    if (is_sealed_) throw std::logic_error("a server that listens takes no further routes");
    return *routes_;
  }

  void add_session(std::string pattern, detail::session_route route) {
    if (!is_valid(route.options.deflate)) {
      throw std::invalid_argument("the route '" + pattern +
                                  "' has a number in its deflate_options that is out of range");
    }
    check_limits(route.options.incoming);
    auto shared = std::make_shared<detail::session_route>(std::move(route));
    routes().sessions.push_back({detail::path_pattern(std::move(pattern)), std::move(shared)});
  }

  std::function<void(const session&, std::exception_ptr)> on_error;

  void listen() {
    if (listener_) return;
    seal();
    const int socket = open_socket();
    listener_.emplace(first(), options_.link, socket, [this](int accepted) { place(accepted); });
  }

  std::uint16_t port() const noexcept { return port_; }

  bool is_stopping() const noexcept { return is_stopping_; }

  net_counters counters() const noexcept {
    net_counters sum;
    for (detail::event_loop* const l : loops_) l->counters().add_to(sum);
    return sum;
  }

  void serve(link_ptr connection) {
    seal();
    begin(first(), std::move(connection));
  }

  void run() {
    if (own_contexts_.empty()) throw std::logic_error("run() is for a server with event loops of its own");
    listen();
    asio::signal_set signals(first().context(), SIGINT, SIGTERM);
    wait_for_signal(signals);
    // Called on the thread of the loop that became empty.
    const auto end_if_empty = [this, &signals] {
      if (is_stopping_ && connection_count() == 0) {
        asio::post(first().executor(), [this, &signals] {
          signals.cancel();
          work_.clear();
        });
      }
    };
    for (detail::event_loop* const l : loops_) {
      l->on_empty = end_if_empty;
      work_.push_back(asio::make_work_guard(l->context()));
    }
    std::vector<std::thread> threads;
    for (std::size_t i = 1; i < loops_.size(); ++i) {
      threads.emplace_back([this, i] { loops_[i]->context().run(); });
    }
    first().context().run();
    for (std::thread& t : threads) t.join();
    for (detail::event_loop* const l : loops_) l->on_empty = nullptr;
  }

  void stop() {
    asio::post(first().executor(), [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->stop_on_own_thread();
    });
  }

  /// The server goes: no handler of its own may run any more.
  void close() noexcept {
    close_listener();
    for (detail::event_loop* const l : loops_) l->on_empty = nullptr;
  }

  std::size_t connection_count() const noexcept {
    std::size_t count = 0;
    for (const detail::event_loop* const l : loops_) count += l->size();
    return count;
  }

 private:
  using stream = asio::generic::stream_protocol;

  // Owns an accepted descriptor on its way to another thread.
  struct accepted_socket {
    explicit accepted_socket(int s) noexcept : descriptor(s) {}
    accepted_socket(accepted_socket&& other) noexcept : descriptor(std::exchange(other.descriptor, -1)) {}
    ~accepted_socket() {
      if (descriptor >= 0) ::close(descriptor);
    }
    int descriptor;
  };

  detail::event_loop& first() noexcept { return *loops_.front(); }

  void seal() {
    if (std::exchange(is_sealed_, true)) return;
    routes_->head = options_.head;
    routes_->handshake_timeout = options_.handshake_timeout;
    routes_->close_timeout = options_.session.connection.close_timeout;
    for (auto& entry : routes_->sessions) {
      entry.route->on_error = on_error;
      entry.route->sink = options_.sink;
    }
  }

  int open_socket() {
    if (options_.local_path.empty()) {
      const int socket = detail::listen_tcp(options_.address, options_.port, options_.backlog);
      port_ = detail::local_port_of(socket);
      return socket;
    }
    detail::local_listener opened =
        detail::listen_local(options_.local_path, options_.local_permissions, options_.backlog);
    local_file_ = std::move(opened.file);
    return opened.socket;
  }

  // --- Accepted connections, each on the loop that had the fewest.

  void place(int socket) {
    detail::set_no_delay(socket);
    accepted_socket owned(socket);
    detail::event_loop& l = **std::ranges::min_element(loops_, {}, &detail::event_loop::size);
    if (&l == &first()) return begin(l, owned);
    without_memory_lose_one(
        [&] { asio::post(l.executor(), [this, &l, mine = std::move(owned)]() mutable { begin(l, mine); }); });
  }

  void begin(detail::event_loop& l, accepted_socket& owned) {
    without_memory_lose_one([&] { begin(l, make_link(l, owned)); });
  }

  link_ptr make_link(detail::event_loop& l, accepted_socket& owned) {
    if (options_.link == link_kind::epoll) {
      return asio::use_service<epoll_set>(l.context()).make_link(std::exchange(owned.descriptor, -1));
    }
    stream::socket socket(l.executor());
    socket.assign(stream(detail::family_of(owned.descriptor), 0), owned.descriptor);
    owned.descriptor = -1;
    return make_asio_link(std::move(socket));
  }

  void begin(detail::event_loop& l, link_ptr connection) {
    if (options_.tls) connection = make_tls_link(l.executor(), std::move(connection), options_.tls);
    detail::http_exchange::begin(l, std::move(connection), routes_);
  }

  // Out of memory the connection that is being accepted is closed, and the next one may find some again.
  template <class Function>
  static void without_memory_lose_one(Function accept) {
    try {
      accept();
    } catch (const std::bad_alloc&) {
    }
  }

  // --- The end.

  void close_listener() noexcept {
    local_file_.remove();  // while we listen nobody takes its place
    listener_.reset();
  }

  void wait_for_signal(asio::signal_set& signals) {
    signals.async_wait([this, &signals](std::error_code ec, int) {
      if (ec) return;
      if (is_stopping_) {
        for (detail::event_loop* const l : loops_) asio::post(l->executor(), [l] { l->abort_all(); });
      }
      stop_on_own_thread();
      wait_for_signal(signals);
    });
  }

  static void stop_sessions(detail::event_loop& l) {
    l.stop_all();
    if (l.size() == 0 && l.on_empty) l.on_empty();
  }

  void stop_on_own_thread() {
    if (is_stopping_.exchange(true)) return;
    close_listener();
    stop_sessions(first());
    for (std::size_t i = 1; i < loops_.size(); ++i) {
      asio::post(loops_[i]->executor(), [l = loops_[i]] { stop_sessions(*l); });
    }
  }

  server_options options_;
  std::shared_ptr<detail::route_table> routes_ = std::make_shared<detail::route_table>();
  std::vector<std::unique_ptr<asio::io_context>> own_contexts_;
  std::vector<detail::event_loop*> loops_;
  std::vector<asio::executor_work_guard<asio::io_context::executor_type>> work_;
  std::optional<detail::listener> listener_;
  detail::local_socket_file local_file_;
  std::uint16_t port_ = 0;
  bool is_sealed_ = false;
  std::atomic<bool> is_stopping_ = false;
};

FAIRLEAD_DECL server::server(server_options options) : impl_(std::make_shared<impl>(std::move(options))) {}

FAIRLEAD_DECL server::server(asio::io_context& context, server_options options)
    : impl_(std::make_shared<impl>(context, std::move(options))) {}

FAIRLEAD_DECL server::~server() { impl_->close(); }

FAIRLEAD_DECL void server::route(std::string pattern, handlers callbacks) {
  route(std::move(pattern), std::move(callbacks), impl_->options().session);
}

FAIRLEAD_DECL void server::route(std::string pattern, handlers callbacks, session_options options) {
  impl_->add_session(std::move(pattern), {std::move(callbacks), nullptr, std::move(options), nullptr});
}

FAIRLEAD_DECL void server::add_coroutine(std::string pattern, erased_coroutine coroutine,
                                         const session_options* options) {
  impl_->add_session(
      std::move(pattern),
      {{}, std::move(coroutine), options != nullptr ? *options : impl_->options().session, nullptr});
}

FAIRLEAD_DECL void server::get(std::string pattern, std::function<response(const request&)> handler) {
  impl_->routes().gets.push_back({detail::path_pattern(std::move(pattern)), std::move(handler)});
}

FAIRLEAD_DECL void server::health(std::string path) {
  get(std::move(path), [weak = std::weak_ptr(impl_)](const request&) {
    const auto self = weak.lock();
    const std::size_t connections = self != nullptr ? self->connection_count() : 0;
    json_writer status;
    status.begin_object().member("status", "ok").member("connections", connections).end_object();
    return text_response(http_status::ok, std::move(status).text() + "\n", "application/json");
  });
}

FAIRLEAD_DECL void server::ready(std::string path, std::function<bool()> check) {
  get(std::move(path), [weak = std::weak_ptr(impl_), check = std::move(check)](const request&) {
    const auto self = weak.lock();
    bool is_ready = self != nullptr && !self->is_stopping();
    try {
      is_ready = is_ready && (!check || check());
    } catch (...) {
      is_ready = false;
    }
    json_writer status;
    status.begin_object().member("status", is_ready ? "ready" : "not ready").end_object();
    return text_response(is_ready ? http_status::ok : http_status::service_unavailable,
                         std::move(status).text() + "\n", "application/json");
  });
}

FAIRLEAD_DECL void server::files(std::string prefix, const std::filesystem::path& folder) {
  if (prefix.empty() || prefix.front() != '/') {
    throw std::invalid_argument("the prefix '" + prefix + "' does not begin with '/'");
  }
  if (prefix.back() != '/') prefix += '/';
  impl_->routes().mounts.push_back({std::move(prefix), detail::readable_folder(folder)});
}

FAIRLEAD_DECL void server::on_error(std::function<void(const session&, std::exception_ptr)> handler) {
  impl_->on_error = std::move(handler);
}

FAIRLEAD_DECL void server::listen() { impl_->listen(); }
FAIRLEAD_DECL std::uint16_t server::port() const noexcept { return impl_->port(); }
FAIRLEAD_DECL void server::serve(link_ptr connection) { impl_->serve(std::move(connection)); }
FAIRLEAD_DECL void server::run() { impl_->run(); }
FAIRLEAD_DECL void server::stop() { impl_->stop(); }
FAIRLEAD_DECL net_counters server::counters() const noexcept { return impl_->counters(); }
FAIRLEAD_DECL std::size_t server::connection_count() const noexcept { return impl_->connection_count(); }

}  // namespace fairlead

#endif
