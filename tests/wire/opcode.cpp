#include <fairlead/wire/opcode.hpp>

#include <support/catch.hpp>

using namespace fairlead;

// RFC 6455 section 5.2: "%x3-7 are reserved for further non-control frames", "%xB-F [...] for further control
// frames". TRUST F09.

TEST_CASE("six_opcodes_are_known_and_no_other") {
  for (unsigned value = 0; value < 256; ++value) {
    const bool named = value <= 2 || (value >= 8 && value <= 10);
    CHECK(is_known(static_cast<opcode>(value)) == named);
  }
}

TEST_CASE("control_opcodes_are_the_upper_half") {
  for (unsigned value = 0; value < 16; ++value) {
    CHECK(is_control(static_cast<opcode>(value)) == (value >= 8));
  }
}

static_assert(is_control(opcode::close) && is_control(opcode::ping) && is_control(opcode::pong));
static_assert(!is_control(opcode::continuation) && !is_control(opcode::text) && !is_control(opcode::binary));
