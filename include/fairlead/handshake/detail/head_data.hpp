#ifndef FAIRLEAD_HANDSHAKE_DETAIL_HEAD_DATA_HPP
#define FAIRLEAD_HANDSHAKE_DETAIL_HEAD_DATA_HPP

#include <fairlead/config.hpp>
#include <fairlead/handshake/http_field.hpp>

#include <vector>

namespace fairlead::inline FAIRLEAD_ABI::detail {

/// What the heads of requests and of responses have in common. It never moves while there are views of it.
struct head_data {
  std::vector<char> head;  ///< First line, fields and empty line, as the peer sent them.
  std::vector<http_field> fields;
};

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#endif
