#include <fairlead/net/client/client.hpp>

#include <net/client/client_support.hpp>
#include <support/catch.hpp>

#include <asio/strand.hpp>

#include <atomic>
#include <thread>

using namespace net_test;

// connect() against a server of ours, in one context.

TEST_CASE("a_client_and_a_server_exchange_messages") {
  const link_form form = GENERATE(link_form::epoll, link_form::asio);
  const bool secure = GENERATE(false, true);
  CAPTURE(form, secure);
  client_stage s(form, secure);
  outcome o = s.connect();
  REQUIRE_FALSE(o.error);
  for (const std::size_t size : std::initializer_list<std::size_t>{0, 1, 1000, 65'536}) {
    const std::string text(size, 'x');
    CHECK(o.ws.try_send(text) == send_result::posted);  // the test is not on the session's thread
    std::optional<message> answer;
    o.ws.receive([&](std::error_code ec, std::optional<message> m) {
      CHECK_FALSE(ec);
      answer = std::move(m);
    });
    REQUIRE(s.run_until([&] { return answer.has_value(); }));
    CHECK((answer->text() == text));
  }
  bool closed = false;
  o.ws.close(close_code::normal, "done", [&](std::error_code ec) {
    CHECK_FALSE(ec);
    closed = true;
  });
  CHECK(s.run_until([&] { return closed; }));
}

TEST_CASE("a_client_awaits_its_connection") {
  client_stage s;
  std::string received;
  bool is_over = false;
  asio::co_spawn(
      s.context,
      [&]() -> asio::awaitable<void> {
        session ws = co_await fairlead::connect(co_await asio::this_coro::executor, s.url());
        co_await ws.send("hello");
        received = (co_await ws.receive()).value().text();
        co_await ws.close(close_code::normal, "");
        is_over = true;
      },
      asio::detached);
  REQUIRE(s.run_until([&] { return is_over; }));
  CHECK(received == "hello");
}

TEST_CASE("a_refused_upgrade_is_the_servers_status") {
  client_stage s;
  const outcome o = s.connect(s.url("/nothing"), s.options());
  CHECK(o.error == http_status::not_found);
  CHECK(o.error == errc_condition::handshake_failed);
  CHECK(stage_of(o.error) == connect_stage::handshake);
  CHECK_FALSE(o.ws.is_open());
}

// --- What is asked for, and what is agreed to.

namespace {

/// What a client asked, as the server saw it.
struct seen {
  std::string host, origin, token, path;

  handlers callbacks() {
    return {.on_open = [this](session&, const request& r) {
      host = r.field("Host").value_or("");
      origin = r.field("Origin").value_or("");
      token = r.field("Authorization").value_or("");
      path = r.target();
    }};
  }
};

}  // namespace

TEST_CASE("a_clients_own_fields_arrive") {
  client_stage s;
  seen at_server;
  s.server()
      .route("/rooms/{room}", at_server.callbacks())
      .origins(origin_policy().allow("https://example.test"));
  client_options o = s.options();
  o.fields = {{"Origin", "https://example.test"}, {"Authorization", "Bearer abc"}};
  const std::string url = s.url("/rooms/7?since=3");
  REQUIRE_FALSE(s.connect(url, o).error);
  CHECK(at_server.host == "localhost:" + std::to_string(s.server().port()));
  CHECK(at_server.origin == "https://example.test");
  CHECK(at_server.token == "Bearer abc");
  CHECK(at_server.path == "/rooms/7?since=3");
}

TEST_CASE("the_host_has_its_port_unless_it_is_the_schemes_own") {
  const auto [authority, tunnel_to, host] = GENERATE(
      table<std::string, std::string, std::string>({{"server.test", "server.test:80", "server.test"},
                                                    {"server.test:80", "server.test:80", "server.test"},
                                                    {"server.test:81", "server.test:81", "server.test:81"},
                                                    {"[::1]", "[::1]:80", "[::1]"}}));
  asio::io_context context(1);
  scripted_peer proxy(context, [](scripted_peer::connection& c) -> asio::awaitable<void> {
    co_await c.read_until("\r\n\r\n");
    co_await c.write("HTTP/1.1 200 OK\r\n\r\n");
    co_await c.read_some();
  });
  client_options o;
  o.proxy = http_proxy{"127.0.0.1", proxy.port()};
  outcome made;
  fairlead::connect(context, "ws://" + authority, o, note(made));
  REQUIRE(link_support::run_until(context, [&] { return made.is_done(); }));
  CHECK(made.error == errc::handshake_lost);
  CHECK(proxy.has_received("CONNECT " + tunnel_to + " HTTP/1.1\r\nHost: " + tunnel_to + "\r\n"));
  CHECK(proxy.has_received("GET / HTTP/1.1\r\nHost: " + host + "\r\n"));
}

TEST_CASE("the_sub_protocol_is_the_first_of_the_servers_that_the_client_offers") {
  using names = std::vector<std::string>;
  const auto [spoken, offered, agreed] = GENERATE(table<names, names, std::string>(
      {{{"a", "b"}, {"b", "a"}, "a"}, {{"a"}, {"b"}, ""}, {{}, {"a"}, ""}, {{"a"}, {}, ""}}));
  client_stage s;
  session_options so;
  so.subprotocols = spoken;
  s.server().route("/sub", handlers{}, so);
  client_options o = s.options();
  o.session.subprotocols = offered;
  const outcome made = s.connect(s.url("/sub"), o);
  REQUIRE_FALSE(made.error);
  CHECK(made.ws.subprotocol() == agreed);
}

TEST_CASE("messages_are_compressed_both_ways_once_it_is_agreed") {
  const bool secure = GENERATE(false, true);
  const auto [server_does, client_does] =
      GENERATE(table<bool, bool>({{true, true}, {true, false}, {false, true}, {false, false}}));
  CAPTURE(secure, server_does, client_does);
  client_stage s(link_form::epoll, secure);
  session_options so;
  so.deflate.enabled = server_does;
  s.server().route("/deflate", handlers{.on_message = [](session& ws, message_view m) { ws.try_send(m); }},
                   so);
  client_options o = s.options();
  o.session.deflate.enabled = client_does;
  std::string agreed;
  o.on_response = [&](const response_head& head) {
    agreed = head.field("Sec-WebSocket-Extensions").value_or("");
  };
  outcome made = s.connect(s.url("/deflate"), o);
  REQUIRE_FALSE(made.error);
  CHECK(agreed.starts_with("permessage-deflate") == (server_does && client_does));
  const std::string text(50'000, 'x');
  for (int i = 0; i < 3; ++i) CHECK((s.echo(made.ws, text) == text));
}

TEST_CASE("sixteen_mebibytes_go_both_ways") {
  const link_form form = GENERATE(link_form::epoll, link_form::asio);
  const bool secure = GENERATE(false, true);
  CAPTURE(form, secure);
  constexpr std::size_t size = 16 * 1024 * 1024;
  client_stage s(form, secure);
  session_options so;
  so.connection.max_message_size = size;
  so.queue_hard = 2 * size;
  s.server().route("/large", handlers{.on_message = [](session& ws, message_view m) { ws.try_send(m); }}, so);
  client_options o = s.options();
  o.session = so;
  outcome made = s.connect(s.url("/large"), o);
  REQUIRE_FALSE(made.error);
  const std::string bytes = link_support::pattern(size);
  CHECK((s.echo(made.ws, std::as_bytes(std::span(bytes))) == bytes));
}

// --- By proxy.

namespace {

/// A proxy that opens a tunnel to whom it is asked for, by the port alone.
asio::awaitable<void> tunnel(scripted_peer::connection& c) {
  co_await c.read_until("\r\n\r\n");
  const auto colon = c.received.find(':');
  const auto port = static_cast<std::uint16_t>(std::stoi(c.received.substr(colon + 1)));
  asio::ip::tcp::socket server(c.socket.get_executor());
  const asio::ip::tcp::endpoint there(asio::ip::address_v4::loopback(), port);
  co_await server.async_connect(there, asio::use_awaitable);
  co_await c.write("HTTP/1.1 200 Connection established\r\n\r\n");
  const auto carry = [](asio::ip::tcp::socket& from, asio::ip::tcp::socket& to) -> asio::awaitable<void> {
    std::array<char, 4096> buffer;
    std::error_code ec;
    for (;;) {
      const std::size_t n =
          co_await from.async_read_some(asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, ec));
      if (ec) break;
      co_await asio::async_write(to, asio::buffer(buffer, n), asio::redirect_error(asio::use_awaitable, ec));
    }
    to.shutdown(asio::socket_base::shutdown_send, ec);
  };
  bool is_back_done = false;
  asio::steady_timer back_done(c.socket.get_executor(), asio::steady_timer::time_point::max());
  asio::co_spawn(c.socket.get_executor(), carry(server, c.socket), [&](const std::exception_ptr&) {
    is_back_done = true;
    back_done.cancel();
  });
  co_await carry(c.socket, server);
  std::error_code ended;
  if (!is_back_done) co_await back_done.async_wait(asio::redirect_error(asio::use_awaitable, ended));
}

}  // namespace

TEST_CASE("a_proxy_carries_the_connection") {
  const link_form form = GENERATE(link_form::epoll, link_form::asio);
  const bool secure = GENERATE(false, true);
  CAPTURE(form, secure);
  client_stage s(form, secure);
  scripted_peer proxy(s.context, tunnel);
  client_options o = s.options();
  o.proxy = http_proxy{"127.0.0.1", proxy.port(), {{"Proxy-Authorization", "Basic YTpi"}}};
  outcome made = s.connect(s.url(), o);
  REQUIRE_FALSE(made.error);
  CHECK(s.echo(made.ws, "through the tunnel") == "through the tunnel");
  REQUIRE(proxy.connections.size() == 1);
  const std::string& asked = proxy.connections[0]->received;
  const std::string server = "localhost:" + std::to_string(s.server().port());
  CHECK(asked ==
        "CONNECT " + server + " HTTP/1.1\r\nHost: " + server + "\r\nProxy-Authorization: Basic YTpi\r\n\r\n");
  bool closed = false;
  made.ws.close(close_code::normal, "", [&](std::error_code) { closed = true; });
  CHECK(s.run_until([&] { return closed && proxy.open == 0; }));
}

// --- Addresses.

TEST_CASE("localhost_is_reached_on_whichever_of_its_addresses_there_is_a_server") {
  asio::io_context context(1);
  asio::ip::tcp::resolver resolver(context);
  for (const auto& entry : resolver.resolve("localhost", "80")) {
    const std::string address = entry.endpoint().address().to_string();
    CAPTURE(address);
    server_options so;
    so.address = address;
    server s(context, so);
    s.route("/", handlers{});
    s.listen();
    outcome made;
    fairlead::connect(context, "ws://localhost:" + std::to_string(s.port()), {}, note(made));
    REQUIRE(link_support::run_until(context, [&] { return made.is_done(); }));
    CHECK_FALSE(made.error);
  }
}

// --- Executors and threads.

TEST_CASE("a_connection_is_made_on_any_executor_of_an_io_context") {
  client_stage s;
  const std::string url = s.url();
  const auto check = [&](const asio::any_io_executor& executor) {
    outcome made;
    fairlead::connect(executor, url, s.options(), note(made));
    REQUIRE(s.run_until([&] { return made.is_done(); }));
    REQUIRE_FALSE(made.error);
    CHECK(s.echo(made.ws, "hello") == "hello");
  };
  check(s.context.get_executor());
  check(asio::make_strand(s.context));
  check(asio::make_strand(asio::any_io_executor(s.context.get_executor())));
  check(asio::require(s.context.get_executor(), asio::execution::outstanding_work.tracked));
}

TEST_CASE("connections_are_made_from_other_threads", "[threads]") {
  client_stage s;
  const std::string url = s.url();
  std::atomic<int> done = 0, failed = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 10; ++i) {
        try {
          session ws = fairlead::connect(s.context, url, {}, asio::use_future).get();
          ws.send("hello", asio::use_future).get();
          const auto answer = ws.receive(asio::use_future).get();
          if (!answer || answer->text() != "hello") ++failed;
          ws.close(close_code::normal, "", asio::use_future).get();
        } catch (const std::exception&) {
          ++failed;
        }
      }
      ++done;
    });
  }
  CHECK(s.run_until([&] { return done == 4; }));
  for (std::thread& t : threads) t.join();
  CHECK(failed == 0);
}

