#ifndef FAIRLEAD_GUARD_IMPL_AUTH_MESSAGE_IPP
#define FAIRLEAD_GUARD_IMPL_AUTH_MESSAGE_IPP

#include <fairlead/guard/auth_message.hpp>

#include <simdjson.h>

#include <new>

namespace fairlead::inline FAIRLEAD_ABI {

FAIRLEAD_DECL std::optional<std::string> token_of_auth_message(std::string_view json) {
  if (json.empty() || json.size() > max_auth_message_size) return std::nullopt;
  simdjson::dom::parser parser;
  constexpr std::size_t max_depth = 2;  // an object of strings
  if (parser.allocate(json.size(), max_depth) != simdjson::SUCCESS) throw std::bad_alloc();
  simdjson::dom::object object;
  if (parser.parse(json.data(), json.size()).get_object().get(object) != simdjson::SUCCESS) {
    return std::nullopt;
  }
  std::optional<std::string_view> type;
  std::optional<std::string_view> token;
  for (const simdjson::dom::key_value_pair member : object) {
    auto& slot = member.key == "type" ? type : token;
    if (slot || (member.key != "type" && member.key != "token")) return std::nullopt;
    std::string_view value;
    if (member.value.get_string().get(value) != simdjson::SUCCESS) return std::nullopt;
    slot = value;
  }
  if (type != "auth" || !token || token->empty()) return std::nullopt;
  return std::string(*token);
}

}  // namespace fairlead::inline FAIRLEAD_ABI

#endif
