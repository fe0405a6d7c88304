#ifndef FAIRLEAD_HANDSHAKE_IMPL_UPGRADE_IPP
#define FAIRLEAD_HANDSHAKE_IMPL_UPGRADE_IPP

#include <fairlead/handshake/upgrade.hpp>

#include <fairlead/handshake/accept_key.hpp>
#include <fairlead/handshake/subprotocol.hpp>

#include <optional>
#include <utility>

namespace fairlead::inline FAIRLEAD_ABI {
namespace detail {

/// The value of a field that must be there exactly once.
inline std::optional<std::string_view> only_field(const request& head, std::string_view name) noexcept {
  return head.count(name) == 1 ? head.field(name) : std::nullopt;
}

/// RFC 6455 section 4.2.1, items 1 to 6.
inline errc upgrade_fault(const request& head) noexcept {
  if (head.method() != "GET") return errc::method_not_allowed;
  if (!wants_upgrade(head) || !field_lists_token(head.fields(), "Connection", "upgrade")) {
    return errc::upgrade_missing;
  }
  if (only_field(head, "Sec-WebSocket-Version") != websocket_version) return errc::bad_websocket_version;
  const std::optional<std::string_view> key = only_field(head, "Sec-WebSocket-Key");
  return key && is_websocket_key(*key) ? errc::ok : errc::bad_websocket_key;
}

}  // namespace detail

FAIRLEAD_DECL bool wants_upgrade(const request& head) noexcept {
  return field_lists_token(head.fields(), "Upgrade", "websocket");
}

FAIRLEAD_DECL upgrade_request check_upgrade(const request& head) {
  const errc fault = detail::upgrade_fault(head);
  if (fault != errc::ok) return {fault, {}, {}, {}};
  subprotocol_offer subprotocols = parse_subprotocols(head.fields());
  if (subprotocols.error != errc::ok) return {subprotocols.error, {}, {}, {}};
  extension_list offered = parse_extensions(head.fields());
  if (offered.error != errc::ok) return {offered.error, {}, {}, {}};
  return {errc::ok, *head.field("Sec-WebSocket-Key"), std::move(subprotocols.names),
          std::move(offered.extensions)};
}

}  // namespace fairlead::inline FAIRLEAD_ABI

#endif