// --- Callbacks.

TEST_CASE("a_client_with_callbacks_receives_nothing_before_its_handler_has_returned") {
  const bool secure = GENERATE(false, true);
  const link_form form = GENERATE(link_form::epoll, link_form::asio);
  CAPTURE(secure, form);
  client_stage s(form, secure);
  // What the server says at once may come in one read with its answer.
  s.server().route("/greets", handlers{.on_open = [](session& ws, const request&) {
                     for (const char* word : {"one", "two", "three"}) ws.try_send(word);
                   }});
  std::vector<std::string> events;
  client_options o = s.options();
  o.callbacks.on_open = [&](session&, const request&) { events.emplace_back("open"); };
  o.callbacks.on_message = [&](session& ws, message_view m) {
    events.emplace_back(m.text());
    if (m.text() == "three") ws.try_close(close_code::normal, "enough");
  };
  o.callbacks.on_close = [&](session&, const close_info& info) {
    CHECK(info.code == close_code::normal);
    events.emplace_back("close");
  };
  fairlead::connect(s.context, s.url("/greets"), o, [&](std::error_code ec, session) {
    CHECK_FALSE(ec);
    link_support::run_a_moment(s.context);  // all that could come would come now
    events.emplace_back("connected");
  });
  CHECK(s.run_until([&] { return !events.empty() && events.back() == "close"; }));
  CHECK(events == std::vector<std::string>{"connected", "one", "two", "three", "close"});
}

