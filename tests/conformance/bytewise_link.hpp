#ifndef FAIRLEAD_TESTS_CONFORMANCE_BYTEWISE_LINK_HPP
#define FAIRLEAD_TESTS_CONFORMANCE_BYTEWISE_LINK_HPP

#include <fairlead/net/link/link.hpp>

#include <cstddef>
#include <memory>
#include <span>
#include <system_error>
#include <utility>

namespace conformance {

/// Passes on what another link reads, one byte for each read. For sinks that do not pause.
class bytewise_link final : public fairlead::link, private fairlead::link_sink {
 public:
  static fairlead::link_ptr make(fairlead::link_ptr inner) {
    return fairlead::link_ptr(new bytewise_link(std::move(inner)));
  }

  void start(fairlead::link_sink& sink) override {
    sink_ = &sink;
    inner_->start(*this);
  }
  fairlead::write_result write(std::span<const std::span<const std::byte>> gather) override {
    return inner_->write(gather);
  }
  void notify_writable() override { inner_->notify_writable(); }
  void pause_reading() override { inner_->pause_reading(); }
  void resume_reading() override { inner_->resume_reading(); }
  void shutdown_sending() override { inner_->shutdown_sending(); }
  void close() noexcept override {
    *is_closed_ = true;
    delete this;
  }

 private:
  explicit bytewise_link(fairlead::link_ptr inner) : inner_(std::move(inner)) {}

  std::span<std::byte> read_room() override { return {}; }

  void on_bytes(std::span<std::byte> bytes) override {
    const auto is_closed = is_closed_;
    for (std::size_t i = 0; i < bytes.size() && !*is_closed; ++i) {
      std::span<std::byte> piece = bytes.subspan(i, 1);
      const std::span<std::byte> room = sink_->read_room();
      if (!room.empty()) {
        room.front() = piece.front();
        piece = room.first(1);
      }
      sink_->on_bytes(piece);
    }
  }

  void on_writable() override { sink_->on_writable(); }
  void on_eof() override { sink_->on_eof(); }
  void on_link_error(std::error_code ec) override { sink_->on_link_error(ec); }

  fairlead::link_ptr inner_;
  fairlead::link_sink* sink_ = nullptr;
  std::shared_ptr<bool> is_closed_ = std::make_shared<bool>(false);  // outlives the link, for on_bytes()
};

}  // namespace conformance

#endif
