#ifndef FAIRLEAD_TESTS_CONFORMANCE_FRAME_HPP
#define FAIRLEAD_TESTS_CONFORMANCE_FRAME_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// The tester's own frames (RFC 6455 section 5.2): deliberately simple, and deliberately not fairlead's, so
// that a bug cannot hide on both sides.
namespace conformance {

namespace opcodes {
inline constexpr unsigned continuation = 0x0;
inline constexpr unsigned text = 0x1;
inline constexpr unsigned binary = 0x2;
inline constexpr unsigned close = 0x8;
inline constexpr unsigned ping = 0x9;
inline constexpr unsigned pong = 0xa;
}  // namespace opcodes

/// Bytes, written out or as a pattern that is repeated up to a size, so that 16 MiB are one line of a case.
class content {
 public:
  content() = default;
  content(const char* text) : pattern_(text), size_(pattern_.size()) {}
  content(std::string_view bytes) : pattern_(bytes), size_(bytes.size()) {}
  content(std::string bytes) : pattern_(std::move(bytes)), size_(pattern_.size()) {}
  content(std::string_view pattern, std::size_t size) : pattern_(pattern), size_(size) {}

  std::size_t size() const { return size_; }
  std::string bytes() const;
  bool operator==(std::string_view other) const;

 private:
  std::string pattern_;
  std::size_t size_ = 0;
};

/// One frame, as wrong as it is meant to be.
struct frame {
  unsigned opcode = opcodes::text;
  content payload{};
  bool fin = true;
  unsigned rsv = 0;  ///< Three bits; 4 is RSV1.

  /// The same frame with FIN unset: more of the message follows.
  frame unfinished() const;
  /// The same frame with these reserved bits.
  frame with_rsv(unsigned bits) const;
};

frame text(content payload);
frame binary(content payload);
frame rest(content payload);  ///< A continuation frame; the last of its message.
frame ping(content payload = {});
frame pong(content payload = {});
frame close_with(unsigned code, std::string_view reason = {});
frame close_of(content payload);  ///< A close frame with any payload.

using mask_bytes = std::array<unsigned char, 4>;

/// Appends the frame as it goes over the wire, masked when there is a key.
void append_frame(std::string& out, const frame& f, std::optional<mask_bytes> key);
void append_frame(std::string& out, unsigned opcode, std::string_view payload, bool fin, unsigned rsv,
                  std::optional<mask_bytes> key);

/// A frame that arrived.
struct received_frame {
  unsigned opcode = 0;
  bool fin = false;
  unsigned rsv = 0;
  bool masked = false;
  bool shortest = false;  ///< Its length was written in the shortest form, as section 5.2 demands.
  std::string head;       ///< Its header as it came.
  std::string payload;    ///< Unmasked.
};

/// Takes bytes as they come and gives frames.
class frame_reader {
 public:
  void feed(std::string_view bytes);
  std::optional<received_frame> next();
  bool empty() const { return used_ == bytes_.size(); }

 private:
  std::string bytes_;
  std::size_t used_ = 0;
};

/// RFC 3629, code point by code point.
bool is_utf8(std::string_view bytes);

/// One line for people: text in quotes when it is printable, else hexadecimal; cut off after some 60 bytes.
std::string readable(std::string_view bytes);
std::string hexadecimal(std::string_view bytes, std::size_t limit = 60);
std::string name_of_opcode(unsigned opcode);

/// "text, 13 bytes, no FIN, RSV 4: "Hello, world!"", and for a close frame its code.
std::string describe(unsigned opcode, bool fin, unsigned rsv, std::string_view payload);

}  // namespace conformance

#endif