TEST_CASE("a_client_with_callbacks_receives_also_after_its_handler_has_thrown") {
  client_stage s;
  s.server().route("/greets", handlers{.on_open = [](session& ws, const request&) { ws.try_send("one"); }});
  std::string received;
  client_options o = s.options();
  o.callbacks.on_message = [&](session&, message_view m) { received = m.text(); };
  fairlead::connect(s.context, s.url("/greets"), o,
                    [](std::error_code, const session&) { throw std::runtime_error("oh"); });
  CHECK_THROWS_AS(s.run_until([] { return false; }), std::runtime_error);
  CHECK(s.run_until([&] { return !received.empty(); }));
}

TEST_CASE("a_client_receives_messages_in_parts") {
  client_stage s;
  client_options o = s.options();
  std::string received;
  bool is_last = false;
  o.callbacks.on_part = [&](session&, message_part part) {
    received += text_of(part.bytes);
    is_last = part.last;
  };
  outcome made = s.connect(s.url(), o);
  REQUIRE_FALSE(made.error);
  const std::string text = link_support::pattern(40'000);
  made.ws.try_send(std::as_bytes(std::span(text)));
  CHECK(s.run_until([&] { return is_last; }));
  CHECK((received == text));
}

TEST_CASE("what_a_clients_callback_throws_closes_its_session") {
  client_stage s;
  client_options o = s.options();
  std::optional<close_code> code;
  std::string told;
  o.callbacks.on_message = [](session&, message_view) { throw std::runtime_error("oh"); };
  o.callbacks.on_close = [&](session&, const close_info& info) { code = info.code; };
  o.on_error = [&](const session&, const std::exception_ptr& error) {
    try {
      std::rethrow_exception(error);
    } catch (const std::runtime_error& e) {
      told = e.what();
    }
  };
  outcome made = s.connect(s.url(), o);
  REQUIRE_FALSE(made.error);
  made.ws.try_send("x");
  CHECK(s.run_until([&] { return code.has_value(); }));
  CHECK(told == "oh");
  CHECK(code == close_code::internal_error);
}
