#ifndef FAIRLEAD_NET_EPOLL_LISTENER_HPP
#define FAIRLEAD_NET_EPOLL_LISTENER_HPP

#include <fairlead/config.hpp>
#include <fairlead/net/epoll_set.hpp>

#include <cstdint>
#include <functional>

namespace fairlead::inline FAIRLEAD_ABI {

/// Accepts connections in an epoll set. When the process runs out of descriptors it stops listening until resume().
class epoll_listener final : public detail::epoll_entry {
 public:
  /// \param on_accept     Gets each accepted, non-blocking socket and owns it.
  /// \param on_exhausted  Is told that accepting has stopped for want of descriptors or memory.
  epoll_listener(epoll_set& set, int listening_socket, std::function<void(int)> on_accept,
                 std::function<void()> on_exhausted);

  void resume();

 private:
  void on_ready(std::uint32_t events) override;

  static constexpr int accepts_a_turn = 64;

  epoll_set& set_;
  std::function<void(int)> on_accept_;
  std::function<void()> on_exhausted_;
};

}  // namespace fairlead

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/net/impl/epoll_listener.ipp>
#endif

#endif
