#ifndef FAIRLEAD_WIRE_OPCODE_HPP
#define FAIRLEAD_WIRE_OPCODE_HPP

#include <fairlead/config.hpp>

#include <cstdint>

namespace fairlead::inline FAIRLEAD_ABI {

/// What a frame carries (RFC 6455 section 5.2). The values 3-7 and 11-15 are reserved and have no name.
enum class opcode : std::uint8_t {
  continuation = 0x0,
  text = 0x1,
  binary = 0x2,
  close = 0x8,
  ping = 0x9,
  pong = 0xA,
};

/// Whether `op` lies in the half of the opcodes that is for control frames, named or reserved (section 5.5).
constexpr bool is_control(opcode op) noexcept { return (static_cast<unsigned>(op) & 0x8u) != 0; }

/// Whether RFC 6455 defines `op`; a frame with any other fails the connection (section 5.2).
constexpr bool is_known(opcode op) noexcept {
  // One bit for each of 0, 1, 2, 8, 9 and 10: a shift instead of a branch for each name.
  return static_cast<unsigned>(op) <= 0xF && ((0x0707u >> static_cast<unsigned>(op)) & 1u) != 0;
}

}  // namespace fairlead

#endif
