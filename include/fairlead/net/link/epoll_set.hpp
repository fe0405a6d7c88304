#ifndef FAIRLEAD_NET_LINK_EPOLL_SET_HPP
#define FAIRLEAD_NET_LINK_EPOLL_SET_HPP

#include <fairlead/config.hpp>
#include <fairlead/errc.hpp>
#include <fairlead/net/detail/asio_configuration.hpp>
#include <fairlead/net/link/detail/handler_memory.hpp>
#include <fairlead/net/link/link.hpp>

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>

#include <sys/epoll.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <system_error>
#include <thread>
#include <vector>

namespace fairlead::inline FAIRLEAD_ABI {

class epoll_set;

namespace detail {

/// A descriptor in an epoll set, closed with it at the latest. Freed by the set, after the batch in which it was
/// removed.
class epoll_entry {
 public:
  virtual ~epoll_entry();

  /// \param events  What epoll_wait reported. May remove this entry or any other.
  virtual void on_ready(std::uint32_t events) = 0;

 protected:
  explicit epoll_entry(int descriptor) noexcept : descriptor_(descriptor) {}

  int descriptor_;

 private:
  friend epoll_set;

  std::uint32_t slot_ = 0;
  std::uint32_t events_ = 0;
  bool registered_ = false;
};

}  // namespace detail

/// All sockets of one io_context in one level-triggered epoll set, which Asio waits on as a single descriptor
/// (docs/design/net.md). An idle socket costs one entry here, and the sockets that are ready are served in
/// batches.
///
/// One thread runs the io_context while the set holds a descriptor: a batch on another thread throws
/// std::system_error(errc::wrong_thread) out of run(), and the batch is left to the right one. The set is
/// armed only while it holds a descriptor, so run() returns when all are gone.
///
/// `asio::use_service<epoll_set>(context)` gives the set of a context. All functions on the context's thread.
class epoll_set final : public asio::execution_context::service {
 public:
  using key_type = epoll_set;
  inline static asio::execution_context::id id;

  /// Where bytes are read that have no better place. A message of the default limit fits whole, with its
  /// header, and is answered from here without a copy; larger buffers are no faster (benchmarks/README.md has
  /// the sweep).
  static constexpr std::size_t receive_buffer_size = 128 * 1024;

  /// The most that is read into a sink's own room in a batch: one who sends large messages without pause
  /// would hold up the others (tests/net/link/epoll_fairness.cpp).
  static constexpr std::size_t max_room_read_size = 64 * 1024;

  explicit epoll_set(asio::io_context& context);
  ~epoll_set() override;

  /// Takes over a connected, non-blocking stream socket, which is read from link::start() on and closed with
  /// the link.
  link_ptr make_link(int socket);

  /// The descriptors in the set.
  std::size_t size() const noexcept { return size_; }

  /// Takes over a descriptor; nothing is reported on it before watch().
  void add(std::unique_ptr<detail::epoll_entry> entry);

  /// Reports `events` on the entry from now on, and EPOLLHUP and EPOLLERR, which epoll always reports.
  /// Throws std::system_error when epoll refuses the descriptor.
  void watch(detail::epoll_entry& entry, std::uint32_t events);

  /// Reports nothing on the entry from now on.
  void ignore(detail::epoll_entry& entry) noexcept;

  /// Takes the entry out and closes its descriptor; the entry itself is freed after the batch.
  void remove(detail::epoll_entry& entry) noexcept;

  /// The same, but the descriptor is the caller's.
  int release(detail::epoll_entry& entry) noexcept;

  /// Shared by the links, for the length of one read.
  std::span<std::byte> receive_buffer() noexcept { return {receive_buffer_.get(), receive_buffer_size}; }

  /// Counts bytes read towards the end of the batch.
  void count_read(std::size_t n) noexcept { batch_bytes_ += n; }

 private:
  static constexpr std::uint32_t no_slot = UINT32_MAX;

  struct slot {
    std::unique_ptr<detail::epoll_entry> entry;
    std::uint32_t generation = 0;
    std::uint32_t next = no_slot;  // in the list of the free, or of the removed; so removing needs no memory
  };

  // A batch ends after so many sockets or bytes; then the other handlers of the io_context get their turn.
  static constexpr std::size_t batch_sockets = 256;
  static constexpr std::size_t batch_bytes = 1024 * 1024;

  // A batch of at least so many sockets is followed by another at once, at most so many times.
  static constexpr std::size_t large_batch = 16;
  static constexpr int batches_a_turn = 8;

  void shutdown() override;
  void notify_fork(asio::execution_context::fork_event event) override;

  // A set that could not be armed for want of memory would be deaf for good.
  struct waiter {
    using allocator_type = detail::handler_memory::allocator<>;
    allocator_type get_allocator() const noexcept { return allocator_type(set.waiter_memory_); }
    void operator()(std::error_code ec = {}) const { set.on_wait(ec); }
    epoll_set& set;
  };

  void open();
  void on_wait(std::error_code ec);
  epoll_event event_of(const detail::epoll_entry& entry) const noexcept;
  void arm();
  void serve();
  bool serve_batch();
  void end_turn();
  void check_thread();
  void free_removed() noexcept;

  asio::io_context& context_;
  asio::posix::stream_descriptor set_;
  detail::handler_memory waiter_memory_;
  std::thread::id thread_;
  bool armed_ = false;
  bool in_batch_ = false;
  std::size_t size_ = 0;
  std::vector<slot> slots_;
  std::uint32_t free_ = no_slot;
  std::uint32_t removed_ = no_slot;

  // The events of the current batch; what a batch did not get to is served first in the next one, so nobody
  // starves.
  std::array<epoll_event, batch_sockets> events_;
  std::size_t first_event_ = 0;
  std::size_t last_event_ = 0;
  std::size_t batch_bytes_ = 0;
  std::unique_ptr<std::byte[]> receive_buffer_;
};

}  // namespace fairlead

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/net/link/impl/epoll_set.ipp>
#endif

#endif
