#include <fairlead/net/server/detail/connection_limits.hpp>

#include <net/session/session_support.hpp>
#include <support/catch.hpp>

#include <asio/write.hpp>

#include <numeric>

using namespace net_test;

// How many connections a server has, and of whom.

namespace {

link_form any_form() { return GENERATE(link_form::epoll, link_form::asio); }

server_options limited_to(std::size_t concurrent, std::uint64_t per_minute = 1000) {
  server_options options;
  address_limit_options limits;
  limits.max_concurrent = concurrent;
  limits.max_new_per_minute = per_minute;
  options.address_limits = limits;
  return options;
}

struct answer {
  int status = 0;
  std::string head;
  bool upgraded = false;
};

/// Asks for an upgrade and waits for the answer; the connection stays in `kept`.
answer knock(stage& s, std::vector<std::unique_ptr<client>>& kept, std::string_view fields = {},
             std::string_view before = {}) {
  auto c = s.connect();
  c->write(std::string(before).append(upgrade_request_for("/", fields)));
  REQUIRE(s.run_until([&] { return c->upgraded || c->is_over(); }));
  const answer a{c->status(), c->head, c->upgraded};
  kept.push_back(std::move(c));
  return a;
}

bool has_connections(stage& s, std::size_t n) {
  return s.run_until([&] { return s.server().connection_count() == n; });
}

}  // namespace

TEST_CASE("R03: one connection more than the server may have is answered 503, and one fewer is let in") {
  server_options options;
  options.max_connections = 2;
  stage s(any_form(), options);
  s.server().route("/", handlers{});
  std::vector<std::unique_ptr<client>> clients;
  CHECK(knock(s, clients).upgraded);
  CHECK(knock(s, clients).upgraded);
  const answer full = knock(s, clients);
  CHECK(full.status == 503);
  CHECK(field_in(full.head, "Retry-After") == "10");
  CHECK(s.server().counters().refused_for(refusal::server_full) == 1);
  CHECK(s.server().counters().opened == 2);
  clients.front()->hang_up();
  REQUIRE(has_connections(s, 1));
  CHECK(knock(s, clients).upgraded);
}

TEST_CASE("R03: what is refused is answered before it has said anything, and holds no place for long") {
  server_options options;
  options.max_connections = 1;
  options.session.connection.close_timeout = 20ms;
  stage s(any_form(), options);
  s.server().route("/", handlers{});
  const auto first = s.join();
  REQUIRE(first);
  const auto silent = s.connect();
  silent->is_stubborn = true;
  REQUIRE(s.run_until([&] { return silent->eof; }));
  CHECK(silent->status() == 503);
  REQUIRE(has_connections(s, 1));
}

TEST_CASE("R03: a flood of connections to a full server gets no more answers than it may hold") {
  server_options options;
  options.max_connections = 1;
  stage s(any_form(), options);
  s.server().route("/", handlers{});
  const auto first = s.join();
  REQUIRE(first);
  std::vector<std::unique_ptr<client>> flood;
  for (int i = 0; i < 300; ++i) {
    flood.push_back(s.connect());
    flood.back()->is_stubborn = true;
  }
  REQUIRE(s.run_until([&] { return s.server().counters().refused_for(refusal::server_full) == 300; }));
  CHECK(s.server().connection_count() <= 257);
  REQUIRE(s.run_until([&] { return std::ranges::count_if(flood, &client::is_over) == 300; }));
}

TEST_CASE("a_client_has_as_many_connections_as_it_may_and_gets_429_for_the_next") {
  stage s(any_form(), limited_to(2));
  s.server().route("/", handlers{});
  std::vector<std::unique_ptr<client>> clients;
  CHECK(knock(s, clients).upgraded);
  CHECK(knock(s, clients).upgraded);
  const answer third = knock(s, clients);
  CHECK(third.status == 429);
  CHECK(field_in(third.head, "Retry-After") == "60");
  CHECK(s.server().counters().refused_for(refusal::address_count) == 1);
  clients.front()->hang_up();
  REQUIRE(has_connections(s, 1));
  CHECK(knock(s, clients).upgraded);
}

