#include <fairlead/handshake/request_parser.hpp>

#include <handshake/heads.hpp>
#include <support/catch.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

using namespace fairlead;
using namespace std::string_literals;

// RFC 9112 sections 2 to 6, read strictly; TRUST H09-H13, H24, H27. What a head may cost: head_limits.cpp.

namespace {

struct refused_head {
  std::string head;
  errc error;
};

const std::vector<std::string>& valid_heads() {
  static const std::vector<std::string> heads = {
      heads::upgrade,
      heads::with("GET / HTTP/1.1"),
      heads::with("OPTIONS /a HTTP/1.1"),
      heads::with("M-SEARCH! / HTTP/1.1"),
      heads::with("GET /caf%C3%A9/%2e%2E?q=%00&r=1+2 HTTP/1.1"),
      heads::with("GET /?filter[room]=a|b HTTP/1.1"),
      heads::with("GET //other.example/x HTTP/1.1"),
      "\r\n" + heads::with("GET / HTTP/1.1"),  // Section 2.2: at least one empty line should be ignored.
      heads::with("GET / HTTP/1.1", "hOsT:a\r\nX:\r\nY: \t \r\nZ:\t a b \t\r\nObs: \x80\xff\r\n"),
      heads::with("GET / HTTP/1.1", "Host: [::1]:0\r\nContent-Length: 0\r\n"),
      heads::with("GET / HTTP/1.1", "Host: a\r\nX: a: b, \"c\"\r\nX: again\r\n"),
  };
  return heads;
}

const std::vector<refused_head>& refused_request_lines() {
  static const std::vector<refused_head> heads = {
      {"\r\n\r\n" + heads::with("GET / HTTP/1.1"), errc::bad_request_line},
      {std::string(20, '\n') + heads::with("GET / HTTP/1.1"), errc::bad_request_line},
      {" " + heads::with("GET / HTTP/1.1"), errc::bad_request_line},
      {heads::with(""), errc::bad_request_line},
      {heads::with("GET"), errc::bad_request_line},
      {heads::with("GET /"), errc::bad_request_line},
      {heads::with("GET / "), errc::bad_request_line},
      {heads::with("GET  / HTTP/1.1"), errc::bad_request_line},
      {heads::with("GET /  HTTP/1.1"), errc::bad_request_line},
      {heads::with("GET / HTTP/1.1 "), errc::bad_request_line},
      {heads::with("GET /a b HTTP/1.1"), errc::bad_request_line},
      {heads::with("GET\t/\tHTTP/1.1"), errc::bad_request_line},
      {heads::with("GET /\ta HTTP/1.1"), errc::bad_request_line},
      {heads::with("G@T / HTTP/1.1"), errc::bad_request_line},
      {heads::with("GET / http/1.1"), errc::bad_request_line},
      {heads::with("GET / HTTP/1.1x"), errc::bad_request_line},
      {heads::with("GET / HTTP/11"), errc::bad_request_line},
      {heads::with("GET / HTTP/a.1"), errc::bad_request_line},
      {heads::with("GET / HTTP/1.a"), errc::bad_request_line},
      {heads::with("GET / HTTP/1,1"), errc::bad_request_line},
      {heads::with("GET / HTTP/1.0"), errc::http_version_not_supported},
      {heads::with("GET / HTTP/1.2"), errc::http_version_not_supported},
      {heads::with("GET / HTTP/0.9"), errc::http_version_not_supported},
      {heads::with("PRI * HTTP/2.0", "") + "SM\r\n\r\n", errc::http_version_not_supported},
      // H24: only the origin form, so that no request says where else to go.
      {heads::with("GET http://a/ HTTP/1.1"), errc::bad_request_line},
      {heads::with("GET ws://a/ HTTP/1.1"), errc::bad_request_line},
      {heads::with("CONNECT a:443 HTTP/1.1"), errc::bad_request_line},
      {heads::with("OPTIONS * HTTP/1.1"), errc::bad_request_line},
      {heads::with("GET chat HTTP/1.1"), errc::bad_request_line},
      {heads::with("GET ?a HTTP/1.1"), errc::bad_request_line},
      {heads::with("GET /#part HTTP/1.1"), errc::bad_request_line},
      {heads::with("GET /\x80 HTTP/1.1"), errc::bad_request_line},
      {heads::with("GET /\x7f HTTP/1.1"), errc::bad_request_line},
      {heads::with("GET /a\0b HTTP/1.1"s), errc::bad_request_line},
      {heads::with("GET /% HTTP/1.1"), errc::bad_request_line},
      {heads::with("GET /%4 HTTP/1.1"), errc::bad_request_line},
      {heads::with("GET /%4g HTTP/1.1"), errc::bad_request_line},
      {heads::with("GET /%g4 HTTP/1.1"), errc::bad_request_line},
      {heads::with("GET /a%00b HTTP/1.1"), errc::bad_request_line},
      {heads::with("GET /?q=100% HTTP/1.1"), errc::bad_request_line},
      {"GET / HTTP/1.1\nHost: a\r\n\r\n", errc::bad_request_line},
      {"GET / HTTP/1.1\rHost: a\r\n\r\n", errc::bad_request_line},
      {"GET / HTTP/1.1\rx\nHost: a\r\n\r\n", errc::bad_request_line},
      {"GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", errc::bad_request_line},
      {"\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", errc::bad_request_line},
      {"\x16\x03\x01\x02", errc::bad_request_line},  // a TLS client
  };
  return heads;
}

std::vector<refused_head> refused_fields() {
  std::vector<refused_head> heads;
  const auto add = [&](errc error, std::string_view lines) {
    heads.push_back({heads::with("GET / HTTP/1.1", lines), error});
  };
  // H11: RFC 9112 sections 2.2, 5.1, 5.2.
  for (const std::string& line : {"X: a\nY: b"s,
                                  "X: a\rb"s,
                                  "X: a\rb\nY: c"s,
                                  "X: a\r"s,
                                  "X: a\r\n folded"s,
                                  "X: a\r\n\tfolded"s,
                                  "X : a"s,
                                  "X\t: a"s,
                                  " X: a"s,
                                  ": a"s,
                                  ":"s,
                                  "X"s,
                                  "X y: a"s,
                                  "(X): a"s,
                                  "X\x80: a"s,
                                  "X: a\0b"s,
                                  "X\0: a"s,
                                  "X: \x01"s,
                                  "X: \x1f"s,
                                  "X: \x7f"s,
                                  "X: \x08"s}) {
    add(errc::bad_field, "Host: a\r\n" + line + "\r\n");
    add(errc::bad_field, line + "\r\nHost: a\r\n");
  }
  // H10: RFC 9112 section 3.2.
  add(errc::bad_host, "");
  add(errc::bad_host, "Host: a\r\nHost: a\r\n");
  add(errc::bad_host, "Host: a\r\nhost: b\r\n");
  for (const char* host :
       {"", "  ", "a b", "[::1", "a:99999", "@", "a@b", "a,b", "a/b", "http://a", "a:", ":80"}) {
    add(errc::bad_host, "Host: "s + host + "\r\n");
  }
  add(errc::bad_field, "Host: a\0b\r\n"s);
  // H09: RFC 9112 section 6.
  for (const char* lines :
       {"Content-Length: 5", "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 0\r\nContent-Length: 0", "Content-Length: 0, 0", "Transfer-Encoding: chunked",
        "Content-Length: 5\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Transfer-Encoding: gzip", "Transfer-Encoding:", "Content-Length: 0\r\ntransfer-encoding: identity",
        "Content-Length:", "Content-Length: -1", "Content-Length: +5", "Content-Length: 0x5",
        "Content-Length: +0", "Content-Length: 00", "content-length: 18446744073709551616"}) {
    add(errc::body_not_allowed, "Host: a\r\n"s + lines + "\r\n");
    add(errc::body_not_allowed, lines + "\r\nHost: a\r\n"s);
  }
  return heads;
}

std::vector<refused_head> all_refused_heads() {
  std::vector<refused_head> heads = refused_fields();
  heads.insert(heads.end(), refused_request_lines().begin(), refused_request_lines().end());
  return heads;
}

}  // namespace

