#include <fairlead/handshake/client_request.hpp>

#include <fairlead/handshake/permessage_deflate.hpp>
#include <fairlead/handshake/upgrade.hpp>
#include <fairlead/handshake/url.hpp>
#include <handshake/heads.hpp>
#include <support/catch.hpp>

#include <string>
#include <vector>

using namespace fairlead;
using namespace std::string_literals;

// RFC 6455 section 4.1, RFC 9110 section 9.3.6; TRUST H16.

namespace {

constexpr std::string_view sample_key = "dGhlIHNhbXBsZSBub25jZQ==";

upgrade_offer plain_offer() {
  upgrade_offer offer;
  offer.target = "/chat?room=7";
  offer.host = "example.com:8000";
  offer.key = sample_key;
  return offer;
}

errc error_with(std::string name, std::string value) {
  const header_field fields[] = {{std::move(name), std::move(value)}};
  upgrade_offer offer = plain_offer();
  offer.fields = fields;
  const encoded_request upgrade = encode_upgrade_request(offer);
  const encoded_request tunnel = encode_connect_request("a:443", fields);
  CHECK(upgrade.bytes.empty() == (upgrade.error != errc::ok));
  CHECK(tunnel.bytes.empty() == (tunnel.error != errc::ok));
  CHECK(upgrade.error == tunnel.error);
  return upgrade.error;
}

errc error_with_subprotocols(const std::vector<std::string>& names) {
  upgrade_offer offer = plain_offer();
  offer.subprotocols = names;
  return encode_upgrade_request(offer).error;
}

}  // namespace

TEST_CASE("the_request_is_written_as_the_rfc_demands") {
  const std::string subprotocols[] = {"chat", "superchat"};
  const header_field fields[] = {{"Origin", "http://example.com"}, {"Authorization", "Bearer a.b"}};
  upgrade_offer offer = plain_offer();
  offer.subprotocols = subprotocols;
  offer.extensions = "permessage-deflate; client_max_window_bits";
  offer.fields = fields;
  CHECK(encode_upgrade_request(offer).bytes ==
        "GET /chat?room=7 HTTP/1.1\r\n"
        "Host: example.com:8000\r\n"
        "Upgrade: websocket\r\n"
        "Connection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Sec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Protocol: chat, superchat\r\n"
        "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
        "Origin: http://example.com\r\n"
        "Authorization: Bearer a.b\r\n"
        "\r\n");
}

TEST_CASE("what_is_not_offered_is_not_named") {
  const encoded_request encoded = encode_upgrade_request(plain_offer());
  CHECK(encoded.error == errc::ok);
  CHECK(encoded.bytes.find("Protocol") == std::string::npos);
  CHECK(encoded.bytes.find("Extensions") == std::string::npos);
}

TEST_CASE("our_server_accepts_what_our_client_asks") {
  const std::string subprotocols[] = {"chat", "superchat"};
  const std::string extensions = offer_deflate({.enabled = true});
  for (const char* text : {"ws://example.com", "wss://[::1]:8443/a%20b?c", "ws+unix:/run/s:/x"}) {
    const url where = parse_url(text).value;
    const std::string host = where.host_field();
    const upgrade_offer offer{where.target, host, sample_key, subprotocols, extensions, {}};
    const encoded_request encoded = encode_upgrade_request(offer);
    CAPTURE(text);
    REQUIRE(encoded.error == errc::ok);
    const request head = heads::must_parse(encoded.bytes);
    CHECK(head.target() == where.target);
    CHECK(head.host() == host);
    const upgrade_request upgrade = check_upgrade(head);
    CHECK(upgrade.error == errc::ok);
    CHECK(upgrade.key == sample_key);
    CHECK(upgrade.subprotocols == std::vector<std::string_view>{"chat", "superchat"});
    CHECK(upgrade.extensions.size() == 1);
  }
}

// H16: path with CR LF in client.
TEST_CASE("no_target_can_end_the_request_line") {
  upgrade_offer offer = plain_offer();
  for (const std::string& target : {""s, "*"s, "chat"s, "?q"s, "http://a/"s, "/a b"s, "/a\r\nX: y"s, "/a\n"s,
                                    "/\0"s, "/\t"s, "/\x7f"s, "/caf\xc3\xa9"s, "/#a"s, "/%"s, "/%4g"s}) {
    offer.target = target;
    CAPTURE(target);
    CHECK(encode_upgrade_request(offer).error == errc::bad_argument);
    CHECK(encode_upgrade_request(offer).bytes.empty());
  }
  offer.target = "/";
  CHECK(encode_upgrade_request(offer).error == errc::ok);
}

