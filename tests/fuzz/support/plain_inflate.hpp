#ifndef FAIRLEAD_TESTS_FUZZ_SUPPORT_PLAIN_INFLATE_HPP
#define FAIRLEAD_TESTS_FUZZ_SUPPORT_PLAIN_INFLATE_HPP

#include <fuzz/support/input.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

// RFC 1951 once more, bit by bit and in the order of its text, and section 7.2.2 of RFC 7692 on top of it: what fairlead
// makes of compressed messages is compared with this, since fairlead, as its peers do, asks zlib.

namespace fuzz {

/// The bits of deflate data, in the order of RFC 1951 section 3.1.1.
class plain_bits {
 public:
  explicit plain_bits(std::string_view bytes) noexcept : bytes_(bytes) {}

  /// The next bit; zero, and is_short(), where there is none.
  unsigned bit() noexcept {
    if (at_ == 8 * bytes_.size()) {
      is_short_ = true;
      return 0;
    }
    const auto byte = static_cast<unsigned char>(bytes_[at_ / 8]);
    return byte >> at_++ % 8 & 1u;
  }
  /// A number of `count` bits, the least significant first.
  unsigned number(unsigned count) noexcept {
    unsigned value = 0;
    for (unsigned i = 0; i < count; ++i) value |= bit() << i;
    return value;
  }
  void skip_to_byte() noexcept { at_ = (at_ + 7) / 8 * 8; }

  /// Goes on at the same place of other bytes.
  void go_on_in(std::string_view bytes) noexcept { bytes_ = bytes; }

  /// Whole bytes that were taken, the one that was begun included.
  std::size_t bytes_taken() const noexcept { return (at_ + 7) / 8; }
  bool is_short() const noexcept { return is_short_; }

 private:
  std::string_view bytes_;
  std::size_t at_ = 0;
  bool is_short_ = false;
};

/// A Huffman code, given by the length of each symbol's code (RFC 1951 section 3.2.2).
class plain_code {
 public:
  static constexpr unsigned none = 1000;

  explicit plain_code(std::span<const std::uint8_t> lengths) noexcept {
    for (const std::uint8_t length : lengths) ++counts_[length];
    std::array<unsigned, 16> at{};
    for (unsigned length = 1; length < 15; ++length) at[length + 1] = at[length] + counts_[length];
    for (unsigned symbol = 0; symbol < lengths.size(); ++symbol) {
      if (lengths[symbol] != 0) symbols_[at[lengths[symbol]]++] = static_cast<std::uint16_t>(symbol);
    }
    for (unsigned length = 1; length <= 15; ++length)
      unused_ = 2 * unused_ - static_cast<int>(counts_[length]);
  }

  bool is_complete() const noexcept { return unused_ == 0; }
  /// Also with one code of one bit, or with none, where nothing needs more (section 3.2.7).
  bool is_usable() const noexcept {
    return is_complete() || (unused_ > 0 && counts_[0] + counts_[1] == total() && counts_[1] <= 1);
  }

  /// The next symbol; `none` where the bits are no code, or end.
  unsigned next(plain_bits& bits) const noexcept {
    unsigned code = 0;
    unsigned first = 0;
    unsigned index = 0;
    for (unsigned length = 1; length <= 15; ++length) {
      code = code << 1 | bits.bit();
      first <<= 1;
      if (bits.is_short()) return none;
      if (code < first + counts_[length]) return symbols_[index + code - first];
      index += counts_[length];
      first += counts_[length];
    }
    return none;
  }

 private:
  unsigned total() const noexcept {
    unsigned sum = 0;
    for (const unsigned count : counts_) sum += count;
    return sum;
  }

  std::array<unsigned, 16> counts_{};
  std::array<std::uint16_t, 288> symbols_{};
  int unused_ = 1;
};

/// What a message turned out to be.
enum class inflated_as { whole, corrupt, too_large };

/// Inflates the messages of one side of a connection.
class plain_inflater {
 public:
  static constexpr std::size_t most_text = 200'000;

