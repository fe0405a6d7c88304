#include <fairlead/net/session/released_connection.hpp>

#include <net/session/session_support.hpp>
#include <support/catch.hpp>

#include <asio/bind_executor.hpp>

#include <stdexcept>
#include <thread>

#include <fcntl.h>

using namespace net_test;

// A connection that one session lets go of, and another goes on with.

namespace {

link_form any_socket() { return GENERATE(link_form::epoll, link_form::asio); }

struct outcome {
  std::optional<std::error_code> error;
  released_connection given;
};

/// Lets go of the session; the outcome comes later.
std::shared_ptr<outcome> release(stage& s, const session& ws) {
  const auto o = std::make_shared<outcome>();
  ws.release(asio::bind_executor(s.context, [o](std::error_code ec, released_connection given) {
    o->error = ec;
    o->given = std::move(given);
  }));
  return o;
}

bool is_open_descriptor(int descriptor) { return ::fcntl(descriptor, F_GETFD) >= 0; }

}  // namespace

TEST_CASE("another_session_goes_on_with_a_connection_and_its_peer_does_not_notice") {
  stage s(any_socket());
  record first, second;
  session_options options;
  options.subprotocols = {"chat"};
  s.server().route("/first", first.callbacks(), options);
  s.server().route("/second", second.callbacks());
  const auto c = s.connect();
  c->upgrade("/first", "Sec-WebSocket-Protocol: chat\r\n");
  REQUIRE(s.run_until([&] { return first.ws.has_value(); }));
  c->send("one");
  REQUIRE(s.run_until([&] { return first.events.size() == 2; }));
  first.ws->try_send("from the first");
  const auto o = release(s, *first.ws);
  REQUIRE(s.run_until([&] { return o->error.has_value(); }));
  CHECK_FALSE(*o->error);
  CHECK(o->given.side == role::server);
  CHECK(o->given.subprotocol == "chat");
  CHECK(o->given.unread.empty());
  CHECK((first.events == std::vector<std::string>{"open", "one", "close"}));
  CHECK(first.error == errc::released);
  CHECK(first.error == errc_condition::disconnected);
  CHECK(first.ws->try_send("too late") == send_result::closed);
  CHECK(s.server().connection_count() == 0);

  c->send("two");  // while nobody reads
  s.run_ready();
  s.server().adopt("/second", std::move(o->given));
  REQUIRE(s.run_until([&] { return second.events.size() == 2; }));
  CHECK((second.events == std::vector<std::string>{"open", "two"}));
  CHECK(second.ws->subprotocol() == "chat");
  CHECK(second.ws->peer().family == peer_address::kind::ipv4);
  second.ws->try_send("from the second");
  REQUIRE(s.run_until([&] { return c->messages.size() == 2; }));
  CHECK((c->texts() == std::vector<std::string>{"from the first", "from the second"}));
  CHECK_FALSE(c->is_over());
  c->close();
  REQUIRE(s.run_until([&] { return second.closes == 1; }));
  CHECK(second.code == close_code::normal);
}

TEST_CASE("a_connection_is_released_between_two_messages_and_what_came_behind_goes_with_it") {
  stage s(any_socket());
  record first, second;
  s.server().route("/", first.callbacks());
  s.server().route("/second", second.callbacks());
  const auto c = s.join();
  REQUIRE(c);
  const std::string whole = text_frame("in the middle");
  c->write(whole.substr(0, 7));
  s.run_ready();
  const auto o = release(s, *first.ws);
  s.run_ready();
  CHECK_FALSE(o->error);
  const std::string next = text_frame("behind it");
  const std::size_t part = GENERATE(std::size_t{0}, std::size_t{1}, std::size_t{5}, std::size_t{15});
  c->write(whole.substr(7).append(next.substr(0, part)));
  REQUIRE(s.run_until([&] { return o->error.has_value(); }));
  CHECK((first.events == std::vector<std::string>{"open", "in the middle", "close"}));
  CHECK(o->given.unread.size() == part);
  s.server().adopt("/second", std::move(o->given));
  s.run_ready();
  c->write(next.substr(part));
  REQUIRE(s.run_until([&] { return second.events.size() == 2; }));
  CHECK(second.events.back() == "behind it");
}

TEST_CASE("a_session_releases_itself_in_on_message_and_sees_no_further_message") {
  stage s(any_socket());
  record second;
  std::vector<std::string> seen;
  s.server().route("/second", second.callbacks());
  s.server().route("/", {.on_message = [&](session& ws, message_view m) {
                     seen.emplace_back(m.text());
                     ws.try_send("moving");
                     ws.release([&](std::error_code ec, released_connection given) {
                       REQUIRE_FALSE(ec);
                       s.server().adopt("/second", std::move(given));
                     });
                   }});
  const auto c = s.join();
  REQUIRE(c);
  c->write(text_frame("one").append(text_frame("two")).append(text_frame("three")));
  REQUIRE(s.run_until([&] { return second.events.size() == 3; }));
  CHECK((seen == std::vector<std::string>{"one"}));
  CHECK((second.events == std::vector<std::string>{"open", "two", "three"}));
  CHECK((c->texts() == std::vector<std::string>{"moving"}));
}

TEST_CASE("what_is_queued_leaves_before_a_connection_is_released") {
  stage s(any_socket());
  record r;
  session_options options;
  options.queue_high = options.queue_hard = 64 * 1024 * 1024;
  s.server().route("/", r.callbacks(), options);
  const auto c = s.join();
  REQUIRE(c);
  c->pause();
  const std::string large(1024 * 1024, 'x');
  for (int i = 0; i < 16; ++i) r.ws->try_send(large);
  const auto o = release(s, *r.ws);
  s.run_ready();
  CHECK_FALSE(o->error);
  c->resume();
  REQUIRE(s.run_until([&] { return c->messages.size() == 16; }));
  REQUIRE(s.run_until([&] { return o->error.has_value(); }));
  CHECK_FALSE(*o->error);
}

