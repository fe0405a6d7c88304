// What the peers of the table share that are written in C++; see interop.py.
#pragma once

#include <array>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>

namespace interop {

constexpr std::size_t max_message_size = 16 * 1024 * 1024;
constexpr std::array<std::size_t, 8> sizes{0, 1, 125, 126, 65535, 65536, 1024 * 1024, max_message_size};
constexpr std::array<int, 11> close_codes{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 4999};
constexpr std::size_t fragment_count = 4;

/// Text of exactly `size` bytes, with characters of one to four bytes.
inline std::string text_of(std::size_t size) {
  constexpr std::string_view unit = "fairlead \u00e9 \u20ac \U0001f6a2 ";
  std::string text;
  text.reserve(size);
  while (text.size() + unit.size() <= size) text += unit;
  text.resize(size, 'x');
  return text;
}

inline std::string bytes_of(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 31 + (i >> 8));
  return bytes;
}

/// The `i`th of the fragments of a message, which may be empty.
inline std::string_view fragment_of(std::string_view payload, std::size_t i) {
  const std::size_t begin = payload.size() * i / fragment_count,
                    end = payload.size() * (i + 1) / fragment_count;
  return payload.substr(begin, end - begin);
}

inline void expect(bool holds, const std::string& what) {
  if (!holds) throw std::runtime_error(what);
}

inline void expect_echo(std::string_view echo, std::string_view payload) {
  expect(echo == payload, std::to_string(echo.size()) + " bytes came back for " +
                              std::to_string(payload.size()) + ", or other ones");
}

inline void expect_close(int code, std::string_view reason, int expected) {
  expect(code == expected && reason == "a reason",
         std::to_string(expected) + " arrives as " + std::to_string(code) + " '" + std::string(reason) + "'");
}

inline void expect_answer(int code, int expected) {
  expect(code == expected, std::to_string(expected) + " is answered with " + std::to_string(code));
}

}  // namespace interop
