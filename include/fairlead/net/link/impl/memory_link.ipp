#ifndef FAIRLEAD_NET_LINK_IMPL_MEMORY_LINK_IPP
#define FAIRLEAD_NET_LINK_IMPL_MEMORY_LINK_IPP

#include <fairlead/net/link/memory_link.hpp>

#include <asio/post.hpp>

#include <algorithm>
#include <array>
#include <memory>
#include <system_error>
#include <vector>

namespace fairlead::inline FAIRLEAD_ABI {
namespace detail {

class memory_link final : public link, public std::enable_shared_from_this<memory_link> {
 public:
  memory_link(asio::any_io_executor executor, std::size_t capacity)
      : executor_(std::move(executor)), capacity_(capacity) {}

  static std::pair<link_ptr, link_ptr> make_pair(const asio::any_io_executor& executor,
                                                 std::size_t capacity) {
    const auto a = std::make_shared<memory_link>(executor, capacity);
    const auto b = std::make_shared<memory_link>(executor, capacity);
    a->peer_ = b;
    b->peer_ = a;
    a->self_ = a;
    b->self_ = b;
    return {link_ptr(a.get()), link_ptr(b.get())};
  }

  void start(link_sink& sink) override {
    sink_ = &sink;
    wake();
  }

  write_result write(std::span<const std::span<const std::byte>> gather) override {
    const auto peer = peer_.lock();
    if (peer == nullptr || peer->closed_) return {0, std::make_error_code(std::errc::broken_pipe)};
    write_result result;
    for (const auto& piece : gather) {
      const std::size_t n = std::min(piece.size(), capacity_ - std::min(capacity_, peer->arrived_.size()));
      peer->arrived_.insert(peer->arrived_.end(), piece.begin(),
                            piece.begin() + static_cast<std::ptrdiff_t>(n));
      result.size += n;
      if (n < piece.size()) {
        peer->writer_waits_ = true;
        break;
      }
    }
    peer->wake();
    return result;
  }

  std::size_t writable_size() override {
    const auto peer = peer_.lock();
    return peer == nullptr ? 0 : capacity_ - std::min(capacity_, peer->arrived_.size());
  }

  void notify_writable() override {
    const auto peer = peer_.lock();
    if (peer == nullptr || peer->closed_) return;
    if (peer->arrived_.size() < capacity_) return peer->wake_writer();
    peer->writer_waits_ = true;
  }

  void pause_reading() override { paused_ = true; }
  void resume_reading() override {
    paused_ = false;
    wake();
  }

  void shutdown_sending() override {
    if (const auto peer = peer_.lock()) {
      peer->eof_arrived_ = true;
      peer->wake();
    }
  }

  void close() noexcept override {
    sink_ = nullptr;
    closed_ = true;
    shutdown_sending();
    if (writer_waits_) wake_writer();  // to learn that nobody reads any more
    const auto keep = std::move(self_);
  }

 private:
  // Wakes the reader: at most one handler is under way.
  void wake() {
    if (woken_) return;
    woken_ = true;
    asio::post(executor_, [self = shared_from_this()] { self->deliver(); });
  }

  void deliver() {
    woken_ = false;
    if (sink_ == nullptr || paused_) return;
    if (!arrived_.empty()) {
      push();
      if (sink_ != nullptr && !paused_ && (!arrived_.empty() || eof_arrived_)) wake();
    } else if (eof_arrived_ && !at_eof_) {
      at_eof_ = true;
      sink_->on_eof();
    }
  }

  void push() {
    std::vector<std::byte> bytes;
    std::span<std::byte> room = sink_->read_room();
    if (sink_ == nullptr) return;
    if (room.empty()) {
      bytes.swap(arrived_);
      room = bytes;
    } else {
      const auto n = static_cast<std::ptrdiff_t>(std::min(room.size(), arrived_.size()));
      std::copy(arrived_.begin(), arrived_.begin() + n, room.begin());
      arrived_.erase(arrived_.begin(), arrived_.begin() + n);
      room = room.first(static_cast<std::size_t>(n));
    }
    if (std::exchange(writer_waits_, false)) wake_writer();
    sink_->on_bytes(room);
  }

  void wake_writer() {
    asio::post(executor_, [peer = peer_] {
      const auto writer = peer.lock();
      if (writer != nullptr && writer->sink_ != nullptr) writer->sink_->on_writable();
    });
  }

  asio::any_io_executor executor_;
  std::size_t capacity_;
  std::weak_ptr<memory_link> peer_;
  std::shared_ptr<memory_link> self_;  // until close()
  link_sink* sink_ = nullptr;
  std::vector<std::byte> arrived_;
  bool eof_arrived_ = false;
  bool at_eof_ = false;
  bool writer_waits_ = false;
  bool paused_ = false;
  bool woken_ = false;
  bool closed_ = false;
};

}  // namespace detail

FAIRLEAD_DECL std::pair<link_ptr, link_ptr> make_memory_pair(asio::any_io_executor executor,
                                                             std::size_t capacity) {
  return detail::memory_link::make_pair(executor, capacity);
}

}  // namespace fairlead

#endif
