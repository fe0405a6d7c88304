#include <fairlead/net/server/detail/handover.hpp>

#include <net/server/running_server.hpp>
#include <support/catch.hpp>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

// server_options::handover_path and listening_socket.

using namespace net_test;

namespace {

/// A folder that goes with all in it.
struct folder {
  folder() {
    std::string pattern = "/tmp/fairlead-handover-XXXXXX";
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    path = pattern;
  }
  ~folder() { std::filesystem::remove_all(path); }
  std::filesystem::path path;
};

server_options passing_on(const folder& f, link_kind kind = link_kind::epoll, std::uint16_t port = 0) {
  server_options options = on_loopback(kind);
  options.handover_path = f.path / "next";
  options.port = port;
  options.drain = {.within = 5s, .spread = 100ms, .retry_after_max = 100ms};
  options.session.connection.close_timeout = 300ms;
  return options;
}

void echo_on(server& s) {
  s.route("/", handlers{.on_message = [](session& ws, message_view m) { ws.try_send(m); }});
}

/// Says who is asked.
void answer_on(server& s, std::string name) {
  echo_on(s);
  s.get("/who", [name = std::move(name)](const request&) { return text_response(http_status::ok, name); });
}

std::string get(std::uint16_t port, std::string_view target) {
  remote_client c(port);
  c.peer->write("GET " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n\r\n");
  c.run_until([&] { return c.peer->is_over(); });
  return c.peer->body;
}

bool within_patience(const std::function<bool()>& done) {
  const time_point give_up = clock::now() + patience;
  while (!done()) {
    if (clock::now() > give_up) return false;
    std::this_thread::sleep_for(1ms);
  }
  return true;
}

/// A blocking local socket; listens, or is connected to who does.
struct local_socket {
  explicit local_socket(const std::filesystem::path& path, bool listens = false)
      : descriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    const auto* const generic = reinterpret_cast<const sockaddr*>(&address);
    const int result = listens ? ::bind(descriptor, generic, sizeof address)
                               : ::connect(descriptor, generic, sizeof address);
    REQUIRE(result == 0);
    if (listens) REQUIRE(::listen(descriptor, 4) == 0);
  }
  ~local_socket() { ::close(descriptor); }
  local_socket(const local_socket&) = delete;

  int descriptor;
};

std::string error_of_listen(server& s) {
  try {
    s.listen();
  } catch (const std::exception& e) {
    return e.what();
  }
  return {};
}

/// Clients that connect, ask for an upgrade and hang up, over and over; counts what goes wrong.
class restless_clients {
 public:
  restless_clients(std::uint16_t port, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      threads_.emplace_back([this, port] {
        while (!stops_) visit(port);
      });
    }
  }
  ~restless_clients() { stop(); }

  void stop() {
    stops_ = true;
    for (std::thread& t : threads_) t.join();
    threads_.clear();
  }

  std::atomic<int> served = 0;
  std::atomic<int> refused = 0;
  std::atomic<int> reset = 0;
  std::atomic<int> turned_away = 0;  ///< 503: was accepted by who drains.