TEST_CASE("a_host_or_key_that_is_none_is_refused") {
  for (const char* host : {"", "a b", "a\r\nX: y", "a@b", "[::1", "a:65536", "http://a"}) {
    upgrade_offer offer = plain_offer();
    offer.host = host;
    CHECK(encode_upgrade_request(offer).error == errc::bad_argument);
  }
  for (const char* key :
       {"", "a", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZR==", "dGhlIHNhbXBs\r\n"}) {
    upgrade_offer offer = plain_offer();
    offer.key = key;
    CHECK(encode_upgrade_request(offer).error == errc::bad_argument);
  }
  upgrade_offer offer = plain_offer();
  offer.extensions = "a\r\nX: y";
  CHECK(encode_upgrade_request(offer).error == errc::bad_argument);
}

// RFC 6455 section 4.1: "non-empty strings [...] and MUST all be unique strings".
TEST_CASE("subprotocols_are_different_tokens") {
  CHECK(error_with_subprotocols({}) == errc::ok);
  CHECK(error_with_subprotocols({"a", "A", "b"}) == errc::ok);
  for (const std::vector<std::string>& names : std::vector<std::vector<std::string>>{{""},
                                                                                     {"a", "a"},
                                                                                     {"a", "b", "a"},
                                                                                     {"a b"},
                                                                                     {"a,b"},
                                                                                     {"a\r\nX: y"},
                                                                                     {"a", ""},
                                                                                     {std::string("a\0", 2)},
                                                                                     {"caf\xc3\xa9"}}) {
    CHECK(error_with_subprotocols(names) == errc::bad_argument);
  }
}

// H16.
TEST_CASE("no_field_of_a_request_can_end_its_line") {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string text(1, static_cast<char>(byte));
    CAPTURE(byte);
    const bool in_value = byte == '\t' || (byte >= ' ' && byte != 0x7F);
    CHECK(error_with("X", "a" + text + "b") == (in_value ? errc::ok : errc::bad_argument));
    CHECK(error_with("X" + text, "a") == (is_token(text) ? errc::ok : errc::bad_argument));
  }
  CHECK(error_with("", "a") == errc::bad_argument);
  CHECK(error_with("X", "") == errc::ok);
}

TEST_CASE("fields_that_fairlead_writes_are_not_the_callers") {
  for (const char* name :
       {"Host", "hOST", "Upgrade", "Connection", "connection", "Sec-WebSocket-Key", "Sec-WebSocket-Version",
        "Sec-WebSocket-Protocol", "sec-websocket-extensions", "Sec-WebSocket-Accept", "Sec-WebSocket-",
        "SEC-WEBSOCKET-ANYTHING", "Content-Length", "transfer-encoding"}) {
    CAPTURE(name);
    CHECK(error_with(name, "1") == errc::bad_argument);
  }
  for (const char* name : {"Hosts", "X-Host", "Origin", "Cookie", "User-Agent", "Sec-WebSocket",
                           "Sec-Fetch-Mode", "Proxy-Authorization", "Content-Lengths"}) {
    CAPTURE(name);
    CHECK(error_with(name, "1") == errc::ok);
  }
}

TEST_CASE("one_bad_field_among_good_ones_is_enough") {
  const header_field fields[] = {{"A", "1"}, {"B", "2\r\n"}, {"C", "3"}};
  upgrade_offer offer = plain_offer();
  offer.fields = fields;
  CHECK(encode_upgrade_request(offer).error == errc::bad_argument);
  CHECK(encode_connect_request("a:1", fields).error == errc::bad_argument);
  offer.fields = std::span(fields).first(1);
  CHECK(encode_upgrade_request(offer).error == errc::ok);
}

TEST_CASE("a_proxy_is_asked_for_a_tunnel_to_host_and_port") {
  const header_field fields[] = {{"Proxy-Authorization", "Basic YTpi"}};
  CHECK(encode_connect_request("example.com:443", fields).bytes ==
        "CONNECT example.com:443 HTTP/1.1\r\n"
        "Host: example.com:443\r\n"
        "Proxy-Authorization: Basic YTpi\r\n"
        "\r\n");
  CHECK(encode_connect_request("[::1]:80").bytes == "CONNECT [::1]:80 HTTP/1.1\r\nHost: [::1]:80\r\n\r\n");
}

// RFC 9110 section 9.3.6: "A server MUST reject a CONNECT request that targets an empty or invalid port
// number".
TEST_CASE("a_tunnel_needs_a_host_and_a_port") {
  for (const char* authority : {"", "a", "a:", ":80", "a:0", "a:00000", "a:65536", "[::1]", "[::1]:",
                                "[::1]:0", "::1", "a b:80", "a:80\r\nX: y", "a@b:80", "http://a:80", "/"}) {
    const encoded_request encoded = encode_connect_request(authority);
    CAPTURE(authority);
    CHECK(encoded.error == errc::bad_argument);
    CHECK(encoded.bytes.empty());
  }
  CHECK(encode_connect_request("a:1").error == errc::ok);
  CHECK(encode_connect_request("a:65535").error == errc::ok);
  CHECK(encode_connect_request("[::]:10").error == errc::ok);
}
