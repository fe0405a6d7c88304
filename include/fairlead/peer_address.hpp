#ifndef FAIRLEAD_PEER_ADDRESS_HPP
#define FAIRLEAD_PEER_ADDRESS_HPP

#include <fairlead/config.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace fairlead::inline FAIRLEAD_ABI {

/// Where a peer is, as far as its transport tells.
struct peer_address {
  enum class kind : unsigned char {
    unknown,  ///< A link in memory, or one of the user's own.
    local,    ///< A local socket, which has no address of its peer.
    ipv4,     ///< The first four of `bytes`.
    ipv6,
  };

  std::array<std::byte, 16> bytes{};  ///< In network order; those not used are zero.
  std::uint16_t port = 0;
  kind family = kind::unknown;

  friend bool operator==(const peer_address&, const peer_address&) = default;
};

/// Such as `192.0.2.1:4711`, `[2001:db8::1]:4711`, `local` or `unknown`.
FAIRLEAD_DECL std::string to_string(const peer_address& a);

}  // namespace fairlead::inline FAIRLEAD_ABI

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/impl/peer_address.ipp>
#endif

#endif
