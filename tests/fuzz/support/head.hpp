#ifndef FAIRLEAD_TESTS_FUZZ_SUPPORT_HEAD_HPP
#define FAIRLEAD_TESTS_FUZZ_SUPPORT_HEAD_HPP

#include <fairlead/handshake/head_limits.hpp>
#include <fairlead/handshake/http_field.hpp>
#include <fairlead/handshake/parse_result.hpp>

#include <fuzz/support/input.hpp>

#include <iterator>
#include <span>
#include <string>
#include <utility>

// What is demanded of the heads of requests and of responses alike.

namespace fuzz {

/// The default limits, small ones, or none that a head could keep.
inline fairlead::head_limits choose_head_limits(input& in) {
  constexpr fairlead::head_limits all[] = {{}, {2048, 512, 12}, {256, 48, 4}, {64, 64, 64}, {0, 0, 0}};
  return all[in.number(std::size(all) - 1)];
}

/// What became of some bytes, `result` with all that was consumed.
template <class Head>
struct parsed_head {
  fairlead::parse_result result;
  Head head;
};

/// Gives `parser`, which is new, `in` in pieces of the sizes that `next_size` has for what is left.
template <class Parser, class NextSize>
auto parse_head(Parser parser, std::span<const std::byte> in, NextSize next_size) {
  using fairlead::parse_result;
  using fairlead::parse_state;
  parsed_head<decltype(parser.take())> all;
  std::size_t at = 0;
  do {
    const std::size_t size = next_size(in.size() - at);
    const exact_copy piece(in.subspan(at, size));
    const parse_result result = parser.feed(piece.bytes());
    demand(result.consumed <= size, "no more is consumed than was given");
    demand(result.consumed == size || result.state != parse_state::need_more,
           "all is consumed while more is needed");
    demand((result.error != fairlead::errc::ok) == (result.state == parse_state::failed),
           "what failed has an error");
    all.result = {result.state, result.error, all.result.consumed + result.consumed};
    at += size;
  } while (all.result.state == parse_state::need_more && at != in.size());
  if (all.result.state == parse_state::need_more) return all;
  const parse_result again = parser.feed(in);
  demand(again == parse_result{all.result.state, all.result.error, 0}, "the end says the same again");
  if (all.result.state == parse_state::done) all.head = parser.take();
  return all;
}

/// The same in one piece.
template <class Parser>
auto parse_head(Parser parser, std::span<const std::byte> in) {
  return parse_head(std::move(parser), in, [](std::size_t left) { return left; });
}

/// What follows the first line of the head that says what `fields` say.
inline std::string written_fields(std::span<const fairlead::http_field> fields) {
  std::string text;
  for (const fairlead::http_field& field : fields) {
    text.append(field.name).append(": ").append(field.value).append("\r\n");
  }
  return text + "\r\n";
}

}  // namespace fuzz

#endif
