#ifndef FAIRLEAD_WIRE_IMPL_UTF8_HPP
#define FAIRLEAD_WIRE_IMPL_UTF8_HPP

#include <fairlead/wire/utf8.hpp>

namespace fairlead::inline FAIRLEAD_ABI {
namespace detail {

constexpr bool utf8_machine::feed(std::byte next) noexcept {
  const auto value = std::to_integer<std::uint8_t>(next);
  if (missing_ != 0) {
    if (value < low_ || value > high_) return fail();
    --missing_;
    low_ = 0x80;
    high_ = 0xBF;
    return true;
  }
  if (value < 0x80) return true;
  // 80-BF begin nothing, C0 and C1 only overlong forms, F5 and more only what lies beyond U+10FFFF.
  if (value < 0xC2 || value > 0xF4) return fail();
  missing_ = value < 0xE0 ? 1 : value < 0xF0 ? 2 : 3;
  switch (value) {
    case 0xE0: low_ = 0xA0; break;   // below: overlong
    case 0xED: high_ = 0x9F; break;  // above: surrogates
    case 0xF0: low_ = 0x90; break;   // below: overlong
    case 0xF4: high_ = 0x8F; break;  // above: beyond U+10FFFF
    default: break;
  }
  return true;
}

constexpr bool utf8_machine::fail() noexcept {
  missing_ = 1;
  low_ = 0xFF;
  high_ = 0x00;
  return false;
}

}  // namespace detail
}  // namespace fairlead

#endif
