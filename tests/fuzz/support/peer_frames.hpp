#ifndef FAIRLEAD_TESTS_FUZZ_SUPPORT_PEER_FRAMES_HPP
#define FAIRLEAD_TESTS_FUZZ_SUPPORT_PEER_FRAMES_HPP

#include <fuzz/support/input.hpp>

#include <zlib.h>

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

// Whole messages as a peer sends them, so that a script of few bytes gets far.

namespace fuzz {

/// The peer's compressor, which is zlib alone (RFC 7692 section 7.2.1).
class peer_deflater {
 public:
  peer_deflater() {
    demand(deflateInit2(&stream_, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) == Z_OK, "zlib has memory");
    out_.reserve(256 * 1024);
  }
  peer_deflater(const peer_deflater&) = delete;
  peer_deflater& operator=(const peer_deflater&) = delete;
  ~peer_deflater() { deflateEnd(&stream_); }

  /// Begins a conversation, or a message that refers to none before.
  void reset() noexcept { deflateReset(&stream_); }

  /// The payload of a message, up to the next call.
  std::string_view message(std::string& text) {
    out_.resize(text.size() + text.size() / 8 + 1'024);
    stream_.next_in = reinterpret_cast<Bytef*>(text.data());
    stream_.avail_in = static_cast<uInt>(text.size());
    stream_.next_out = reinterpret_cast<Bytef*>(out_.data());
    stream_.avail_out = static_cast<uInt>(out_.size());
    deflate(&stream_, Z_SYNC_FLUSH);
    const std::size_t size = out_.size() - stream_.avail_out;
    // An empty message right behind a flush gets no block of its own (section 7.2.3.6).
    return size < 4 ? std::string_view("\0", 1) : std::string_view(out_).substr(0, size - 4);
  }

 private:
  z_stream stream_{};
  std::string out_;
};

/// Appends a message in `count` frames of about the same size, masked for a server.
inline void append_peer_message(std::string& stream, unsigned opcode, bool rsv1, std::string_view payload,
                                std::size_t count, bool masked) {
  constexpr std::array<unsigned char, 4> key{0x37, 0xfa, 0x21, 0x3d};
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t begin = payload.size() * i / count;
    const std::size_t size = payload.size() * (i + 1) / count - begin;
    const unsigned first = (i + 1 == count ? 0x80 : 0) | (i == 0 ? opcode | (rsv1 ? 0x40 : 0) : 0);
    const std::size_t length_size = size < 126 ? 0 : size < 65'536 ? 2 : 8;
    const std::size_t length = length_size == 0 ? size : length_size == 2 ? 126 : 127;
    stream += static_cast<char>(first);
    stream += static_cast<char>((masked ? 0x80 : 0) | length);
    for (std::size_t left = length_size; left != 0; --left)
      stream += static_cast<char>(size >> 8 * (left - 1));
    if (!masked) {
      stream += payload.substr(begin, size);
      continue;
    }
    for (const unsigned char byte : key) stream += static_cast<char>(byte);
    for (std::size_t at = 0; at < size; ++at) {
      stream += static_cast<char>(static_cast<unsigned char>(payload[begin + at]) ^ key[at % key.size()]);
    }
  }
}

}  // namespace fuzz

#endif
