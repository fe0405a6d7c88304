#ifndef FAIRLEAD_TESTS_HANDSHAKE_HEADS_HPP
#define FAIRLEAD_TESTS_HANDSHAKE_HEADS_HPP

#include <fairlead/handshake/request_parser.hpp>
#include <fairlead/handshake/response_parser.hpp>

#include <support/catch.hpp>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

// Heads to feed a request_parser or a response_parser, and all that it made of them.

namespace heads {

/// A handshake as browsers send it (RFC 6455 section 1.2).
inline const std::string upgrade =
    "GET /chat?room=7 HTTP/1.1\r\n"
    "Host: example.com:8000\r\n"
    "Upgrade: websocket\r\n"
    "Connection: keep-alive, Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Version: 13\r\n"
    "\r\n";

/// The answer to it (RFC 6455 section 1.2).
inline const std::string upgraded =
    "HTTP/1.1 101 Switching Protocols\r\n"
    "Upgrade: websocket\r\n"
    "Connection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
    "\r\n";

/// A head with that first line and these further lines, each with its CRLF.
inline std::string with(std::string_view first_line, std::string_view lines = "Host: a\r\n") {
  return std::string(first_line) + "\r\n" + std::string(lines) + "\r\n";
}

/// `head` with the first `from` replaced; a head without it is a mistake in the test.
inline std::string replaced(std::string head, std::string_view from, std::string_view to) {
  const std::size_t at = head.find(from);
  REQUIRE(at != std::string::npos);
  return head.replace(at, from.size(), to);
}

inline std::string without_line(const std::string& head, std::string_view name) {
  const std::size_t at = head.find("\r\n" + std::string(name) + ":");
  REQUIRE(at != std::string::npos);
  return head.substr(0, at) + head.substr(head.find("\r\n", at + 2));
}

/// Feeds a copy of exactly its size on the heap, so that a sanitizer sees one byte too many (H27).
inline fairlead::parse_result feed(auto& parser, std::string_view piece) {
  const auto exact = std::make_unique<std::byte[]>(piece.size());
  std::copy_n(reinterpret_cast<const std::byte*>(piece.data()), piece.size(), exact.get());
  return parser.feed({exact.get(), piece.size()});
}

template <class Parser = fairlead::request_parser>
auto must_parse(std::string_view head) {
  Parser parser;
  const fairlead::parse_result result = feed(parser, head);
  CAPTURE(head, make_error_code(result.error).message());
  REQUIRE(result == fairlead::parse_result{fairlead::parse_state::done, fairlead::errc::ok, head.size()});
  return parser.take();
}

/// All that can be asked of a request, in one text.
inline std::string describe(const fairlead::request& head) {
  std::string text;
  for (const std::string_view part :
       {head.method(), head.target(), head.path(), head.query_string(), head.host()}) {
    text.append(part).append("\n");
  }
  for (const fairlead::http_field& field : head.fields()) {
    text.append(field.name).append("=").append(field.value).append("\n");
  }
  return text;
}

inline std::string describe(const fairlead::response_head& head) {
  std::string text = std::to_string(static_cast<int>(head.status())) + " ";
  text.append(head.reason()).append("\n");
  for (const fairlead::http_field& field : head.fields()) {
    text.append(field.name).append("=").append(field.value).append("\n");
  }
  return text;
}

/// What became of an input: the result with all consumed bytes, and the head if there was one.
struct outcome {
  fairlead::parse_result result;
  std::string head;

  friend bool operator==(const outcome&, const outcome&) = default;
};

/// Feeds `input` in pieces: one that ends at `first_end`, then pieces of `size`.
template <class Parser = fairlead::request_parser>
outcome parse_in_pieces(std::string_view input, std::size_t first_end, std::size_t size,
                        const fairlead::head_limits& limits = {}) {
  Parser parser(limits);
  outcome all;
  std::size_t at = 0;
  std::size_t end = std::min(first_end, input.size());
  while (true) {
    const fairlead::parse_result result = feed(parser, input.substr(at, end - at));
    all.result.state = result.state;
    all.result.error = result.error;
    all.result.consumed += result.consumed;
    if (result.state != fairlead::parse_state::need_more || end == input.size()) break;
    at = end;
    end = std::min(end + size, input.size());
  }
  if (all.result.state == fairlead::parse_state::done) all.head = describe(parser.take());
  return all;
}

template <class Parser = fairlead::request_parser>
outcome parse_whole(std::string_view input, const fairlead::head_limits& limits = {}) {
  return parse_in_pieces<Parser>(input, input.size(), input.size(), limits);
}

/// Whole, in two pieces at every place, in single bytes and in threes: always the same (TRUST H12).
template <class Parser = fairlead::request_parser>
void check_every_split(const std::string& input) {
  const outcome whole = parse_whole<Parser>(input);
  for (std::size_t at = 0; at <= input.size(); ++at) {
    if (parse_in_pieces<Parser>(input, at, input.size()) == whole) continue;
    FAIL("split at " << at << ":\n" << input);
  }
  CHECK(parse_in_pieces<Parser>(input, 1, 1) == whole);
  CHECK(parse_in_pieces<Parser>(input, 3, 3) == whole);
}

}  // namespace heads

#endif
