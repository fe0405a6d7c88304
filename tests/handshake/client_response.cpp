#include <fairlead/handshake/client_response.hpp>

#include <fairlead/handshake/response.hpp>
#include <fairlead/handshake/upgrade.hpp>
#include <handshake/heads.hpp>
#include <support/catch.hpp>

#include <string>
#include <system_error>

using namespace fairlead;
using namespace std::string_literals;

// RFC 6455 section 4.1, what the client MUST validate in the server's response; TRUST H03, H17, H20.

namespace {

const std::string offered_subprotocols[] = {"chat", "superchat"};
constexpr deflate_options no_deflate{};
constexpr deflate_options with_deflate{.enabled = true};

upgrade_offer sample_offer() {
  upgrade_offer offer;
  offer.host = "example.com";
  offer.key = "dGhlIHNhbXBsZSBub25jZQ==";
  offer.subprotocols = offered_subprotocols;
  return offer;
}

/// What came out, with views that outlive the head.
struct answer {
  std::error_code error;
  std::string subprotocol;
  std::optional<deflate_params> deflate;
};

answer check(const std::string& head, const deflate_options& options = no_deflate,
             const upgrade_offer& offer = sample_offer()) {
  const response_head parsed = heads::must_parse<response_parser>(head);
  const upgrade_agreement agreed = check_upgrade_response(parsed, offer, options);
  if (agreed.error) {
    CHECK(agreed.subprotocol.empty());
    CHECK_FALSE(agreed.deflate);
    CHECK(agreed.error == errc_condition::handshake_failed);
  }
  return {agreed.error, std::string(agreed.subprotocol), agreed.deflate};
}

/// The sample's answer with these lines more.
std::string with_lines(const std::string& lines) {
  return heads::replaced(heads::upgraded, "\r\n\r\n", "\r\n" + lines + "\r\n\r\n");
}

/// The sample's answer with another line in the place of that field.
std::string with_instead(std::string_view name, const std::string& line) {
  const std::string rest = heads::without_line(heads::upgraded, name);
  return line.empty() ? rest : heads::replaced(rest, "\r\n\r\n", "\r\n" + line + "\r\n\r\n");
}

void check_fails(const std::string& head, std::error_code error,
                 const deflate_options& options = no_deflate) {
  CAPTURE(head);
  CHECK(check(head, options).error == error);
}

}  // namespace

TEST_CASE("the_answer_of_the_rfc_is_accepted") {
  const answer plain = check(heads::upgraded);
  CHECK_FALSE(plain.error);
  CHECK(plain.subprotocol.empty());
  CHECK_FALSE(plain.deflate);
  const answer chat = check(with_lines("Sec-WebSocket-Protocol: chat"));
  CHECK_FALSE(chat.error);
  CHECK(chat.subprotocol == "chat");
}

TEST_CASE("our_client_accepts_what_our_server_answers") {
  const std::string extensions = offer_deflate(with_deflate);
  upgrade_offer offer = sample_offer();
  offer.extensions = extensions;
  const request asked = heads::must_parse(encode_upgrade_request(offer).bytes);
  const upgrade_request upgrade = check_upgrade(asked);
  const auto deflate = accept_deflate(upgrade.extensions, with_deflate);
  REQUIRE(deflate);
  response answered = upgrade_response(upgrade.key, upgrade.subprotocols[1]);
  answered.add("Sec-WebSocket-Extensions", deflate->response);
  const answer agreed = check(encode(answered).bytes, with_deflate, offer);
  CHECK_FALSE(agreed.error);
  CHECK(agreed.subprotocol == "superchat");
  CHECK(agreed.deflate == deflate->params);
}

// Item 1; H17: status 200. Even one that has all the fields.
TEST_CASE("any_other_status_is_the_error") {
  for (const int number : {200, 204, 301, 400, 401, 403, 404, 407, 426, 429, 431, 499, 500, 503, 599}) {
    const std::string head = heads::replaced(heads::upgraded, "101", std::to_string(number));
    check_fails(head, static_cast<http_status>(number));
  }
  const answer busy = check(heads::with("HTTP/1.1 429 Too Many Requests", ""));
  CHECK(busy.error == http_status::too_many_requests);
  CHECK(busy.error.message() == "the server answered 429 Too Many Requests");
}

// Item 2; H17: Upgrade token missing.
TEST_CASE("upgrade_is_websocket_and_nothing_else") {
  for (const char* line : {"", "Upgrade: ", "Upgrade: h2c", "Upgrade: websockets", "Upgrade: web socket",
                           "Upgrade: websocket/13", "Upgrade: websocket, h2c", "Upgrade: h2c, websocket",
                           "Upgrade: websocket\r\nUpgrade: websocket", "Upgrade: websocket\r\nUpgrade: h2c",
                           "Upgrades: websocket"}) {
    check_fails(with_instead("Upgrade", line), errc::upgrade_missing);
  }
  CHECK_FALSE(check(with_instead("Upgrade", "uPGRADE: WebSocket")).error);
}

