#ifndef FAIRLEAD_NET_LINK_PROXIED_LINK_HPP
#define FAIRLEAD_NET_LINK_PROXIED_LINK_HPP

#include <fairlead/config.hpp>
#include <fairlead/net/link/link.hpp>

namespace fairlead::inline FAIRLEAD_ABI {

/// A link on which a proxy says who the client is before the client's first byte (PROXY protocol, both versions):
/// peer() and is_secure() are the client's from then on. Until then write() takes nothing, and on_writable() follows
/// it; a proxy that says nothing of the kind is a link error, errc::bad_proxy_header.
///
/// \param below  From a proxy that is trusted, and from nobody else.
FAIRLEAD_DECL link_ptr make_proxied_link(link_ptr below);

}  // namespace fairlead::inline FAIRLEAD_ABI

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/net/link/impl/proxied_link.ipp>
#endif

#endif
