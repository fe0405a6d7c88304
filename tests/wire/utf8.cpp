#include <fairlead/wire/utf8.hpp>

#include <support/catch.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

using namespace fairlead;
using namespace std::string_view_literals;

namespace {

using byte_string = std::vector<std::uint8_t>;

std::span<const std::byte> view(std::string_view text) { return std::as_bytes(std::span(text)); }
std::span<const std::byte> view(const byte_string& text) { return std::as_bytes(std::span(text)); }

std::size_t encoded_size(std::uint32_t code_point) {
  return code_point < 0x80 ? 1 : code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
}

/// The encoding of any number, also of one that is no scalar value, straight from the table of RFC 3629
/// section 3.
byte_string encoded(std::uint32_t code_point) {
  const auto trail = [code_point](int shift) {
    return static_cast<std::uint8_t>(0x80 | (code_point >> shift & 0x3F));
  };
  const auto lead = [code_point](unsigned mark, int shift) {
    return static_cast<std::uint8_t>(mark | code_point >> shift);
  };
  switch (encoded_size(code_point)) {
    case 1: return {lead(0, 0)};
    case 2: return {lead(0xC0, 6), trail(0)};
    case 3: return {lead(0xE0, 12), trail(6), trail(0)};
    default: return {lead(0xF0, 18), trail(12), trail(6), trail(0)};
  }
}

bool is_scalar_value(std::uint32_t code_point) {
  return code_point <= 0x10FFFF && !(code_point >= 0xD800 && code_point <= 0xDFFF);
}

/// Whether some code point's encoding begins with these bytes, 1 to 4 of them. Slow and without a table of
/// leads: it fills the missing bits with zeros and with ones, and asks whether anything between the two is a
/// scalar value that is encoded in as many bytes.
bool begins_a_code_point(std::span<const std::uint8_t> bytes, bool& whole) {
  const unsigned lead = bytes[0];
  const unsigned ones = lead < 0x80   ? 0
                        : lead < 0xC0 ? 1
                        : lead < 0xE0 ? 2
                        : lead < 0xF0 ? 3
                        : lead < 0xF8 ? 4
                                      : 5;
  if (ones == 1 || ones == 5) return false;
  const std::size_t length = ones == 0 ? 1 : ones;
  std::uint32_t low = ones == 0 ? lead : lead & (0x7Fu >> ones);
  for (std::size_t i = 1; i < bytes.size(); ++i) {
    if ((bytes[i] & 0xC0) != 0x80) return false;
    low = low << 6 | (bytes[i] & 0x3Fu);
  }
  const auto missing = static_cast<unsigned>(length - bytes.size());
  low <<= 6 * missing;
  const std::uint32_t high = low | ((1u << 6 * missing) - 1);
  whole = missing == 0;
  // The bounds of the four forms and of the holes lie on multiples of 64 or at the ends of the range.
  for (std::uint32_t c = low; c <= high; c += 64) {
    if (is_scalar_value(c) && encoded_size(c) == length) return true;
  }
  return false;
}

struct verdict {
  std::size_t refused_at;  ///< Index of the first impossible byte; the size if there is none.
  bool complete;
  friend bool operator==(const verdict&, const verdict&) = default;
};

/// The slow reference.
verdict judge(std::span<const std::uint8_t> text) {
  std::size_t begin = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    bool whole = false;
    if (!begins_a_code_point(text.subspan(begin, i + 1 - begin), whole)) return {i, false};
    if (whole) begin = i + 1;
  }
  return {text.size(), begin == text.size()};
}

verdict judge_by_machine(std::span<const std::uint8_t> text) {
  detail::utf8_machine machine;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!machine.feed(std::byte{text[i]})) return {i, machine.complete()};
  }
  return {text.size(), machine.complete()};
}

/// One byte a piece.
verdict judge_by_bytes(std::span<const std::uint8_t> text) {
  utf8_validator validator;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!validator.feed(std::as_bytes(text.subspan(i, 1)))) return {i, validator.complete()};
  }
  return {text.size(), validator.complete()};
}

