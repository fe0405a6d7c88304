#ifndef FAIRLEAD_TESTS_FUZZ_SUPPORT_INPUT_HPP
#define FAIRLEAD_TESTS_FUZZ_SUPPORT_INPUT_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <span>
#include <string_view>

// What every target takes its decisions from, and what ends the program when a demand is not met.

namespace fuzz {

/// Ends the program, which the fuzzer and the replay report with the input, unless `holds`.
inline void demand(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "demanded and not met: %s\n", what);
  std::abort();
}

/// The bytes of one run, taken from the front: first some that decide, then those that fairlead is given, so
/// that a file of the corpus shows them as they are. What is missing at the end counts as zeros.
class input {
 public:
  input(const std::uint8_t* data, std::size_t size) noexcept : rest_(std::as_bytes(std::span(data, size))) {}

  bool empty() const noexcept { return rest_.empty(); }

  std::uint8_t byte() noexcept {
    const auto next = bytes(1);
    return next.empty() ? std::uint8_t{0} : std::to_integer<std::uint8_t>(next[0]);
  }
  bool flag() noexcept { return (byte() & 1) != 0; }

  /// 0 to `most`, from one byte, or as many as `most` has.
  std::size_t number(std::size_t most) noexcept {
    std::size_t value = byte();
    for (std::size_t range = most >> 8; range != 0; range >>= 8) value = value << 8 | byte();
    return most == SIZE_MAX ? value : value % (most + 1);
  }

  /// The next `size` bytes, or as many as there are.
  std::span<const std::byte> bytes(std::size_t size) noexcept {
    const auto taken = rest_.first(std::min(size, rest_.size()));
    rest_ = rest_.subspan(taken.size());
    return taken;
  }
  std::span<const std::byte> rest() noexcept { return bytes(rest_.size()); }

 private:
  std::span<const std::byte> rest_;
};

inline std::string_view text_of(std::span<const std::byte> bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline std::span<const std::byte> bytes_of(std::string_view text) noexcept {
  return std::as_bytes(std::span(text));
}

/// How bytes are cut into pieces: of 0 to 2^k bytes, at random. Two bytes of the input decide it all, so that
/// what is cut lies together in the file.
class splits {
 public:
  explicit splits(input& in) noexcept : most_(std::size_t{1} << in.number(12)), state_(in.byte()) {}

  /// The size of the next piece of `left` bytes. Empty pieces come too, but not for ever.
  std::size_t next(std::size_t left) noexcept {
    state_ = state_ * 6364136223846793005 + 1442695040888963407;
    return std::min(left, static_cast<std::size_t>(state_ >> 33) % (most_ + 1));
  }

 private:
  std::size_t most_;
  std::uint64_t state_;
};

/// A copy in a block of exactly its size, so that a sanitizer sees one byte too many.
class exact_copy {
 public:
  explicit exact_copy(std::span<const std::byte> bytes)
      : block_(std::make_unique<std::byte[]>(bytes.size())), size_(bytes.size()) {
    std::copy(bytes.begin(), bytes.end(), block_.get());
  }
  std::span<std::byte> bytes() const noexcept { return {block_.get(), size_}; }
  std::string_view text() const noexcept { return text_of(bytes()); }

 private:
  std::unique_ptr<std::byte[]> block_;
  std::size_t size_;
};

}  // namespace fuzz

#endif
