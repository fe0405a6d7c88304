#ifndef FAIRLEAD_NET_SERVER_DETAIL_LISTENER_HPP
#define FAIRLEAD_NET_SERVER_DETAIL_LISTENER_HPP

#include <fairlead/config.hpp>
#include <fairlead/net/detail/asio_configuration.hpp>
#include <fairlead/net/link/epoll_listener.hpp>
#include <fairlead/net/link/link_kind.hpp>
#include <fairlead/net/session/detail/event_loop.hpp>

#include <asio/posix/stream_descriptor.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>

namespace fairlead::inline FAIRLEAD_ABI::detail {

/// Accepts connections on a listening socket, for as long as it lives. On the loop's thread.
class listener final : private wheel_timer {
 public:
  /// \param listening_socket  Non-blocking; taken over.
  /// \param on_accept         Gets each accepted, non-blocking socket and owns it.
  listener(event_loop& loop, link_kind kind, int listening_socket, std::function<void(int)> on_accept);
  listener(const listener&) = delete;
  listener& operator=(const listener&) = delete;

  /// Closes the socket: what nobody accepted is reset, unless another process has the socket too.
  ~listener();

  int socket() const noexcept { return socket_; }

  /// Accepts all that waits.
  void accept_all();

 private:
  void wait();
  void rest();
  void on_timer(time_point) override;

  // Out of descriptors or memory the next attempt comes this much later.
  static constexpr auto accept_pause = std::chrono::milliseconds(200);

  event_loop& loop_;
  const int socket_;
  std::function<void(int)> on_accept_;
  epoll_listener* in_set_ = nullptr;                     // owned by the set, with the socket
  std::optional<asio::posix::stream_descriptor> plain_;  // owns the socket otherwise
};

}  // namespace fairlead

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/net/server/impl/listener.ipp>
#endif

#endif
