#ifndef FAIRLEAD_HANDSHAKE_IMPL_REQUEST_HEAD_IPP
#define FAIRLEAD_HANDSHAKE_IMPL_REQUEST_HEAD_IPP

#include <fairlead/handshake/detail/request_head.hpp>

#include <fairlead/handshake/detail/head_reader.hpp>
#include <fairlead/handshake/detail/host.hpp>
#include <fairlead/handshake/detail/percent_encoding.hpp>

#include <algorithm>
#include <string>

namespace fairlead::inline FAIRLEAD_ABI::detail {

/// The three parts around the first and the last space; a line without two has an empty version.
struct request_line_parts {
  std::string_view method;
  std::string_view target;
  std::string_view version;
};

inline request_line_parts split_request_line(std::string_view line) noexcept {
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == last) return {line.substr(0, first), {}, {}};
  return {line.substr(0, first), line.substr(first + 1, last - first - 1), line.substr(last + 1)};
}

/// HTTP-name "/" DIGIT "." DIGIT (RFC 9112 section 2.3).
inline bool is_http_version(std::string_view text) noexcept {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  return text.size() == 8 && text.starts_with("HTTP/") && is_digit(text[5]) && text[6] == '.' &&
         is_digit(text[7]);
}

FAIRLEAD_DECL bool is_origin_form(std::string_view target) noexcept {
  const auto is_visible = [](char c) { return c > ' ' && c < 0x7F && c != '#'; };
  return target.starts_with('/') && std::all_of(target.begin(), target.end(), is_visible) &&
         is_percent_encoded(target);
}

inline bool path_holds_nul(std::string_view target) noexcept {
  return target.substr(0, target.find('?')).find("%00") != std::string_view::npos;
}

FAIRLEAD_DECL errc check_request_line(std::string_view line) noexcept {
  const request_line_parts parts = split_request_line(line);
  if (!is_token(parts.method) || !is_http_version(parts.version)) return errc::bad_request_line;
  if (parts.version != "HTTP/1.1") return errc::http_version_not_supported;
  if (!is_origin_form(parts.target) || path_holds_nul(parts.target)) return errc::bad_request_line;
  return errc::ok;
}

FAIRLEAD_DECL errc check_start_line(const request_data& data) noexcept {
  return check_request_line(start_line_of(data));
}

inline void read_request_line(request_data& data, std::string_view line) {
  const request_line_parts parts = split_request_line(line);
  data.method = parts.method;
  data.target = parts.target;
  const std::size_t question = parts.target.find('?');
  if (question != std::string_view::npos) data.query_string = parts.target.substr(question + 1);
  data.path = parts.target.substr(0, question);
  if (data.path.find('%') == std::string_view::npos) return;
  data.decoded_path = percent_decode(data.path, plus_sign::is_itself).value_or(std::string());
  data.path = data.decoded_path;
}

/// RFC 9112 section 3.2: "A server MUST respond with a 400 (Bad Request) status code to any HTTP/1.1 request
/// message that lacks a Host header field and to any request message that contains more than one Host header
/// field line or a Host header field with an invalid field value."
inline errc read_host(request_data& data) noexcept {
  if (count_fields(data.fields, "Host") != 1) return errc::bad_host;
  data.host = *find_field(data.fields, "Host");
  return is_host(data.host) ? errc::ok : errc::bad_host;
}

/// RFC 9112 section 6: these two fields alone announce a body, and whoever reads them differently from a
/// proxy in front takes the body for a request. An upgrade needs none, so none is accepted.
inline errc check_no_body(const request_data& data) noexcept {
  const std::size_t lengths = count_fields(data.fields, "Content-Length");
  if (lengths > 1 || (lengths == 1 && find_field(data.fields, "Content-Length") != "0") ||
      count_fields(data.fields, "Transfer-Encoding") != 0) {
    return errc::body_not_allowed;
  }
  return errc::ok;
}

FAIRLEAD_DECL errc read_head(request_data& data, std::size_t field_count) {
  read_request_line(data, start_line_of(data));
  const errc field_fault = read_fields(data, field_count);
  if (field_fault != errc::ok) return field_fault;
  const errc host_fault = read_host(data);
  return host_fault != errc::ok ? host_fault : check_no_body(data);
}

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#endif
