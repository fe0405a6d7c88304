#ifndef FAIRLEAD_GUARD_IP_NETWORK_HPP
#define FAIRLEAD_GUARD_IP_NETWORK_HPP

#include <fairlead/config.hpp>
#include <fairlead/peer_address.hpp>

#include <optional>
#include <string_view>

namespace fairlead::inline FAIRLEAD_ABI {

/// A block of addresses (RFC 4632 section 3.1, RFC 4291 section 2.3): `10.0.0.0/8`, `2001:db8::/32`, or one
/// address. IPv4 addresses inside IPv6 are IPv4 addresses here as everywhere: `::ffff:10.0.0.0/104` is
/// `10.0.0.0/8`, and `::/0` has no IPv4 address.
class ip_network {
 public:
  /// Throws std::invalid_argument, which names the text, for what parse() does not take.
  FAIRLEAD_DECL explicit ip_network(std::string_view text);

  /// Nothing for what is no block: also when bits behind the prefix are set, as in `10.0.0.1/8`, since then
  /// either the address or the prefix is not what was meant.
  FAIRLEAD_DECL static std::optional<ip_network> parse(std::string_view text) noexcept;

  /// Says whether the address is in the block, whatever its port. False for local and unknown ones.
  FAIRLEAD_DECL bool contains(const peer_address& address) const noexcept;

  friend bool operator==(const ip_network&, const ip_network&) = default;

 private:
  ip_network(const peer_address& base, unsigned prefix) noexcept : base_(base), prefix_(prefix) {}

  peer_address base_;
  unsigned prefix_;  // bits
};

}  // namespace fairlead::inline FAIRLEAD_ABI

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/guard/impl/ip_network.ipp>
#endif

#endif
