#include <fairlead/handshake/http_status.hpp>

#include <support/catch.hpp>

using namespace fairlead;

TEST_CASE("every_status_has_a_reason_and_others_have_none") {
  int known = 0;
  for (int number = 100; number < 600; ++number) {
    if (!reason_phrase(static_cast<http_status>(number)).empty()) ++known;
  }
  CHECK(known == 25);
  CHECK(reason_phrase(http_status::switching_protocols) == "Switching Protocols");
  CHECK(reason_phrase(http_status::request_header_fields_too_large) == "Request Header Fields Too Large");
  CHECK(reason_phrase(static_cast<http_status>(418)).empty());
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
