#ifndef FAIRLEAD_PEER_ADDRESS_HPP
#define FAIRLEAD_PEER_ADDRESS_HPP

#include <fairlead/config.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

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

/// Reads an address as proxies write it: `192.0.2.1`, `2001:db8::1` or `[2001:db8::1]`, and the first and the
/// last with `:4711` behind. Without a port it is 0. An IPv4 address inside IPv6 (`::ffff:192.0.2.1`) is the IPv4
/// address.
///
/// Strict, since it decides about trust: decimal numbers of four parts without leading zeros, no zone, no white
/// space, no names. Nothing for any other text, whatever its bytes and size.
FAIRLEAD_DECL std::optional<peer_address> parse_address(std::string_view text) noexcept;

/// The IPv4 address, when `a` is one inside IPv6 (`::ffff:192.0.2.1`, RFC 4291 section 2.5.5.2): so a socket for
/// both families calls its IPv4 peers. Any other address as it is.
FAIRLEAD_DECL peer_address unmapped(const peer_address& a) noexcept;

namespace detail {

/// parse_address() of an address alone, with neither brackets nor port.
FAIRLEAD_DECL std::optional<peer_address> parse_bare_address(std::string_view text) noexcept;

/// A decimal number without leading zeros.
FAIRLEAD_DECL std::optional<unsigned> parse_number(std::string_view text, unsigned most) noexcept;

}  // namespace detail

}  // namespace fairlead::inline FAIRLEAD_ABI

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/impl/peer_address.ipp>
#endif

#endif
