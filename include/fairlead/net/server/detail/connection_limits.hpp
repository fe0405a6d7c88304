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

/// The place of one connection, of whose client may be asked.
class counted_connection : public connection_place {
 public:
  /// Says whose it is; once it is said, all later calls change nothing. Nothing when that client may have it, and
  /// why not otherwise.
  virtual std::optional<refusal> identify(const peer_address& client, time_point now) = 0;

 protected:
  ~counted_connection() = default;
};
using counted_ptr = std::unique_ptr<counted_connection, place_leaver>;

/// Counts the connections of a server, on all threads and of each client. Any thread. Has to outlive their places.
class connection_limits {
 public:
  /// \param max_connections  0 for what max_connections_of_process() says.
  /// \param of_address       Nothing for no limits.
  connection_limits(std::size_t max_connections, const std::optional<address_limit_options>& of_address);

  /// A place for one more connection; null when the server is full.
  counted_ptr enter();

  /// A place for one that only gets an answer; null when there are enough of those, and then it gets none.
  counted_ptr enter_refused() noexcept {
    return counted_ptr(refused_.enter(max_refused) ? &refused_ : nullptr);
  }

 private:
  // Of connections whose clients are not counted: one for all.
  class common_place final : public counted_connection {
   public:
    bool enter(std::size_t max) noexcept;
    std::optional<refusal> identify(const peer_address&, time_point) override { return std::nullopt; }
    void leave() noexcept override { count_.fetch_sub(1, std::memory_order_relaxed); }

   private:
    std::atomic<std::size_t> count_ = 0;
  };

  class place_of_client;

  // Who gets an answer holds a descriptor for as long as it does not read it.
  static constexpr std::size_t max_refused = 256;

  const std::size_t max_connections_;
  common_place connections_;
  common_place refused_;
  std::mutex mutex_;                         // guards what follows
  std::optional<address_limits> addresses_;  // nothing, from the begin, for no limits
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
