#ifndef FAIRLEAD_NET_CLIENT_DETAIL_CLIENT_HANDSHAKE_HPP
#define FAIRLEAD_NET_CLIENT_DETAIL_CLIENT_HANDSHAKE_HPP

#include <fairlead/config.hpp>
#include <fairlead/handshake/client_request.hpp>
#include <fairlead/handshake/response_parser.hpp>
#include <fairlead/handshake/url.hpp>
#include <fairlead/net/client/client.hpp>
#include <fairlead/net/client/detail/address_race.hpp>
#include <fairlead/net/detail/asio_configuration.hpp>
#include <fairlead/net/session/detail/event_loop.hpp>
#include <fairlead/net/session/detail/session_core.hpp>

#include <asio/ip/tcp.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <vector>

namespace fairlead::inline FAIRLEAD_ABI::detail {

class client_handshake;

struct connect_attempt {
  event_loop* loop = nullptr;             ///< Null when the executor is of no io_context, as is `letters`.
  std::shared_ptr<mailbox> letters;       ///< Of the loop, which it may outlive.
  client_handshake* handshake = nullptr;  ///< While it is under way; on the loop's thread.
};

/// A client's connection from the URL to the answer of the server: resolves, connects, asks the proxy, begins TLS,
/// asks for the upgrade, and hands the link to a session. Each stage has its deadline.
///
/// Owns itself until it is done; the loop's list knows it.
class client_handshake final : public endpoint {
 public:
  /// On the loop's thread.
  static void begin(event_loop& loop, std::shared_ptr<connect_attempt> attempt, const std::string& url,
                    client_options options, connected done);

  void cancel() { fail(asio::error::operation_aborted); }

 private:
  using stream = address_race::stream;

  client_handshake(event_loop& loop, std::shared_ptr<connect_attempt> attempt, url where,
                   client_options options, connected done);
  ~client_handshake() override;

  std::span<std::byte> read_room() override { return {}; }
  void on_bytes(std::span<std::byte> bytes) override;
  void on_writable() override { write(); }
  void on_eof() override { on_lost({}); }
  void on_link_error(std::error_code ec) override { on_lost(ec); }
  void on_timer(time_point now) override;
  void stop() override { cancel(); }
  void abort() override { cancel(); }
  void drop() noexcept override;

  void start();
  void enter(connect_stage stage, duration limit);
  void resolve(const std::string& host, std::uint16_t port);
  void on_resolved(const asio::ip::tcp::resolver::results_type& found);
  void connect_to(std::vector<stream::endpoint> addresses);
  void on_connected(stream::socket socket);
  bool uses_proxy() const noexcept { return options_.proxy && url_.local_path.empty(); }
  encoded_request connect_request() const;
  void ask_proxy();
  void on_proxy_head(const response_head& head, bool is_last);
  void begin_tls();
  void ask_server();
  void on_server_head(response_head head, std::span<std::byte> behind);
  void send(std::string bytes);
  void write();
  void on_lost(std::error_code ec);
  void fail(std::error_code ec);
  void end();

  event_loop& loop_;
  std::shared_ptr<connect_attempt> attempt_;
  const url url_;
  std::shared_ptr<session_route> route_;
  client_options options_;
  connected done_;
  connect_stage stage_ = connect_stage::arguments;

  asio::ip::tcp::resolver resolver_;
  std::shared_ptr<address_race> race_;

  link_ptr link_;
  std::string key_;
  upgrade_offer offer_;
  std::string extensions_;
  std::string host_field_;
  std::string output_;
  std::size_t written_ = 0;
  response_parser parser_;
};

}  // namespace fairlead

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/net/client/impl/client_handshake.ipp>
#endif

#endif
