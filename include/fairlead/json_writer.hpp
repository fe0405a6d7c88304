#ifndef FAIRLEAD_JSON_WRITER_HPP
#define FAIRLEAD_JSON_WRITER_HPP

#include <fairlead/config.hpp>

#include <concepts>
#include <string>
#include <string_view>
#include <utility>

namespace fairlead::inline FAIRLEAD_ABI {

/// Writes JSON (RFC 8259), piece by piece, with commas and escapes where they belong:
///
///     json_writer().begin_object().member("type", "joined").member("count", 3).end_object().text()
///
/// Nesting is the caller's: each begin has its end, and within an object each value comes behind its key().
/// Not thread-safe. Throws std::bad_alloc only.
class json_writer {
 public:
  json_writer& begin_object() { return begin('{'); }
  json_writer& end_object() { return end('}'); }
  json_writer& begin_array() { return begin('['); }
  json_writer& end_array() { return end(']'); }

  /// The name of the object's next member.
  FAIRLEAD_DECL json_writer& key(std::string_view name);

  /// A string. `text` has to be UTF-8, and is not checked.
  FAIRLEAD_DECL json_writer& value(std::string_view text);
  json_writer& value(const char* text) { return value(std::string_view(text)); }
  json_writer& value(const std::string& text) { return value(std::string_view(text)); }

  /// `true` or `false`.
  template <std::same_as<bool> Bool>
  json_writer& value(Bool b) {
    return raw_value(b ? "true" : "false");
  }

  /// An integer, in full. JavaScript reads up to 2^53 exactly.
  template <std::integral Integer>
  requires(!std::same_as<Integer, bool> && !std::same_as<Integer, char>) json_writer& value(Integer n) {
    return raw_value(std::to_string(n));
  }

  /// key() and value().
  template <class Value>
  json_writer& member(std::string_view name, const Value& v) {
    key(name);
    return value(v);
  }

  /// What has been written so far.
  const std::string& text() const& noexcept { return text_; }
  std::string text() && noexcept { return std::move(text_); }

 private:
  FAIRLEAD_DECL json_writer& begin(char bracket);
  FAIRLEAD_DECL json_writer& end(char bracket);
  FAIRLEAD_DECL json_writer& raw_value(std::string_view token);
  FAIRLEAD_DECL void append_comma();
  FAIRLEAD_DECL void append_string(std::string_view text);

  std::string text_;
  bool needs_comma_ = false;
};

}  // namespace fairlead::inline FAIRLEAD_ABI

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/impl/json_writer.ipp>
#endif

#endif
