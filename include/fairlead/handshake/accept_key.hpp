#ifndef FAIRLEAD_HANDSHAKE_ACCEPT_KEY_HPP
#define FAIRLEAD_HANDSHAKE_ACCEPT_KEY_HPP

#include <fairlead/config.hpp>

#include <string>
#include <string_view>

namespace fairlead::inline FAIRLEAD_ABI {

/// What a server's Sec-WebSocket-Accept says about a client's Sec-WebSocket-Key: the SHA-1 of the key and a
/// fixed GUID, in base64 (RFC 6455 section 4.2.2). The key is taken as text, valid or not. Throws
/// std::bad_alloc.
FAIRLEAD_DECL std::string accept_key(std::string_view key);

/// Says whether `key` is 16 bytes in base64 (RFC 6455 section 4.1): 24 characters, with zero bits where no
/// byte is.
FAIRLEAD_DECL bool is_websocket_key(std::string_view key) noexcept;

}  // namespace fairlead::inline FAIRLEAD_ABI

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/handshake/impl/accept_key.ipp>
#endif

#endif
