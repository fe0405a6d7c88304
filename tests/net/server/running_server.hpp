#ifndef FAIRLEAD_TESTS_NET_SERVER_RUNNING_SERVER_HPP
#define FAIRLEAD_TESTS_NET_SERVER_RUNNING_SERVER_HPP

#include <fairlead/net/server/server.hpp>

#include <net/session/session_support.hpp>
#include <support/catch.hpp>

#include <asio/read.hpp>
#include <asio/write.hpp>

#include <chrono>
#include <csignal>
#include <functional>
#include <future>
#include <optional>
#include <string_view>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

// Servers that run by themselves: on a thread, or in a process.
namespace net_test {

inline link_kind any_kind() { return GENERATE(link_kind::epoll, link_kind::asio); }

inline server_options on_loopback(link_kind kind = link_kind::epoll, std::size_t threads = 1) {
  server_options options;
  options.address = "127.0.0.1";
  options.link = kind;
  options.threads = threads;
  return options;
}

/// run() on a thread of its own.
class running_server {
 public:
  explicit running_server(server& s) : server_(s) {
    server_.listen();
    done_ = std::async(std::launch::async, [this] { server_.run(); });
  }
  running_server(const running_server&) = delete;
  ~running_server() {
    if (done_.valid()) server_.stop();
  }

  /// True when run() returned in time; rethrows what it threw.
  bool has_returned(std::chrono::milliseconds time = patience) {
    if (done_.wait_for(time) != std::future_status::ready) return false;
    done_.get();
    return true;
  }

 private:
  server& server_;
  std::future<void> done_;
};

/// A client with a context of its own, on the test's thread.
struct remote_client {
  explicit remote_client(std::uint16_t port) {
    asio::ip::tcp::socket socket(context);
    socket.connect({asio::ip::address_v4::loopback(), port});
    peer.emplace(make_asio_link(std::move(socket)));
  }

  template <class Condition>
  bool run_until(Condition done) {
    const time_point give_up = clock::now() + patience;
    while (!done()) {
      if (clock::now() > give_up) return false;
      context.restart();
      if (context.run_one_for(10ms) == 0) std::this_thread::yield();
    }
    return true;
  }
  bool join(std::string_view target = "/") {
    peer->upgrade(target);
    return run_until([&] { return peer->upgraded || peer->is_over(); }) && peer->upgraded;
  }

  asio::io_context context;
  std::optional<client> peer;
};

/// Says through the pipe that a child was given where its server listens.
inline void tell_port(int ready, std::uint16_t port) {
  if (::write(ready, &port, sizeof port) != sizeof port) ::_exit(2);
}

/// A function in a process of its own, without the test framework: it must not use it, and ends with status 1 when it
/// throws. Killed when it is left alone.
class child_process {
 public:
  /// \param body  Gets a descriptor for tell_port().
  explicit child_process(const std::function<void(int ready)>& body) {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    pid_ = ::fork();
    REQUIRE(pid_ >= 0);
    if (pid_ == 0) {
      ::close(ends[0]);
      ::alarm(60);
      int result = 1;
      try {
        body(ends[1]);
        result = 0;
      } catch (...) {
      }
      ::_exit(result);
    }
    ::close(ends[1]);
    ready_ = ends[0];
  }
  child_process(const child_process&) = delete;
  ~child_process() {
    ::close(ready_);
    if (has_ended()) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

  /// Waits for it.
  std::uint16_t port() {
    if (port_ == 0) REQUIRE(::read(ready_, &port_, sizeof port_) == sizeof port_);
    return port_;
  }
  pid_t pid() const { return pid_; }
  void send(int signal) { ::kill(pid_, signal); }
  bool has_ended() {
    if (!ended_) ended_ = ::waitpid(pid_, &status_, WNOHANG) == pid_;
    return ended_;
  }

  /// -1 when a signal ended it.
  int exit_status() const { return WIFEXITED(status_) ? WEXITSTATUS(status_) : -1; }

 private:
  pid_t pid_ = -1;
  int ready_ = -1;
  std::uint16_t port_ = 0;
  int status_ = 0;
  bool ended_ = false;
};

}  // namespace net_test

#endif
