#ifndef FAIRLEAD_HANDSHAKE_IMPL_RESPONSE_IPP
#define FAIRLEAD_HANDSHAKE_IMPL_RESPONSE_IPP

#include <fairlead/handshake/response.hpp>

#include <fairlead/handshake/accept_key.hpp>
#include <fairlead/handshake/detail/sent_field.hpp>
#include <fairlead/handshake/http_field.hpp>
#include <fairlead/handshake/upgrade.hpp>

#include <algorithm>
#include <utility>

namespace fairlead::inline FAIRLEAD_ABI {
namespace detail {

constexpr bool has_content(http_status status) noexcept {
  return status != http_status::switching_protocols && status != http_status::no_content &&
         status != http_status::not_modified;
}

inline bool is_final_or_101(http_status status) noexcept {
  const auto number = static_cast<unsigned>(status);
  return status == http_status::switching_protocols || (number >= 200 && number <= 599);
}

inline bool may_send(const header_field& field, http_status status) noexcept {
  return is_sendable(field) &&
         (status == http_status::switching_protocols || !equals_ignoring_case(field.name, "Connection"));
}

inline bool may_send(const response& answer) noexcept {
  return is_final_or_101(answer.status) && (has_content(answer.status) || answer.body.empty()) &&
         std::all_of(answer.fields.begin(), answer.fields.end(),
                     [&](const header_field& field) { return may_send(field, answer.status); });
}

inline void append_framing(std::string& out, const response& answer) {
  if (has_content(answer.status)) append_field(out, "Content-Length", std::to_string(answer.body.size()));
  if (answer.status == http_status::switching_protocols) return;
  const bool names_protocols =
      std::any_of(answer.fields.begin(), answer.fields.end(),
                  [](const header_field& field) { return equals_ignoring_case(field.name, "Upgrade"); });
  // RFC 9110 section 7.8: whoever sends Upgrade must list it in Connection, for it concerns this hop alone.
  append_field(out, "Connection", names_protocols ? "close, Upgrade" : "close");
}

}  // namespace detail

FAIRLEAD_DECL encoded_response encode(const response& answer, bool head_only) {
  if (!detail::may_send(answer)) return {errc::bad_argument, {}};
  encoded_response encoded;
  std::string& out = encoded.bytes;
  out.append("HTTP/1.1 ").append(std::to_string(static_cast<unsigned>(answer.status)));
  out.append(" ").append(reason_phrase(answer.status)).append("\r\n");
  for (const header_field& field : answer.fields) detail::append_field(out, field.name, field.value);
  detail::append_framing(out, answer);
  out.append("\r\n");
  if (!head_only) out.append(answer.body);
  return encoded;
}

FAIRLEAD_DECL response upgrade_response(std::string_view key, std::string_view subprotocol) {
  response answer;
  answer.status = http_status::switching_protocols;
  answer.add("Upgrade", "websocket")
      .add("Connection", "Upgrade")
      .add("Sec-WebSocket-Accept", accept_key(key));
  if (!subprotocol.empty()) answer.add("Sec-WebSocket-Protocol", std::string(subprotocol));
  return answer;
}

FAIRLEAD_DECL response error_response(errc error) {
  response answer = text_response(status_of(error), make_error_code(error).message() + "\n");
  if (answer.status == http_status::method_not_allowed) answer.add("Allow", "GET");
  if (answer.status == http_status::upgrade_required) answer.add("Upgrade", "websocket");
  if (error == errc::bad_websocket_version)
    answer.add("Sec-WebSocket-Version", std::string(websocket_version));
  return answer;
}

FAIRLEAD_DECL response text_response(http_status status, std::string body, std::string content_type) {
  response answer;
  answer.status = status;
  answer.body = std::move(body);
  answer.add("Content-Type", std::move(content_type));
  return answer;
}

}  // namespace fairlead::inline FAIRLEAD_ABI

#endif