// Item 3.
TEST_CASE("connection_lists_upgrade") {
  for (const char* line : {"", "Connection: ", "Connection: close", "Connection: Upgrades",
                           "Connection: keep-alive", "Connection: Up grade", "Connection: \"Upgrade\""}) {
    check_fails(with_instead("Connection", line), errc::upgrade_missing);
  }
  for (const char* line : {"connection: UPGRADE", "Connection: keep-alive, Upgrade",
                           "Connection: keep-alive\r\nConnection: upgrade", "Connection: ,upgrade,"}) {
    CHECK_FALSE(check(with_instead("Connection", line)).error);
  }
}

// Item 4; H17: wrong or missing Accept.
TEST_CASE("accept_is_the_answer_to_this_key") {
  const std::string right = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
  for (const std::string& value : {""s, right.substr(0, 27), right + "=", "S3pPLMBiTxaQ9kYGzzhZRbK+xOo="s,
                                   "s3pPLMBiTxaQ9kYGzzhZRbK+xOp="s, "s3pPLMBiTxaQ9kYGzzhZRbK-xOo="s,
                                   "\"" + right + "\"", right + ", " + right, "dGhlIHNhbXBsZSBub25jZQ=="s}) {
    check_fails(with_instead("Sec-WebSocket-Accept", "Sec-WebSocket-Accept: " + value), errc::bad_accept_key);
  }
  check_fails(with_instead("Sec-WebSocket-Accept", ""), errc::bad_accept_key);
  check_fails(with_lines("Sec-WebSocket-Accept: " + right), errc::bad_accept_key);
  // "but ignoring any leading and trailing whitespace"
  CHECK_FALSE(check(with_instead("Sec-WebSocket-Accept", "Sec-WebSocket-Accept:\t " + right + " \t")).error);

  upgrade_offer other = sample_offer();
  other.key = "AAAAAAAAAAAAAAAAAAAAAA==";
  CHECK(check(heads::upgraded, no_deflate, other).error == errc::bad_accept_key);
}

// Item 5; H17: unoffered extension; H20.
TEST_CASE("extensions_are_among_the_offered") {
  const auto with_extensions = [](const std::string& value) {
    return with_lines("Sec-WebSocket-Extensions: " + value);
  };
  check_fails(with_extensions("permessage-deflate"), errc::bad_extension_response);
  check_fails(with_extensions("x-unknown"), errc::bad_extension_response);
  check_fails(with_extensions("x-unknown"), errc::bad_extension_response, with_deflate);
  check_fails(with_extensions("permessage-deflate; server_max_window_bits=16"), errc::bad_extension_response,
              with_deflate);
  for (const char* value : {"", ",", "a b", "a;", "a; b=", "a; b=\"c"}) {
    check_fails(with_extensions(value), errc::bad_extensions, with_deflate);
  }
  const answer agreed = check(with_extensions("permessage-deflate; server_no_context_takeover; "
                                              "client_no_context_takeover"),
                              with_deflate);
  CHECK_FALSE(agreed.error);
  CHECK(agreed.deflate == deflate_params{true, true, max_window_bits, max_window_bits});
  const answer declined = check(heads::upgraded, with_deflate);
  CHECK_FALSE(declined.error);
  CHECK_FALSE(declined.deflate);
}

// Item 6; H17: unoffered sub-protocol, two fields.
TEST_CASE("subprotocol_is_one_of_the_offered_or_none") {
  const auto with_subprotocol = [](const std::string& value) {
    return with_lines("Sec-WebSocket-Protocol: " + value);
  };
  for (const char* value :
       {"", "other", "Chat", "chat, superchat", "chat,", "\"chat\"", "superchat2",
        "chat\r\nSec-WebSocket-Protocol: chat", "chat\r\nSec-WebSocket-Protocol: superchat"}) {
    check_fails(with_subprotocol(value), errc::bad_subprotocol);
  }
  CHECK(check(with_subprotocol("superchat")).subprotocol == "superchat");

  upgrade_offer none = sample_offer();
  none.subprotocols = {};
  CHECK(check(with_subprotocol("chat"), no_deflate, none).error == errc::bad_subprotocol);
  CHECK(check(with_subprotocol(""), no_deflate, none).error == errc::bad_subprotocol);
  CHECK_FALSE(check(heads::upgraded, no_deflate, none).error);
}

TEST_CASE("the_first_fault_is_the_one_reported") {
  const std::string faults = "Sec-WebSocket-Extensions: x\r\nSec-WebSocket-Protocol: other";
  const std::string both = with_lines(faults);
  check_fails(both, errc::bad_extension_response);
  check_fails(heads::replaced(both, "s3p", "xxx"), errc::bad_accept_key);
  check_fails(heads::replaced(heads::replaced(both, "s3p", "xxx"), "websocket", "h2c"),
              errc::upgrade_missing);
  check_fails(heads::replaced(both, "101", "403"), http_status::forbidden);
}

// RFC 9112 section 6.3: a 1xx ends with its empty line, whatever its fields announce.
TEST_CASE("fields_that_announce_a_body_mean_nothing_in_a_101") {
  CHECK_FALSE(check(with_lines("Content-Length: 0")).error);
  CHECK_FALSE(check(with_lines("Content-Length: 5\r\nTransfer-Encoding: chunked")).error);
}

TEST_CASE("an_empty_head_is_no_upgrade") {
  CHECK(check_upgrade_response({}, sample_offer(), no_deflate).error == errc::upgrade_missing);
}
