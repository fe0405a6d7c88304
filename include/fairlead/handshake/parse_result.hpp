#ifndef FAIRLEAD_HANDSHAKE_PARSE_RESULT_HPP
#define FAIRLEAD_HANDSHAKE_PARSE_RESULT_HPP

#include <fairlead/config.hpp>
#include <fairlead/errc.hpp>

#include <cstddef>
#include <cstdint>

namespace fairlead::inline FAIRLEAD_ABI {

/// How far request_parser or response_parser has come.
enum class parse_state : std::uint8_t {
  need_more,  ///< So far a proper prefix of a head.
  done,       ///< The head is complete: take() it.
  failed,     ///< These bytes can never become a head that is accepted.
};

/// What feed() of request_parser or response_parser made of its input.
struct parse_result {
  parse_state state = parse_state::need_more;
  errc error = errc::ok;  ///< Not `ok` if and only if `failed`.

  /// Bytes of this input that were used: all of it while more is needed. When done, what follows belongs to
  /// the first frames, or to a body; when failed, the last one used broke the rule.
  std::size_t consumed = 0;

  friend bool operator==(const parse_result&, const parse_result&) = default;
};

}  // namespace fairlead::inline FAIRLEAD_ABI

#endif
