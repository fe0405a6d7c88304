#ifndef FAIRLEAD_WIRE_FRAME_HEADER_HPP
#define FAIRLEAD_WIRE_FRAME_HEADER_HPP

#include <fairlead/errc.hpp>
#include <fairlead/wire/mask.hpp>
#include <fairlead/wire/opcode.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace fairlead::inline FAIRLEAD_ABI {

/// Largest encoded frame header, in bytes: 2 fixed, 8 length, 4 mask key (RFC 6455 section 5.2).
inline constexpr std::size_t max_frame_header_size = 2 + 8 + 4;

/// Largest payload of a control frame, in bytes (RFC 6455 section 5.5).
inline constexpr std::size_t max_control_payload = 125;

/// The header of one frame, decoded (RFC 6455 section 5.2). Owns nothing; the payload is elsewhere.
struct frame_header {
  bool fin = true;    ///< Last frame of its message.
  bool rsv1 = false;  ///< Set on a compressed message (RFC 7692 section 6).
  bool rsv2 = false;
  bool rsv3 = false;
  opcode op = opcode::binary;
  std::optional<mask_key> mask = std::nullopt;  ///< Present on every frame that a client sends.
  std::uint64_t payload_size = 0;               ///< Bytes of payload that follow the header.

  friend bool operator==(const frame_header&, const frame_header&) = default;
};

/// What decode_frame_header() found at the front of its input.
struct decoded_frame_header {
  errc error = errc::ok;  ///< Not `ok`: these bytes can never become a valid header.
  std::size_t size = 0;   ///< Encoded size in bytes; 0 while more input is needed.
  frame_header header{};  ///< Meaningful only when `size` is not 0.
};

/// Decodes the frame header at the front of `in`.
///
/// Checks what the bytes alone can tell, at the first byte that tells it: opcode, control-frame limits,
/// shortest length form. Whether a mask or an RSV bit is allowed depends on the role and the negotiation, and
/// is the business of the protocol layer.
///
/// \param in  Bytes from the peer, any number, also none. Not kept; nothing past its end is read.
/// \return    The header and its size; or `size == 0` if `in` is a proper prefix; or the peer's error.
/// \note      Pure: no allocation, no exception, any thread.
/// \see       RFC 6455 sections 5.2 (framing) and 5.5 (control frames)
constexpr decoded_frame_header decode_frame_header(std::span<const std::byte> in) noexcept;

/// Encodes `h` at the front of `out`.
///
/// \param h    A known opcode and a payload of less than 2^63 bytes; a control opcode needs `fin` and at most
///             `max_control_payload` bytes (asserted: a breach is a bug).
/// \param out  Room for the largest header; only the returned number of bytes is written.
/// \return     Number of bytes written, 2 to 14; the length is in its shortest form.
constexpr std::size_t encode_frame_header(const frame_header& h,
                                          std::span<std::byte, max_frame_header_size> out) noexcept;

}  // namespace fairlead

#include <fairlead/wire/impl/frame_header.hpp>

#endif
