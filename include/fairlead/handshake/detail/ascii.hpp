#ifndef FAIRLEAD_HANDSHAKE_DETAIL_ASCII_HPP
#define FAIRLEAD_HANDSHAKE_DETAIL_ASCII_HPP

#include <fairlead/config.hpp>

#include <algorithm>
#include <string>

namespace fairlead::inline FAIRLEAD_ABI::detail {

/// A letter of ASCII in lower case, any other byte as it is: whatever the locale.
constexpr char to_lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/// All letters of ASCII in `text` in lower case.
inline std::string to_lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](char c) { return to_lower(c); });
  return text;
}

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#endif
