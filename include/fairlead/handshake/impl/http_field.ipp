#ifndef FAIRLEAD_HANDSHAKE_IMPL_HTTP_FIELD_IPP
#define FAIRLEAD_HANDSHAKE_IMPL_HTTP_FIELD_IPP

#include <fairlead/handshake/detail/ascii.hpp>
#include <fairlead/handshake/http_field.hpp>

#include <algorithm>
#include <array>

namespace fairlead::inline FAIRLEAD_ABI {
namespace detail {

constexpr bool is_ascii_letter(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
constexpr bool is_ascii_digit(char c) noexcept { return c >= '0' && c <= '9'; }

constexpr std::array<bool, 256> make_token_bytes() noexcept {
  std::array<bool, 256> table{};
  for (const char c : std::string_view("!#$%&'*+-.^_`|~")) table[static_cast<unsigned char>(c)] = true;
  for (int c = 0; c < 128; ++c) {
    if (is_ascii_letter(static_cast<char>(c)) || is_ascii_digit(static_cast<char>(c))) {
      table[static_cast<std::size_t>(c)] = true;
    }
  }
  return table;
}
inline constexpr std::array<bool, 256> token_bytes = make_token_bytes();

}  // namespace detail

FAIRLEAD_DECL bool is_token(std::string_view text) noexcept {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return detail::token_bytes[static_cast<unsigned char>(c)];
  });
}

FAIRLEAD_DECL bool is_field_value(std::string_view text) noexcept {
  return std::none_of(text.begin(), text.end(), detail::is_forbidden_in_line);
}

FAIRLEAD_DECL bool equals_ignoring_case(std::string_view a, std::string_view b) noexcept {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return detail::to_lower(x) == detail::to_lower(y); });
}

FAIRLEAD_DECL std::string_view trim_white_space(std::string_view text) noexcept {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return text.substr(text.size());
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

FAIRLEAD_DECL std::optional<std::string_view> find_field(std::span<const http_field> fields,
                                                         std::string_view name) noexcept {
  for (const http_field& field : fields) {
    if (equals_ignoring_case(field.name, name)) return field.value;
  }
  return std::nullopt;
}

FAIRLEAD_DECL std::size_t count_fields(std::span<const http_field> fields, std::string_view name) noexcept {
  return static_cast<std::size_t>(
      std::count_if(fields.begin(), fields.end(),
                    [name](const http_field& field) { return equals_ignoring_case(field.name, name); }));
}

FAIRLEAD_DECL bool field_lists_token(std::span<const http_field> fields, std::string_view name,
                                     std::string_view token) noexcept {
  for (const http_field& field : fields) {
    if (!equals_ignoring_case(field.name, name)) continue;
    for (const std::string_view element : field_elements(field.value)) {
      if (equals_ignoring_case(element, token)) return true;
    }
  }
  return false;
}

FAIRLEAD_DECL field_elements::iterator::iterator(std::string_view list) noexcept
    : rest_(list), last_(false), at_end_(false) {
  ++*this;
}

FAIRLEAD_DECL field_elements::iterator& field_elements::iterator::operator++() noexcept {
  if (last_) {
    at_end_ = true;
    return *this;
  }
  const std::size_t comma = rest_.find(',');
  element_ = trim_white_space(rest_.substr(0, comma));
  last_ = comma == std::string_view::npos;
  rest_.remove_prefix(last_ ? rest_.size() : comma + 1);
  return *this;
}

}  // namespace fairlead::inline FAIRLEAD_ABI

#endif
