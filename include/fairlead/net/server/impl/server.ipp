#ifndef FAIRLEAD_NET_SERVER_IMPL_SERVER_IPP
#define FAIRLEAD_NET_SERVER_IMPL_SERVER_IPP

#include <fairlead/json_writer.hpp>
#include <fairlead/net/link/asio_link.hpp>
#include <fairlead/net/link/detail/socket.hpp>
#include <fairlead/net/link/epoll_set.hpp>
#include <fairlead/net/link/proxied_link.hpp>
#include <fairlead/net/link/tls_link.hpp>
#include <fairlead/net/server/detail/connection_limits.hpp>
#include <fairlead/net/server/detail/handover.hpp>
#include <fairlead/net/server/detail/http_exchange.hpp>
#include <fairlead/net/server/detail/listener.hpp>
#include <fairlead/net/server/detail/listening_socket.hpp>
#include <fairlead/net/server/detail/route_table.hpp>
#include <fairlead/net/server/detail/static_files.hpp>
#include <fairlead/net/server/server.hpp>
#include <fairlead/net/session/detail/event_loop.hpp>

#include <asio/error.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/generic/stream_protocol.hpp>
#include <asio/post.hpp>
#include <asio/signal_set.hpp>
#include <asio/system_executor.hpp>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <new>
#include <optional>
#include <stdexcept>
#include <thread>
#include <vector>

namespace fairlead::inline FAIRLEAD_ABI {

class server::impl final : public std::enable_shared_from_this<server::impl> {
 public:
  explicit impl(server_options options) : options_(std::move(options)) {
    for (std::size_t i = 0; i < std::max<std::size_t>(options_.threads, 1); ++i) {
      own_contexts_.push_back(std::make_unique<asio::io_context>(1));
      serve_on(detail::event_loop::of(*own_contexts_.back()));
    }
  }

  impl(asio::io_context& context, server_options options) : options_(std::move(options)) {
    auto& loops = asio::use_service<detail::event_loops>(context);
    for (detail::event_loop* const l : loops.all()) serve_on(*l);
    if (loops.are_shared()) options_.link = link_kind::asio;
  }

  const server_options& options() const noexcept { return options_; }

  /// The routes, while they may still be added to.
  detail::route_table& routes() {
    if (is_sealed_) throw std::logic_error("a server that listens takes no further routes");
    return *routes_;
  }

  admission_rules add_session(std::string pattern, detail::session_route route) {
    if (!is_valid(route.options.deflate)) {
      throw std::invalid_argument("the route '" + pattern +
                                  "' has a number in its deflate_options that is out of range");
    }
    check_limits(route.options.incoming);
    auto shared = std::make_shared<detail::session_route>(std::move(route));
    auto& sessions = routes().sessions;
    sessions.push_back({detail::path_pattern(std::move(pattern)), std::move(shared)});
    return admission_rules(sessions.back().rules);
  }

  std::function<void(const session&, std::exception_ptr)> on_error;

  void listen() {
    if (listener_) return;
    seal();
    try {
      if (!options_.handover_path.empty()) handover_.emplace(first(), options_.link, options_.handover_path);
      detail::listening_socket opened =
          detail::open_listening_socket(options_, handover_ ? &*handover_ : nullptr);
      local_file_ = std::move(opened.file);
      port_ = detail::local_port_of(opened.socket.get());
      listener_.emplace(first(), options_.link, opened.socket.release(),
                        [this](int accepted) { place(owned_socket(accepted)); });
      if (handover_) begin_handover();
    } catch (...) {
      close_listener();
      throw;
    }
  }

  std::uint16_t port() const noexcept { return port_; }

  bool is_ready() const noexcept { return !is_draining_ && !is_stopping_; }

  net_counters counters() const noexcept {
    net_counters sum;
    for (const served_loop& p : loops_) p.loop->counters().add_to(sum);
    return sum;
  }

  void serve(link_ptr connection) {
    if (first().is_shared()) {
      throw std::logic_error("on an io_context that several threads run a server makes its links itself");
    }
    seal();
    auto place = limits_->enter();
    if (place == nullptr) return first().counters().count(refusal::server_full);
    begin(loops_.front(), std::move(connection), std::move(place));
  }

