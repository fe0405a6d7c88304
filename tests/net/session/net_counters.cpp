#include <fairlead/net/session/net_counters.hpp>

#include <support/catch.hpp>

#include <cstddef>
#include <string>
#include <string_view>

using namespace fairlead;

namespace {

std::size_t occurrences(std::string_view text, std::string_view part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

/// The object behind this name.
std::string object_of(const std::string& json, const std::string& name) {
  const std::string before = std::string(1, '"').append(name).append("\":");
  const std::size_t at = json.find(before + "{");
  REQUIRE(at != std::string::npos);
  const std::size_t begin = at + before.size();
  return json.substr(begin, json.find('}', begin) + 1 - begin);
}

std::string member(std::string_view name, std::size_t value) {
  return std::string(1, '"').append(name).append("\":").append(std::to_string(value));
}

}  // namespace

TEST_CASE("counters_as_json_have_each_reason_once_with_its_own_number") {
  net_counters c;
  for (std::size_t i = 0; i < session_state_count; ++i) c.sessions[i] = 1000 + i;
  for (std::size_t i = 0; i < c.closed.size(); ++i) c.closed[i] = 2000 + i;
  for (std::size_t i = 0; i < drop_reason_count; ++i) c.drops.by_reason[i] = 3000 + i;
  for (std::size_t i = 0; i < refusal_count; ++i) c.refused[i] = 4000 + i;
  const std::string json = to_json(c);

  // Followed by what ends a member, so that 1 is not found in 12.
  const auto has = [](const std::string& object, std::string_view name, std::size_t value) {
    CAPTURE(object, name, value);
    const std::string wanted = member(name, value);
    CHECK(occurrences(object, wanted + ",") + occurrences(object, wanted + "}") == 1);
    CHECK(occurrences(object, std::string(1, '"').append(name).append("\":")) == 1);
  };
  for (std::size_t i = 0; i < session_state_count; ++i) {
    has(object_of(json, "sessions"), name_of(static_cast<session_state>(i)), 1000 + i);
  }
  std::size_t errors = 0;
  for (std::size_t i = 0; i < c.closed.size(); ++i) {
    if (name_of(static_cast<errc>(i)).empty()) continue;
    has(object_of(json, "closed"), name_of(static_cast<errc>(i)), 2000 + i);
    ++errors;
  }
  CHECK(occurrences(object_of(json, "closed"), ":2") == errors);
  for (std::size_t i = 0; i < drop_reason_count; ++i) {
    has(object_of(json, "drops"), name_of(static_cast<drop_reason>(i)), 3000 + i);
  }
  for (std::size_t i = 0; i < refusal_count; ++i) {
    has(object_of(json, "refused"), name_of(static_cast<refusal>(i)), 4000 + i);
  }
}

TEST_CASE("counters_as_json_have_the_sums_beside_the_reasons") {
  net_counters c;
  c.opened = 1;
  c.messages_received = 2;
  c.bytes_received = 3;
  c.messages_sent = 4;
  c.rate_pauses = {5, 6};
  c.rate_drops = {7, 8};
  c.bytes_sent = 18'446'744'073'709'551'615u;
  const std::string json = to_json(c);
  CHECK(json.starts_with(R"({"sessions":{"connecting":0,)"));
  CHECK(json.find(R"(},"opened":1,"closed":{"ok":0,)") != std::string::npos);
  CHECK(
      json.find(
          R"("messages_received":2,"bytes_received":3,"messages_sent":4,"bytes_sent":18446744073709551615,"drops":{)") !=
      std::string::npos);
  CHECK(
      json.find(
          R"(},"rate_pauses":{"messages":5,"bytes":6},"rate_drops":{"messages":7,"bytes":8},"refused":{)") !=
      std::string::npos);
  CHECK(json.ends_with("}}"));
}