bool is_valid(std::span<const std::uint8_t> text) {
  const verdict v = judge(text);
  return v.refused_at == text.size() && v.complete;
}

/// From a block that ends where the text does, so that a sanitizer sees a byte too many.
bool is_valid_in_exact_block(std::span<const std::uint8_t> text) {
  const auto block = std::make_unique<std::uint8_t[]>(text.size());
  std::copy(text.begin(), text.end(), block.get());
  return is_valid_utf8(std::as_bytes(std::span(block.get(), text.size())));
}

/// All ways to look at `text` against the reference; the number that differ.
unsigned differences(std::span<const std::uint8_t> text) {
  const verdict expected = judge(text);
  unsigned wrong = 0;
  wrong += judge_by_machine(text) != expected;
  wrong += judge_by_bytes(text) != expected;
  wrong += is_valid_utf8(std::as_bytes(text)) != (expected.refused_at == text.size() && expected.complete);
  utf8_validator validator;
  wrong += validator.feed(std::as_bytes(text)) != (expected.refused_at == text.size());
  wrong += validator.complete() != expected.complete;
  return wrong;
}

/// A byte of each class that the grammar of RFC 3629 section 4 tells apart, and its neighbours.
constexpr std::uint8_t class_edges[] = {0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF,
                                        0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE,
                                        0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF};

/// Texts of `size` bytes or a few more, of code points of every length.
byte_string random_text(std::mt19937& random, std::size_t size) {
  byte_string text;
  while (text.size() < size) {
    const auto below = [&random](std::uint32_t n) { return static_cast<std::uint32_t>(random() % n); };
    std::uint32_t code_point = 0;
    switch (below(5)) {
      case 0: code_point = 0x80 + below(0x780); break;
      case 1: code_point = 0x800 + below(0xD000); break;
      case 2: code_point = 0x10000 + below(0x100000); break;
      default: code_point = below(0x80); break;
    }
    const byte_string next = encoded(code_point);
    text.insert(text.end(), next.begin(), next.end());
  }
  return text;
}

struct sample {
  std::string_view bytes;
  verdict expected;
};

// RFC 3629 sections 3 and 4. TRUST M07.
constexpr sample samples[] = {
    {""sv, {0, true}},
    {"\x00"sv, {1, true}},
    {"\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5"sv, {11, true}},
    {"\xC2\x80"sv, {2, true}},
    {"\xDF\xBF"sv, {2, true}},
    {"\xE0\xA0\x80"sv, {3, true}},
    {"\xEF\xBF\xBF"sv, {3, true}},
    {"\xF0\x90\x80\x80"sv, {4, true}},
    {"\xF4\x8F\xBF\xBF"sv, {4, true}},
    // unfinished
    {"\xC2"sv, {1, false}},
    {"\xE0\xA0"sv, {2, false}},
    {"\xF4\x8F\xBF"sv, {3, false}},
    // overlong
    {"\xC0\x80"sv, {0, false}},
    {"\xC1\xBF"sv, {0, false}},
    {"\xE0\x80\x80"sv, {1, false}},
    {"\xE0\x9F\xBF"sv, {1, false}},
    {"\xF0\x80\x80\x80"sv, {1, false}},
    {"\xF0\x8F\xBF\xBF"sv, {1, false}},
    // surrogates, and the code points on both sides of them
    {"\xED\x9F\xBF"sv, {3, true}},
    {"\xED\xA0\x80"sv, {1, false}},
    {"\xED\xBF\xBF"sv, {1, false}},
    {"\xEE\x80\x80"sv, {3, true}},
    // beyond U+10FFFF
    {"\xF4\x90\x80\x80"sv, {1, false}},
    {"\xF5\x80\x80\x80"sv, {0, false}},
    {"\xFF"sv, {0, false}},
    // a trail byte without a lead, a lead without its trail
    {"\x80"sv, {0, false}},
    {"a\xBF"sv, {1, false}},
    {"\xC2\x41"sv, {1, false}},
    {"\xE1\x80\x41"sv, {2, false}},
    {"\xF1\x80\x80\xC2"sv, {3, false}},
};

