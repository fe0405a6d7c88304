#ifndef FAIRLEAD_HANDSHAKE_IMPL_SENT_FIELD_IPP
#define FAIRLEAD_HANDSHAKE_IMPL_SENT_FIELD_IPP

#include <fairlead/handshake/detail/sent_field.hpp>

namespace fairlead::inline FAIRLEAD_ABI::detail {

FAIRLEAD_DECL bool is_sendable(const header_field& field) noexcept {
  return is_token(field.name) && is_field_value(field.value) &&
         !equals_ignoring_case(field.name, "Content-Length") &&
         !equals_ignoring_case(field.name, "Transfer-Encoding");
}

FAIRLEAD_DECL void append_field(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ").append(value).append("\r\n");
}

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#endif
