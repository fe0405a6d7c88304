#ifndef FAIRLEAD_TESTS_PROTOCOL_DEFLATE_SUPPORT_HPP
#define FAIRLEAD_TESTS_PROTOCOL_DEFLATE_SUPPORT_HPP

#include <fairlead/protocol/compression_workspace.hpp>

#include "support.hpp"

#include <zlib.h>

#include <initializer_list>
#include <optional>

// Compressed messages as the peer makes and reads them, by zlib alone, and connections that agreed to them.
namespace protocol_tests {

/// "abc" for {0x61, 0x62, 0x63}.
inline std::string text_of(std::initializer_list<unsigned> values) {
  std::string text;
  for (const unsigned value : values) text += static_cast<char>(value);
  return text;
}

/// Text as people write it: it becomes much smaller.
inline std::string prose(std::size_t size, std::uint64_t seed = 1) {
  constexpr std::array words{"the ", "connection ", "of ",    "a ",  "message ",
                             "is ",  "never ",      "late, ", "and "};
  std::string text;
  while (text.size() < size) {
    seed = seed * 6364136223846793005 + 1442695040888963407;
    text += words[(seed >> 40) % words.size()];
  }
  text.resize(size);
  return text;
}

/// The peer's compressor (RFC 7692 section 7.2.1).
class peer_deflater {
 public:
  explicit peer_deflater(int window_bits = 15, int level = 6) {
    REQUIRE(deflateInit2(&stream_, level, Z_DEFLATED, -window_bits, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  }
  peer_deflater(const peer_deflater&) = delete;
  peer_deflater& operator=(const peer_deflater&) = delete;
  ~peer_deflater() { deflateEnd(&stream_); }

  /// May refer to the messages before.
  std::string message(std::string_view text) {
    std::string out = step(text, Z_SYNC_FLUSH);
    REQUIRE(out.ends_with(std::string_view("\0\0\xff\xff", 4)));
    out.resize(out.size() - 4);
    return out;
  }

  /// Ends in a block that says that it is the last one (section 7.2.3.4). Nothing can follow.
  std::string last_message(std::string_view text) { return step(text, Z_FINISH); }

 private:
  std::string step(std::string_view text, int flush) {
    std::string in(text);
    std::string out(text.size() + text.size() / 8 + 1024, '\0');
    stream_.next_in = reinterpret_cast<Bytef*>(in.data());
    stream_.avail_in = static_cast<uInt>(in.size());
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    stream_.avail_out = static_cast<uInt>(out.size());
    deflate(&stream_, flush);
    REQUIRE(stream_.avail_out != 0);
    out.resize(out.size() - stream_.avail_out);
    return out;
  }

  z_stream stream_{};
};

/// A message that can be read by itself.
inline std::string deflated(std::string_view text) { return peer_deflater().message(text); }

/// Whether a message ends in a block that says it is the last, and nothing but the first byte of the empty block
/// that has to follow (section 7.2.3.4).
inline bool ends_in_last_block(std::string_view payload) {
  z_stream stream{};
  REQUIRE(inflateInit2(&stream, -15) == Z_OK);
  std::string in(payload);
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  int result = Z_OK;
  while (result == Z_OK) {
    std::array<char, 4096> room;
    stream.next_out = reinterpret_cast<Bytef*>(room.data());
    stream.avail_out = room.size();
    result = inflate(&stream, Z_SYNC_FLUSH);
  }
  inflateEnd(&stream);
  return result == Z_STREAM_END && stream.avail_in == 1 && payload.back() == '\0';
}

/// The peer's decompressor (section 7.2.2).
class peer_inflater {
 public:
  explicit peer_inflater(int window_bits = 15) { REQUIRE(inflateInit2(&stream_, -window_bits) == Z_OK); }
  peer_inflater(const peer_inflater&) = delete;
  peer_inflater& operator=(const peer_inflater&) = delete;
  ~peer_inflater() { inflateEnd(&stream_); }

  /// Nothing when that is no deflate data, or refers further back than the window reaches. Behind a last block
  /// it begins anew.
  std::optional<std::string> message(std::string_view payload) {
    std::string in = std::string(payload) + std::string("\0\0\xff\xff", 4);
    stream_.next_in = reinterpret_cast<Bytef*>(in.data());
    stream_.avail_in = static_cast<uInt>(in.size());
    std::string out;
    for (;;) {
      std::array<char, 256> room;  // smaller than any window, so that zlib looks for what lies before in it
      stream_.next_out = reinterpret_cast<Bytef*>(room.data());
      stream_.avail_out = room.size();
      const int result = inflate(&stream_, Z_SYNC_FLUSH);
      if (result == Z_STREAM_END) {
        inflateReset(&stream_);
      } else if (result != Z_OK && result != Z_BUF_ERROR) {
        return std::nullopt;
      }
      out.append(room.data(), room.size() - stream_.avail_out);
      if (stream_.avail_out != 0 && result != Z_STREAM_END) return out;
    }
  }

 private:
  z_stream stream_{};
};

// The examples of RFC 7692 section 7.2.3, each of the text "Hello".
inline const std::string hello = text_of({0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00});  // 7.2.3.1
inline const std::string hello_again = text_of({0xf2, 0x00, 0x11, 0x00, 0x00});        // 7.2.3.2
inline const std::string hello_stored =                                                // 7.2.3.3
    text_of({0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00});
inline const std::string hello_last = text_of({0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00});  // 7.2.3.4
inline const std::string hello_in_two =                                                           // 7.2.3.5
    text_of({0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00});

/// The same without the empty block behind the last one.
inline const std::string hello_bare_last = hello_last.substr(0, hello_last.size() - 1);

/// Payloads that are no deflate data, or not all of a message.
struct bad_payload {
  const char* what;
  std::string payload;
};
inline const std::vector<bad_payload>& bad_payloads() {
  static const std::vector<bad_payload> all{
      {"nothing at all", ""},
      {"a block of no kind", text_of({0x06})},
      {"a stored block whose two sizes differ", text_of({0x00, 0x05, 0x00, 0x00, 0x00, 0x48})},
      {"a stored block that is cut short", hello_stored.substr(0, 7)},
      {"a stored block that the tail would fill in part", text_of({0x00, 0x08, 0x00, 0xf7, 0xff, 0x48})},
      {"too many length codes", text_of({0xfc, 0xff, 0xff})},
      {"code lengths that are no code", text_of({0x04, 0x00, 0xfe, 0xff, 0xff})},
      {"a length that does not exist", text_of({0x1a, 0x03})},          // the code 286
      {"a distance that does not exist", text_of({0x4a, 0x04, 0x3e})},  // "a", length 3, the code 30
      {"a distance beyond the front of the message", text_of({0x02, 0x02, 0x00})},
      {"a reference to a message before", hello_again},
      {"only the first byte", hello.substr(0, 1)},
      {"all but the last byte", hello.substr(0, hello.size() - 1)},
      {"a last block that is cut short", hello_last.substr(0, hello_last.size() - 2)},
      {"garbage behind a last block", hello_bare_last + text_of({0x06})},
      {"text that was not compressed", "Hello, is anybody there?"},
  };
  return all;
}

/// A frame of a message; `compressed` stands in the first one (RFC 7692 section 6).
inline std::string encoded_with_rsv(role from, const frame& f, bool rsv1, bool rsv2 = false,
                                    bool rsv3 = false) {
  std::string bytes = encoded(from, f);
  const unsigned bits = (rsv1 ? 0x40u : 0u) | (rsv2 ? 0x20u : 0u) | (rsv3 ? 0x10u : 0u);
  bytes[0] = static_cast<char>(static_cast<unsigned char>(bytes[0]) | bits);
  return bytes;
}
inline std::string compressed(role from, const frame& f) { return encoded_with_rsv(from, f, true); }

/// A compressed message in `count` frames of about the same size.
inline std::string compressed_in_frames(role from, opcode op, std::string_view payload, std::size_t count) {
  std::string stream;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t begin = payload.size() * i / count;
    const std::size_t end = payload.size() * (i + 1) / count;
    const frame f{i == 0 ? op : opcode::continuation, std::string(payload.substr(begin, end - begin)),
                  i + 1 == count};
    stream += i == 0 ? compressed(from, f) : encoded(from, f);
  }
  return stream;
}

/// What was agreed when neither side takes anything over, or both do.
inline deflate_params agreed(bool takeover, int window_bits = 15) {
  const auto bits = static_cast<std::uint8_t>(window_bits);
  return {!takeover, !takeover, bits, bits};
}

inline deflate_options deflating(bool takeover = false, std::size_t min_size = 0) {
  deflate_options options;
  options.enabled = true;
  options.send_takeover = options.receive_takeover = takeover;
  options.min_size = min_size;
  return options;
}

inline deflate_options by_libdeflate(int level = 6) {
  deflate_options options = deflating();
  options.use_libdeflate = true;
  options.level = level;
  return options;
}

/// An endpoint that compresses.
class deflate_endpoint : public endpoint {
 public:
  deflate_endpoint(role r, compression_workspace& w, const deflate_params& params = agreed(false),
                   const deflate_options& d = deflating(), const connection_options& o = {})
      : endpoint(r, o), deflate(d) {
    ws.enable_deflate(params, deflate, w);
  }
  ~deflate_endpoint() { ws.release(); }

