#ifndef FAIRLEAD_NET_LINK_IMPL_EPOLL_LISTENER_IPP
#define FAIRLEAD_NET_LINK_IMPL_EPOLL_LISTENER_IPP

#include <fairlead/net/link/epoll_listener.hpp>

#include <cerrno>
#include <utility>

#include <sys/socket.h>

namespace fairlead::inline FAIRLEAD_ABI {

FAIRLEAD_DECL epoll_listener::epoll_listener(epoll_set& set, int listening_socket,
                                             std::function<void(int)> on_accept,
                                             std::function<void()> on_exhausted)
    : epoll_entry(listening_socket),
      set_(set),
      on_accept_(std::move(on_accept)),
      on_exhausted_(std::move(on_exhausted)) {}

FAIRLEAD_DECL void epoll_listener::resume() { set_.watch(*this, EPOLLIN); }

FAIRLEAD_DECL void epoll_listener::on_ready(std::uint32_t) {
  for (int i = 0; i < accepts_a_turn; ++i) {
    const int socket = ::accept4(descriptor_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (socket >= 0) {
      on_accept_(socket);
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      // The connection stays in the backlog and would be reported without end.
      set_.ignore(*this);
      on_exhausted_();
      return;
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return;
    }  // otherwise that one connection died in the backlog
  }
}

}  // namespace fairlead

#endif
