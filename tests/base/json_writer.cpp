#include <fairlead/json_writer.hpp>

#include <support/catch.hpp>

#include <simdjson.h>

#include <cstdint>
#include <limits>

using namespace fairlead;

TEST_CASE("json_writer_puts_commas_between_members_and_elements_only") {
  CHECK(json_writer().begin_object().end_object().text() == "{}");
  CHECK(json_writer().begin_array().end_array().text() == "[]");

  json_writer out;
  out.begin_object().member("type", "joined").key("members").begin_array();
  out.value("Ada").value(std::string("Grace")).begin_object().member("id", 3).end_object();
  out.end_array().member("count", 2).member("open", true).member("full", false).end_object();
  CHECK(out.text() ==
        R"({"type":"joined","members":["Ada","Grace",{"id":3}],"count":2,"open":true,"full":false})");
}

TEST_CASE("json_writer_writes_integers_in_full") {
  json_writer out;
  out.begin_array().value(std::numeric_limits<std::int64_t>::min());
  out.value(std::numeric_limits<std::uint64_t>::max()).value(0).end_array();
  CHECK(out.text() == "[-9223372036854775808,18446744073709551615,0]");
}

TEST_CASE("json_writer_escapes_quote_backslash_and_control_bytes_and_nothing_else") {
  CHECK(json_writer().value("\"\\\n\r\t").text() == R"("\"\\\n\r\t")");
  CHECK(json_writer().value(std::string_view("\0\x1f", 2)).text() == R"("\u0000\u001f")");
  CHECK(json_writer().value("</script> \x7f \u00e9 \u20ac \U0001f6a2 '").text() ==
        "\"</script> \x7f \u00e9 \u20ac \U0001f6a2 '\"");
  CHECK(json_writer().begin_object().member("a\"b", "").end_object().text() == R"({"a\"b":""})");
}

TEST_CASE("json_writer_and_simdjson_agree_on_every_character_below_256") {
  std::string all;
  for (unsigned c = 0; c < 0x80; ++c) all += static_cast<char>(c);
  for (unsigned c = 0x80; c < 0x100; ++c) {
    all += static_cast<char>(0xC0 | c >> 6);
    all += static_cast<char>(0x80 | (c & 0x3F));
  }
  const std::string json = json_writer().begin_array().value(all).end_array().text();
  simdjson::dom::parser parser;
  const std::string_view read = parser.parse(json).at(0);
  CHECK(read == all);
}
