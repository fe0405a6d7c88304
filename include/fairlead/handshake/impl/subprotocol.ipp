#ifndef FAIRLEAD_HANDSHAKE_IMPL_SUBPROTOCOL_IPP
#define FAIRLEAD_HANDSHAKE_IMPL_SUBPROTOCOL_IPP

#include <fairlead/handshake/subprotocol.hpp>

#include <algorithm>
#include <utility>

namespace fairlead::inline FAIRLEAD_ABI {
namespace detail {

// Sorted rather than compared in pairs: the peer decides how many there are.
FAIRLEAD_DECL bool are_different_tokens(std::vector<std::string_view> names) {
  if (!std::all_of(names.begin(), names.end(), is_token)) return false;
  std::sort(names.begin(), names.end());
  return std::adjacent_find(names.begin(), names.end()) == names.end();
}

}  // namespace detail

FAIRLEAD_DECL subprotocol_offer parse_subprotocols(std::span<const http_field> fields) {
  std::vector<std::string_view> names;
  for (const http_field& field : fields) {
    if (!equals_ignoring_case(field.name, "Sec-WebSocket-Protocol")) continue;
    for (const std::string_view name : field_elements(field.value)) names.push_back(name);
  }
  if (!detail::are_different_tokens(names)) return {errc::bad_subprotocol, {}};
  return {errc::ok, std::move(names)};
}

FAIRLEAD_DECL std::optional<std::string_view> choose_subprotocol(
    std::span<const std::string_view> offered, std::span<const std::string> supported) noexcept {
  for (const std::string& name : supported) {
    if (std::find(offered.begin(), offered.end(), name) != offered.end()) return name;
  }
  return std::nullopt;
}

}  // namespace fairlead::inline FAIRLEAD_ABI

#endif
