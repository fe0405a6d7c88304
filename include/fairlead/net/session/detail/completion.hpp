#ifndef FAIRLEAD_NET_SESSION_DETAIL_COMPLETION_HPP
#define FAIRLEAD_NET_SESSION_DETAIL_COMPLETION_HPP

#include <fairlead/config.hpp>
#include <fairlead/net/detail/asio_configuration.hpp>

#include <asio/any_io_executor.hpp>
#include <asio/associated_allocator.hpp>
#include <asio/associated_executor.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/post.hpp>

#include <memory>
#include <tuple>
#include <utility>

namespace fairlead::inline FAIRLEAD_ABI::detail {

/// A handler with the results it is to be called with, as one function object that keeps the handler's
/// allocator.
template <class Handler, class Function>
struct posted_completion {
  using allocator_type = asio::associated_allocator_t<Handler>;

  Handler handler;
  Function invoke;

  allocator_type get_allocator() const noexcept { return asio::get_associated_allocator(handler); }
  void operator()() { invoke(std::move(handler)); }
};

/// Posts a call of `function` with the handler to the handler's executor.
template <class Executor, class Handler, class Function>
void post_completion(const Executor& executor, Handler handler, Function function) {
  asio::post(executor, posted_completion<Handler, Function>{std::move(handler), std::move(function)});
}

/// A completion handler, erased: Debian 12's Asio has no any_completion_handler. Executor and allocator are
/// the handler's own, and its executor counts outstanding work until the handler is called or dropped.
template <class... Args>
class completion {
 public:
  completion() noexcept = default;

  template <class Handler>
  completion(Handler handler, const asio::any_io_executor& fallback)
      : model_(std::make_unique<model<Handler>>(std::move(handler), fallback)) {}

  explicit operator bool() const noexcept { return model_ != nullptr; }

  /// Posts the call to the handler's executor; never runs it inside this call. Once.
  void post(Args... args) {
    const auto own = std::move(model_);
    own->post(std::move(args)...);
  }

 private:
  struct base {
    virtual ~base() = default;
    virtual void post(Args... args) = 0;
  };

  template <class Handler>
  struct model final : base {
    using executor_type = asio::associated_executor_t<Handler, asio::any_io_executor>;

    model(Handler h, const asio::any_io_executor& fallback)
        : work(asio::get_associated_executor(h, fallback)), handler(std::move(h)) {}

    void post(Args... args) override {
      post_completion(work.get_executor(), std::move(handler),
                      [values = std::tuple(std::move(args)...)](Handler h) mutable {
                        std::apply(std::move(h), std::move(values));
                      });
    }

    asio::executor_work_guard<executor_type> work;
    Handler handler;
  };

  std::unique_ptr<base> model_;
};

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#endif
