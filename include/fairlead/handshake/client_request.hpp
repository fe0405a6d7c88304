#ifndef FAIRLEAD_HANDSHAKE_CLIENT_REQUEST_HPP
#define FAIRLEAD_HANDSHAKE_CLIENT_REQUEST_HPP

#include <fairlead/config.hpp>
#include <fairlead/errc.hpp>
#include <fairlead/handshake/http_field.hpp>

#include <span>
#include <string>
#include <string_view>

namespace fairlead::inline FAIRLEAD_ABI {

/// What a client asks of a server. Views of the caller's.
struct upgrade_offer {
  std::string_view target = "/";              ///< url::target.
  std::string_view host;                      ///< url::host_field().
  std::string_view key;                       ///< 16 random bytes in base64, fresh for each request.
  std::span<const std::string> subprotocols;  ///< In the order of preference.
  std::string_view extensions;                ///< What offer_deflate() wrote; empty for none.
  std::span<const header_field> fields;       ///< More fields, such as Origin, Authorization or Cookie.
};

/// What encode_upgrade_request() or encode_connect_request() wrote.
struct encoded_request {
  errc error = errc::ok;  ///< `ok` or errc::bad_argument.
  std::string bytes;      ///< Ready to send; empty after an error.
};

/// Writes a client's handshake (RFC 6455 section 4.1).
///
/// \return  errc::bad_argument, and nothing to send, for a target that is not a path with an optional query
///          (a space, a control byte, one beyond ASCII, a fragment, or a `%` without digits is in none); a
///          host or a key that is none; sub-protocols that are not different tokens; extensions with a
///          control byte; or, among the fields, a name that is not a token, a value with CR, LF, NUL or
///          another control byte but the tab, and those that fairlead writes itself or that announce a body:
///          Host, Upgrade, Connection, all that begin with Sec-WebSocket-, Content-Length, Transfer-Encoding.
FAIRLEAD_DECL encoded_request encode_upgrade_request(const upgrade_offer& offer);

/// Writes the request for a tunnel that goes to an HTTP proxy (RFC 9110 section 9.3.6).
///
/// \param authority  url::authority(): the port must be there, and not 0.
/// \param fields     More fields, such as Proxy-Authorization; judged like those of an upgrade.
/// \return           errc::bad_argument, and nothing to send, if either must not be sent.
FAIRLEAD_DECL encoded_request encode_connect_request(std::string_view authority,
                                                     std::span<const header_field> fields = {});

}  // namespace fairlead::inline FAIRLEAD_ABI

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/handshake/impl/client_request.ipp>
#endif

#endif
