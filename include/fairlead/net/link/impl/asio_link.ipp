#ifndef FAIRLEAD_NET_LINK_IMPL_ASIO_LINK_IPP
#define FAIRLEAD_NET_LINK_IMPL_ASIO_LINK_IPP

#include <fairlead/net/link/asio_link.hpp>
#include <fairlead/net/link/detail/asio_error.hpp>
#include <fairlead/net/link/detail/socket.hpp>

#include <asio/buffer.hpp>
#include <asio/error.hpp>

#include <memory>
#include <utility>
#include <vector>

namespace fairlead::inline FAIRLEAD_ABI {
namespace detail {

class asio_link final : public link, public std::enable_shared_from_this<asio_link> {
 public:
  explicit asio_link(asio::generic::stream_protocol::socket socket) : socket_(std::move(socket)) {
    socket_.non_blocking(true);
  }

  // Until close() the link owns itself, after it the handlers under way do.
  link_ptr own() {
    self_ = shared_from_this();
    return link_ptr(this);
  }

  void start(link_sink& sink) override {
    sink_ = &sink;
    wait_readable();
  }

  write_result write(std::span<const std::span<const std::byte>> gather) override {
    gather_.clear();
    for (const auto& piece : gather) {
      // Asio looks at the first 64 pieces only: were they empty, nothing would ever be written.
      if (!piece.empty()) gather_.emplace_back(piece.data(), piece.size());
    }
    write_result result;
    result.size = socket_.write_some(gather_, result.error);
    result.error = is_wait(result.error) ? std::error_code() : plain_error(result.error);
    if (!result.error && result.size < size_of(gather)) wait_writable();
    return result;
  }

  void notify_writable() override { wait_writable(); }
  void limit_unsent(std::size_t size) override { unsent_.limit(socket_.native_handle(), size); }
  std::size_t writable_size() override { return unsent_.room(socket_.native_handle()); }
  void give_up_after(duration t) override { detail::give_up_after(socket_.native_handle(), t); }
  peer_address peer() override { return peer_of(socket_.native_handle()); }

  void pause_reading() override { paused_ = true; }
  void resume_reading() override {
    paused_ = false;
    wait_readable();
  }

  void shutdown_sending() override {
    std::error_code ignored;
    socket_.shutdown(asio::socket_base::shutdown_send, ignored);
  }

  bool has_socket() override { return true; }
  int release() override {
    sink_ = nullptr;
    std::error_code ignored;
    return socket_.release(ignored);
  }

  void close() noexcept override {
    sink_ = nullptr;
    std::error_code ignored;
    socket_.close(ignored);
    self_.reset();
  }

 private:
  static constexpr std::size_t receive_buffer_size = 128 * 1024;

  // One for each thread: bytes live in it only during on_bytes().
  static std::span<std::byte> receive_buffer() {
    thread_local const std::unique_ptr<std::byte[]> buffer(new std::byte[receive_buffer_size]);
    return {buffer.get(), receive_buffer_size};
  }

  static bool is_wait(std::error_code ec) {
    return ec == asio::error::would_block || ec == asio::error::try_again;
  }

  void wait_readable() {
    if (reading_ || at_eof_) return;
    reading_ = true;
    socket_.async_wait(asio::socket_base::wait_read,
                       [self = shared_from_this()](std::error_code ec) { self->on_readable(ec); });
  }

  void wait_writable() {
    if (writing_) return;
    writing_ = true;
    socket_.async_wait(asio::socket_base::wait_write, [self = shared_from_this()](std::error_code ec) {
      self->writing_ = false;
      if (self->sink_ == nullptr) return;
      if (ec) return self->fail(ec);
      self->sink_->on_writable();
    });
  }

  void on_readable(std::error_code ec) {
    reading_ = false;
    if (sink_ == nullptr) return;
    if (ec) return fail(ec);
    if (paused_) return wait_reset();
    std::span<std::byte> room = sink_->read_room();
    if (sink_ == nullptr) return;
    if (room.empty()) room = receive_buffer();
    const std::size_t n = socket_.read_some(asio::buffer(room.data(), room.size()), ec);
    if (ec == asio::error::eof) {
      at_eof_ = true;
      return sink_->on_eof();
    }
    if (ec && !is_wait(ec)) return fail(ec);
    if (n != 0) sink_->on_bytes(room.first(n));
    if (sink_ != nullptr && !paused_) wait_readable();
    if (sink_ != nullptr && paused_) wait_reset();
  }

  // While paused: a reset by the peer is an error condition of the socket.
  void wait_reset() {
    if (watching_) return;
    watching_ = true;
    socket_.async_wait(asio::socket_base::wait_error, [self = shared_from_this()](std::error_code ec) {
      self->watching_ = false;
      if (self->sink_ == nullptr || ec || !self->paused_) return;
      // None when the peer has closed in good order, which on a local socket ends this wait too: that waits
      // for resume_reading(), behind what is still to be read.
      const std::error_code error = pending_error_of(self->socket_.native_handle());
      if (error) self->fail(error);
    });
  }

  void fail(std::error_code ec) { std::exchange(sink_, nullptr)->on_link_error(plain_error(ec)); }

  asio::generic::stream_protocol::socket socket_;
  link_sink* sink_ = nullptr;
  std::shared_ptr<asio_link> self_;
  std::vector<asio::const_buffer> gather_;
  unsent_limit unsent_;
  bool paused_ = false;
  bool reading_ = false;
  bool writing_ = false;
  bool watching_ = false;
  bool at_eof_ = false;
};

}  // namespace detail

FAIRLEAD_DECL link_ptr make_asio_link(asio::generic::stream_protocol::socket socket) {
  return std::make_shared<detail::asio_link>(std::move(socket))->own();
}

}  // namespace fairlead

#endif
