#ifndef FAIRLEAD_WIRE_IMPL_CLOSE_CODE_HPP
#define FAIRLEAD_WIRE_IMPL_CLOSE_CODE_HPP

#include <fairlead/wire/close_code.hpp>

namespace fairlead::inline FAIRLEAD_ABI {

constexpr bool may_be_sent(close_code code) noexcept {
  const auto within = [code](close_code first, close_code last) { return first <= code && code <= last; };
  // 1004 is reserved; "1005 [...] MUST NOT be set as a status code in a Close control frame by an endpoint",
  // and so for 1006 and 1015 (RFC 6455 section 7.4.1).
  return within(close_code::normal, close_code::unsupported_data) ||
         within(close_code::invalid_payload, close_code::bad_gateway) ||
         within(first_registered_close_code, last_private_close_code);
}

constexpr std::string_view description(close_code code) noexcept {
  switch (code) {
    case close_code::normal: return "normal closure";
    case close_code::going_away: return "going away";
    case close_code::protocol_error: return "protocol error";
    case close_code::unsupported_data: return "unsupported data";
    case close_code::no_status: return "no status received";
    case close_code::abnormal: return "abnormal closure";
    case close_code::invalid_payload: return "invalid payload data";
    case close_code::policy_violation: return "policy violation";
    case close_code::message_too_big: return "message too big";
    case close_code::mandatory_extension: return "mandatory extension missing";
    case close_code::internal_error: return "internal error";
    case close_code::service_restart: return "service restart";
    case close_code::try_again_later: return "try again later";
    case close_code::bad_gateway: return "bad gateway";
    case close_code::tls_handshake: return "TLS handshake failed";
  }
  if (code < first_registered_close_code || code > last_private_close_code) return "unassigned close code";
  return code < first_private_close_code ? "registered close code" : "private close code";
}

}  // namespace fairlead

#endif