TEST_CASE("a_client_opens_as_many_connections_a_minute_as_it_may") {
  stage s(any_form(), limited_to(100, 3));
  s.server().route("/", handlers{});
  std::vector<std::unique_ptr<client>> clients;
  for (int i = 0; i < 3; ++i) {
    CHECK(knock(s, clients).upgraded);
    clients.back()->hang_up();
  }
  CHECK(knock(s, clients).status == 429);
  CHECK(s.server().counters().refused_for(refusal::address_rate) == 1);
}

TEST_CASE("R03: over TLS a connection too many is closed before its handshake") {
  server_options options = limited_to(1);
  options.tls = certificates::usual::instance().server();
  stage s(link_form::epoll, options);
  s.server().route("/", handlers{});
  const auto first = s.connect();
  REQUIRE(has_connections(s, 1));
  const auto second = s.connect();
  REQUIRE(s.run_until([&] { return second->is_over(); }));
  CHECK(second->head.empty());
  CHECK(s.server().counters().refused_for(refusal::address_count) == 1);
}

// H22: what stands in a field is believed of trusted proxies alone.
TEST_CASE("H22: behind a trusted proxy each client has its own limit, and its own address") {
  server_options options = limited_to(1);
  options.proxies.trust("127.0.0.0/8");
  stage s(any_form(), options);
  std::vector<std::string> peers;
  s.server().route("/",
                   {.on_open = [&](session& ws, const request&) { peers.push_back(to_string(ws.peer())); }});
  std::vector<std::unique_ptr<client>> clients;
  CHECK(knock(s, clients, "X-Forwarded-For: 192.0.2.1\r\n").upgraded);
  CHECK(knock(s, clients, "X-Forwarded-For: 198.51.100.7, 192.0.2.2\r\n").upgraded);
  CHECK(knock(s, clients, "X-Forwarded-For: 192.0.2.1\r\n").status == 429);
  CHECK(knock(s, clients, "X-Forwarded-For: 203.0.113.9, 192.0.2.2\r\n").status == 429);
  CHECK((peers == std::vector<std::string>{"192.0.2.1:0", "192.0.2.2:0"}));
  CHECK(s.server().counters().refused_for(refusal::address_count) == 2);
}

TEST_CASE("H22: who is not a trusted proxy speaks for nobody else") {
  stage s(any_form(), limited_to(1));
  std::string peer;
  s.server().route("/", {.on_open = [&](session& ws, const request&) { peer = to_string(ws.peer()); }});
  std::vector<std::unique_ptr<client>> clients;
  CHECK(knock(s, clients, "X-Forwarded-For: 192.0.2.1\r\n").upgraded);
  CHECK(peer.starts_with("127.0.0.1:"));
  CHECK(knock(s, clients, "X-Forwarded-For: 192.0.2.2\r\n").status == 429);
}

TEST_CASE("H22: a page is of the origin under which the proxy was asked over TLS") {
  server_options options;
  options.proxies.trust("127.0.0.1");
  stage s(any_form(), options);
  s.server().route("/", handlers{});
  std::vector<std::unique_ptr<client>> clients;
  constexpr const char* page = "Origin: https://localhost\r\nX-Forwarded-For: 192.0.2.1\r\n";
  CHECK(knock(s, clients, std::string(page).append("X-Forwarded-Proto: https\r\n")).upgraded);
  CHECK(knock(s, clients, std::string(page).append("X-Forwarded-Proto: http\r\n")).status == 403);
  CHECK(knock(s, clients, page).status == 403);
}

TEST_CASE("a_proxy_says_who_the_client_is_before_its_first_byte") {
  server_options options = limited_to(1);
  options.proxies.trust("127.0.0.0/8");
  options.proxy_protocol = true;
  stage s(any_form(), options);
  std::vector<std::string> peers;
  s.server().route("/",
                   {.on_open = [&](session& ws, const request&) { peers.push_back(to_string(ws.peer())); },
                    .on_message = [](session& ws, message_view m) { ws.try_send(m); }});
  std::vector<std::unique_ptr<client>> clients;
  CHECK(knock(s, clients, {}, "PROXY TCP4 192.0.2.1 192.0.2.100 4711 443\r\n").upgraded);
  CHECK(knock(s, clients, {}, "PROXY TCP6 2001:db8::1 2001:db8::2 4712 443\r\n").upgraded);
  CHECK((peers == std::vector<std::string>{"192.0.2.1:4711", "[2001:db8::1]:4712"}));
  CHECK(knock(s, clients, {}, "PROXY TCP4 192.0.2.1 192.0.2.100 4713 443\r\n").status == 429);
  clients[1]->send("hello");
  REQUIRE(s.run_until([&] { return clients[1]->messages.size() == 1; }));
}