TEST_CASE("parser_reads_method_target_and_fields") {
  const request head = heads::must_parse(heads::upgrade);
  CHECK(head.method() == "GET");
  CHECK(head.target() == "/chat?room=7");
  CHECK(head.host() == "example.com:8000");
  const std::vector<http_field> expected = {{"Host", "example.com:8000"},
                                            {"Upgrade", "websocket"},
                                            {"Connection", "keep-alive, Upgrade"},
                                            {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="},
                                            {"Sec-WebSocket-Version", "13"}};
  CHECK(std::vector<http_field>(head.fields().begin(), head.fields().end()) == expected);
}

TEST_CASE("parser_trims_values_and_keeps_what_is_inside") {
  const request head = heads::must_parse(
      heads::with("GET / HTTP/1.1", "Host: a\r\nX:\t a \tb \t\r\nY:\r\nZ: \t \r\nC: a:b\r\n"));
  CHECK(head.field("X") == "a \tb");
  CHECK(head.field("Y") == "");
  CHECK(head.field("Z") == "");
  CHECK(head.field("C") == "a:b");
}

TEST_CASE("parser_accepts_every_valid_head") {
  for (const std::string& head : valid_heads()) {
    CAPTURE(head);
    CHECK(heads::parse_whole(head).result == parse_result{parse_state::done, errc::ok, head.size()});
  }
}

TEST_CASE("parser_refuses_every_malformed_head_with_its_error") {
  for (const refused_head& each : all_refused_heads()) {
    const parse_result result = heads::parse_whole(each.head).result;
    CAPTURE(each.head, make_error_code(result.error).message());
    CHECK(result.state == parse_state::failed);
    CHECK(result.error == each.error);
    CHECK(result.consumed <= each.head.size());
  }
}

TEST_CASE("parser_refuses_at_the_byte_that_breaks_the_rule") {
  struct {
    std::string_view head;
    std::size_t consumed;
  } const rows[] = {
      {"GET /\n", 6}, {"GET /\ra\r\n", 7}, {"GET /\x01 HTTP/1.1\r\n", 6}, {"GET /\r\nHost: a\r\n", 7}};
  for (const auto& row : rows) {
    CAPTURE(row.head);
    CHECK(heads::parse_whole(row.head).result ==
          parse_result{parse_state::failed, errc::bad_request_line, row.consumed});
  }
}

// H11: no byte but tab, visible ASCII and obs-text is allowed in a value, and the tab alone of the controls.
TEST_CASE("parser_judges_each_byte_of_a_value") {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string head =
        heads::with("GET / HTTP/1.1", "Host: a\r\nX: a" + std::string(1, static_cast<char>(byte)) + "b\r\n");
    const bool allowed = byte == '\t' || (byte >= ' ' && byte != 0x7F);
    CAPTURE(byte);
    CHECK(heads::parse_whole(head).result.error == (allowed ? errc::ok : errc::bad_field));
  }
}

