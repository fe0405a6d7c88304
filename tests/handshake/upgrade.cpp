#include <fairlead/handshake/upgrade.hpp>

#include <handshake/heads.hpp>
#include <support/catch.hpp>

#include <string>

using namespace fairlead;

// RFC 6455 section 4.2.1; TRUST H05, H06, H07, H11, H21, F12.

namespace {

errc fault_of(const std::string& head) { return check_upgrade(heads::must_parse(head)).error; }

std::string upgrade_with(std::string_view from, std::string_view to) {
  return heads::replaced(heads::upgrade, from, to);
}

}  // namespace

TEST_CASE("a_browsers_handshake_is_accepted") {
  const request head = heads::must_parse(
      upgrade_with("Sec-WebSocket-Version", "Sec-WebSocket-Protocol: b, a\r\nSec-WebSocket-Version"));
  CHECK(wants_upgrade(head));
  const upgrade_request upgrade = check_upgrade(head);
  CHECK(upgrade.error == errc::ok);
  CHECK(upgrade.key == "dGhlIHNhbXBsZSBub25jZQ==");
  CHECK(upgrade.subprotocols == std::vector<std::string_view>{"b", "a"});
}

TEST_CASE("a_handshake_may_offer_no_subprotocol") {
  const request head = heads::must_parse(heads::upgrade);
  CHECK(check_upgrade(head).error == errc::ok);
  CHECK(check_upgrade(head).subprotocols.empty());
}

TEST_CASE("tokens_and_names_depend_on_no_case") {
  CHECK(fault_of(upgrade_with("Upgrade: websocket", "UPGRADE: WebSocket")) == errc::ok);
  CHECK(fault_of(upgrade_with("keep-alive, Upgrade", "UPGRADE")) == errc::ok);
  CHECK(fault_of(upgrade_with("Upgrade: websocket", "Upgrade: h2c\r\nUpgrade: other, websocket")) ==
        errc::ok);
  CHECK(fault_of(upgrade_with("keep-alive, Upgrade", "keep-alive\r\nConnection: upgrade")) == errc::ok);
}

TEST_CASE("only_get_is_upgraded") {
  for (const char* method : {"POST ", "HEAD ", "get ", "GETS ", "OPTIONS "}) {
    CHECK(fault_of(upgrade_with("GET ", method)) == errc::method_not_allowed);
  }
}

// H21.
TEST_CASE("both_upgrade_and_connection_must_name_it") {
  for (const char* value : {"", "foo", "h2c", "websockets", "web socket", "websocket/13", "\"websocket\""}) {
    const std::string head = upgrade_with("Upgrade: websocket", std::string("Upgrade: ") + value);
    CHECK(fault_of(head) == errc::upgrade_missing);
    CHECK_FALSE(wants_upgrade(heads::must_parse(head)));
  }
  for (const char* value : {"", "keep-alive", "close", "upgraded", "keep-alive Upgrade"}) {
    CHECK(fault_of(upgrade_with("keep-alive, Upgrade", value)) == errc::upgrade_missing);
  }
  CHECK(fault_of(heads::without_line(heads::upgrade, "Upgrade")) == errc::upgrade_missing);
  CHECK(fault_of(heads::without_line(heads::upgrade, "Connection")) == errc::upgrade_missing);
  CHECK(wants_upgrade(heads::must_parse(heads::without_line(heads::upgrade, "Connection"))));
}

// H07.
TEST_CASE("exactly_one_version_thirteen_is_spoken") {
  for (const char* value :
       {"777", "8", "0", "", "013", "13.0", "13, 8", "13, 13", "13\r\nSec-WebSocket-Version: 13",
        "8\r\nSec-WebSocket-Version: 13", "13\r\nSec-WebSocket-Version: 8"}) {
    CAPTURE(value);
    CHECK(fault_of(upgrade_with("Version: 13", std::string("Version: ") + value)) ==
          errc::bad_websocket_version);
  }
  CHECK(fault_of(heads::without_line(heads::upgrade, "Sec-WebSocket-Version")) ==
        errc::bad_websocket_version);
}

