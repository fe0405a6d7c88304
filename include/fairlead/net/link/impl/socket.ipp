#ifndef FAIRLEAD_NET_LINK_IMPL_SOCKET_IPP
#define FAIRLEAD_NET_LINK_IMPL_SOCKET_IPP

#include <fairlead/net/link/detail/socket.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <limits>
#include <memory>

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

namespace fairlead::inline FAIRLEAD_ABI::detail {

FAIRLEAD_DECL write_result send_some(int socket,
                                     std::span<const std::span<const std::byte>> gather) noexcept {
  constexpr std::size_t max_pieces = 64;
  write_result result;
  while (!gather.empty()) {
    const std::size_t pieces = std::min(gather.size(), max_pieces);
    ssize_t n = 0;
    if (pieces == 1) {  // cheaper than a message of one piece
      n = ::send(socket, gather[0].data(), gather[0].size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    } else {
      std::array<iovec, max_pieces> vectors;
      for (std::size_t i = 0; i < pieces; ++i) {
        vectors[i] = {const_cast<std::byte*>(gather[i].data()), gather[i].size()};
      }
      msghdr m{};
      m.msg_iov = vectors.data();
      m.msg_iovlen = pieces;
      n = ::sendmsg(socket, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    if (n < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK) result.error = {errno, std::system_category()};
      return result;
    }
    result.size += static_cast<std::size_t>(n);
    if (static_cast<std::size_t>(n) < size_of(gather.first(pieces))) return result;
    gather = gather.subspan(pieces);
  }
  return result;
}

FAIRLEAD_DECL std::error_code pending_error_of(int socket) noexcept {
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size);
  return {error, std::system_category()};
}

FAIRLEAD_DECL std::uint16_t local_port_of(int socket) noexcept {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  if (address.ss_family == AF_INET6) {
    sockaddr_in6 v6;
    std::memcpy(&v6, &address, sizeof v6);
    return ntohs(v6.sin6_port);
  }
  if (address.ss_family != AF_INET) return 0;
  sockaddr_in v4;
  std::memcpy(&v4, &address, sizeof v4);
  return ntohs(v4.sin_port);
}

FAIRLEAD_DECL int family_of(int socket) noexcept {
  int family = AF_UNSPEC;
  socklen_t size = sizeof family;
  ::getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &family, &size);
  return family;
}

FAIRLEAD_DECL peer_address peer_of(int socket) noexcept {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  peer_address peer;
  if (::getpeername(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) return peer;
  if (address.ss_family == AF_INET6) {
    sockaddr_in6 v6;
    std::memcpy(&v6, &address, sizeof v6);
    peer.port = ntohs(v6.sin6_port);
    const auto* const bytes = reinterpret_cast<const std::byte*>(&v6.sin6_addr);
    if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {  // an IPv4 peer of a socket for both
      peer.family = peer_address::kind::ipv4;
      std::copy_n(bytes + 12, 4, peer.bytes.begin());
    } else {
      peer.family = peer_address::kind::ipv6;
      std::copy_n(bytes, 16, peer.bytes.begin());
    }
  } else if (address.ss_family == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, &address, sizeof v4);
    peer.port = ntohs(v4.sin_port);
    peer.family = peer_address::kind::ipv4;
    std::copy_n(reinterpret_cast<const std::byte*>(&v4.sin_addr), 4, peer.bytes.begin());
  } else if (address.ss_family == AF_UNIX) {
    peer.family = peer_address::kind::local;
  }
  return peer;
}

FAIRLEAD_DECL void unsent_limit::limit(int socket, std::size_t size) noexcept {
  const int bytes = static_cast<int>(std::min<std::size_t>(size, std::numeric_limits<int>::max()));
  const bool is_set = ::setsockopt(socket, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof bytes) == 0;
  size_ = is_set ? static_cast<std::uint32_t>(bytes) : 0;
}

FAIRLEAD_DECL std::size_t unsent_limit::room(int socket) const noexcept {
  int unsent = 0;
  if (size_ == 0 || ::ioctl(socket, SIOCOUTQNSD, &unsent) != 0)
    return std::numeric_limits<std::size_t>::max();
  return size_ - std::min(size_, static_cast<std::uint32_t>(unsent));
}

FAIRLEAD_DECL void give_up_after(int socket, duration t) noexcept {
  const auto wanted = std::chrono::ceil<std::chrono::milliseconds>(t).count();
  const auto limit =
      static_cast<unsigned>(std::clamp<std::int64_t>(wanted, 1, std::numeric_limits<int>::max()));
  ::setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &limit, sizeof limit);
}

FAIRLEAD_DECL void set_no_delay(int socket) noexcept {
  const int on = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // no harm when it is no TCP socket
}

