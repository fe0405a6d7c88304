#ifndef FAIRLEAD_TESTS_PROTOCOL_SUPPORT_HPP
#define FAIRLEAD_TESTS_PROTOCOL_SUPPORT_HPP

#include <fairlead/protocol/connection.hpp>
#include <fairlead/wire/mask.hpp>

#include <support/catch.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

namespace protocol_tests {

using namespace fairlead;
using namespace std::chrono_literals;

inline std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

inline std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

inline std::string text_of(std::span<const std::span<const std::byte>> pieces) {
  std::string all;
  for (const auto piece : pieces) all += text_of(piece);
  return all;
}

/// `size` bytes of ASCII without a short period, so that a byte in a wrong place shows.
inline std::string pattern(std::size_t size, std::uint64_t seed = 1) {
  std::string text(size, '\0');
  for (char& c : text) {
    seed = seed * 6364136223846793005 + 1442695040888963407;
    c = static_cast<char>('0' + (seed >> 58));
  }
  return text;
}

inline constexpr role other(role r) { return r == role::server ? role::client : role::server; }

/// Payloads as a failed check shows them.
inline std::string abbreviated(std::string_view payload) {
  constexpr std::size_t shown = 48;
  if (payload.size() <= shown) return '"' + std::string(payload) + '"';
  return '"' + std::string(payload.substr(0, shown)) + "\" of " + std::to_string(payload.size()) + " bytes";
}

/// The two bytes of a close code, as they open a close frame's payload (RFC 6455 section 5.5.1).
inline std::string encoded(close_code code) {
  const auto value = static_cast<std::uint16_t>(code);
  return {static_cast<char>(value >> 8), static_cast<char>(value & 0xff)};
}

inline constexpr bool unfinished = false;

/// One frame as a value, its payload without mask.
struct frame {
  opcode op = opcode::binary;
  std::string payload;
  bool fin = true;

  static frame text(std::string payload, bool fin = true) { return {opcode::text, std::move(payload), fin}; }
  static frame binary(std::string payload, bool fin = true) {
    return {opcode::binary, std::move(payload), fin};
  }
  static frame continuation(std::string payload, bool fin = true) {
    return {opcode::continuation, std::move(payload), fin};
  }
  static frame ping(std::string payload) { return {opcode::ping, std::move(payload)}; }
  static frame pong(std::string payload) { return {opcode::pong, std::move(payload)}; }
  static frame close() { return {opcode::close, {}}; }
  static frame close(close_code code, std::string_view reason = {}) {
    return {opcode::close, encoded(code).append(reason)};
  }
  /// What a connection sends that failed the peer.
  static frame failure(errc why, close_code code) { return close(code, make_error_code(why).message()); }

  friend bool operator==(const frame&, const frame&) = default;
  friend std::ostream& operator<<(std::ostream& out, const frame& f) {
    return out << "frame{" << static_cast<int>(f.op) << ", " << abbreviated(f.payload)
               << (f.fin ? "}" : ", unfinished}");
  }
};

/// The mask key of every frame that the tests send as a client.
inline constexpr mask_key test_key{std::byte{0x37}, std::byte{0xfa}, std::byte{0x21}, std::byte{0x3d}};

/// A header as `from` has to send it: a client masks, a server does not (RFC 6455 section 5.1).
inline frame_header header_of(role from, opcode op, std::uint64_t payload_size, bool fin = true) {
  frame_header h;
  h.fin = fin;
  h.op = op;
  h.payload_size = payload_size;
  if (from == role::client) h.mask = test_key;
  return h;
}

inline std::string encoded(const frame_header& h) {
  std::array<std::byte, max_frame_header_size> out;
  return text_of(std::span(out).first(encode_frame_header(h, out)));
}

inline std::string encoded(role from, const frame& f) {
  std::string payload = f.payload;
  if (from == role::client) apply_mask(std::as_writable_bytes(std::span(payload)), test_key);
  return encoded(header_of(from, f.op, f.payload.size(), f.fin)) + payload;
}

inline std::string encoded(role from, const std::vector<frame>& frames) {
  std::string stream;
  for (const frame& f : frames) stream += encoded(from, f);
  return stream;
}

/// The frames of a stream that `from` has sent: whole frames, masked as the role demands (RFC 6455 section
/// 5.1), no reserved bit set.
inline std::vector<frame> decoded(role from, std::string_view stream, std::vector<mask_key>* keys = nullptr) {
  std::vector<frame> frames;
  while (!stream.empty()) {
    const auto [error, size, h] = decode_frame_header(bytes_of(stream));
    REQUIRE(error == errc::ok);
    REQUIRE(size != 0);
    REQUIRE(stream.size() - size >= h.payload_size);
    REQUIRE(h.mask.has_value() == (from == role::client));
    REQUIRE(!(h.rsv1 || h.rsv2 || h.rsv3));
    std::string payload(stream.substr(size, static_cast<std::size_t>(h.payload_size)));
    if (h.mask) {
      apply_mask(std::as_writable_bytes(std::span(payload)), *h.mask);
      if (keys != nullptr) keys->push_back(*h.mask);
    }
    stream.remove_prefix(size + payload.size());
    frames.push_back({h.op, std::move(payload), h.fin});
  }
  return frames;
}

/// What a sink was told, as a value.
struct event {
  enum class type : unsigned char { text, binary, ping, pong, close, failure };

  type what;
  std::string payload;  // the reason, for a close
  close_code code = close_code::no_status;
  errc why = errc::ok;

