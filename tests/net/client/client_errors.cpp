#include <fairlead/net/client/client.hpp>

#include <fairlead/handshake/accept_key.hpp>
#include <fairlead/net/session/timer_wheel.hpp>
#include <net/client/client_support.hpp>
#include <net/session/random_support.hpp>
#include <support/catch.hpp>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>

#include <asio/thread_pool.hpp>

#include <array>
#include <future>
#include <optional>

using namespace net_test;

// connect() against peers that refuse, hang, hang up, or answer with what they must not.

namespace {

using script = scripted_peer::script;
using peer = scripted_peer::connection;

enum class way { plain, tls, by_proxy };

std::string address_of(std::uint16_t port) { return "127.0.0.1:" + std::to_string(port); }

std::size_t connections_of(asio::io_context& context) { return detail::event_loop::of(context).size(); }

/// What connect() wants of the peer at `port`.
struct target {
  target(way how, std::uint16_t port, link_kind link) {
    options.link = link;
    options.tls = certificates::usual::instance().client();
    url = (how == way::tls ? "wss://" : "ws://") +
          (how == way::by_proxy ? "server.test/chat" : address_of(port));
    if (how == way::by_proxy) options.proxy = http_proxy{"127.0.0.1", port};
  }

  std::string url;
  client_options options;
};

struct failure {
  std::error_code error;
  duration took{};
  std::size_t handlers = 0;  ///< That ran until connect() ended.
};

/// Connects to a peer with that script, and sees that nothing is left behind.
failure fail(way how, script run, const std::function<void(client_options&)>& change = nullptr) {
  const link_kind link = GENERATE(link_kind::epoll, link_kind::asio);
  certificates::usual::instance();
  const int descriptors = link_support::open_descriptors();
  failure result;
  {
    asio::io_context context(1);
    scripted_peer p(context, std::move(run));
    target t(how, p.port(), link);
    if (change) change(t.options);
    outcome o;
    const time_point begin = clock::now();
    connect(context, t.url, t.options, note(o));
    const time_point limit = begin + link_support::patience;
    while (!o.is_done() && clock::now() < limit)
      result.handlers += context.run_one_for(10ms), context.restart();
    result.took = clock::now() - begin;
    result.error = o.error;
    CHECK(o.calls == 1);
    CHECK_FALSE(o.ws.is_open());
    CHECK(connections_of(context) == 0);
    // The peer sees that the client is gone.
    CHECK(link_support::run_until(context, [&] { return p.open == 0; }));
    p.stop();
    CHECK(link_support::runs_out(context));
    CHECK(o.calls == 1);
  }
  CHECK(link_support::open_descriptors() == descriptors);
  return result;
}

script answer(std::string response) {
  return [response](peer& c) -> asio::awaitable<void> {
    if (co_await c.read_until("\r\n\r\n")) co_await c.write(response);
    co_await c.hang();
  };
}

asio::awaitable<void> hang(peer& c) { co_await c.hang(); }
asio::awaitable<void> close_at_once(peer&) { co_return; }
asio::awaitable<void> close_after_reading(peer& c) { co_await c.read_some(); }
asio::awaitable<void> reset_after_reading(peer& c) {
  co_await c.read_some();
  c.reset();
}
asio::awaitable<void> close_inside_the_head(peer& c) {
  co_await c.read_until("\r\n\r\n");
  co_await c.write("HTTP/1.1 101 Switching Protocols\r\nUpgr");
}

constexpr auto short_time = 60ms;

void shorten(client_options& o) {
  o.deadlines = {short_time, short_time, short_time, short_time, short_time};
}

void check_in_time(const failure& f) {
  CHECK(f.took >= short_time);
  CHECK(f.took < short_time + 5s);
  CHECK(f.handlers < 100);  // it waits, and does not spin
}

}  // namespace

TEST_CASE("a_peer_that_hangs_costs_each_stage_its_deadline_and_no_more") {
  const auto [how, expected] = GENERATE(table<way, errc>({{way::plain, errc::handshake_timeout},
                                                          {way::tls, errc::tls_timeout},
                                                          {way::by_proxy, errc::proxy_timeout}}));
  CAPTURE(how);
  const failure f = fail(how, hang, shorten);
  CHECK(f.error == expected);
  check_in_time(f);
}