FAIRLEAD_DECL accepted accept_waiting(const int& listening_socket, int max,
                                      const std::function<void(int)>& on_accept) {
  for (int i = 0; i < max && listening_socket >= 0; ++i) {
    const int socket = ::accept4(listening_socket, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (socket >= 0) {
      on_accept(socket);
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      return accepted::exhausted;
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      break;
    }  // otherwise that one connection died in the backlog
  }
  return accepted::some;
}

FAIRLEAD_DECL int listen_tcp(const std::string& address, std::uint16_t port, int backlog) {
  const std::string where = "listen on " + address + ":" + std::to_string(port);
  addrinfo hints{};
  hints.ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(address.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) {
    throw std::system_error(std::make_error_code(std::errc::invalid_argument), where);
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owned(found, &::freeaddrinfo);
  const int socket = ::socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  // SO_REUSEADDR lets a restarted server listen at once. Not SO_REUSEPORT: with it a second server on the
  // port would succeed and silently take half of the connections.
  if (socket < 0 || ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      ::bind(socket, found->ai_addr, found->ai_addrlen) != 0 || ::listen(socket, backlog) != 0) {
    const int error = errno;
    if (socket >= 0) ::close(socket);
    throw std::system_error(error, std::system_category(), where);
  }
  return socket;
}

FAIRLEAD_DECL void local_socket_file::remove() noexcept {
  if (path_.empty()) return;
  struct stat now;
  const bool is_ours = ::lstat(path_.c_str(), &now) == 0 && now.st_dev == device_ && now.st_ino == number_;
  if (is_ours) ::unlink(path_.c_str());
  path_.clear();
}

FAIRLEAD_DECL sockaddr_un local_address(const std::filesystem::path& path, const std::string& where) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.native().size() >= sizeof address.sun_path) {
    throw std::system_error(std::make_error_code(std::errc::filename_too_long), where);
  }
  if (path.native().find('\0') != std::string::npos) {
    throw std::system_error(std::make_error_code(std::errc::invalid_argument), where);
  }
  std::memcpy(address.sun_path, path.c_str(), path.native().size());
  return address;
}

FAIRLEAD_DECL local_socket_file file_of_local(const std::filesystem::path& path) {
  struct stat file {};
  if (::lstat(path.c_str(), &file) != 0) {
    throw std::system_error(errno, std::system_category(), "listen on " + path.string());
  }
  return {std::filesystem::absolute(path), file.st_dev, file.st_ino};
}

FAIRLEAD_DECL bool is_listening(int socket) noexcept {
  const auto option = [socket](int name) {
    int value = 0;
    socklen_t size = sizeof value;
    return ::getsockopt(socket, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
  };
  return option(SO_TYPE) == SOCK_STREAM && option(SO_ACCEPTCONN) == 1;
}

FAIRLEAD_DECL bool is_bound_to(int socket, const std::string& address, std::uint16_t port) noexcept {
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&bound), &size) != 0) return false;
  if (bound.ss_family == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, &bound, sizeof v4);
    in_addr wanted{};
    return ::inet_pton(AF_INET, address.c_str(), &wanted) == 1 && wanted.s_addr == v4.sin_addr.s_addr &&
           (port == 0 || port == ntohs(v4.sin_port));
  }
  if (bound.ss_family != AF_INET6) return false;
  sockaddr_in6 v6;
  std::memcpy(&v6, &bound, sizeof v6);
  in6_addr wanted{};
  return ::inet_pton(AF_INET6, address.c_str(), &wanted) == 1 &&
         std::memcmp(&wanted, &v6.sin6_addr, sizeof wanted) == 0 &&
         (port == 0 || port == ntohs(v6.sin6_port));
}

FAIRLEAD_DECL bool is_bound_to(int socket, const std::filesystem::path& path) noexcept {
  sockaddr_un bound{};
  socklen_t size = sizeof bound;
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&bound), &size) != 0) return false;
  bound.sun_path[sizeof bound.sun_path - 1] = '\0';
  return bound.sun_family == AF_UNIX && path == bound.sun_path;
}

/// Whether the file is a socket on which nobody listens.
inline bool is_stale_socket(const sockaddr_un& address) noexcept {
  struct stat file;
  if (::lstat(address.sun_path, &file) != 0 || !S_ISSOCK(file.st_mode)) return false;
  const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (probe < 0) return false;
  const int result = ::connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const bool is_refused = result != 0 && errno == ECONNREFUSED;
  ::close(probe);
  return is_refused;
}

inline bool bind_local(int socket, const sockaddr_un& address) noexcept {
  const auto* const generic = reinterpret_cast<const sockaddr*>(&address);
  if (::bind(socket, generic, sizeof address) == 0) return true;
  if (errno != EADDRINUSE) return false;
  if (is_stale_socket(address) && ::unlink(address.sun_path) == 0) {
    return ::bind(socket, generic, sizeof address) == 0;
  }
  errno = EADDRINUSE;
  return false;
}

FAIRLEAD_DECL local_listener listen_local(const std::filesystem::path& path,
                                          std::filesystem::perms permissions, int backlog) {
  const std::string where = "listen on " + path.string();
  const sockaddr_un address = local_address(path, where);
  const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const auto fail = [&] {
    const int error = errno;
    if (socket >= 0) ::close(socket);
    throw std::system_error(error, std::system_category(), where);
  };
  struct stat made {};
  if (socket < 0 || !bind_local(socket, address) || ::lstat(address.sun_path, &made) != 0) fail();
  local_listener listener{socket, {std::filesystem::absolute(path), made.st_dev, made.st_ino}};
  // What the umask made of the mode does not matter: nobody can connect before there is a listener.
  if (::chmod(address.sun_path, static_cast<mode_t>(permissions)) != 0 || ::listen(socket, backlog) != 0)
    fail();
  return listener;
}

}  // namespace fairlead

#endif
