#ifndef FAIRLEAD_GUARD_AUTH_MESSAGE_HPP
#define FAIRLEAD_GUARD_AUTH_MESSAGE_HPP

#include <fairlead/config.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace fairlead::inline FAIRLEAD_ABI {

/// Largest message that token_of_auth_message() reads, in bytes.
inline constexpr std::size_t max_auth_message_size = 64 * 1024;

/// The token in `{"type":"auth","token":"..."}`, with which a peer says who it is. Strict, since it decides about
/// trust: exactly these two members, each once and in either order, both strings, the token not empty; nothing
/// before or behind the object but white space. Nothing for all else. Throws std::bad_alloc.
///
/// \param json  From the peer.
FAIRLEAD_DECL std::optional<std::string> token_of_auth_message(std::string_view json);

}  // namespace fairlead::inline FAIRLEAD_ABI

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/guard/impl/auth_message.ipp>
#endif

#endif
