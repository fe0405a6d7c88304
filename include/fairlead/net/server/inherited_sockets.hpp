#ifndef FAIRLEAD_NET_SERVER_INHERITED_SOCKETS_HPP
#define FAIRLEAD_NET_SERVER_INHERITED_SOCKETS_HPP

#include <fairlead/config.hpp>

#include <string>
#include <vector>

namespace fairlead::inline FAIRLEAD_ABI {

/// A descriptor that was open when the program began.
struct inherited_socket {
  int descriptor;    ///< The caller's; for server_options::listening_socket, say.
  std::string name;  ///< FileDescriptorName= of the socket's unit; `unknown` where nothing names it.
};

/// The sockets that systemd, or who speaks its protocol (sd_listen_fds(3)), passed to this process: LISTEN_PID,
/// LISTEN_FDS and LISTEN_FDNAMES. They are given FD_CLOEXEC, so that no program that this one starts has them too. None
/// where the environment says nothing, means another process, or makes no sense. Reads the environment: not while
/// another thread changes it.
FAIRLEAD_DECL std::vector<inherited_socket> inherited_sockets();

}  // namespace fairlead::inline FAIRLEAD_ABI

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/net/server/impl/inherited_sockets.ipp>
#endif

#endif
