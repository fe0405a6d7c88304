#ifndef FAIRLEAD_NET_LINK_MEMORY_LINK_HPP
#define FAIRLEAD_NET_LINK_MEMORY_LINK_HPP

#include <fairlead/config.hpp>
#include <fairlead/net/detail/asio_configuration.hpp>
#include <fairlead/net/link/link.hpp>

#include <asio/any_io_executor.hpp>

#include <cstddef>
#include <utility>

namespace fairlead::inline FAIRLEAD_ABI {

/// Two links joined in memory: what one is given to write, the other pushes, in order, from handlers posted
/// to `executor` (never inside the call). For tests and simulations: no descriptor, no kernel, no clock.
///
/// \param executor  Both links', so it has to run its handlers one at a time.
/// \param capacity  Bytes under way in each direction before write() takes no more.
FAIRLEAD_DECL std::pair<link_ptr, link_ptr> make_memory_pair(asio::any_io_executor executor,
                                                             std::size_t capacity = 256 * 1024);

}  // namespace fairlead

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/net/link/impl/memory_link.ipp>
#endif

#endif
