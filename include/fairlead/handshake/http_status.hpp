#ifndef FAIRLEAD_HANDSHAKE_HTTP_STATUS_HPP
#define FAIRLEAD_HANDSHAKE_HTTP_STATUS_HPP

#include <fairlead/config.hpp>
#include <fairlead/errc.hpp>

#include <cstdint>
#include <string_view>
#include <system_error>
#include <type_traits>

namespace fairlead::inline FAIRLEAD_ABI {

/// The statuses that fairlead sends by itself, and those that a client often meets (RFC 9110 section 15,
/// RFC 6585). Others may be cast to this type.
///
/// It is also the error of a connection that a server answered with something else than 101:
/// `if (ec == http_status::too_many_requests)`. As such any is an errc_condition::handshake_failed.
enum class http_status : std::uint16_t {
  switching_protocols = 101,
  ok = 200,
  no_content = 204,
  moved_permanently = 301,
  found = 302,
  see_other = 303,
  not_modified = 304,
  temporary_redirect = 307,
  permanent_redirect = 308,
  bad_request = 400,
  unauthorized = 401,
  forbidden = 403,
  not_found = 404,
  method_not_allowed = 405,
  proxy_authentication_required = 407,
  request_timeout = 408,
  gone = 410,
  upgrade_required = 426,
  too_many_requests = 429,
  request_header_fields_too_large = 431,
  internal_server_error = 500,
  bad_gateway = 502,
  service_unavailable = 503,
  gateway_timeout = 504,
  http_version_not_supported = 505,
};

/// The words that follow the number in a status line; empty for a status that is not listed above.
FAIRLEAD_DECL std::string_view reason_phrase(http_status status) noexcept;

/// The status that answers a request which failed with `error`. What is not the fault of a request head is
/// 500.
FAIRLEAD_DECL http_status status_of(errc error) noexcept;

/// The category of http_status, for any number of 100 to 599: "the server answered 403 Forbidden".
FAIRLEAD_DECL const std::error_category& http_status_category() noexcept;

/// Called by the standard library where an `http_status` becomes a std::error_code.
FAIRLEAD_DECL std::error_code make_error_code(http_status status) noexcept;

}  // namespace fairlead::inline FAIRLEAD_ABI

template <>
struct std::is_error_code_enum<fairlead::http_status> : std::true_type {};

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/handshake/impl/http_status.ipp>
#endif

#endif
