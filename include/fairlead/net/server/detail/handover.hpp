#ifndef FAIRLEAD_NET_SERVER_DETAIL_HANDOVER_HPP
#define FAIRLEAD_NET_SERVER_DETAIL_HANDOVER_HPP

#include <fairlead/config.hpp>
#include <fairlead/net/detail/asio_configuration.hpp>
#include <fairlead/net/link/detail/socket.hpp>
#include <fairlead/net/link/link_kind.hpp>
#include <fairlead/net/server/detail/listener.hpp>
#include <fairlead/net/session/detail/event_loop.hpp>

#include <asio/posix/stream_descriptor.hpp>

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace fairlead::inline FAIRLEAD_ABI::detail {

/// Sends what a predecessor sends a successor; false when the connection does not take it.
FAIRLEAD_DECL bool send_offer(int connection, int listening_socket) noexcept;

/// Passes a listening socket from a server to its successor, another process of the same user, over a local socket.
///
/// The successor connects, and is sent a line with the descriptor in SCM_RIGHTS. When it accepts connections it sends a
/// line itself; on that the predecessor accepts no more, gives up the path and closes the connection, and the successor
/// takes the path. Whatever goes wrong before the successor's line changes nothing for the predecessor.
///
/// On the loop's thread.
class handover final : private wheel_timer {
 public:
  /// How long claim() waits for each step of a predecessor.
  static constexpr auto patience = std::chrono::seconds(5);

  handover(event_loop& loop, link_kind kind, std::filesystem::path path)
      : loop_(loop), kind_(kind), path_(std::move(path)) {}
  ~handover() override;

  /// Asks the server that waits at the path for its socket; blocks.
  ///
  /// \return  A listening socket that is the caller's, or -1.
  int claim();

  /// Why claim() got none, though somebody waits at the path; empty when nobody does.
  const std::string& refusal() const noexcept { return refusal_; }

  /// What claim() got is of no use; `why` becomes the refusal().
  void give_back(std::string why);

  /// Whether claim() got a socket from somebody who has to be told.
  bool has_predecessor() const noexcept { return predecessor_.has_value(); }

  /// Tells the predecessor, if there is one, that `listening_socket` is served now, then waits for a successor at the
  /// path; throws std::system_error when it cannot, unless somebody is there, who may go.
  ///
  /// \param on_replaced  A successor has said that it accepts. May destroy this.
  void begin(int listening_socket, std::function<void()> on_replaced);

  /// Whether a successor has the socket that has not said so yet.
  bool is_claimed() const noexcept { return successor_.has_value(); }

 private:
  using stream_descriptor = asio::posix::stream_descriptor;

  int receive_socket(int connection);
  void tell_predecessor();
  void await_predecessor();
  void take_path();
  void retry();
  void on_timer(time_point) override;
  void on_connection(int socket);
  void await_successor();

  event_loop& loop_;
  const link_kind kind_;
  const std::filesystem::path path_;
  std::string refusal_;
  int listening_socket_ = -1;
  std::function<void()> on_replaced_;
  std::optional<stream_descriptor> predecessor_;
  std::optional<stream_descriptor> successor_;
  local_socket_file file_;
  std::optional<listener> door_;
};

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/net/server/impl/handover.ipp>
#endif

#endif
