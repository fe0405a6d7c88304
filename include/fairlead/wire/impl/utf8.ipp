#ifndef FAIRLEAD_WIRE_IMPL_UTF8_IPP
#define FAIRLEAD_WIRE_IMPL_UTF8_IPP

#include <fairlead/wire/utf8.hpp>

#include <simdjson.h>

#include <cstring>

namespace fairlead::inline FAIRLEAD_ABI {
namespace detail {

/// From this size a call of simdjson is cheaper than the machine.
inline constexpr std::size_t min_simdjson_size = 24;

inline std::uint64_t load_word(const std::byte* at) noexcept {
  std::uint64_t word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

/// How many bytes at the front are ASCII for certain: the whole text if all of it is, else some whole words.
inline std::size_t ascii_prefix_size(std::span<const std::byte> text) noexcept {
  constexpr std::size_t word_size = sizeof(std::uint64_t);
  constexpr std::uint64_t top_bits = 0x8080'8080'8080'8080;
  const std::byte* const data = text.data();
  const std::size_t size = text.size();
  std::size_t i = 0;
  if (size < word_size) {
    while (i < size && (data[i] & std::byte{0x80}) == std::byte{0}) ++i;
    return i;
  }
  for (; i + 4 * word_size <= size; i += 4 * word_size) {
    const std::uint64_t words = load_word(data + i) | load_word(data + i + word_size) |
                                load_word(data + i + 2 * word_size) | load_word(data + i + 3 * word_size);
    if ((words & top_bits) != 0) break;
  }
  for (; i + word_size <= size; i += word_size) {
    if ((load_word(data + i) & top_bits) != 0) return i;
  }
  // The last word overlaps the one before instead of going byte by byte.
  return (load_word(data + size - word_size) & top_bits) == 0 ? size : i;
}

/// How many bytes at the end belong to a code point that is not finished there, judging by its lead byte
/// alone.
inline std::size_t unfinished_size(std::span<const std::byte> text) noexcept {
  for (std::size_t back = 1; back <= 3 && back <= text.size(); ++back) {
    const auto value = std::to_integer<std::uint8_t>(text[text.size() - back]);
    if ((value & 0xC0) == 0x80) continue;
    const std::size_t length = value < 0xC0 ? 1 : value < 0xE0 ? 2 : value < 0xF0 ? 3 : 4;
    return length > back ? back : 0;
  }
  return 0;
}

inline bool validate_with_simdjson(std::span<const std::byte> text) noexcept {
  return simdjson::validate_utf8(reinterpret_cast<const char*>(text.data()), text.size());
}

}  // namespace detail

FAIRLEAD_DECL bool utf8_validator::feed(std::span<const std::byte> piece) noexcept {
  if (machine_.failed()) return false;
  while (!machine_.complete() && !piece.empty()) {
    if (!machine_.feed(piece.front())) return false;
    piece = piece.subspan(1);
  }
  piece = piece.subspan(detail::ascii_prefix_size(piece));
  if (piece.size() >= detail::min_simdjson_size) {
    const std::size_t unfinished = detail::unfinished_size(piece);
    if (!detail::validate_with_simdjson(piece.first(piece.size() - unfinished))) return machine_.fail();
    piece = piece.last(unfinished);
  }
  for (const std::byte next : piece) {
    if (!machine_.feed(next)) return false;
  }
  return true;
}

FAIRLEAD_DECL bool is_valid_utf8(std::span<const std::byte> text) noexcept {
  text = text.subspan(detail::ascii_prefix_size(text));
  if (text.size() >= detail::min_simdjson_size) return detail::validate_with_simdjson(text);
  detail::utf8_machine machine;
  for (const std::byte next : text) {
    if (!machine.feed(next)) return false;
  }
  return machine.complete();
}

}  // namespace fairlead

#endif
