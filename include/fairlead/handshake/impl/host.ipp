#ifndef FAIRLEAD_HANDSHAKE_IMPL_HOST_IPP
#define FAIRLEAD_HANDSHAKE_IMPL_HOST_IPP

#include <fairlead/handshake/detail/host.hpp>

#include <algorithm>
#include <cstddef>

namespace fairlead::inline FAIRLEAD_ABI::detail {

inline constexpr std::string_view decimal_digits = "0123456789";
inline constexpr std::string_view hexadecimal_digits = "0123456789abcdefABCDEF";
inline constexpr std::string_view host_name_bytes =
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-._~";

inline bool consists_of(std::string_view text, std::string_view allowed) noexcept {
  return text.find_first_not_of(allowed) == std::string_view::npos;
}

/// A decimal number of at most `max_digits` digits and at most `max`.
inline bool is_number_up_to(std::string_view text, std::size_t max_digits, unsigned max) noexcept {
  if (text.empty() || text.size() > max_digits || !consists_of(text, decimal_digits)) return false;
  unsigned value = 0;
  for (const char c : text) value = value * 10 + static_cast<unsigned>(c - '0');
  return value <= max;
}

inline bool is_ipv4_address(std::string_view text) noexcept {
  if (std::count(text.begin(), text.end(), '.') != 3) return false;
  while (true) {
    const std::size_t dot = text.find('.');
    const std::string_view part = text.substr(0, dot);
    if (!is_number_up_to(part, 3, 255) || (part.size() > 1 && part.front() == '0')) return false;
    if (dot == std::string_view::npos) return true;
    text.remove_prefix(dot + 1);
  }
}

/// How many 16 bit groups `text` writes, separated by single colons and perhaps ending in an IPv4 address,
/// which counts two; -1 if it is nothing of that form. Empty text is no group.
inline int count_ipv6_groups(std::string_view text) noexcept {
  int groups = 0;
  while (!text.empty()) {
    const std::size_t colon = text.find(':');
    const std::string_view group = text.substr(0, colon);
    if (colon == std::string_view::npos && is_ipv4_address(group)) return groups + 2;
    if (group.empty() || group.size() > 4 || !consists_of(group, hexadecimal_digits)) return -1;
    ++groups;
    if (colon == std::string_view::npos) break;
    text.remove_prefix(colon + 1);
    if (text.empty()) return -1;
  }
  return groups;
}

FAIRLEAD_DECL bool is_ipv6_address(std::string_view text) noexcept {
  constexpr int all_groups = 8;
  const std::size_t gap = text.find("::");
  if (gap == std::string_view::npos) return count_ipv6_groups(text) == all_groups;
  const std::string_view before = text.substr(0, gap);
  // An IPv4 address can only be the last 32 bits.
  if (before.find('.') != std::string_view::npos) return false;
  const int front = count_ipv6_groups(before);
  const int back = count_ipv6_groups(text.substr(gap + 2));
  return front >= 0 && back >= 0 && front + back < all_groups;
}

FAIRLEAD_DECL bool is_host(std::string_view text) noexcept {
  std::size_t name_size = 0;
  if (text.starts_with('[')) {
    const std::size_t bracket = text.find(']');
    if (bracket == std::string_view::npos || !is_ipv6_address(text.substr(1, bracket - 1))) return false;
    name_size = bracket + 1;
  } else {
    name_size = std::min(text.find(':'), text.size());
    if (name_size == 0 || !consists_of(text.substr(0, name_size), host_name_bytes)) return false;
  }
  const std::string_view port = text.substr(name_size);
  return port.empty() || (port.front() == ':' && is_number_up_to(port.substr(1), 5, 65535));
}

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#endif
