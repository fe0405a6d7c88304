#ifndef FAIRLEAD_BENCHMARKS_LOAD_CLIENT_SOCKET_HPP
#define FAIRLEAD_BENCHMARKS_LOAD_CLIENT_SOCKET_HPP

#include "program.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace load {

/// A connection to a port of this machine. Blocking, with a limit of ten seconds, until it is told otherwise.
class client_socket {
 public:
  /// \param receive_buffer  SO_RCVBUF, which the system doubles; 0 for the system's choice.
  explicit client_socket(std::uint16_t port, int receive_buffer = 0)
      : fd_(check(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket")) {
    const timeval patience{10, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    const int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (receive_buffer != 0) {  // before the connect, which agrees on windows
      setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    }
    const sockaddr_in server = address_of(INADDR_LOOPBACK, port);
    check(connect(fd_, reinterpret_cast<const sockaddr*>(&server), sizeof server), "connect");
  }

  /// From another address of this machine, and without waiting: never blocks, and is connected, or failed, when it is
  /// writable.
  ///
  /// \param source  In 127.0.0.0/8, as a number.
  static client_socket begin(std::uint16_t port, std::uint32_t source, int receive_buffer = 0) {
    client_socket made(unconnected(),
                       check(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "socket"));
    const int on = 1;
    setsockopt(made.fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(made.fd_, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on,
               sizeof on);  // so each address has all ports
    if (receive_buffer != 0) {
      setsockopt(made.fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    }
    const sockaddr_in from = address_of(source, 0);
    check(bind(made.fd_, reinterpret_cast<const sockaddr*>(&from), sizeof from), "bind");
    const sockaddr_in server = address_of(INADDR_LOOPBACK, port);
    if (connect(made.fd_, reinterpret_cast<const sockaddr*>(&server), sizeof server) < 0 &&
        errno != EINPROGRESS) {
      check(-1, "connect");
    }
    return made;
  }
  client_socket(client_socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  client_socket& operator=(client_socket&&) = delete;
  ~client_socket() {
    if (fd_ >= 0) close(fd_);
  }

  int fd() const { return fd_; }

  void stop_blocking() { check(fcntl(fd_, F_SETFL, O_NONBLOCK), "fcntl"); }

  void send_all(const char* data, std::size_t size) {
    while (size > 0) {
      const auto sent = static_cast<std::size_t>(check_io(send(fd_, data, size, MSG_NOSIGNAL), "send"));
      data += sent;
      size -= sent;
    }
  }

  void receive_all(char* data, std::size_t size) {
    while (size > 0) {
      const auto received = static_cast<std::size_t>(check_io(recv(fd_, data, size, 0), "receive"));
      data += received;
      size -= received;
    }
  }

  /// The opening handshake (RFC 6455 section 4.1) with the key of the RFC's example, so the answer to it is
  /// known. Answers the server's Sec-WebSocket-Extensions.
  std::string upgrade(const std::string& path, std::uint16_t port, const std::string& extensions = "") {
    const std::string request =
        "GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(port) +
        "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
        (extensions.empty() ? "" : "Sec-WebSocket-Extensions: " + extensions + "\r\n") + "\r\n";
    send_all(request.data(), request.size());
    std::string head;
    while (!head.ends_with("\r\n\r\n")) {
      char next = 0;
      receive_all(&next, 1);
      head += next;
      if (head.size() > 16384) fail("the answer to the handshake has no end");
    }
    if (!head.starts_with("HTTP/1.1 101 ") ||
        head.find("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") == std::string::npos) {
      fail("the server did not upgrade " + path + ": " + head.substr(0, head.find('\r')));
    }
    constexpr std::string_view field = "Sec-WebSocket-Extensions: ";
    const std::size_t at = head.find(field);
    if (at == std::string::npos) return "";
    return head.substr(at + field.size(), head.find('\r', at) - at - field.size());
  }

 private:
  struct unconnected {};
  client_socket(unconnected, int fd) : fd_(fd) {}

  static sockaddr_in address_of(std::uint32_t number, std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(number);
    address.sin_port = htons(port);
    return address;
  }

  static ssize_t check_io(ssize_t result, const char* what) {
    if (result == 0) fail(std::string(what) + ": the server closed the connection");
    if (result < 0) fail(std::string(what) + ": " + std::strerror(errno));
    return result;
  }

  int fd_;
};

}  // namespace load

#endif
