#ifndef FAIRLEAD_HANDSHAKE_REQUEST_PARSER_HPP
#define FAIRLEAD_HANDSHAKE_REQUEST_PARSER_HPP

#include <fairlead/config.hpp>
#include <fairlead/errc.hpp>
#include <fairlead/handshake/request.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace fairlead::inline FAIRLEAD_ABI {

/// What a request head may cost; past any of them it is errc::head_too_large.
struct head_limits {
  std::size_t max_head_size = 16 * 1024;  ///< Bytes from the request line to the empty line, both included.
  std::size_t max_line_size = 8 * 1024;   ///< Bytes of one line, without its CRLF.
  std::size_t max_fields = 100;           ///< Field lines, without the request line.
};

/// How far request_parser has come.
enum class parse_state : std::uint8_t {
  need_more,  ///< So far a proper prefix of a head.
  done,       ///< The head is complete: take() it.
  failed,     ///< These bytes can never become a head that is accepted: answer with error_response().
};

/// What request_parser::feed() made of its input.
struct parse_result {
  parse_state state = parse_state::need_more;
  errc error = errc::ok;  ///< Not `ok` if and only if `failed`.

  /// Bytes of this input that were used: all of it while more is needed. When done, what follows belongs to
  /// the first frames; when failed, the last one used broke the rule.
  std::size_t consumed = 0;

  friend bool operator==(const parse_result&, const parse_result&) = default;
};

/// Reads the head of one HTTP/1.1 request, in pieces of any size (RFC 9112). The result does not depend on
/// how the bytes were split, and each is looked at a fixed number of times.
///
/// Accepts less than RFC 9112 lets a server accept, because leniency is what smuggled requests live on: lines
/// end in CRLF; a target is a path with an optional query; there is exactly one valid Host; and since an
/// upgrade has no body, the only Content-Length is one `0` and Transfer-Encoding is refused
/// (sections 2.2, 3.2, 5, 6). The one leniency is section 2.2's: one empty line before the request line is
/// skipped.
///
/// Holds no memory before the first byte, and never more than `max_head_size` of input. Throws only
/// std::bad_alloc.
class request_parser {
 public:
  explicit request_parser(const head_limits& limits = {}) noexcept : limits_(limits) {}

  /// Takes the next bytes from the peer. After `done` or `failed` it says the same again and uses nothing.
  FAIRLEAD_DECL parse_result feed(std::span<const std::byte> in);

  /// Hands the request over; once, and only after `done`.
  FAIRLEAD_DECL request take() noexcept;

 private:
  enum class position : std::uint8_t { start, request_line, fields };

  FAIRLEAD_DECL std::size_t skip_plain(std::string_view text) noexcept;
  FAIRLEAD_DECL errc examine(char c) noexcept;
  FAIRLEAD_DECL void keep(std::string_view bytes);
  FAIRLEAD_DECL errc end_line();
  FAIRLEAD_DECL errc end_first_line();
  FAIRLEAD_DECL errc end_head();
  FAIRLEAD_DECL parse_result fail(errc error, std::size_t consumed) noexcept;

  head_limits limits_;
  std::unique_ptr<detail::request_data> data_;
  std::size_t head_size_ = 0;
  std::size_t line_size_ = 0;
  std::size_t field_count_ = 0;
  errc error_ = errc::ok;
  parse_state state_ = parse_state::need_more;
  position position_ = position::start;
  bool after_carriage_return_ = false;
};

}  // namespace fairlead::inline FAIRLEAD_ABI

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/handshake/impl/request_parser.ipp>
#endif

#endif
