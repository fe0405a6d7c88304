#ifndef FAIRLEAD_NET_SERVER_IMPL_ADMISSION_CHECKS_IPP
#define FAIRLEAD_NET_SERVER_IMPL_ADMISSION_CHECKS_IPP

#include <fairlead/handshake/detail/ascii.hpp>
#include <fairlead/net/server/admission_checks.hpp>

#include <algorithm>
#include <utility>

namespace fairlead::inline FAIRLEAD_ABI {

FAIRLEAD_DECL admission_check refuse_addresses(std::vector<ip_network> denied) {
  return [denied = std::move(denied)](admission& asked) -> verdict {
    const auto has_client = [&](const ip_network& n) { return n.contains(asked.client()); };
    if (std::ranges::none_of(denied, has_client)) return std::nullopt;
    return refuse(http_status::forbidden, "your address may not connect");
  };
}

FAIRLEAD_DECL admission_check refuse_user_agents(std::vector<std::string> words, std::size_t min_size) {
  return [words = std::move(words), min_size](admission& asked) -> verdict {
    const std::string_view agent = asked.head().field("User-Agent").value_or(std::string_view());
    const auto is_named = [agent](const std::string& word) {
      const auto is_same = [](char a, char b) { return detail::to_lower(a) == detail::to_lower(b); };
      return std::search(agent.begin(), agent.end(), word.begin(), word.end(), is_same) != agent.end();
    };
    if (agent.size() >= min_size && std::ranges::none_of(words, is_named)) return std::nullopt;
    return refuse(http_status::forbidden, "your program may not connect");
  };
}

FAIRLEAD_DECL std::optional<std::string_view> bearer_token(const request& head) noexcept {
  constexpr std::string_view scheme = "Bearer ";
  const std::string_view credentials = head.field("Authorization").value_or(std::string_view());
  if (head.count("Authorization") != 1 ||
      !equals_ignoring_case(credentials.substr(0, scheme.size()), scheme)) {
    return std::nullopt;
  }
  const std::string_view token = trim_white_space(credentials.substr(scheme.size()));
  return token.empty() ? std::nullopt : std::optional(token);
}

FAIRLEAD_DECL std::optional<std::string_view> subprotocol_token(admission& asked, std::string_view name) {
  const auto offered = asked.subprotocols();
  const auto found = std::ranges::find(offered, name);
  if (found == offered.end() || found + 1 == offered.end()) return std::nullopt;
  asked.choose_subprotocol(name);
  return *(found + 1);
}

}  // namespace fairlead::inline FAIRLEAD_ABI

#endif
