#ifndef FAIRLEAD_HANDSHAKE_IMPL_HEAD_READER_IPP
#define FAIRLEAD_HANDSHAKE_IMPL_HEAD_READER_IPP

#include <fairlead/handshake/detail/head_reader.hpp>

#include <algorithm>
#include <optional>
#include <utility>

namespace fairlead::inline FAIRLEAD_ABI::detail {

/// Room for what most browsers send, so that it is allocated once.
inline constexpr std::size_t usual_head_size = 768;

inline constexpr std::string_view line_end = "\r\n";

// Up to the end of the start line, of the head, or of `rest`, or to a fault; what it used, it removes.
FAIRLEAD_DECL head_reader::line head_reader::read_line(std::string_view& rest, std::vector<char>& head) {
  const std::string_view text = rest;
  std::size_t kept = 0;
  for (std::size_t i = skip_plain(text); i < text.size(); i += 1 + skip_plain(text.substr(i + 1))) {
    rest = text.substr(i + 1);
    judge(examine(text[i]));
    if (state_ == parse_state::failed) return line::unfinished;
    if (text[i] != '\n') continue;
    keep(text.substr(kept, i + 1 - kept), head);
    kept = i + 1;
    const line ended = end_line(head);
    if (ended != line::unfinished || state_ == parse_state::failed) return ended;
  }
  rest = {};
  keep(text.substr(kept), head);
  return line::unfinished;
}

// The bytes that change nothing but the sizes are most of a head, and need no more than a look.
FAIRLEAD_DECL std::size_t head_reader::skip_plain(std::string_view text) noexcept {
  if (after_carriage_return_) return 0;
  const std::size_t allowed =
      std::min(limits_.max_head_size - head_size_, limits_.max_line_size - line_size_);
  const std::string_view candidates = text.substr(0, allowed);
  const auto end = std::find_if(candidates.begin(), candidates.end(), is_forbidden_in_line);
  const auto size = static_cast<std::size_t>(end - candidates.begin());
  head_size_ += size;
  line_size_ += size;
  return size;
}

// What one byte decides by itself, so that neither a limit nor a forbidden byte waits for the end of its
// line.
FAIRLEAD_DECL errc head_reader::examine(char c) noexcept {
  const errc bad_start = kind_ == head_kind::request ? errc::bad_request_line : errc::bad_status_line;
  const errc malformed = position_ == position::fields ? errc::bad_field : bad_start;
  if (++head_size_ > limits_.max_head_size) return errc::head_too_large;
  if (after_carriage_return_ || c == '\n') {
    // RFC 9112 section 2.2 lets a recipient take a bare LF for a line end; what a proxy in between took it
    // for is unknown.
    const bool whole = std::exchange(after_carriage_return_, false) && c == '\n';
    return whole ? errc::ok : malformed;
  }
  if (c == '\r') {
    after_carriage_return_ = true;
    return errc::ok;
  }
  if (++line_size_ > limits_.max_line_size) return errc::head_too_large;
  return is_forbidden_in_line(c) ? malformed : errc::ok;
}

FAIRLEAD_DECL void head_reader::keep(std::string_view bytes, std::vector<char>& head) const {
  const std::size_t needed = head.size() + bytes.size();
  if (needed > head.capacity()) {
    // Doubling keeps the copies linear, and the limit is as much as a peer can make us hold. A std::string
    // would not do: libstdc++ doubles whatever reserve() asks for.
    const std::size_t wanted = std::max({needed, 2 * head.capacity(), usual_head_size});
    head.reserve(std::min(limits_.max_head_size, wanted));
  }
  head.insert(head.end(), bytes.begin(), bytes.end());
}

FAIRLEAD_DECL head_reader::line head_reader::end_line(std::vector<char>& head) noexcept {
  const bool is_empty = std::exchange(line_size_, 0) == 0;
  if (position_ == position::fields) {
    if (is_empty) return line::end;
    if (++field_count_ > limits_.max_fields) judge(errc::head_too_large);
    return line::unfinished;
  }
  // RFC 9112 section 2.2: "a server that is expecting to receive and parse a request-line SHOULD ignore at
  // least one empty line (CRLF) received prior to the request-line". A client has no such duty.
  if (is_empty && position_ == position::start && kind_ == head_kind::request) {
    position_ = position::start_line;
    head.clear();
    head_size_ = 0;
    return line::unfinished;
  }
  // Checked before the fields arrive: whoever speaks another protocol learns it now, not at the timeout.
  position_ = position::fields;
  return line::start;
}

FAIRLEAD_DECL void head_reader::judge(errc error) noexcept {
  if (error == errc::ok) return;
  state_ = parse_state::failed;
  error_ = error;
}

/// Takes the next line off the front of `rest`.
inline std::string_view take_line(std::string_view& rest) noexcept {
  const std::string_view line = rest.substr(0, rest.find(line_end));
  rest.remove_prefix(line.size() + line_end.size());
  return line;
}

/// RFC 9112 section 5: a name that is a token refuses space before the colon, folded lines and empty names at
/// once.
inline std::optional<http_field> read_field(std::string_view line) noexcept {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) return std::nullopt;
  return http_field{line.substr(0, colon), trim_white_space(line.substr(colon + 1))};
}

FAIRLEAD_DECL std::string_view start_line_of(const head_data& data) noexcept {
  std::string_view rest(data.head.data(), data.head.size());
  return take_line(rest);
}

FAIRLEAD_DECL errc read_fields(head_data& data, std::size_t field_count) {
  data.fields.reserve(field_count);
  std::string_view rest(data.head.data(), data.head.size());
  take_line(rest);
  for (std::string_view line = take_line(rest); !line.empty(); line = take_line(rest)) {
    const std::optional<http_field> field = read_field(line);
    if (!field) return errc::bad_field;
    data.fields.push_back(*field);
  }
  return errc::ok;
}

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#endif
