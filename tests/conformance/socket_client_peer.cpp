#include "peer.hpp"
#include "tcp_transit.hpp"

#include <fairlead/net/client.hpp>
#include <fairlead/net/detail/session_service.hpp>
#include <fairlead/net/epoll_set.hpp>
#include <fairlead/net/tls_link.hpp>
#include <fairlead/time.hpp>

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>

#include <support/certificates.hpp>

#include <array>
#include <chrono>
#include <span>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

namespace conformance {
namespace {

using namespace std::chrono_literals;

fairlead::client_options echo() {
  fairlead::client_options options;
  options.session.deflate.enabled = true;
  options.session.deflate.send_takeover = true;
  options.session.deflate.receive_takeover = true;
  options.session.deflate.min_size = 1;
  options.session.connection.max_message_size = 16 * 1024 * 1024;
  options.session.connection.max_fragments = 100'000;
  options.callbacks.on_message = [](fairlead::session& ws, fairlead::message_view m) { ws.try_send(m); };
  return options;
}

/// A client made by connect() and the tester's end of its connection, in one context.
class socket_client_peer final : public peer, private fairlead::link_sink {
 public:
  explicit socket_client_peer(bool with_tls) : context_(1) {
    asio::ip::tcp::acceptor acceptor(context_, {asio::ip::address_v4::loopback(), 0});
    const std::string port = std::to_string(acceptor.local_endpoint().port());
    fairlead::client_options options = echo();
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
    link_ = asio::use_service<fairlead::epoll_set>(context_).make_link(socket_);
    if (with_tls) {
      link_ = fairlead::make_tls_link(context_.get_executor(), std::move(link_), certificates.server());
    }
    link_->start(*this);
  }

  void give(std::string_view bytes) override {
    auto left = std::as_bytes(std::span(bytes));
    while (!left.empty() && !is_broken_) {
      const std::array gather{std::span<const std::byte>(left)};
      const fairlead::write_result written = link_->write(gather);
      is_broken_ = is_broken_ || written.error;
      left = left.subspan(written.size);
      run();
    }
  }

  void give_end() override {
    link_->shutdown_sending();
    run();
  }

  std::string take() override {
    run();
    return std::exchange(sent_, {});
  }

  bool has_ended() const override { return has_ended_ || is_broken_; }
  bool is_gone() const override {
    return asio::use_service<fairlead::detail::session_service>(context_).size() == 0;
  }

 private:
  std::span<std::byte> read_room() override { return {}; }
  void on_bytes(std::span<std::byte> bytes) override {
    sent_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  void on_writable() override {}
  void on_eof() override { has_ended_ = true; }
  void on_link_error(std::error_code) override { is_broken_ = true; }

  // All that can be done without more input and without waiting, but for what the kernel still carries.
  void run() {
    const auto limit = fairlead::clock::now() + 10s;
    do {
      context_.restart();
      while (context_.poll() != 0) context_.restart();
      if (fairlead::clock::now() > limit) throw std::runtime_error("the kernel delivers nothing");
    } while (are_in_transit(socket_, client_socket_));
  }

  mutable asio::io_context context_;
  int socket_ = -1;
  int client_socket_ = -1;
  fairlead::link_ptr link_;
  std::string sent_;
  bool has_ended_ = false;
  bool is_broken_ = false;
};

}  // namespace

peer_kind fairlead_client_over_tcp() {
  return {side::client, "over TCP", [](delivery) { return std::make_unique<socket_client_peer>(false); }};
}

peer_kind fairlead_client_over_tls() {
  return {side::client, "over TLS", [](delivery) { return std::make_unique<socket_client_peer>(true); }};
}

}  // namespace conformance