TEST_CASE("a_peer_that_sends_a_byte_now_and_then_gains_no_time") {
  const failure f = fail(
      way::plain,
      [](peer& c) -> asio::awaitable<void> {
        co_await c.read_until("\r\n\r\n");
        asio::steady_timer timer(c.socket.get_executor());
        std::string_view rest =
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
        for (; !rest.empty(); rest.remove_prefix(1)) {
          if (!co_await c.write(rest.substr(0, 1))) co_return;
          timer.expires_after(5ms);
          co_await timer.async_wait(asio::use_awaitable);
        }
      },
      shorten);
  CHECK(f.error == errc::handshake_timeout);
  CHECK(f.took >= short_time);
}

TEST_CASE("an_address_that_does_not_answer_costs_the_deadline_of_connecting") {
  const silent_address nobody;
  asio::io_context context(1);
  client_options options;
  shorten(options);
  outcome o;
  const time_point begin = clock::now();
  connect(context, "ws://" + address_of(nobody.port()), options, note(o));
  const std::size_t handlers = context.run();
  CHECK(o.calls == 1);
  CHECK(o.error == errc::connect_timeout);
  CHECK(stage_of(o.error) == connect_stage::connect);
  check_in_time({o.error, clock::now() - begin, handlers});
}

TEST_CASE("deadlines_without_limit_do_not_pass") {
  const auto how = GENERATE(way::plain, way::tls, way::by_proxy);
  CAPTURE(how);
  asio::io_context context(1);
  scripted_peer p(context, hang);
  target t(how, p.port(), link_kind::epoll);
  t.options.deadlines = {duration::max(), duration::max(), duration::max(), duration::max(), duration::max()};
  outcome o;
  connect(context, t.url, t.options, note(o));
  context.run_for(5 * timer_wheel::tick);
  CHECK(p.open == 1);
  CHECK_FALSE(o.is_done());
}

TEST_CASE("a_name_that_is_not_resolved_in_time_is_given_up") {
  asio::io_context context(1);
  // The context resolves one name after the other: these keep it busy for longer than the deadline.
  asio::ip::tcp::resolver others(context);
  int resolved = 0;
  std::function<void()> queue = [&] {
    for (int i = 0; i < 20'000; ++i) {
      others.async_resolve("localhost", "80", [&](std::error_code, const auto&) { ++resolved; });
    }
  };
  queue();
  client_options options;
  options.deadlines.resolve = 1ms;
  outcome o;
  connect(context, "ws://localhost:1", options, note(o));
  REQUIRE(link_support::run_until(context, [&] { return o.is_done(); }));
  CHECK(o.error == errc::resolve_timeout);
  CHECK(stage_of(o.error) == connect_stage::resolve);
  CHECK(connections_of(context) == 0);
  others.cancel();
  CHECK(link_support::runs_out(context));
  CHECK(o.calls == 1);
}

TEST_CASE("a_name_that_cannot_be_is_the_resolvers_error") {
  asio::io_context context(1);
  outcome o;
  connect(context, "ws://" + std::string(64, 'a') + ".invalid/", {}, note(o));
  context.run();
  CHECK(o.calls == 1);
  CHECK(o.error);
  CHECK(stage_of(o.error) == connect_stage::resolve);
}

TEST_CASE("a_peer_that_hangs_up_is_named_by_the_stage") {
  const auto [how, expected] = GENERATE(table<way, errc>(
      {{way::plain, errc::handshake_lost}, {way::tls, errc::tls_lost}, {way::by_proxy, errc::proxy_lost}}));
  CAPTURE(how);
  SECTION("at once") { CHECK(fail(how, close_at_once).error == expected); }
  SECTION("after the first bytes") { CHECK(fail(how, close_after_reading).error == expected); }
  SECTION("with a reset") { CHECK(fail(how, reset_after_reading).error == expected); }
  if (how != way::tls) {
    SECTION("inside the head") { CHECK(fail(how, close_inside_the_head).error == expected); }
  }
}

TEST_CASE("a_port_where_nobody_listens_refuses") {
  const link_kind link = GENERATE(link_kind::epoll, link_kind::asio);
  const std::string scheme = GENERATE("ws://", "wss://");
  asio::io_context context(1);
  std::uint16_t port = 0;
  {
    scripted_peer gone(context, hang);
    port = gone.port();
  }
  outcome o;
  client_options options;
  options.link = link;
  options.tls = certificates::usual::instance().client();
  connect(context, scheme + address_of(port), options, note(o));
  context.run();
  CHECK(o.calls == 1);
  CHECK(o.error == std::errc::connection_refused);
  CHECK(stage_of(o.error) == connect_stage::connect);
}

