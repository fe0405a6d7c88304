#include <fairlead/handshake/http_field.hpp>

#include <support/catch.hpp>

#include <string>
#include <vector>

using namespace fairlead;
using namespace std::string_literals;

namespace {

std::vector<std::string_view> elements_of(std::string_view list) {
  std::vector<std::string_view> elements;
  for (const std::string_view element : field_elements(list)) elements.push_back(element);
  return elements;
}

}  // namespace

// RFC 9110 section 5.6.2.
TEST_CASE("tokens_consist_of_token_bytes") {
  const std::string punctuation = "!#$%&'*+-.^_`|~";
  for (int byte = 0; byte < 256; ++byte) {
    const auto c = static_cast<char>(byte);
    const bool expected = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          (punctuation.find(c) != std::string::npos);
    CAPTURE(byte);
    CHECK(is_token(std::string(1, c)) == expected);
    CHECK(is_token("a" + std::string(1, c)) == expected);
  }
  CHECK_FALSE(is_token(""));
}

// RFC 9110 section 5.5; TRUST H16.
TEST_CASE("field_values_hold_no_control_but_the_tab") {
  for (int byte = 0; byte < 256; ++byte) {
    CAPTURE(byte);
    CHECK(is_field_value("a" + std::string(1, static_cast<char>(byte))) ==
          (byte == '\t' || (byte >= 0x20 && byte != 0x7F)));
  }
  CHECK(is_field_value(""));
}

TEST_CASE("only_the_case_of_letters_is_ignored") {
  CHECK(equals_ignoring_case("Sec-WebSocket-KEY", "sec-websocket-key"));
  CHECK(equals_ignoring_case("", ""));
  CHECK_FALSE(equals_ignoring_case("Host", "Hos"));
  CHECK_FALSE(equals_ignoring_case("Hos", "Host"));
  CHECK_FALSE(equals_ignoring_case("@", "`"));
  CHECK_FALSE(equals_ignoring_case("[", "{"));
  CHECK_FALSE(equals_ignoring_case("\xc3\x84", "\xc3\xa4"));
}

TEST_CASE("white_space_is_trimmed_from_the_ends") {
  CHECK(trim_white_space(" \ta b\t ") == "a b");
  CHECK(trim_white_space("a") == "a");
  CHECK(trim_white_space(" \t ") == "");
  CHECK(trim_white_space("") == "");
  CHECK(trim_white_space("\va\v") == "\va\v");
}

// RFC 9110 section 5.6.1.
TEST_CASE("lists_are_split_at_commas_and_keep_empty_elements") {
  using list = std::vector<std::string_view>;
  CHECK(elements_of("a") == list{"a"});
  CHECK(elements_of("keep-alive, Upgrade") == list{"keep-alive", "Upgrade"});
  CHECK(elements_of(" a\t,\tb c ,d") == list{"a", "b c", "d"});
  CHECK(elements_of("") == list{""});
  CHECK(elements_of(",") == list{"", ""});
  CHECK(elements_of("a,,b,") == list{"a", "", "b", ""});
}

TEST_CASE("a_token_is_found_in_any_field_of_the_name") {
  const std::vector<http_field> fields = {
      {"Connection", "keep-alive"}, {"connection", "x, UPGRADE"}, {"Other", "close"}, {"Upgraded", "a"}};
  CHECK(field_lists_token(fields, "Connection", "upgrade"));
  CHECK(field_lists_token(fields, "CONNECTION", "Keep-Alive"));
  CHECK_FALSE(field_lists_token(fields, "Connection", "close"));
  CHECK_FALSE(field_lists_token(fields, "Connection", "keep"));
  CHECK_FALSE(field_lists_token(fields, "Upgrade", "a"));
}

TEST_CASE("fields_are_found_and_counted_by_name") {
  const std::vector<http_field> fields = {{"A", "1"}, {"b", "2"}, {"a", "3"}};
  CHECK(find_field(fields, "a") == "1");
  CHECK(find_field(fields, "B") == "2");
  CHECK_FALSE(find_field(fields, "c"));
  CHECK(count_fields(fields, "a") == 2);
  CHECK(count_fields(fields, "c") == 0);
  CHECK(count_fields({}, "a") == 0);
}
