#ifndef FAIRLEAD_HANDSHAKE_UPGRADE_HPP
#define FAIRLEAD_HANDSHAKE_UPGRADE_HPP

#include <fairlead/config.hpp>
#include <fairlead/errc.hpp>
#include <fairlead/handshake/extension.hpp>
#include <fairlead/handshake/request.hpp>

#include <string_view>
#include <vector>

namespace fairlead::inline FAIRLEAD_ABI {

/// The only version of the protocol that has an RFC (RFC 6455 section 4.1); those of the drafts are not
/// spoken.
inline constexpr std::string_view websocket_version = "13";

/// What a request asks for that wants to become a WebSocket. Views of the request.
struct upgrade_request {
  errc error = errc::ok;                       ///< Answer it with error_response(); the rest is empty then.
  std::string_view key;                        ///< Sec-WebSocket-Key, for upgrade_response().
  std::vector<std::string_view> subprotocols;  ///< In the client's order, for choose_subprotocol().
  std::vector<extension> extensions;           ///< Offered, in the client's order, for accept_deflate().
};

/// Says whether the request names websocket in its Upgrade, in any case: whether it is meant for us at all.
/// Whether it is valid too is the question of check_upgrade().
FAIRLEAD_DECL bool wants_upgrade(const request& head) noexcept;

/// Checks the client's handshake (RFC 6455 section 4.2.1) and reports the first fault in this order:
/// method_not_allowed, upgrade_missing, bad_websocket_version, bad_websocket_key, bad_subprotocol,
/// bad_extensions. Throws std::bad_alloc.
FAIRLEAD_DECL upgrade_request check_upgrade(const request& head);

}  // namespace fairlead::inline FAIRLEAD_ABI

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/handshake/impl/upgrade.ipp>
#endif

#endif
