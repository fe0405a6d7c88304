#ifndef FAIRLEAD_HANDSHAKE_RESPONSE_PARSER_HPP
#define FAIRLEAD_HANDSHAKE_RESPONSE_PARSER_HPP

#include <fairlead/config.hpp>
#include <fairlead/errc.hpp>
#include <fairlead/handshake/detail/head_reader.hpp>
#include <fairlead/handshake/head_limits.hpp>
#include <fairlead/handshake/parse_result.hpp>
#include <fairlead/handshake/response_head.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace fairlead::inline FAIRLEAD_ABI {

/// How many responses with a status of 1xx a server may send before the one that counts.
inline constexpr int max_interim_responses = 4;

/// Reads the head of one HTTP/1.1 response, in pieces of any size (RFC 9112). The result does not depend on
/// how the bytes were split, and each is looked at a fixed number of times.
///
/// As strict as request_parser: lines end in CRLF, none is folded, and the first byte belongs to the status
/// line (sections 2.2, 4, 5). Two leniencies: HTTP/1.0 is read, so that the status of an old proxy can be
/// reported, except with 1xx, which it does not have; and a space may be missing where no reason follows. Any
/// status of 1xx but 101 is skipped with its fields, `max_interim_responses` times (RFC 9110 section 15.2).
/// The limits hold for each head.
///
/// Fails with errc::bad_status_line, errc::bad_field or errc::head_too_large; of these the last also for one
/// interim response too many. No body is read, whatever the fields announce.
///
/// Holds no memory before the first byte, and never more than `max_head_size` of input. Throws only
/// std::bad_alloc.
class response_parser {
 public:
  explicit response_parser(const head_limits& limits = {}) noexcept
      : reader_(detail::head_kind::response, limits) {}

  /// Takes the next bytes from the peer. After `done` or `failed` it says the same again and uses nothing.
  FAIRLEAD_DECL parse_result feed(std::span<const std::byte> in);

  /// Hands the head over; once, and only after `done`.
  FAIRLEAD_DECL response_head take() noexcept;

 private:
  FAIRLEAD_DECL bool has_interim() const noexcept;

  detail::head_reader reader_;
  std::unique_ptr<detail::response_data> data_;
  int interim_count_ = 0;
};

}  // namespace fairlead::inline FAIRLEAD_ABI

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/handshake/impl/response_parser.ipp>
#endif

#endif
