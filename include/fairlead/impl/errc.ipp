#ifndef FAIRLEAD_IMPL_ERRC_IPP
#define FAIRLEAD_IMPL_ERRC_IPP

#include <fairlead/errc.hpp>

#include <string>

namespace fairlead::inline FAIRLEAD_ABI {
namespace detail {

constexpr const char* message_of(errc e) noexcept {
  switch (e) {
    case errc::ok: return "success";
    case errc::reserved_opcode: return "the peer sent a frame with a reserved opcode";
    case errc::reserved_bits: return "the peer set a reserved bit without an extension that defines it";
    case errc::fragmented_control: return "the peer fragmented a control frame";
    case errc::oversized_control: return "the peer sent a control frame of more than 125 bytes";
    case errc::length_not_minimal: return "the peer did not send a payload length in its shortest form";
    case errc::length_out_of_range: return "the peer sent a payload length of 2^63 or more";
    case errc::mask_missing: return "the client sent a frame without a mask";
    case errc::mask_unexpected: return "the server sent a frame with a mask";
    case errc::unexpected_continuation: return "the peer continued a message that was not begun";
    case errc::message_interleaved: return "the peer began a message inside another";
    case errc::bad_utf8: return "the peer sent text that is not UTF-8";
    case errc::bad_close_payload: return "the peer sent a close frame with half a close code";
    case errc::bad_close_code: return "the peer sent a close code that must not be sent";
    case errc::bad_compression: return "the peer sent compressed data that cannot be inflated";
    case errc::message_too_big: return "the message is larger than the limit";
    case errc::too_many_fragments: return "the message has more frames than the limit";
    case errc::too_many_control_frames: return "the peer sent more control frames a second than the limit";
    case errc::fragment_rate_exceeded: return "the peer sent more fragments a second than the limit";
    case errc::message_rate_exceeded: return "the peer sent more messages a second than the limit";
    case errc::byte_rate_exceeded: return "the peer sent more bytes a second than the limit";
    case errc::bad_request_line: return "the request line is malformed";
    case errc::bad_field: return "a header field is malformed";
    case errc::head_too_large: return "the HTTP head is larger than the limit";
    case errc::method_not_allowed: return "the method is not allowed here";
    case errc::http_version_not_supported: return "the HTTP version is not 1.1";
    case errc::bad_host: return "the request does not have exactly one valid Host";
    case errc::body_not_allowed: return "the request announces a body";
    case errc::upgrade_missing: return "the HTTP head has no upgrade to websocket";
    case errc::bad_websocket_version: return "the WebSocket version is not 13";
    case errc::bad_websocket_key: return "the request does not have exactly one valid Sec-WebSocket-Key";
    case errc::bad_subprotocol:
      return "Sec-WebSocket-Protocol is malformed, or answers with what was not offered";
    case errc::bad_status_line: return "the status line is malformed";
    case errc::bad_accept_key: return "Sec-WebSocket-Accept does not answer the key";
    case errc::handshake_timeout: return "the handshake took too long";
    case errc::bad_extensions: return "Sec-WebSocket-Extensions is malformed";
    case errc::bad_extension_response: return "the server agreed to an extension as it was not offered";
    case errc::bad_proxy_header: return "the proxy did not say whom it speaks for";
    case errc::closed: return "the session is closed";
    case errc::busy: return "an operation of this kind is already under way";
    case errc::wrong_thread: return "the io_context of an epoll set ran on a second thread";
    case errc::connection_lost: return "the peer went away without a close frame";
    case errc::close_timeout: return "the peer did not finish the close handshake in time";
    case errc::queue_full: return "the outgoing queue is full";
    case errc::message_dropped: return "the message was dropped since the receiver is slow";
    case errc::out_of_budget: return "the memory for slow receivers is spent";
    case errc::write_timeout: return "the peer took nothing for too long";
    case errc::pause_timeout: return "the peer held up its source for too long";
    case errc::peer_timeout: return "the peer did not answer in time";
    case errc::idle_timeout: return "the connection was idle for too long";
    case errc::authentication_timeout: return "the peer did not authenticate in time";
    case errc::message_timeout: return "a message took too long to arrive";
    case errc::authentication_failed: return "the peer did not authenticate";
    case errc::released: return "the connection was given to another owner";
    case errc::not_releasable: return "nobody else could go on with the connection";
    case errc::bad_argument: return "the argument must not be sent";
    case errc::bad_url: return "the URL is not one of a WebSocket";
    case errc::bad_proxy_response: return "the proxy's answer is not HTTP";
    case errc::proxy_refused: return "the proxy refused to connect";
    case errc::proxy_authentication_required: return "the proxy demands authentication";
    case errc::resolve_timeout: return "the host's name was not resolved in time";
    case errc::connect_timeout: return "the host did not accept the connection in time";
    case errc::proxy_timeout: return "the proxy did not answer in time";
    case errc::tls_timeout: return "the TLS handshake took too long";
    case errc::proxy_lost: return "the proxy closed the connection";
    case errc::tls_lost: return "the connection was lost during the TLS handshake";
    case errc::handshake_lost: return "the connection was lost before the server answered";
    case errc::certificate_expired: return "the server's certificate has expired";
    case errc::certificate_not_yet_valid: return "the server's certificate is not valid yet";
    case errc::certificate_untrusted: return "the server's certificate is not from a trusted issuer";
    case errc::certificate_wrong_host: return "the server's certificate is for another host";
    case errc::certificate_revoked: return "the server's certificate was revoked";
    case errc::certificate_invalid: return "the server's certificate is not valid";
    case errc::certificate_not_pinned: return "the server's certificate is not one that was demanded";
    case errc::tls_failed: return "the TLS connection failed";
  }
  return "unknown error";
}

class fairlead_category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "fairlead"; }
  std::string message(int value) const override { return message_of(static_cast<errc>(value)); }
};

