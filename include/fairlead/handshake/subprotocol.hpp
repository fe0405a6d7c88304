#ifndef FAIRLEAD_HANDSHAKE_SUBPROTOCOL_HPP
#define FAIRLEAD_HANDSHAKE_SUBPROTOCOL_HPP

#include <fairlead/config.hpp>
#include <fairlead/errc.hpp>
#include <fairlead/handshake/http_field.hpp>

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fairlead::inline FAIRLEAD_ABI {

/// The sub-protocols that a client offers, in its order of preference.
struct subprotocol_offer {
  errc error = errc::ok;                ///< `ok` or errc::bad_subprotocol.
  std::vector<std::string_view> names;  ///< Views of the fields; empty after an error.
};

/// Reads every Sec-WebSocket-Protocol among `fields` as one list (RFC 6455 section 11.3.4). None at all is no
/// offer; one that is there must be a list of different tokens, without empty elements (section 4.1:
/// "non-empty strings [...] and MUST all be unique strings"). O(n log n) in the number of names. Throws
/// std::bad_alloc.
FAIRLEAD_DECL subprotocol_offer parse_subprotocols(std::span<const http_field> fields);

/// The first of the server's `supported`, in its order of preference, that the client offered; or nothing,
/// and then the answer carries no sub-protocol (RFC 6455 section 4.2.2). Names depend on case. A view of
/// `supported`.
FAIRLEAD_DECL std::optional<std::string_view> choose_subprotocol(
    std::span<const std::string_view> offered, std::span<const std::string> supported) noexcept;

namespace detail {

/// Says whether `names` are different tokens: what a list of sub-protocols must be.
FAIRLEAD_DECL bool are_different_tokens(std::vector<std::string_view> names);

}  // namespace detail
}  // namespace fairlead::inline FAIRLEAD_ABI

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/handshake/impl/subprotocol.ipp>
#endif

#endif
