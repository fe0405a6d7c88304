#ifndef FAIRLEAD_HANDSHAKE_IMPL_EXTENSION_IPP
#define FAIRLEAD_HANDSHAKE_IMPL_EXTENSION_IPP

#include <fairlead/handshake/extension.hpp>

#include <algorithm>
#include <cstddef>
#include <utility>

namespace fairlead::inline FAIRLEAD_ABI {
namespace detail {

/// What is not read yet of one field value. Whatever is taken goes from its front, with the white space
/// behind: "Note that this section is using ABNF syntax/rules from [RFC2616], including the "implied *LWS
/// rule"." (RFC 6455 section 9.1)
class extension_reader {
 public:
  explicit extension_reader(std::string_view value) noexcept : rest_(trim_white_space(value)) {}

  bool at_end() const noexcept { return rest_.empty(); }

  bool take(char separator) noexcept {
    if (!rest_.starts_with(separator)) return false;
    remove(1);
    return true;
  }

  /// Empty if no token is next.
  std::string_view take_token() noexcept {
    const std::string_view token = rest_.substr(0, rest_.find_first_of(" \t,;=\""));
    if (!is_token(token)) return {};
    remove(token.size());
    return token;
  }

  /// A token or a quoted-string, or nothing if neither is next.
  std::optional<std::string> take_value() {
    if (rest_.starts_with('"')) return take_quoted();
    const std::string_view token = take_token();
    if (token.empty()) return std::nullopt;
    return std::string(token);
  }

 private:
  /// RFC 6455 section 9.1: "When using the quoted-string syntax variant, the value after quoted-string
  /// unescaping MUST conform to the 'token' ABNF."
  std::optional<std::string> take_quoted() {
    std::string text;
    for (std::size_t at = 1; at < rest_.size(); ++at) {
      if (rest_[at] == '"') {
        remove(at + 1);
        if (is_token(text)) return text;
        break;
      }
      if (rest_[at] == '\\' && ++at == rest_.size()) break;
      text += rest_[at];
    }
    return std::nullopt;
  }

  void remove(std::size_t size) noexcept {
    rest_.remove_prefix(size);
    rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t"), rest_.size()));
  }

  std::string_view rest_;
};

/// extension = extension-token *( ";" extension-param )
/// extension-param = token [ "=" (token | quoted-string) ]
inline std::optional<extension> read_extension(extension_reader& reader) {
  extension found{reader.take_token(), {}};
  if (found.name.empty()) return std::nullopt;
  while (reader.take(';')) {
    extension_param param{reader.take_token(), std::nullopt};
    if (param.name.empty()) return std::nullopt;
    if (reader.take('=')) {
      param.value = reader.take_value();
      if (!param.value) return std::nullopt;
    }
    found.params.push_back(std::move(param));
  }
  return found;
}

/// extension-list = 1#extension
inline bool read_extensions(std::string_view value, std::vector<extension>& found) {
  extension_reader reader(value);
  while (!reader.at_end()) {
    // RFC 2616 section 2.1: "Wherever this construct is used, null elements are allowed".
    if (reader.take(',')) continue;
    std::optional<extension> next = read_extension(reader);
    if (!next || (!reader.at_end() && !reader.take(','))) return false;
    found.push_back(std::move(*next));
  }
  return true;
}

}  // namespace detail

FAIRLEAD_DECL extension_list parse_extensions(std::span<const http_field> fields) {
  // RFC 6455 section 9.1: "If a value is received by either the client or the server during negotiation that
  // does not conform to the ABNF below, the recipient of such malformed data MUST immediately _Fail the
  // WebSocket Connection_."
  extension_list list;
  bool is_there = false;
  for (const http_field& field : fields) {
    if (!equals_ignoring_case(field.name, "Sec-WebSocket-Extensions")) continue;
    is_there = true;
    if (!detail::read_extensions(field.value, list.extensions)) return {errc::bad_extensions, {}};
  }
  // RFC 2616 section 2.1: "where at least one element is required, at least one non-null element MUST be
  // present".
  if (is_there && list.extensions.empty()) return {errc::bad_extensions, {}};
  return list;
}

}  // namespace fairlead::inline FAIRLEAD_ABI

#endif
