#include <fairlead/guard/auth_message.hpp>

#include <support/catch.hpp>

#include <string>

using namespace fairlead;

TEST_CASE("the_token_of_an_auth_message_is_found_in_either_order") {
  CHECK(token_of_auth_message(R"({"type":"auth","token":"abc"})") == "abc");
  CHECK(token_of_auth_message(R"({"token":"abc","type":"auth"})") == "abc");
  CHECK(token_of_auth_message(" \t\r\n{ \"type\" : \"auth\" ,\n\"token\" : \"abc\" }\n") == "abc");
  CHECK(token_of_auth_message(R"({"type":"auth","token":"a\"\u0062\n"})") == "a\"b\n");
  CHECK(token_of_auth_message(R"({"type":"auth","token":"\u0000"})") == std::string(1, '\0'));
  CHECK(token_of_auth_message(R"({"\u0074ype":"auth","token":"abc"})") == "abc");
}

TEST_CASE("what_is_no_auth_message_has_no_token") {
  for (const char* const text : {
           "",
           " ",
           "auth",
           "null",
           "\"token\"",
           "[]",
           "{}",
           R"([{"type":"auth","token":"abc"}])",
           R"({"type":"auth"})",
           R"({"token":"abc"})",
           R"({"type":"auth","token":""})",
           R"({"type":"auth","token":null})",
           R"({"type":"auth","token":7})",
           R"({"type":"auth","token":["abc"]})",
           R"({"type":"auth","token":{"token":"abc"}})",
           R"({"type":true,"token":"abc"})",
           R"({"type":"Auth","token":"abc"})",
           R"({"type":"auth ","token":"abc"})",
           R"({"Type":"auth","token":"abc"})",
           R"({"type":"auth","token":"abc","token":"abc"})",
           R"({"type":"auth","type":"auth","token":"abc"})",
           R"({"type":"auth","token":"abc","user":"ada"})",
           R"({"type":"auth","token":"abc"}{})",
           R"({"type":"auth","token":"abc"}x)",
           R"({"type":"auth","token":"abc",})",
           R"({"type":"auth","token":"abc")",
           R"({"type":"auth","token":"abc)",
           R"({'type':'auth','token':'abc'})",
           R"({"type":"auth","token":"\ud800"})",
           R"({"type":"auth","token":"\x"})",
           "{\"type\":\"auth\",\"token\":\"a\nb\"}",
           "{\"type\":\"auth\",\"token\":\"\xff\"}",
       }) {
    CAPTURE(text);
    CHECK_FALSE(token_of_auth_message(text));
  }
}

TEST_CASE("an_auth_message_is_read_up_to_its_largest_size_and_no_further") {
  const std::string begin = R"({"type":"auth","token":")";
  const std::string end = R"("})";
  const std::size_t room = max_auth_message_size - begin.size() - end.size();
  CHECK(token_of_auth_message(begin + std::string(room, 'x') + end) == std::string(room, 'x'));
  CHECK_FALSE(token_of_auth_message(begin + std::string(room + 1, 'x') + end));
  CHECK_FALSE(token_of_auth_message(std::string(60'000, '[')));
}
