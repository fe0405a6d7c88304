#ifndef FAIRLEAD_NET_LINK_IMPL_EPOLL_LINK_IPP
#define FAIRLEAD_NET_LINK_IMPL_EPOLL_LINK_IPP

#include <fairlead/net/link/detail/socket.hpp>
#include <fairlead/net/link/epoll_set.hpp>

#include <algorithm>
#include <cerrno>
#include <utility>

#include <sys/socket.h>

namespace fairlead::inline FAIRLEAD_ABI::detail {

/// A stream socket in an epoll set.
class epoll_link final : public epoll_entry, public link {
 public:
  epoll_link(epoll_set& set, int socket) noexcept : epoll_entry(socket), set_(set) {}
  ~epoll_link() override = default;

  void start(link_sink& sink) override {
    if (std::exchange(sink_, &sink) == nullptr) set_.watch(*this, wanted_);
  }

  write_result write(std::span<const std::span<const std::byte>> gather) override {
    const write_result result = send_some(descriptor_, gather);
    if (!result.error && result.size < size_of(gather)) want(wanted_ | EPOLLOUT);
    return result;
  }

  void notify_writable() override { want(wanted_ | EPOLLOUT); }
  void limit_unsent(std::size_t size) override { unsent_.limit(descriptor_, size); }
  std::size_t writable_size() override { return unsent_.room(descriptor_); }
  void give_up_after(duration t) override { detail::give_up_after(descriptor_, t); }
  peer_address peer() override { return peer_of(descriptor_); }

  // EPOLLRDHUP goes with EPOLLIN: a peer that half-closes while we pause would be reported without end.
  void pause_reading() override { want(wanted_ & ~reading); }
  void resume_reading() override {
    if (!at_eof_) want(wanted_ | reading);
  }

  void shutdown_sending() override { ::shutdown(descriptor_, SHUT_WR); }

  bool has_socket() override { return true; }
  int release() override {
    sink_ = nullptr;
    return set_.release(*this);
  }

  void close() noexcept override {
    sink_ = nullptr;
    if (descriptor_ >= 0) set_.remove(*this);
  }

  static constexpr std::uint32_t reading = EPOLLIN | EPOLLRDHUP;

 private:
  void want(std::uint32_t events) {
    if (events == wanted_) return;
    wanted_ = events;
    if (sink_ != nullptr) set_.watch(*this, events);  // else not started, or broken
  }

  void on_ready(std::uint32_t events) override {
    if ((wanted_ & reading) != 0 && (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
      read_once();
    } else if ((events & (EPOLLHUP | EPOLLERR)) != 0) {
      // Reported whether asked for or not, and for ever: broken, or at the end of the input, the link is
      // over.
      const std::error_code error = pending_error_of(descriptor_);
      if (error || at_eof_) {
        fail(error ? error : std::make_error_code(std::errc::connection_reset));
      } else {
        // The peer has closed in good order; on a local socket that is enough. It waits for resume_reading(),
        // behind what is still to be read.
        set_.ignore(*this);
      }
    }
    if (sink_ != nullptr && (events & wanted_ & EPOLLOUT) != 0) {
      want(wanted_ & ~static_cast<std::uint32_t>(EPOLLOUT));
      sink_->on_writable();
    }
  }

  void read_once() {
    std::span<std::byte> room = sink_->read_room();
    if (sink_ == nullptr) return;
    room = room.empty() ? set_.receive_buffer()
                        : room.first(std::min(room.size(), epoll_set::max_room_read_size));
    const ssize_t n = ::recv(descriptor_, room.data(), room.size(), 0);
    if (n > 0) {
      set_.count_read(static_cast<std::size_t>(n));
      sink_->on_bytes(room.first(static_cast<std::size_t>(n)));
    } else if (n == 0) {
      at_eof_ = true;
      want(wanted_ & ~reading);
      sink_->on_eof();
    } else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
      fail({errno, std::system_category()});
    }
  }

  void fail(std::error_code ec) {
    set_.ignore(*this);
    std::exchange(sink_, nullptr)->on_link_error(ec);
  }

  epoll_set& set_;
  link_sink* sink_ = nullptr;
  std::uint32_t wanted_ = reading;
  unsent_limit unsent_;
  bool at_eof_ = false;
};

}  // namespace fairlead

#endif
