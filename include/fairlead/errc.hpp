#ifndef FAIRLEAD_ERRC_HPP
#define FAIRLEAD_ERRC_HPP

#include <fairlead/config.hpp>

#include <string>
#include <string_view>
#include <system_error>

namespace fairlead::inline FAIRLEAD_ABI {

/// Every error that fairlead itself reports; errors of the operating system keep their own category.
/// Values are append-only.
enum class errc {
  ok = 0,

  // The peer broke RFC 6455 after the handshake.
  reserved_opcode = 1,          ///< Opcode 3-7 or 11-15 (section 5.2).
  reserved_bits = 2,            ///< RSV bit without an extension that defines it (section 5.2).
  fragmented_control = 3,       ///< Control frame without FIN (section 5.5).
  oversized_control = 4,        ///< Control frame of more than 125 bytes (section 5.5).
  length_not_minimal = 5,       ///< Payload length not in its shortest form (section 5.2).
  length_out_of_range = 6,      ///< 64 bit length with the top bit set (section 5.2).
  mask_missing = 7,             ///< A client's frame without a mask (section 5.1).
  mask_unexpected = 8,          ///< A server's frame with a mask (section 5.1).
  unexpected_continuation = 9,  ///< Continuation without a message to continue (section 5.4).
  message_interleaved = 10,     ///< A new data frame inside a fragmented message (section 5.4).
  bad_utf8 = 11,                ///< Text or close reason that is not UTF-8 (section 8.1).
  bad_close_payload = 12,       ///< Close frame with one byte of payload (section 5.5.1).
  bad_close_code = 13,          ///< Close code that must not be on the wire (section 7.4).
  bad_compression = 14,         ///< Compressed data that cannot be inflated (RFC 7692 section 7.2.2).

  // The peer passed one of our limits.
  message_too_big = 20,
  too_many_fragments = 21,
  too_many_control_frames = 22,
  fragment_rate_exceeded = 23,  ///< connection_options::max_fragments_per_second.
  message_rate_exceeded = 24,   ///< incoming_limits: messages a second.
  byte_rate_exceeded = 25,      ///< incoming_limits: bytes a second.

  // The handshake failed.
  bad_request_line = 40,
  bad_field = 41,  ///< A header field that RFC 9112 does not allow.
  head_too_large = 42,
  method_not_allowed = 43,
  http_version_not_supported = 44,
  bad_host = 45,
  body_not_allowed = 46,
  upgrade_missing = 47,        ///< No `Upgrade: websocket` with `Connection: Upgrade`, asked or answered.
  bad_websocket_version = 48,  ///< Sec-WebSocket-Version other than one 13.
  bad_websocket_key = 49,      ///< Not exactly one Sec-WebSocket-Key of 16 bytes in base64.
  bad_subprotocol = 50,        ///< Sec-WebSocket-Protocol that is no list of tokens, or was not offered.
  bad_status_line = 51,
  bad_accept_key = 53,  ///< Sec-WebSocket-Accept does not answer the key (section 4.1).
  handshake_timeout = 54,
  bad_extensions = 55,          ///< Sec-WebSocket-Extensions that is not a list of extensions.
  bad_extension_response = 56,  ///< The server agreed to an extension as it was not offered (section 4.1).
  bad_proxy_header = 57,        ///< No header of the PROXY protocol where a proxy has to send one.

  // The session.
  closed = 60,           ///< The session is closing or gone; nothing more can be sent or received.
  busy = 61,             ///< Such an operation is already under way, or on_message receives instead.
  wrong_thread = 62,     ///< The io_context of an epoll set ran on a second thread.
  connection_lost = 63,  ///< The peer went away without a close frame.
  close_timeout = 64,    ///< The peer did not finish the close handshake in time.
  queue_full = 65,       ///< The outgoing queue reached its hard limit.
  bad_argument = 66,     ///< The caller passed what must not go on the wire.
  message_dropped = 67,  ///< The message gave way, as its class says, since the receiver is slow.

  // We gave the session up.
  out_of_budget = 68,           ///< The process's memory_budget was spent.
  write_timeout = 69,           ///< The peer took nothing for too long.
  pause_timeout = 70,           ///< The peer was so slow that its source was held up for too long.
  peer_timeout = 71,            ///< The peer was silent, and did not answer a ping.
  idle_timeout = 72,            ///< No message passed for too long.
  authentication_timeout = 73,  ///< The peer did not say in time who it is.
  message_timeout = 74,         ///< A message took too long to arrive.
  authentication_failed = 75,   ///< The peer said wrongly who it is.

  // Another goes on with the connection.
  released = 78,        ///< session::release() has given the connection away.
  not_releasable = 79,  ///< The connection has TLS, compression or no socket, so nobody could go on with it.

  // The client could not connect. A server that answers with another status than 101 is an http_status.
  bad_url = 80,                        ///< Not a WebSocket URL that parse_url() takes.
  bad_proxy_response = 81,             ///< The proxy's answer to CONNECT is not an HTTP response.
  proxy_refused = 82,                  ///< The proxy answered CONNECT with a status other than 2xx or 407.
  proxy_authentication_required = 83,  ///< The proxy answered CONNECT with 407.
  resolve_timeout = 84,
  connect_timeout = 85,
  proxy_timeout = 86,
  tls_timeout = 87,
  proxy_lost = 88,
  tls_lost = 89,
  handshake_lost = 90,  ///< The end, or a reset, before the head of the server's answer was whole.
  certificate_expired = 91,
  certificate_not_yet_valid = 92,
  certificate_untrusted = 93,   ///< Self-signed, or by an issuer who is not known.
  certificate_wrong_host = 94,  ///< It is for other names than the URL's host.
  certificate_revoked = 95,
  certificate_invalid = 96,     ///< Not accepted for any other reason.
  certificate_not_pinned = 97,  ///< Valid, but none of those that the options demand.
  tls_failed = 98,              ///< Any other failure of the TLS handshake, or of the records after it.
};

/// The enumerator's name, such as `message_too_big`, for logs and counters; empty for a value that no errc has.
FAIRLEAD_DECL std::string_view name_of(errc e) noexcept;

/// Conditions for the questions that users ask of an error: `if (ec == errc_condition::protocol_violation)`.
enum class errc_condition {
  protocol_violation = 1,  ///< The peer broke RFC 6455 after the handshake.
  limit_exceeded = 2,      ///< The peer passed one of our limits.
  handshake_failed = 3,    ///< There never was a WebSocket connection.
  disconnected = 4,        ///< The session is over, for whichever reason.
  tls_failed = 5,          ///< TLS could not be agreed on, or the peer not be trusted.
};

/// The categories that `errc` and `errc_condition` belong to.
FAIRLEAD_DECL const std::error_category& errc_category() noexcept;
FAIRLEAD_DECL const std::error_category& errc_condition_category() noexcept;

/// Called by the standard library where an `errc` becomes a std::error_code.
FAIRLEAD_DECL std::error_code make_error_code(errc e) noexcept;
FAIRLEAD_DECL std::error_condition make_error_condition(errc_condition c) noexcept;

}  // namespace fairlead::inline FAIRLEAD_ABI

template <>
struct std::is_error_code_enum<fairlead::errc> : std::true_type {};
template <>
struct std::is_error_condition_enum<fairlead::errc_condition> : std::true_type {};

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/impl/errc.ipp>
#endif

#endif
