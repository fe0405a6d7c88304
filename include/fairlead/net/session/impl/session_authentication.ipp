#ifndef FAIRLEAD_NET_SESSION_IMPL_SESSION_AUTHENTICATION_IPP
#define FAIRLEAD_NET_SESSION_IMPL_SESSION_AUTHENTICATION_IPP

#include <fairlead/handshake/request.hpp>
#include <fairlead/net/session/detail/session_core.hpp>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/co_spawn.hpp>
#include <asio/post.hpp>

#include <chrono>
#include <utility>

namespace fairlead::inline FAIRLEAD_ABI::detail {

// With session_options::authenticate, where the options name none.
inline constexpr duration default_authentication_time = std::chrono::seconds(15);

// Zero for a session whose peer need not say who it is.
FAIRLEAD_DECL duration session_core::authentication_time() const noexcept {
  const duration wanted = options().authentication_timeout;
  return wanted == duration::zero() && options().authenticate ? default_authentication_time : wanted;
}

FAIRLEAD_DECL authentication& session_core::asking() {
  auto& kept = context().asking;
  if (kept == nullptr) kept = std::make_shared<authentication>();
  return *kept;
}

FAIRLEAD_DECL void session_core::ask(message_view first) {
  pause(pause_reason::asking);
  try {
    const asio::cancellation_slot slot = asking().cancel.slot();
    // `kept`, since the slot has to outlive the coroutine.
    auto answered = [self = core_ptr(this), kept = context().asking](std::exception_ptr error,
                                                                     std::optional<std::string> name) {
      self->on_answer(error, std::move(name));
    };
    asio::co_spawn(loop_.executor(), options().authenticate(handle(), first.keep()),
                   asio::bind_cancellation_slot(slot, std::move(answered)));
  } catch (...) {
    report(std::current_exception());
  }
}

FAIRLEAD_DECL void session_core::on_answer(std::exception_ptr error, std::optional<std::string> name) {
  if (!mailbox_->is_current()) {
    on_own_thread([error, name = std::move(name)](session_core& self) { self.on_answer(error, name); });
    return;
  }
  if (!is_open() || state() != session_state::authenticating) return;  // too late
  if (error) return report(error);
  const std::string_view reply = name ? options().authenticated_reply : options().refused_reply;
  if (!reply.empty()) take(reply, {});
  touch();
  if (!name) return close_for(errc::authentication_failed, authentication_failed);
  keep_user(std::move(*name));
  on_authenticated();
  resume(pause_reason::asking);
}

FAIRLEAD_DECL void session_core::set_user(std::string name) {
  keep_user(std::move(name));
  const auto known = [](session_core& self) {
    if (self.state() != session_state::authenticating || self.is_paused(pause_reason::asking)) return;
    self.on_authenticated();
  };
  if (mailbox_->is_current()) return known(*this);
  on_own_thread(known);
}

FAIRLEAD_DECL void session_core::keep_user(std::string name) {
  session_context& known = context();
  const std::lock_guard lock(known.mutex);
  known.user = std::move(name);
}

FAIRLEAD_DECL void session_core::on_authenticated() {
  connection_.limit_messages(options().connection.max_message_size);
  if (route_->callbacks.on_part) connection_.receive_in_parts();
  enter(session_state::active);
  schedule_by(next_deadline());
  const std::shared_ptr<authentication> asked = std::move(context().asking);
  if (asked == nullptr || asked->head == nullptr) return;
  try {
    start_coroutine(std::move(*asked->head));
  } catch (...) {
    report(std::current_exception());
  }
}

// Posted, since what is cancelled may go on inside the call, and this is in the middle of the session's end.
FAIRLEAD_DECL void session_core::stop_asking() {
  if (!is_paused(pause_reason::asking)) return;
  asio::post(loop_.executor(), [asked = context().asking] {
    if (asked != nullptr) asked->cancel.emit(asio::cancellation_type::terminal);
  });
}

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#endif
