#ifndef FAIRLEAD_HANDSHAKE_IMPL_PERCENT_ENCODING_IPP
#define FAIRLEAD_HANDSHAKE_IMPL_PERCENT_ENCODING_IPP

#include <fairlead/handshake/detail/percent_encoding.hpp>

#include <cstddef>

namespace fairlead::inline FAIRLEAD_ABI::detail {

/// 0 to 15, or -1 for what is not a hexadecimal digit.
constexpr int value_of_hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// The byte that the `%` at `at` and two digits stand for, or -1.
constexpr int percent_encoded_byte(std::string_view text, std::size_t at) noexcept {
  if (text.size() - at < 3) return -1;
  const int high = value_of_hex_digit(text[at + 1]);
  const int low = value_of_hex_digit(text[at + 2]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

FAIRLEAD_DECL std::optional<std::string> percent_decode(std::string_view text, plus_sign plus) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      const int byte = percent_encoded_byte(text, i);
      if (byte < 0) return std::nullopt;
      decoded += static_cast<char>(byte);
      i += 2;
    } else {
      decoded += text[i] == '+' && plus == plus_sign::is_space ? ' ' : text[i];
    }
  }
  return decoded;
}

FAIRLEAD_DECL bool is_percent_encoded(std::string_view text) noexcept {
  for (std::size_t at = text.find('%'); at != std::string_view::npos; at = text.find('%', at + 1)) {
    if (percent_encoded_byte(text, at) < 0) return false;
  }
  return true;
}

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#endif
