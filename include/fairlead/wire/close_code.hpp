#ifndef FAIRLEAD_WIRE_CLOSE_CODE_HPP
#define FAIRLEAD_WIRE_CLOSE_CODE_HPP

#include <fairlead/config.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace fairlead::inline FAIRLEAD_ABI {

/// Why a connection ended (RFC 6455 section 7.4 and the IANA registry it founds). Applications choose codes
/// of their own from 4000-4999: `close_code{4001}`.
enum class close_code : std::uint16_t {
  normal = 1000,
  going_away = 1001,
  protocol_error = 1002,
  unsupported_data = 1003,
  no_status = 1005,  ///< Observed only: the close frame was empty.
  abnormal = 1006,   ///< Observed only: the connection ended without a close frame.
  invalid_payload = 1007,
  policy_violation = 1008,
  message_too_big = 1009,
  mandatory_extension = 1010,
  internal_error = 1011,
  service_restart = 1012,
  try_again_later = 1013,
  bad_gateway = 1014,
  tls_handshake = 1015,  ///< Observed only: TLS failed before there was a WebSocket.
};

/// The codes that are open: 3000-3999 to libraries and frameworks, which register them with IANA, and
/// 4000-4999 to applications, by agreement between the two sides (section 7.4.2).
inline constexpr close_code first_registered_close_code{3000};
inline constexpr close_code first_private_close_code{4000};
inline constexpr close_code last_private_close_code{4999};

/// Largest reason in a close frame, in bytes: the payload of a control frame less the code (section 5.5).
inline constexpr std::size_t max_close_reason_size = 123;

/// Whether `code` may stand in a close frame, sent or received (section 7.4). The others are only observed,
/// or assigned to nobody.
constexpr bool may_be_sent(close_code code) noexcept;

/// A few words in English for logs, never empty; a literal, so valid for ever.
constexpr std::string_view description(close_code code) noexcept;

}  // namespace fairlead

#include <fairlead/wire/impl/close_code.hpp>

#endif
