#include <fairlead/net/session/session_state.hpp>

#include <support/catch.hpp>

#include <array>
#include <cstddef>
#include <string_view>

using namespace fairlead;

TEST_CASE("a_session_may_go_from_each_state_to_these_and_to_no_other") {
  struct row {
    session_state from;
    std::string_view to;  // a letter for each that may follow, in the order of the states
  };
  using enum session_state;
  constexpr std::array table{
      row{connecting, ".AC..X"},      // authentication is not demanded of all
      row{authenticating, "..C.LX"},  //
      row{active, "...ILX"},          //
      row{idle, "..C.LX"},            //
      row{closing, ".....X"},         //
      row{closed, "......"},          //
  };
  static_assert(table.size() == session_state_count);
  for (std::size_t from = 0; from < session_state_count; ++from) {
    REQUIRE(static_cast<std::size_t>(table[from].from) == from);
    for (std::size_t to = 0; to < session_state_count; ++to) {
      CAPTURE(name_of(table[from].from), name_of(static_cast<session_state>(to)));
      CHECK(may_follow(table[from].from, static_cast<session_state>(to)) == (table[from].to[to] != '.'));
    }
  }
}

TEST_CASE("each_state_of_a_session_has_its_name") {
  CHECK(name_of(session_state::connecting) == "connecting");
  CHECK(name_of(session_state::authenticating) == "authenticating");
  CHECK(name_of(session_state::active) == "active");
  CHECK(name_of(session_state::idle) == "idle");
  CHECK(name_of(session_state::closing) == "closing");
  CHECK(name_of(session_state::closed) == "closed");
}
