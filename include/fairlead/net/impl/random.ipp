#ifndef FAIRLEAD_NET_IMPL_RANDOM_IPP
#define FAIRLEAD_NET_IMPL_RANDOM_IPP

#include <fairlead/net/detail/random.hpp>

#include <openssl/err.h>
#include <openssl/rand.h>

#include <system_error>

namespace fairlead::inline FAIRLEAD_ABI::detail {

FAIRLEAD_DECL void draw_random(std::span<std::byte> room) {
  if (RAND_bytes(reinterpret_cast<unsigned char*>(room.data()), static_cast<int>(room.size())) == 1) return;
  ERR_clear_error();  // the next who asks OpenSSL for its error is to hear its own
  throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again), "no random bytes");
}

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#endif
