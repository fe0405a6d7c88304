#ifndef FAIRLEAD_PROTOCOL_ROLE_HPP
#define FAIRLEAD_PROTOCOL_ROLE_HPP

#include <fairlead/config.hpp>

namespace fairlead::inline FAIRLEAD_ABI {

/// Which side of a connection one is (RFC 6455 section 1.3): only the client masks what it sends.
enum class role : unsigned char { server, client };

}  // namespace fairlead::inline FAIRLEAD_ABI

#endif
