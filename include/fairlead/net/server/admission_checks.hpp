#ifndef FAIRLEAD_NET_SERVER_ADMISSION_CHECKS_HPP
#define FAIRLEAD_NET_SERVER_ADMISSION_CHECKS_HPP

#include <fairlead/config.hpp>
#include <fairlead/guard/ip_network.hpp>
#include <fairlead/net/server/admission.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fairlead::inline FAIRLEAD_ABI {

/// Small parts of which checks are made.

/// A check that refuses clients in these blocks with 403.
FAIRLEAD_DECL admission_check refuse_addresses(std::vector<ip_network> denied);

/// A check that refuses, with 403, clients whose User-Agent is missing, shorter than `min_size` bytes or has one of
/// these words in it, in any case of ASCII letters. It keeps out who does not mind being kept out, such as the bots of
/// search engines: everybody else calls himself what he likes.
FAIRLEAD_DECL admission_check refuse_user_agents(std::vector<std::string> words = {"bot", "crawler",
                                                                                   "scanner"},
                                                 std::size_t min_size = 10);

/// What stands behind `Bearer` in the one Authorization field (RFC 6750 section 2.1); nothing without one. Pages
/// cannot send it. A view of the head.
FAIRLEAD_DECL std::optional<std::string_view> bearer_token(const request& head) noexcept;

/// The token that a page offers as the sub-protocol behind `name`, as by `new WebSocket(url, ["auth", token])`; and
/// agrees on `name`, so that the token is not sent back. Nothing, and nothing is agreed on, without it. A view of the
/// head.
FAIRLEAD_DECL std::optional<std::string_view> subprotocol_token(admission& asked,
                                                                std::string_view name = "auth");

}  // namespace fairlead::inline FAIRLEAD_ABI

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/net/server/impl/admission_checks.ipp>
#endif

#endif
