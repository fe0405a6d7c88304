#include "chapters.hpp"

namespace conformance {
namespace {

using namespace std::string_view_literals;

// "kosme" in Greek, by which Markus Kuhn's test file begins; most of the sequences below are from there.
constexpr std::string_view greek = "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5";

struct sequence {
  bool is_valid;
  std::string bytes;
};

std::vector<sequence> all(bool are_valid, const std::vector<std::string_view>& list) {
  std::vector<sequence> sequences;
  for (const std::string_view bytes : list) sequences.push_back({are_valid, std::string(bytes)});
  return sequences;
}

std::vector<sequence> prefixes(std::string_view bytes) {
  std::vector<sequence> sequences;
  for (std::size_t size = 1; size <= bytes.size(); ++size) {
    // A prefix is valid where a character ends: at the end, or before a byte that is no continuation.
    const bool at_boundary = size == bytes.size() || (static_cast<unsigned char>(bytes[size]) & 0xc0) != 0x80;
    sequences.push_back({at_boundary, std::string(bytes.substr(0, size))});
  }
  return sequences;
}

// The bytes `first` to before `end`, each followed by `behind`.
std::string bytes_between(unsigned first, unsigned end, std::string_view behind = {}) {
  std::string out;
  for (unsigned byte = first; byte < end; ++byte) (out += static_cast<char>(byte)) += behind;
  return out;
}

std::vector<sequence> unexpected_continuations() {
  std::vector<sequence> sequences =
      all(false, {"\x80", "\xbf", "\x80\xbf", "\x80\xbf\x80", "\x80\xbf\x80\xbf", "\x80\xbf\x80\xbf\x80",
                  "\x80\xbf\x80\xbf\x80\xbf"});
  sequences.push_back({false, bytes_between(0x80, 0xbf)});
  return sequences;
}

std::vector<sequence> lonely_starts() {
  return {{false, bytes_between(0xc0, 0xdf, " ")},
          {false, bytes_between(0xe0, 0xef, " ")},
          {false, bytes_between(0xf0, 0xf7, " ")},
          {false, bytes_between(0xf8, 0xfb, " ")},
          {false, bytes_between(0xfc, 0xfd, " ")}};
}

const std::vector<std::string_view> without_last_byte{
    "\xc0", "\xe0\x80", "\xf0\x80\x80", "\xf8\x80\x80\x80", "\xfc\x80\x80\x80\x80",
    "\xdf", "\xef\xbf", "\xf7\xbf\xbf", "\xfb\xbf\xbf\xbf", "\xfd\xbf\xbf\xbf\xbf"};

std::vector<sequence> joined(const std::vector<std::string_view>& parts) {
  std::string bytes;
  for (const std::string_view part : parts) bytes += part;
  return {{false, bytes}};
}

// The last two code points of each plane, which stand for no character but may be sent: U+FFFE and U+FFFF,
// and those of the form F[0-4] [89AB]F BF B[EF].
std::vector<sequence> non_characters() {
  std::vector<sequence> sequences = all(true, {"\xef\xbf\xbe", "\xef\xbf\xbf"});
  for (unsigned plane = 1; plane <= 16; ++plane) {
    for (const char last : {'\xbe', '\xbf'}) {
      std::string bytes{static_cast<char>(0xf0 | (plane >> 2)), static_cast<char>(0x8f | ((plane & 3) << 4)),
                        '\xbf', last};
      sequences.push_back({true, std::move(bytes)});
    }
  }
  return sequences;
}

struct section {
  std::string words;
  std::vector<sequence> sequences;
};

std::vector<sequence> boundaries() {
  std::vector<sequence> sequences =
      all(true, {"\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbd", "\xf4\x8f\xbf\xbf"});
  sequences.push_back({false, "\xf4\x90\x80\x80"});
  return sequences;
}

// Sections 6.5 to 6.23.
std::vector<section> sections() {
  return {
      {"valid text", all(true, {"hello\x24world", "hello\xc2\xa2world", "hello\xe2\x82\xacworld",
                                "hello\xf0\xa4\xad\xa2world", greek})},
      {"a prefix of valid text", prefixes(greek)},
      {"the first sequence of its length",
       all(true, {"\x00"sv, "\xc2\x80", "\xe0\xa0\x80", "\xf0\x90\x80\x80"})},
      {"the first sequence of 5 or 6 bytes",
       all(false, {"\xf8\x88\x80\x80\x80", "\xfc\x84\x80\x80\x80\x80"})},
      {"the last sequence of its length",
       all(true, {"\x7f", "\xdf\xbf", "\xef\xbf\xbf", "\xf4\x8f\xbf\xbf"})},
      {"the last sequence of 4, 5 or 6 bytes",
       all(false, {"\xf7\xbf\xbf\xbf", "\xfb\xbf\xbf\xbf\xbf", "\xfd\xbf\xbf\xbf\xbf\xbf"})},
      {"another boundary", boundaries()},
      {"unexpected continuation bytes", unexpected_continuations()},
      {"lonely start bytes", lonely_starts()},
      {"a sequence without its last byte", all(false, without_last_byte)},
      {"incomplete sequences, one behind the other", joined(without_last_byte)},
      {"impossible bytes", all(false, {"\xfe", "\xff", "\xfe\xfe\xff\xff"})},
      {"an overlong ASCII character", all(false, {"\xc0\xaf", "\xe0\x80\xaf", "\xf0\x80\x80\xaf",
                                                  "\xf8\x80\x80\x80\xaf", "\xfc\x80\x80\x80\x80\xaf"})},
      {"the last overlong sequence of its length",
       all(false, {"\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf", "\xf8\x87\xbf\xbf\xbf",
                   "\xfc\x83\xbf\xbf\xbf\xbf"})},
      {"NUL, overlong", all(false, {"\xc0\x80", "\xe0\x80\x80", "\xf0\x80\x80\x80", "\xf8\x80\x80\x80\x80",
                                    "\xfc\x80\x80\x80\x80\x80"})},
      {"a single UTF-16 surrogate",
       all(false, {"\xed\xa0\x80", "\xed\xad\xbf", "\xed\xae\x80", "\xed\xaf\xbf", "\xed\xb0\x80",
                   "\xed\xbe\x80", "\xed\xbf\xbf"})},
      {"a pair of UTF-16 surrogates",
       all(false, {"\xed\xa0\x80\xed\xb0\x80", "\xed\xa0\x80\xed\xbf\xbf", "\xed\xad\xbf\xed\xb0\x80",
                   "\xed\xad\xbf\xed\xbf\xbf", "\xed\xae\x80\xed\xb0\x80", "\xed\xae\x80\xed\xbf\xbf",
                   "\xed\xaf\xbf\xed\xb0\x80", "\xed\xaf\xbf\xed\xbf\xbf"})},
      {"a code point that is no character", non_characters()},
      {"a special code point", all(true, {"\xef\xbf\xb9", "\xef\xbf\xba", "\xef\xbf\xbb", "\xef\xbf\xbc",
                                          "\xef\xbf\xbd", "\xef\xbf\xbe", "\xef\xbf\xbf"})},
  };
}

// 6.4: text that becomes impossible in its second part. A peer has to see that before the third.
void add_fail_fast(suite& s) {
  const std::string bytes = std::string(greek) +
                            "\xf4\x90\x80\x80"
                            "edited";
  const std::size_t impossible = greek.size() + 1;  // F4 may begin a character; F4 90 may not
  struct cut {
    std::size_t first;
    std::size_t second;
    std::string words;
  };
  const cut behind_sequence{greek.size(), greek.size() + 4, "the whole impossible sequence"};
  const cut at_byte{impossible, impossible + 1, "the first impossible byte alone"};
  const auto judge = [](test_case& c) {
    c.expect_pauses({"A"}).or_non_strict_pauses({"A", "B"}).fails_with(1007);
  };

  int number = 0;
  for (const cut& at : {behind_sequence, at_byte}) {
    const auto part = [&](std::size_t begin, std::size_t end) { return bytes.substr(begin, end - begin); };
    judge(s.add("6.4." + std::to_string(++number),
                "Text that is not UTF-8 in three frames with pauses, the second with " + at.words + ".")
              .send(text(part(0, at.first)).unfinished())
              .wait("A")
              .send(rest(part(at.first, at.second)).unfinished())
              .wait("B")
              .send(rest(part(at.second, bytes.size()))));
  }
  for (const cut& at : {behind_sequence, at_byte}) {
    judge(s.add("6.4." + std::to_string(++number),
                "Text that is not UTF-8 in one frame, sent in three parts with pauses, the second with " +
                    at.words + ".")
              .send_from_to(text(bytes), 0, at.first)
              .wait("A")
              .send_from_to(text(bytes), at.first, at.second)
              .wait("B")
              .send_from_to(text(bytes), at.second, bytes.size()));
  }
}

}  // namespace

void add_utf8(suite& s) {
  s.add("6.1.1", "An empty text message.").send(text({})).expect({text({})});
  s.add("6.1.2", "An empty text message in three frames.")
      .send(text({}).unfinished())
      .send(rest({}).unfinished())
      .send(rest({}))
      .expect({text({})});
  s.add("6.1.3", "A text message in three frames, the first and the last empty.")
      .send(text({}).unfinished())
      .send(rest("middle frame payload").unfinished())
      .send(rest({}))
      .expect({text("middle frame payload")});

  const frame umlauts = text("Hello-µ@ßöäüàá-UTF-8!!");
  s.add("6.2.1", "Valid text in one frame.").send(umlauts).expect({umlauts});
  s.add("6.2.2", "Valid text in two frames, cut between characters.")
      .send(text("Hello-µ@ßöä").unfinished())
      .send(rest("üàá-UTF-8!!"))
      .expect({umlauts});
  s.add("6.2.3", "Valid text in frames of one byte.").send_fragmented(umlauts, 1).expect({umlauts});
  s.add("6.2.4", "Valid text in Greek in frames of one byte.")
      .send_fragmented(text(greek), 1)
      .expect({text(greek)});

  const frame surrogate = text(std::string(greek) +
                               "\xed\xa0\x80"
                               "edited");
  s.add("6.3.1", "Text with a surrogate, which is not valid.").send(surrogate).expect({}).fails_with(1007);
  s.add("6.3.2", "Text with a surrogate in frames of one byte.")
      .send_fragmented(surrogate, 1)
      .expect({})
      .fails_with(1007);

  add_fail_fast(s);

  int section_number = 5;
  for (const section& list : sections()) {
    int number = 0;
    for (const sequence& sequence : list.sequences) {
      auto& c = s.add("6." + std::to_string(section_number) + "." + std::to_string(++number),
                      "Text that is " + std::string(sequence.is_valid ? "" : "not ") + "UTF-8, " +
                          list.words + ": " + hexadecimal(sequence.bytes, 24) + ".")
                    .send(text(sequence.bytes));
      if (sequence.is_valid) {
        c.expect({text(sequence.bytes)});
      } else {
        c.expect({}).fails_with(1007);
      }
    }
    ++section_number;
  }
}

}  // namespace conformance
