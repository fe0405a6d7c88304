#include <fairlead/errc.hpp>

#include <support/catch.hpp>

#include <cstddef>
#include <set>
#include <string_view>

using namespace fairlead;

TEST_CASE("every_error_has_a_message_of_its_own") {
  for (int value = 1; value <= static_cast<int>(errc::tls_failed); ++value) {
    const std::string message = make_error_code(static_cast<errc>(value)).message();
    if (message == "unknown error") continue;  // a gap in the numbering
    for (int other = 0; other < value; ++other) {
      CHECK(message != make_error_code(static_cast<errc>(other)).message());
    }
  }
  CHECK(make_error_code(errc::bad_argument).message() != "unknown error");
  CHECK(make_error_code(errc::tls_failed).message() != "unknown error");
}

TEST_CASE("every_error_has_a_name_of_its_own_and_what_is_no_error_has_none") {
  std::set<std::string_view> names;
  int errors = 0;
  for (int value = 0; value < 200; ++value) {
    CAPTURE(value);
    const auto e = static_cast<errc>(value);
    const bool exists = make_error_code(e).message() != "unknown error";
    CHECK(name_of(e).empty() != exists);
    if (!exists) continue;
    names.insert(name_of(e));
    ++errors;
  }
  CHECK(names.size() == static_cast<std::size_t>(errors));
  CHECK(name_of(errc::ok) == "ok");
  CHECK(name_of(errc::message_too_big) == "message_too_big");
  CHECK(name_of(errc::tls_failed) == "tls_failed");
}

TEST_CASE("conditions_answer_what_users_ask") {
  const std::error_code masked = errc::mask_missing;
  CHECK(masked == errc_condition::protocol_violation);
  CHECK(masked == errc_condition::disconnected);
  CHECK(masked != errc_condition::handshake_failed);

  CHECK(std::error_code(errc::bad_compression) == errc_condition::protocol_violation);

  const std::error_code too_big = errc::message_too_big;
  CHECK(too_big == errc_condition::limit_exceeded);
  CHECK(too_big != errc_condition::protocol_violation);
  CHECK(std::error_code(errc::byte_rate_exceeded) == errc_condition::limit_exceeded);
  CHECK(std::error_code(errc::byte_rate_exceeded) == errc_condition::disconnected);
  CHECK(std::error_code(errc::authentication_failed) == errc_condition::disconnected);

  CHECK(std::error_code(errc::bad_host) == errc_condition::handshake_failed);
  CHECK(std::error_code(errc::bad_extensions) == errc_condition::handshake_failed);
  CHECK(std::error_code(errc::bad_extension_response) == errc_condition::handshake_failed);
  CHECK(std::error_code(errc::closed) == errc_condition::disconnected);
  CHECK(std::error_code(errc::busy) != errc_condition::disconnected);
  CHECK(std::error_code() != errc_condition::disconnected);
}

// Whatever kept a client from connecting, and none of what happens to a session.
TEST_CASE("every_reason_not_to_connect_is_a_failed_handshake") {
  const int first = static_cast<int>(errc::bad_url);
  const int last = static_cast<int>(errc::tls_failed);
  for (int value = first; value <= last; ++value) {
    const std::error_code ec = static_cast<errc>(value);
    CAPTURE(value);
    CHECK(ec.message() != "unknown error");
    CHECK(ec == errc_condition::handshake_failed);
    CHECK(ec != errc_condition::disconnected);
    CHECK(ec != errc_condition::protocol_violation);
  }
  for (const int beside : {first - 1, last + 1, static_cast<int>(errc::bad_argument)}) {
    CHECK(std::error_code(static_cast<errc>(beside)) != errc_condition::handshake_failed);
  }
  CHECK(std::error_code(errc::bad_request_line) == errc_condition::handshake_failed);
  CHECK(std::error_code(errc::handshake_timeout) == errc_condition::handshake_failed);
}

TEST_CASE("messages_name_the_stage_that_failed") {
  struct {
    errc error;
    const char* words;
  } const rows[] = {
      {errc::bad_url, "URL"},
      {errc::bad_proxy_response, "proxy"},
      {errc::proxy_refused, "proxy"},
      {errc::proxy_authentication_required, "proxy"},
      {errc::resolve_timeout, "name"},
      {errc::connect_timeout, "accept the connection"},
      {errc::proxy_timeout, "proxy"},
      {errc::tls_timeout, "TLS"},
      {errc::proxy_lost, "proxy"},
      {errc::tls_lost, "TLS"},
      {errc::handshake_lost, "before the server answered"},
      {errc::handshake_timeout, "handshake"},
      {errc::certificate_expired, "certificate"},
      {errc::certificate_not_yet_valid, "certificate"},
      {errc::certificate_untrusted, "certificate"},
      {errc::certificate_wrong_host, "certificate"},
      {errc::certificate_revoked, "certificate"},
      {errc::certificate_invalid, "certificate"},
      {errc::certificate_not_pinned, "certificate"},
      {errc::tls_failed, "TLS"},
  };
  for (const auto& row : rows) {
    const std::string message = make_error_code(row.error).message();
    CAPTURE(message);
    CHECK(message.find(row.words) != std::string::npos);
  }
}
