#ifndef FAIRLEAD_HANDSHAKE_IMPL_HTTP_STATUS_IPP
#define FAIRLEAD_HANDSHAKE_IMPL_HTTP_STATUS_IPP

#include <fairlead/handshake/http_status.hpp>

#include <string>

namespace fairlead::inline FAIRLEAD_ABI {
namespace detail {

class http_category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "fairlead.http"; }

  std::string message(int value) const override {
    std::string text = "the server answered " + std::to_string(value);
    const std::string_view reason = reason_phrase(static_cast<http_status>(value));
    if (!reason.empty()) text.append(" ").append(reason);
    return text;
  }

  std::error_condition default_error_condition(int) const noexcept override {
    return errc_condition::handshake_failed;
  }
};

}  // namespace detail

FAIRLEAD_DECL std::string_view reason_phrase(http_status status) noexcept {
  switch (status) {
    case http_status::switching_protocols: return "Switching Protocols";
    case http_status::ok: return "OK";
    case http_status::no_content: return "No Content";
    case http_status::moved_permanently: return "Moved Permanently";
    case http_status::found: return "Found";
    case http_status::see_other: return "See Other";
    case http_status::not_modified: return "Not Modified";
    case http_status::temporary_redirect: return "Temporary Redirect";
    case http_status::permanent_redirect: return "Permanent Redirect";
    case http_status::bad_request: return "Bad Request";
    case http_status::unauthorized: return "Unauthorized";
    case http_status::forbidden: return "Forbidden";
    case http_status::not_found: return "Not Found";
    case http_status::method_not_allowed: return "Method Not Allowed";
    case http_status::proxy_authentication_required: return "Proxy Authentication Required";
    case http_status::request_timeout: return "Request Timeout";
    case http_status::gone: return "Gone";
    case http_status::upgrade_required: return "Upgrade Required";
    case http_status::too_many_requests: return "Too Many Requests";
    case http_status::request_header_fields_too_large: return "Request Header Fields Too Large";
    case http_status::internal_server_error: return "Internal Server Error";
    case http_status::bad_gateway: return "Bad Gateway";
    case http_status::service_unavailable: return "Service Unavailable";
    case http_status::gateway_timeout: return "Gateway Timeout";
    case http_status::http_version_not_supported: return "HTTP Version Not Supported";
  }
  return {};
}

FAIRLEAD_DECL http_status status_of(errc error) noexcept {
  switch (error) {
    case errc::bad_request_line:
    case errc::bad_field:
    case errc::bad_host:
    case errc::body_not_allowed:
    case errc::bad_websocket_key:
    case errc::bad_subprotocol:
    case errc::bad_extensions: return http_status::bad_request;
    case errc::head_too_large: return http_status::request_header_fields_too_large;
    case errc::method_not_allowed: return http_status::method_not_allowed;
    case errc::http_version_not_supported: return http_status::http_version_not_supported;
    case errc::upgrade_missing:
    case errc::bad_websocket_version: return http_status::upgrade_required;
    default: return http_status::internal_server_error;
  }
}

FAIRLEAD_DECL const std::error_category& http_status_category() noexcept {
  static const detail::http_category instance;
  return instance;
}

FAIRLEAD_DECL std::error_code make_error_code(http_status status) noexcept {
  return {static_cast<int>(status), http_status_category()};
}

}  // namespace fairlead::inline FAIRLEAD_ABI

#endif
