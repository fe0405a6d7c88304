#ifndef FAIRLEAD_NET_SESSION_IMPL_SESSION_HPP
#define FAIRLEAD_NET_SESSION_IMPL_SESSION_HPP

#include <fairlead/net/session/session.hpp>

namespace fairlead::inline FAIRLEAD_ABI {
namespace detail {

// What session's templates call once the handler is erased. An empty `core` is a closed session.
FAIRLEAD_DECL asio::any_io_executor executor_of(const core_ptr& core);
FAIRLEAD_DECL std::uint64_t next_wait_number(const core_ptr& core) noexcept;
FAIRLEAD_DECL void begin_receive(const core_ptr& core, std::unique_ptr<receive_waiter> waiter,
                                 std::uint64_t wait_number);
FAIRLEAD_DECL received finish_receive(const core_ptr& core, bool cancelled);
FAIRLEAD_DECL void cancel_receive(const core_ptr& core, std::uint64_t wait_number);
FAIRLEAD_DECL void begin_send(const core_ptr& core, message content, std::shared_ptr<kept_class> kept,
                              sent_as as, completion<std::error_code> done, std::uint64_t wait_number);
FAIRLEAD_DECL void cancel_send(const core_ptr& core, std::uint64_t wait_number);
FAIRLEAD_DECL void begin_ping(const core_ptr& core, completion<std::error_code, duration> done,
                              std::uint64_t wait_number);
FAIRLEAD_DECL void cancel_ping(const core_ptr& core, std::uint64_t wait_number);
FAIRLEAD_DECL void begin_release(const core_ptr& core, completion<std::error_code, released_connection> done);
FAIRLEAD_DECL void begin_close(const core_ptr& core, close_code code, std::string reason,
                               completion<std::error_code> done);

/// Lives in a receive()'s cancellation slot. What it notes is seen by a completion that runs later on the
/// same executor, before the session's own thread has heard of it.
class receive_cancellation {
 public:
  receive_cancellation(core_ptr core, std::uint64_t wait_number) noexcept
      : core_(std::move(core)), wait_number_(wait_number) {}

  void operator()(asio::cancellation_type type) {
    if (type == asio::cancellation_type::none) return;
    came_ = true;
    cancel_receive(core_, wait_number_);
  }
  bool came() const noexcept { return came_; }

 private:
  core_ptr core_;
  std::uint64_t wait_number_;
  bool came_ = false;
};

template <class Handler>
class receive_waiter_of final : public receive_waiter {
 public:
  receive_waiter_of(core_ptr core, Handler handler, const receive_cancellation* cancellation)
      : core_(std::move(core)),
        work_(asio::get_associated_executor(handler, executor_of(core_))),
        handler_(std::move(handler)),
        cancellation_(cancellation) {}

  void schedule(std::unique_ptr<receive_waiter> self, std::error_code refused) override {
    std::unique_ptr<receive_waiter_of> own(static_cast<receive_waiter_of*>(self.release()));
    asio::post(work_.get_executor(), posted{std::move(own), refused});
  }

 private:
  struct posted {
    using allocator_type = asio::associated_allocator_t<Handler>;

    std::unique_ptr<receive_waiter_of> waiter;
    std::error_code refused;

    allocator_type get_allocator() const noexcept { return asio::get_associated_allocator(waiter->handler_); }

    void operator()() {
      const bool cancelled = waiter->cancellation_ != nullptr && waiter->cancellation_->came();
      received outcome = refused ? received{refused, std::nullopt} : finish_receive(waiter->core_, cancelled);
      Handler handler = std::move(waiter->handler_);
      waiter.reset();
      if (auto slot = asio::get_associated_cancellation_slot(handler); slot.is_connected()) slot.clear();
      std::move(handler)(outcome.error, std::move(outcome.whole));
    }
  };

  core_ptr core_;
  asio::executor_work_guard<asio::associated_executor_t<Handler, asio::any_io_executor>> work_;
  Handler handler_;
  const receive_cancellation* cancellation_;  // null without a slot
};

}  // namespace detail

template <class Handler>
void session::start_receive(const detail::core_ptr& core, Handler handler) {
  const std::uint64_t number = detail::next_wait_number(core);
  const detail::receive_cancellation* cancellation = nullptr;
  if (auto slot = asio::get_associated_cancellation_slot(handler); slot.is_connected()) {
    cancellation = &slot.template emplace<detail::receive_cancellation>(core, number);
  }
  detail::begin_receive(
      core, std::make_unique<detail::receive_waiter_of<Handler>>(core, std::move(handler), cancellation),
      number);
}

template <class Handler>
void session::start_send(const detail::core_ptr& core, message content,
                         std::shared_ptr<detail::kept_class> kept, detail::sent_as as, Handler handler) {
  const std::uint64_t number = detail::next_wait_number(core);
  if (auto slot = asio::get_associated_cancellation_slot(handler); slot.is_connected()) {
    slot.assign([core, number](asio::cancellation_type type) {
      if (type != asio::cancellation_type::none) detail::cancel_send(core, number);
    });
  }
  detail::begin_send(core, std::move(content), std::move(kept), as,
                     detail::completion<std::error_code>(std::move(handler), detail::executor_of(core)),
                     number);
}

template <class Handler>
void session::start_ping(const detail::core_ptr& core, Handler handler) {
  const std::uint64_t number = detail::next_wait_number(core);
  if (auto slot = asio::get_associated_cancellation_slot(handler); slot.is_connected()) {
    slot.assign([core, number](asio::cancellation_type type) {
      if (type != asio::cancellation_type::none) detail::cancel_ping(core, number);
    });
  }
  detail::begin_ping(
      core, detail::completion<std::error_code, duration>(std::move(handler), detail::executor_of(core)),
      number);
}

template <class Handler>
void session::start_release(const detail::core_ptr& core, Handler handler) {
  detail::begin_release(core, detail::completion<std::error_code, released_connection>(
                                  std::move(handler), detail::executor_of(core)));
}

template <class Handler>
void session::start_close(const detail::core_ptr& core, close_code code, std::string reason,
                          Handler handler) {
  detail::begin_close(core, code, std::move(reason),
                      detail::completion<std::error_code>(std::move(handler), detail::executor_of(core)));
}

}  // namespace fairlead

#endif
