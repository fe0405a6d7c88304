#ifndef FAIRLEAD_HANDSHAKE_EXTENSION_HPP
#define FAIRLEAD_HANDSHAKE_EXTENSION_HPP

#include <fairlead/config.hpp>
#include <fairlead/errc.hpp>
#include <fairlead/handshake/http_field.hpp>

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fairlead::inline FAIRLEAD_ABI {

/// One parameter of an extension: `name` or `name=value`. What it means is the extension's business.
struct extension_param {
  std::string_view name;             ///< A token, as the peer wrote it; a view of the field.
  std::optional<std::string> value;  ///< A token too, without the quotes and backslashes it came in.

  friend bool operator==(const extension_param&, const extension_param&) = default;
};

/// One element of Sec-WebSocket-Extensions: an offer in a request, an agreement in a response.
struct extension {
  std::string_view name;                ///< A token, as the peer wrote it; a view of the field.
  std::vector<extension_param> params;  ///< In the peer's order; a name may be there more than once.

  friend bool operator==(const extension&, const extension&) = default;
};

/// The extensions that a peer names, in its order of preference. A name may be there more than once: that is
/// how a client offers the same extension with other parameters (RFC 7692 section 5).
struct extension_list {
  errc error = errc::ok;              ///< `ok` or errc::bad_extensions.
  std::vector<extension> extensions;  ///< Views of the fields; empty after an error.
};

/// Reads every Sec-WebSocket-Extensions among `fields` as one list (RFC 6455 sections 9.1 and 11.3.2). None
/// at all is an empty list; one that is there must name an extension. White space may stand between any two
/// parts, and empty elements count for nothing (RFC 2616 section 2.1, which RFC 6455 builds on).
///
/// Linear in the size of the fields, in time and in memory: at most 60 bytes for each of theirs, for a list
/// of parameters of one letter, and held no longer than the list.
FAIRLEAD_DECL extension_list parse_extensions(std::span<const http_field> fields);

}  // namespace fairlead::inline FAIRLEAD_ABI

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/handshake/impl/extension.ipp>
#endif

#endif
