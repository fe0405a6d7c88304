#include <fairlead/net/server/detail/route_table.hpp>

#include <support/catch.hpp>

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

using namespace fairlead;
using detail::path_pattern;

namespace {

/// The parameters as `name=value;...`, or "no match".
std::string match(std::string pattern, std::string_view path) {
  const auto params = path_pattern(std::move(pattern)).match(path);
  if (!params) return "no match";
  std::string all;
  for (const path_param& p : *params) all += p.name + "=" + p.value + ";";
  return all;
}

}  // namespace

TEST_CASE("a_pattern_without_parameters_matches_its_own_path_alone") {
  CHECK(match("/echo", "/echo") == "");
  CHECK(match("/", "/") == "");
  CHECK(match("/a/b", "/a/b") == "");
  for (const char* path : {"/", "/ech", "/echoo", "/echo/", "//echo", "/Echo", "/echo/more", "", "echo"}) {
    CAPTURE(path);
    if (std::string_view(path).starts_with('/')) CHECK(match("/echo", path) == "no match");
  }
  CHECK(match("/echo/", "/echo/") == "");
  CHECK(match("/echo/", "/echo") == "no match");
}

TEST_CASE("a_parameter_takes_one_segment_that_is_not_empty") {
  CHECK(match("/rooms/{room}", "/rooms/lobby") == "room=lobby;");
  CHECK(match("/rooms/{room}", "/rooms/{room}") == "room={room};");
  CHECK(match("/rooms/{room}", "/rooms/a b") == "room=a b;");
  CHECK(match("/rooms/{room}/log", "/rooms/a/log") == "room=a;");
  CHECK(match("/{a}/{b}", "/1/2") == "a=1;b=2;");
  CHECK(match("/{a}/x/{a}", "/1/x/2") == "a=1;a=2;");
  CHECK(match("/rooms/{room}", "/rooms/") == "no match");
  CHECK(match("/rooms/{room}", "/rooms") == "no match");
  CHECK(match("/rooms/{room}", "/rooms/a/b") == "no match");
  CHECK(match("/rooms/{room}", "/rooms/a/") == "no match");
  CHECK(match("/rooms/{room}/log", "/rooms//log") == "no match");
}

TEST_CASE("a_pattern_that_is_no_path_or_only_partly_a_parameter_is_refused") {
  for (const char* pattern : {"", "echo", "{room}", "/a{b}", "/{a}b", "/{", "/}", "/{}", "/{a}{b}", "/x/{"}) {
    CAPTURE(pattern);
    CHECK_THROWS_AS(path_pattern(pattern), std::invalid_argument);
    try {
      path_pattern{pattern};
    } catch (const std::invalid_argument& e) {  // the text names the pattern
      CHECK(std::string_view(e.what()).find("'" + std::string(pattern) + "'") != std::string_view::npos);
    }
  }
}
