#ifndef FAIRLEAD_NET_SERVER_IMPL_LISTENER_IPP
#define FAIRLEAD_NET_SERVER_IMPL_LISTENER_IPP

#include <fairlead/net/link/detail/socket.hpp>
#include <fairlead/net/link/epoll_set.hpp>
#include <fairlead/net/server/detail/listener.hpp>

#include <asio/error.hpp>

#include <utility>

#include <unistd.h>

namespace fairlead::inline FAIRLEAD_ABI::detail {

FAIRLEAD_DECL listener::listener(event_loop& loop, link_kind kind, int listening_socket,
                                 std::function<void(int)> on_accept)
    : loop_(loop), socket_(listening_socket), on_accept_(std::move(on_accept)) {
  if (kind == link_kind::asio) {
    plain_.emplace(loop_.executor(), socket_);
    wait();
    return;
  }
  auto& set = asio::use_service<epoll_set>(loop_.context());
  auto entry = std::make_unique<epoll_listener>(
      set, socket_, [this](int accepted) { on_accept_(accepted); }, [this] { rest(); });
  in_set_ = entry.get();
  set.add(std::move(entry));
  set.watch(*in_set_, EPOLLIN);
}

FAIRLEAD_DECL listener::~listener() {
  loop_.cancel(*this);
  if (in_set_ != nullptr) asio::use_service<epoll_set>(loop_.context()).remove(*in_set_);
  // Closed by Asio it would stay in the reactor's set for as long as another process has the socket.
  if (plain_) ::close(plain_->release());
}

FAIRLEAD_DECL void listener::accept_all() {
  // What a flood brings meanwhile is not waited for.
  constexpr int backlog_limit = 65'536;
  static_cast<void>(accept_waiting(socket_, backlog_limit, on_accept_));
}

FAIRLEAD_DECL void listener::wait() {
  plain_->async_wait(asio::posix::descriptor_base::wait_read, [this](std::error_code ec) {
    if (ec) return;  // it is being closed, and `this` is gone
    constexpr int accepts_a_turn = 64;
    if (accept_waiting(socket_, accepts_a_turn, on_accept_) == accepted::exhausted) return rest();
    wait();
  });
}

FAIRLEAD_DECL void listener::rest() { loop_.schedule_in(*this, accept_pause); }

FAIRLEAD_DECL void listener::on_timer(time_point) {
  if (in_set_ != nullptr) return in_set_->resume();
  wait();
}

}  // namespace fairlead

#endif
