#ifndef FAIRLEAD_NET_LINK_IMPL_PROXIED_LINK_IPP
#define FAIRLEAD_NET_LINK_IMPL_PROXIED_LINK_IPP

#include <fairlead/errc.hpp>
#include <fairlead/guard/proxy_protocol.hpp>
#include <fairlead/net/link/proxied_link.hpp>

#include <memory>
#include <new>
#include <optional>
#include <utility>

namespace fairlead::inline FAIRLEAD_ABI {
namespace detail {

/// Is the sink of the link below until the header is read; then the link pushes to the other sink itself.
class proxied_link final : public link, private link_sink {
 public:
  explicit proxied_link(link_ptr below) : below_(std::move(below)), parser_(std::in_place) {}

  void start(link_sink& sink) override {
    sink_ = &sink;
    if (is_reading_header()) {
      below_->start(*this);
    } else {
      below_->start(sink);
    }
  }

  write_result write(std::span<const std::span<const std::byte>> gather) override {
    if (!is_reading_header()) return below_->write(gather);
    writer_waits_ = true;
    return {};
  }
  void notify_writable() override {
    if (!is_reading_header()) return below_->notify_writable();
    writer_waits_ = true;
  }
  std::size_t writable_size() override { return is_reading_header() ? 0 : below_->writable_size(); }
  void limit_unsent(std::size_t size) override { below_->limit_unsent(size); }
  void give_up_after(duration t) override { below_->give_up_after(t); }
  peer_address peer() override {
    return client_.family != peer_address::kind::unknown ? client_ : below_->peer();
  }
  bool is_secure() override { return is_secure_ || below_->is_secure(); }
  void pause_reading() override { below_->pause_reading(); }
  void resume_reading() override { below_->resume_reading(); }
  void shutdown_sending() override { below_->shutdown_sending(); }
  bool has_socket() override { return !is_reading_header() && below_->has_socket(); }
  int release() override { return below_->release(); }

  void close() noexcept override {
    below_.reset();
    sink_ = nullptr;
    if (!is_calling_) delete this;
  }

 private:
  std::span<std::byte> read_room() override { return {}; }

  void on_bytes(std::span<std::byte> bytes) override {
    const call c(*this);
    proxy_protocol_result read;
    try {
      read = parser_->feed(bytes);
    } catch (const std::bad_alloc&) {
      return sink_->on_link_error(std::make_error_code(std::errc::not_enough_memory));
    }
    if (read.state == parse_state::need_more) return;
    if (read.state == parse_state::failed) return sink_->on_link_error(errc::bad_proxy_header);
    client_ = parser_->connection().source;
    is_secure_ = parser_->connection().secure;
    parser_.reset();
    below_->start(*sink_);
    if (writer_waits_) below_->notify_writable();
    const auto rest = bytes.subspan(read.consumed);
    if (!rest.empty()) sink_->on_bytes(rest);
  }

  // Nothing was written that it could be about.
  void on_writable() override {}

  void on_eof() override {
    const call c(*this);
    sink_->on_eof();
  }

  void on_link_error(std::error_code ec) override {
    const call c(*this);
    sink_->on_link_error(ec);
  }

  // The sink may close the link that calls it.
  class call {
   public:
    explicit call(proxied_link& l) noexcept : link_(l) { link_.is_calling_ = true; }
    call(const call&) = delete;
    call& operator=(const call&) = delete;
    ~call() {
      link_.is_calling_ = false;
      if (link_.below_ == nullptr) delete &link_;
    }

   private:
    proxied_link& link_;
  };

  bool is_reading_header() const noexcept { return parser_.has_value(); }

  link_ptr below_;
  link_sink* sink_ = nullptr;
  std::optional<proxy_protocol_parser> parser_;  // nothing once the header is read
  peer_address client_;
  bool is_secure_ = false;
  bool writer_waits_ = false;
  bool is_calling_ = false;
};

}  // namespace detail

FAIRLEAD_DECL link_ptr make_proxied_link(link_ptr below) {
  return link_ptr(new detail::proxied_link(std::move(below)));
}

}  // namespace fairlead::inline FAIRLEAD_ABI

#endif
