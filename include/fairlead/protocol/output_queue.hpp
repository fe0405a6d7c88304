#ifndef FAIRLEAD_PROTOCOL_OUTPUT_QUEUE_HPP
#define FAIRLEAD_PROTOCOL_OUTPUT_QUEUE_HPP

#include <fairlead/config.hpp>
#include <fairlead/shared_bytes.hpp>

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

namespace fairlead::inline FAIRLEAD_ABI {

class output_queue;

/// Memory in which the connections of one thread frame their output, one connection at a time: from its first
/// output to its settle(). So a connection that is not being served holds no buffer. Has to outlive them.
class output_workspace {
 public:
  /// Bytes of output from which a connection asks its source for no further message.
  static constexpr std::size_t write_quantum = 64 * 1024;

  /// Payloads up to this size are copied behind their header; larger ones are gathered from where they are.
  /// Measured: below about 4 KiB one more entry in the gather list costs the kernel more than the copy costs
  /// us.
  static constexpr std::size_t copy_limit = 4 * 1024;

  FAIRLEAD_DECL output_workspace();

 private:
  friend class output_queue;

  struct segment {
    std::span<const std::byte> bytes;
    shared_bytes owner;  ///< Empty when the bytes lie in the scratch or are lent by the caller.
  };

  // One message above the quantum, and the control frames that may follow it.
  static constexpr std::size_t scratch_size = write_quantum + copy_limit + 8 * 1024;

  std::unique_ptr<std::byte[]> scratch_;
  std::size_t scratch_used_ = 0;
  std::vector<segment> segments_;
  std::vector<std::span<const std::byte>> gather_;
  bool in_use_ = false;
};

/// Framed bytes on their way to the link. Not thread-safe. What output() returns neither moves nor changes
/// until the next consume() or settle(); new bytes are only appended.
class output_queue {
 public:
  explicit output_queue(output_workspace& workspace) noexcept : workspace_(&workspace) {}
  output_queue(const output_queue&) = delete;
  output_queue& operator=(const output_queue&) = delete;
  FAIRLEAD_DECL ~output_queue();

  /// Bytes not yet consumed.
  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }

  /// Bytes of memory that they keep: a message that was written in part is kept whole.
  std::size_t held_size() const noexcept { return size_ + front_written_; }

  /// Appends `n` bytes (at most copy_limit + 256) that the caller writes at once.
  FAIRLEAD_DECL std::span<std::byte> append(std::size_t n);

  /// Appends bytes without a copy; they stay alive through `bytes`.
  FAIRLEAD_DECL void append_shared(shared_bytes bytes);

  /// Appends bytes without a copy that the caller keeps until settle().
  FAIRLEAD_DECL void append_lent(std::span<const std::byte> bytes);

  /// What is to be written, in order.
  FAIRLEAD_DECL std::span<const std::span<const std::byte>> output();

  /// The first `n` bytes of output() were written; at most size().
  FAIRLEAD_DECL void consume(std::size_t n);

  /// Copies what the workspace or the caller only lent, and gives the workspace back.
  FAIRLEAD_DECL void settle();

 private:
  FAIRLEAD_DECL void attach();

  output_workspace* workspace_;
  std::unique_ptr<std::vector<shared_bytes>> backlog_;  // what settle() kept; null when nothing
  std::size_t size_ = 0;
  std::size_t front_written_ = 0;  // of the first message, where it is not a copy
  bool attached_ = false;          // uses the workspace now; otherwise the workspace may be gone
};

}  // namespace fairlead::inline FAIRLEAD_ABI

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/protocol/impl/output_queue.ipp>
#endif

#endif
