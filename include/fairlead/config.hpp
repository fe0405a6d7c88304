#ifndef FAIRLEAD_CONFIG_HPP
#define FAIRLEAD_CONFIG_HPP

/// How the library is built. `fairlead::fairlead` defines FAIRLEAD_SEPARATE_COMPILATION for itself and for
/// every user, so the definitions in the `.ipp` files are compiled once; without it they are inline in each
/// user's unit.
///
/// The two live in different inline namespaces: a program that mixes them carries both, without one
/// definition standing in for the other.
#if defined(FAIRLEAD_SEPARATE_COMPILATION)
#define FAIRLEAD_DECL
#define FAIRLEAD_ABI v0_compiled
#else
#define FAIRLEAD_DECL inline
#define FAIRLEAD_ABI v0_inline
#endif

#endif
