#ifndef FAIRLEAD_HANDSHAKE_IMPL_BASE64_IPP
#define FAIRLEAD_HANDSHAKE_IMPL_BASE64_IPP

#include <fairlead/handshake/detail/base64.hpp>

#include <openssl/evp.h>

namespace fairlead::inline FAIRLEAD_ABI::detail {

FAIRLEAD_DECL std::string base64_encode(std::span<const unsigned char> bytes) {
  std::string text((bytes.size() + 2) / 3 * 4, '\0');
  // OpenSSL writes a NUL behind, where the string has its own.
  EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), bytes.data(),
                  static_cast<int>(bytes.size()));
  return text;
}

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#endif