TEST_CASE("a_proxy_header_may_come_byte_by_byte_and_tls_follows_it") {
  server_options options;
  options.proxies.trust("127.0.0.0/8");
  options.proxy_protocol = true;
  const bool is_tls = GENERATE(false, true);
  if (is_tls) options.tls = certificates::usual::instance().server();
  stage s(any_form(), options);
  std::string peer;
  s.server().route("/", {.on_open = [&](session& ws, const request&) { peer = to_string(ws.peer()); }});
  s.server().listen();
  asio::ip::tcp::socket socket(s.context);
  socket.connect({asio::ip::address_v4::loopback(), s.server().port()});
  for (const char byte : std::string_view("PROXY TCP4 192.0.2.1 192.0.2.100 4711 443\r\n")) {
    asio::write(socket, asio::buffer(&byte, 1));
    s.run_ready();
  }
  link_ptr l = make_asio_link(std::move(socket));
  if (is_tls) {
    l = make_tls_link(s.context.get_executor(), std::move(l), certificates::usual::instance().client(),
                      "localhost", 443);
  }
  client c(std::move(l));
  c.upgrade();
  REQUIRE(s.run_until([&] { return c.upgraded; }));
  CHECK(peer == "192.0.2.1:4711");
}

TEST_CASE("a_connection_without_the_proxys_header_is_closed_and_counted") {
  server_options options;
  options.proxy_protocol = true;
  SECTION("it says something else") { options.proxies.trust("127.0.0.0/8"); }
  SECTION("it is no proxy's") {}
  stage s(any_form(), options);
  s.server().route("/", handlers{});
  const auto c = s.connect();
  c->upgrade();
  REQUIRE(s.run_until([&] { return c->is_over(); }));
  CHECK(c->head.empty());
  CHECK(s.server().counters().refused_for(refusal::proxy_header) == 1);
  REQUIRE(has_connections(s, 0));
}

TEST_CASE("a_proxy_that_never_ends_its_header_is_not_waited_for") {
  server_options options;
  options.proxies.trust("127.0.0.0/8");
  options.proxy_protocol = true;
  options.handshake_timeout = 20ms;
  stage s(any_form(), options);
  s.server().route("/", handlers{});
  const auto c = s.connect();
  c->write("PROXY TCP4 192.0.2.1");
  REQUIRE(s.run_until([&] { return c->is_over(); }));
  CHECK(s.server().counters().refused_for(refusal::slow_handshake) == 1);
}

TEST_CASE("every_refusal_is_counted_for_its_reason") {
  server_options options;
  options.head.max_head_size = 300;
  options.handshake_timeout = 50ms;
  stage s(any_form(), options);
  s.server().route("/", handlers{});
  s.server().get("/page", [](const request&) { return text_response(http_status::ok, "a page\n"); });
  const auto ask = [&s](std::string_view bytes) {
    const auto c = s.connect();
    c->write(bytes);
    REQUIRE(s.run_until([&] { return c->is_over(); }));
  };
  ask("GET /page HTTP/1.1\r\nHost: localhost\r\n\r\n");
  ask("no request\r\n\r\n");
  ask(upgrade_request_for("/", std::string("X-A: ").append(300, 'a').append("\r\n")));
  ask(upgrade_request_for("/nowhere"));
  ask("GET / HTTP/1.1\r\n");
  const net_counters counted = s.server().counters();
  CHECK(counted.refused_for(refusal::bad_request) == 1);
  CHECK(counted.refused_for(refusal::head_too_large) == 1);
  CHECK(counted.refused_for(refusal::not_found) == 1);
  CHECK(counted.refused_for(refusal::slow_handshake) == 1);
  CHECK(std::accumulate(counted.refused.begin(), counted.refused.end(), std::uint64_t{0}) == 4);
  CHECK(name_of(refusal::bad_request) == "bad_request");
  CHECK(name_of(refusal::leaving) == "leaving");
}
