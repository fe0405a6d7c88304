#ifndef FAIRLEAD_NET_SESSION_DETAIL_MASK_KEYS_HPP
#define FAIRLEAD_NET_SESSION_DETAIL_MASK_KEYS_HPP

#include <fairlead/config.hpp>
#include <fairlead/protocol/connection.hpp>

#include <array>
#include <cstddef>

namespace fairlead::inline FAIRLEAD_ABI::detail {

/// Keys from OpenSSL's random source, drawn many at once (RFC 6455 section 10.3). Not thread-safe. After a fork
/// parent and child have different keys.
class random_mask_keys final : public mask_key_source {
 public:
  /// Throws std::system_error when there is no randomness.
  FAIRLEAD_DECL mask_key next() override;

 private:
  std::array<mask_key, 256> keys_{};
  std::size_t left_ = 0;
  unsigned forks_ = 0;  // when they were drawn
};

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/net/session/impl/mask_keys.ipp>
#endif

#endif
