#ifndef FAIRLEAD_NET_SESSION_IMPL_SHARED_CONTEXT_IPP
#define FAIRLEAD_NET_SESSION_IMPL_SHARED_CONTEXT_IPP

#include <fairlead/net/session/detail/session_core.hpp>
#include <fairlead/net/session/shared_context.hpp>

#include <memory>
#include <stdexcept>

namespace fairlead::inline FAIRLEAD_ABI {

FAIRLEAD_DECL void share_between_threads(asio::io_context& context, std::size_t threads) {
  // A thread that finds one loop busy is likely to find another that is not (docs/design/threads.md).
  constexpr std::size_t loops_a_thread = 2;
  if (threads == 0) throw std::invalid_argument("an io_context is run by one thread at least");
  if (asio::has_service<detail::event_loops>(context)) {
    throw std::logic_error("an io_context has to be shared between threads before fairlead uses it");
  }
  if (threads == 1) return;
  auto loops = std::make_unique<detail::event_loops>(context, threads * loops_a_thread);
  asio::add_service(context, loops.get());
  loops.release();
}

}  // namespace fairlead::inline FAIRLEAD_ABI

#endif
