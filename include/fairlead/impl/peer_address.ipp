#ifndef FAIRLEAD_IMPL_PEER_ADDRESS_IPP
#define FAIRLEAD_IMPL_PEER_ADDRESS_IPP

#include <fairlead/peer_address.hpp>

#include <arpa/inet.h>

namespace fairlead::inline FAIRLEAD_ABI {

FAIRLEAD_DECL std::string to_string(const peer_address& a) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  switch (a.family) {
    case peer_address::kind::unknown: return "unknown";
    case peer_address::kind::local: return "local";
    case peer_address::kind::ipv4:
      ::inet_ntop(AF_INET, a.bytes.data(), text.data(), text.size());
      return std::string(text.data()).append(":").append(std::to_string(a.port));
    case peer_address::kind::ipv6:
      ::inet_ntop(AF_INET6, a.bytes.data(), text.data(), text.size());
      return std::string("[").append(text.data()).append("]:").append(std::to_string(a.port));
  }
  return {};
}

}  // namespace fairlead::inline FAIRLEAD_ABI

#endif