TEST_CASE("messages_that_nobody_has_received_stay_with_the_session_that_is_released") {
  stage s(any_socket());
  record r;
  s.server().route("/", r.without_messages());
  const auto c = s.join();
  REQUIRE(c);
  c->send("one");
  REQUIRE(s.run_until([&] { return r.ws->statistics().messages_received == 1; }));
  const auto o = release(s, *r.ws);
  REQUIRE(s.run_until([&] { return o->error.has_value(); }));
  std::vector<std::string> got;
  std::error_code end;
  r.ws->receive([&](std::error_code, std::optional<message> m) {
    got.emplace_back(m.value().text());
    r.ws->receive([&](std::error_code ec, std::optional<message>) { end = ec; });
  });
  REQUIRE(s.run_until([&] { return end != std::error_code(); }));
  CHECK((got == std::vector<std::string>{"one"}));
  CHECK(end == errc::released);
}

TEST_CASE("what_nobody_else_could_go_on_with_is_not_released") {
  session_options compressed;
  compressed.deflate.enabled = true;
  const link_form form = GENERATE(link_form::memory, link_form::tls, link_form::epoll);
  stage s(form);
  record r;
  s.server().route("/", r.callbacks(), form == link_form::epoll ? compressed : session_options());
  const auto c = s.connect();
  c->deflate.enabled = true;
  c->upgrade();
  REQUIRE(s.run_until([&] { return r.ws.has_value(); }));
  const auto o = release(s, *r.ws);
  REQUIRE(s.run_until([&] { return o->error.has_value(); }));
  CHECK(*o->error == errc::not_releasable);
  c->send("it goes on");
  REQUIRE(s.run_until([&] { return r.events.size() == 2; }));
}

TEST_CASE("a_second_release_is_busy_and_one_of_a_session_that_ends_is_closed") {
  stage s(any_socket());
  record r;
  s.server().route("/", r.callbacks());
  const auto c = s.join();
  REQUIRE(c);
  c->write(text_frame("unfinished").substr(0, 8));
  s.run_ready();
  const auto first = release(s, *r.ws);
  const auto second = release(s, *r.ws);
  REQUIRE(s.run_until([&] { return second->error.has_value(); }));
  CHECK(*second->error == errc::busy);
  CHECK_FALSE(first->error);
  SECTION("we close it") { r.ws->try_close(); }
  SECTION("the peer goes") { c->hang_up(); }
  REQUIRE(s.run_until([&] { return first->error.has_value(); }));
  CHECK(*first->error == errc::closed);
  CHECK(first->given.socket.get() == -1);
  CHECK(r.closes == 1);
  const auto third = release(s, *r.ws);
  const auto of_none = release(s, session());
  REQUIRE(s.run_until([&] { return third->error && of_none->error; }));
  CHECK(*third->error == errc::closed);
  CHECK(*of_none->error == errc::closed);
}

TEST_CASE("a_connection_that_nobody_adopts_is_closed_with_what_holds_it") {
  stage s(any_socket());
  record r;
  s.server().route("/", r.callbacks());
  const auto c = s.join();
  REQUIRE(c);
  int descriptor = -1;
  {
    const auto o = release(s, *r.ws);
    REQUIRE(s.run_until([&] { return o->error.has_value(); }));
    descriptor = o->given.socket.get();
    CHECK(is_open_descriptor(descriptor));
    CHECK_THROWS_AS(s.server().adopt("/nowhere", std::move(o->given)), std::invalid_argument);
  }
  CHECK_FALSE(is_open_descriptor(descriptor));
  REQUIRE(s.run_until([&] { return c->is_over(); }));
}

TEST_CASE("only_the_servers_end_of_a_connected_socket_is_adopted") {
  stage s(link_form::epoll);
  s.server().route("/", handlers{});
  CHECK_THROWS_AS(s.server().adopt("/", released_connection()), std::invalid_argument);
  s.server().listen();
  CHECK_THROWS_AS(s.server().adopt("/", released_connection()), std::invalid_argument);
  std::array<int, 2> ends{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) == 0);
  released_connection of_client;
  of_client.socket = owned_socket(ends[0]);
  of_client.side = role::client;
  const owned_socket other(ends[1]);
  CHECK_THROWS_AS(s.server().adopt("/", std::move(of_client)), std::invalid_argument);
}

// What another library upgraded: a local socket, and unread bytes that are a whole frame.
TEST_CASE("a_connection_from_elsewhere_is_adopted_on_a_server_with_several_threads") {
  server_options options;
  options.address = "127.0.0.1";
  options.threads = 2;
  fairlead::server threaded(options);
  threaded.route("/echo/{room}", {.on_message = [](session& ws, message_view m) { ws.try_send(m); }});
  threaded.listen();
  std::thread running([&] { threaded.run(); });
  for (int i = 0; i < 4; ++i) {
    std::array<int, 2> ends{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) == 0);
    const owned_socket ours(ends[1]);
    released_connection given;
    given.socket = owned_socket(ends[0]);
    const std::string unread = text_frame("hello");
    for (const char byte : unread) given.unread.push_back(static_cast<std::byte>(byte));
    threaded.adopt("/echo/lobby", std::move(given));
    std::string got(7, '\0');
    for (std::size_t n = 0; n < got.size();) {
      const ssize_t more = ::recv(ours.get(), got.data() + n, got.size() - n, 0);
      REQUIRE(more > 0);
      n += static_cast<std::size_t>(more);
    }
    CHECK(got == "\x81\x05hello");
  }
  threaded.stop();
  running.join();
}
