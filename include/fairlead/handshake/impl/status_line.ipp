#ifndef FAIRLEAD_HANDSHAKE_IMPL_STATUS_LINE_IPP
#define FAIRLEAD_HANDSHAKE_IMPL_STATUS_LINE_IPP

#include <fairlead/handshake/detail/status_line.hpp>

#include <fairlead/handshake/detail/head_reader.hpp>

#include <algorithm>

namespace fairlead::inline FAIRLEAD_ABI::detail {

/// 100 to 599 in three digits (RFC 9110 section 15), or 0.
constexpr int read_status(std::string_view text) noexcept {
  int number = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return 0;
    number = number * 10 + (c - '0');
  }
  return text.size() == 3 && number >= 100 && number <= 599 ? number : 0;
}

FAIRLEAD_DECL status_line read_status_line(std::string_view line) noexcept {
  constexpr std::size_t version_size = 9;
  constexpr std::size_t status_size = 3;
  const bool is_version_1_1 = line.starts_with("HTTP/1.1 ");
  if (!is_version_1_1 && !line.starts_with("HTTP/1.0 ")) return {errc::bad_status_line, {}, {}};
  const int number = read_status(line.substr(version_size, status_size));
  const std::string_view behind = line.substr(std::min(line.size(), version_size + status_size));
  // RFC 9110 section 15.2: HTTP/1.0 defines no 1xx, so this is no answer to an upgrade.
  if (number == 0 || (number < 200 && !is_version_1_1) || !(behind.empty() || behind.starts_with(' '))) {
    return {errc::bad_status_line, {}, {}};
  }
  return {errc::ok, static_cast<http_status>(number), behind.substr(behind.empty() ? 0 : 1)};
}

FAIRLEAD_DECL errc check_start_line(const response_data& data) noexcept {
  return read_status_line(start_line_of(data)).error;
}

FAIRLEAD_DECL errc read_head(response_data& data, std::size_t field_count) {
  const status_line line = read_status_line(start_line_of(data));
  data.status = line.status;
  data.reason = line.reason;
  return read_fields(data, field_count);
}

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#endif