class fairlead_condition_category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "fairlead condition"; }

  std::string message(int value) const override {
    switch (static_cast<errc_condition>(value)) {
      case errc_condition::protocol_violation: return "the peer broke the WebSocket protocol";
      case errc_condition::limit_exceeded: return "the peer passed a limit";
      case errc_condition::handshake_failed: return "the handshake failed";
      case errc_condition::disconnected: return "the session is over";
      case errc_condition::tls_failed: return "TLS failed";
    }
    return "unknown condition";
  }

  bool equivalent(const std::error_code& ec, int condition) const noexcept override {
    if (ec.category() != errc_category()) return false;
    const int value = ec.value();
    const auto within = [value](errc first, errc last) {
      return value >= static_cast<int>(first) && value <= static_cast<int>(last);
    };
    switch (static_cast<errc_condition>(condition)) {
      case errc_condition::protocol_violation: return within(errc::reserved_opcode, errc::bad_compression);
      case errc_condition::limit_exceeded: return within(errc::message_too_big, errc::byte_rate_exceeded);
      case errc_condition::handshake_failed:
        return within(errc::bad_request_line, errc::bad_proxy_header) ||
               within(errc::bad_url, errc::tls_failed);
      case errc_condition::disconnected:
        return ec == errc::closed || ec == errc::released || ec == errc::connection_lost ||
               ec == errc::close_timeout || ec == errc::queue_full ||
               within(errc::out_of_budget, errc::authentication_failed) ||
               within(errc::reserved_opcode, errc::byte_rate_exceeded);
      case errc_condition::tls_failed:
        return ec == errc::tls_timeout || ec == errc::tls_lost ||
               within(errc::certificate_expired, errc::tls_failed);
    }
    return false;
  }
};

}  // namespace detail

