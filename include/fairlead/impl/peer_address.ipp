#ifndef FAIRLEAD_IMPL_PEER_ADDRESS_IPP
#define FAIRLEAD_IMPL_PEER_ADDRESS_IPP

#include <fairlead/peer_address.hpp>

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <system_error>

namespace fairlead::inline FAIRLEAD_ABI {

FAIRLEAD_DECL std::string to_string(const peer_address& a) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  switch (a.family) {
    case peer_address::kind::unknown: return "unknown";
    case peer_address::kind::local: return "local";
    case peer_address::kind::ipv4:
      ::inet_ntop(AF_INET, a.bytes.data(), text.data(), text.size());
      return std::string(text.data()).append(":").append(std::to_string(a.port));
    case peer_address::kind::ipv6:
      ::inet_ntop(AF_INET6, a.bytes.data(), text.data(), text.size());
      return std::string("[").append(text.data()).append("]:").append(std::to_string(a.port));
  }
  return {};
}

FAIRLEAD_DECL peer_address unmapped(const peer_address& a) noexcept {
  constexpr std::array<std::byte, 12> mapping{std::byte{0}, std::byte{0}, std::byte{0},    std::byte{0},
                                              std::byte{0}, std::byte{0}, std::byte{0},    std::byte{0},
                                              std::byte{0}, std::byte{0}, std::byte{0xFF}, std::byte{0xFF}};
  if (a.family != peer_address::kind::ipv6) return a;
  if (!std::equal(mapping.begin(), mapping.end(), a.bytes.begin())) return a;
  peer_address inner;
  std::copy(a.bytes.begin() + mapping.size(), a.bytes.end(), inner.bytes.begin());
  inner.port = a.port;
  inner.family = peer_address::kind::ipv4;
  return inner;
}

namespace detail {

FAIRLEAD_DECL std::optional<unsigned> parse_number(std::string_view text, unsigned most) noexcept {
  unsigned value = 0;
  const char* const end = text.data() + text.size();
  const auto [last, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || last != end || value > most) return std::nullopt;
  if (text.size() > 1 && text.front() == '0') return std::nullopt;
  return value;
}

FAIRLEAD_DECL std::optional<peer_address> parse_bare_address(std::string_view text) noexcept {
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  if (text.size() >= terminated.size() || text.find('\0') != std::string_view::npos) return std::nullopt;
  std::copy(text.begin(), text.end(), terminated.begin());
  peer_address a;
  const bool is_ipv6 = text.find(':') != std::string_view::npos;
  if (::inet_pton(is_ipv6 ? AF_INET6 : AF_INET, terminated.data(), a.bytes.data()) != 1) return std::nullopt;
  a.family = is_ipv6 ? peer_address::kind::ipv6 : peer_address::kind::ipv4;
  return unmapped(a);
}

}  // namespace detail

FAIRLEAD_DECL std::optional<peer_address> parse_address(std::string_view text) noexcept {
  std::string_view host = text;
  std::string_view port;
  if (text.starts_with('[')) {
    const std::size_t bracket = text.find(']');
    if (bracket == std::string_view::npos) return std::nullopt;
    host = text.substr(1, bracket - 1);
    port = text.substr(bracket + 1);
    if (host.find(':') == std::string_view::npos) return std::nullopt;
  } else if (const std::size_t colon = text.find(':'); colon == text.rfind(':')) {
    host = text.substr(0, colon);
    port = text.substr(host.size());
  }
  std::optional<peer_address> a = detail::parse_bare_address(host);
  if (!a || port.empty()) return a;
  const auto number = detail::parse_number(port.substr(1), 65535);
  if (port.front() != ':' || !number) return std::nullopt;
  a->port = static_cast<std::uint16_t>(*number);
  return a;
}

}  // namespace fairlead::inline FAIRLEAD_ABI

#endif
