#ifndef FAIRLEAD_NET_SESSION_MEMORY_BUDGET_HPP
#define FAIRLEAD_NET_SESSION_MEMORY_BUDGET_HPP

#include <fairlead/config.hpp>

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

namespace fairlead::inline FAIRLEAD_ABI {

namespace detail {

class lagging_sessions;

}  // namespace detail

/// What all sessions of a process may hold together, on all threads: the queues of slow receivers, and what of
/// messages has arrived and is not whole, or not taken, yet. Each session is bounded by its own options; this
/// bounds their sum.
///
/// When the queues pass their limit, the largest pay first: they lose what may be dropped (slow_policy::drop_oldest
/// and expire), and when that is too little they are closed with 1013, until a sixteenth of the limit is free. A
/// session whose peer takes what it is sent does not pay. When the input passes its limit, the session that holds most
/// of it on the thread where that happens is closed with 1013, and never one that holds less than an equal share: who
/// sends small messages stays, whatever others keep unfinished.
///
/// Safe from any thread. Has to outlive the sessions that share it, which shared pointers see to.
class memory_budget {
 public:
  struct limits {
    std::size_t queues = 512 * 1024 * 1024;  ///< Bytes that wait for receivers.
    std::size_t input = 256 * 1024 * 1024;   ///< Bytes that arrived and cannot be handed out yet.
  };

  explicit memory_budget(limits l) noexcept : limits_(l) {}
  memory_budget() noexcept : memory_budget(limits()) {}
  memory_budget(const memory_budget&) = delete;
  memory_budget& operator=(const memory_budget&) = delete;

  /// The one that all sessions share that are given no other, with the limits of the defaults.
  FAIRLEAD_DECL static const std::shared_ptr<memory_budget>& of_process();

  std::size_t queues() const noexcept { return queues_.load(std::memory_order_relaxed); }
  std::size_t input() const noexcept { return input_.load(std::memory_order_relaxed); }

 private:
  friend class detail::lagging_sessions;

  const limits limits_;
  std::atomic<std::size_t> queues_ = 0;
  std::atomic<std::size_t> input_ = 0;
  std::atomic<std::size_t> input_holders_ = 0;
  std::mutex mutex_;
  std::vector<detail::lagging_sessions*> members_;  // one for each thread
};

}  // namespace fairlead::inline FAIRLEAD_ABI

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/net/session/impl/memory_budget.ipp>
#endif

#endif
