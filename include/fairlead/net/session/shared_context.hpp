#ifndef FAIRLEAD_NET_SESSION_SHARED_CONTEXT_HPP
#define FAIRLEAD_NET_SESSION_SHARED_CONTEXT_HPP

#include <fairlead/config.hpp>
#include <fairlead/net/detail/asio_configuration.hpp>

#include <asio/io_context.hpp>

#include <cstddef>

namespace fairlead::inline FAIRLEAD_ABI {

/// Says that several threads run this context; without it a context belongs to one thread. Servers and connect() then
/// spread their connections over several event loops, two for each thread, each with a strand: what happens to one
/// session happens one after another, on whichever thread, and sessions of different loops run at the same time.
///
/// Links are plain Asio links there, whatever server_options::link and client_options::link say: an epoll set belongs
/// to one thread. One context for each thread, as server_options::threads makes them, needs less processor time.
///
/// A server on such a context is set up and listens before the threads run it, and is destroyed after them;
/// server::serve() and testing::virtual_clock are not for such a context (std::logic_error).
///
/// \param context  Not used by fairlead before (otherwise std::logic_error).
/// \param threads  How many run it; 1 changes nothing, 0 throws std::invalid_argument.
FAIRLEAD_DECL void share_between_threads(asio::io_context& context, std::size_t threads);

}  // namespace fairlead::inline FAIRLEAD_ABI

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/net/session/impl/shared_context.ipp>
#endif

#endif
