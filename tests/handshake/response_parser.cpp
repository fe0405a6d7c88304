#include <fairlead/handshake/response_parser.hpp>

#include <handshake/heads.hpp>
#include <support/catch.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

using namespace fairlead;
using namespace std::string_literals;

// RFC 9112 sections 2, 4 and 5, read strictly; TRUST H03, H12, H13, H27, R11. What a head may cost:
// head_limits.cpp.

namespace {

struct refused_head {
  std::string head;
  errc error;
};

heads::outcome parse_whole(std::string_view input) { return heads::parse_whole<response_parser>(input); }
response_head must_parse(std::string_view head) { return heads::must_parse<response_parser>(head); }

constexpr std::string_view early_hints = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";

std::string interim(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += early_hints;
  return text;
}

const std::vector<std::string>& valid_heads() {
  static const std::vector<std::string> heads = {
      heads::upgraded,
      heads::with("HTTP/1.1 200 OK", ""),
      heads::with("HTTP/1.1 403 ", ""),
      heads::with("HTTP/1.1 403", ""),  // No space where no reason follows: some servers send it so.
      heads::with("HTTP/1.1 599  Some \treason: caf\xc3\xa9, \"x\" ", ""),
      heads::with("HTTP/1.0 407 Proxy Authentication Required", "Proxy-Authenticate: Basic\r\n"),
      heads::with("HTTP/1.0 200", ""),
      heads::with("HTTP/1.1 400 Bad Request", "x:a\r\nX:\r\nY: \t \r\nZ:\t a b \t\r\nObs: \x80\xff\r\n"),
      heads::with("HTTP/1.1 302 Found", "Location: a: b\r\nSet-Cookie: 1\r\nSet-Cookie: 2\r\n"),
      heads::with("HTTP/1.1 100 Continue", "") + heads::upgraded,
      heads::with("HTTP/1.1 102 Processing", "X: y\r\n") + heads::with("HTTP/1.1 199", "") + heads::upgraded,
      interim(max_interim_responses) + heads::with("HTTP/1.1 200 OK", ""),
      heads::with("HTTP/1.1 200 OK", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
  };
  return heads;
}

std::vector<refused_head> refused_heads() {
  std::vector<refused_head> heads;
  for (const std::string& line : {""s,
                                  " "s,
                                  "HTTP/1.1"s,
                                  "HTTP/1.1 "s,
                                  "HTTP/1.1 2"s,
                                  "HTTP/1.1 20"s,
                                  "HTTP/1.1 2000"s,
                                  "HTTP/1.1 200OK"s,
                                  "HTTP/1.1 200\tOK"s,
                                  "HTTP/1.1\t200 OK"s,
                                  "HTTP/1.1  200 OK"s,
                                  " HTTP/1.1 200 OK"s,
                                  "HTTP/1.1 20x OK"s,
                                  "HTTP/1.1 x00 OK"s,
                                  "HTTP/1.1 -20 OK"s,
                                  "HTTP/1.1 +20 OK"s,
                                  "HTTP/1.1 0x1 OK"s,
                                  "HTTP/1.1 000 OK"s,
                                  "HTTP/1.1 099 OK"s,
                                  "HTTP/1.1 600 OK"s,
                                  "HTTP/1.1 999 OK"s,
                                  "HTTP/1.2 200 OK"s,
                                  "HTTP/0.9 200 OK"s,
                                  "HTTP/2 200 OK"s,
                                  "HTTP/2.0 200 OK"s,
                                  "HTTP/1.10 200 OK"s,
                                  "http/1.1 200 OK"s,
                                  "HTTP/1,1 200 OK"s,
                                  "ICY 200 OK"s,
                                  "GET / HTTP/1.1"s,
                                  "200 OK"s,
                                  "HTTP/1.0 101 Switching Protocols"s,
                                  "HTTP/1.0 100 Continue"s,
                                  "HTTP/1.1 200 O\0K"s,
                                  "HTTP/1.1 200 \x01"s,
                                  "HTTP/1.1 200 \x7f"s,
                                  "HTTP/1.1 200 OK\nX: y"s,
                                  "HTTP/1.1 200 OK\rX: y"s,
                                  "HTTP/1.1 200 OK\r"s,
                                  "\nHTTP/1.1 200 OK"s,
                                  "\r\nHTTP/1.1 200 OK"s,
                                  "\x16\x03\x01"s}) {
    heads.push_back({heads::with(line, ""), errc::bad_status_line});
    heads.push_back({std::string(early_hints) + heads::with(line, ""), errc::bad_status_line});
  }
  for (const std::string& line :
       {"X: a\nY: b"s, "X: a\rb"s, "X: a\r"s, "X: a\r\n folded"s, "X: a\r\n\tfolded"s, "X : a"s, " X: a"s,
        ": a"s, "X"s, "X y: a"s, "(X): a"s, "X\x80: a"s, "X: a\0b"s, "X\0: a"s, "X: \x01"s, "X: \x7f"s}) {
    heads.push_back({heads::with("HTTP/1.1 200 OK", line + "\r\n"), errc::bad_field});
    heads.push_back({heads::with("HTTP/1.1 100 Continue", "X: y\r\n" + line + "\r\n"), errc::bad_field});
    heads.push_back({heads::with("HTTP/1.1 101", line + "\r\nX: y\r\n"), errc::bad_field});
  }
  heads.push_back({interim(max_interim_responses + 1), errc::head_too_large});
  return heads;
}

}  // namespace

TEST_CASE("response_parser_reads_status_reason_and_fields") {
  const response_head head = must_parse(heads::upgraded);
  CHECK(head.status() == http_status::switching_protocols);
  CHECK(head.reason() == "Switching Protocols");
  const std::vector<http_field> expected = {{"Upgrade", "websocket"},
                                            {"Connection", "Upgrade"},
                                            {"Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="}};
  CHECK(std::vector<http_field>(head.fields().begin(), head.fields().end()) == expected);
}

TEST_CASE("reason_is_what_stands_behind_the_space") {
  struct {
    std::string_view line, reason;
  } const rows[] = {{"HTTP/1.1 403 Forbidden", "Forbidden"},
                    {"HTTP/1.1 403 ", ""},
                    {"HTTP/1.1 403", ""},
                    {"HTTP/1.0 403 a  b ", "a  b "},
                    {"HTTP/1.1 403  ", " "}};
  for (const auto& row : rows) {
    const response_head head = must_parse(heads::with(row.line, ""));
    CAPTURE(row.line);
    CHECK(head.status() == http_status::forbidden);
    CHECK(head.reason() == row.reason);
  }
}

// RFC 9110 section 15: "All valid status codes are within the range of 100 to 599, inclusive."
TEST_CASE("every_status_of_the_range_is_read_and_no_other") {
  for (int number = 0; number < 1000; ++number) {
    const std::string digits = std::to_string(number);
    const std::string line = "HTTP/1.1 " + std::string(3 - digits.size(), '0') + digits;
    const heads::outcome whole = parse_whole(heads::with(line, ""));
    CAPTURE(line);
    if (number < 100 || number > 599) {
      CHECK(whole.result.error == errc::bad_status_line);
    } else if (number < 200 && number != 101) {
      CHECK(whole.result.state == parse_state::need_more);
    } else {
      CHECK(whole.head == digits + " \n");
    }
  }
}

TEST_CASE("response_parser_accepts_every_valid_head") {
  for (const std::string& head : valid_heads()) {
    CAPTURE(head);
    CHECK(parse_whole(head).result == parse_result{parse_state::done, errc::ok, head.size()});
  }
}

TEST_CASE("response_parser_refuses_every_malformed_head_with_its_error") {
  for (const refused_head& each : refused_heads()) {
    const parse_result result = parse_whole(each.head).result;
    CAPTURE(each.head, make_error_code(result.error).message());
    CHECK(result.state == parse_state::failed);
    CHECK(result.error == each.error);
    CHECK(result.consumed <= each.head.size());
  }
}

TEST_CASE("response_parser_judges_each_byte_of_a_reason_and_a_value") {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string text(1, static_cast<char>(byte));
    const bool allowed = byte == '\t' || (byte >= ' ' && byte != 0x7F);
    CAPTURE(byte);
    CHECK(parse_whole(heads::with("HTTP/1.1 200 a" + text + "b", "")).result.error ==
          (allowed ? errc::ok : errc::bad_status_line));
    CHECK(parse_whole(heads::with("HTTP/1.1 200 OK", "X: a" + text + "b\r\n")).result.error ==
          (allowed ? errc::ok : errc::bad_field));
  }
}