TEST_CASE("parser_refuses_each_forbidden_byte_in_method_and_target") {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string text(1, static_cast<char>(byte));
    CAPTURE(byte);
    const bool visible = byte > ' ' && byte < 0x7F;
    const bool in_target = visible && byte != '#' && byte != '%';
    CHECK((heads::parse_whole(heads::with("GET /a" + text + "b HTTP/1.1")).result.error == errc::ok) ==
          in_target);
    const bool in_method = visible && is_token(text);
    CHECK((heads::parse_whole(heads::with("G" + text + "T / HTTP/1.1")).result.error == errc::ok) ==
          in_method);
  }
}

// H12.
TEST_CASE("result_does_not_depend_on_how_the_head_was_split") {
  for (const std::string& head : valid_heads()) heads::check_every_split(head);
  for (const refused_head& each : all_refused_heads()) heads::check_every_split(each.head);
}

TEST_CASE("parser_needs_more_on_every_prefix_of_a_valid_head") {
  for (const std::string& head : valid_heads()) {
    for (std::size_t size = 0; size < head.size(); ++size) {
      const parse_result expected{parse_state::need_more, errc::ok, size};
      if (heads::parse_whole(head.substr(0, size)).result != expected)
        FAIL("prefix of " << size << ":\n" << head);
    }
  }
}

// H13, and the invalid twin of H08: a second request behind the first is not read either.
TEST_CASE("bytes_behind_the_head_are_not_consumed") {
  for (const std::string& behind : {"\x81\x85mask"s, "\r\n"s, heads::upgrade, "\0"s}) {
    const std::string input = heads::upgrade + behind;
    const heads::outcome whole = heads::parse_whole(input);
    CHECK(whole.result == parse_result{parse_state::done, errc::ok, heads::upgrade.size()});
    CHECK(whole.head == heads::parse_whole(heads::upgrade).head);
    heads::check_every_split(input);
  }
}

TEST_CASE("a_failed_parser_stays_failed") {
  request_parser parser;
  CHECK(heads::feed(parser, "GET /\r\n").error == errc::bad_request_line);
  CHECK(heads::feed(parser, heads::upgrade) == parse_result{parse_state::failed, errc::bad_request_line, 0});
}

TEST_CASE("a_finished_parser_consumes_nothing_more") {
  request_parser parser;
  CHECK(heads::feed(parser, heads::upgrade).state == parse_state::done);
  CHECK(heads::feed(parser, heads::upgrade) == parse_result{parse_state::done, errc::ok, 0});
  CHECK(parser.take().method() == "GET");
  CHECK(heads::feed(parser, heads::upgrade) == parse_result{parse_state::done, errc::ok, 0});
}

TEST_CASE("other_protocols_are_refused_before_their_head_ends") {
  CHECK(heads::parse_whole("SSH-2.0-OpenSSH_9.2\r\n").result.error == errc::bad_request_line);
  CHECK(heads::parse_whole("\x16").result.error == errc::bad_request_line);
}

// H27: values of every size around the powers of two, and all of spaces.
TEST_CASE("values_of_any_size_are_read_whole") {
  for (std::size_t power = 1; power <= 4096; power *= 2) {
    for (const std::size_t size : {power - 1, power, power + 1}) {
      for (const char byte : {'x', ' '}) {
        const std::string value(size, byte);
        const std::string line = "X:" + value + "\r\n";
        const request head = heads::must_parse(heads::with("GET / HTTP/1.1", "Host: a\r\n" + line));
        CHECK(head.field("X") == (byte == ' ' ? "" : value));
      }
      if (size > 0) {
        const std::string name(size, 'h');
        CHECK(heads::must_parse(heads::with("GET / HTTP/1.1", "Host: " + name + "\r\n")).host() == name);
      }
    }
  }
}

TEST_CASE("a_parser_is_small_while_it_waits") { CHECK(sizeof(request_parser) <= 64); }
