#ifndef FAIRLEAD_HANDSHAKE_IMPL_REQUEST_PARSER_IPP
#define FAIRLEAD_HANDSHAKE_IMPL_REQUEST_PARSER_IPP

#include <fairlead/handshake/request_parser.hpp>

#include <fairlead/handshake/detail/request_head.hpp>

#include <algorithm>
#include <cassert>
#include <utility>
#include <vector>

namespace fairlead::inline FAIRLEAD_ABI {
namespace detail {

/// Room for what most browsers send, so that it is allocated once.
inline constexpr std::size_t usual_head_size = 768;

}  // namespace detail

FAIRLEAD_DECL parse_result request_parser::feed(std::span<const std::byte> in) {
  if (state_ != parse_state::need_more) return {state_, error_, 0};
  const std::string_view text(reinterpret_cast<const char*>(in.data()), in.size());
  std::size_t kept = 0;
  for (std::size_t i = skip_plain(text); i < text.size(); i += 1 + skip_plain(text.substr(i + 1))) {
    errc fault = examine(text[i]);
    const bool line_ended = fault == errc::ok && text[i] == '\n';
    if (line_ended) {
      keep(text.substr(kept, i + 1 - kept));
      kept = i + 1;
      fault = end_line();
    }
    if (fault != errc::ok) return fail(fault, i + 1);
    if (state_ == parse_state::done) return {state_, errc::ok, i + 1};
  }
  keep(text.substr(kept));
  return {state_, errc::ok, text.size()};
}

FAIRLEAD_DECL request request_parser::take() noexcept {
  assert(state_ == parse_state::done && data_ != nullptr);
  return request(std::move(data_));
}

// The bytes that change nothing but the sizes are most of a head, and need no more than a look.
FAIRLEAD_DECL std::size_t request_parser::skip_plain(std::string_view text) noexcept {
  if (after_carriage_return_) return 0;
  const std::size_t allowed =
      std::min(limits_.max_head_size - head_size_, limits_.max_line_size - line_size_);
  const std::string_view candidates = text.substr(0, allowed);
  const auto end = std::find_if(candidates.begin(), candidates.end(), detail::is_forbidden_in_line);
  const auto size = static_cast<std::size_t>(end - candidates.begin());
  head_size_ += size;
  line_size_ += size;
  return size;
}

// What one byte decides by itself, so that neither a limit nor a forbidden byte waits for the end of its
// line.
FAIRLEAD_DECL errc request_parser::examine(char c) noexcept {
  const errc malformed = position_ == position::fields ? errc::bad_field : errc::bad_request_line;
  if (++head_size_ > limits_.max_head_size) return errc::head_too_large;
  if (after_carriage_return_ || c == '\n') {
    // RFC 9112 section 2.2 lets a server take a bare LF for a line end; what a proxy in front took it for is
    // unknown.
    const bool whole = std::exchange(after_carriage_return_, false) && c == '\n';
    return whole ? errc::ok : malformed;
  }
  if (c == '\r') {
    after_carriage_return_ = true;
    return errc::ok;
  }
  if (++line_size_ > limits_.max_line_size) return errc::head_too_large;
  return detail::is_forbidden_in_line(c) ? malformed : errc::ok;
}

FAIRLEAD_DECL void request_parser::keep(std::string_view bytes) {
  if (bytes.empty()) return;
  if (data_ == nullptr) data_ = std::make_unique<detail::request_data>();
  std::vector<char>& head = data_->head;
  const std::size_t needed = head.size() + bytes.size();
  if (needed > head.capacity()) {
    // Doubling keeps the copies linear, and the limit is as much as a peer can make us hold. A std::string
    // would not do: libstdc++ doubles whatever reserve() asks for.
    const std::size_t wanted = std::max({needed, 2 * head.capacity(), detail::usual_head_size});
    head.reserve(std::min(limits_.max_head_size, wanted));
  }
  head.insert(head.end(), bytes.begin(), bytes.end());
}

FAIRLEAD_DECL errc request_parser::end_line() {
  const bool is_empty = std::exchange(line_size_, 0) == 0;
  switch (position_) {
    case position::start:
      position_ = position::request_line;
      if (!is_empty) return end_first_line();
      data_->head.clear();
      head_size_ = 0;
      return errc::ok;
    case position::request_line: return end_first_line();
    case position::fields:
      if (is_empty) return end_head();
      return ++field_count_ > limits_.max_fields ? errc::head_too_large : errc::ok;
  }
  return errc::ok;
}

// Checked before the fields arrive: whoever speaks another protocol learns it now, not at the timeout.
FAIRLEAD_DECL errc request_parser::end_first_line() {
  position_ = position::fields;
  return detail::check_request_line({data_->head.data(), data_->head.size() - 2});
}

FAIRLEAD_DECL errc request_parser::end_head() {
  data_->head.shrink_to_fit();
  const errc fault = detail::read_head(*data_, field_count_);
  if (fault == errc::ok) state_ = parse_state::done;
  return fault;
}

FAIRLEAD_DECL parse_result request_parser::fail(errc error, std::size_t consumed) noexcept {
  state_ = parse_state::failed;
  error_ = error;
  data_.reset();
  return {state_, error_, consumed};
}

}  // namespace fairlead::inline FAIRLEAD_ABI

#endif
