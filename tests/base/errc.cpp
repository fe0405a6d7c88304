#include <fairlead/errc.hpp>

#include <support/catch.hpp>

using namespace fairlead;

TEST_CASE("every_error_has_a_message_of_its_own") {
  for (int value = 1; value <= static_cast<int>(errc::bad_argument); ++value) {
    const std::string message = make_error_code(static_cast<errc>(value)).message();
    if (message == "unknown error") continue;  // a gap in the numbering
    for (int other = 0; other < value; ++other) {
      CHECK(message != make_error_code(static_cast<errc>(other)).message());
    }
  }
  CHECK(make_error_code(errc::bad_argument).message() != "unknown error");
}

TEST_CASE("conditions_answer_what_users_ask") {
  const std::error_code masked = errc::mask_missing;
  CHECK(masked == errc_condition::protocol_violation);
  CHECK(masked == errc_condition::disconnected);
  CHECK(masked != errc_condition::handshake_failed);

  const std::error_code too_big = errc::message_too_big;
  CHECK(too_big == errc_condition::limit_exceeded);
  CHECK(too_big != errc_condition::protocol_violation);

  CHECK(std::error_code(errc::bad_host) == errc_condition::handshake_failed);
  CHECK(std::error_code(errc::bad_extensions) == errc_condition::handshake_failed);
  CHECK(std::error_code(errc::bad_extension_response) == errc_condition::handshake_failed);
  CHECK(std::error_code(errc::closed) == errc_condition::disconnected);
  CHECK(std::error_code(errc::busy) != errc_condition::disconnected);
  CHECK(std::error_code() != errc_condition::disconnected);
}
