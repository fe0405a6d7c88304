#ifndef FAIRLEAD_HANDSHAKE_HTTP_FIELD_HPP
#define FAIRLEAD_HANDSHAKE_HTTP_FIELD_HPP

#include <fairlead/config.hpp>

#include <cstddef>
#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace fairlead::inline FAIRLEAD_ABI {
namespace detail {

/// The bytes that no line of a head may hold: CR and LF end lines, the rest is where parsers disagree.
constexpr bool is_forbidden_in_line(char c) noexcept {
  const auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && c != '\t') || byte == 0x7F;
}

}  // namespace detail

/// One line of an HTTP head (RFC 9110 section 5). Views of bytes that the request, or response, owns.
struct http_field {
  std::string_view name;   ///< As the peer wrote it: compare it with equals_ignoring_case().
  std::string_view value;  ///< Without the white space around it; may be empty.

  friend bool operator==(const http_field&, const http_field&) = default;
};

/// A field to send. Unlike http_field it owns its text.
struct header_field {
  std::string name;
  std::string value;

  friend bool operator==(const header_field&, const header_field&) = default;
};

/// Says whether `text` is a token: the form of methods, field names and sub-protocols (RFC 9110
/// section 5.6.2).
FAIRLEAD_DECL bool is_token(std::string_view text) noexcept;

/// Says whether `text` may be sent as a field value: no CR, LF, NUL or other control byte but the tab
/// (RFC 9110 section 5.5). Empty is allowed.
FAIRLEAD_DECL bool is_field_value(std::string_view text) noexcept;

/// Compares as field names and most tokens are compared: the case of ASCII letters does not matter.
FAIRLEAD_DECL bool equals_ignoring_case(std::string_view a, std::string_view b) noexcept;

/// Removes spaces and tabs from both ends (RFC 9110 section 5.6.3).
FAIRLEAD_DECL std::string_view trim_white_space(std::string_view text) noexcept;

/// The value of the first field of that name, or nothing. Linear in the number of fields.
FAIRLEAD_DECL std::optional<std::string_view> find_field(std::span<const http_field> fields,
                                                         std::string_view name) noexcept;

/// How many fields have that name.
FAIRLEAD_DECL std::size_t count_fields(std::span<const http_field> fields, std::string_view name) noexcept;

/// Says whether a field of that name, or any of several, lists `token`, as in `Connection: keep-alive,
/// Upgrade`. Neither name nor token depends on case.
FAIRLEAD_DECL bool field_lists_token(std::span<const http_field> fields, std::string_view name,
                                     std::string_view token) noexcept;

/// The elements of a comma-separated field value, trimmed (RFC 9110 section 5.6.1): `for (auto element :
/// field_elements(value))`. Empty elements are reported; whether they matter is the field's rule. Knows no
/// quoted strings: every comma separates. One pass over the value, which must outlive the elements.
class field_elements {
 public:
  class iterator {
   public:
    using difference_type = std::ptrdiff_t;
    using value_type = std::string_view;

    iterator() noexcept = default;
    std::string_view operator*() const noexcept { return element_; }
    FAIRLEAD_DECL iterator& operator++() noexcept;
    void operator++(int) noexcept { ++*this; }
    bool operator==(std::default_sentinel_t) const noexcept { return at_end_; }

   private:
    friend class field_elements;
    FAIRLEAD_DECL explicit iterator(std::string_view list) noexcept;

    std::string_view element_;
    std::string_view rest_;
    bool last_ = true;
    bool at_end_ = true;
  };

  explicit field_elements(std::string_view list) noexcept : list_(list) {}
  iterator begin() const noexcept { return iterator(list_); }
  std::default_sentinel_t end() const noexcept { return {}; }

 private:
  std::string_view list_;
};

}  // namespace fairlead::inline FAIRLEAD_ABI

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/handshake/impl/http_field.ipp>
#endif

#endif
