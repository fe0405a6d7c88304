#ifndef FAIRLEAD_NET_LINK_LINK_KIND_HPP
#define FAIRLEAD_NET_LINK_LINK_KIND_HPP

#include <fairlead/config.hpp>

namespace fairlead::inline FAIRLEAD_ABI {

/// What moves the bytes of connections.
enum class link_kind : unsigned char {
  epoll,  ///< One epoll set for each thread: the least memory and time. Linux.
  asio,   ///< Plain Asio sockets.
};

}  // namespace fairlead::inline FAIRLEAD_ABI

#endif