  plain_inflater() {
    text_.reserve(history_size + most_text);
    with_tail_.reserve(most_text);
  }

  /// Inflates a message up to its end, its first fault, or the first byte beyond `limit`.
  inflated_as message(std::string_view payload, std::size_t limit) {
    forget_all_but(history_size);
    begin_ = text_.size();
    limit_ = limit;
    farthest_ = 0;
    plain_bits bits(payload);
    for (;;) {
      const plain_bits block_bits = bits;
      const std::size_t block_text = text_.size();
      bool is_last = false;
      switch (block(bits, is_last)) {
        case block_end::fault: return inflated_as::corrupt;
        case block_end::too_large: return inflated_as::too_large;
        case block_end::needs_more: return end_of(payload, block_bits, block_text);
        case block_end::done: break;
      }
      if (!is_last) continue;
      // Behind a block with BFINAL others may follow (RFC 7692 section 7.2.3.4), from the next byte on. Where none does,
      // the message is all there, though it should have one more.
      payload.remove_prefix(bits.bytes_taken());
      if (payload.empty()) return inflated_as::whole;
      bits = plain_bits(payload);
    }
  }

  /// What the last message inflated to, and the farthest that any of it referred back.
  std::string_view text() const noexcept { return std::string_view(text_).substr(begin_); }
  std::size_t farthest() const noexcept { return farthest_; }

  /// The next message begins without a history.
  void forget() noexcept { forget_all_but(0); }

 private:
  enum class block_end { done, needs_more, fault, too_large };

  static constexpr std::size_t history_size = 32 * 1024;

  void forget_all_but(std::size_t size) noexcept {
    text_.erase(0, text_.size() - std::min(size, text_.size()));
    begin_ = text_.size();
  }

  /// The payload ends within the block that begins here, or in front of it. With "0x00 0x00 0xff 0xff" behind it (RFC
  /// 7692 section 7.2.2) it has to end with a block, and none of the four may stand for content.
  inflated_as end_of(std::string_view payload, plain_bits bits, std::size_t block_text) {
    const std::size_t size = text_.size();
    with_tail_.assign(payload).append("\0\0\xff\xff", 4);
    bits.go_on_in(with_tail_);
    text_.resize(block_text);
    bool is_last = false;
    block_end end = block_end::done;
    while (end == block_end::done && !is_last && bits.bytes_taken() < with_tail_.size())
      end = block(bits, is_last);
    const bool is_whole =
        end == block_end::done && bits.bytes_taken() == with_tail_.size() && text_.size() == size;
    text_.resize(size);
    return is_whole ? inflated_as::whole : inflated_as::corrupt;
  }

  block_end block(plain_bits& bits, bool& is_last) {
    is_last = bits.bit() == 1;
    const unsigned type = bits.number(2);
    if (bits.is_short()) return block_end::needs_more;
    switch (type) {
      case 0: return stored(bits);
      case 1: return coded(bits, fixed_literals(), fixed_distances());
      case 2: return dynamic(bits);
      default: return block_end::fault;
    }
  }

  block_end stored(plain_bits& bits) {  // section 3.2.4
    bits.skip_to_byte();
    const unsigned size = bits.number(16);
    const unsigned complement = bits.number(16);
    if (bits.is_short()) return block_end::needs_more;
    if ((size ^ complement) != 0xffff) return block_end::fault;
    for (unsigned i = 0; i < size; ++i) {
      const unsigned byte = bits.number(8);
      if (bits.is_short()) return block_end::needs_more;
      if (!add(static_cast<char>(byte))) return block_end::too_large;
    }
    return block_end::done;
  }

