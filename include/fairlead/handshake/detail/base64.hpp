#ifndef FAIRLEAD_HANDSHAKE_DETAIL_BASE64_HPP
#define FAIRLEAD_HANDSHAKE_DETAIL_BASE64_HPP

#include <fairlead/config.hpp>

#include <span>
#include <string>

namespace fairlead::inline FAIRLEAD_ABI::detail {

/// The bytes in base64, with padding (RFC 4648 section 4). For keys and digests: less than 1 GiB. Throws
/// std::bad_alloc.
FAIRLEAD_DECL std::string base64_encode(std::span<const unsigned char> bytes);

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/handshake/impl/base64.ipp>
#endif

#endif
