#include <fairlead/net/server/server.hpp>

#include <net/server/running_server.hpp>
#include <net/session/session_support.hpp>
#include <support/catch.hpp>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <future>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>

#include <dirent.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace net_test;

namespace {

link_form any_form() {
  return GENERATE(link_form::memory, link_form::epoll, link_form::asio, link_form::tls);
}
std::size_t descriptors_in_use() {
  DIR* const folder = ::opendir("/proc/self/fd");
  std::size_t count = 0;
  while (::readdir(folder) != nullptr) ++count;
  ::closedir(folder);
  return count;
}

}  // namespace

// --- Routes.

TEST_CASE("the_first_session_route_that_matches_is_taken") {
  stage s(any_form());
  std::string taken;
  const auto taking = [&](const char* name) {
    return handlers{.on_open = [&taken, name](session&, const request& head) {
      taken = name + std::string(head.param("room"));
    }};
  };
  s.server().route("/rooms/special", taking("special"));
  s.server().route("/rooms/{room}", taking("room "));
  s.server().route("/rooms/{other}", taking("never"));
  const auto ask = [&](const char* target) {
    taken.clear();
    const auto peer = s.join(target);
    s.run_until([&] { return peer == nullptr || !taken.empty(); });
    return taken;
  };
  CHECK(ask("/rooms/special") == "special");
  CHECK(ask("/rooms/lobby") == "room lobby");
  CHECK(ask("/rooms") == "");
}

TEST_CASE("routes_have_options_of_their_own") {
  server_options options;
  options.session.connection.max_message_size = 10;
  stage s(any_form(), options);
  session_options larger;
  larger.connection.max_message_size = 20;
  record seen;
  s.server().route("/small", seen.callbacks());
  s.server().route("/large", seen.callbacks(), larger);
  const auto small = s.join("/small");
  const auto large = s.join("/large");
  REQUIRE(small);
  REQUIRE(large);
  large->send(std::string(20, 'x'));
  REQUIRE(s.run_until([&] { return seen.events.size() == 3; }));
  small->send(std::string(20, 'x'));
  REQUIRE(s.run_until([&] { return small->is_over(); }));
  CHECK(seen.error == errc::message_too_big);
}

TEST_CASE("a_server_that_listens_takes_no_further_routes") {
  stage s(any_form());
  s.server().route("/", handlers{});
  const auto peer = s.connect();
  CHECK_THROWS_AS(s.server().route("/late", handlers{}), std::logic_error);
  CHECK_THROWS_AS(s.server().get("/late", [](const request&) { return response(); }), std::logic_error);
  CHECK_THROWS_AS(s.server().health("/late"), std::logic_error);
}

TEST_CASE("a_bad_pattern_is_refused") {
  stage s;
  CHECK_THROWS_AS(s.server().route("echo", handlers{}), std::invalid_argument);
  CHECK_THROWS_AS(s.server().route("/{", handlers{}), std::invalid_argument);
  CHECK_THROWS_AS(s.server().get("", [](const request&) { return response(); }), std::invalid_argument);
  CHECK_THROWS_AS(s.server().health("health"), std::invalid_argument);
}

// --- Listening.

TEST_CASE("a_port_in_use_is_refused_by_its_name") {
  const link_kind kind = any_kind();
  server first(on_loopback(kind));
  first.listen();
  REQUIRE(first.port() != 0);
  auto options = on_loopback(kind);
  options.port = first.port();
  server second(options);
  try {
    second.listen();
    FAIL("not refused");
  } catch (const std::system_error& e) {
    CHECK(e.code() == std::errc::address_in_use);
    CHECK(std::string_view(e.what()).find("127.0.0.1:" + std::to_string(first.port())) !=
          std::string_view::npos);
  }
}

TEST_CASE("a_port_is_free_again_when_its_server_is_gone") {
  const link_kind kind = any_kind();
  auto options = on_loopback(kind);
  {
    server first(options);
    first.listen();
    options.port = first.port();
  }
  server second(options);
  second.listen();
  CHECK(second.port() == options.port);
  second.listen();  // a second time changes nothing
  CHECK(second.port() == options.port);
}

TEST_CASE("what_is_no_numeric_address_is_refused_by_its_name") {
  for (const char* address : {"", "localhost", "1.2.3", "203.0.113.77"}) {  // the last is nobody's here
    CAPTURE(address);
    auto options = on_loopback();
    options.address = address;
    server s(options);
    try {
      s.listen();
      FAIL("not refused");
    } catch (const std::system_error& e) {
      CHECK(std::string_view(e.what()).find("listen on " + std::string(address) + ":0") !=
            std::string_view::npos);
    }
  }
}

