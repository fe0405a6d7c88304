#ifndef FAIRLEAD_NET_IMPL_RANDOM_IPP
#define FAIRLEAD_NET_IMPL_RANDOM_IPP

#include <fairlead/net/detail/random.hpp>
#include <fairlead/time.hpp>

#include <openssl/err.h>
#include <openssl/rand.h>

#include <system_error>

#include <unistd.h>

namespace fairlead::inline FAIRLEAD_ABI::detail {

FAIRLEAD_DECL void draw_random(std::span<std::byte> room) {
  if (RAND_bytes(reinterpret_cast<unsigned char*>(room.data()), static_cast<int>(room.size())) == 1) return;
  ERR_clear_error();  // the next who asks OpenSSL for its error is to hear its own
  throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again), "no random bytes");
}

FAIRLEAD_DECL std::uint64_t some_number() noexcept {
  std::uint64_t number = 0;
  try {
    draw_random(std::as_writable_bytes(std::span(&number, 1)));
  } catch (const std::exception&) {
    number = static_cast<std::uint64_t>(clock::now().time_since_epoch().count()) * 0x9E3779B97F4A7C15 +
             static_cast<std::uint64_t>(::getpid());
  }
  return number;
}

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#endif
