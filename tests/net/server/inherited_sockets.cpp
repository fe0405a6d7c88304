#include <fairlead/net/server/inherited_sockets.hpp>

#include <fairlead/net/link/detail/socket.hpp>
#include <fairlead/net/server/server.hpp>

#include <net/server/running_server.hpp>
#include <support/catch.hpp>

#include <cstdlib>
#include <string>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

using namespace net_test;

namespace {

/// The environment that a service manager would have made, as long as this lives.
struct environment {
  environment(const char* pid, const char* count, const char* names) {
    set("LISTEN_PID", pid);
    set("LISTEN_FDS", count);
    set("LISTEN_FDNAMES", names);
  }
  ~environment() {
    for (const char* name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) ::unsetenv(name);
  }
  environment(const environment&) = delete;

 private:
  static void set(const char* name, const char* value) {
    if (value != nullptr) ::setenv(name, value, 1);
  }
};

/// Runs in a process of its own, where the descriptors from 3 on are listening sockets: so many. True when `check` was.
bool is_true_with_sockets(int count, const std::function<bool()>& check) {
  child_process child([&](int) {
    std::vector<int> made;
    for (int i = 0; i < count; ++i)
      made.push_back(::fcntl(detail::listen_tcp("127.0.0.1", 0, 4), F_DUPFD, 100));
    for (int i = 0; i < count; ++i) ::dup2(made[static_cast<std::size_t>(i)], 3 + i);
    if (!check()) ::_exit(3);
  });
  const time_point give_up = clock::now() + patience;
  while (!child.has_ended() && clock::now() < give_up) std::this_thread::sleep_for(1ms);
  return child.exit_status() == 0;
}

}  // namespace

TEST_CASE("sockets_of_a_service_manager_come_with_their_names_and_close_on_exec") {
  CHECK(is_true_with_sockets(2, [] {
    const std::string pid = std::to_string(::getpid());
    const environment e(pid.c_str(), "2", "web:admin");
    const auto found = inherited_sockets();
    return found.size() == 2 && found[0].descriptor == 3 && found[0].name == "web" &&
           found[1].descriptor == 4 && found[1].name == "admin" && (::fcntl(3, F_GETFD) & FD_CLOEXEC) != 0 &&
           (::fcntl(4, F_GETFD) & FD_CLOEXEC) != 0;
  }));
}

TEST_CASE("a_server_serves_a_socket_of_a_service_manager") {
  CHECK(is_true_with_sockets(1, [] {
    const std::string pid = std::to_string(::getpid());
    const environment e(pid.c_str(), "1", nullptr);
    const auto found = inherited_sockets();
    if (found.size() != 1 || found[0].name != "unknown") return false;
    asio::io_context context(1);
    server_options options;
    options.listening_socket = found[0].descriptor;
    server s(context, options);
    s.listen();
    return s.port() != 0;
  }));
}

TEST_CASE("names_that_are_missing_or_too_many_do_no_harm") {
  for (const char* names : {"web", "web:", "web::more:and:more", ":"}) {
    CAPTURE(names);
    CHECK(is_true_with_sockets(2, [names] {
      const std::string pid = std::to_string(::getpid());
      const environment e(pid.c_str(), "2", names);
      const auto found = inherited_sockets();
      return found.size() == 2 && found[1].name == "unknown" &&
             found[0].name == (*names == ':' ? "unknown" : "web");
    }));
  }
}

TEST_CASE("an_environment_that_makes_no_sense_means_no_sockets") {
  const std::string pid = std::to_string(::getpid());
  const std::string other = std::to_string(::getppid());
  const char* const own = pid.c_str();
  struct {
    const char* pid;
    const char* count;
  } const cases[] = {
      {nullptr, nullptr}, {own, nullptr},      {nullptr, "1"},      {other.c_str(), "1"},
      {own, "0"},         {own, "-1"},         {own, ""},           {own, "1x"},
      {own, " 1"},        {own, "2147483647"}, {own, "2147483640"}, {own, "99999999999999999999"},
      {"", "1"},          {"x", "1"}};
  for (const auto& c : cases) {
    CAPTURE(c.pid == nullptr ? "none" : c.pid, c.count == nullptr ? "none" : c.count);
    const environment e(c.pid, c.count, nullptr);
    CHECK(inherited_sockets().empty());
  }
}