TEST_CASE("an_ipv6_address_is_listened_on") {
  auto options = on_loopback(any_kind());
  options.address = "::1";
  asio::io_context context;
  server s(context, options);
  s.route("/", handlers{});
  try {
    s.listen();
  } catch (const std::system_error& e) {
    if (e.code() == std::errc::address_not_available || e.code() == std::errc::address_family_not_supported) {
      return;  // a machine without IPv6
    }
    throw;
  }
  asio::ip::tcp::socket socket(context);
  socket.connect({asio::ip::address_v6::loopback(), s.port()});
  client peer(make_asio_link(std::move(socket)));
  peer.upgrade();
  const time_point give_up = clock::now() + patience;
  while (!peer.upgraded && clock::now() < give_up) context.run_one_for(10ms);
  CHECK(peer.upgraded);
}

// R07, in small.
TEST_CASE("connections_that_come_and_go_leave_no_descriptor_behind") {
  stage s(GENERATE(link_form::epoll, link_form::asio));
  s.server().route("/", handlers{});
  {
    const auto first = s.join();
    REQUIRE(first);
  }
  REQUIRE(s.run_until([&] { return s.server().connection_count() == 0; }));
  s.run_ready();
  const std::size_t before = descriptors_in_use();
  for (int i = 0; i < 300; ++i) {
    const auto peer = s.connect();
    const int way = i % 5;
    if (way == 1) peer->write("GET / HT");
    if (way == 2) peer->write("nonsense\r\n\r\n");
    if (way >= 3) {
      peer->upgrade();
      REQUIRE(s.run_until([&] { return peer->upgraded; }));
    }
    if (way == 3) peer->close();
    if (way == 4) peer->reset();
    s.run_ready();
  }
  REQUIRE(s.run_until([&] { return s.server().connection_count() == 0; }));
  s.run_ready();
  CHECK(descriptors_in_use() == before);
}

// --- Stopping.

TEST_CASE("stop_closes_every_session_with_1001_and_takes_no_more") {
  stage s(any_form());
  record seen;
  s.server().route("/", seen.callbacks());
  const auto first = s.join();
  const auto second = s.join();
  const auto half = s.connect();
  half->write("GET / HT");
  REQUIRE(s.run_until([&] { return s.server().connection_count() == 3; }));
  s.server().stop();
  s.server().stop();
  REQUIRE(s.run_until(
      [&] { return s.server().connection_count() == 0 && first->is_over() && second->is_over(); }));
  for (const auto* peer : {first.get(), second.get()}) {
    REQUIRE(peer->closed);
    CHECK(peer->closed->code == close_code::going_away);
  }
  CHECK(seen.closes == 2);
  if (s.form != link_form::memory) {
    asio::ip::tcp::socket socket(s.context);
    CHECK_THROWS_AS(socket.connect({asio::ip::address_v4::loopback(), s.server().port()}), std::system_error);
  }
}

TEST_CASE("a_server_may_be_destroyed_right_after_stop_or_amid_an_accept") {
  stage s(any_form());
  s.server().route("/", handlers{});
  const auto peer = s.join();
  REQUIRE(peer);
  SECTION("after stop") {
    s.server().stop();
    for (int i = GENERATE(0, 1, 2); i > 0; --i) s.context.poll_one();
    s.destroy_server();
    s.run_ready();
  }
  SECTION("amid an accept") {
    const auto late = s.connect();
    for (int i = GENERATE(0, 1, 2, 3); i > 0; --i) s.context.poll_one();
    s.destroy_server();
    s.run_ready();
  }
  CHECK_FALSE(peer->broken);
}

TEST_CASE("run_is_for_a_server_with_loops_of_its_own") {
  asio::io_context context;
  server s(context, on_loopback());
  CHECK_THROWS_AS(s.run(), std::logic_error);
}

