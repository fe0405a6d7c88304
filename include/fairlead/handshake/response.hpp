#ifndef FAIRLEAD_HANDSHAKE_RESPONSE_HPP
#define FAIRLEAD_HANDSHAKE_RESPONSE_HPP

#include <fairlead/config.hpp>
#include <fairlead/errc.hpp>
#include <fairlead/handshake/http_field.hpp>
#include <fairlead/handshake/http_status.hpp>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fairlead::inline FAIRLEAD_ABI {

/// The answer to a request: the upgrade itself, or anything else, after which the connection closes. Framing
/// is not part of it: encode() adds Content-Length and Connection.
struct response {
  http_status status = http_status::ok;
  std::vector<header_field> fields;
  std::string body;

  /// Adds a field; encode() judges it.
  response& add(std::string name, std::string value) {
    fields.push_back({std::move(name), std::move(value)});
    return *this;
  }
};

/// What encode() made of a response.
struct encoded_response {
  errc error = errc::ok;  ///< `ok` or errc::bad_argument.
  std::string bytes;      ///< Ready to send; empty after an error.
};

/// Writes a response as HTTP/1.1: status line, fields, framing, empty line, body (RFC 9112 section 4).
///
/// Every answer but 101 ends the connection and says so with `Connection: close`, so nothing behind a refused
/// upgrade can pass for a second request. Statuses that have no content (101, 204, 304) get no
/// Content-Length.
///
/// \param head_only  Leaves out the body but announces its size: the answer to HEAD.
/// \return           errc::bad_argument, and nothing to send, for a field name that is not a token; a value
///                   with CR, LF, NUL or another control byte but the tab; Content-Length, Transfer-Encoding
///                   or, except in a 101, Connection among the fields; a status outside 200 to 599 other than
///                   101; or a body where the status allows none.
FAIRLEAD_DECL encoded_response encode(const response& answer, bool head_only = false);

/// The 101 that accepts an upgrade (RFC 6455 section 4.2.2). Fields may be added.
///
/// \param key          The client's Sec-WebSocket-Key, which check_upgrade() found valid.
/// \param subprotocol  One that the client offered; empty for none.
FAIRLEAD_DECL response upgrade_response(std::string_view key, std::string_view subprotocol = {});

/// The answer to a request that failed with `error`: status_of() it, its message as plain text, and the
/// fields that the status demands: Allow with 405, Upgrade with 426, Sec-WebSocket-Version with the wrong
/// version.
FAIRLEAD_DECL response error_response(errc error);

/// A response with a body of that type.
FAIRLEAD_DECL response text_response(http_status status, std::string body,
                                     std::string content_type = "text/plain; charset=utf-8");

}  // namespace fairlead::inline FAIRLEAD_ABI

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/handshake/impl/response.ipp>
#endif

#endif
