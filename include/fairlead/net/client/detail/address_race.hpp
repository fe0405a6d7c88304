#ifndef FAIRLEAD_NET_CLIENT_DETAIL_ADDRESS_RACE_HPP
#define FAIRLEAD_NET_CLIENT_DETAIL_ADDRESS_RACE_HPP

#include <fairlead/config.hpp>
#include <fairlead/net/detail/asio_configuration.hpp>
#include <fairlead/net/session/detail/event_loop.hpp>
#include <fairlead/net/session/timer_wheel.hpp>

#include <asio/generic/stream_protocol.hpp>
#include <asio/ip/tcp.hpp>

#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <system_error>
#include <vector>

namespace fairlead::inline FAIRLEAD_ABI::detail {

/// The families take turns, beginning with that of the first, which the system prefers (RFC 8305 section 4).
FAIRLEAD_DECL std::vector<asio::ip::tcp::endpoint> in_turns(std::span<const asio::ip::tcp::endpoint> found);

/// Connects to the first of several addresses that answers (RFC 8305 section 5): each is tried a while after the one
/// before it, or at once when that fails. Given up when it goes. On the loop's thread.
class address_race final : public wheel_timer, public std::enable_shared_from_this<address_race> {
 public:
  using stream = asio::generic::stream_protocol;

  static constexpr auto trial_delay = std::chrono::milliseconds(250);

  /// \param addresses  At least one.
  /// \param done       Gets the first socket that is connected, or the last error. May end the race's owner.
  address_race(event_loop& loop, std::vector<stream::endpoint> addresses,
               std::function<void(std::error_code, stream::socket)> done);

  /// `done` is not called inside it.
  void start() { try_next(); }

 private:
  void on_timer(time_point) override { try_next(); }
  void try_next();
  void on_tried(std::size_t index, std::error_code ec);
  void finish(std::error_code ec, stream::socket socket);

  event_loop& loop_;
  const std::vector<stream::endpoint> addresses_;
  std::function<void(std::error_code, stream::socket)> done_;  // empty when it was called
  std::deque<stream::socket> sockets_;                         // of those that were tried
  std::size_t under_way_ = 0;
};

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/net/client/impl/address_race.ipp>
#endif

#endif
