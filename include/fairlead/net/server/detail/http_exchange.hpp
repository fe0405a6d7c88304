#ifndef FAIRLEAD_NET_SERVER_DETAIL_HTTP_EXCHANGE_HPP
#define FAIRLEAD_NET_SERVER_DETAIL_HTTP_EXCHANGE_HPP

#include <fairlead/config.hpp>
#include <fairlead/handshake/request_parser.hpp>
#include <fairlead/handshake/upgrade.hpp>
#include <fairlead/net/detail/asio_configuration.hpp>
#include <fairlead/net/server/admission.hpp>
#include <fairlead/net/server/detail/connection_limits.hpp>
#include <fairlead/net/server/detail/route_table.hpp>
#include <fairlead/net/session/detail/event_loop.hpp>
#include <fairlead/net/session/net_counters.hpp>
#include <fairlead/shared_bytes.hpp>

#include <asio/awaitable.hpp>
#include <asio/cancellation_signal.hpp>

#include <cstddef>
#include <exception>
#include <memory>
#include <span>
#include <string>

namespace fairlead::inline FAIRLEAD_ABI::detail {

/// A connection from its accept to the end of its one request: reads the head, then either hands the link to
/// a session, once all checks have let the client in, or answers and closes. Bytes behind a request that is not
/// upgraded are never looked at.
///
/// Owns itself until it is done; the loop's list knows it.
class http_exchange final : public endpoint {
 public:
  /// Serves `l` on the loop's thread.
  ///
  /// \param server  The connections of the server on this loop, of which this is one from now on.
  /// \param place   Of the connection, in the server's count.
  static void begin(event_loop& loop, endpoint_group& server, link_ptr l,
                    std::shared_ptr<const route_table> routes, counted_ptr place);

  /// Answers at once, whatever the request is going to be.
  static void begin_refused(event_loop& loop, endpoint_group& server, link_ptr l,
                            std::shared_ptr<const route_table> routes, counted_ptr place, refusal why);

 private:
  /// The request of an upgrade while it is checked. Lives as long as the last check, and so maybe longer than
  /// the exchange.
  struct attempt {
    http_exchange* exchange;  // null once that is gone
    std::shared_ptr<const route_table> routes;
    const route_table::session_entry* entry;
    upgrade_request wanted;  // views of the head
    admission_data data;
    verdict answer;  // of checks that took their time
    asio::cancellation_signal cancelled;

    const admission_check* check(std::size_t number) const noexcept;
    void report(std::exception_ptr error) const noexcept;
  };

  enum class stage : unsigned char { reading, deciding, responding };

  http_exchange(event_loop& loop, endpoint_group& server, link_ptr l,
                std::shared_ptr<const route_table> routes, counted_ptr place);
  ~http_exchange() override = default;

  std::span<std::byte> read_room() override { return {}; }
  void on_bytes(std::span<std::byte> bytes) override;
  void on_writable() override;
  void on_eof() override;
  void on_link_error(std::error_code ec) override;
  void on_timer(time_point) override;
  void stop() override;
  void last_call() override;
  void abort() override { end(); }
  void drop() noexcept override;

  void read(std::span<std::byte> bytes);
  void keep(std::span<std::byte> bytes);
  void discard(std::span<std::byte> bytes);
  void answer(request head);
  void begin_upgrade(request head, std::span<std::byte> behind);
  bool may_come(attempt& a);
  void decide();
  void decide_later(std::size_t first);
  static asio::awaitable<void> run_checks(std::shared_ptr<attempt> a, std::size_t first);
  void on_verdict(std::exception_ptr error);
  void upgrade();
  void refuse(refusal why, const response& answer);
  void respond(const response& answer, bool head_only);
  void write();
  bool has_answered() const noexcept { return stage_ == stage::responding && written_ == output_.size(); }
  void forget_attempt() noexcept;
  void end();
  template <class Function>
  void or_end(Function f);

  event_loop& loop_;
  link_ptr link_;
  std::shared_ptr<const route_table> routes_;
  counted_ptr place_;
  request_parser parser_;
  std::shared_ptr<attempt> attempt_;
  growing_bytes unread_;  // behind the head, while the checks run
  std::string output_;
  std::size_t written_ = 0;
  std::size_t discarded_size_ = 0;
  stage stage_ = stage::reading;
  bool reading_paused_ = false;
  bool at_eof_ = false;
};

}  // namespace fairlead

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/net/server/impl/http_exchange.ipp>
#endif

#endif
