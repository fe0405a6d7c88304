#include <fairlead/net/server/detail/http_exchange.hpp>

#include <net/session/session_support.hpp>
#include <support/catch.hpp>

#include <filesystem>
#include <fstream>
#include <stdexcept>

using namespace net_test;

// What a server answers before a connection is a WebSocket.

namespace {

link_form any_form() {
  return GENERATE(link_form::memory, link_form::epoll, link_form::asio, link_form::tls);
}

struct answer {
  int status = 0;
  std::string head;
  std::string body;

  std::string field(std::string_view name) const { return field_in(head, name); }
};

/// Sends `bytes` in one piece and reads until the server closes.
answer ask(stage& s, std::string_view bytes) {
  const auto peer = s.connect();
  peer->write(bytes);
  REQUIRE(s.run_until([&] { return peer->is_over(); }));
  REQUIRE(s.run_until([&] { return s.server().connection_count() == 0; }));
  CHECK(peer->eof);
  return {peer->status(), peer->head, peer->body};
}

std::string get_request(std::string_view target, std::string_view method = "GET") {
  return std::string(method) + " " + std::string(target) + " HTTP/1.1\r\nHost: localhost\r\n\r\n";
}

std::string replaced(std::string in, std::string_view from, std::string_view to) {
  const auto at = in.find(from);
  REQUIRE(at != std::string::npos);
  return in.replace(at, from.size(), to);
}

std::size_t responses_in(const std::string& bytes) {
  std::size_t count = 0;
  for (auto at = bytes.find("HTTP/1.1 "); at != std::string::npos; at = bytes.find("HTTP/1.1 ", at + 1))
    ++count;
  return count;
}

}  // namespace

TEST_CASE("get_is_answered_by_the_first_route_that_matches_with_parameters_and_query") {
  stage s(any_form());
  s.server().get("/rooms/special", [](const request&) { return text_response(http_status::ok, "first"); });
  s.server().get("/rooms/{room}", [](const request& r) {
    return text_response(http_status::ok, std::string(r.param("room")) + "," + r.query("q").value_or("none"));
  });
  s.server().get("/rooms/{other}", [](const request&) { return text_response(http_status::ok, "never"); });
  CHECK(ask(s, get_request("/rooms/special")).body == "first");
  CHECK(ask(s, get_request("/rooms/lobby?q=a+b")).body == "lobby,a b");
  CHECK(ask(s, get_request("/rooms/%6cobby")).body == "lobby,none");
}

TEST_CASE("head_is_answered_like_get_without_the_body") {
  stage s(any_form());
  s.server().get("/", [](const request&) { return text_response(http_status::ok, "hello"); });
  const answer got = ask(s, get_request("/"));
  const answer head = ask(s, get_request("/", "HEAD"));
  CHECK(got.status == 200);
  CHECK(got.body == "hello");
  CHECK(got.field("Content-Length") == "5");
  CHECK(head.head == got.head);
  CHECK(head.body.empty());
}

TEST_CASE("health_tells_the_number_of_connections") {
  stage s(any_form());
  s.server().route("/", handlers{});
  s.server().health("/health");
  const auto peer = s.join();
  REQUIRE(peer);
  const auto probe = s.connect();
  probe->write(get_request("/health"));
  REQUIRE(s.run_until([&] { return probe->is_over(); }));
  CHECK(probe->status() == 200);
  CHECK(probe->body == "{\"status\":\"ok\",\"connections\":2}\n");
}

TEST_CASE("a_handler_that_throws_or_answers_what_must_not_be_sent_becomes_500") {
  stage s(any_form());
  s.server().get("/throws", [](const request&) -> response { throw std::runtime_error("no"); });
  s.server().get("/splits", [](const request&) {
    response r = text_response(http_status::ok, "x");
    r.add("X-A", "b\r\nX-C: d");
    return r;
  });
  for (const char* target : {"/throws", "/splits"}) {
    const answer a = ask(s, get_request(target));
    CHECK(a.status == 500);
    CHECK_FALSE(a.body.empty());
    CHECK(ask(s, get_request(target, "HEAD")).body.empty());
  }
}