// H06, H27.
TEST_CASE("exactly_one_key_of_sixteen_bytes_is_needed") {
  const std::string key = "dGhlIHNhbXBsZSBub25jZQ==";
  for (const std::string& value :
       {std::string(), std::string("not base64"), std::string("dGhlIHNhbXBsZSBub25j"),
        std::string("dGhlIHNhbXBsZSBub25jZWU="), key + "\r\nSec-WebSocket-Key: " + key, key + ", " + key,
        "bad\r\nSec-WebSocket-Key: " + key, std::string(8000, 'A'), std::string(8000, ' ')}) {
    CHECK(fault_of(upgrade_with(key, value)) == errc::bad_websocket_key);
  }
  CHECK(fault_of(heads::without_line(heads::upgrade, "Sec-WebSocket-Key")) == errc::bad_websocket_key);
}

// H05.
TEST_CASE("a_malformed_subprotocol_list_is_refused_and_nothing_is_returned") {
  const upgrade_request refused = check_upgrade(heads::must_parse(
      upgrade_with("Sec-WebSocket-Version", "Sec-WebSocket-Protocol: a,,b\r\nSec-WebSocket-Version")));
  CHECK(refused.error == errc::bad_subprotocol);
  CHECK(refused.key.empty());
  CHECK(refused.subprotocols.empty());
}

TEST_CASE("extensions_are_handed_on_in_the_order_of_the_client") {
  const request head = heads::must_parse(upgrade_with(
      "Sec-WebSocket-Version",
      "Sec-WebSocket-Extensions: b; c=1\r\nSec-WebSocket-Extensions: a\r\nSec-WebSocket-Version"));
  CHECK(check_upgrade(head).extensions == std::vector<extension>{{"b", {{"c", "1"}}}, {"a", {}}});
  CHECK(check_upgrade(heads::must_parse(heads::upgrade)).extensions.empty());
}

// H04: RFC 6455 section 9.1.
TEST_CASE("malformed_extensions_are_refused_and_nothing_is_returned") {
  const std::string malformed = upgrade_with(
      "Sec-WebSocket-Version",
      "Sec-WebSocket-Protocol: p\r\nSec-WebSocket-Extensions: a; b=\"\\c\r\nSec-WebSocket-Version");
  const upgrade_request refused = check_upgrade(heads::must_parse(malformed));
  CHECK(refused.error == errc::bad_extensions);
  CHECK(refused.key.empty());
  CHECK(refused.subprotocols.empty());
  CHECK(refused.extensions.empty());
}

// F12: hixie-76 has two keys and a body that no field announces; hybi-00 and hybi-10 have other versions.
TEST_CASE("draft_handshakes_are_refused") {
  const std::string hixie =
      heads::with("GET /demo HTTP/1.1",
                  "Host: example.com\r\nConnection: Upgrade\r\n"
                  "Sec-WebSocket-Key2: 12998 5 Y3 1  .P00\r\nUpgrade: WebSocket\r\n"
                  "Sec-WebSocket-Key1: 4 @1  46546xW%0l 1 5\r\nOrigin: http://example.com\r\n");
  CHECK(heads::parse_whole(hixie + "^n:ds[4U").result.consumed == hixie.size());
  CHECK(fault_of(hixie) == errc::bad_websocket_version);
  CHECK(fault_of(upgrade_with("Version: 13", "Version: 8")) == errc::bad_websocket_version);
  CHECK(fault_of(upgrade_with("Sec-WebSocket-Version: 13", "Sec-WebSocket-Draft: 2")) ==
        errc::bad_websocket_version);
}

TEST_CASE("the_first_fault_is_reported") {
  CHECK(check_upgrade(request()).error == errc::method_not_allowed);
  CHECK(fault_of(heads::with("POST / HTTP/1.1")) == errc::method_not_allowed);
  CHECK(fault_of(heads::with("GET / HTTP/1.1")) == errc::upgrade_missing);
  CHECK(fault_of(upgrade_with("Sec-WebSocket-Version",
                              "Sec-WebSocket-Extensions: ;\r\nSec-WebSocket-Protocol: ;\r\n"
                              "Sec-WebSocket-Version")) == errc::bad_subprotocol);
}
