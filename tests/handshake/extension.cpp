#include <fairlead/handshake/extension.hpp>

#include <handshake/heap.hpp>
#include <handshake/least_seconds.hpp>
#include <support/catch.hpp>

#include <algorithm>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

using namespace fairlead;
using namespace std::string_literals;

// RFC 6455 sections 9.1 and 11.3.2; TRUST H03, H04, H27.

namespace {

using list = std::vector<extension>;

extension_list parse(std::string_view value) {
  const http_field field{"Sec-WebSocket-Extensions", value};
  return parse_extensions({&field, 1});
}

/// Of a copy of exactly its size on the heap, so that a sanitizer sees one byte too many (H27).
errc fault_of_copy(std::string_view value) {
  const auto exact = std::make_unique<char[]>(value.size());
  std::copy(value.begin(), value.end(), exact.get());
  return parse({exact.get(), value.size()}).error;
}

list must_parse(std::string_view value) {
  CAPTURE(value);
  const extension_list parsed = parse(value);
  CHECK(parsed.error == errc::ok);
  return parsed.extensions;
}

void check_malformed(std::string_view value) {
  CAPTURE(value);
  const extension_list parsed = parse(value);
  CHECK(parsed.error == errc::bad_extensions);
  CHECK(parsed.extensions.empty());
  CHECK(fault_of_copy(value) == errc::bad_extensions);
}

/// Each alone, and with a good extension before it or behind it.
void check_each_malformed(std::initializer_list<std::string> values) {
  for (const std::string& value : values) {
    check_malformed(value);
    check_malformed("before, " + value);
    check_malformed(value + ", behind");
  }
}

/// `part` again and again, `size` bytes or a little less.
std::string repeated(std::string_view part, std::size_t size) {
  std::string text;
  while (text.size() + part.size() <= size) text += part;
  return text;
}

/// The most expensive lists that we could think of, of about `size` bytes each.
std::vector<std::string> hostile(std::size_t size) {
  return {
      "a; b=\"" + repeated("\\c", size),  // H04, as it was: unclosed
      "a; b=\"" + repeated("\\c", size) + "\"",
      "a; b=\"" + repeated("\\", size),
      "a; b=\"" + repeated("c ", size),
      repeated("a,", size) + "a",
      repeated("a;b,", size) + "a",
      "a" + repeated(";b", size),
      "a" + repeated(";b=c", size),
      "a" + repeated(";b=\"c\"", size),
      "a" + repeated(";b=\"cccccccccccccccccccccccccccccccc\"", size),
      repeated(",", size) + "a",
      "a" + repeated(" ", size) + "x",
      "a" + repeated(" ;", size),
      repeated("a", size) + "/",
      repeated(" ,\t", size),
  };
}

}  // namespace

TEST_CASE("no_extensions_field_is_an_empty_list") {
  const http_field other{"Sec-WebSocket-Extension", ";"};
  CHECK(parse_extensions({}).error == errc::ok);
  CHECK(parse_extensions({&other, 1}).error == errc::ok);
  CHECK(parse_extensions({&other, 1}).extensions.empty());
}

TEST_CASE("extensions_and_parameters_are_kept_in_the_order_of_the_peer") {
  CHECK(must_parse("foo") == list{{"foo", {}}});
  CHECK(must_parse("foo, bar; baz=2") == list{{"foo", {}}, {"bar", {{"baz", "2"}}}});
  CHECK(must_parse("b;z;a=1;z=2;a, A;a, b") ==
        list{{"b", {{"z", {}}, {"a", "1"}, {"z", "2"}, {"a", {}}}}, {"A", {{"a", {}}}}, {"b", {}}});
  CHECK(must_parse("permessage-deflate; client_max_window_bits") ==
        list{{"permessage-deflate", {{"client_max_window_bits", {}}}}});
}

// The implied *LWS rule of RFC 2616.
TEST_CASE("white_space_may_stand_between_any_two_parts_of_an_extension") {
  const list expected{{"a", {{"b", "1"}, {"c", {}}}}, {"d", {}}};
  for (const char* value :
       {"a;b=1;c,d", "a; b=1; c, d", " \ta ;\tb = \t1 ; c\t,\t d ", "a ; b =\"1\" ; c ,d"}) {
    CHECK(must_parse(value) == expected);
  }
}

// RFC 2616 section 2.1.
TEST_CASE("empty_elements_count_for_nothing_but_one_extension_must_be_there") {
  for (const char* value : {"a,b", ",a,b", "a,,b", "a, ,\t,b", "a,b,", " , a,b , ,"}) {
    CHECK(must_parse(value) == list{{"a", {}}, {"b", {}}});
  }
  for (const char* value : {"", " ", ",", ", ,", "\t,"}) check_malformed(value);
}

TEST_CASE("a_quoted_value_is_what_it_quotes") {
  struct {
    const char* written;
    const char* meant;
  } const rows[] = {
      {"a;b=\"10\"", "10"}, {"a;b=\"\\1\\0\"", "10"},     {"a;b = \"1\\0\" ", "10"},
      {"a;b=\"\\x\"", "x"}, {"a;b=\"x-._~!\"", "x-._~!"}, {"a;b=x-._~!", "x-._~!"},
  };
  for (const auto& row : rows) CHECK(must_parse(row.written) == list{{"a", {{"b", row.meant}}}});
}