  using endpoint::feed;

  const deflate_options deflate;
};

inline role any_role() { return GENERATE(role::server, role::client); }

inline connection_options with_message_size(std::size_t size) {
  connection_options options;
  options.max_message_size = size;
  return options;
}

// What a sink is told when the connection fails for this reason.
inline const std::vector<event> reserved_bits{
    event::failure(errc::reserved_bits, close_code::protocol_error)};
inline const std::vector<event> bad_utf8{event::failure(errc::bad_utf8, close_code::invalid_payload)};
inline const std::vector<event> bad_compression{
    event::failure(errc::bad_compression, close_code::invalid_payload)};
inline const std::vector<event> too_big{event::failure(errc::message_too_big, close_code::message_too_big)};

/// A frame that was sent, and whether it begins a compressed message.
struct sent_frame {
  frame f;
  bool is_compressed;
};

/// Writes all of the output and returns its frames, whose payloads stay compressed.
inline std::vector<sent_frame> sent_frames(endpoint& e) {
  std::string stream = drained(e.ws);
  std::vector<sent_frame> frames;
  while (!stream.empty()) {
    const auto first = static_cast<unsigned char>(stream[0]);
    stream[0] = static_cast<char>(first & ~0x40u);
    const auto header = decode_frame_header(bytes_of(stream));
    const std::size_t size = header.size + static_cast<std::size_t>(header.header.payload_size);
    for (frame& f : decoded(e.own, stream.substr(0, size))) frames.push_back({f, (first & 0x40u) != 0});
    stream.erase(0, size);
  }
  return frames;
}

}  // namespace protocol_tests

#endif