constexpr verdict judge_by_the_compiler(std::string_view text) {
  detail::utf8_machine machine;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!machine.feed(static_cast<std::byte>(text[i]))) return {i, machine.complete()};
  }
  return {text.size(), machine.complete()};
}

static_assert(std::all_of(std::begin(samples), std::end(samples),
                          [](const sample& s) { return judge_by_the_compiler(s.bytes) == s.expected; }));
static_assert(sizeof(utf8_validator) <= 4);
static_assert(noexcept(is_valid_utf8({})));
static_assert(noexcept(std::declval<utf8_validator&>().feed({})));

}  // namespace

TEST_CASE("samples_are_judged_as_the_rfc_says") {
  for (const sample& s : samples) {
    const byte_string text(s.bytes.begin(), s.bytes.end());
    CHECK(judge(text) == s.expected);
    CHECK(differences(text) == 0);
    CHECK(is_valid_in_exact_block(text) == is_valid(text));
  }
}

// TRUST M07.
TEST_CASE("all_sequences_of_one_and_two_bytes_are_judged_as_by_the_reference") {
  unsigned wrong = 0;
  for (unsigned first = 0; first < 256; ++first) {
    wrong += differences(byte_string{static_cast<std::uint8_t>(first)});
    for (unsigned second = 0; second < 256; ++second) {
      wrong += differences(byte_string{static_cast<std::uint8_t>(first), static_cast<std::uint8_t>(second)});
    }
  }
  CHECK(wrong == 0);
}

