#ifndef FAIRLEAD_NET_LINK_EPOLL_LISTENER_HPP
#define FAIRLEAD_NET_LINK_EPOLL_LISTENER_HPP

#include <fairlead/config.hpp>
#include <fairlead/net/link/epoll_set.hpp>

#include <cstdint>
#include <functional>

namespace fairlead::inline FAIRLEAD_ABI {

/// Accepts connections in an epoll set: give it to epoll_set::add(), then watch() it for EPOLLIN. When the
/// process runs out of descriptors or memory it stops accepting until resume(). On the set's thread.
class epoll_listener final : public detail::epoll_entry {
 public:
  /// \param set               The one that the listener is given to.
  /// \param listening_socket  Non-blocking; taken over by the set with the listener.
  /// \param on_accept         Gets each accepted, non-blocking socket and owns it.
  /// \param on_exhausted      Is told that accepting has stopped for want of descriptors or memory.
  epoll_listener(epoll_set& set, int listening_socket, std::function<void(int)> on_accept,
                 std::function<void()> on_exhausted);

  /// Accepts again after on_exhausted(). Throws std::system_error when epoll refuses the descriptor.
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
#include <fairlead/net/link/impl/epoll_listener.ipp>
#endif

#endif
