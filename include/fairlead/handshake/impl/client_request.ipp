#ifndef FAIRLEAD_HANDSHAKE_IMPL_CLIENT_REQUEST_IPP
#define FAIRLEAD_HANDSHAKE_IMPL_CLIENT_REQUEST_IPP

#include <fairlead/handshake/client_request.hpp>

#include <fairlead/handshake/accept_key.hpp>
#include <fairlead/handshake/detail/host.hpp>
#include <fairlead/handshake/detail/request_head.hpp>
#include <fairlead/handshake/detail/sent_field.hpp>
#include <fairlead/handshake/subprotocol.hpp>
#include <fairlead/handshake/upgrade.hpp>

#include <algorithm>
#include <cstddef>
#include <vector>

namespace fairlead::inline FAIRLEAD_ABI {
namespace detail {

/// Says whether an application may add this field to a request: it is none of those that decide what is
/// asked for.
inline bool may_add(const header_field& field) noexcept {
  constexpr std::string_view handshake_prefix = "Sec-WebSocket-";
  const std::string_view name = field.name;
  return is_sendable(field) && !equals_ignoring_case(name, "Host") &&
         !equals_ignoring_case(name, "Upgrade") && !equals_ignoring_case(name, "Connection") &&
         !equals_ignoring_case(name.substr(0, handshake_prefix.size()), handshake_prefix);
}

inline bool may_add(std::span<const header_field> fields) noexcept {
  return std::all_of(fields.begin(), fields.end(), [](const header_field& field) { return may_add(field); });
}

inline bool may_send(const upgrade_offer& offer) {
  return is_origin_form(offer.target) && is_host(offer.host) && is_websocket_key(offer.key) &&
         are_different_tokens({offer.subprotocols.begin(), offer.subprotocols.end()}) &&
         is_field_value(offer.extensions) && may_add(offer.fields);
}

/// Says whether a valid host ends in a port other than 0.
inline bool names_port(std::string_view host) noexcept {
  const std::size_t colon = host.rfind(':');
  return colon != std::string_view::npos && host.find(']', colon) == std::string_view::npos &&
         host.find_first_not_of('0', colon + 1) != std::string_view::npos;
}

inline void append_fields(std::string& out, std::span<const header_field> fields) {
  for (const header_field& field : fields) append_field(out, field.name, field.value);
}

inline void append_subprotocols(std::string& out, std::span<const std::string> names) {
  if (names.empty()) return;
  std::string list;
  for (const std::string& name : names) list.append(list.empty() ? "" : ", ").append(name);
  append_field(out, "Sec-WebSocket-Protocol", list);
}

}  // namespace detail

FAIRLEAD_DECL encoded_request encode_upgrade_request(const upgrade_offer& offer) {
  if (!detail::may_send(offer)) return {errc::bad_argument, {}};
  encoded_request encoded;
  std::string& out = encoded.bytes;
  out.append("GET ").append(offer.target).append(" HTTP/1.1\r\n");
  detail::append_field(out, "Host", offer.host);
  detail::append_field(out, "Upgrade", "websocket");
  detail::append_field(out, "Connection", "Upgrade");
  detail::append_field(out, "Sec-WebSocket-Key", offer.key);
  detail::append_field(out, "Sec-WebSocket-Version", websocket_version);
  detail::append_subprotocols(out, offer.subprotocols);
  if (!offer.extensions.empty()) detail::append_field(out, "Sec-WebSocket-Extensions", offer.extensions);
  detail::append_fields(out, offer.fields);
  out.append("\r\n");
  return encoded;
}

FAIRLEAD_DECL encoded_request encode_connect_request(std::string_view authority,
                                                     std::span<const header_field> fields) {
  // RFC 9110 section 9.3.6: "There is no default port; a client MUST send the port number".
  if (!detail::is_host(authority) || !detail::names_port(authority) || !detail::may_add(fields)) {
    return {errc::bad_argument, {}};
  }
  encoded_request encoded;
  encoded.bytes.append("CONNECT ").append(authority).append(" HTTP/1.1\r\n");
  detail::append_field(encoded.bytes, "Host", authority);
  detail::append_fields(encoded.bytes, fields);
  encoded.bytes.append("\r\n");
  return encoded;
}

}  // namespace fairlead::inline FAIRLEAD_ABI

#endif
