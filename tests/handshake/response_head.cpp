#include <fairlead/handshake/response_head.hpp>

#include <handshake/heads.hpp>
#include <support/catch.hpp>

#include <system_error>
#include <utility>

using namespace fairlead;

namespace {

response_head sample() {
  return heads::must_parse<response_parser>(
      heads::with("HTTP/1.1 429 Slow down", "Retry-After: 5\r\nX-One: 1\r\nx-oNE: 2\r\nY:\r\n"));
}

}  // namespace

TEST_CASE("fields_of_a_response_are_found_whatever_their_case_and_the_first_wins") {
  const response_head head = sample();
  CHECK(head.field("retry-after") == "5");
  CHECK(head.field("x-one") == "1");
  CHECK(head.count("X-ONE") == 2);
  CHECK(head.field("Y") == "");
  CHECK_FALSE(head.field("X-On"));
  CHECK(head.count("X-On") == 0);
}

TEST_CASE("status_of_a_response_is_an_error") {
  const std::error_code ec = sample().status();
  CHECK(ec == http_status::too_many_requests);
  CHECK(ec.message() == "the server answered 429 Too Many Requests");
}

TEST_CASE("views_hold_when_the_response_is_moved") {
  response_head first = sample();
  const std::string_view views[] = {first.reason(), *first.field("Retry-After")};
  const response_head second = std::move(first);
  CHECK(second.reason().data() == views[0].data());
  CHECK(second.field("Retry-After")->data() == views[1].data());
  CHECK(views[0] == "Slow down");
}

TEST_CASE("an_empty_response_head_answers_with_nothing") {
  response_head moved_from = sample();
  const response_head owner = std::move(moved_from);
  CHECK(owner.status() == http_status::too_many_requests);
  const response_head never_filled;
  for (const response_head* head : {static_cast<const response_head*>(&moved_from), &never_filled}) {
    CHECK(static_cast<int>(head->status()) == 0);
    CHECK(head->reason().empty());
    CHECK(head->fields().empty());
    CHECK_FALSE(head->field("Retry-After"));
    CHECK(head->count("Retry-After") == 0);
  }
}
