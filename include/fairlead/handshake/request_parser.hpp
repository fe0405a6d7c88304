#ifndef FAIRLEAD_HANDSHAKE_REQUEST_PARSER_HPP
#define FAIRLEAD_HANDSHAKE_REQUEST_PARSER_HPP

#include <fairlead/config.hpp>
#include <fairlead/handshake/detail/head_reader.hpp>
#include <fairlead/handshake/head_limits.hpp>
#include <fairlead/handshake/parse_result.hpp>
#include <fairlead/handshake/request.hpp>

#include <cstddef>
#include <memory>
#include <span>

namespace fairlead::inline FAIRLEAD_ABI {

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
  explicit request_parser(const head_limits& limits = {}) noexcept
      : reader_(detail::head_kind::request, limits) {}

  /// Takes the next bytes from the peer. After `done` or `failed` it says the same again and uses nothing.
  /// What failed is answered with error_response().
  FAIRLEAD_DECL parse_result feed(std::span<const std::byte> in);

  /// Hands the request over; once, and only after `done`.
  FAIRLEAD_DECL request take() noexcept;

 private:
  detail::head_reader reader_;
  std::unique_ptr<detail::request_data> data_;
};

}  // namespace fairlead::inline FAIRLEAD_ABI

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/handshake/impl/request_parser.ipp>
#endif

#endif
