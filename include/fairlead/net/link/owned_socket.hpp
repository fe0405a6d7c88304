#ifndef FAIRLEAD_NET_LINK_OWNED_SOCKET_HPP
#define FAIRLEAD_NET_LINK_OWNED_SOCKET_HPP

#include <fairlead/config.hpp>

#include <utility>

#include <unistd.h>

namespace fairlead::inline FAIRLEAD_ABI {

/// A socket, closed with its owner.
class owned_socket {
 public:
  owned_socket() noexcept = default;
  explicit owned_socket(int descriptor) noexcept : descriptor_(descriptor) {}
  owned_socket(owned_socket&& other) noexcept : descriptor_(other.release()) {}
  owned_socket& operator=(owned_socket other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~owned_socket() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }

  int get() const noexcept { return descriptor_; }  ///< -1 when it owns none.

  /// From now on it is the caller's to close.
  int release() noexcept { return std::exchange(descriptor_, -1); }

 private:
  int descriptor_ = -1;
};

}  // namespace fairlead::inline FAIRLEAD_ABI

#endif
