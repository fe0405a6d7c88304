#ifndef FAIRLEAD_NET_SESSION_DETAIL_EVENT_LOOP_HPP
#define FAIRLEAD_NET_SESSION_DETAIL_EVENT_LOOP_HPP

#include <fairlead/config.hpp>
#include <fairlead/net/detail/asio_configuration.hpp>
#include <fairlead/net/link/link.hpp>
#include <fairlead/net/session/detail/endpoint.hpp>
#include <fairlead/net/session/detail/lagging_sessions.hpp>
#include <fairlead/net/session/detail/live_counters.hpp>
#include <fairlead/net/session/detail/mailbox.hpp>
#include <fairlead/net/session/detail/mask_keys.hpp>
#include <fairlead/net/session/session.hpp>
#include <fairlead/net/session/timer_wheel.hpp>
#include <fairlead/protocol/compression_workspace.hpp>
#include <fairlead/protocol/output_queue.hpp>

#include <asio/any_io_executor.hpp>
#include <asio/execution_context.hpp>
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace fairlead::inline FAIRLEAD_ABI::detail {

/// What the endpoints of one io_context share: the workspace in which they frame, the timer wheel, the
/// mailbox for other threads, and the list of sessions with something to write. All functions on the
/// context's thread, but where it says otherwise.
///
/// A context that several threads run has several loops, each with a strand: "the loop's thread" is then whichever
/// runs its strand now (docs/design/threads.md).
class event_loop {
 public:
  enum class run_by : unsigned char { one_thread, several_threads };

  explicit event_loop(asio::io_context& context, run_by who = run_by::one_thread);
  event_loop(const event_loop&) = delete;
  event_loop& operator=(const event_loop&) = delete;

  /// That of the context; made when it is first asked for, and gone with the context. Throws std::logic_error for a
  /// context that several threads run. From any thread.
  static event_loop& of(asio::io_context& context);

  asio::io_context& context() noexcept { return context_; }

  /// Where all that concerns the endpoints runs.
  asio::any_io_executor executor() const {
    if (strand_) return *strand_;
    return context_.get_executor();
  }

  /// Several threads run the context: links are plain Asio links whose sockets have this executor.
  bool is_shared() const noexcept { return strand_.has_value(); }

  output_workspace& workspace() noexcept { return workspace_; }
  compression_workspace& compression() noexcept { return compression_; }
  mask_key_source& mask_keys() noexcept { return mask_keys_; }
  const std::shared_ptr<mailbox>& letters() noexcept { return mailbox_; }

  /// The sessions and exchanges that own a link; may be read from any thread.
  std::size_t size() const noexcept { return size_.load(std::memory_order_relaxed); }

  /// The same with those that are on their way. From any thread.
  std::size_t load() const noexcept { return size() + mailbox_->expected.load(std::memory_order_relaxed); }

  void remove(endpoint& e) noexcept;

  /// Of no server: they end with the context, or by themselves.
  void add(endpoint& e) noexcept { add(e, of_nobody_); }

  /// \param group  Of this loop.
  void add(endpoint& e, endpoint_group& group) noexcept;

  /// A group for a server's endpoints. It stays as long as it has any.
  std::shared_ptr<endpoint_group> make_group();

  live_counters& counters() noexcept { return counters_; }
  session_id next_id() noexcept { return {loop_number_, ++session_number_}; }

  /// The sessions that are charged to this budget; null for the process's.
  lagging_sessions& lagging(const std::shared_ptr<memory_budget>& budget);

  /// The clock that the context's deadlines are measured on: the steady one, or a virtual one.
  time_point now() noexcept {
    recent_ = virtual_now_ != nullptr ? *virtual_now_ : clock::now();
    return recent_;
  }

  /// The last now(): that of the begin of a session's turn, in it.
  time_point recent() const noexcept { return recent_; }

  /// From now on time is what `now` says, which has to outlive the loop, and passes in advance_timers() only.
  /// Before anything is scheduled.
  void use_virtual_time(const time_point& now) noexcept { virtual_now_ = &now; }

  /// When a timer may be due at the earliest; time_point::max() when there is none.
  time_point next_timer() const noexcept { return wheel_.next(); }

  /// Calls the timers that are due.
  void advance_timers();

  void schedule(wheel_timer& t, time_point deadline);
  void schedule_in(wheel_timer& t, duration d) { schedule(t, deadline_after(now(), d)); }
  void cancel(wheel_timer& t) noexcept { wheel_.cancel(t); }

  /// The context is being destroyed: every endpoint lets go of its link, and nobody is called.
  void shut_down();

  /// Lets the session flush once in a later turn.
  void mark_dirty(core_ptr core);

  /// The session that this thread is serving, whose replies leave when its turn ends.
  inline static constinit thread_local const session_core* current = nullptr;

  /// Its handle, for callbacks.
  session& current_handle() noexcept { return *handle_; }

  /// The length of one session's turn.
  class turn {
   public:
    turn(event_loop& loop, session_core& core);
    ~turn();
    turn(const turn&) = delete;
    turn& operator=(const turn&) = delete;

   private:
    event_loop& loop_;
    session_core& core_;
    session handle_;
    int exceptions_ = std::uncaught_exceptions();
  };

 private:
  void arm_timer();
  void rest();
  void flush_dirty();

  asio::io_context& context_;
  const std::optional<loop_strand> strand_;  // none when one thread runs the context
  output_workspace workspace_;
  compression_workspace compression_;
  random_mask_keys mask_keys_;
  std::shared_ptr<mailbox> mailbox_;
  timer_wheel wheel_;
  asio::steady_timer timer_;
  time_point timer_at_ = time_point::max();
  const time_point* virtual_now_ = nullptr;
  time_point recent_;
  live_counters counters_;
  const std::uint64_t loop_number_;
  std::uint64_t session_number_ = 0;
  std::vector<std::unique_ptr<lagging_sessions>> lagging_;  // one for each budget
  std::vector<core_ptr> dirty_;
  endpoint_group of_nobody_{*this};
  std::vector<std::shared_ptr<endpoint_group>> groups_;
  std::atomic<std::size_t> size_ = 0;
  session* handle_ = nullptr;
};

/// Keeps the event loops of an io_context: one, or several when several threads run it.
class event_loops final : public asio::execution_context::service {
 public:
  using key_type = event_loops;
  inline static asio::execution_context::id id;

  explicit event_loops(asio::io_context& context)
      : asio::execution_context::service(context), first_(context), all_{&first_} {}

  /// For a context that several threads run.
  ///
  /// \param count  At least 1.
  event_loops(asio::io_context& context, std::size_t count);

  const std::vector<event_loop*>& all() const noexcept { return all_; }
  bool are_shared() const noexcept { return first_.is_shared(); }

  /// The loop whose executor it is; null for none. From any thread.
  event_loop* find(const asio::any_io_executor& executor) const;

 private:
  void shutdown() override;

  event_loop first_;
  std::deque<event_loop> more_;
  std::vector<event_loop*> all_;
};

/// The loop with the fewest endpoints, those on their way included. From any thread.
inline event_loop& fewest_of(const std::vector<event_loop*>& loops) noexcept {
  return **std::ranges::min_element(loops, {}, &event_loop::load);
}

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

// The definitions need session_core, whose header includes them.

#endif