 private:
  void visit(std::uint16_t port) {
    asio::io_context context;
    asio::ip::tcp::socket socket(context);
    std::error_code ec;
    socket.connect({asio::ip::address_v4::loopback(), port}, ec);
    if (ec) {
      ++refused;
      return;
    }
    const std::string request = upgrade_request_for("/");
    asio::write(socket, asio::buffer(request), ec);
    std::array<char, 512> head;
    const std::size_t size = ec ? 0 : socket.read_some(asio::buffer(head), ec);
    if (ec) {
      ++reset;
    } else if (std::string_view(head.data(), size).starts_with("HTTP/1.1 101 ")) {
      ++served;
    } else {
      ++turned_away;
    }
    const linger now{1, 0};  // no port is kept back
    ::setsockopt(socket.native_handle(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  }

  std::atomic<bool> stops_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace

// --- From a server to the next.

TEST_CASE("a_successor_gets_the_socket_and_the_predecessor_drains_and_returns", "[threads]") {
  const link_kind kind = any_kind();
  const folder f;
  server first(passing_on(f, kind));
  answer_on(first, "first");
  running_server running(first);
  const std::uint16_t port = first.port();
  remote_client old(port);
  REQUIRE(old.join());
  CHECK(get(port, "/who") == "first");

  server second(passing_on(f, kind, port));
  answer_on(second, "second");
  second.listen();
  CHECK(second.port() == port);
  // Until its loop runs it serves nobody, and nothing changes.
  CHECK(get(port, "/who") == "first");
  CHECK_FALSE(running.has_returned(50ms));

  running_server running_second(second);
  REQUIRE(old.run_until([&] { return old.peer->is_over(); }));
  CHECK(old.peer->closed->code == close_code::service_restart);
  REQUIRE(running.has_returned());
  CHECK(get(port, "/who") == "second");

  // It waits at the path itself now.
  REQUIRE(within_patience([&] { return std::filesystem::exists(f.path / "next"); }));
  server third(passing_on(f, kind, port));
  answer_on(third, "third");
  running_server running_third(third);
  REQUIRE(running_second.has_returned());
  CHECK(get(port, "/who") == "third");
  third.stop();
  REQUIRE(running_third.has_returned());
  CHECK_FALSE(std::filesystem::exists(f.path / "next"));
}

TEST_CASE("X10: of clients that connect all the time through a handover none is refused or reset",
          "[threads]") {
  const link_kind kind = any_kind();
  const folder f;
  auto options = passing_on(f, kind);
  options.threads = 2;
  auto first = std::make_unique<server>(options);
  echo_on(*first);
  auto running = std::make_unique<running_server>(*first);
  options.port = first->port();
  restless_clients clients(options.port, 8);
  int handovers = 0;
  REQUIRE(within_patience([&] { return clients.served >= 100; }));
  for (; handovers < 4; ++handovers) {
    const int before = clients.served;
    auto next = std::make_unique<server>(options);
    echo_on(*next);
    auto running_next = std::make_unique<running_server>(*next);
    REQUIRE(running->has_returned());
    REQUIRE(within_patience([&] { return clients.served >= before + 100; }));
    REQUIRE(within_patience([&] { return std::filesystem::exists(options.handover_path); }));
    running = std::move(running_next);
    first = std::move(next);
  }
  clients.stop();
  CHECK(clients.served >= 500);
  CHECK(clients.refused == 0);
  CHECK(clients.reset == 0);
  first->stop();
  CHECK(running->has_returned());
}

TEST_CASE("X10: five hundred clients that connect meanwhile are all served by one process or the next") {
  const folder f;
  const auto serve = [&f](std::uint16_t port) {
    return [&f, port](int ready) {
      server s(passing_on(f, link_kind::epoll, port));
      echo_on(s);
      s.listen();
      tell_port(ready, s.port());
      s.run();
    };
  };
  child_process first(serve(0));
  const std::uint16_t port = first.port();
  std::vector<std::unique_ptr<remote_client>> clients;
  for (int i = 0; i < 100; ++i) clients.push_back(std::make_unique<remote_client>(port));
  child_process second(serve(port));
  for (int i = 0; i < 400; ++i) {
    clients.push_back(std::make_unique<remote_client>(port));
    if (i % 10 == 0) std::this_thread::sleep_for(5ms);
  }
  REQUIRE(second.port() == port);
  std::size_t served = 0;
  std::size_t turned_away = 0;
  for (const auto& c : clients) {
    c->peer->upgrade();
    REQUIRE(c->run_until([&] { return c->peer->upgraded || c->peer->is_over(); }));
    CHECK_FALSE(c->peer->broken);
    served += c->peer->upgraded ? 1 : 0;
    turned_away += c->peer->status() == 503 ? 1 : 0;  // it was the first's, and asked when that drained
  }
  CHECK(served + turned_away == clients.size());
  CHECK(served >= 100);
  REQUIRE(within_patience([&] {
    for (const auto& c : clients) c->context.poll();
    return first.has_ended();
  }));
  CHECK(first.exit_status() == 0);
  second.send(SIGTERM);
  REQUIRE(within_patience([&] {
    for (const auto& c : clients) {
      c->context.restart();
      c->context.poll();
    }
    return second.has_ended();
  }));
  CHECK(second.exit_status() == 0);
}

TEST_CASE("a_local_socket_is_passed_on_with_its_file", "[threads]") {
  const folder f;
  server_options options = passing_on(f);
  options.local_path = f.path / "server";
  server first(options);
  running_server running(first);
  {
    server second(options);
    running_server running_second(second);
    REQUIRE(running.has_returned());
    CHECK(std::filesystem::exists(options.local_path));
    const local_socket c(options.local_path);  // the second's
    REQUIRE(within_patience([&] { return second.connection_count() == 1; }));
    ::shutdown(c.descriptor, SHUT_RDWR);
    second.stop();
    REQUIRE(running_second.has_returned());
  }
  CHECK_FALSE(std::filesystem::exists(options.local_path));
}

TEST_CASE("only_this_user_may_come_to_the_path") {
  const folder f;
  asio::io_context context;
  server s(context, passing_on(f));
  s.listen();
  struct stat file {};
  REQUIRE(::lstat((f.path / "next").c_str(), &file) == 0);
  CHECK(S_ISSOCK(file.st_mode));
  CHECK((file.st_mode & 0777) == 0600);
}

// --- What goes wrong.

TEST_CASE("without_a_predecessor_a_server_opens_its_own_socket", "[threads]") {
  const folder f;
  const auto path = f.path / "next";
  SECTION("nobody at the path") {}
  SECTION("a file that was left behind") { const local_socket gone(path, true); }
  server s(passing_on(f));
  answer_on(s, "own");
  running_server running(s);
  CHECK(s.port() != 0);
  CHECK(get(s.port(), "/who") == "own");
  CHECK(std::filesystem::is_socket(path));
}

TEST_CASE("a_path_at_which_nobody_could_wait_is_refused_by_its_name") {
  const folder f;
  std::filesystem::path path = f.path / "next";
  SECTION("no such folder") { path = f.path / "none" / "next"; }
  SECTION("a file that is no socket") { std::ofstream(path) << "text"; }
  SECTION("too long") { path = f.path / std::string(120, 'x'); }
  asio::io_context context;
  auto options = passing_on(f);
  options.handover_path = path;
  server s(context, options);
  CHECK(error_of_listen(s).find(path.string()) != std::string::npos);
  CHECK(error_of_listen(s).find(path.string()) != std::string::npos);  // and nothing was left half done
}

TEST_CASE("a_predecessor_that_sends_junk_or_dies_does_not_keep_a_server_from_its_own_socket", "[threads]") {
  const folder f;
  const auto path = f.path / "next";
  const int way = GENERATE(0, 1, 2, 3);
  CAPTURE(way);
  int pair[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
  std::thread predecessor;
  {
    auto door = std::make_shared<local_socket>(path, true);
    predecessor = std::thread([door, way, other = pair[0]] {
      const int connection = ::accept(door->descriptor, nullptr, nullptr);
      if (way == 1) static_cast<void>(::send(connection, "junk\n", 5, MSG_NOSIGNAL));
      if (way == 2) static_cast<void>(::send(connection, "fairlead listening socket 1\n", 28, MSG_NOSIGNAL));
      if (way == 3) CHECK(detail::send_offer(connection, other));  // a socket that does not listen
      if (way != 0) std::this_thread::sleep_for(50ms);
      ::close(connection);
    });
  }
  server s(passing_on(f));
  answer_on(s, "own");
  running_server running(s);
  predecessor.join();
  CHECK(get(s.port(), "/who") == "own");
  // The path is free by now, and the server takes it.
  CHECK(within_patience([&] {
    struct stat file {};
    return ::lstat(path.c_str(), &file) == 0 && (file.st_mode & 0777) == 0600;
  }));
  ::close(pair[0]);
  ::close(pair[1]);
}

TEST_CASE("why_no_socket_came_is_said_when_the_own_one_cannot_be_opened", "[threads]") {
  const folder f;
  server taken(on_loopback());
  taken.listen();
  const auto path = f.path / "next";
  const local_socket door(path, true);
  std::thread predecessor([&] {
    const int connection = ::accept(door.descriptor, nullptr, nullptr);
    static_cast<void>(::send(connection, "junk\n", 5, MSG_NOSIGNAL));
    std::this_thread::sleep_for(50ms);
    ::close(connection);
  });
  server s(passing_on(f, link_kind::epoll, taken.port()));
  const std::string error = error_of_listen(s);
  predecessor.join();
  CAPTURE(error);
  CHECK(error.find(path.string() + " did not pass a socket on (it sent no listening socket)") == 0);
  CHECK(error.find("127.0.0.1:" + std::to_string(taken.port())) != std::string::npos);
}

TEST_CASE("a_predecessor_that_says_nothing_is_waited_for_five_seconds") {
  const folder f;
  const local_socket door(f.path / "next", true);
  asio::io_context context;
  server s(context, passing_on(f));
  const time_point began = clock::now();
  s.listen();
  const auto took = clock::now() - began;
  CHECK(took >= 4900ms);
  CHECK(took < 9s);
  CHECK(s.port() != 0);
}

TEST_CASE("a_socket_that_is_bound_to_something_else_is_not_taken", "[threads]") {
  const folder f;
  server first(passing_on(f));
  answer_on(first, "first");
  running_server running(first);
  asio::io_context context;
  auto options = passing_on(f);
  SECTION("another address") { options.address = "127.0.0.2"; }
  SECTION("a local socket") { options.local_path = f.path / "server"; }
  SECTION("another port") {
    server free(on_loopback());
    free.listen();
    options.port = free.port();
  }
  server second(context, options);
  second.listen();
  CHECK(second.port() != first.port());
  CHECK(get(first.port(), "/who") == "first");
  CHECK_FALSE(running.has_returned(50ms));
}

TEST_CASE("a_successor_that_dies_before_it_accepts_changes_nothing", "[threads]") {
  const link_kind kind = any_kind();
  const folder f;
  server first(passing_on(f, kind));
  answer_on(first, "first");
  running_server running(first);
  const std::uint16_t port = first.port();
  for (int i = 0; i < 3; ++i) {
    asio::io_context context;
    server successor(context, passing_on(f, kind, port));
    successor.listen();
    CHECK(successor.port() == port);
  }
  {
    const local_socket stranger(f.path / "next");  // takes the socket, and says something else
    std::array<char, 64> text;
    CHECK(::recv(stranger.descriptor, text.data(), text.size(), 0) == 28);
    CHECK(::send(stranger.descriptor, "hello\n", 6, MSG_NOSIGNAL) == 6);
    CHECK(::recv(stranger.descriptor, text.data(), text.size(), 0) == 0);
  }
  CHECK(get(port, "/who") == "first");
  CHECK_FALSE(running.has_returned(50ms));
  server second(passing_on(f, kind, port));
  answer_on(second, "second");
  running_server running_second(second);
  REQUIRE(running.has_returned());
  CHECK(get(port, "/who") == "second");
}

// --- A socket that is there already.

TEST_CASE("a_server_serves_a_listening_socket_that_it_is_given", "[threads]") {
  const link_kind kind = any_kind();
  const int given = detail::listen_tcp("127.0.0.1", 0, 16);
  const std::uint16_t port = detail::local_port_of(given);
  const int kept = ::dup(given);
  ::fcntl(given, F_SETFL, ::fcntl(given, F_GETFL) & ~O_NONBLOCK);
  server_options options = on_loopback(kind);
  options.listening_socket = given;
  options.session.connection.close_timeout = 300ms;
  {
    server s(options);
    answer_on(s, "given");
    running_server running(s);
    CHECK(s.port() == port);
    CHECK(get(port, "/who") == "given");
    remote_client stubborn(port);
    stubborn.peer->is_stubborn = true;
    REQUIRE(stubborn.join());
    s.drain({.within = 10s, .spread = 0s}, [](std::error_code, const drain_report&) {});
    REQUIRE(stubborn.run_until([&] { return stubborn.peer->closed.has_value(); }));
    // Who comes now is left to who has the socket next.
    remote_client late(port);
    late.peer->write("GET /who HTTP/1.1\r\nHost: a\r\n\r\n");
    REQUIRE(running.has_returned());
    options.listening_socket = kept;
    server next(options);
    answer_on(next, "next");
    running_server running_next(next);
    REQUIRE(late.run_until([&] { return late.peer->is_over(); }));
    CHECK(late.peer->body == "next");
  }
}

TEST_CASE("a_local_socket_that_is_given_keeps_its_file", "[threads]") {
  const folder f;
  const auto path = f.path / "server";
  auto own = detail::listen_local(path, std::filesystem::perms::owner_all, 16);
  server_options options = on_loopback();
  options.listening_socket = own.socket;
  {
    server s(options);
    running_server running(s);
    CHECK(s.port() == 0);
    const local_socket c(path);
    REQUIRE(within_patience([&] { return s.connection_count() == 1; }));
  }
  CHECK(std::filesystem::exists(path));
}

TEST_CASE("a_descriptor_that_does_not_listen_is_refused") {
  asio::io_context context;
  server_options options = on_loopback();
  int made[2] = {-1, -1};
  SECTION("a stream socket that is not bound") { made[0] = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); }
  SECTION("a datagram socket") { made[0] = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0); }
  SECTION("a pipe") { REQUIRE(::pipe(made) == 0); }
  SECTION("nothing") {}
  options.listening_socket = made[0] >= 0 ? made[0] : 1'000'000;
  server s(context, options);
  CHECK(error_of_listen(s).find("listen on descriptor " + std::to_string(options.listening_socket) +
                                ", which is no stream socket that listens") == 0);
  for (const int d : made) {
    if (d < 0) continue;
    CHECK(::fcntl(d, F_GETFD) >= 0);  // still the caller's
    ::close(d);
  }
}
