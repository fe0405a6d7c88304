// The floor: what moving the bytes costs when nothing looks at them. One thread, one level-triggered epoll
// set, TCP. For every `--in` bytes that a connection sends, it gets `--out` bytes back. A server that frames,
// checks and dispatches the same traffic is measured against this one; the distance is what its own code
// costs.

#include "program.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <vector>

namespace {

constexpr std::size_t read_size = 64 * 1024;
constexpr int batch_size = 256;

struct connection {
  std::uint64_t unanswered = 0;  // bytes received of a request that is not complete yet
  std::uint64_t owed = 0;        // bytes of replies not sent yet
  bool wants_room = false;       // EPOLLOUT is armed
};

class raw_echo {
 public:
  raw_echo(std::uint16_t port, std::uint64_t request_size, std::uint64_t reply_size)
      : request_size_(request_size),
        reply_size_(reply_size),
        out_(std::max<std::size_t>(read_size, reply_size), 'x') {
    const int on = 1;
    load::check(setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), "SO_REUSEADDR");
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    load::check(bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address), "bind");
    load::check(listen(listener_, SOMAXCONN), "listen");
    watch(EPOLL_CTL_ADD, listener_, EPOLLIN);
  }

  std::uint16_t port() const {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    load::check(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), "getsockname");
    return ntohs(address.sin_port);
  }

  [[noreturn]] void run() {
    std::array<epoll_event, batch_size> events;
    for (;;) {
      const int count = epoll_wait(epoll_, events.data(), batch_size, -1);
      if (count < 0 && errno != EINTR) load::check(count, "epoll_wait");
      for (int i = 0; i < count; ++i) {
        const epoll_event& event = events[static_cast<std::size_t>(i)];
        if (event.data.fd == listener_) {
          accept_all();
        } else {
          serve(event.data.fd, event.events);
        }
      }
    }
  }

 private:
  void watch(int operation, int fd, std::uint32_t interest) {
    epoll_event event{};
    event.events = interest;
    event.data.fd = fd;
    load::check(epoll_ctl(epoll_, operation, fd, &event), "epoll_ctl");
  }

  void accept_all() {
    for (;;) {
      const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) return;
      const int on = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      const auto index = static_cast<std::size_t>(fd);
      if (connections_.size() <= index) connections_.resize(index + 1);
      connections_[index] = std::make_unique<connection>();
      watch(EPOLL_CTL_ADD, fd, EPOLLIN);
    }
  }

  void serve(int fd, std::uint32_t ready) {
    connection& peer = *connections_[static_cast<std::size_t>(fd)];
    const bool alive =
        ((ready & ~EPOLLOUT) == 0 || receive(fd, peer)) && (peer.owed == 0 || send_owed(fd, peer));
    if (!alive) {
      close(fd);
      connections_[static_cast<std::size_t>(fd)].reset();
      return;
    }
    const bool wants_room = peer.owed != 0;
    if (wants_room != peer.wants_room) {
      peer.wants_room = wants_room;
      watch(EPOLL_CTL_MOD, fd, wants_room ? EPOLLIN | EPOLLOUT : EPOLLIN);
    }
  }

  bool receive(int fd, connection& peer) {
    const ssize_t size = recv(fd, in_.data(), in_.size(), 0);
    if (size <= 0) return size < 0 && errno == EAGAIN;
    peer.unanswered += static_cast<std::uint64_t>(size);
    peer.owed += peer.unanswered / request_size_ * reply_size_;
    peer.unanswered %= request_size_;
    return true;
  }

  bool send_owed(int fd, connection& peer) {
    const ssize_t size = send(fd, out_.data(), std::min<std::uint64_t>(peer.owed, out_.size()), MSG_NOSIGNAL);
    if (size < 0) return errno == EAGAIN;
    peer.owed -= static_cast<std::uint64_t>(size);
    return true;
  }

  const std::uint64_t request_size_;
  const std::uint64_t reply_size_;
  const int epoll_ = load::check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
  const int listener_ = load::check(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket");
  std::array<char, read_size> in_;
  const std::vector<char> out_;
  std::vector<std::unique_ptr<connection>> connections_;  // by descriptor
};

}  // namespace

int main(int argc, char** argv) {
  const load::options options(argc, argv, {{"port", "0"}, {"in", ""}, {"out", ""}});
  const auto port = options.number<std::uint16_t>("port");
  const std::uint64_t request_size = options.number("in");
  const std::uint64_t reply_size = options.number("out");
  if (request_size == 0 || reply_size == 0) load::fail("--in and --out are at least 1 byte");
  raw_echo server(port, request_size, reply_size);
  std::printf("raw_echo: listening on port %u\n", unsigned{server.port()});
  std::fflush(stdout);
  server.run();
}
