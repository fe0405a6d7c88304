#ifndef FAIRLEAD_GUARD_IMPL_TRUSTED_PROXIES_IPP
#define FAIRLEAD_GUARD_IMPL_TRUSTED_PROXIES_IPP

#include <fairlead/guard/trusted_proxies.hpp>

#include <fairlead/guard/detail/forwarded.hpp>

#include <algorithm>
#include <array>

namespace fairlead::inline FAIRLEAD_ABI {
namespace detail {

inline bool is_secure_scheme(std::string_view text) noexcept {
  return equals_ignoring_case(text, "https") || equals_ignoring_case(text, "wss");
}

/// All values, since any of them may be the client's own; nothing if there is none.
inline bool read_forwarded_proto(std::span<const http_field> fields, bool otherwise) noexcept {
  constexpr std::string_view name = "X-Forwarded-Proto";
  if (count_fields(fields, name) == 0) return otherwise;
  for (const http_field& field : fields) {
    if (!equals_ignoring_case(field.name, name)) continue;
    for (const std::string_view element : field_elements(field.value)) {
      if (!is_secure_scheme(element)) return false;
    }
  }
  return true;
}

}  // namespace detail

FAIRLEAD_DECL trusted_proxies& trusted_proxies::trust(std::string_view network) {
  networks_.emplace_back(network);
  return *this;
}

FAIRLEAD_DECL bool trusted_proxies::trusts(const peer_address& address) const noexcept {
  if (address.family == peer_address::kind::local) return trusts_local_sockets_;
  return std::any_of(networks_.begin(), networks_.end(),
                     [&](const ip_network& network) { return network.contains(address); });
}

/// Takes what a trusted one wrote for the client's address. Says whether that is trusted again, so that there
/// may be more to follow.
FAIRLEAD_DECL bool trusted_proxies::believe(std::string_view text, client_side& client) const noexcept {
  const auto address = parse_address(text);
  if (!address) return false;
  client.address = *address;
  return trusts(*address);
}

FAIRLEAD_DECL void trusted_proxies::follow_list(std::span<const http_field> fields,
                                                client_side& client) const noexcept {
  std::size_t hops = 0;
  for (std::size_t i = fields.size(); i-- > 0;) {
    if (!equals_ignoring_case(fields[i].name, "X-Forwarded-For")) continue;
    std::string_view rest = fields[i].value;
    while (true) {
      const std::size_t comma = rest.rfind(',');
      const bool is_first = comma == std::string_view::npos;
      const std::string_view entry = trim_white_space(is_first ? rest : rest.substr(comma + 1));
      if (hops++ == max_hops || !believe(entry, client)) return;
      if (is_first) break;
      rest = rest.substr(0, comma);
    }
  }
}

FAIRLEAD_DECL void trusted_proxies::follow_forwarded(std::span<const http_field> fields,
                                                     client_side& client) const noexcept {
  std::array<detail::forwarded_element, max_hops> last;
  std::size_t hops = 0;
  for (std::size_t i = fields.size(); i-- > 0;) {
    if (!equals_ignoring_case(fields[i].name, "Forwarded")) continue;
    const std::size_t count = detail::read_forwarded(fields[i].value, last);
    if (count == 0) return;
    for (std::size_t n = count; n-- > 0;) {
      if (hops++ == max_hops) return;
      const detail::forwarded_element& element = last[n % last.size()];
      if (!element.proto.empty()) client.secure = detail::is_secure_scheme(element.proto);
      if (!believe(element.node, client)) return;
    }
  }
}

FAIRLEAD_DECL client_side trusted_proxies::client_of(const peer_address& peer, bool secure,
                                                     std::span<const http_field> fields) const noexcept {
  client_side client{peer, secure};
  if (!trusts(peer)) return client;
  switch (header_) {
    case forwarded_header::forwarded: follow_forwarded(fields, client); return client;
    case forwarded_header::x_forwarded_for: follow_list(fields, client); break;
    case forwarded_header::x_real_ip:
      if (count_fields(fields, "X-Real-IP") == 1) believe(*find_field(fields, "X-Real-IP"), client);
      break;
  }
  client.secure = detail::read_forwarded_proto(fields, secure);
  return client;
}

}  // namespace fairlead::inline FAIRLEAD_ABI

#endif
