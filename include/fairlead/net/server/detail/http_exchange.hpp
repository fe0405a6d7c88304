#ifndef FAIRLEAD_NET_SERVER_DETAIL_HTTP_EXCHANGE_HPP
#define FAIRLEAD_NET_SERVER_DETAIL_HTTP_EXCHANGE_HPP

#include <fairlead/config.hpp>
#include <fairlead/handshake/request_parser.hpp>
#include <fairlead/handshake/upgrade.hpp>
#include <fairlead/net/server/detail/route_table.hpp>
#include <fairlead/net/session/detail/event_loop.hpp>

#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace fairlead::inline FAIRLEAD_ABI::detail {

/// A connection from its accept to the end of its one request: reads the head, then either hands the link to
/// a session or answers and closes. Bytes behind a request that is not upgraded are never looked at.
///
/// Owns itself until it is done; the loop's list knows it.
class http_exchange final : public endpoint {
 public:
  /// Serves `l` with `routes` on the loop's thread.
  ///
  /// \param server  The connections of the server on this loop, of which this is one from now on.
  static void begin(event_loop& loop, endpoint_group& server, link_ptr l,
                    std::shared_ptr<const route_table> routes);

 private:
  http_exchange(event_loop& loop, endpoint_group& server, link_ptr l,
                std::shared_ptr<const route_table> routes);
  ~http_exchange() override = default;

  std::span<std::byte> read_room() override { return {}; }
  void on_bytes(std::span<std::byte> bytes) override;
  void on_writable() override;
  void on_eof() override;
  void on_link_error(std::error_code) override { end(); }
  void on_timer(time_point) override { end(); }
  void stop() override;
  void last_call() override;
  void abort() override { end(); }
  void drop() noexcept override;

  void on_head(std::span<std::byte> behind);
  void upgrade(std::shared_ptr<const session_route> route, const upgrade_request& wanted, request head,
               std::span<std::byte> behind);
  void respond(const response& answer, bool head_only);
  void write();
  void end();

  event_loop& loop_;
  link_ptr link_;
  std::shared_ptr<const route_table> routes_;
  request_parser parser_;
  std::string output_;
  std::size_t written_ = 0;
  std::size_t discarded_size_ = 0;
  bool heard_ = false;  // the first byte
  bool responding_ = false;
  bool at_eof_ = false;
};

}  // namespace fairlead

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/net/server/impl/http_exchange.ipp>
#endif

#endif
