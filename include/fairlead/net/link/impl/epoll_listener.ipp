#ifndef FAIRLEAD_NET_LINK_IMPL_EPOLL_LISTENER_IPP
#define FAIRLEAD_NET_LINK_IMPL_EPOLL_LISTENER_IPP

#include <fairlead/net/link/detail/socket.hpp>
#include <fairlead/net/link/epoll_listener.hpp>

#include <utility>

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
  if (detail::accept_waiting(descriptor_, accepts_a_turn, on_accept_) != detail::accepted::exhausted) return;
  set_.ignore(*this);
  on_exhausted_();
}

}  // namespace fairlead

#endif
