#ifndef FAIRLEAD_HANDSHAKE_HTTP_STATUS_HPP
#define FAIRLEAD_HANDSHAKE_HTTP_STATUS_HPP

#include <fairlead/config.hpp>
#include <fairlead/errc.hpp>

#include <cstdint>
#include <string_view>

namespace fairlead::inline FAIRLEAD_ABI {

/// The statuses that fairlead sends by itself (RFC 9110 section 15, RFC 6585). Others may be cast to this
/// type.
enum class http_status : std::uint16_t {
  switching_protocols = 101,
  ok = 200,
  not_modified = 304,
  bad_request = 400,
  unauthorized = 401,
  forbidden = 403,
  not_found = 404,
  method_not_allowed = 405,
  upgrade_required = 426,
  too_many_requests = 429,
  request_header_fields_too_large = 431,
  internal_server_error = 500,
  service_unavailable = 503,
  http_version_not_supported = 505,
};

/// The words that follow the number in a status line; empty for a status that is not listed above.
FAIRLEAD_DECL std::string_view reason_phrase(http_status status) noexcept;

/// The status that answers a request which failed with `error`. What is not the fault of a request head is
/// 500.
FAIRLEAD_DECL http_status status_of(errc error) noexcept;

}  // namespace fairlead::inline FAIRLEAD_ABI

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/handshake/impl/http_status.ipp>
#endif

#endif
