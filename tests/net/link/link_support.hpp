#ifndef FAIRLEAD_TESTS_NET_LINK_LINK_SUPPORT_HPP
#define FAIRLEAD_TESTS_NET_LINK_LINK_SUPPORT_HPP

#include <fairlead/net/link/asio_link.hpp>
#include <fairlead/net/link/epoll_set.hpp>
#include <fairlead/net/link/link.hpp>
#include <fairlead/net/link/memory_link.hpp>
#include <fairlead/net/link/tls_link.hpp>
#include <fairlead/testing/fault_link.hpp>
#include <fairlead/time.hpp>

#include <support/certificates.hpp>

#include <asio/generic/stream_protocol.hpp>
#include <asio/io_context.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <tuple>
#include <utility>
#include <vector>

#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace link_support {

using namespace std::chrono_literals;

/// No wait in these tests is longer; it is spent only when something fails.
inline constexpr auto patience = 10s;

inline int check(int result, const char* what) {
  if (result < 0) throw std::system_error(errno, std::system_category(), what);
  return result;
}

/// Owns a descriptor.
class descriptor {
 public:
  descriptor() = default;
  explicit descriptor(int fd) : fd_(fd) {}
  descriptor(descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  descriptor& operator=(descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~descriptor() { reset(); }

  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }
  void reset() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

 private:
  int fd_ = -1;
};

struct socket_pair {
  descriptor near;
  descriptor far;
};

/// Two joined local sockets that do not block.
inline socket_pair make_local_pair() {
  std::array<int, 2> fds{};
  check(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds.data()), "socketpair");
  return {descriptor(fds[0]), descriptor(fds[1])};
}

inline sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

