#ifndef FAIRLEAD_NET_LINK_DETAIL_SOCKET_HPP
#define FAIRLEAD_NET_LINK_DETAIL_SOCKET_HPP

#include <fairlead/config.hpp>
#include <fairlead/net/link/link.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <system_error>
#include <utility>

#include <sys/types.h>
#include <sys/un.h>

namespace fairlead::inline FAIRLEAD_ABI::detail {

constexpr std::size_t size_of(std::span<const std::span<const std::byte>> gather) noexcept {
  std::size_t size = 0;
  for (const auto& piece : gather) size += piece.size();
  return size;
}

/// Writes what a non-blocking socket takes at once; no room is not an error.
FAIRLEAD_DECL write_result send_some(int socket, std::span<const std::span<const std::byte>> gather) noexcept;

/// The error that a socket holds (SO_ERROR), if any.
FAIRLEAD_DECL std::error_code pending_error_of(int socket) noexcept;

FAIRLEAD_DECL std::uint16_t local_port_of(int socket) noexcept;

/// Such as AF_INET.
FAIRLEAD_DECL int family_of(int socket) noexcept;

/// Where the peer of a connected socket is.
FAIRLEAD_DECL peer_address peer_of(int socket) noexcept;

/// What a TCP socket may hold that it has not sent. Without effect on others.
class unsent_limit {
 public:
  /// As link::limit_unsent().
  FAIRLEAD_DECL void limit(int socket, std::size_t size) noexcept;

  /// As link::writable_size().
  FAIRLEAD_DECL std::size_t room(int socket) const noexcept;

 private:
  std::uint32_t size_ = 0;  // none
};

/// As link::give_up_after(); no harm when it is no TCP socket.
FAIRLEAD_DECL void give_up_after(int socket, duration t) noexcept;

/// Small writes leave at once.
FAIRLEAD_DECL void set_no_delay(int socket) noexcept;

/// What became of the connections that waited on a listening socket.
enum class accepted : unsigned char {
  some,       ///< As many as there were, or as were asked for.
  exhausted,  ///< The process is out of descriptors or memory: what waits would be reported without end.
};

/// Accepts at most `max` of the connections that wait; `on_accept` gets each non-blocking socket and owns it. It may
/// close the listener, and then sets `listening_socket` to -1.
FAIRLEAD_DECL accepted accept_waiting(const int& listening_socket, int max,
                                      const std::function<void(int)>& on_accept);

/// A listening, non-blocking TCP socket. Throws std::system_error whose text names address and port.
FAIRLEAD_DECL int listen_tcp(const std::string& address, std::uint16_t port, int backlog);

/// The file of a local socket that listens. Goes with the object, unless another has taken its place.
class local_socket_file {
 public:
  local_socket_file() noexcept = default;
  local_socket_file(std::filesystem::path path, dev_t device, ino_t number)
      : path_(std::move(path)), device_(device), number_(number) {}
  local_socket_file(local_socket_file&& other) noexcept { *this = std::move(other); }
  local_socket_file& operator=(local_socket_file&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(device_, other.device_);
    std::swap(number_, other.number_);
    return *this;
  }
  ~local_socket_file() { remove(); }

  FAIRLEAD_DECL void remove() noexcept;

  /// The file is another's from now on.
  void forget() noexcept { path_.clear(); }

 private:
  std::filesystem::path path_;  // empty when there is none
  dev_t device_ = 0;
  ino_t number_ = 0;
};

/// The address of a local socket. Throws std::system_error, whose text begins with `where`, for a path that is too long
/// or holds a NUL.
FAIRLEAD_DECL sockaddr_un local_address(const std::filesystem::path& path, const std::string& where);

/// The file of a local socket that is there already. Throws std::system_error whose text names the path.
FAIRLEAD_DECL local_socket_file file_of_local(const std::filesystem::path& path);

/// Whether it is a stream socket that listens.
FAIRLEAD_DECL bool is_listening(int socket) noexcept;

/// Whether a listening socket is the one that listen_tcp() with these would have made; port 0 is any.
FAIRLEAD_DECL bool is_bound_to(int socket, const std::string& address, std::uint16_t port) noexcept;

/// The same for listen_local().
FAIRLEAD_DECL bool is_bound_to(int socket, const std::filesystem::path& path) noexcept;

struct local_listener {
  int socket;
  local_socket_file file;
};

/// A listening, non-blocking local socket. Takes the place of a socket on which nobody listens any more. Throws
/// std::system_error whose text names the path.
FAIRLEAD_DECL local_listener listen_local(const std::filesystem::path& path,
                                          std::filesystem::perms permissions, int backlog);

}  // namespace fairlead

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/net/link/impl/socket.ipp>
#endif

#endif