TEST_CASE("response_parser_refuses_at_the_byte_that_breaks_the_rule") {
  struct {
    std::string_view head;
    std::size_t consumed;
  } const rows[] = {{"HTTP/1.1 200\nX", 13},
                    {"\r\nHTTP/1.1 200 OK", 2},
                    {"SSH-2.0-OpenSSH_9.2\r\nX", 21},
                    {"\x15\x03\x01", 1}};
  for (const auto& row : rows) {
    CAPTURE(row.head);
    CHECK(parse_whole(row.head).result ==
          parse_result{parse_state::failed, errc::bad_status_line, row.consumed});
  }
}

// H12.
TEST_CASE("response_does_not_depend_on_how_it_was_split") {
  for (const std::string& head : valid_heads()) heads::check_every_split<response_parser>(head);
  for (const refused_head& each : refused_heads()) heads::check_every_split<response_parser>(each.head);
}

TEST_CASE("response_parser_needs_more_on_every_prefix_of_a_valid_head") {
  for (const std::string& head : valid_heads()) {
    for (std::size_t size = 0; size < head.size(); ++size) {
      const parse_result expected{parse_state::need_more, errc::ok, size};
      if (parse_whole(head.substr(0, size)).result != expected) FAIL("prefix of " << size << ":\n" << head);
    }
  }
}

