#ifndef FAIRLEAD_HANDSHAKE_DETAIL_RESPONSE_DATA_HPP
#define FAIRLEAD_HANDSHAKE_DETAIL_RESPONSE_DATA_HPP

#include <fairlead/config.hpp>
#include <fairlead/handshake/detail/head_data.hpp>
#include <fairlead/handshake/http_status.hpp>

#include <string_view>

namespace fairlead::inline FAIRLEAD_ABI::detail {

/// The one allocation behind a response_head: the parser fills it, the head reads it, and it never moves, so
/// the views hold for as long as it lives.
struct response_data : head_data {
  http_status status{};
  std::string_view reason;
};

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#endif