TEST_CASE("another_status_than_101_is_the_error") {  // TRUST H18: no redirect is followed
  const int status = GENERATE(200, 301, 302, 400, 401, 403, 404, 407, 426, 429, 500, 503, 599);
  const way how = way::plain;
  CAPTURE(status);
  std::string retry, location;
  const failure f = fail(
      how,
      answer(
          "HTTP/1.1 " + std::to_string(status) +
          " Whatever\r\nRetry-After: 120\r\nLocation: https://elsewhere.test/\r\nContent-Length: 0\r\n\r\n"),
      [&](client_options& o) {
        o.on_response = [&](const response_head& head) {
          CHECK(static_cast<int>(head.status()) == status);
          retry = head.field("retry-after").value_or("");
          location = head.field("Location").value_or("");
        };
      });
  CHECK(f.error == static_cast<http_status>(status));
  CHECK(f.error == errc_condition::handshake_failed);
  CHECK(stage_of(f.error) == connect_stage::handshake);
  CHECK(retry == "120");
  CHECK(location == "https://elsewhere.test/");
}

TEST_CASE("an_answer_that_is_no_upgrade_is_refused") {
  const std::string start = "HTTP/1.1 101 Switching Protocols\r\n";
  const std::string upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\n";
  const std::string wrong_key = "Sec-WebSocket-Accept: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  const auto [response, expected] = GENERATE_COPY(table<std::string, errc>(
      {{start + upgrade + wrong_key + "\r\n", errc::bad_accept_key},
       {start + upgrade + "\r\n", errc::bad_accept_key},
       {start + wrong_key + "\r\n", errc::upgrade_missing},
       {"SSH-2.0-OpenSSH_9.2\r\n\r\n", errc::bad_status_line},
       {std::string("\x15\x03\x01\x00\x02\x02\x46\r\n\r\n", 11), errc::bad_status_line},
       {start + "bad field\r\n\r\n", errc::bad_field},
       {start + "X: " + std::string(20'000, 'x') + "\r\n\r\n", errc::head_too_large}}));
  CAPTURE(response.substr(0, 100));
  const failure f = fail(way::plain, answer(response));
  CHECK(f.error == expected);
  CHECK(stage_of(f.error) == connect_stage::handshake);
}

TEST_CASE("a_right_answer_may_agree_only_to_what_was_offered") {
  const auto [fields, expected] = GENERATE(table<std::string, errc>(
      {{"Sec-WebSocket-Protocol: never-offered\r\n", errc::bad_subprotocol},
       {"Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: chat\r\n", errc::bad_subprotocol},
       {"Sec-WebSocket-Extensions: permessage-deflate\r\n", errc::bad_extension_response},
       {"Sec-WebSocket-Extensions: ;;\r\n", errc::bad_extensions}}));
  CAPTURE(fields);
  const std::string extra = fields;
  const failure f = fail(
      way::plain,
      [extra](peer& c) -> asio::awaitable<void> {
        co_await c.read_until("\r\n\r\n");
        const auto key = accept_key(c.field("Sec-WebSocket-Key"));
        const std::string accept(key.begin(), key.end());
        co_await c.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
                         ("Sec-WebSocket-Accept: " + accept + "\r\n") + extra + "\r\n");
        co_await c.hang();
      },
      [](client_options& o) { o.session.subprotocols = {"chat"}; });
  CHECK(f.error == expected);
}

TEST_CASE("an_endless_answer_is_not_read") {
  const auto [start, expected] = GENERATE(
      table<std::string, std::error_code>({{"HTTP/1.1 503 Busy\r\n\r\n", http_status::service_unavailable},
                                           {"HTTP/1.1 101 Switching Protocols\r\n", errc::head_too_large}}));
  const std::string first = start;
  std::size_t written = 0;
  const failure f = fail(way::plain, [&written, first](peer& c) -> asio::awaitable<void> {
    co_await c.read_until("\r\n\r\n");
    co_await c.write(first);
    const std::string more = "X: " + std::string(1000, 'x') + "\r\n";
    while (co_await c.write(more)) written += more.size();
  });
  CHECK(f.error == expected);
  // The client went at once, and the script ended: fail() has seen it.
  CHECK(written < 64 * 1024 * 1024);
}

TEST_CASE("what_a_proxy_answers_is_told_apart") {
  const auto [response, expected] = GENERATE(table<std::string, errc>(
      {{"HTTP/1.1 407 Authenticate\r\n\r\n", errc::proxy_authentication_required},
       {"HTTP/1.1 403 No\r\nContent-Length: 3\r\n\r\nno!", errc::proxy_refused},
       {"HTTP/1.1 101 Switching Protocols\r\n\r\n", errc::proxy_refused},
       {"HTTP/1.1 502 Bad Gateway\r\n\r\n", errc::proxy_refused},
       {"garbage\r\n\r\n", errc::bad_proxy_response},
       {"HTTP/1.1 200 Connected\r\n\r\nbytes of its own", errc::bad_proxy_response}}));
  CAPTURE(response);
  const failure f = fail(way::by_proxy, answer(response));
  CHECK(f.error == expected);
  CHECK(stage_of(f.error) == connect_stage::proxy);
}

TEST_CASE("a_server_that_speaks_no_TLS_fails_as_TLS") {
  const failure f = fail(way::tls, [](peer& c) -> asio::awaitable<void> {
    co_await c.read_some();
    co_await c.write("HTTP/1.1 400 Bad Request\r\n\r\n");
    co_await c.hang();
  });
  CHECK(f.error == errc_condition::tls_failed);
  CHECK(f.error == errc_condition::handshake_failed);
  CHECK(stage_of(f.error) == connect_stage::tls);
  CHECK_FALSE(f.error.message().empty());
}

// --- Arguments.

TEST_CASE("what_must_not_be_sent_is_refused_before_anybody_is_asked") {
  using change = std::function<void(std::string&, client_options&)>;
  const auto [name, wrong, expected] = GENERATE(table<std::string, change, errc>({
      {"scheme", [](std::string& u, client_options&) { u = "http" + u.substr(2); }, errc::bad_url},
      {"empty", [](std::string& u, client_options&) { u.clear(); }, errc::bad_url},
      {"fragment", [](std::string& u, client_options&) { u += "/#top"; }, errc::bad_url},
      {"user", [](std::string& u, client_options&) { u.insert(5, "me@"); }, errc::bad_url},
      {"line break", [](std::string& u, client_options&) { u += "/\r\nX: 1"; }, errc::bad_url},
      {"field", [](std::string&, client_options& o) { o.fields = {{"X", "1\r\nY: 2"}}; }, errc::bad_argument},
      {"own field", [](std::string&, client_options& o) { o.fields = {{"Host", "me"}}; }, errc::bad_argument},
      {"sub-protocol", [](std::string&, client_options& o) { o.session.subprotocols = {"a b"}; }, errc::bad_argument},
      {"twice", [](std::string&, client_options& o) { o.session.subprotocols = {"a", "a"}; }, errc::bad_argument},
      {"deflate",
       [](std::string&, client_options& o) {
         o.session.deflate.enabled = true;
         o.session.deflate.level = 99;
       },
       errc::bad_argument},
      {"proxy field",
       [](std::string& u, client_options& o) {
         const auto port = static_cast<std::uint16_t>(std::stoi(u.substr(u.rfind(':') + 1)));
         o.proxy = http_proxy{"127.0.0.1", port, {{"Proxy-Authorization", "a\nb"}}};
       },
       errc::bad_argument},
  }));
  CAPTURE(name);
  asio::io_context context(1);
  scripted_peer p(context, hang);
  std::string url = "ws://" + address_of(p.port());
  client_options options;
  wrong(url, options);
  outcome o;
  connect(context, url, options, note(o));
  REQUIRE(link_support::run_until(context, [&] { return o.is_done(); }));
  CHECK(o.error == expected);
  CHECK(stage_of(o.error) == connect_stage::arguments);
  link_support::run_a_moment(context);
  CHECK(p.connections.empty());
  CHECK(o.calls == 1);
}

TEST_CASE("where_there_is_no_randomness_connect_says_so") {
  asio::io_context context(1);
  outcome o;
  {
    const no_randomness during;
    connect(context, "ws://127.0.0.1:1/chat", {}, note(o));
    REQUIRE(link_support::run_until(context, [&] { return o.is_done(); }));
  }
  CHECK(o.error == std::errc::resource_unavailable_try_again);
  CHECK(connections_of(context) == 0);
}

TEST_CASE("an_executor_of_no_io_context_is_a_bad_argument") {
  asio::thread_pool pool(1);
  std::promise<std::error_code> error;
  connect(asio::any_io_executor(pool.get_executor()), "ws://localhost:1", {},
          [&](std::error_code ec, const session&) { error.set_value(ec); });
  CHECK(error.get_future().get() == errc::bad_argument);
  pool.join();
}

TEST_CASE("each_error_has_its_stage_and_each_stage_its_name") {
  const auto is_in = [](std::error_code ec, connect_stage stage) { return stage_of(ec) == stage; };
  for (const errc e : {errc::bad_url, errc::bad_argument}) CHECK(is_in(e, connect_stage::arguments));
  CHECK(is_in(errc::resolve_timeout, connect_stage::resolve));
  CHECK(is_in(asio::error::host_not_found, connect_stage::resolve));
  CHECK(is_in(asio::error::host_not_found_try_again, connect_stage::resolve));
  CHECK(is_in(asio::error::service_not_found, connect_stage::resolve));
  CHECK(is_in(errc::connect_timeout, connect_stage::connect));
  CHECK(is_in(std::make_error_code(std::errc::connection_refused), connect_stage::connect));
  CHECK(is_in(std::make_error_code(std::errc::filename_too_long), connect_stage::connect));
  for (const errc e : {errc::bad_proxy_response, errc::proxy_refused, errc::proxy_authentication_required,
                       errc::proxy_timeout, errc::proxy_lost}) {
    CHECK(is_in(e, connect_stage::proxy));
  }
  for (const errc e :
       {errc::tls_timeout, errc::tls_lost, errc::certificate_expired, errc::certificate_not_yet_valid,
        errc::certificate_untrusted, errc::certificate_wrong_host, errc::certificate_revoked,
        errc::certificate_invalid, errc::certificate_not_pinned, errc::tls_failed}) {
    CHECK(is_in(e, connect_stage::tls));
  }
  CHECK(is_in({1, tls_category()}, connect_stage::tls));
  for (const errc e : {errc::bad_status_line, errc::bad_field, errc::head_too_large, errc::upgrade_missing,
                       errc::bad_accept_key, errc::bad_subprotocol, errc::bad_extensions,
                       errc::bad_extension_response, errc::handshake_timeout, errc::handshake_lost}) {
    CHECK(is_in(e, connect_stage::handshake));
  }
  CHECK(is_in(http_status::forbidden, connect_stage::handshake));
  CHECK(name_of(connect_stage::arguments) == "arguments");
  CHECK(name_of(connect_stage::resolve) == "resolve");
  CHECK(name_of(connect_stage::connect) == "connect");
  CHECK(name_of(connect_stage::proxy) == "proxy");
  CHECK(name_of(connect_stage::tls) == "TLS");
  CHECK(name_of(connect_stage::handshake) == "handshake");
}

// --- Giving up.

namespace {

/// A connect() that has come to one of its stages and stays there.
class stuck_connect {
 public:
  explicit stuck_connect(connect_stage where, link_kind link = link_kind::epoll)
      : context_(std::make_unique<asio::io_context>(1)) {
    peer_.emplace(*context_, hang);
    const way how = where == connect_stage::tls     ? way::tls
                    : where == connect_stage::proxy ? way::by_proxy
                                                    : way::plain;
    target t(how, where == connect_stage::connect ? nobody_.port() : peer_->port(), link);
    if (where == connect_stage::resolve) t.url = "ws://localhost:1";
    connect(*context_, t.url, t.options, asio::bind_cancellation_slot(signal.slot(), note(result)));
    const std::array first_bytes{std::pair{connect_stage::proxy, "CONNECT "},
                                 std::pair{connect_stage::tls, "\x16"},
                                 std::pair{connect_stage::handshake, "GET "}};
    for (const auto& [stage, bytes] : first_bytes) {
      const std::string_view expected = bytes;
      if (stage != where) continue;
      REQUIRE(link_support::run_until(*context_, [&] { return peer_->has_received(expected); }));
    }
    if (where == connect_stage::connect) link_support::run_a_moment(*context_);
    if (where == connect_stage::resolve) context_->run_one();  // the letter with the attempt
    CHECK(connections_of(*context_) == 1);
    CHECK(result.calls == 0);
  }

  asio::io_context& context() { return *context_; }
  void stop_peer() { peer_->stop(); }
  void destroy_context() {
    context_->stop();
    peer_.reset();
    context_.reset();
  }

  outcome result;
  asio::cancellation_signal signal;

 private:
  silent_address nobody_;
  std::unique_ptr<asio::io_context> context_;
  std::optional<scripted_peer> peer_;
};

connect_stage any_stage() {
  return GENERATE(connect_stage::resolve, connect_stage::connect, connect_stage::proxy, connect_stage::tls,
                  connect_stage::handshake);
}

}  // namespace

TEST_CASE("a_connect_is_cancelled_at_any_stage") {
  const connect_stage where = any_stage();
  const link_kind link = GENERATE(link_kind::epoll, link_kind::asio);
  const auto type = GENERATE(asio::cancellation_type::terminal, asio::cancellation_type::partial,
                             asio::cancellation_type::total);
  CAPTURE(where, link);
  stuck_connect c(where, link);
  c.signal.emit(type);
  REQUIRE(link_support::run_until(c.context(), [&] { return c.result.is_done(); }));
  CHECK(c.result.error == asio::error::operation_aborted);
  CHECK_FALSE(c.result.ws.is_open());
  CHECK(connections_of(c.context()) == 0);
  c.signal.emit(type);  // too late, and of no effect
  c.stop_peer();
  CHECK(link_support::runs_out(c.context()));
  CHECK(c.result.calls == 1);
}

TEST_CASE("a_connect_that_is_cancelled_before_it_began_never_begins") {
  asio::io_context context(1);
  scripted_peer p(context, hang);
  asio::cancellation_signal signal;
  outcome o;
  connect(context, "ws://" + address_of(p.port()), {}, asio::bind_cancellation_slot(signal.slot(), note(o)));
  signal.emit(asio::cancellation_type::all);
  REQUIRE(link_support::run_until(context, [&] { return o.is_done(); }));
  CHECK(o.error == asio::error::operation_aborted);
  CHECK(connections_of(context) == 0);
}

TEST_CASE("a_context_may_go_at_any_stage_of_a_connect") {
  const connect_stage where = any_stage();
  const link_kind link = GENERATE(link_kind::epoll, link_kind::asio);
  CAPTURE(where, link);
  certificates::usual::instance();
  const int descriptors = link_support::open_descriptors();
  {
    stuck_connect c(where, link);
    c.destroy_context();
    CHECK(c.result.calls == 0);  // as Asio does: the handler is destroyed
    c.signal.emit(asio::cancellation_type::all);
  }
  CHECK(link_support::open_descriptors() == descriptors);
}

TEST_CASE("who_cancels_after_the_connection_was_made_gets_no_session") {
  const bool with_callbacks = GENERATE(false, true);
  const link_form form = GENERATE(link_form::epoll, link_form::asio);
  CAPTURE(with_callbacks, form);
  client_stage s(form);
  std::optional<close_code> code;
  s.server().route("/cancelled", handlers{.on_close = [&](session&, const close_info& c) { code = c.code; }});
  client_options options = s.options();
  asio::cancellation_signal signal;
  // The head has come, so the completion is posted next.
  options.on_response = [&](const response_head&) { signal.emit(asio::cancellation_type::all); };
  if (with_callbacks) options.callbacks.on_message = [](session&, message_view) {};
  outcome o;
  const time_point begin = clock::now();
  connect(s.context, s.url("/cancelled"), options, asio::bind_cancellation_slot(signal.slot(), note(o)));
  REQUIRE(s.run_until([&] { return o.is_done(); }));
  CHECK(o.error == asio::error::operation_aborted);
  CHECK_FALSE(o.ws.is_open());
  // Nobody owns the session, so it says goodbye, in good order.
  CHECK(s.run_until([&] { return s.server().connection_count() == 0; }));
  CHECK(clock::now() - begin < 4s);  // and not by the close timeout of 5 s
  CHECK(code == close_code::going_away);
  CHECK(o.calls == 1);
}