// TRUST M07: every lead with every second byte, and the classes behind them.
TEST_CASE("sequences_of_three_and_four_bytes_are_judged_as_by_the_reference") {
  unsigned wrong = 0;
  for (unsigned first = 0xDF; first < 256; ++first) {
    for (unsigned second = 0; second < 256; ++second) {
      for (const unsigned third : {0x41u, 0x7Fu, 0x80u, 0xBFu, 0xC2u}) {
        wrong += differences(byte_string{static_cast<std::uint8_t>(first), static_cast<std::uint8_t>(second),
                                         static_cast<std::uint8_t>(third)});
      }
    }
  }
  for (const std::uint8_t first : class_edges) {
    if (first < 0xC0) continue;
    for (const std::uint8_t second : class_edges) {
      for (const std::uint8_t third : class_edges) {
        for (const std::uint8_t fourth : class_edges)
          wrong += differences(byte_string{first, second, third, fourth});
      }
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("every_code_point_but_the_surrogates_is_valid") {
  unsigned wrong = 0;
  for (std::uint32_t code_point = 0; code_point <= 0x11FFFF; ++code_point) {
    const byte_string text = encoded(code_point);
    wrong += is_valid_utf8(view(text)) != is_scalar_value(code_point);
  }
  CHECK(wrong == 0);
}

// TRUST M07: as Autobahn 6.4.3 and 6.4.4 ask.
TEST_CASE("validator_fails_at_the_first_impossible_byte_in_a_later_piece") {
  for (const std::string_view bad : {"\xF4\x90"sv, "\xED\xA0"sv, "\xE0\x80"sv, "\xF0\x8F"sv, "\xC2\x7F"sv}) {
    utf8_validator validator;
    CHECK(validator.feed(view("\xCE\xBA\xE1\xBD\xB9"sv)));
    CHECK(validator.feed(view(bad.substr(0, 1))));
    CHECK_FALSE(validator.complete());
    CHECK_FALSE(validator.feed(view(bad.substr(1))));
  }
  for (const std::string_view bad : {"\xC0"sv, "\xC1"sv, "\xF5"sv, "\xFF"sv, "\x80"sv}) {
    utf8_validator validator;
    CHECK(validator.feed(view("ahoy"sv)));
    CHECK_FALSE(validator.feed(view(bad)));
  }
}

TEST_CASE("a_validator_that_failed_stays_failed_until_reset") {
  for (const std::size_t size : {1u, 300u}) {  // the machine, and the fast path
    utf8_validator validator;
    CHECK_FALSE(validator.feed(view(byte_string(size, 0xFF))));
    CHECK_FALSE(validator.complete());
    CHECK_FALSE(validator.feed({}));
    CHECK_FALSE(validator.feed(view("a"sv)));
    CHECK_FALSE(validator.feed(view(byte_string(300, 'a'))));
    CHECK_FALSE(validator.feed(view("\x80"sv)));
    CHECK_FALSE(validator.complete());
    validator.reset();
    CHECK(validator.complete());
    CHECK(validator.feed(view("a"sv)));
    CHECK(validator.complete());
  }
}

TEST_CASE("an_empty_piece_changes_nothing") {
  utf8_validator validator;
  CHECK(validator.feed({}));
  CHECK(validator.complete());
  CHECK(validator.feed(view("\xE2\x82"sv)));
  CHECK(validator.feed({}));
  CHECK_FALSE(validator.complete());
  CHECK(validator.feed(view("\xAC"sv)));
  CHECK(validator.complete());
  CHECK(is_valid_utf8({}));
}

// TRUST M07.
TEST_CASE("a_text_may_be_split_at_each_byte") {
  std::mt19937 random(3629);
  unsigned wrong = 0;
  for (const std::size_t size : {1u, 4u, 23u, 24u, 25u, 31u, 64u, 65u, 200u}) {
    const byte_string text = random_text(random, size);
    for (std::size_t cut = 0; cut <= text.size(); ++cut) {
      utf8_validator validator;
      wrong += !validator.feed(view(text).first(cut));
      wrong += validator.complete() != judge(std::span(text).first(cut)).complete;
      wrong += !validator.feed(view(text).subspan(cut));
      wrong += !validator.complete();
    }
  }
  CHECK(wrong == 0);
}

// TRUST M08.
TEST_CASE("whole_texts_are_judged_alike_at_every_length_with_a_fault_at_any_place") {
  std::mt19937 random(3629);
  unsigned wrong = 0;
  for (std::size_t size = 0; size <= 256; ++size) {
    const byte_string ascii(size, 'a');
    wrong += !is_valid_in_exact_block(ascii);
    byte_string mixed = random_text(random, size);
    wrong += !is_valid_in_exact_block(mixed);
    for (std::size_t at = 0; at < size; at += 1 + size / 32) {
      byte_string bad = ascii;
      bad[at] = 0x80;
      wrong += is_valid_in_exact_block(bad);
      bad[at] = 0xC3;  // unfinished, also as the last byte
      wrong += is_valid_in_exact_block(bad);
      bad = mixed;
      bad[at] = 0xFF;
      wrong += is_valid_in_exact_block(bad);
    }
    if (!mixed.empty() && mixed.back() >= 0x80) {
      mixed.pop_back();
      wrong += is_valid_in_exact_block(mixed);
    }
  }
  CHECK(wrong == 0);
}

// TRUST M08.
TEST_CASE("random_pieces_are_judged_as_by_the_machine") {
  std::mt19937 random(3629);
  unsigned wrong = 0;
  unsigned refused = 0;
  for (int round = 0; round < 3000; ++round) {
    byte_string text = random_text(random, random() % 600);
    if (round % 2 == 0 && !text.empty()) {
      text[random() % text.size()] = class_edges[random() % std::size(class_edges)];
    }
    const std::size_t largest_piece = 1 + random() % 200;
    utf8_validator validator;
    detail::utf8_machine machine;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t size = std::min(text.size() - at, random() % (largest_piece + 1));
      bool expected = !machine.failed();
      for (const std::uint8_t b : std::span(text).subspan(at, size)) expected = machine.feed(std::byte{b});
      // Each piece in a block of its own: what lies around it must not matter.
      const byte_string piece(text.begin() + static_cast<std::ptrdiff_t>(at),
                              text.begin() + static_cast<std::ptrdiff_t>(at + size));
      wrong += validator.feed(view(piece)) != expected;
      wrong += validator.complete() != machine.complete();
      at += size;
    }
    wrong += is_valid_utf8(view(text)) != machine.complete();
    refused += machine.failed();
  }
  CHECK(wrong == 0);
  CHECK(refused > 500);
}