  void adopt(std::string_view path, released_connection given) {
    const auto* const entry = is_sealed_ ? routes_->find_session(path) : nullptr;
    if (entry == nullptr) {
      throw std::invalid_argument(std::string("there is no route of sessions at '").append(path).append("'"));
    }
    if (given.side != role::server ||
        detail::peer_of(given.socket.get()).family == peer_address::kind::unknown) {
      throw std::invalid_argument("only the server's end of a connected socket can be adopted");
    }
    detail::set_non_blocking(given.socket.get());
    const served_loop& p = with_fewest();
    asio::post(p.loop->executor(), [weak = weak_from_this(), &p, entry, rest = std::move(given),
                                    coming = detail::expected_endpoint(p.loop->letters())]() mutable {
      if (const auto self = weak.lock()) self->open_adopted(p, *entry, std::move(rest));
    });
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
    for (const served_loop& p : loops_) {
      p.connections->on_empty = end_if_empty;
      work_.push_back(asio::make_work_guard(p.loop->context()));
    }
    std::vector<std::thread> threads;
    for (std::size_t i = 1; i < loops_.size(); ++i) {
      threads.emplace_back([this, i] { loops_[i].loop->context().run(); });
    }
    first().context().run();
    for (std::thread& t : threads) t.join();
    for (const served_loop& p : loops_) p.connections->on_empty = nullptr;
  }

  asio::any_io_executor executor() { return first().executor(); }

  void drain(const drain_options& options, drain_done done) {
    if (is_draining_.exchange(true)) return done.post(errc::busy, {});
    asio::post(first().executor(), [weak = weak_from_this(), options, done = std::move(done)]() mutable {
      if (const auto self = weak.lock()) return self->start_drain(options, std::move(done));
      done.post(asio::error::operation_aborted, {});
    });
  }

  void stop() {
    asio::post(first().executor(), [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->stop_on_own_thread();
    });
  }

  /// The server goes: no handler of its own may run any more.
  void close() noexcept {
    close_listener();
    for (const served_loop& p : loops_) {
      if (!p.loop->is_shared()) {
        p.connections->forget_server();
      } else {  // its threads may be about to call the server
        asio::post(p.loop->executor(), [connections = p.connections] { connections->forget_server(); });
      }
    }
    if (drain_done_) drain_done_.post(asio::error::operation_aborted, report());
  }

  std::size_t connection_count() const noexcept {
    std::size_t count = 0;
    for (const served_loop& p : loops_) count += p.connections->size();
    return count;
  }

 private:
  using stream = asio::generic::stream_protocol;

  // A thread of the server's, and those of the connections there that are its own.
  struct served_loop {
    detail::event_loop* loop;
    std::shared_ptr<detail::endpoint_group> connections;
  };

  void serve_on(detail::event_loop& l) { loops_.push_back({&l, l.make_group()}); }

  const served_loop& with_fewest() const noexcept {
    return *std::ranges::min_element(loops_, {}, [](const served_loop& l) { return l.loop->load(); });
  }

  detail::event_loop& first() noexcept { return *loops_.front().loop; }

  void seal() {
    if (is_sealed_) return;
    check_rules();
    is_sealed_ = true;
    limits_ = std::make_shared<detail::connection_limits>(options_.max_connections, options_.address_limits);
    for (const served_loop& p : loops_) p.connections->counts = limits_;
    routes_->proxies = options_.proxies;
    routes_->head = options_.head;
    routes_->handshake_timeout = options_.handshake_timeout;
    routes_->close_timeout = options_.session.connection.close_timeout;
    for (auto& entry : routes_->sessions) {
      entry.route->on_error = on_error;
      entry.route->sink = options_.sink;
    }
  }

  // A route that nobody could come in at, or that somebody thought was guarded, is no server's.
  void check_rules() {
    detail::rule_set& of_all = *routes_->rules;
    for (auto& entry : routes_->sessions) {
      const bool has_checks = !of_all.checks.empty() || !entry.rules->checks.empty() ||
                              detail::may_authenticate(entry.route->options);
      if ((of_all.requires_user || entry.rules->requires_user) && !has_checks) {
        throw std::logic_error(std::string("the route '")
                                   .append(entry.pattern.text())
                                   .append("' requires a user, and no check could name one"));
      }
      entry.rules->is_sealed = true;
    }
    of_all.is_sealed = true;
  }

  // --- The listening socket.

  // A predecessor hears of it when the loop runs: until then nobody would be served here.
  void begin_handover() {
    const auto begin = [this] { handover_->begin(listener_->socket(), [this] { on_replaced(); }); };
    if (!handover_->has_predecessor()) return begin();
    asio::post(first().executor(), [weak = weak_from_this(), begin] {
      const auto self = weak.lock();
      if (self && self->handover_ && self->listener_) begin();
    });
  }

  // A successor accepts what waits in the backlog, and what comes.
  void on_replaced() {
    local_file_.forget();
    close_listener();
    if (!is_stopping_ && !is_draining_.exchange(true)) start_drain(options_.drain, {});
  }

  // --- Accepted connections, each on the loop that had the fewest.

  void place(owned_socket accepted) {
    detail::set_no_delay(accepted.get());
    const served_loop& p = with_fewest();
    if (p.loop == &first()) return begin(p, std::move(accepted));
    without_memory_lose_one([&] {
      asio::post(p.loop->executor(), [weak = weak_from_this(), &p, mine = std::move(accepted),
                                      coming = detail::expected_endpoint(p.loop->letters())]() mutable {
        if (const auto self = weak.lock()) self->begin(p, std::move(mine));
      });
    });
  }

