#ifndef FAIRLEAD_HANDSHAKE_DETAIL_REQUEST_DATA_HPP
#define FAIRLEAD_HANDSHAKE_DETAIL_REQUEST_DATA_HPP

#include <fairlead/config.hpp>
#include <fairlead/handshake/detail/head_data.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace fairlead::inline FAIRLEAD_ABI {

/// What a route's pattern matched: `/rooms/{room}` against `/rooms/7` gives `room` = `7`.
struct path_param {
  std::string name;
  std::string value;

  friend bool operator==(const path_param&, const path_param&) = default;
};

namespace detail {

/// The one allocation behind a request: the parser fills it, the request reads it, and it never moves, so the
/// views hold for as long as it lives.
struct request_data : head_data {
  std::string_view method;
  std::string_view target;
  std::string_view path;  ///< Of the target, or of `decoded_path` where the two differ.
  std::string_view query_string;
  std::string_view host;
  std::string decoded_path;
  std::vector<path_param> params;
};

}  // namespace detail
}  // namespace fairlead::inline FAIRLEAD_ABI

#endif
