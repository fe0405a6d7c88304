#ifndef FAIRLEAD_HANDSHAKE_IMPL_CLIENT_RESPONSE_IPP
#define FAIRLEAD_HANDSHAKE_IMPL_CLIENT_RESPONSE_IPP

#include <fairlead/handshake/client_response.hpp>

#include <fairlead/errc.hpp>
#include <fairlead/handshake/accept_key.hpp>
#include <fairlead/handshake/extension.hpp>

#include <algorithm>

namespace fairlead::inline FAIRLEAD_ABI {
namespace detail {

/// The value of a field that must not be there twice, empty if it is not there; nothing if it is.
inline std::optional<std::string_view> field_at_most_once(const response_head& head,
                                                          std::string_view name) noexcept {
  if (head.count(name) > 1) return std::nullopt;
  return head.field(name).value_or(std::string_view());
}

/// RFC 6455 section 4.1, items 1 to 4 of what the client must validate in the server's response.
inline std::error_code upgrade_fault(const response_head& head, std::string_view key) {
  if (head.status() == http_status{}) return errc::upgrade_missing;
  if (head.status() != http_status::switching_protocols) return head.status();
  const std::optional<std::string_view> protocol = field_at_most_once(head, "Upgrade");
  if (!protocol || !equals_ignoring_case(*protocol, "websocket") ||
      !field_lists_token(head.fields(), "Connection", "upgrade")) {
    return errc::upgrade_missing;
  }
  return field_at_most_once(head, "Sec-WebSocket-Accept") == accept_key(key) ? errc::ok
                                                                             : errc::bad_accept_key;
}

/// RFC 6455 section 4.1, item 6: "If the response includes a |Sec-WebSocket-Protocol| header field and this
/// header field indicates the use of a subprotocol that was not present in the client's handshake (the
/// server has indicated a subprotocol not requested by the client), the client MUST _Fail the WebSocket
/// Connection_."
inline bool was_offered(std::string_view name, std::span<const std::string> offered) noexcept {
  return std::find(offered.begin(), offered.end(), name) != offered.end();
}

}  // namespace detail

FAIRLEAD_DECL upgrade_agreement check_upgrade_response(const response_head& head, const upgrade_offer& offer,
                                                       const deflate_options& options) {
  const std::error_code fault = detail::upgrade_fault(head, offer.key);
  if (fault) return {fault, {}, {}};
  const extension_list extensions = parse_extensions(head.fields());
  if (extensions.error != errc::ok) return {extensions.error, {}, {}};
  const deflate_agreement deflate = check_deflate_response(extensions.extensions, options);
  if (deflate.error != errc::ok) return {deflate.error, {}, {}};
  constexpr std::string_view subprotocol_field = "Sec-WebSocket-Protocol";
  if (head.count(subprotocol_field) == 0) return {{}, {}, deflate.params};
  const std::optional<std::string_view> subprotocol = detail::field_at_most_once(head, subprotocol_field);
  if (!subprotocol || !detail::was_offered(*subprotocol, offer.subprotocols)) {
    return {errc::bad_subprotocol, {}, {}};
  }
  return {{}, *subprotocol, deflate.params};
}

}  // namespace fairlead::inline FAIRLEAD_ABI

#endif
