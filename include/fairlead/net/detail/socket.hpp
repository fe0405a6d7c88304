#ifndef FAIRLEAD_NET_DETAIL_SOCKET_HPP
#define FAIRLEAD_NET_DETAIL_SOCKET_HPP

#include <fairlead/config.hpp>
#include <fairlead/net/link.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <system_error>

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

/// Small writes leave at once.
FAIRLEAD_DECL void set_no_delay(int socket) noexcept;

/// A listening, non-blocking TCP socket. Throws std::system_error whose text names address and port.
FAIRLEAD_DECL int listen_tcp(const std::string& address, std::uint16_t port, int backlog);

}  // namespace fairlead

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/net/impl/socket.ipp>
#endif

#endif
