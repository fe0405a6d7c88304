#ifndef FAIRLEAD_NET_SERVER_DETAIL_CONNECTION_LIMITS_HPP
#define FAIRLEAD_NET_SERVER_DETAIL_CONNECTION_LIMITS_HPP

#include <fairlead/config.hpp>
#include <fairlead/guard/address_limits.hpp>
#include <fairlead/handshake/response.hpp>
#include <fairlead/net/session/detail/event_loop.hpp>
#include <fairlead/net/session/net_counters.hpp>
#include <fairlead/peer_address.hpp>
#include <fairlead/time.hpp>

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>

namespace fairlead::inline FAIRLEAD_ABI::detail {

class counted_connection;

/// Counts the connections of a server, on all threads and of each client. Any thread.
class connection_limits : public std::enable_shared_from_this<connection_limits> {
 public:
  /// \param max_connections  0 for what max_connections_of_process() says.
  /// \param of_address       Nothing for no limits.
  connection_limits(std::size_t max_connections, const std::optional<address_limit_options>& of_address);

  /// A place for one more connection; nothing when the server is full.
  std::unique_ptr<counted_connection> enter();

  /// A place for one that only gets an answer; nothing when there are enough of those, and then it gets none.
  std::unique_ptr<counted_connection> enter_refused();

 private:
  friend class counted_connection;

  // Who gets an answer holds a descriptor for as long as it does not read it.
  static constexpr std::size_t max_refused = 256;

  const std::size_t max_connections_;
  std::atomic<std::size_t> connections_ = 0;
  std::atomic<std::size_t> refused_ = 0;
  std::mutex mutex_;                         // guards what follows
  std::optional<address_limits> addresses_;  // nothing, from the begin, for no limits
};

/// The place of one connection, given back when it goes.
class counted_connection final : public connection_place {
 public:
  counted_connection(std::shared_ptr<connection_limits> limits, std::atomic<std::size_t>& count) noexcept
      : limits_(std::move(limits)), count_(count) {}
  ~counted_connection() override;

  /// Says whose it is; once it is said, all later calls change nothing. Nothing when that client may have it, and
  /// why not otherwise.
  std::optional<refusal> identify(const peer_address& client, time_point now);

 private:
  std::shared_ptr<connection_limits> limits_;
  std::atomic<std::size_t>& count_;
  std::optional<peer_address> client_;
};

/// As many as the process may have descriptors, less some for the application's own.
std::size_t max_connections_of_process() noexcept;

/// What a connection is told that one of these limits refused: 503 or 429, with when to come again.
response limit_response(refusal why);

}  // namespace fairlead

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/net/server/impl/connection_limits.ipp>
#endif

#endif
