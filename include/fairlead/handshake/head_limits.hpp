#ifndef FAIRLEAD_HANDSHAKE_HEAD_LIMITS_HPP
#define FAIRLEAD_HANDSHAKE_HEAD_LIMITS_HPP

#include <fairlead/config.hpp>

#include <cstddef>

namespace fairlead::inline FAIRLEAD_ABI {

/// What the head of a request or a response may cost; past any of them it is errc::head_too_large.
struct head_limits {
  std::size_t max_head_size = 16 * 1024;  ///< Bytes from the first line to the empty line, both included.
  std::size_t max_line_size = 8 * 1024;   ///< Bytes of one line, without its CRLF.
  std::size_t max_fields = 100;           ///< Field lines, without the first line.
};

}  // namespace fairlead::inline FAIRLEAD_ABI

#endif
