#include <fairlead/handshake/subprotocol.hpp>

#include <handshake/least_seconds.hpp>
#include <support/catch.hpp>

#include <string>
#include <vector>

using namespace fairlead;
using namespace std::string_literals;

// RFC 6455 sections 4.1, 4.2.2 and 11.3.4; TRUST H04, H05.

namespace {

using names = std::vector<std::string_view>;

subprotocol_offer parse(std::string_view value) {
  const http_field field{"Sec-WebSocket-Protocol", value};
  return parse_subprotocols({&field, 1});
}

/// `count` different names in a list.
std::string list_of(int count) {
  std::string list;
  for (int i = 0; i < count; ++i) list += (i == 0 ? "p" : ", p") + std::to_string(i);
  return list;
}

double least_seconds_to_parse(std::string_view value) {
  return least_seconds([value] { parse(value); });
}

}  // namespace

TEST_CASE("no_field_is_no_offer") {
  const http_field other{"Sec-WebSocket-Protocols", ""};
  CHECK(parse_subprotocols({}).error == errc::ok);
  CHECK(parse_subprotocols({&other, 1}).error == errc::ok);
  CHECK(parse_subprotocols({&other, 1}).names.empty());
}

TEST_CASE("names_are_kept_in_the_order_of_the_client") {
  CHECK(parse("chat").names == names{"chat"});
  CHECK(parse("b ,\ta,C").names == names{"b", "a", "C"});
  CHECK(parse("auth, eyJhbGciOiJIUzI1NiJ9.e30.x-y_z").names ==
        names{"auth", "eyJhbGciOiJIUzI1NiJ9.e30.x-y_z"});
  CHECK(parse("chat, Chat").error == errc::ok);
  CHECK(parse(list_of(255)).names.size() == 255);
}

TEST_CASE("several_fields_are_one_list") {
  const std::vector<http_field> fields = {
      {"Sec-WebSocket-Protocol", "a, b"}, {"X", "y"}, {"sec-websocket-protocol", "c"}};
  CHECK(parse_subprotocols(fields).names == names{"a", "b", "c"});
  const std::vector<http_field> twice = {{"Sec-WebSocket-Protocol", "a"}, {"Sec-WebSocket-Protocol", "a"}};
  CHECK(parse_subprotocols(twice).error == errc::bad_subprotocol);
}

TEST_CASE("what_is_not_a_list_of_different_tokens_is_refused") {
  for (const std::string& value :
       {""s, ","s, ", ,"s, "a,,b"s, "a,"s, ",a"s, "a b"s, "a;b"s, "\"a\""s, "a/b"s, "a=b"s, "a\0b"s, "a\x01"s,
        "a\r\nb"s, "\xc3\xa9"s, "a, a"s, "a, b, a"s, list_of(255) + ", p7"s}) {
    CAPTURE(value);
    const subprotocol_offer offer = parse(value);
    CHECK(offer.error == errc::bad_subprotocol);
    CHECK(offer.names.empty());
  }
}

// H04: sixteen times the input is about sixteen times the work; quadratic work would be 256 times as much.
TEST_CASE("long_lists_cost_in_proportion_to_their_size") {
  CHECK(least_seconds_to_parse(list_of(16'000)) <= 64 * least_seconds_to_parse(list_of(1'000)));
  const auto spaces = [](std::size_t count) { return "b" + std::string(count, ' ') + "x"; };
  CHECK(least_seconds_to_parse(spaces(160'000)) <= 64 * least_seconds_to_parse(spaces(10'000)));
  CHECK(parse(spaces(16'000)).error == errc::bad_subprotocol);
}

// RFC 6455 section 4.2.2: one of the client's names, or none.
TEST_CASE("the_server_prefers_and_the_client_must_have_offered") {
  const std::vector<std::string> supported = {"v2", "v1"};
  CHECK(choose_subprotocol(names{"v1", "v2"}, supported) == "v2");
  CHECK(choose_subprotocol(names{"x", "v1"}, supported) == "v1");
  CHECK_FALSE(choose_subprotocol(names{"x"}, supported));
  CHECK_FALSE(choose_subprotocol(names{"V1"}, supported));
  CHECK_FALSE(choose_subprotocol({}, supported));
  CHECK_FALSE(choose_subprotocol(names{"v1"}, {}));
}
