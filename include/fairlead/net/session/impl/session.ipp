#ifndef FAIRLEAD_NET_SESSION_IMPL_SESSION_IPP
#define FAIRLEAD_NET_SESSION_IMPL_SESSION_IPP

#include <fairlead/net/session/detail/session_core.hpp>
#include <fairlead/net/session/session.hpp>

#include <asio/system_executor.hpp>

#include <utility>

namespace fairlead::inline FAIRLEAD_ABI {
namespace detail {

FAIRLEAD_DECL void core_ptr::add_reference() const noexcept {
  if (core_ != nullptr) core_->add_reference();
}

FAIRLEAD_DECL void core_ptr::drop_reference() const noexcept {
  if (core_ != nullptr) core_->drop_reference();
}

FAIRLEAD_DECL asio::any_io_executor executor_of(const core_ptr& core) {
  if (!core) return asio::system_executor();
  return core->executor();
}

FAIRLEAD_DECL std::uint64_t next_wait_number(const core_ptr& core) noexcept {
  return core ? core->next_wait_number() : 0;
}

FAIRLEAD_DECL void begin_receive(const core_ptr& core, std::unique_ptr<receive_waiter> waiter,
                                 std::uint64_t wait_number) {
  if (core) return core->receive(std::move(waiter), wait_number);
  receive_waiter& refused = *waiter;
  refused.schedule(std::move(waiter), errc::closed);
}

FAIRLEAD_DECL received finish_receive(const core_ptr& core, bool cancelled) {
  return core->take_received(cancelled);
}

FAIRLEAD_DECL void cancel_receive(const core_ptr& core, std::uint64_t wait_number) {
  if (core) core->cancel_receive(wait_number);
}

FAIRLEAD_DECL void begin_send(const core_ptr& core, message content, std::shared_ptr<kept_class> kept,
                              sent_as as, completion<std::error_code> done, std::uint64_t wait_number) {
  if (core) return core->send(std::move(content), std::move(kept), as, std::move(done), wait_number);
  done.post(errc::closed);
}

FAIRLEAD_DECL void cancel_send(const core_ptr& core, std::uint64_t wait_number) {
  if (core) core->cancel_send(wait_number);
}

FAIRLEAD_DECL void begin_ping(const core_ptr& core, completion<std::error_code, duration> done,
                              std::uint64_t wait_number) {
  if (core) return core->ping(std::move(done), wait_number);
  done.post(errc::closed, {});
}

FAIRLEAD_DECL void cancel_ping(const core_ptr& core, std::uint64_t wait_number) {
  if (core) core->cancel_ping(wait_number);
}

FAIRLEAD_DECL void begin_release(const core_ptr& core,
                                 completion<std::error_code, released_connection> done) {
  if (core) return core->release(std::move(done));
  done.post(errc::closed, {});
}

FAIRLEAD_DECL void begin_close(const core_ptr& core, close_code code, std::string reason,
                               completion<std::error_code> done) {
  if (core) return core->close(code, std::move(reason), std::move(done));
  done.post({});
}

}  // namespace detail

FAIRLEAD_DECL send_result session::try_send(message_view m, const message_class& c) const {
  return core_ ? core_->try_send(m, c) : send_result::closed;
}

FAIRLEAD_DECL std::error_code session::try_close(close_code code, std::string_view reason) const {
  if (!core_) return errc::closed;
  return core_->try_close(code, reason);
}

FAIRLEAD_DECL void session::pause_reading() const {
  if (core_) core_->pause(detail::pause_reason::by_application);
}

FAIRLEAD_DECL void session::resume_reading() const {
  if (core_) core_->resume(detail::pause_reason::by_application);
}

FAIRLEAD_DECL bool session::is_open() const noexcept { return core_ && core_->is_open(); }

FAIRLEAD_DECL session_state session::state() const noexcept {
  return core_ ? core_->state() : session_state::closed;
}

FAIRLEAD_DECL session_id session::id() const noexcept { return core_ ? core_->id() : session_id(); }

FAIRLEAD_DECL peer_address session::peer() const noexcept { return core_ ? core_->peer() : peer_address(); }

FAIRLEAD_DECL std::string session::user() const { return core_ ? core_->user() : std::string(); }

FAIRLEAD_DECL void session::set_user(std::string name) const {
  if (core_) core_->set_user(std::move(name));
}

FAIRLEAD_DECL std::string_view session::header(std::string_view name) const noexcept {
  return core_ ? core_->header(name) : std::string_view();
}

FAIRLEAD_DECL session_statistics session::statistics() const noexcept {
  return core_ ? core_->statistics() : session_statistics();
}

FAIRLEAD_DECL std::shared_ptr<detail::kept_class> session::keep_class(const message_class& c) {
  return detail::kept_class::of(c);
}

FAIRLEAD_DECL void session::set_data(std::shared_ptr<void> data, const std::type_info& type) const {
  if (core_) core_->set_data(std::move(data), type);
}

FAIRLEAD_DECL void* session::find_data(const std::type_info& type) const noexcept {
  return core_ ? core_->find_data(type) : nullptr;
}

FAIRLEAD_DECL std::string_view session::subprotocol() const noexcept {
  return core_ ? core_->subprotocol() : std::string_view();
}

}  // namespace fairlead

#endif
