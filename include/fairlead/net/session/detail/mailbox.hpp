#ifndef FAIRLEAD_NET_SESSION_DETAIL_MAILBOX_HPP
#define FAIRLEAD_NET_SESSION_DETAIL_MAILBOX_HPP

#include <fairlead/config.hpp>
#include <fairlead/net/detail/asio_configuration.hpp>
#include <fairlead/net/session/detail/counter.hpp>

#include <asio/any_io_executor.hpp>
#include <asio/io_context.hpp>
#include <asio/strand.hpp>

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
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

/// One after another, on whichever thread of a context that several run.
using loop_strand = asio::strand<asio::io_context::executor_type>;

/// How other threads reach the sessions of one event_loop. Shared by the loop and by every session of it, so that it
/// outlives the context: closed then, it refuses what it is given.
///
/// The loop's thread is that of its context, or, on a context that several run, whichever runs its strand.
class mailbox : public std::enable_shared_from_this<mailbox> {
 public:
  /// \param strand  That of the loop; null when one thread runs the context.
  explicit mailbox(asio::io_context& context, const loop_strand* strand = nullptr)
      : context_(&context), is_shared_(strand != nullptr) {
    if (strand != nullptr) strand_.emplace(*strand);
  }

  /// Of the sessions of the context. Here, since other threads drop messages while the context is being destroyed.
  live_drop_counts drops;

  /// Endpoints that are on their way to the loop; see expected_endpoint.
  std::atomic<std::size_t> expected = 0;

  /// Runs `t` on the loop's thread, in the order of the calls; many letters need one post. False when
  /// closed.
  bool post(task t);

  /// The loop's executor, or the system's once the context is gone.
  asio::any_io_executor executor();

  /// Drops what waits and refuses what comes.
  void close() noexcept;

  /// True once the context is gone. From any thread.
  bool is_closed();

  /// The calling thread runs the context now.
  void enter() noexcept {
    const std::thread::id self = std::this_thread::get_id();
    if (owner_.load(std::memory_order_relaxed) != self) owner_.store(self, std::memory_order_relaxed);
  }

  /// True on the loop's thread, inside run(), where sessions may be touched directly.
  bool is_current() const noexcept {
    if (is_shared_) return is_in_strand();
    return owner_.load(std::memory_order_relaxed) == std::this_thread::get_id() &&
           context_->get_executor().running_in_this_thread();
  }

 private:
  bool is_in_strand() const noexcept;
  void drain();

  asio::io_context* context_;
  const bool is_shared_;  // by several threads
  std::atomic<std::thread::id> owner_{};
  mutable std::mutex mutex_;
  std::optional<loop_strand> strand_;  // goes before its context; behind the mutex
  std::vector<task> letters_;
  bool closed_ = false;
};

/// Counts, while it lives, an endpoint that is on its way to a loop, so that a burst of them does not all go to the
/// loop that has the fewest.
class expected_endpoint {
 public:
  explicit expected_endpoint(std::shared_ptr<mailbox> to) : to_(std::move(to)) {
    to_->expected.fetch_add(1, std::memory_order_relaxed);
  }
  expected_endpoint(expected_endpoint&&) noexcept = default;
  ~expected_endpoint() {
    if (to_ != nullptr) to_->expected.fetch_sub(1, std::memory_order_relaxed);
  }

 private:
  std::shared_ptr<mailbox> to_;
};

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/net/session/impl/mailbox.ipp>
#endif

#endif
