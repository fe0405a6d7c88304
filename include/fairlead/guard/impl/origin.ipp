#ifndef FAIRLEAD_GUARD_IMPL_ORIGIN_IPP
#define FAIRLEAD_GUARD_IMPL_ORIGIN_IPP

#include <fairlead/guard/detail/origin.hpp>

#include <fairlead/handshake/detail/ascii.hpp>
#include <fairlead/handshake/detail/host.hpp>
#include <fairlead/handshake/url.hpp>
#include <fairlead/peer_address.hpp>

#include <algorithm>
#include <stdexcept>

namespace fairlead::inline FAIRLEAD_ABI::detail {

inline constexpr std::string_view scheme_end = "://";

/// RFC 3986 section 3.1, of text in lower case.
inline bool is_scheme(std::string_view text) noexcept {
  const auto is_letter = [](char c) { return c >= 'a' && c <= 'z'; };
  if (text.empty() || !is_letter(text.front())) return false;
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return is_letter(c) || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
  });
}

inline std::uint16_t port_of_scheme(std::string_view scheme) noexcept {
  if (scheme == "http") return default_port;
  if (scheme == "https") return default_secure_port;
  return 0;
}

/// `[...]`, which is_host() took. An IPv4 address inside stays there: browsers tell the two apart.
inline std::string canonical_ipv6(std::string_view bracketed) {
  const auto address = parse_bare_address(bracketed.substr(1, bracketed.size() - 2));
  if (!address) return {};
  std::string text = to_string(*address);
  text.resize(text.rfind(':'));
  return address->family == peer_address::kind::ipv6 ? text
                                                     : std::string("[::ffff:").append(text).append("]");
}

/// Also of an empty name.
inline bool has_empty_label(std::string_view host) noexcept {
  return host.empty() || host.starts_with('.') || host.ends_with('.') ||
         host.find("..") != std::string_view::npos;
}

FAIRLEAD_DECL std::optional<web_origin> parse_origin(std::string_view text) {
  if (text.size() > max_origin_size) return std::nullopt;
  const std::size_t end = text.find(scheme_end);
  if (end == std::string_view::npos) return std::nullopt;
  web_origin origin;
  origin.scheme = to_lower(std::string(text.substr(0, end)));
  const std::string_view authority = text.substr(end + scheme_end.size());
  if (!is_scheme(origin.scheme) || !is_host(authority)) return std::nullopt;
  const bool is_ipv6 = authority.starts_with('[');
  const std::size_t host_size =
      is_ipv6 ? authority.find(']') + 1 : std::min(authority.find(':'), authority.size());
  std::string_view host = authority.substr(0, host_size);
  if (host.ends_with('.')) host.remove_suffix(1);
  origin.host = is_ipv6 ? canonical_ipv6(host) : to_lower(std::string(host));
  if (has_empty_label(origin.host)) return std::nullopt;
  origin.port = port_of_scheme(origin.scheme);
  if (host_size == authority.size()) return origin;
  unsigned port = 0;
  for (const char c : authority.substr(host_size + 1)) port = port * 10 + static_cast<unsigned>(c - '0');
  if (port == 0) return std::nullopt;
  origin.port = static_cast<std::uint16_t>(port);
  return origin;
}

FAIRLEAD_DECL std::optional<web_origin> server_origin(std::string_view host, bool secure) {
  if (host.size() > max_origin_size) return std::nullopt;
  return parse_origin(std::string(secure ? "https" : "http").append(scheme_end).append(host));
}

FAIRLEAD_DECL std::string to_string(const web_origin& origin) {
  std::string text = origin.scheme;
  text.append(scheme_end).append(origin.host);
  if (origin.port != port_of_scheme(origin.scheme)) text.append(":").append(std::to_string(origin.port));
  return text;
}

/// A name whose last label is a number is an IPv4 address, or meant to be one: no label stands before it.
inline bool may_have_labels_before(std::string_view host) noexcept {
  if (host.ends_with(']')) return false;
  const std::string_view last = host.substr(host.rfind('.') + 1);
  return last.find_first_not_of("0123456789") != std::string_view::npos;
}

FAIRLEAD_DECL void origin_list::add(std::string_view text) {
  if (text == "null") {
    has_null_ = true;
    return;
  }
  std::string without_star(text);
  const std::size_t star = text.find("://*.");
  if (star != std::string_view::npos) without_star.erase(star + scheme_end.size(), 2);
  auto origin = parse_origin(without_star);
  const bool is_valid = origin && (star == std::string_view::npos || may_have_labels_before(origin->host));
  if (!is_valid) {
    throw std::invalid_argument(
        std::string("not an origin such as https://example.com or https://*.example.com: '")
            .append(text)
            .append("'"));
  }
  (star == std::string_view::npos ? exact_ : parents_).push_back(std::move(*origin));
}

FAIRLEAD_DECL bool origin_list::contains(const web_origin& origin) const noexcept {
  if (std::find(exact_.begin(), exact_.end(), origin) != exact_.end()) return true;
  const std::size_t dot = origin.host.find('.');
  if (dot == std::string::npos) return false;
  const std::string_view parent = std::string_view(origin.host).substr(dot + 1);
  return std::any_of(parents_.begin(), parents_.end(), [&](const web_origin& p) {
    return p.host == parent && p.scheme == origin.scheme && p.port == origin.port;
  });
}

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#endif