  void begin(const served_loop& p, owned_socket accepted) {
    without_memory_lose_one([&] {
      detail::counted_ptr place = limits_->enter();
      std::optional<refusal> refused;
      if (place == nullptr) refused = refusal::server_full;
      const peer_address peer = detail::peer_of(accepted.get());
      const bool is_proxy = options_.proxies.trusts(peer);
      if (options_.proxy_protocol && !is_proxy) return p.loop->counters().count(refusal::proxy_header);
      // Whom a proxy speaks for is known when the head is there.
      if (!refused && !is_proxy) refused = place->identify(peer, p.loop->now());
      if (refused) return refuse(p, std::move(accepted), *refused);
      begin(p, make_link(*p.loop, std::move(accepted)), std::move(place));
    });
  }

  // Politely, while that costs little: the handshake of TLS would cost more than a connection that is served.
  void refuse(const served_loop& p, owned_socket accepted, refusal why) {
    auto place = options_.tls || options_.proxy_protocol ? nullptr : limits_->enter_refused();
    if (place == nullptr) return p.loop->counters().count(why);
    detail::http_exchange::begin_refused(*p.loop, *p.connections, make_link(*p.loop, std::move(accepted)),
                                         routes_, std::move(place), why);
  }

  link_ptr make_link(detail::event_loop& l, owned_socket connected) {
    if (options_.link == link_kind::epoll) {
      return asio::use_service<epoll_set>(l.context()).make_link(connected.release());
    }
    stream::socket socket(l.executor());
    socket.assign(stream(detail::family_of(connected.get()), 0), connected.get());
    connected.release();
    return make_asio_link(std::move(socket));
  }

  void open_adopted(const served_loop& p, const detail::route_table::session_entry& entry,
                    released_connection given) {
    without_memory_lose_one([&] {
      auto place = limits_->enter();
      if (place == nullptr) return p.loop->counters().count(refusal::server_full);
      // Of options of its own, since the session has a view of them.
      session_options options = entry.route->options;
      options.subprotocols = {std::move(given.subprotocol)};
      auto route = detail::with_options(entry.route, std::move(options));
      const std::string_view subprotocol = route->options.subprotocols.front();
      const peer_address peer = detail::peer_of(given.socket.get());
      auto* const core = new detail::session_core(
          *p.loop, role::server, make_link(*p.loop, std::move(given.socket)), std::move(route), subprotocol);
      core->take_place(std::move(place));
      core->open_adopted(*p.connections, {peer, {}, nullptr, nullptr}, given.unread);
    });
  }

  void begin(const served_loop& p, link_ptr connection, detail::counted_ptr place) {
    if (options_.proxy_protocol) connection = make_proxied_link(std::move(connection));
    if (options_.tls) connection = make_tls_link(p.loop->executor(), std::move(connection), options_.tls);
    detail::http_exchange::begin(*p.loop, *p.connections, std::move(connection), routes_, std::move(place));
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
    handover_.reset();
  }

  void wait_for_signal(asio::signal_set& signals) {
    signals.async_wait([this, &signals](std::error_code ec, int) {
      if (ec) return;
      const bool is_first = !is_stopping_ && !is_draining_.exchange(true);
      if (is_first) {
        start_drain(options_.drain, {});
      } else {
        on_each_thread([](detail::endpoint_group& g) { g.abort_all(); });
        stop_on_own_thread();
      }
      wait_for_signal(signals);
    });
  }

  // Calls `f` for the server's connections on each thread, on the first one now.
  template <class Function>
  void on_each_thread(Function f) {
    for (std::size_t i = 1; i < loops_.size(); ++i) {
      asio::post(loops_[i].loop->executor(), [group = loops_[i].connections, f] { f(*group); });
    }
    f(*loops_.front().connections);
  }

  void stop_on_own_thread() {
    if (is_stopping_.exchange(true)) return;
    close_listener();
    on_each_thread([](detail::endpoint_group& g) {
      g.stop_all();
      if (g.size() == 0 && g.on_empty) g.on_empty();
    });
  }

  // --- Drain. The first thread watches over it: its connections' departure calls it again and again.

  void start_drain(const drain_options& o, drain_done done) {
    drain_done_ = std::move(done);
    is_last_call_made_ = false;
    if (options_.listening_socket >= 0) close_listener();
    std::size_t sessions = 0;
    for (const served_loop& p : loops_) sessions += p.connections->session_count();
    const detail::departure::terms terms{o.within, o.spread, o.retry_after_min, o.retry_after_max};
    departure_ = std::make_shared<detail::departure>(terms, sessions, first().now());
    for (std::size_t i = 1; i < loops_.size(); ++i) {
      asio::post(loops_[i].loop->executor(),
                 [group = loops_[i].connections, d = departure_] { group->begin_departure(d, nullptr); });
    }
    loops_.front().connections->begin_departure(departure_, [this](time_point now) { watch_drain(now); });
  }

