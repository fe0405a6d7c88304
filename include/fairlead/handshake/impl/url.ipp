#ifndef FAIRLEAD_HANDSHAKE_IMPL_URL_IPP
#define FAIRLEAD_HANDSHAKE_IMPL_URL_IPP

#include <fairlead/handshake/url.hpp>

#include <fairlead/handshake/detail/ascii.hpp>
#include <fairlead/handshake/detail/host.hpp>
#include <fairlead/handshake/detail/percent_encoding.hpp>
#include <fairlead/handshake/detail/request_head.hpp>
#include <fairlead/handshake/http_field.hpp>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <optional>

namespace fairlead::inline FAIRLEAD_ABI {
namespace detail {

/// What a scheme says, or nothing for another.
struct url_scheme {
  bool secure;
  bool local;
};

inline std::optional<url_scheme> read_scheme(std::string_view text) noexcept {
  if (equals_ignoring_case(text, "ws")) return url_scheme{false, false};
  if (equals_ignoring_case(text, "wss")) return url_scheme{true, false};
  if (equals_ignoring_case(text, "ws+unix")) return url_scheme{false, true};
  if (equals_ignoring_case(text, "wss+unix")) return url_scheme{true, true};
  return std::nullopt;
}

inline bool read_port(std::string_view digits, std::uint16_t& port) noexcept {
  std::from_chars(digits.data(), digits.data() + digits.size(), port);
  return port != 0;
}

/// `host[:port]` (RFC 3986 section 3.2), which is_host() takes as it is: so user information is refused.
inline bool read_authority(std::string_view text, url& value) {
  if (!is_host(text)) return false;
  const bool has_brackets = text.starts_with('[');
  const std::size_t name_end = has_brackets ? text.find(']') : std::min(text.find(':'), text.size());
  value.host = to_lower(std::string(text.substr(has_brackets, name_end - has_brackets)));
  const std::string_view port = text.substr(name_end + has_brackets);
  return port.empty() || read_port(port.substr(1), value.port);
}

/// RFC 6455 section 3: the resource name is the path, or `/` if it is empty, and the query.
inline bool read_target(std::string_view text, url& value) {
  value.target = text.starts_with('/') ? "" : "/";
  value.target.append(text);
  return is_origin_form(value.target);
}

inline bool read_remote(std::string_view text, url& value) {
  if (!text.starts_with("//")) return false;
  text.remove_prefix(2);
  const std::size_t end = std::min(text.find_first_of("/?"), text.size());
  return read_authority(text.substr(0, end), value) && read_target(text.substr(end), value);
}

/// A path in the URL's form, without what would be its query.
inline bool read_local_path(std::string_view text, url& value) {
  if (!is_origin_form(text) || text.find('?') != std::string_view::npos) return false;
  value.local_path = percent_decode(text, plus_sign::is_itself).value_or(std::string());
  return value.local_path.find('\0') == std::string::npos;
}

inline bool read_local(std::string_view text, url& value) {
  // Two slashes announce an authority, which must be empty: `//run/chat` would be the path `/chat` on `run`.
  if (text.starts_with("///")) text.remove_prefix(2);
  if (text.starts_with("//")) return false;
  const std::size_t colon = std::min(text.find(':'), text.size());
  if (!read_local_path(text.substr(0, colon), value)) return false;
  if (colon == text.size()) return true;
  const std::string_view target = text.substr(colon + 1);
  return target.starts_with('/') && read_target(target, value);
}

inline std::string bracketed(const std::string& host) {
  return host.find(':') == std::string::npos ? host : "[" + host + "]";
}

}  // namespace detail

FAIRLEAD_DECL std::string url::host_field() const {
  if (!local_path.empty()) return "localhost";
  return port == (secure ? default_secure_port : default_port) ? detail::bracketed(host) : authority();
}

FAIRLEAD_DECL std::string url::authority() const {
  return detail::bracketed(host) + ":" + std::to_string(port);
}

FAIRLEAD_DECL parsed_url parse_url(std::string_view text) {
  const std::size_t colon = std::min(text.find(':'), text.size());
  const std::optional<detail::url_scheme> scheme = detail::read_scheme(text.substr(0, colon));
  if (!scheme) return {errc::bad_url, {}};
  parsed_url parsed;
  parsed.value.secure = scheme->secure;
  parsed.value.port = scheme->secure ? default_secure_port : default_port;
  text.remove_prefix(std::min(colon + 1, text.size()));
  const bool is_valid =
      scheme->local ? detail::read_local(text, parsed.value) : detail::read_remote(text, parsed.value);
  if (!is_valid) return {errc::bad_url, {}};
  return parsed;
}

}  // namespace fairlead::inline FAIRLEAD_ABI

#endif
