#ifndef FAIRLEAD_GUARD_EQUAL_SECRETS_HPP
#define FAIRLEAD_GUARD_EQUAL_SECRETS_HPP

#include <fairlead/config.hpp>

#include <string_view>

namespace fairlead::inline FAIRLEAD_ABI {

/// Compares two secrets, such as a password or an API key with the one that is expected, in a time that does not
/// tell where they differ: with `==` who measures could guess byte after byte. That their sizes differ it does tell.
FAIRLEAD_DECL bool equal_secrets(std::string_view a, std::string_view b) noexcept;

}  // namespace fairlead::inline FAIRLEAD_ABI

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/guard/impl/equal_secrets.ipp>
#endif

#endif