  block_end dynamic(plain_bits& bits) {  // section 3.2.7
    constexpr std::uint8_t order[] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
    const unsigned literals = 257 + bits.number(5);
    const unsigned distances = 1 + bits.number(5);
    const unsigned lengths = 4 + bits.number(4);
    if (bits.is_short()) return block_end::needs_more;
    if (literals > 286 || distances > 30) return block_end::fault;
    std::array<std::uint8_t, 19> of_lengths{};
    for (unsigned i = 0; i < lengths; ++i) of_lengths[order[i]] = static_cast<std::uint8_t>(bits.number(3));
    if (bits.is_short()) return block_end::needs_more;
    const plain_code code(of_lengths);
    if (!code.is_complete()) return block_end::fault;

    std::array<std::uint8_t, 286 + 30> all{};
    for (unsigned i = 0; i < literals + distances;) {
      const unsigned symbol = code.next(bits);
      unsigned times = 1;
      std::uint8_t length = static_cast<std::uint8_t>(symbol);
      if (symbol == 16) times = 3 + bits.number(2);
      if (symbol == 17) times = 3 + bits.number(3);
      if (symbol == 18) times = 11 + bits.number(7);
      if (bits.is_short()) return block_end::needs_more;
      if (symbol == plain_code::none || (symbol == 16 && i == 0)) return block_end::fault;
      if (symbol >= 16) length = symbol == 16 ? all[i - 1] : std::uint8_t{0};
      if (i + times > literals + distances) return block_end::fault;
      for (; times != 0; --times) all[i++] = length;
    }
    if (all[256] == 0) return block_end::fault;
    const std::span lengths_read(all);
    const plain_code literal(lengths_read.first(literals));
    const plain_code distance(lengths_read.subspan(literals, distances));
    if (!literal.is_usable() || !distance.is_usable()) return block_end::fault;
    return coded(bits, literal, distance);
  }

  block_end coded(plain_bits& bits, const plain_code& literal, const plain_code& distance) {  // section 3.2.5
    constexpr std::uint16_t sizes[] = {3,  4,  5,  6,  7,  8,  9,  10, 11,  13,  15,  17,  19,  23, 27,
                                       31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258};
    constexpr std::uint8_t size_bits[] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                          2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
    constexpr std::uint16_t backs[] = {1,    2,    3,    4,    5,    7,    9,    13,    17,    25,
                                       33,   49,   65,   97,   129,  193,  257,  385,   513,   769,
                                       1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};
    for (;;) {
      const unsigned symbol = literal.next(bits);
      if (bits.is_short()) return block_end::needs_more;
      if (symbol == 256) return block_end::done;
      if (symbol < 256) {
        if (!add(static_cast<char>(symbol))) return block_end::too_large;
        continue;
      }
      if (symbol > 285) return block_end::fault;
      const unsigned size = sizes[symbol - 257] + bits.number(size_bits[symbol - 257]);
      if (bits.is_short()) return block_end::needs_more;
      const unsigned back_symbol = distance.next(bits);
      if (bits.is_short()) return block_end::needs_more;
      if (back_symbol > 29) return block_end::fault;
      const std::size_t back = backs[back_symbol] + bits.number(back_symbol < 4 ? 0 : back_symbol / 2 - 1);
      if (bits.is_short()) return block_end::needs_more;
      if (back > text_.size()) return block_end::fault;
      farthest_ = std::max(farthest_, back);
      for (unsigned i = 0; i < size; ++i) {
        if (!add(text_[text_.size() - back])) return block_end::too_large;
      }
    }
  }

  static const plain_code& fixed_literals() {  // section 3.2.6
    static const plain_code code = [] {
      std::array<std::uint8_t, 288> lengths;
      for (std::size_t i = 0; i < lengths.size(); ++i) {
        lengths[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
      }
      return plain_code(lengths);
    }();
    return code;
  }

  static const plain_code& fixed_distances() {
    static const plain_code code = [] {
      std::array<std::uint8_t, 30> lengths;
      lengths.fill(5);
      return plain_code(lengths);
    }();
    return code;
  }

  bool add(char c) {
    text_ += c;
    return text_.size() - begin_ <= limit_;
  }

  std::string text_;  // the history, and the message behind it
  std::string with_tail_;
  std::size_t begin_ = 0;
  std::size_t limit_ = 0;
  std::size_t farthest_ = 0;
};

}  // namespace fuzz

#endif
