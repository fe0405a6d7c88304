#ifndef FAIRLEAD_HANDSHAKE_DETAIL_SENT_FIELD_HPP
#define FAIRLEAD_HANDSHAKE_DETAIL_SENT_FIELD_HPP

#include <fairlead/config.hpp>
#include <fairlead/handshake/http_field.hpp>

#include <string>
#include <string_view>

namespace fairlead::inline FAIRLEAD_ABI::detail {

/// Says whether an application's field may be sent at all: it can end neither its line nor its message early.
FAIRLEAD_DECL bool is_sendable(const header_field& field) noexcept;

/// Writes the line of a field that may be sent.
FAIRLEAD_DECL void append_field(std::string& out, std::string_view name, std::string_view value);

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/handshake/impl/sent_field.ipp>
#endif

#endif