/// A blocking connection to a port of this machine, which gives up after `patience`.
inline descriptor connect_to(std::uint16_t port) {
  descriptor s(check(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
  const timeval limit{patience.count(), 0};
  ::setsockopt(s.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(s.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  const int on = 1;
  ::setsockopt(s.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const sockaddr_in address = loopback(port);
  check(::connect(s.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), "connect");
  return s;
}

/// Two joined TCP sockets on loopback that do not block.
inline socket_pair make_tcp_pair() {
  const descriptor listener(check(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  check(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size), "bind");
  check(::listen(listener.get(), 1), "listen");
  check(::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size), "getsockname");
  socket_pair pair;
  pair.far = connect_to(ntohs(address.sin_port));
  pair.near = descriptor(check(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC), "accept"));
  const int on = 1;
  for (const descriptor* s : {&pair.near, &pair.far}) {
    check(::fcntl(s->get(), F_SETFL, O_NONBLOCK), "fcntl");
    ::setsockopt(s->get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  return pair;
}

inline void reset_on_close(int socket) {
  const linger at_once{1, 0};
  ::setsockopt(socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

inline int open_descriptors() {
  DIR* const folder = ::opendir("/proc/self/fd");
  if (folder == nullptr) throw std::runtime_error("no /proc/self/fd");
  int count = 0;
  while (::readdir(folder) != nullptr) ++count;
  ::closedir(folder);
  return count;
}

inline std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

/// Bytes of which no two neighbouring stretches are alike.
inline std::string pattern(std::size_t size) {
  std::string text(size, '\0');
  std::uint32_t state = 12345;
  for (char& c : text) {
    state = state * 1664525 + 1013904223;
    c = static_cast<char>(state >> 24);
  }
  return text;
}

/// Owns a link and records what it pushes. A call after close(), or inside a call to the link, is counted as
/// wrong.
class recorder final : public fairlead::link_sink {
 public:
  fairlead::link_ptr link;

  std::string received;
  std::size_t largest_read = 0;
  int rooms = 0;
  int reads = 0;
  int writables = 0;
  int eofs = 0;
  int errors = 0;
  int wrong = 0;
  std::error_code error;

  /// Done at the end of the function of that name.
  std::function<void()> in_read_room, in_on_bytes, in_on_writable, in_on_eof, in_on_link_error;

  /// What read_room() offers.
  std::vector<std::byte> room;

  std::error_code write_error;
  std::size_t written = 0;
  int short_writes = 0;

  int calls() const { return rooms + reads + writables + eofs + errors; }
  void close() { link.reset(); }

  void start() {
    call([&] { link->start(*this); });
  }
  void pause() {
    call([&] { link->pause_reading(); });
  }
  void resume() {
    call([&] { link->resume_reading(); });
  }
  void shutdown() {
    call([&] { link->shutdown_sending(); });
  }
  fairlead::write_result write(std::span<const std::span<const std::byte>> gather) {
    fairlead::write_result result;
    call([&] { result = link->write(gather); });
    return result;
  }
  fairlead::write_result write(std::string_view text) {
    const std::array gather{bytes_of(text)};
    return write(gather);
  }

  /// Writes all of it, the rest when the link takes bytes again.
  void send(std::string text) {
    outgoing_ += text;
    if (!blocked_) pump();
  }
  bool has_sent_all() const { return written == outgoing_.size(); }

  /// Writes until the link takes no more.
  void fill() {
    while (!blocked_ && !write_error) send(std::string(256 * 1024, 'f'));
  }

 private:
  template <class Function>
  void call(Function f) {
    ++inside_;
    f();
    --inside_;
  }

  void called(int& count) {
    ++count;
    if (link == nullptr || inside_ != 0 || errors > 1 || (errors == 1 && &count != &errors)) ++wrong;
  }

  static void finish(const std::function<void()>& f) {
    if (const auto keep = f) keep();
  }

  void pump() {
    while (link != nullptr && written < outgoing_.size() && !write_error) {
      const std::string_view rest = std::string_view(outgoing_).substr(written);
      const fairlead::write_result result = write(rest);
      written += result.size;
      write_error = result.error;
      blocked_ = result.size < rest.size();
      short_writes += blocked_;
      if (blocked_) return;
    }
  }

  std::span<std::byte> read_room() override {
    called(rooms);
    if (eofs != 0) ++wrong;
    finish(in_read_room);
    return room;
  }
  void on_bytes(std::span<std::byte> bytes) override {
    called(reads);
    if (bytes.empty() || eofs != 0) ++wrong;
    if (!room.empty() && (bytes.data() != room.data() || bytes.size() > room.size())) ++wrong;
    largest_read = std::max(largest_read, bytes.size());
    received.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    for (std::byte& b : bytes) b = std::byte{0};  // they may be changed
    finish(in_on_bytes);
  }
  void on_writable() override {
    called(writables);
    if (!blocked_) ++wrong;
    blocked_ = false;
    finish(in_on_writable);
    if (link != nullptr) pump();
  }
  void on_eof() override {
    called(eofs);
    finish(in_on_eof);
  }
  void on_link_error(std::error_code ec) override {
    called(errors);
    if (!ec) ++wrong;
    error = ec;
    finish(in_on_link_error);
  }

  std::string outgoing_;
  bool blocked_ = false;
  int inside_ = 0;
};

/// Runs handlers until `done` holds; false when it does not within `patience`.
template <class Condition>
bool run_until(asio::io_context& context, Condition done) {
  const auto limit = fairlead::clock::now() + patience;
  while (!done()) {
    if (fairlead::clock::now() > limit) return false;
    context.restart();
    context.run_one_for(10ms);
  }
  return true;
}

/// For what must not happen: gives it a moment, and returns how many handlers ran.
inline std::size_t run_a_moment(asio::io_context& context, fairlead::duration moment = 20ms) {
  context.restart();
  return context.run_for(moment);
}

/// True when nothing keeps the context running.
inline bool runs_out(asio::io_context& context) {
  context.restart();
  context.run_for(patience);
  return context.stopped();
}

enum class link_form {
  memory,
  epoll_tcp,
  epoll_local,
  asio_tcp,
  asio_local,
  fault_memory,
  fault_epoll_tcp,
  tls_memory,
  tls_epoll_tcp,
  tls_asio_local,
};

inline constexpr std::array all_link_forms{
    link_form::memory,        link_form::epoll_tcp,     link_form::epoll_local,     link_form::asio_tcp,
    link_form::asio_local,    link_form::fault_memory,  link_form::fault_epoll_tcp, link_form::tls_memory,
    link_form::tls_epoll_tcp, link_form::tls_asio_local};

inline std::string name_of(link_form form) {
  constexpr std::array names{"memory",
                             "epoll over TCP",
                             "epoll over a local socket",
                             "Asio over TCP",
                             "Asio over a local socket",
                             "a fault link without faults over memory",
                             "a fault link without faults in an epoll set over TCP",
                             "TLS over memory",
                             "TLS in an epoll set over TCP",
                             "TLS with Asio over a local socket"};
  return names[static_cast<std::size_t>(form)];
}

inline bool is_tls(link_form form) { return form >= link_form::tls_memory; }
inline bool has_faults(link_form form) {
  return form == link_form::fault_memory || form == link_form::fault_epoll_tcp;
}

/// The form that is below one with TLS, or below a fault link.
inline link_form below(link_form form) {
  switch (form) {
    case link_form::fault_memory:
    case link_form::tls_memory: return link_form::memory;
    case link_form::fault_epoll_tcp:
    case link_form::tls_epoll_tcp: return link_form::epoll_tcp;
    case link_form::tls_asio_local: return link_form::asio_local;
    default: return form;
  }
}

inline fairlead::link_ptr make_asio_link(asio::io_context& context, descriptor socket, int family) {
  const asio::generic::stream_protocol protocol(family, family == AF_INET ? IPPROTO_TCP : 0);
  asio::generic::stream_protocol::socket owned(context, protocol, socket.release());
  return fairlead::make_asio_link(std::move(owned));
}

/// Two ends of one connection, in a context of their own.
struct joined_links {
  explicit joined_links(link_form f) : form(f) {
    join(below(form));
    if (has_faults(form)) {
      const auto plan = std::make_shared<fairlead::fault_plan>();
      near.link = fairlead::make_fault_link(context, std::move(near.link), plan);
      far.link = fairlead::make_fault_link(context, std::move(far.link), plan);
    }
    if (!is_tls(form)) return;
    const certificates::usual& usual = certificates::usual::instance();
    near.link = fairlead::make_tls_link(context.get_executor(), std::move(near.link), usual.server());
    far.link =
        fairlead::make_tls_link(context.get_executor(), std::move(far.link), usual.client(), "localhost", 1);
  }

  /// TLS has shaken hands when this returns, so that all forms take bytes at once.
  void start() {
    if (is_tls(form)) shake_hands();
    near.start();
    far.start();
  }

  /// Resets the connection from the far end. TCP does so when SO_LINGER is 0, a local socket when it is
  /// closed with bytes unread.
  void reset_by_far() {
    far.pause();
    near.write("unread");
    reset_on_close(far_socket);
    far.close();
  }

  link_form form;
  asio::io_context context{1};
  recorder near;
  recorder far;
  int far_socket = -1;

 private:
  void shake_hands() {
    recorder first_near, first_far;
    first_near.link = std::move(near.link);
    first_far.link = std::move(far.link);
    first_near.start();
    first_far.start();
    first_near.send("1");
    first_far.send("2");
    run_until(context, [&] { return first_near.received == "2" && first_far.received == "1"; });
    near.link = std::move(first_near.link);
    far.link = std::move(first_far.link);
  }

  void join(link_form plain) {
    if (plain == link_form::memory) {
      std::tie(near.link, far.link) = fairlead::make_memory_pair(context.get_executor());
      return;
    }
    const bool tcp = plain == link_form::epoll_tcp || plain == link_form::asio_tcp;
    socket_pair sockets = tcp ? make_tcp_pair() : make_local_pair();
    far_socket = sockets.far.get();
    if (plain == link_form::epoll_tcp || plain == link_form::epoll_local) {
      auto& set = asio::use_service<fairlead::epoll_set>(context);
      near.link = set.make_link(sockets.near.release());
      far.link = set.make_link(sockets.far.release());
    } else {
      near.link = make_asio_link(context, std::move(sockets.near), tcp ? AF_INET : AF_UNIX);
      far.link = make_asio_link(context, std::move(sockets.far), tcp ? AF_INET : AF_UNIX);
    }
  }
};

}  // namespace link_support

#endif
