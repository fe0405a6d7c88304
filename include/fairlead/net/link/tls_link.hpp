#ifndef FAIRLEAD_NET_LINK_TLS_LINK_HPP
#define FAIRLEAD_NET_LINK_TLS_LINK_HPP

#include <fairlead/config.hpp>
#include <fairlead/net/detail/asio_configuration.hpp>
#include <fairlead/net/link/link.hpp>
#include <fairlead/net/link/tls.hpp>

#include <asio/any_io_executor.hpp>

#include <cstdint>
#include <string_view>

namespace fairlead::inline FAIRLEAD_ABI {

/// A link that speaks TLS as a server over another link, of any form.
///
/// The handshake begins with start(). Until it is done write() takes nothing, and on_writable() follows it;
/// shutdown_sending() takes effect behind it. A
/// handshake that fails, or a record that was tampered with, is a link error, and the peer is sent an alert; a
/// peer that ends the link without a close_notify is taken for one that ended it with one, since WebSocket has
/// a close of its own.
///
/// \param executor  Of `below`.
/// \param context   Not empty.
FAIRLEAD_DECL link_ptr make_tls_link(asio::any_io_executor executor, link_ptr below,
                                     const tls_server_context& context);

/// The same as a client.
///
/// \param host  Whom the server has to be: a DNS name, which it is told (SNI), or an address.
/// \param port  With `host`, names the session that may be resumed.
FAIRLEAD_DECL link_ptr make_tls_link(asio::any_io_executor executor, link_ptr below,
                                     const tls_client_context& context, std::string_view host,
                                     std::uint16_t port);

}  // namespace fairlead

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/net/link/impl/tls_link.ipp>
#endif

#endif
