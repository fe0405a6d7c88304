#ifndef FAIRLEAD_NET_CLIENT_IMPL_CLIENT_IPP
#define FAIRLEAD_NET_CLIENT_IMPL_CLIENT_IPP

#include <fairlead/net/client/client.hpp>
#include <fairlead/net/client/detail/client_handshake.hpp>

#include <asio/strand.hpp>

#include <typeinfo>
#include <utility>

namespace fairlead::inline FAIRLEAD_ABI {
namespace detail {

// Asio before 1.24 does not look whether the executor is of the type that is asked for.
template <class Executor>
const Executor* target_of(const asio::any_io_executor& executor) {
  return executor.target_type() == typeid(Executor) ? executor.target<Executor>() : nullptr;
}

template <class Executor>
asio::io_context* context_behind(const asio::any_io_executor& executor) {
  if (const auto* const plain = target_of<Executor>(executor)) return &plain->context();
  if (const auto* const strand = target_of<asio::strand<Executor>>(executor)) {
    return &strand->get_inner_executor().context();
  }
  return nullptr;
}

/// The context of an executor, or of a strand's; null when it is no io_context's.
inline asio::io_context* context_of(const asio::any_io_executor& executor) {
  if (const auto* const strand = target_of<asio::strand<asio::any_io_executor>>(executor)) {
    return context_of(strand->get_inner_executor());
  }
  using plain = asio::io_context::executor_type;
  using tracked =
      std::decay_t<decltype(asio::require(std::declval<plain>(), asio::execution::outstanding_work.tracked))>;
  asio::io_context* const found = context_behind<plain>(executor);
  return found != nullptr ? found : context_behind<tracked>(executor);
}

FAIRLEAD_DECL std::shared_ptr<connect_attempt> make_connect_attempt(const asio::any_io_executor& executor) {
  const auto attempt = std::make_shared<connect_attempt>();
  if (asio::io_context* const context = context_of(executor)) {
    const auto& loops = asio::use_service<event_loops>(*context);
    event_loop* const own = loops.find(executor);  // such as that of a session that relays
    attempt->loop = own != nullptr ? own : &fewest_of(loops.all());
    attempt->letters = attempt->loop->letters();
  }
  return attempt;
}

FAIRLEAD_DECL void begin_connect(const std::shared_ptr<connect_attempt>& attempt, std::string url,
                                 client_options options, connected done) {
  if (attempt->loop == nullptr) return done.post(errc::bad_argument, core_ptr());
  const auto shared_done = std::make_shared<connected>(std::move(done));
  // By mail also on the own thread, so that a cancellation, which comes by mail too, finds it begun.
  const bool posted =
      attempt->letters->post(task([attempt, text = std::move(url), o = std::move(options), shared_done,
                                   coming = expected_endpoint(attempt->letters)]() mutable {
        client_handshake::begin(*attempt->loop, attempt, text, std::move(o), std::move(*shared_done));
      }));
  if (!posted) shared_done->post(errc::closed, core_ptr());
}

FAIRLEAD_DECL void cancel_connect(const std::shared_ptr<connect_attempt>& attempt) {
  if (attempt->letters == nullptr) return;
  attempt->letters->post(task([attempt] {
    if (attempt->handshake != nullptr) attempt->handshake->cancel();
  }));
}

FAIRLEAD_DECL void discard(const core_ptr& core) { core->try_close(close_code::going_away, {}); }

FAIRLEAD_DECL void begin_receiving(const core_ptr& core) {
  if (core) core->begin_receiving();
}

}  // namespace detail

FAIRLEAD_DECL connect_stage stage_of(std::error_code ec) noexcept {
  if (ec.category() == asio::error::get_netdb_category() ||
      ec.category() == asio::error::get_addrinfo_category() || ec == errc::resolve_timeout) {
    return connect_stage::resolve;
  }
  if (ec == errc::bad_url || ec == errc::bad_argument) return connect_stage::arguments;
  if (ec == errc::bad_proxy_response || ec == errc::proxy_refused ||
      ec == errc::proxy_authentication_required || ec == errc::proxy_timeout || ec == errc::proxy_lost) {
    return connect_stage::proxy;
  }
  if (ec == errc_condition::tls_failed) return connect_stage::tls;
  if (ec != errc::connect_timeout && ec == errc_condition::handshake_failed) return connect_stage::handshake;
  return connect_stage::connect;
}

FAIRLEAD_DECL std::string_view name_of(connect_stage stage) noexcept {
  switch (stage) {
    case connect_stage::arguments: return "arguments";
    case connect_stage::resolve: return "resolve";
    case connect_stage::connect: return "connect";
    case connect_stage::proxy: return "proxy";
    case connect_stage::tls: return "TLS";
    case connect_stage::handshake: return "handshake";
  }
  return {};
}

}  // namespace fairlead

#endif
