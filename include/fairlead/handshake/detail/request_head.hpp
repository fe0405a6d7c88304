#ifndef FAIRLEAD_HANDSHAKE_DETAIL_REQUEST_HEAD_HPP
#define FAIRLEAD_HANDSHAKE_DETAIL_REQUEST_HEAD_HPP

#include <fairlead/config.hpp>
#include <fairlead/errc.hpp>
#include <fairlead/handshake/detail/request_data.hpp>

#include <cstddef>
#include <string_view>

namespace fairlead::inline FAIRLEAD_ABI::detail {

/// Checks a request line without its CRLF (RFC 9112 section 3): method, one space, a target in origin form,
/// one space, `HTTP/1.1`. The line holds no control byte but tabs.
FAIRLEAD_DECL errc check_request_line(std::string_view line) noexcept;

/// Says whether `target` is a path with an optional query, percent-encoded, that can stand in a request line:
/// neither a proxy's absolute form nor CONNECT's authority, so a request never says where else to go. Beyond
/// the URI grammar, `[`, `|` and their like pass: browsers send them unencoded in queries.
FAIRLEAD_DECL bool is_origin_form(std::string_view target) noexcept;

/// For head_reader. The second fills the views of `data` from `data.head`, checks the fields one by one, and
/// what they say together about the host and the body.
FAIRLEAD_DECL errc check_start_line(const request_data& data) noexcept;
FAIRLEAD_DECL errc read_head(request_data& data, std::size_t field_count);

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/handshake/impl/request_head.ipp>
#endif

#endif
