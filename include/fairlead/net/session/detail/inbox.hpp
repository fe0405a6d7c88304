#ifndef FAIRLEAD_NET_SESSION_DETAIL_INBOX_HPP
#define FAIRLEAD_NET_SESSION_DETAIL_INBOX_HPP

#include <fairlead/config.hpp>
#include <fairlead/errc.hpp>
#include <fairlead/protocol/message.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <system_error>

namespace fairlead::inline FAIRLEAD_ABI::detail {

class session_core;

/// What receive() completes with: an error, a message, or neither after a clean close.
struct received {
  std::error_code error;
  std::optional<message> whole;
};

/// A receive() that waits, erased.
class receive_waiter {
 public:
  virtual ~receive_waiter() = default;

  /// Posts to the handler's executor; there the waiter completes with `refused`, or, without an error, with
  /// what it then takes from the inbox.
  virtual void schedule(std::unique_ptr<receive_waiter> self, std::error_code refused) = 0;
};

/// Whole messages between the link, which puts them in, and receive(), which takes them out, maybe on another
/// executor.
///
/// A message leaves only when the completion runs and no cancellation came first: a completion that carried
/// it from the moment it was posted would lose it when the receiver gives up in between.
class inbox {
 public:
  /// \param limit  Bytes at which put() asks for a pause; a single larger message is let in.
  explicit inbox(std::size_t limit) noexcept : limit_(limit) {}

  /// Puts a message in. False when it is full now: pause until take() says so.
  bool put(message m);

  /// Bytes that put() has counted.
  std::size_t size();

  /// No message follows; receive() completes with `why` after those that wait.
  void end(std::error_code why);

  /// Waits for a message; refused with errc::busy while another waits. cancel() knows the wait by its number.
  void wait(std::unique_ptr<receive_waiter> waiter, std::uint64_t number);

  /// Ends that wait with operation_aborted, if it is still the one that waits and its completion has not run.
  void cancel(std::uint64_t number);

  /// Lets go of whoever waits, without a completion.
  void drop();

  struct taken {
    received outcome;
    bool has_room;          ///< The pause that put() asked for is over.
    bool is_empty = false;  ///< That was the last message.
  };

  /// Called by the waiter's completion, once.
  /// \param cancelled  A cancellation is known there that cancel() may not have been told of yet.
  taken take(bool cancelled = false);

 private:
  void schedule();

  const std::size_t limit_;
  std::mutex mutex_;
  std::deque<message> messages_;
  std::size_t size_ = 0;
  std::unique_ptr<receive_waiter> waiter_;
  std::uint64_t wait_number_ = 0;
  bool waiting_ = false;  // from wait() to take()
  bool cancelled_ = false;
  bool full_ = false;
  bool ended_ = false;
  std::error_code end_;
};

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/net/session/impl/inbox.ipp>
#endif

#endif