  void watch_drain(time_point now) {
    const bool has_sessions =
        std::ranges::any_of(loops_, [](const served_loop& p) { return p.connections->session_count() != 0; });
    if (!has_sessions || now >= departure_->last_call()) make_last_call();
    // Looked at in this order: a socket is counted by a thread before it is off its way.
    const bool comes_more =
        std::ranges::any_of(loops_, [](const served_loop& p) { return p.loop->is_expecting(); });
    if (!listener_ && !comes_more && connection_count() == 0) end_drain();
  }

  // Closing a listening socket resets what nobody has accepted.
  void make_last_call() {
    if (std::exchange(is_last_call_made_, true)) return;
    const bool lives_on = handover_ && handover_->is_claimed();
    if (listener_ && !lives_on) listener_->accept_all();
    close_listener();
    on_each_thread([](detail::endpoint_group& g) { g.last_call(); });
  }

  void end_drain() {
    on_each_thread([](detail::endpoint_group& g) { g.end_departure(); });
    stop_on_own_thread();
    is_draining_ = false;
    if (drain_done_) drain_done_.post({}, report());
  }

  drain_report report() const {
    return {departure_->told(), departure_->cut(), loops_.front().loop->now() - departure_->began()};
  }

  server_options options_;
  std::shared_ptr<detail::route_table> routes_ = std::make_shared<detail::route_table>();
  std::shared_ptr<detail::connection_limits> limits_;  // once it is sealed
  std::vector<std::unique_ptr<asio::io_context>> own_contexts_;
  std::vector<served_loop> loops_;
  std::vector<asio::executor_work_guard<asio::io_context::executor_type>> work_;
  std::optional<detail::listener> listener_;
  std::optional<detail::handover> handover_;
  detail::local_socket_file local_file_;
  std::uint16_t port_ = 0;
  std::shared_ptr<detail::departure> departure_;  // of the drain that is under way, or was
  drain_done drain_done_;
  bool is_last_call_made_ = false;
  bool is_sealed_ = false;
  std::atomic<bool> is_draining_ = false;
  std::atomic<bool> is_stopping_ = false;
};

FAIRLEAD_DECL server::server(server_options options) : impl_(std::make_shared<impl>(std::move(options))) {}

FAIRLEAD_DECL server::server(asio::io_context& context, server_options options)
    : impl_(std::make_shared<impl>(context, std::move(options))) {}

FAIRLEAD_DECL server::~server() { impl_->close(); }

FAIRLEAD_DECL admission_rules server::route(std::string pattern, handlers callbacks) {
  return route(std::move(pattern), std::move(callbacks), impl_->options().session);
}

FAIRLEAD_DECL admission_rules server::route(std::string pattern, handlers callbacks,
                                            session_options options) {
  return impl_->add_session(std::move(pattern), {std::move(callbacks), nullptr, std::move(options), nullptr});
}

FAIRLEAD_DECL admission_rules server::add_coroutine(std::string pattern, erased_coroutine coroutine,
                                                    const session_options* options) {
  return impl_->add_session(
      std::move(pattern),
      {{}, std::move(coroutine), options != nullptr ? *options : impl_->options().session, nullptr});
}

FAIRLEAD_DECL admission_rules server::admission() { return admission_rules(impl_->routes().rules); }

FAIRLEAD_DECL void server::cors(cors_policy policy) { impl_->routes().cors = std::move(policy); }

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
    bool is_ready = self != nullptr && self->is_ready();
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
FAIRLEAD_DECL void server::adopt(std::string_view path, released_connection connection) {
  impl_->adopt(path, std::move(connection));
}
FAIRLEAD_DECL void server::run() { impl_->run(); }
FAIRLEAD_DECL void server::stop() { impl_->stop(); }

FAIRLEAD_DECL asio::any_io_executor server::executor_of(const std::weak_ptr<impl>& self) {
  if (const auto server = self.lock()) return server->executor();
  return asio::system_executor();
}

FAIRLEAD_DECL void server::begin_drain(const std::weak_ptr<impl>& self, const drain_options& options,
                                       drain_done done) {
  if (const auto server = self.lock()) return server->drain(options, std::move(done));
  done.post(asio::error::operation_aborted, {});
}

FAIRLEAD_DECL net_counters server::counters() const noexcept { return impl_->counters(); }
FAIRLEAD_DECL std::size_t server::connection_count() const noexcept { return impl_->connection_count(); }

}  // namespace fairlead

#endif
