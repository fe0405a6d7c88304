#ifndef FAIRLEAD_GUARD_IMPL_FORWARDED_IPP
#define FAIRLEAD_GUARD_IMPL_FORWARDED_IPP

#include <fairlead/guard/detail/forwarded.hpp>

#include <fairlead/handshake/http_field.hpp>

#include <optional>

namespace fairlead::inline FAIRLEAD_ABI::detail {

/// Removes the token that `rest` begins with; empty if it begins with none.
inline std::string_view take_token(std::string_view& rest) noexcept {
  std::size_t size = 0;
  while (size < rest.size() && is_token(rest.substr(size, 1))) ++size;
  const std::string_view token = rest.substr(0, size);
  rest.remove_prefix(size);
  return token;
}

/// The inside of a quoted string, whose first quote is taken already (RFC 9110 section 5.6.4).
inline std::optional<std::string_view> take_quoted(std::string_view& rest) noexcept {
  for (std::size_t i = 0; i < rest.size(); ++i) {
    if (rest[i] == '\\') {
      ++i;
    } else if (rest[i] == '"') {
      const std::string_view inside = rest.substr(0, i);
      rest.remove_prefix(i + 1);
      return inside;
    }
  }
  return std::nullopt;
}

inline bool take_char(std::string_view& rest, char c) noexcept {
  if (!rest.starts_with(c)) return false;
  rest.remove_prefix(1);
  return true;
}

/// `name=value`; says whether it is one, and the first of its name.
inline bool take_pair(std::string_view& rest, forwarded_element& element, bool& has_node,
                      bool& has_proto) noexcept {
  const std::string_view name = take_token(rest);
  if (name.empty() || !take_char(rest, '=')) return false;
  std::string_view value;
  if (take_char(rest, '"')) {
    const auto inside = take_quoted(rest);
    if (!inside) return false;
    value = *inside;
  } else {
    value = take_token(rest);
    if (value.empty()) return false;
  }
  if (equals_ignoring_case(name, "for")) {
    if (has_node) return false;
    has_node = true;
    element.node = value;
  } else if (equals_ignoring_case(name, "proto")) {
    if (has_proto) return false;
    has_proto = true;
    element.proto = value;
  }
  return true;
}

FAIRLEAD_DECL std::size_t read_forwarded(std::string_view value, std::span<forwarded_element> last) noexcept {
  std::size_t count = 0;
  forwarded_element element;
  bool has_node = false;
  bool has_proto = false;
  std::string_view rest = trim_white_space(value);
  while (true) {
    if (!rest.empty() && rest.front() != ';' && rest.front() != ',') {
      if (!take_pair(rest, element, has_node, has_proto)) return 0;
      rest = trim_white_space(rest);
    }
    const bool is_end = rest.empty();
    if (is_end || take_char(rest, ',')) {
      last[count++ % last.size()] = element;
      if (is_end) return count;
      element = {};
      has_node = has_proto = false;
    } else if (!take_char(rest, ';')) {
      return 0;
    }
    rest = trim_white_space(rest);
  }
}

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#endif
