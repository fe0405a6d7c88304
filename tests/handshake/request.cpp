#include <fairlead/handshake/request.hpp>

#include <handshake/heads.hpp>
#include <support/catch.hpp>

#include <string>
#include <utility>

using namespace fairlead;
using namespace std::string_literals;

namespace {

request with_target(std::string_view target) {
  return heads::must_parse(heads::with("GET " + std::string(target) + " HTTP/1.1"));
}

}  // namespace

// RFC 3986 section 2.1.
TEST_CASE("path_is_decoded_and_ends_at_the_query") {
  struct {
    std::string_view target, path, query;
  } const rows[] = {
      {"/", "/", ""},
      {"/chat", "/chat", ""},
      {"/chat?", "/chat", ""},
      {"/chat?a=b?c", "/chat", "a=b?c"},
      {"/a%20b+c", "/a b+c", ""},
      {"/%c3%A9", "/\xc3\xa9", ""},
      {"/a%2Fb%3Fc?d", "/a/b?c", "d"},
      {"/../%2e%2e/x", "/../../x", ""},
      {"/?%41", "/", "%41"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.target);
    const request head = with_target(row.target);
    CHECK(head.target() == row.target);
    CHECK(head.path() == row.path);
    CHECK(head.query_string() == row.query);
  }
}

TEST_CASE("query_finds_the_first_value_of_a_name_and_decodes_it") {
  const request head =
      with_target("/?room=a%26b+c&room=second&empty=&flag&=nameless&a%3Db=%3D&x=1=2&n=%00&&last=z");
  CHECK(head.query("room") == "a&b c");
  CHECK(head.query("empty") == "");
  CHECK(head.query("flag") == "");
  CHECK(head.query("") == "nameless");
  CHECK(head.query("a=b") == "=");
  CHECK(head.query("x") == "1=2");
  CHECK(head.query("n") == "\0"s);
  CHECK(head.query("last") == "z");
  CHECK_FALSE(head.query("Room"));
  CHECK_FALSE(head.query("roo"));
  CHECK_FALSE(head.query("second"));
}

TEST_CASE("a_target_without_a_query_has_no_query_values") {
  CHECK_FALSE(with_target("/room=7").query("room"));
  CHECK_FALSE(with_target("/?").query(""));
  CHECK_FALSE(with_target("/?&&").query(""));
}

TEST_CASE("fields_are_found_whatever_their_case_and_the_first_wins") {
  const request head =
      heads::must_parse(heads::with("GET / HTTP/1.1", "Host: a\r\nX-One: 1\r\nx-oNE: 2\r\nY:\r\n"));
  CHECK(head.field("x-one") == "1");
  CHECK(head.count("X-ONE") == 2);
  CHECK(head.field("Y") == "");
  CHECK(head.count("Y") == 1);
  CHECK_FALSE(head.field("X-On"));
  CHECK(head.count("X-On") == 0);
}

TEST_CASE("views_hold_when_the_request_is_moved") {
  request first = heads::must_parse(heads::with("GET /a%62?c HTTP/1.1"));
  first.set_params({{"p", "v"}});
  const std::string_view views[] = {first.method(),       first.target(), first.path(),
                                    first.query_string(), first.host(),   *first.field("host"),
                                    first.param("p")};
  const request second = std::move(first);
  CHECK(second.method().data() == views[0].data());
  CHECK(second.target().data() == views[1].data());
  CHECK(second.path().data() == views[2].data());
  CHECK(second.query_string().data() == views[3].data());
  CHECK(second.host().data() == views[4].data());
  CHECK(second.field("host")->data() == views[5].data());
  CHECK(second.param("p").data() == views[6].data());
  CHECK(second.path() == "/ab");
}

TEST_CASE("an_empty_request_answers_with_nothing") {
  request moved_from = with_target("/x?y=z");
  const request owner = std::move(moved_from);
  CHECK(owner.path() == "/x");
  const request never_filled;
  for (const request* head : {static_cast<const request*>(&moved_from), &never_filled}) {
    CHECK(heads::describe(*head) == heads::describe(request()));
    CHECK(head->path().empty());
    CHECK_FALSE(head->query("y"));
    CHECK_FALSE(head->field("Host"));
    CHECK(head->count("Host") == 0);
    CHECK(head->param("p").empty());
  }
}

TEST_CASE("params_are_those_that_the_router_set") {
  request head = with_target("/rooms/7");
  CHECK(head.param("room").empty());
  head.set_params({{"room", "7"}, {"user", "ann"}});
  CHECK(head.param("room") == "7");
  CHECK(head.param("user") == "ann");
  CHECK(head.param("Room").empty());
  head.set_params({});
  CHECK(head.param("room").empty());
}

// RFC 6265 section 5.4. One field is what browsers send; several are one list to us.
TEST_CASE("cookie_finds_the_first_of_a_name_in_all_cookie_fields") {
  const request head = heads::must_parse(heads::with(
      "GET / HTTP/1.1",
      "Host: a\r\nCookie: id=5; name=\"a b\";empty=; flag; x=1=2\r\ncookie: id=6;  late = z\r\n"));
  CHECK(head.cookie("id") == "5");
  CHECK(head.cookie("name") == "\"a b\"");
  CHECK(head.cookie("empty") == "");
  CHECK(head.cookie("x") == "1=2");
  CHECK_FALSE(head.cookie("flag"));
  CHECK_FALSE(head.cookie("ID"));
  CHECK_FALSE(head.cookie("i"));
  CHECK_FALSE(head.cookie("late"));
  CHECK(head.cookie("late ") == " z");
  CHECK_FALSE(request().cookie("id"));
}
