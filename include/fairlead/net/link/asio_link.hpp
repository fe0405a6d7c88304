#ifndef FAIRLEAD_NET_LINK_ASIO_LINK_HPP
#define FAIRLEAD_NET_LINK_ASIO_LINK_HPP

#include <fairlead/config.hpp>
#include <fairlead/net/detail/asio_configuration.hpp>
#include <fairlead/net/link/link.hpp>

#include <asio/generic/stream_protocol.hpp>

namespace fairlead::inline FAIRLEAD_ABI {

/// A link over a connected Asio stream socket (TCP or local), by Asio's own means alone: for platforms
/// without epoll, and for contexts that several threads run, where the socket's executor is then a strand.
///
/// \param socket  Taken over, made non-blocking, and closed with the link. Its executor is the link's.
FAIRLEAD_DECL link_ptr make_asio_link(asio::generic::stream_protocol::socket socket);

}  // namespace fairlead

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/net/link/impl/asio_link.ipp>
#endif

#endif
