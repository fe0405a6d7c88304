#include <fairlead/handshake/url.hpp>

#include <support/catch.hpp>

#include <string>

using namespace fairlead;
using namespace std::string_literals;

// RFC 6455 section 3, RFC 3986 section 3; TRUST H16.

namespace {

url must_parse(std::string_view text) {
  const parsed_url parsed = parse_url(text);
  CAPTURE(text, make_error_code(parsed.error).message());
  REQUIRE(parsed.error == errc::ok);
  return parsed.value;
}

void check_refused(std::string_view text) {
  const parsed_url parsed = parse_url(text);
  CAPTURE(text);
  CHECK(parsed.error == errc::bad_url);
  CHECK(parsed.value == url{});
}

}  // namespace

TEST_CASE("url_is_taken_apart") {
  struct {
    std::string_view text;
    url expected;
  } const rows[] = {
      {"ws://example.com", {false, "example.com", 80, "", "/"}},
      {"wss://example.com", {true, "example.com", 443, "", "/"}},
      {"ws://example.com/", {false, "example.com", 80, "", "/"}},
      {"ws://example.com:8080/chat?room=7", {false, "example.com", 8080, "", "/chat?room=7"}},
      {"wss://example.com:1?room=7", {true, "example.com", 1, "", "/?room=7"}},
      {"ws://a:65535?", {false, "a", 65535, "", "/?"}},
      {"ws://127.0.0.1:09", {false, "127.0.0.1", 9, "", "/"}},
      {"wss://[::1]", {true, "::1", 443, "", "/"}},
      {"ws://[2001:DB8::A]:81/x", {false, "2001:db8::a", 81, "", "/x"}},
      {"ws://a_b~c-d.e/", {false, "a_b~c-d.e", 80, "", "/"}},
      {"ws://a//b:1/@?c/d?e:f", {false, "a", 80, "", "//b:1/@?c/d?e:f"}},
      {"ws://a/caf%C3%A9?q=%00|[x]", {false, "a", 80, "", "/caf%C3%A9?q=%00|[x]"}},
      {"ws+unix:/run/chat.sock", {false, "", 80, "/run/chat.sock", "/"}},
      {"wss+unix:/run/chat.sock", {true, "", 443, "/run/chat.sock", "/"}},
      {"ws+unix:///run/chat.sock", {false, "", 80, "/run/chat.sock", "/"}},
      {"ws+unix:/run/chat.sock:/room:7?a:b", {false, "", 80, "/run/chat.sock", "/room:7?a:b"}},
      {"ws+unix:///run/chat.sock:/", {false, "", 80, "/run/chat.sock", "/"}},
      {"ws+unix:/run/a%20b%3Ac%3F%2fd", {false, "", 80, "/run/a b:c?/d", "/"}},
  };
  for (const auto& row : rows) {
    CAPTURE(row.text);
    CHECK(must_parse(row.text) == row.expected);
  }
}

TEST_CASE("scheme_and_host_do_not_depend_on_case_but_the_rest_does") {
  CHECK(must_parse("WsS://EXAMPLE.Com:443/Chat?Room") == must_parse("wss://example.com/Chat?Room"));
  CHECK(must_parse("wss://a/Chat") != must_parse("wss://a/chat"));
  CHECK(must_parse("WS+Unix:/Run/S:/X") == url{false, "", 80, "/Run/S", "/X"});
}

TEST_CASE("url_without_scheme_or_with_another_is_refused") {
  for (const char* text :
       {"",         ":",         "ws",          "ws:",      "ws:/",       "ws://",
        "//a",      "a",         "example.com", "http://a", "https://a",  "wsss://a",
        "ws ://a",  " ws://a",   "ws:a",        "ws:/a",    "ws:\\\\a",   "ws;//a",
        "ws%3A//a", "file:///a", "unix:/a",     "ws+unix",  "ws+tcp://a", "http+unix:/a"}) {
    check_refused(text);
  }
}

// RFC 6455 section 3: "Fragment identifiers are meaningless in the context of WebSocket URIs and MUST NOT be
// used on these URIs."
TEST_CASE("fragment_is_refused") {
  for (const char* text :
       {"ws://a#", "ws://a/#b", "ws://a/b?c#d", "ws://a?#", "ws+unix:/s#a", "ws+unix:/s:/#a"})
    check_refused(text);
  CHECK(must_parse("ws://a/%23").target == "/%23");
}

