#include "frame.hpp"

#include <algorithm>
#include <utility>

namespace conformance {
namespace {

unsigned byte_at(std::string_view bytes, std::size_t i) { return static_cast<unsigned char>(bytes[i]); }

void append_number(std::string& out, std::uint64_t value, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) out += static_cast<char>((value >> shift) & 0xff);
}

void apply(const mask_bytes& key, char* bytes, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(bytes[i] ^ key[i % 4]);
}

}  // namespace

std::string content::bytes() const {
  if (pattern_.size() == size_) return pattern_;
  std::string all;
  all.reserve(size_);
  while (all.size() < size_) all.append(pattern_, 0, size_ - all.size());
  return all;
}

bool content::operator==(std::string_view other) const {
  if (other.size() != size_) return false;
  for (std::size_t i = 0; i < size_; i += pattern_.size()) {
    const std::size_t n = std::min(pattern_.size(), size_ - i);
    if (other.substr(i, n) != std::string_view(pattern_).substr(0, n)) return false;
  }
  return true;
}

frame frame::unfinished() const {
  frame f = *this;
  f.fin = false;
  return f;
}

frame frame::with_rsv(unsigned bits) const {
  frame f = *this;
  f.rsv = bits;
  return f;
}

frame text(content payload) { return {opcodes::text, std::move(payload)}; }
frame binary(content payload) { return {opcodes::binary, std::move(payload)}; }
frame rest(content payload) { return {opcodes::continuation, std::move(payload)}; }
frame ping(content payload) { return {opcodes::ping, std::move(payload)}; }
frame pong(content payload) { return {opcodes::pong, std::move(payload)}; }
frame close_of(content payload) { return {opcodes::close, std::move(payload)}; }

frame close_with(unsigned code, std::string_view reason) {
  std::string payload;
  append_number(payload, code, 2);
  return close_of(payload.append(reason));
}

void append_frame(std::string& out, const frame& f, std::optional<mask_bytes> key) {
  append_frame(out, f.opcode, f.payload.bytes(), f.fin, f.rsv, key);
}

void append_frame(std::string& out, unsigned opcode, std::string_view payload, bool fin, unsigned rsv,
                  std::optional<mask_bytes> key) {
  out += static_cast<char>((fin ? 0x80u : 0u) | (rsv << 4) | opcode);
  const unsigned mask_bit = key ? 0x80u : 0u;
  if (payload.size() < 126) {
    out += static_cast<char>(mask_bit | payload.size());
  } else if (payload.size() < 65'536) {
    out += static_cast<char>(mask_bit | 126u);
    append_number(out, payload.size(), 2);
  } else {
    out += static_cast<char>(mask_bit | 127u);
    append_number(out, payload.size(), 8);
  }
  if (key) out.append(reinterpret_cast<const char*>(key->data()), key->size());
  const std::size_t begin = out.size();
  out += payload;
  if (key) apply(*key, out.data() + begin, payload.size());
}

void frame_reader::feed(std::string_view bytes) {
  if (used_ == bytes_.size()) {
    bytes_.clear();
    used_ = 0;
  }
  bytes_ += bytes;
}

std::optional<received_frame> frame_reader::next() {
  const std::string_view in = std::string_view(bytes_).substr(used_);
  if (in.size() < 2) return std::nullopt;
  received_frame f;
  f.fin = (byte_at(in, 0) & 0x80) != 0;
  f.rsv = (byte_at(in, 0) >> 4) & 7;
  f.opcode = byte_at(in, 0) & 0xf;
  f.masked = (byte_at(in, 1) & 0x80) != 0;

  std::uint64_t size = byte_at(in, 1) & 0x7f;
  const std::size_t size_bytes = size == 126 ? 2 : size == 127 ? 8 : 0;
  const std::size_t head_size = 2 + size_bytes + (f.masked ? 4 : 0);
  if (in.size() < head_size) return std::nullopt;
  if (size_bytes != 0) size = 0;
  for (std::size_t i = 0; i < size_bytes; ++i) size = (size << 8) | byte_at(in, 2 + i);
  f.shortest = size_bytes == 0 || (size_bytes == 2 ? size >= 126 : size >= 65'536);
  if (in.size() - head_size < size) return std::nullopt;

  f.head = in.substr(0, head_size);
  f.payload = in.substr(head_size, static_cast<std::size_t>(size));
  if (f.masked) {
    mask_bytes key;
    std::copy_n(f.head.end() - 4, 4, key.begin());
    apply(key, f.payload.data(), f.payload.size());
  }
  used_ += head_size + f.payload.size();
  return f;
}

bool is_utf8(std::string_view bytes) {
  for (std::size_t i = 0; i < bytes.size();) {
    const unsigned first = byte_at(bytes, i);
    const std::size_t length = first < 0x80   ? 1
                               : first < 0xc0 ? 0
                               : first < 0xe0 ? 2
                               : first < 0xf0 ? 3
                               : first < 0xf8 ? 4
                                              : 0;
    if (length == 0 || length > bytes.size() - i) return false;
    unsigned point = length == 1 ? first : first & (0xffu >> (length + 1));
    for (std::size_t k = 1; k < length; ++k) {
      if ((byte_at(bytes, i + k) & 0xc0) != 0x80) return false;
      point = (point << 6) | (byte_at(bytes, i + k) & 0x3f);
    }
    const unsigned least = std::array{0u, 0u, 0x80u, 0x800u, 0x10000u}[length];
    if (point < least || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) return false;
    i += length;
  }
  return true;
}

std::string hexadecimal(std::string_view bytes, std::size_t limit) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (const char c : bytes.substr(0, limit)) {
    const unsigned value = static_cast<unsigned char>(c);
    if (!out.empty()) out += ' ';
    out += digits[value >> 4];
    out += digits[value & 15];
  }
  return bytes.size() > limit ? out + " ..." : out;
}

std::string readable(std::string_view bytes) {
  std::string_view shown = bytes.substr(0, 60);
  if (bytes.size() > shown.size()) {  // not in the middle of a character
    while (!shown.empty() && !is_utf8(shown) && bytes.substr(0, 60).size() - shown.size() < 3)
      shown.remove_suffix(1);
  }
  const bool is_printable =
      is_utf8(shown) && std::ranges::none_of(shown, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  if (!is_printable) return hexadecimal(bytes, 32);
  return '"' + std::string(shown) + '"' + (shown.size() < bytes.size() ? " ..." : "");
}

std::string name_of_opcode(unsigned opcode) {
  switch (opcode) {
    case opcodes::continuation: return "continuation";
    case opcodes::text: return "text";
    case opcodes::binary: return "binary";
    case opcodes::close: return "close";
    case opcodes::ping: return "ping";
    case opcodes::pong: return "pong";
    default: return "opcode " + std::to_string(opcode);
  }
}

std::string describe(unsigned opcode, bool fin, unsigned rsv, std::string_view payload) {
  std::string line = name_of_opcode(opcode);
  if (opcode == opcodes::close && payload.size() >= 2) {
    line += ' ' + std::to_string((byte_at(payload, 0) << 8) | byte_at(payload, 1));
  }
  line += ", " + std::to_string(payload.size()) + (payload.size() == 1 ? " byte" : " bytes");
  if (!fin) line += ", no FIN";
  if (rsv != 0) line += ", RSV " + std::to_string(rsv);
  const std::string_view shown = payload.substr(opcode == opcodes::close && payload.size() >= 2 ? 2 : 0);
  return shown.empty() ? line : line + ": " + readable(shown);
}

}  // namespace conformance