TEST_CASE("what_is_not_a_list_of_extensions_is_refused") {
  check_each_malformed({";"s, "a;"s, "a;;b"s, ";b"s, "a b"s, "a;b c"s, "a, b c"s, "a, ;"s, "a,b;"s, "=1"s});
  check_each_malformed({"a=1"s, "a;=1"s, "a;b="s, "a;b=;c"s, "a;b=,c"s, "a;b==1"s, "a;b=1 2"s});
}

TEST_CASE("names_and_values_of_extensions_are_tokens") {
  check_each_malformed({"a/b"s, "a;b/c"s, "a;b=1/2"s, "a;b=(1)"s, "\"a\""s, "a;\"b\""s});
  check_each_malformed({"a\0b"s, "a;b\x01"s, "a\r\nb"s, "\xc3\xa9"s, "a;b=\xff"s});
}

TEST_CASE("what_a_value_quotes_is_a_token_too") {
  check_each_malformed({"a;b=\"\""s, "a;b=\" 1\""s, "a;b=\"1 \""s, "a;b=\"1,2\""s, "a;b=\"1;2\""s});
  check_each_malformed(
      {"a;b=\"\\\"\""s, "a;b=\"\\\\\""s, "a;b=\"\\ \""s, "a;b=\"\0\""s, "a;b=\"\xc3\xa9\""s});
}

TEST_CASE("a_quotation_is_closed_and_is_the_whole_value") {
  check_each_malformed({"a;b=\""s, "a;b=\"1"s, "a;b=\"1\\"s, "a;b=\"1\\\""s});
  check_each_malformed({"a;b=\"1\"2"s, "a;b=\"1\"\"2\""s, "a;b=1\"2\""s, "a;b=\"1\" c"s});
}

TEST_CASE("several_extensions_fields_are_one_list") {
  const std::vector<http_field> fields = {{"Sec-WebSocket-Extensions", "a;b"},
                                          {"X", "y"},
                                          {"sec-websocket-extensions", ""},
                                          {"SEC-WEBSOCKET-EXTENSIONS", "c"}};
  CHECK(parse_extensions(fields).error == errc::ok);
  CHECK(parse_extensions(fields).extensions == list{{"a", {{"b", {}}}}, {"c", {}}});
  for (const char* second : {"b;", "\"", "a b"}) {
    const std::vector<http_field> bad = {{"Sec-WebSocket-Extensions", "a"},
                                         {"Sec-WebSocket-Extensions", second}};
    CHECK(parse_extensions(bad).error == errc::bad_extensions);
    CHECK(parse_extensions(bad).extensions.empty());
  }
  // A quotation that one field opens is not closed by the next.
  const std::vector<http_field> split = {{"Sec-WebSocket-Extensions", "a;b=\"1"},
                                         {"Sec-WebSocket-Extensions", "2\""}};
  CHECK(parse_extensions(split).error == errc::bad_extensions);
}

// H03: as many fields as a head may have, and many more.
TEST_CASE("an_extension_is_found_behind_any_number_of_fields") {
  for (const std::size_t count : {99U, 2000U}) {
    std::vector<http_field> fields(count, {"Sec-WebSocket-Extensions", "a"});
    fields.push_back({"Sec-WebSocket-Extensions", "b"});
    CHECK(parse_extensions(fields).extensions.size() == count + 1);
    CHECK(parse_extensions(fields).extensions.back().name == "b");
    fields.push_back({"Sec-WebSocket-Extensions", "b;"});
    CHECK(parse_extensions(fields).error == errc::bad_extensions);
  }
}

// H04: sixteen times the input is about sixteen times the work; quadratic work would be 256 times as much.
TEST_CASE("long_extension_lists_cost_in_proportion_to_their_size") {
  const std::vector<std::string> small = hostile(40'000);
  const std::vector<std::string> large = hostile(640'000);
  for (std::size_t i = 0; i < small.size(); ++i) {
    CAPTURE(small[i].substr(0, 20));
    const double small_seconds = least_seconds([&] { parse(small[i]); });
    CHECK(least_seconds([&] { parse(large[i]); }) <= 64 * small_seconds);
  }
}

// H04: a head's 16 KiB, read into lists that are held no longer than the handshake takes.
TEST_CASE("an_extension_list_holds_memory_in_proportion_to_the_bytes_that_came") {
  for (const std::string& value : hostile(16 * 1024)) {
    CAPTURE(value.substr(0, 20));
    const std::size_t before = heap::held();
    const std::size_t allocated = heap::allocated();
    std::optional<extension_list> parsed = parse(value);
    const std::size_t held_after = heap::held();
    const std::size_t allocated_after = heap::allocated();
    CHECK(held_after - before <= 60 * value.size());
    CHECK(allocated_after - allocated <= 2 * 60 * value.size());
    parsed.reset();
  }
}
