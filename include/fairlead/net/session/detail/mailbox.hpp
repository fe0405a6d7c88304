#ifndef FAIRLEAD_NET_SESSION_DETAIL_MAILBOX_HPP
#define FAIRLEAD_NET_SESSION_DETAIL_MAILBOX_HPP

#include <fairlead/config.hpp>
#include <fairlead/net/detail/asio_configuration.hpp>
#include <fairlead/net/session/detail/counter.hpp>

#include <asio/any_io_executor.hpp>
#include <asio/io_context.hpp>

#include <atomic>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace fairlead::inline FAIRLEAD_ABI::detail {

/// Something to do on the thread of a mailbox. Move-only, unlike std::function.
class task {
 public:
  template <class Function>
  explicit task(Function f) : model_(std::make_unique<model<Function>>(std::move(f))) {}

  void operator()() { model_->run(); }

 private:
  struct base {
    virtual ~base() = default;
    virtual void run() = 0;
  };
  template <class Function>
  struct model final : base {
    explicit model(Function f) : function(std::move(f)) {}
    void run() override { function(); }
    Function function;
  };

  std::unique_ptr<base> model_;
};

/// How other threads reach the sessions of one io_context. Shared by the context's event_loop and by
/// every session of it, so that it outlives the context: closed then, it refuses what it is given.
class mailbox : public std::enable_shared_from_this<mailbox> {
 public:
  explicit mailbox(asio::io_context& context) : context_(&context) {}

  /// Of the sessions of the context. Here, since other threads drop messages while the context is being destroyed.
  live_drop_counts drops;

  /// Runs `t` on the context's thread, in the order of the calls; many letters need one post. False when
  /// closed.
  bool post(task t);

  /// The context's executor, or the system's once the context is gone.
  asio::any_io_executor executor();

  /// Drops what waits and refuses what comes.
  void close() noexcept;

  /// The calling thread runs the context now.
  void enter() noexcept {
    const std::thread::id self = std::this_thread::get_id();
    if (owner_.load(std::memory_order_relaxed) != self) owner_.store(self, std::memory_order_relaxed);
  }

  /// True on the context's thread, inside run(), where sessions may be touched directly.
  bool is_current() const noexcept {
    return owner_.load(std::memory_order_relaxed) == std::this_thread::get_id() &&
           context_->get_executor().running_in_this_thread();
  }

 private:
  void drain();

  asio::io_context* context_;
  std::atomic<std::thread::id> owner_{};
  std::mutex mutex_;
  std::vector<task> letters_;
  bool closed_ = false;
};

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/net/session/impl/mailbox.ipp>
#endif

#endif
