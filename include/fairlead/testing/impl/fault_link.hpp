#ifndef FAIRLEAD_TESTING_IMPL_FAULT_LINK_HPP
#define FAIRLEAD_TESTING_IMPL_FAULT_LINK_HPP

// Before what it needs of the sessions' own headers, which know each other.
#include <fairlead/net/session/session.hpp>

#include <fairlead/net/detail/asio_configuration.hpp>
#include <fairlead/net/session/detail/session_core.hpp>
#include <fairlead/testing/detail/fault_link.hpp>
#include <fairlead/testing/fault_link.hpp>
#include <fairlead/testing/fault_plan.hpp>

#include <asio/post.hpp>

#include <algorithm>
#include <array>

namespace fairlead::inline FAIRLEAD_ABI {

inline link_ptr make_fault_link(asio::io_context& context, link_ptr inner, std::shared_ptr<fault_plan> plan) {
  return detail::fault_link::make(context, std::move(inner), std::move(plan));
}

namespace detail {

inline link_ptr fault_link::make(asio::io_context& context, link_ptr inner,
                                 std::shared_ptr<fault_plan> plan) {
  const auto made = std::make_shared<fault_link>(context, std::move(inner), std::move(plan));
  made->plan_->add(made);
  made->self_ = made;
  return link_ptr(made.get());
}

// --- From the sink.

inline void fault_link::start(link_sink& sink) {
  sink_ = &sink;
  inner_->start(*this);
  wake();
}

inline write_result fault_link::write(std::span<const std::span<const std::byte>> gather) {
  std::size_t size = 0;
  for (const auto piece : gather) size += piece.size();
  if (size == 0) return {};
  const auto fault = plan_->next(link_operation::write);
  if (broken_) return {0, broken_};
  if (fault) {
    switch (fault->what) {
      case link_fault::kind::fail: broken_ = fault->error; return {0, broken_};
      case link_fault::kind::take: return write_front(gather, fault->size);
      case link_fault::kind::take_half: return write_front(gather, size / 2);
      case link_fault::kind::change: return write_changed(gather, *fault);
      default: stall(fault->direction, fault->lasting); break;
    }
  }
  if (!sending_stalls_) return inner_->write(gather);
  writable_owed_ = true;
  return {};
}

inline write_result fault_link::write_front(std::span<const std::span<const std::byte>> gather,
                                            std::size_t n) {
  if (sending_stalls_) n = 0;
  std::vector<std::span<const std::byte>> front;
  for (std::size_t left = n; const auto piece : gather) {
    front.push_back(piece.first(std::min(left, piece.size())));
    left -= front.back().size();
  }
  const write_result written = n == 0 ? write_result{} : inner_->write(front);
  if (!written.error) notify_writable();
  return written;
}

inline write_result fault_link::write_changed(std::span<const std::span<const std::byte>> gather,
                                              const link_fault& fault) {
  std::vector<std::byte> copy;
  for (const auto piece : gather) copy.insert(copy.end(), piece.begin(), piece.end());
  copy[fault.size % copy.size()] ^= fault.bits;
  if (sending_stalls_) return write_front({}, 0);
  const std::array<std::span<const std::byte>, 1> changed{copy};
  return inner_->write(changed);
}

inline void fault_link::notify_writable() {
  if (broken_) return;
  writable_owed_ = sending_stalls_;
  if (!sending_stalls_) inner_->notify_writable();
}

inline void fault_link::pause_reading() {
  paused_by_sink_ = true;
  adjust_reading();
}

inline void fault_link::resume_reading() {
  paused_by_sink_ = false;
  adjust_reading();
  wake();
}

inline void fault_link::shutdown_sending() {
  const auto fault = plan_->next(link_operation::shutdown);
  if (broken_) return;
  if (fault && fault->what == link_fault::kind::fail) {
    error_held_ = fault->error;
    return wake();
  }
  if (fault) stall(fault->direction, fault->lasting);
  if (!sending_stalls_) return inner_->shutdown_sending();
  shutdown_held_ = true;
}

inline void fault_link::close() noexcept {
  sink_ = nullptr;
  if (is_scheduled()) event_loop::of(context_).cancel(*this);
  inner_.reset();
  const auto keep = std::move(self_);
}

// --- From the link within. Each call of the sink may close this link, and so free it but for `keep`.

inline std::span<std::byte> fault_link::read_room() {
  if (sink_ == nullptr || broken_ || ended_ || receiving_stalls_ || holds_bytes()) return {};
  return sink_->read_room();
}

inline void fault_link::on_bytes(std::span<std::byte> bytes) {
  const auto keep = shared_from_this();
  if (sink_ == nullptr || broken_ || ended_) return;
  const auto fault = plan_->next(link_operation::bytes);
  if (fault) {
    switch (fault->what) {
      case link_fault::kind::fail: return break_off(fault->error);
      case link_fault::kind::end:
        ended_ = true;
        eof_held_ = true;
        return deliver();
      case link_fault::kind::split: piece_size_ = fault->size; break;
      case link_fault::kind::change: bytes[fault->size % bytes.size()] ^= fault->bits; break;
      default: stall(fault->direction, fault->lasting); break;
    }
  }
  if (!receiving_stalls_ && !holds_bytes() && piece_size_ == 0) return sink_->on_bytes(bytes);
  held_.insert(held_.end(), bytes.begin(), bytes.end());
  adjust_reading();
  wake();
}

inline void fault_link::on_writable() {
  const auto keep = shared_from_this();
  if (sink_ == nullptr || broken_) return;
  const auto fault = plan_->next(link_operation::writable);
  if (fault && fault->what == link_fault::kind::fail) return break_off(fault->error);
  if (fault) stall(fault->direction, fault->lasting);
  if (!sending_stalls_) return sink_->on_writable();
  writable_owed_ = true;
}

inline void fault_link::on_eof() {
  const auto keep = shared_from_this();
  if (sink_ == nullptr || broken_ || ended_) return;
  const auto fault = plan_->next(link_operation::eof);
  if (fault && fault->what == link_fault::kind::fail) return break_off(fault->error);
  if (fault) stall(fault->direction, fault->lasting);
  eof_held_ = true;
  if (!holds_bytes()) deliver();
}

inline void fault_link::on_link_error(std::error_code ec) {
  const auto keep = shared_from_this();
  if (sink_ == nullptr || broken_) return;
  if (!receiving_stalls_) return break_off(ec);
  error_held_ = ec;
}

// --- Stalls, and what they hold back.

inline void fault_link::stall(link_direction d, duration lasting) {
  if (d != link_direction::sending) receiving_stalls_ = true;
  if (d != link_direction::receiving) sending_stalls_ = true;
  adjust_reading();
  auto& loop = event_loop::of(context_);
  if (lasting == duration::max()) return loop.cancel(*this);
  loop.schedule_in(*this, lasting);
}

inline void fault_link::resume() {
  if (inner_ == nullptr) return;
  if (is_scheduled()) event_loop::of(context_).cancel(*this);
  receiving_stalls_ = false;
  adjust_reading();
  wake();
  if (!std::exchange(sending_stalls_, false) || broken_) return;
  if (std::exchange(shutdown_held_, false)) inner_->shutdown_sending();
  if (std::exchange(writable_owed_, false)) inner_->notify_writable();
}

// The link within is held up as a full buffer would hold it up, so that its peer comes to feel it.
inline void fault_link::adjust_reading() {
  const bool wanted = paused_by_sink_ || receiving_stalls_ || holds_bytes();
  if (inner_ == nullptr || std::exchange(inner_paused_, wanted) == wanted) return;
  wanted ? inner_->pause_reading() : inner_->resume_reading();
}

// At most one handler is under way.
inline void fault_link::wake() {
  if (woken_ || sink_ == nullptr) return;
  if (!holds_bytes() && !eof_held_ && !error_held_) return;
  woken_ = true;
  asio::post(context_, [self = shared_from_this()] {
    self->woken_ = false;
    self->deliver();
  });
}

inline void fault_link::deliver() {
  const auto keep = shared_from_this();
  if (sink_ == nullptr || broken_ || receiving_stalls_) return;
  if (error_held_) return break_off(error_held_);
  if (paused_by_sink_) return;
  if (holds_bytes()) {
    deliver_piece();
    wake();
    if (!holds_bytes()) piece_size_ = 0;
    adjust_reading();
  } else if (std::exchange(eof_held_, false)) {
    sink_->on_eof();
  }
}

inline void fault_link::deliver_piece() {
  std::span<std::byte> room = sink_->read_room();
  if (sink_ == nullptr) return;
  std::size_t size = piece_size_ == 0 ? held_.size() : std::min(piece_size_, held_.size());
  if (!room.empty()) size = std::min(size, room.size());
  std::vector<std::byte> piece(held_.begin(), held_.begin() + static_cast<std::ptrdiff_t>(size));
  held_.erase(held_.begin(), held_.begin() + static_cast<std::ptrdiff_t>(size));
  if (room.empty()) return sink_->on_bytes(piece);
  std::ranges::copy(piece, room.begin());
  sink_->on_bytes(room.first(size));
}

inline void fault_link::break_off(std::error_code ec) {
  broken_ = ec;
  held_.clear();
  sink_->on_link_error(ec);
}

}  // namespace detail
}  // namespace fairlead

#endif
