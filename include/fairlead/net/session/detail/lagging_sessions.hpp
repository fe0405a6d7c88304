#ifndef FAIRLEAD_NET_SESSION_DETAIL_LAGGING_SESSIONS_HPP
#define FAIRLEAD_NET_SESSION_DETAIL_LAGGING_SESSIONS_HPP

#include <fairlead/config.hpp>
#include <fairlead/net/session/detail/mailbox.hpp>
#include <fairlead/net/session/memory_budget.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace fairlead::inline FAIRLEAD_ABI::detail {

/// A queue that is charged to a budget, on its session's thread.
class charged_queue {
 public:
  charged_queue(const charged_queue&) = delete;
  charged_queue& operator=(const charged_queue&) = delete;

 protected:
  charged_queue() noexcept = default;
  virtual ~charged_queue() = default;

  bool is_charged() const noexcept { return queue_size_ != 0; }

 private:
  friend class lagging_sessions;

  /// The budget for queues is spent: hold less, and charge what is left.
  virtual void give_way() = 0;

  /// The budget for input is spent: hold none any more, from the next turn on at the latest. It is not charged.
  virtual void give_up_input() = 0;

  std::size_t queue_size_ = 0;
  std::size_t input_size_ = 0;
  std::uint32_t index_ = 0;        // among the members, when queue_size_ is not 0
  std::uint32_t input_index_ = 0;  // among those with input, when input_size_ is not 0
};

/// The sessions of one thread whose queues are charged to one budget: those that wait for their peers.
class lagging_sessions {
 public:
  lagging_sessions(std::shared_ptr<memory_budget> budget, std::shared_ptr<mailbox> letters);
  ~lagging_sessions();
  lagging_sessions(const lagging_sessions&) = delete;
  lagging_sessions& operator=(const lagging_sessions&) = delete;

  const memory_budget* budget() const noexcept { return budget_.get(); }

  /// `q` holds so many bytes for its receiver now. When the limit is passed by that the largest queues pay, on
  /// whichever thread they are.
  void charge(charged_queue& q, std::size_t size);

  /// `q` holds so many bytes of unfinished input now. When the limit is passed by that the largest of this thread gives
  /// its input up, and so on, as long as it holds more than an equal share of the limit; then those of the other
  /// threads.
  void charge_input(charged_queue& q, std::size_t size);

  /// `q` is over.
  void forget(charged_queue& q) noexcept;

 private:
  /// While it lives nobody else is made to pay.
  class paying {
   public:
    explicit paying(lagging_sessions& l) noexcept
        : flag_(l.is_paying_), before_(std::exchange(flag_, true)) {}
    ~paying() { flag_ = before_; }
    paying(const paying&) = delete;
    paying& operator=(const paying&) = delete;

   private:
    bool& flag_;
    const bool before_;
  };

  void collect();
  std::size_t largest() noexcept;
  void pay();

  void count_input(charged_queue& q, std::size_t size);
  charged_queue* largest_input() const noexcept;
  void collect_input();
  void call_others_for_input();

  std::shared_ptr<memory_budget> budget_;
  std::shared_ptr<mailbox> mailbox_;
  std::vector<charged_queue*> queues_;
  std::vector<charged_queue*> payers_;  // while they pay; null for those that are over
  bool is_paying_ = false;
  std::atomic<std::size_t> largest_ = 0;  // never less than the largest queue
  std::atomic<bool> is_called_ = false;   // by another thread, and has not come yet

  std::vector<charged_queue*> inputs_;
  std::atomic<bool> is_called_for_input_ = false;
};

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/net/session/impl/lagging_sessions.ipp>
#endif

#endif
