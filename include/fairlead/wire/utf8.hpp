#ifndef FAIRLEAD_WIRE_UTF8_HPP
#define FAIRLEAD_WIRE_UTF8_HPP

#include <fairlead/config.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace fairlead::inline FAIRLEAD_ABI {
namespace detail {

/// UTF-8 byte by byte: the definition that the fast paths must agree with (RFC 3629 section 4).
class utf8_machine {
 public:
  /// Takes the next byte; false if no text can have it there, and for ever after.
  constexpr bool feed(std::byte next) noexcept;

  constexpr bool fail() noexcept;
  constexpr bool failed() const noexcept { return low_ > high_; }
  constexpr bool complete() const noexcept { return missing_ == 0; }

 private:
  std::uint8_t missing_ = 0;  // bytes until the code point is finished
  std::uint8_t low_ = 0x80;   // bounds of the next of them; no byte is within them after a failure
  std::uint8_t high_ = 0xBF;
};

}  // namespace detail

/// Validates UTF-8 that arrives in pieces, cut anywhere, also inside a code point (RFC 3629; RFC 6455
/// section 8.1). Keeps no bytes. Not thread-safe.
class utf8_validator {
 public:
  /// Takes the next piece of the text, also an empty one.
  ///
  /// \return  False at the first byte that cannot go on a valid text, whatever would follow, and for ever
  ///          after.
  [[nodiscard]] FAIRLEAD_DECL bool feed(std::span<const std::byte> piece) noexcept;

  /// Whether the text may end here: no code point is unfinished and nothing was refused.
  [[nodiscard]] bool complete() const noexcept { return machine_.complete(); }

  /// Begins a new text.
  void reset() noexcept { machine_ = {}; }

 private:
  detail::utf8_machine machine_;
};

/// Whether `text`, which is whole, is UTF-8 (RFC 3629). The empty text is. Pure, any thread.
[[nodiscard]] FAIRLEAD_DECL bool is_valid_utf8(std::span<const std::byte> text) noexcept;

}  // namespace fairlead

#include <fairlead/wire/impl/utf8.hpp>

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/wire/impl/utf8.ipp>
#endif

#endif
