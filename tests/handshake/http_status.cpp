#include <fairlead/handshake/http_status.hpp>

#include <support/catch.hpp>

#include <string>
#include <system_error>

using namespace fairlead;

TEST_CASE("every_status_has_a_reason_and_others_have_none") {
  int known = 0;
  for (int number = 100; number < 600; ++number) {
    if (!reason_phrase(static_cast<http_status>(number)).empty()) ++known;
  }
  CHECK(known == 25);
  CHECK(reason_phrase(http_status::no_content) == "No Content");
  CHECK(reason_phrase(http_status::found) == "Found");
  CHECK(reason_phrase(http_status::proxy_authentication_required) == "Proxy Authentication Required");
  CHECK(reason_phrase(http_status::gateway_timeout) == "Gateway Timeout");
  CHECK(reason_phrase(http_status::switching_protocols) == "Switching Protocols");
  CHECK(reason_phrase(http_status::request_header_fields_too_large) == "Request Header Fields Too Large");
  CHECK(reason_phrase(static_cast<http_status>(418)).empty());
}

TEST_CASE("each_status_has_the_number_of_its_name") {
  struct {
    http_status status;
    int number;
  } const rows[] = {
      {http_status::no_content, 204},
      {http_status::moved_permanently, 301},
      {http_status::found, 302},
      {http_status::see_other, 303},
      {http_status::temporary_redirect, 307},
      {http_status::permanent_redirect, 308},
      {http_status::proxy_authentication_required, 407},
      {http_status::request_timeout, 408},
      {http_status::gone, 410},
      {http_status::bad_gateway, 502},
      {http_status::gateway_timeout, 504},
  };
  for (const auto& row : rows) CHECK(static_cast<int>(row.status) == row.number);
}

TEST_CASE("a_status_is_an_error_that_says_what_the_server_answered") {
  const std::error_code ec = http_status::forbidden;
  CHECK(ec);
  CHECK(ec.value() == 403);
  CHECK(ec.category() == http_status_category());
  CHECK(std::string(ec.category().name()) == "fairlead.http");
  CHECK(ec.message() == "the server answered 403 Forbidden");
  CHECK(std::error_code(static_cast<http_status>(418)).message() == "the server answered 418");
  CHECK(ec == http_status::forbidden);
  CHECK(ec != http_status::unauthorized);
}

TEST_CASE("a_status_is_no_errc_of_the_same_number") {
  const auto number = static_cast<int>(errc::handshake_lost);
  CHECK(std::error_code(static_cast<http_status>(number)) != errc::handshake_lost);
  CHECK(make_error_code(errc::bad_url).category() != http_status_category());
}

TEST_CASE("every_status_is_a_failed_handshake_and_nothing_else") {
  for (int number = 100; number < 600; ++number) {
    const std::error_code ec = static_cast<http_status>(number);
    CAPTURE(number);
    CHECK(ec.message().starts_with("the server answered " + std::to_string(number)));
    CHECK(ec == errc_condition::handshake_failed);
    CHECK(ec != errc_condition::disconnected);
    CHECK(ec != errc_condition::protocol_violation);
    CHECK(ec != errc_condition::limit_exceeded);
  }
}

// DESIGN section 6; TRUST H01, H06, H07, H11.
TEST_CASE("each_fault_of_a_request_has_its_status") {
  struct {
    errc error;
    int status;
  } const rows[] = {
      {errc::bad_request_line, 400},
      {errc::bad_field, 400},
      {errc::head_too_large, 431},
      {errc::method_not_allowed, 405},
      {errc::bad_host, 400},
      {errc::http_version_not_supported, 505},
      {errc::body_not_allowed, 400},
      {errc::upgrade_missing, 426},
      {errc::bad_websocket_key, 400},
      {errc::bad_websocket_version, 426},
      {errc::bad_subprotocol, 400},
      {errc::bad_extensions, 400},
      {errc::bad_extension_response, 500},
      {errc::closed, 500},
      {errc::bad_argument, 500},
  };
  for (const auto& row : rows) {
    CAPTURE(make_error_code(row.error).message());
    CHECK(static_cast<int>(status_of(row.error)) == row.status);
  }
}
