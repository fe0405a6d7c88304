#ifndef FAIRLEAD_PROTOCOL_DETAIL_LIBDEFLATE_CONFIGURATION_HPP
#define FAIRLEAD_PROTOCOL_DETAIL_LIBDEFLATE_CONFIGURATION_HPP

#include <fairlead/config.hpp>

// Makes it a link error that header-only units of one program differ in FAIRLEAD_LIBDEFLATE, which decides what
// their inline functions do: each unit refers to a symbol that is defined for one of the two alone, as in
// net/impl/asio_configuration.ipp, which says why it is defined inside a function. The macro is the compiled
// library's own affair, so its users' units take no part.
#if !defined(FAIRLEAD_SEPARATE_COMPILATION)

#if defined(FAIRLEAD_LIBDEFLATE)
#define FAIRLEAD_LIBDEFLATE_CONFIGURATION fairlead_header_only_with_libdeflate
#else
#define FAIRLEAD_LIBDEFLATE_CONFIGURATION fairlead_header_only_without_libdeflate
#endif

extern "C" [[gnu::visibility("default")]] const char FAIRLEAD_LIBDEFLATE_CONFIGURATION;

namespace fairlead::inline FAIRLEAD_ABI::detail {

// One pointer a unit, never read: kept for the linker, past any optimization and --gc-sections.
[[gnu::used, gnu::retain]] static const char* const libdeflate_configuration =
    &FAIRLEAD_LIBDEFLATE_CONFIGURATION;

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#define FAIRLEAD_QUOTED(name) #name
#define FAIRLEAD_SYMBOL_HERE(name) ".globl " FAIRLEAD_QUOTED(name) "\n" FAIRLEAD_QUOTED(name) ":"

extern "C" [[gnu::used]] inline void fairlead_libdeflate_configuration() {
  __asm__(FAIRLEAD_SYMBOL_HERE(FAIRLEAD_LIBDEFLATE_CONFIGURATION));
}

#undef FAIRLEAD_SYMBOL_HERE
#undef FAIRLEAD_QUOTED

#endif

#endif
