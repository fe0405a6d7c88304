#ifndef FAIRLEAD_NET_SESSION_IMPL_SESSION_ID_IPP
#define FAIRLEAD_NET_SESSION_IMPL_SESSION_ID_IPP

#include <fairlead/net/session/session_id.hpp>

namespace fairlead::inline FAIRLEAD_ABI {

FAIRLEAD_DECL std::string to_string(const session_id& id) {
  std::string text;
  for (const std::uint64_t half : {id.loop, id.number}) {
    for (int shift = 60; shift >= 0; shift -= 4) text += "0123456789abcdef"[(half >> shift) & 0xf];
  }
  return text;
}

}  // namespace fairlead::inline FAIRLEAD_ABI

#endif