  static event text(std::string payload) { return {type::text, std::move(payload)}; }
  static event binary(std::string payload) { return {type::binary, std::move(payload)}; }
  static event ping(std::string payload) { return {type::ping, std::move(payload)}; }
  static event pong(std::string payload) { return {type::pong, std::move(payload)}; }
  static event close(close_code code, std::string reason = {}) {
    return {type::close, std::move(reason), code};
  }
  static event failure(errc why, close_code code) { return {type::failure, {}, code, why}; }

  friend bool operator==(const event&, const event&) = default;
  friend std::ostream& operator<<(std::ostream& out, const event& e) {
    constexpr const char* names[] = {"text", "binary", "ping", "pong", "close", "failure"};
    return out << names[static_cast<std::size_t>(e.what)] << "{" << abbreviated(e.payload) << ", "
               << static_cast<int>(e.code) << ", " << make_error_code(e.why).message() << "}";
  }
};

/// Notes every event, then does what the test wants done inside the callback.
class recording_sink final : public event_sink {
 public:
  std::vector<event> events;
  std::function<flow(message_view)> message_hook;
  std::function<void(const event&)> hook;  // for what is not a message

  flow on_message(message_view m) override {
    events.push_back(
        {m.kind() == message_kind::text ? event::type::text : event::type::binary, text_of(m.bytes())});
    return message_hook ? message_hook(m) : flow::proceed;
  }
  void on_ping(std::span<const std::byte> payload) override { note(event::ping(text_of(payload))); }
  void on_pong(std::span<const std::byte> payload) override { note(event::pong(text_of(payload))); }
  void on_close(close_code code, std::string_view reason) override {
    note(event::close(code, std::string(reason)));
  }
  void on_failure(errc why, close_code code) override { note(event::failure(why, code)); }

 private:
  void note(event e) {
    events.push_back(e);
    if (hook) hook(e);
  }
};

/// Counts and forgets, for tests that watch the heap or send very much.
class counting_sink final : public event_sink {
 public:
  std::size_t messages = 0;
  std::size_t controls = 0;
  std::size_t ends = 0;

  flow on_message(message_view) override {
    ++messages;
    return flow::proceed;
  }
  void on_ping(std::span<const std::byte>) override { ++controls; }
  void on_pong(std::span<const std::byte>) override { ++controls; }
  void on_close(close_code, std::string_view) override { ++ends; }
  void on_failure(errc, close_code) override { ++ends; }
};

/// Keys that can be foretold, each drawn once.
class numbered_keys final : public mask_key_source {
 public:
  std::uint32_t drawn = 0;

  mask_key next() override { return key(++drawn); }

  static mask_key key(std::uint32_t number) {
    const std::uint32_t bits = number * 2654435761u;
    return {static_cast<std::byte>(bits >> 24), static_cast<std::byte>(bits >> 16 & 0xff),
            static_cast<std::byte>(bits >> 8 & 0xff), static_cast<std::byte>(bits & 0xff)};
  }
};

/// Writes all of the output, also what writing it sets free, and returns it.
inline std::string drained(connection& ws) {
  std::string all;
  while (ws.output_size() != 0) {
    all += text_of(ws.output());
    ws.consume(ws.output_size());
  }
  ws.settle();
  return all;
}

/// A connection and all that it needs, at a time that the test sets.
class endpoint {
 public:
  explicit endpoint(role r, const connection_options& o = {})
      : own(r), options(o), ws(r, options, workspace, r == role::client ? &keys : nullptr) {}

  const role own;
  connection_options options;
  output_workspace workspace;
  numbered_keys keys;
  recording_sink sink;
  time_point now{1h};
  connection ws;

  role peer() const { return other(own); }

  /// One turn: gives `stream` in a block of just its size, settles, and spoils the block.
  std::size_t feed(std::string_view stream) {
    std::vector<std::byte> block(stream.size());
    std::ranges::copy(bytes_of(stream), block.begin());
    const std::size_t used = ws.receive(block, now, sink);
    ws.settle();
    std::ranges::fill(block, std::byte{0xDD});
    return used;
  }
  void feed(const std::vector<frame>& frames) {
    const std::string stream = encoded(peer(), frames);
    REQUIRE(feed(stream) == stream.size());
  }
  void feed(const frame& f) { feed(std::vector<frame>{f}); }

  /// One turn for each `size` bytes.
  void feed_in_pieces(std::string_view stream, std::size_t size) {
    for (; !stream.empty(); stream.remove_prefix(std::min(size, stream.size()))) feed(stream.substr(0, size));
  }

  /// One turn as a link makes it that reads large messages in place.
  void feed_in_place(std::string_view stream, std::size_t read_size) {
    while (!stream.empty()) {
      const std::span<std::byte> room = ws.payload_room();
      const std::string_view piece =
          stream.substr(0, room.empty() ? read_size : std::min(read_size, room.size()));
      stream.remove_prefix(piece.size());
      if (room.empty()) {
        feed(piece);
        continue;
      }
      std::ranges::copy(bytes_of(piece), room.begin());
      REQUIRE(ws.receive(room.first(piece.size()), now, sink) == piece.size());
      ws.settle();
    }
  }

  /// What was reported since the last call.
  std::vector<event> events() { return std::exchange(sink.events, {}); }

  /// Writes all of the output and returns its frames.
  std::vector<frame> sent(std::vector<mask_key>* mask_keys = nullptr) {
    return decoded(own, drained(ws), mask_keys);
  }
};

}  // namespace protocol_tests

#endif