// RFC 9110 section 15.2: a client must be able to read interim responses; but not for ever.
TEST_CASE("interim_responses_are_skipped_up_to_their_limit") {
  for (int count = 0; count <= max_interim_responses; ++count) {
    const heads::outcome whole = parse_whole(interim(count) + heads::upgraded);
    CHECK(whole.result.state == parse_state::done);
    CHECK(whole.head == parse_whole(heads::upgraded).head);
  }
  const std::string over = interim(max_interim_responses + 1);
  CHECK(parse_whole(over + heads::upgraded).result ==
        parse_result{parse_state::failed, errc::head_too_large, over.size()});
}

// H13: three frames behind a 101; R11: a body is not read, and what it is said to be changes nothing.
TEST_CASE("bytes_behind_the_response_are_not_consumed") {
  const std::string refusal = heads::with("HTTP/1.1 200 OK", "Content-Length: 1000000\r\n");
  for (const std::string& head : {heads::upgraded, refusal, interim(1) + refusal}) {
    for (const std::string& behind : {"\x81\x01"s
                                      "a\x81\x01"s
                                      "b\x88\x00"s,
                                      "\r\n"s, std::string(100'000, 'x'), std::string(early_hints), "\0"s}) {
      const heads::outcome whole = parse_whole(head + behind);
      CHECK(whole.result == parse_result{parse_state::done, errc::ok, head.size()});
      CHECK(whole.head == parse_whole(head).head);
      if (behind.size() < 1000) heads::check_every_split<response_parser>(head + behind);
    }
  }
}

TEST_CASE("a_failed_response_parser_stays_failed") {
  for (const auto& [head, error] : refused_heads()) {
    response_parser parser;
    CHECK(heads::feed(parser, head).error == error);
    CHECK(heads::feed(parser, heads::upgraded) == parse_result{parse_state::failed, error, 0});
  }
}

TEST_CASE("a_finished_response_parser_consumes_nothing_more") {
  response_parser parser;
  CHECK(heads::feed(parser, heads::upgraded).state == parse_state::done);
  CHECK(heads::feed(parser, early_hints) == parse_result{parse_state::done, errc::ok, 0});
  CHECK(parser.take().status() == http_status::switching_protocols);
  CHECK(heads::feed(parser, heads::upgraded) == parse_result{parse_state::done, errc::ok, 0});
}

// H27: values of every size around the powers of two, and all of spaces.
TEST_CASE("values_of_a_response_are_read_whole_at_any_size") {
  for (std::size_t power = 1; power <= 4096; power *= 2) {
    for (const std::size_t size : {power - 1, power, power + 1}) {
      for (const char byte : {'x', ' '}) {
        const std::string value(size, byte);
        const response_head head = must_parse(heads::with("HTTP/1.1 404 " + value, "X:" + value + "\r\n"));
        CHECK(head.field("X") == (byte == ' ' ? "" : value));
        CHECK(head.reason() == value);
      }
    }
  }
}
