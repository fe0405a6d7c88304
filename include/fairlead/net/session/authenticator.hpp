#ifndef FAIRLEAD_NET_SESSION_AUTHENTICATOR_HPP
#define FAIRLEAD_NET_SESSION_AUTHENTICATOR_HPP

#include <fairlead/config.hpp>
#include <fairlead/guard/auth_message.hpp>
#include <fairlead/net/detail/asio_configuration.hpp>
#include <fairlead/protocol/message.hpp>

#include <asio/awaitable.hpp>

#include <concepts>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace fairlead::inline FAIRLEAD_ABI {

class session;

/// Decides by the first message of a peer who it is: the user's name, or nothing for nobody. For
/// session_options::authenticate.
///
/// Runs on the session's thread; with several threads for different sessions at once. When the session ends
/// meanwhile, or the time is up, the coroutine is cancelled (asio::cancellation_type::terminal) and its answer
/// ignored. What it throws closes the session with 1011 and reaches on_error().
using authenticator = std::function<asio::awaitable<std::optional<std::string>>(session ws, message first)>;

/// An authenticator for the first message `{"type":"auth","token":"..."}`, as token_of_auth_message() reads it.
/// Anything else is nobody's, and `verify` is not asked.
///
/// \param verify  `std::optional<std::string>(std::string_view token)`, or a coroutine
///                `asio::awaitable<std::optional<std::string>>(std::string token)`: the user's name, or nothing. One
///                object for all sessions of the route, called on all threads.
template <class Verifier>
requires std::invocable<const Verifier&, std::string> authenticator first_message_token(Verifier verify) {
  using answer = std::optional<std::string>;
  return [verify = std::move(verify)](const session&, message first) -> asio::awaitable<answer> {
    if (first.kind() != message_kind::text) co_return std::nullopt;
    std::optional<std::string> token = token_of_auth_message(first.text());
    if (!token) co_return std::nullopt;
    if constexpr (std::is_convertible_v<std::invoke_result_t<const Verifier&, std::string>, answer>) {
      co_return verify(std::move(*token));
    } else {
      co_return co_await verify(std::move(*token));
    }
  };
}

}  // namespace fairlead::inline FAIRLEAD_ABI

#endif