TEST_CASE("a_large_answer_is_written_as_the_client_reads") {
  stage s(any_form());
  const std::string large(5'000'000, 'x');
  s.server().get("/", [&](const request&) { return text_response(http_status::ok, large); });
  CHECK((ask(s, get_request("/")).body == large));
}

// H08, H07: a refusal ends the connection, so nothing behind it can pass for a second request. Each answer
// has a body.
TEST_CASE("what_stands_behind_a_refused_request_is_never_looked_at") {
  struct refusal {
    const char* what;
    std::string request;
    int status;
  };
  server_options options;
  options.head.max_head_size = 2000;
  stage s(any_form(), options);
  int internal = 0;
  s.server().route("/ws", handlers{});
  s.server().get("/page", [](const request&) { return text_response(http_status::ok, "page"); });
  s.server().get("/internal", [&](const request&) {
    ++internal;
    return text_response(http_status::ok, "secret");
  });
  s.server().get("/throws", [](const request&) -> response { throw 1; });
  const std::string upgrade = upgrade_request_for("/ws");
  const std::vector<refusal> refusals = {
      {"no request at all", "\x16\x03\x01\r\n\r\n", 400},
      {"no Host", replaced(upgrade, "Host: localhost\r\n", ""), 400},
      {"two keys", upgrade_request_for("/ws", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"), 400},
      {"a bad key", replaced(upgrade, "dGhl", "dGh"), 400},
      {"a bad sub-protocol", upgrade_request_for("/ws", "Sec-WebSocket-Protocol: a,,b\r\n"), 400},
      {"a malformed extension",
       upgrade_request_for("/ws", "Sec-WebSocket-Extensions: permessage-deflate;\r\n"), 400},
      {"no Connection: Upgrade", replaced(upgrade, "Connection: Upgrade", "Connection: close"), 426},
      {"another version", replaced(upgrade, "Version: 13", "Version: 777"), 426},
      {"no upgrade at all", get_request("/ws"), 426},
      {"POST of an upgrade", replaced(upgrade, "GET", "POST"), 405},
      {"POST of a page", get_request("/page", "POST"), 405},
      {"a body", replaced(get_request("/page"), "\r\n\r\n", "\r\nContent-Length: 5\r\n\r\n"), 400},
      {"an upgrade where there is none", upgrade_request_for("/nothing"), 404},
      {"nothing there", get_request("/nothing"), 404},
      {"a line too long", get_request("/" + std::string(9000, 'x')), 431},
      {"a head too large", upgrade_request_for("/ws", "A: " + std::string(1900, 'x') + "\r\n"), 431},
      {"HTTP/2", replaced(get_request("/page"), "HTTP/1.1", "HTTP/2.0"), 505},
      {"a handler that throws", get_request("/throws"), 500},
      {"no refusal, but the end all the same", get_request("/page"), 200},
  };
  for (const refusal& r : refusals) {
    CAPTURE(r.what);
    const answer a = ask(s, r.request + get_request("/internal") + upgrade + text_frame("a"));
    CHECK(a.status == r.status);
    CHECK(responses_in(a.head + a.body) == 1);
    CHECK(a.field("Connection").substr(0, 5) == "close");
    CHECK_FALSE(a.body.empty());
    CHECK(a.field("Content-Length") == std::to_string(a.body.size()));
    if (r.status == 405) CHECK_FALSE(a.field("Allow").empty());
    if (r.status == 426) CHECK(a.field("Upgrade") == "websocket");
    if (std::string_view(r.what) == "another version") CHECK(a.field("Sec-WebSocket-Version") == "13");
  }
  CHECK(internal == 0);
}

// H08: nor what comes later, while the answer is on its way or the connection lingers.
TEST_CASE("what_comes_after_a_refusal_is_never_looked_at") {
  stage s(any_form());
  int internal = 0;
  s.server().get("/internal", [&](const request&) {
    ++internal;
    return text_response(http_status::ok, "secret");
  });
  const auto peer = s.connect();
  peer->is_stubborn = true;
  peer->write(get_request("/nothing"));
  REQUIRE(s.run_until([&] { return peer->eof; }));
  peer->write(get_request("/internal"));
  s.run_ready();
  peer->half_close();
  REQUIRE(s.run_until([&] { return s.server().connection_count() == 0; }));
  CHECK(internal == 0);
  CHECK(responses_in(peer->head + peer->body) == 1);
}

TEST_CASE("a_client_that_never_leaves_or_floods_after_its_answer_is_closed") {
  server_options options;
  options.session.connection.close_timeout = 100ms;
  stage s(any_form(), options);
  const auto peer = s.connect();
  peer->is_stubborn = true;
  peer->write(get_request("/nothing"));
  REQUIRE(s.run_until([&] { return peer->eof; }));
  SECTION("never leaves") {}
  SECTION("floods") {
    options.session.connection.close_timeout = 1h;
    for (int i = 0; i < 30 && s.server().connection_count() != 0; ++i) {
      peer->write(std::string(100'000, 'x'));
      s.run_ready();
    }
  }
  REQUIRE(s.run_until([&] { return s.server().connection_count() == 0; }));
}

// H13.
TEST_CASE("frames_right_behind_the_request_arrive_after_on_open_in_order") {
  stage s(any_form());
  record seen;
  s.server().route("/", seen.callbacks());
  const auto peer = s.connect();
  peer->write(upgrade_request_for("/") + text_frame("1") + text_frame("2") + text_frame("3"));
  REQUIRE(s.run_until([&] { return peer->upgraded && seen.events.size() == 4; }));
  CHECK(seen.events == std::vector<std::string>{"open", "1", "2", "3"});
}

// H13: and wherever the bytes are cut.
TEST_CASE("a_request_with_frames_behind_it_may_be_cut_anywhere") {
  stage s;
  record seen;
  s.server().route("/", seen.callbacks());
  const std::string bytes = upgrade_request_for("/") + text_frame("1") + frame(0x82, std::string(300, 'x'));
  for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
    CAPTURE(cut);
    s.run_ready();  // the end of the one before
    seen.events.clear();
    const auto peer = s.connect();
    peer->write(bytes.substr(0, cut));
    s.run_ready();
    peer->write(bytes.substr(cut));
    s.run_ready();
    REQUIRE(seen.events == std::vector<std::string>{"open", "1", std::string(300, 'x')});
  }
}

TEST_CASE("on_open_is_given_the_request") {
  stage s(any_form());
  std::string told;
  s.server().route("/rooms/{room}", handlers{.on_open = [&](session&, const request& head) {
                     told = std::string(head.param("room")) + head.query("q").value_or("") +
                            std::string(head.field("x-field").value_or(""));
                   }});
  s.server().route("/coroutine/{id}", [&](session, request head) -> asio::awaitable<void> {
    told = std::string(head.param("id")) + std::string(head.host());
    co_return;
  });
  const auto first = s.connect();
  first->upgrade("/rooms/lobby?q=1", "X-Field: 2\r\n");
  REQUIRE(s.run_until([&] { return !told.empty(); }));
  CHECK(told == "lobby12");
  told.clear();
  const auto second = s.join("/coroutine/7");
  REQUIRE(second);
  REQUIRE(s.run_until([&] { return !told.empty(); }));
  CHECK(told == "7localhost");
}

// RFC 6455 section 4.2.2.
TEST_CASE("the_subprotocol_that_is_agreed_reaches_the_client_and_the_session") {
  stage s(any_form());
  record seen;
  session_options options;
  options.subprotocols = {"chat.v2", "chat.v1"};
  s.server().route("/", seen.callbacks(), options);
  const auto agreed = [&](std::string_view offer) {
    const auto peer = s.connect();
    peer->upgrade("/", offer);
    REQUIRE(s.run_until([&] { return peer->upgraded; }));
    const answer a{101, peer->head, {}};
    REQUIRE(s.run_until([&] { return seen.ws.has_value(); }));
    CHECK(a.field("Sec-WebSocket-Protocol") == seen.ws->subprotocol());
    const std::string ours(seen.ws->subprotocol());
    seen.ws.reset();
    return ours;
  };
  CHECK(agreed("Sec-WebSocket-Protocol: chat.v1, chat.v2\r\n") == "chat.v2");
  CHECK(agreed("Sec-WebSocket-Protocol: chat.v1\r\n") == "chat.v1");
  CHECK(agreed("Sec-WebSocket-Protocol: other\r\n").empty());
  CHECK(agreed("").empty());
}

// H14: the timeout runs from the accept.
TEST_CASE("a_handshake_that_is_not_done_in_time_ends_however_busy_the_client_is") {
  server_options options;
  options.handshake_timeout = 150ms;
  stage s(any_form(), options);
  s.server().route("/", handlers{});
  const auto silent = s.connect();
  const auto slow = s.connect();
  REQUIRE(s.run_until([&] { return s.server().connection_count() == 2; }));
  const time_point began = clock::now();
  const std::string endless = upgrade_request_for("/", "A: " + std::string(1000, 'x'));
  std::size_t sent = 0;
  time_point next = began;
  REQUIRE(s.run_until([&] {
    if (clock::now() >= next && sent < endless.size() - 4) {  // never its empty line
      slow->write(endless.substr(sent++, 1));
      next = clock::now() + 5ms;
    }
    return silent->is_over() && slow->is_over();
  }));
  CHECK(sent > 5);
  CHECK(clock::now() - began > 100ms);
  CHECK(clock::now() - began < 2s);
  CHECK(silent->head.empty());
  // One who is quick comes in, and stays.
  const auto quick = s.join();
  REQUIRE(quick);
  const time_point later = clock::now() + 300ms;
  REQUIRE(s.run_until([&] { return clock::now() > later; }));
  CHECK_FALSE(quick->is_over());
}

TEST_CASE("a_client_that_leaves_amid_its_request_leaves_nothing_behind") {
  stage s(any_form());
  const auto peer = s.connect();
  peer->write("GET / HTTP/1.1\r\nHo");
  REQUIRE(s.run_until([&] { return s.server().connection_count() == 1; }));
  peer->hang_up();
  REQUIRE(s.run_until([&] { return s.server().connection_count() == 0; }));
}

TEST_CASE("a_client_that_half_closes_after_its_request_gets_its_answer") {
  // With TLS the request is taken only after the handshake.
  stage s(GENERATE(link_form::memory, link_form::epoll, link_form::asio));
  const std::string large(3'000'000, 'x');
  s.server().get("/", [&](const request&) { return text_response(http_status::ok, large); });
  const auto peer = s.connect();
  peer->write(get_request("/"));
  peer->half_close();
  REQUIRE(s.run_until([&] { return peer->is_over(); }));
  CHECK(peer->body.size() == large.size());
}

TEST_CASE("pages_of_allowed_origins_may_read_answers_and_ask_first") {
  stage s(any_form());
  s.server().cors(cors_policy().allow("https://app.example.com"));
  s.server().get("/page", [](const request&) { return text_response(http_status::ok, "a page\n"); });
  const auto with_origin = [](std::string_view method, std::string_view origin,
                              std::string_view fields = {}) {
    return std::string(method)
        .append(" /page HTTP/1.1\r\nHost: localhost\r\nOrigin: ")
        .append(origin)
        .append("\r\n")
        .append(fields)
        .append("\r\n");
  };
  const answer allowed = ask(s, with_origin("GET", "https://app.example.com"));
  CHECK(allowed.status == 200);
  CHECK(allowed.body == "a page\n");
  CHECK(allowed.field("Access-Control-Allow-Origin") == "https://app.example.com");
  const answer other = ask(s, with_origin("GET", "https://evil.example"));
  CHECK(other.status == 200);
  CHECK(other.field("Access-Control-Allow-Origin").empty());
  CHECK(other.field("Vary") == "Origin");
  const std::string wanted = "Access-Control-Request-Method: GET\r\n";
  CHECK(ask(s, with_origin("OPTIONS", "https://app.example.com", wanted)).status == 204);
  CHECK(ask(s, with_origin("OPTIONS", "https://evil.example", wanted)).status == 403);
  CHECK(ask(s, with_origin("OPTIONS", "https://app.example.com")).status == 405);
}
