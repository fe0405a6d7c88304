#ifndef FAIRLEAD_GUARD_IMPL_IP_NETWORK_IPP
#define FAIRLEAD_GUARD_IMPL_IP_NETWORK_IPP

#include <fairlead/guard/ip_network.hpp>

#include <fairlead/guard/detail/address_bits.hpp>

#include <algorithm>
#include <cstddef>
#include <stdexcept>
#include <string>

namespace fairlead::inline FAIRLEAD_ABI {
namespace detail {

inline ip_network require_network(std::string_view text) {
  if (const auto network = ip_network::parse(text)) return *network;
  throw std::invalid_argument(std::string("not a block of addresses: '").append(text).append("'"));
}

}  // namespace detail

FAIRLEAD_DECL ip_network::ip_network(std::string_view text) : ip_network(detail::require_network(text)) {}

FAIRLEAD_DECL std::optional<ip_network> ip_network::parse(std::string_view text) noexcept {
  constexpr unsigned ipv4_bits = 32;
  constexpr unsigned ipv6_bits = 128;
  const std::size_t slash = std::min(text.find('/'), text.size());
  const auto base = detail::parse_bare_address(text.substr(0, slash));
  if (!base) return std::nullopt;
  const bool is_written_as_ipv6 = text.find(':') != std::string_view::npos;
  const unsigned bits = is_written_as_ipv6 ? ipv6_bits : ipv4_bits;
  const auto written = slash == text.size() ? std::optional<unsigned>(bits)
                                            : detail::parse_number(text.substr(slash + 1), bits);
  if (!written) return std::nullopt;
  unsigned prefix = *written;
  if (is_written_as_ipv6 && base->family == peer_address::kind::ipv4) {
    // A shorter one would have set bits of `::ffff:` behind its prefix.
    if (prefix < ipv6_bits - ipv4_bits) return std::nullopt;
    prefix -= ipv6_bits - ipv4_bits;
  }
  peer_address cut = *base;
  detail::keep_bits(cut, prefix);
  if (cut != *base) return std::nullopt;
  return ip_network(cut, prefix);
}

FAIRLEAD_DECL bool ip_network::contains(const peer_address& address) const noexcept {
  peer_address cut = unmapped(address);
  cut.port = 0;
  detail::keep_bits(cut, prefix_);
  return cut == base_;
}

}  // namespace fairlead::inline FAIRLEAD_ABI

#endif
