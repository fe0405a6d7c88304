#ifndef FAIRLEAD_HANDSHAKE_DETAIL_STATUS_LINE_HPP
#define FAIRLEAD_HANDSHAKE_DETAIL_STATUS_LINE_HPP

#include <fairlead/config.hpp>
#include <fairlead/errc.hpp>
#include <fairlead/handshake/detail/response_data.hpp>

#include <cstddef>
#include <string_view>

namespace fairlead::inline FAIRLEAD_ABI::detail {

/// The parts of a status line.
struct status_line {
  errc error = errc::ok;  ///< `ok` or errc::bad_status_line.
  http_status status{};   ///< 100 to 599.
  std::string_view reason;
};

/// Reads a status line without its CRLF (RFC 9112 section 4): `HTTP/1.1` or `HTTP/1.0`, a space, three
/// digits, and behind a space the reason, if there is one. The line holds no control byte but tabs.
FAIRLEAD_DECL status_line read_status_line(std::string_view line) noexcept;

/// For head_reader.
FAIRLEAD_DECL errc check_start_line(const response_data& data) noexcept;
FAIRLEAD_DECL errc read_head(response_data& data, std::size_t field_count);

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/handshake/impl/status_line.ipp>
#endif

#endif
