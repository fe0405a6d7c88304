#include "link_peer.hpp"
#include "tcp_transit.hpp"

#include <fairlead/net/client/client.hpp>
#include <fairlead/net/link/epoll_set.hpp>
#include <fairlead/net/link/tls_link.hpp>
#include <fairlead/net/session/detail/event_loop.hpp>
#include <fairlead/time.hpp>

#include <asio/ip/tcp.hpp>

#include <support/certificates.hpp>

#include <chrono>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

namespace conformance {
namespace {

using namespace std::chrono_literals;

/// A client made by connect() and the tester's end of its connection, in one context.
class socket_client_peer final : public link_peer {
 public:
  explicit socket_client_peer(bool with_tls) {
    asio::ip::tcp::acceptor acceptor(context_, {asio::ip::address_v4::loopback(), 0});
    const std::string port = std::to_string(acceptor.local_endpoint().port());
    fairlead::client_options options;
    options.session = raised_limits();
    options.callbacks = echo();
    const auto& certificates = certificates::usual::instance();
    if (with_tls) options.tls = certificates.client();
    fairlead::connect(context_, (with_tls ? "wss://127.0.0.1:" : "ws://127.0.0.1:") + port, options,
                      [](std::error_code, fairlead::session) {});
    acceptor.async_accept([&](std::error_code ec, asio::ip::tcp::socket accepted) {
      if (ec) throw std::system_error(ec);
      accepted.set_option(asio::ip::tcp::no_delay(true));
      accepted.native_non_blocking(true);
      socket_ = accepted.release();
    });
    while (socket_ < 0) context_.run_one();
    client_socket_ = other_end_of(socket_);
    fairlead::link_ptr link = asio::use_service<fairlead::epoll_set>(context_).make_link(socket_);
    if (with_tls) {
      link = fairlead::make_tls_link(context_.get_executor(), std::move(link), certificates.server());
    }
    start(std::move(link));
  }

  bool is_gone() const override { return fairlead::detail::event_loop::of(context_).size() == 0; }

 private:
  // Waits for what the kernel still carries.
  void run() override {
    const auto limit = fairlead::clock::now() + 10s;
    do {
      link_peer::run();
      if (fairlead::clock::now() > limit) throw std::runtime_error("the kernel delivers nothing");
    } while (are_in_transit(socket_, client_socket_));
  }

  int socket_ = -1;
  int client_socket_ = -1;
};

}  // namespace

peer_kind fairlead_client_over_tcp() {
  return {side::client, "over TCP", [](delivery) { return std::make_unique<socket_client_peer>(false); }};
}

peer_kind fairlead_client_over_tls() {
  return {side::client, "over TLS", [](delivery) { return std::make_unique<socket_client_peer>(true); }};
}

}  // namespace conformance
