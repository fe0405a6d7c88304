#ifndef FAIRLEAD_TESTING_DETAIL_FAULT_LINK_HPP
#define FAIRLEAD_TESTING_DETAIL_FAULT_LINK_HPP

#include <fairlead/config.hpp>
#include <fairlead/net/detail/asio_configuration.hpp>
#include <fairlead/net/link/link.hpp>
#include <fairlead/net/session/timer_wheel.hpp>
#include <fairlead/testing/fault_plan.hpp>

#include <asio/io_context.hpp>

#include <cstddef>
#include <memory>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

namespace fairlead::inline FAIRLEAD_ABI::detail {

/// Stands between a link and its sink, is the sink of the one and the link of the other.
class fault_link final : public link,
                         public stalling_link,
                         private link_sink,
                         private wheel_timer,
                         public std::enable_shared_from_this<fault_link> {
 public:
  static link_ptr make(asio::io_context& context, link_ptr inner, std::shared_ptr<fault_plan> plan);

  fault_link(asio::io_context& context, link_ptr inner, std::shared_ptr<fault_plan> plan)
      : context_(context), inner_(std::move(inner)), plan_(std::move(plan)) {}

  void start(link_sink& sink) override;
  write_result write(std::span<const std::span<const std::byte>> gather) override;
  void notify_writable() override;
  void limit_unsent(std::size_t size) override { inner_->limit_unsent(size); }
  void give_up_after(duration d) override { inner_->give_up_after(d); }
  peer_address peer() override { return inner_->peer(); }
  bool is_secure() override { return inner_->is_secure(); }
  tls_details tls() override { return inner_->tls(); }
  void pause_reading() override;
  void resume_reading() override;
  void shutdown_sending() override;
  void close() noexcept override;

  void stall(link_direction d, duration lasting) override;
  void resume() override;

 private:
  std::span<std::byte> read_room() override;
  void on_bytes(std::span<std::byte> bytes) override;
  void on_writable() override;
  void on_eof() override;
  void on_link_error(std::error_code ec) override;
  void on_timer(time_point) override { resume(); }

  write_result write_front(std::span<const std::span<const std::byte>> gather, std::size_t n);
  write_result write_changed(std::span<const std::span<const std::byte>> gather, const link_fault& fault);
  bool holds_bytes() const noexcept { return !held_.empty(); }
  void adjust_reading();
  void wake();
  void deliver();
  void deliver_piece();
  void break_off(std::error_code ec);

  asio::io_context& context_;
  link_ptr inner_;
  std::shared_ptr<fault_plan> plan_;
  std::shared_ptr<fault_link> self_;  // until close()
  link_sink* sink_ = nullptr;
  std::vector<std::byte> held_;  // from the peer, and not yet shown to the sink
  std::size_t piece_size_ = 0;   // in which held_ is shown; 0 for as a whole
  std::error_code broken_;
  std::error_code error_held_;
  bool eof_held_ = false;
  bool ended_ = false;  // what the peer still sends is lost
  bool shutdown_held_ = false;
  bool writable_owed_ = false;
  bool receiving_stalls_ = false;
  bool sending_stalls_ = false;
  bool paused_by_sink_ = false;
  bool inner_paused_ = false;
  bool woken_ = false;
};

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#endif
