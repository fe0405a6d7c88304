#ifndef FAIRLEAD_HANDSHAKE_DETAIL_PERCENT_ENCODING_HPP
#define FAIRLEAD_HANDSHAKE_DETAIL_PERCENT_ENCODING_HPP

#include <fairlead/config.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace fairlead::inline FAIRLEAD_ABI::detail {

/// How `+` is read: as itself in a path (RFC 3986), as a space in a query that a form wrote.
enum class plus_sign { is_itself, is_space };

/// Decodes each `%` and two hexadecimal digits (RFC 3986 section 2.1); nothing when a `%` lacks its digits.
FAIRLEAD_DECL std::optional<std::string> percent_decode(std::string_view text, plus_sign plus);

/// Says whether percent_decode() would succeed, without decoding.
FAIRLEAD_DECL bool is_percent_encoded(std::string_view text) noexcept;

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/handshake/impl/percent_encoding.ipp>
#endif

#endif
