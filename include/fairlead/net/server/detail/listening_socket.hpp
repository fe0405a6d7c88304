#ifndef FAIRLEAD_NET_SERVER_DETAIL_LISTENING_SOCKET_HPP
#define FAIRLEAD_NET_SERVER_DETAIL_LISTENING_SOCKET_HPP

#include <fairlead/config.hpp>
#include <fairlead/net/link/detail/socket.hpp>
#include <fairlead/net/link/owned_socket.hpp>
#include <fairlead/net/server/detail/handover.hpp>
#include <fairlead/net/server/server_options.hpp>

namespace fairlead::inline FAIRLEAD_ABI::detail {

/// Non-blocking.
struct listening_socket {
  owned_socket socket;
  local_socket_file file;  // of a local socket that is the server's
};

/// The one that the options ask for: given, claimed from a predecessor or made. Throws std::system_error, which names
/// what was asked for.
///
/// \param predecessor  Null without server_options::handover_path.
listening_socket open_listening_socket(const server_options& o, handover* predecessor);

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/net/server/impl/listening_socket.ipp>
#endif

#endif
