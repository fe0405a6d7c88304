#ifndef FAIRLEAD_TESTS_FUZZ_SUPPORT_PLAIN_FRAME_HPP
#define FAIRLEAD_TESTS_FUZZ_SUPPORT_PLAIN_FRAME_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

// RFC 6455 section 5.2 once more, read whole and in the order of its text: what fairlead's decoder is compared with.

namespace fuzz {

struct plain_header {
  bool whole = false;  ///< All its bytes are there.
  bool valid = false;  ///< And none of them breaks a rule that needs neither role nor negotiation.
  std::size_t size = 0;
  bool fin = false;
  unsigned rsv = 0;
  unsigned opcode = 0;
  bool masked = false;
  std::uint64_t payload_size = 0;
  std::array<std::byte, 4> key{};
};

inline plain_header read_plain_header(std::span<const std::byte> in) {
  plain_header h;
  const auto at = [in](std::size_t i) { return std::to_integer<unsigned>(in[i]); };
  if (in.size() < 2) return h;
  h.fin = at(0) >> 7 == 1;
  h.rsv = at(0) >> 4 & 7;
  h.opcode = at(0) & 15;
  h.masked = at(1) >> 7 == 1;
  const unsigned length = at(1) & 127;
  const std::size_t extended = length == 127 ? 8 : length == 126 ? 2 : 0;
  h.size = 2 + extended + (h.masked ? 4 : 0);
  if (in.size() < h.size) return h;
  h.whole = true;
  h.payload_size = extended == 0 ? length : 0;
  for (std::size_t i = 0; i < extended; ++i) h.payload_size = h.payload_size * 256 + at(2 + i);
  for (std::size_t i = 0; h.masked && i < 4; ++i) h.key[i] = in[2 + extended + i];

  const bool control = h.opcode >= 8;
  const bool known = h.opcode <= 2 || (h.opcode >= 8 && h.opcode <= 10);
  const bool shortest =
      extended == 0 || (extended == 2 && h.payload_size >= 126) || (extended == 8 && h.payload_size >= 65536);
  h.valid = known && shortest && h.payload_size >> 63 == 0 && (!control || (h.fin && h.payload_size <= 125));
  return h;
}

}  // namespace fuzz

#endif
