#ifndef FAIRLEAD_HANDSHAKE_DETAIL_HOST_HPP
#define FAIRLEAD_HANDSHAKE_DETAIL_HOST_HPP

#include <fairlead/config.hpp>

#include <string_view>

namespace fairlead::inline FAIRLEAD_ABI::detail {

/// Says whether `text` can name the server in a Host field (RFC 9110 section 7.2): a name or an IPv4 address
/// (letters, digits and `-._~`), or an IPv6 address in brackets; then, optionally, `:` and a port of 0 to
/// 65535.
///
/// Narrower than the URI grammar: no percent-encoding, no sub-delimiters, no zone, and a colon needs its
/// port. Whatever compares a host with an Origin can take it as it is.
FAIRLEAD_DECL bool is_host(std::string_view text) noexcept;

/// Says whether `text` is an IPv6 address without brackets or zone (RFC 4291 section 2.2).
FAIRLEAD_DECL bool is_ipv6_address(std::string_view text) noexcept;

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/handshake/impl/host.ipp>
#endif

#endif
