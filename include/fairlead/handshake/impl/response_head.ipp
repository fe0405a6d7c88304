#ifndef FAIRLEAD_HANDSHAKE_IMPL_RESPONSE_HEAD_IPP
#define FAIRLEAD_HANDSHAKE_IMPL_RESPONSE_HEAD_IPP

#include <fairlead/handshake/response_head.hpp>

namespace fairlead::inline FAIRLEAD_ABI {

FAIRLEAD_DECL const detail::response_data& response_head::data() const noexcept {
  static const detail::response_data none;
  return data_ == nullptr ? none : *data_;
}

}  // namespace fairlead::inline FAIRLEAD_ABI

#endif
