#ifndef FAIRLEAD_IMPL_JSON_WRITER_IPP
#define FAIRLEAD_IMPL_JSON_WRITER_IPP

#include <fairlead/json_writer.hpp>

namespace fairlead::inline FAIRLEAD_ABI {

FAIRLEAD_DECL json_writer& json_writer::begin(char bracket) {
  append_comma();
  text_ += bracket;
  needs_comma_ = false;
  return *this;
}

FAIRLEAD_DECL json_writer& json_writer::end(char bracket) {
  text_ += bracket;
  needs_comma_ = true;
  return *this;
}

FAIRLEAD_DECL json_writer& json_writer::key(std::string_view name) {
  append_comma();
  append_string(name);
  text_ += ':';
  needs_comma_ = false;
  return *this;
}

FAIRLEAD_DECL json_writer& json_writer::value(std::string_view text) {
  append_comma();
  append_string(text);
  needs_comma_ = true;
  return *this;
}

FAIRLEAD_DECL json_writer& json_writer::raw_value(std::string_view token) {
  append_comma();
  text_ += token;
  needs_comma_ = true;
  return *this;
}

FAIRLEAD_DECL void json_writer::append_comma() {
  if (needs_comma_) text_ += ',';
}

// Escapes what has to be (RFC 8259 section 7): the quote, the backslash, and what lies below the space.
FAIRLEAD_DECL void json_writer::append_string(std::string_view text) {
  constexpr std::string_view hexadecimal = "0123456789abcdef";
  text_ += '"';
  for (const char c : text) {
    const auto code = static_cast<unsigned char>(c);
    switch (c) {
      case '"': text_ += "\\\""; break;
      case '\\': text_ += "\\\\"; break;
      case '\n': text_ += "\\n"; break;
      case '\r': text_ += "\\r"; break;
      case '\t': text_ += "\\t"; break;
      default:
        if (code < 0x20) {
          text_ += "\\u00";
          text_ += hexadecimal[code >> 4];
          text_ += hexadecimal[code & 0xF];
        } else {
          text_ += c;
        }
    }
  }
  text_ += '"';
}

}  // namespace fairlead

#endif
