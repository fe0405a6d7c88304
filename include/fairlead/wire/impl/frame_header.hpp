#ifndef FAIRLEAD_WIRE_IMPL_FRAME_HEADER_HPP
#define FAIRLEAD_WIRE_IMPL_FRAME_HEADER_HPP

#include <fairlead/wire/frame_header.hpp>

#include <algorithm>
#include <cassert>

namespace fairlead::inline FAIRLEAD_ABI {
namespace detail {

// The fields of the first two bytes (RFC 6455 section 5.2).
inline constexpr std::uint8_t fin_bit = 0x80;
inline constexpr std::uint8_t rsv1_bit = 0x40;
inline constexpr std::uint8_t rsv2_bit = 0x20;
inline constexpr std::uint8_t rsv3_bit = 0x10;
inline constexpr std::uint8_t opcode_bits = 0x0F;
inline constexpr std::uint8_t mask_bit = 0x80;
inline constexpr std::uint8_t length_bits = 0x7F;

// Values of the 7 bit length: itself up to the first, else where the length is found.
inline constexpr std::uint64_t max_7_bit_length = 125;
inline constexpr std::uint8_t length_in_16_bits = 126;
inline constexpr std::uint8_t length_in_64_bits = 127;
inline constexpr std::uint64_t max_16_bit_length = 0xFFFF;
inline constexpr std::uint64_t max_64_bit_length = 0x7FFF'FFFF'FFFF'FFFF;

constexpr std::uint64_t load_big_endian(std::span<const std::byte> bytes) noexcept {
  std::uint64_t value = 0;
  for (const std::byte byte : bytes) value = value << 8 | std::to_integer<std::uint8_t>(byte);
  return value;
}

constexpr void store_big_endian(std::uint64_t value, std::span<std::byte> out) noexcept {
  for (std::size_t i = out.size(); i-- > 0; value >>= 8) out[i] = static_cast<std::byte>(value & 0xFF);
}

/// What the first bytes of a 64 bit length tell, whole or not: the top bit is in the first of them, and after
/// six zeros the value fits in 16 bits.
constexpr errc check_64_bit_length(std::span<const std::byte> field) noexcept {
  // "the most significant bit MUST be 0" (RFC 6455 section 5.2)
  if (!field.empty() && (field[0] & std::byte{0x80}) != std::byte{0}) return errc::length_out_of_range;
  constexpr std::size_t zeros = sizeof(std::uint64_t) - sizeof(std::uint16_t);
  if (field.size() >= zeros && load_big_endian(field.first(zeros)) == 0) return errc::length_not_minimal;
  return errc::ok;
}

/// Decodes into `h` and `size`, which stays 0 while more input is needed. The result goes through references
/// so that it is built where the caller wants it: returned by value on each path, it is copied, and the copy
/// waits for the small stores before it.
constexpr errc decode_into(frame_header& h, std::size_t& size, std::span<const std::byte> in) noexcept {
  if (in.empty()) return errc::ok;
  const auto first = std::to_integer<std::uint8_t>(in[0]);
  h.fin = (first & fin_bit) != 0;
  h.rsv1 = (first & rsv1_bit) != 0;
  h.rsv2 = (first & rsv2_bit) != 0;
  h.rsv3 = (first & rsv3_bit) != 0;
  h.op = static_cast<opcode>(first & opcode_bits);
  if (!is_known(h.op)) return errc::reserved_opcode;
  // "All control frames MUST have a payload length of 125 bytes or less and MUST NOT be fragmented."
  // (RFC 6455 section 5.5)
  if (is_control(h.op) && !h.fin) return errc::fragmented_control;

  if (in.size() < 2) return errc::ok;
  const auto second = std::to_integer<std::uint8_t>(in[1]);
  std::size_t end = 2;
  h.payload_size = second & length_bits;
  if (h.payload_size > max_7_bit_length) {
    if (is_control(h.op)) return errc::oversized_control;
    // "the minimal number of bytes MUST be used to encode the length" (RFC 6455 section 5.2)
    if (h.payload_size == length_in_16_bits) {
      end += sizeof(std::uint16_t);
      if (in.size() < end) return errc::ok;
      h.payload_size = load_big_endian(in.subspan(2, sizeof(std::uint16_t)));
      if (h.payload_size <= max_7_bit_length) return errc::length_not_minimal;
    } else {
      end += sizeof(std::uint64_t);
      const auto field = in.subspan(2, std::min(in.size() - 2, sizeof(std::uint64_t)));
      if (const errc error = check_64_bit_length(field); error != errc::ok) return error;
      if (in.size() < end) return errc::ok;
      h.payload_size = load_big_endian(field);
    }
  }

  if ((second & mask_bit) != 0) {
    if (in.size() < end + sizeof(mask_key)) return errc::ok;
    // Not byte by byte: the key is soon read as one word.
    mask_key& key = h.mask.emplace();
    std::copy_n(in.data() + end, key.size(), key.data());
    end += key.size();
  }
  size = end;
  return errc::ok;
}

}  // namespace detail

constexpr decoded_frame_header decode_frame_header(std::span<const std::byte> in) noexcept {
  decoded_frame_header result;
  result.error = detail::decode_into(result.header, result.size, in);
  return result;
}

constexpr std::size_t encode_frame_header(const frame_header& h,
                                          std::span<std::byte, max_frame_header_size> out) noexcept {
  assert(is_known(h.op));
  assert(!is_control(h.op) || (h.fin && h.payload_size <= max_control_payload));
  assert(h.payload_size <= detail::max_64_bit_length);

  const auto bit = [](bool set, std::uint8_t mask) { return set ? std::byte{mask} : std::byte{0}; };
  out[0] = static_cast<std::byte>(h.op) | bit(h.fin, detail::fin_bit) | bit(h.rsv1, detail::rsv1_bit) |
           bit(h.rsv2, detail::rsv2_bit) | bit(h.rsv3, detail::rsv3_bit);

  const std::byte masked = bit(h.mask.has_value(), detail::mask_bit);
  std::size_t size = 2;
  if (h.payload_size <= detail::max_7_bit_length) {
    out[1] = masked | static_cast<std::byte>(h.payload_size);
  } else if (h.payload_size <= detail::max_16_bit_length) {
    out[1] = masked | std::byte{detail::length_in_16_bits};
    detail::store_big_endian(h.payload_size, out.subspan(size, sizeof(std::uint16_t)));
    size += sizeof(std::uint16_t);
  } else {
    out[1] = masked | std::byte{detail::length_in_64_bits};
    detail::store_big_endian(h.payload_size, out.subspan(size, sizeof(std::uint64_t)));
    size += sizeof(std::uint64_t);
  }
  if (h.mask) {
    std::copy_n(h.mask->data(), h.mask->size(), out.data() + size);
    size += h.mask->size();
  }
  return size;
}

}  // namespace fairlead

#endif