TEST_CASE("run_returns_after_stop_from_another_thread_when_every_session_is_closed", "[threads]") {
  const link_kind kind = any_kind();
  const std::size_t threads = GENERATE(0, 1, 2);  // 0 counts as 1
  server s(on_loopback(kind, threads));
  s.route("/", handlers{});
  running_server running(s);
  remote_client a(s.port());
  remote_client b(s.port());
  REQUIRE(a.join());
  REQUIRE(b.join());
  CHECK_FALSE(running.has_returned(0ms));
  const time_point began = clock::now();
  s.stop();
  REQUIRE(a.run_until([&] { return a.peer->is_over(); }));
  REQUIRE(b.run_until([&] { return b.peer->is_over(); }));
  CHECK(a.peer->closed->code == close_code::going_away);
  REQUIRE(running.has_returned());
  CHECK(clock::now() - began < 4s);  // and waits for no timer that was cancelled
  CHECK(s.connection_count() == 0);
}

TEST_CASE("stop_before_run_lets_run_return_at_once", "[threads]") {
  server s(on_loopback());
  s.stop();
  running_server running(s);
  CHECK(running.has_returned());
}

// L07.
TEST_CASE("stop_ends_connections_in_every_state_within_the_close_timeout", "[threads]") {
  auto options = on_loopback(any_kind());
  options.session.connection.close_timeout = 200ms;
  server s(options);
  s.route("/", handlers{.on_message = [](session& ws, message_view m) {
            if (m.text() == "close") ws.try_close();
          }});
  running_server running(s);
  std::vector<std::unique_ptr<remote_client>> peers;
  const auto add = [&](bool join, std::string_view bytes) {
    peers.push_back(std::make_unique<remote_client>(s.port()));
    peers.back()->peer->is_stubborn = true;
    if (join) REQUIRE(peers.back()->join());
    if (!bytes.empty()) peers.back()->peer->write(bytes);
  };
  add(false, "");
  add(false, "GET / HT");
  add(false, "GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n");
  add(true, "");
  add(true, text_frame("abc").substr(0, 7));
  add(true, frame(0x01, "abc"));
  add(true, text_frame("close"));
  add(true, close_frame(1000));
  // Until all of them are seen; the answered one may be gone by itself.
  REQUIRE(peers[2]->run_until([&] { return s.connection_count() >= 7; }));
  const time_point began = clock::now();
  s.stop();
  REQUIRE(running.has_returned());
  CHECK(clock::now() - began < 2s);
}

TEST_CASE("a_server_destroyed_after_run_threw_or_never_ran_leaves_nothing_behind") {
  const link_kind kind = any_kind();
  server s(on_loopback(kind, 2));
  s.route("/", handlers{});
  s.listen();
  asio::io_context context;
  asio::ip::tcp::socket socket(context);
  socket.connect({asio::ip::address_v4::loopback(), s.port()});
}

// --- Several threads.

TEST_CASE("connections_are_spread_over_the_threads", "[threads]") {
  const link_kind kind = any_kind();
  server s(on_loopback(kind, 2));
  std::mutex mutex;
  std::multiset<std::thread::id> threads;
  s.route("/", handlers{.on_open =
                            [&](session&, const request&) {
                              const std::lock_guard lock(mutex);
                              threads.insert(std::this_thread::get_id());
                            },
                        .on_message = [](session& ws, message_view m) { ws.try_send(m); }});
  running_server running(s);
  std::vector<std::unique_ptr<remote_client>> peers;
  for (int i = 0; i < 20; ++i) {
    peers.push_back(std::make_unique<remote_client>(s.port()));
    REQUIRE(peers.back()->join());
  }
  {
    const std::lock_guard lock(mutex);
    const std::set<std::thread::id> distinct(threads.begin(), threads.end());
    REQUIRE(distinct.size() == 2);
    for (const auto id : distinct) CHECK(threads.count(id) >= 9);
  }
  CHECK(s.connection_count() == 20);
  for (auto& c : peers) {
    c->peer->send("echo");
    REQUIRE(c->run_until([&] { return c->peer->messages.size() == 1; }));
  }
  peers.clear();
  s.stop();
  CHECK(running.has_returned());
}

// The acceptor takes what waits in the backlog at once, so a connection may have been accepted, and its
// handler not yet run, when the listener is closed.
TEST_CASE("a_connection_accepted_just_before_the_server_stops_is_dropped") {
  asio::io_context context(1);
  server s(context, {.address = "127.0.0.1", .link = link_kind::asio});
  s.listen();
  asio::io_context elsewhere;
  std::vector<asio::ip::tcp::socket> clients;
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back(elsewhere).connect({asio::ip::address_v4::loopback(), s.port()});
  }
  while (s.connection_count() == 0) REQUIRE(context.run_one_for(patience) == 1);
  s.stop();
  context.run_for(patience);
  CHECK(context.stopped());
  CHECK(s.connection_count() == 0);
}