TEST_CASE("user_information_is_refused") {
  for (const char* text :
       {"ws://user@a", "ws://user:secret@a/", "ws://@a", "ws://:@a", "ws://user:80@a:80/", "ws://a%40b"}) {
    check_refused(text);
  }
}

TEST_CASE("host_that_is_none_is_refused") {
  for (const char* text :
       {"ws:///", "ws:///path", "ws://:80", "ws://?q", "ws://a b/", "ws://a,b", "ws://a\\b", "ws://[",
        "ws://[]", "ws://[::1", "ws://::1", "ws://[::1]x", "ws://[fe80::1%25eth0]/", "ws://[1.2.3.4]",
        "ws://[v1.a]", "ws://caf\xc3\xa9/", "ws://a%2eb/", "ws://a*/", "ws://a:b:1/"}) {
    check_refused(text);
  }
}

TEST_CASE("port_is_1_to_65535") {
  CHECK(must_parse("ws://a:1").port == 1);
  CHECK(must_parse("ws://a:65535").port == 65535);
  for (const char* port : {"", "0", "00000", "65536", "99999", "000080", "-1", "+1", "8x", "0x50", " 80"}) {
    check_refused("ws://a:"s + port);
    check_refused("wss://[::1]:"s + port + "/");
  }
}

// H16: nothing that could end a request line, or mean something else in it.
TEST_CASE("target_holds_only_what_can_stand_in_a_request_line") {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string text(1, static_cast<char>(byte));
    const bool allowed = byte > ' ' && byte < 0x7F && byte != '#' && byte != '%';
    CAPTURE(byte);
    CHECK((parse_url("ws://a/" + text + "b").error == errc::ok) == allowed);
    CHECK((parse_url("ws://a/?" + text + "b").error == errc::ok) == allowed);
    CHECK((parse_url("ws+unix:/s:/" + text + "b").error == errc::ok) == allowed);
    // In the socket's path a colon ends it, and a query has no place.
    CHECK((parse_url("ws+unix:/s" + text + "/b").error == errc::ok) == (allowed && byte != '?'));
  }
  for (const char* bad : {"%", "%4", "%4g", "%g4", "%%41"}) {
    check_refused("ws://a/"s + bad);
    check_refused("ws://a/?"s + bad);
    check_refused("ws+unix:/"s + bad);
    check_refused("ws+unix:/s:/"s + bad);
  }
  check_refused("ws://a/ HTTP/1.1\r\nX: y");
  check_refused("ws://a/b ");
}

TEST_CASE("local_path_is_absolute_and_whole") {
  for (const char* text :
       {"ws+unix:", "ws+unix:s", "ws+unix:./s", "ws+unix://", "ws+unix://s", "ws+unix://localhost/s",
        "ws+unix:////s", "ws+unix::/x", "ws+unix:/s:", "ws+unix:/s:x", "ws+unix:/s:?q", "ws+unix:/s?q",
        "ws+unix:/s?q:/x", "ws+unix:/s%00/x"}) {
    check_refused(text);
  }
}

// RFC 6455 section 4.1: "the /host/ plus optionally ":" followed by /port/ (when not using the default port)".
TEST_CASE("host_field_names_the_port_unless_it_is_the_schemes_own") {
  struct {
    std::string_view text, host_field, authority;
  } const rows[] = {
      {"ws://Example.com", "example.com", "example.com:80"},
      {"ws://a:80", "a", "a:80"},
      {"ws://a:443", "a:443", "a:443"},
      {"wss://a:443", "a", "a:443"},
      {"wss://a:80", "a:80", "a:80"},
      {"ws://[::1]", "[::1]", "[::1]:80"},
      {"wss://[::1]:8443", "[::1]:8443", "[::1]:8443"},
  };
  for (const auto& row : rows) {
    const url parsed = must_parse(row.text);
    CAPTURE(row.text);
    CHECK(parsed.host_field() == row.host_field);
    CHECK(parsed.authority() == row.authority);
  }
  CHECK(must_parse("ws+unix:/s").host_field() == "localhost");
  CHECK(must_parse("wss+unix:/s").host_field() == "localhost");
}