FAIRLEAD_DECL std::string_view name_of(errc e) noexcept {
  switch (e) {
    case errc::ok: return "ok";
    case errc::reserved_opcode: return "reserved_opcode";
    case errc::reserved_bits: return "reserved_bits";
    case errc::fragmented_control: return "fragmented_control";
    case errc::oversized_control: return "oversized_control";
    case errc::length_not_minimal: return "length_not_minimal";
    case errc::length_out_of_range: return "length_out_of_range";
    case errc::mask_missing: return "mask_missing";
    case errc::mask_unexpected: return "mask_unexpected";
    case errc::unexpected_continuation: return "unexpected_continuation";
    case errc::message_interleaved: return "message_interleaved";
    case errc::bad_utf8: return "bad_utf8";
    case errc::bad_close_payload: return "bad_close_payload";
    case errc::bad_close_code: return "bad_close_code";
    case errc::bad_compression: return "bad_compression";
    case errc::message_too_big: return "message_too_big";
    case errc::too_many_fragments: return "too_many_fragments";
    case errc::too_many_control_frames: return "too_many_control_frames";
    case errc::fragment_rate_exceeded: return "fragment_rate_exceeded";
    case errc::message_rate_exceeded: return "message_rate_exceeded";
    case errc::byte_rate_exceeded: return "byte_rate_exceeded";
    case errc::bad_request_line: return "bad_request_line";
    case errc::bad_field: return "bad_field";
    case errc::head_too_large: return "head_too_large";
    case errc::method_not_allowed: return "method_not_allowed";
    case errc::http_version_not_supported: return "http_version_not_supported";
    case errc::bad_host: return "bad_host";
    case errc::body_not_allowed: return "body_not_allowed";
    case errc::upgrade_missing: return "upgrade_missing";
    case errc::bad_websocket_version: return "bad_websocket_version";
    case errc::bad_websocket_key: return "bad_websocket_key";
    case errc::bad_subprotocol: return "bad_subprotocol";
    case errc::bad_status_line: return "bad_status_line";
    case errc::bad_accept_key: return "bad_accept_key";
    case errc::handshake_timeout: return "handshake_timeout";
    case errc::bad_extensions: return "bad_extensions";
    case errc::bad_extension_response: return "bad_extension_response";
    case errc::bad_proxy_header: return "bad_proxy_header";
    case errc::closed: return "closed";
    case errc::busy: return "busy";
    case errc::wrong_thread: return "wrong_thread";
    case errc::connection_lost: return "connection_lost";
    case errc::close_timeout: return "close_timeout";
    case errc::queue_full: return "queue_full";
    case errc::bad_argument: return "bad_argument";
    case errc::message_dropped: return "message_dropped";
    case errc::out_of_budget: return "out_of_budget";
    case errc::write_timeout: return "write_timeout";
    case errc::pause_timeout: return "pause_timeout";
    case errc::peer_timeout: return "peer_timeout";
    case errc::idle_timeout: return "idle_timeout";
    case errc::authentication_timeout: return "authentication_timeout";
    case errc::message_timeout: return "message_timeout";
    case errc::authentication_failed: return "authentication_failed";
    case errc::released: return "released";
    case errc::not_releasable: return "not_releasable";
    case errc::bad_url: return "bad_url";
    case errc::bad_proxy_response: return "bad_proxy_response";
    case errc::proxy_refused: return "proxy_refused";
    case errc::proxy_authentication_required: return "proxy_authentication_required";
    case errc::resolve_timeout: return "resolve_timeout";
    case errc::connect_timeout: return "connect_timeout";
    case errc::proxy_timeout: return "proxy_timeout";
    case errc::tls_timeout: return "tls_timeout";
    case errc::proxy_lost: return "proxy_lost";
    case errc::tls_lost: return "tls_lost";
    case errc::handshake_lost: return "handshake_lost";
    case errc::certificate_expired: return "certificate_expired";
    case errc::certificate_not_yet_valid: return "certificate_not_yet_valid";
    case errc::certificate_untrusted: return "certificate_untrusted";
    case errc::certificate_wrong_host: return "certificate_wrong_host";
    case errc::certificate_revoked: return "certificate_revoked";
    case errc::certificate_invalid: return "certificate_invalid";
    case errc::certificate_not_pinned: return "certificate_not_pinned";
    case errc::tls_failed: return "tls_failed";
  }
  return {};
}

FAIRLEAD_DECL const std::error_category& errc_category() noexcept {
  static const detail::fairlead_category instance;
  return instance;
}

FAIRLEAD_DECL const std::error_category& errc_condition_category() noexcept {
  static const detail::fairlead_condition_category instance;
  return instance;
}

FAIRLEAD_DECL std::error_code make_error_code(errc e) noexcept {
  return {static_cast<int>(e), errc_category()};
}

FAIRLEAD_DECL std::error_condition make_error_condition(errc_condition c) noexcept {
  return {static_cast<int>(c), errc_condition_category()};
}

}  // namespace fairlead::inline FAIRLEAD_ABI

#endif
