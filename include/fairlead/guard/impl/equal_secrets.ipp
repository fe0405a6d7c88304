#ifndef FAIRLEAD_GUARD_IMPL_EQUAL_SECRETS_IPP
#define FAIRLEAD_GUARD_IMPL_EQUAL_SECRETS_IPP

#include <fairlead/guard/equal_secrets.hpp>

#include <openssl/crypto.h>

namespace fairlead::inline FAIRLEAD_ABI {

FAIRLEAD_DECL bool equal_secrets(std::string_view a, std::string_view b) noexcept {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace fairlead::inline FAIRLEAD_ABI

#endif
