#include "bytewise_link.hpp"
#include "peer.hpp"

#include <fairlead/net/memory_link.hpp>
#include <fairlead/net/server.hpp>
#include <fairlead/net/tls_link.hpp>

#include <support/certificates.hpp>

#include <asio/io_context.hpp>

#include <array>
#include <span>
#include <system_error>
#include <utility>

namespace conformance {
namespace {

fairlead::handlers echo() {
  fairlead::handlers callbacks;
  callbacks.on_message = [](fairlead::session& ws, fairlead::message_view m) { ws.try_send(m); };
  return callbacks;
}

// One case sends 16 MiB, and two send a message in 65,537 frames. Every message is compressed where that was
// agreed.
fairlead::session_options raised_limits() {
  fairlead::session_options options;
  options.deflate.enabled = true;
  options.deflate.send_takeover = true;
  options.deflate.receive_takeover = true;
  options.deflate.min_size = 1;
  options.connection.max_message_size = 16 * 1024 * 1024;
  options.connection.max_fragments = 100'000;
  return options;
}

class server_peer final : public peer, private fairlead::link_sink {
 public:
  server_peer(delivery d, bool with_tls) : context_(1), server_(context_, options(with_tls)) {
    server_.route("/", echo(), raised_limits());
    auto [theirs, ours] = fairlead::make_memory_pair(context_.get_executor());
    if (d == delivery::bytewise) theirs = bytewise_link::make(std::move(theirs));
    server_.serve(std::move(theirs));
    link_ = std::move(ours);
    if (with_tls) {
      link_ = fairlead::make_tls_link(context_.get_executor(), std::move(link_),
                                      certificates::usual::instance().client(), "localhost", 1);
    }
    link_->start(*this);
    run();  // TLS takes bytes only after its handshake
  }

  void give(std::string_view bytes) override {
    auto left = std::as_bytes(std::span(bytes));
    while (!left.empty() && !is_broken_) {
      const std::array gather{std::span<const std::byte>(left)};
      const fairlead::write_result written = link_->write(gather);
      is_broken_ = is_broken_ || written.error || written.size == 0;  // it has stopped reading
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
  bool is_gone() const override { return server_.connection_count() == 0; }

 private:
  static fairlead::server_options options(bool with_tls) {
    fairlead::server_options o;
    if (with_tls) o.tls = certificates::usual::instance().server();
    return o;
  }

  std::span<std::byte> read_room() override { return {}; }
  void on_bytes(std::span<std::byte> bytes) override {
    sent_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  void on_writable() override {}
  void on_eof() override { has_ended_ = true; }
  void on_link_error(std::error_code) override { is_broken_ = true; }

  // All that can be done without more input and without waiting.
  void run() {
    context_.restart();
    while (context_.poll() != 0) context_.restart();
  }

  asio::io_context context_;
  fairlead::server server_;
  fairlead::link_ptr link_;
  std::string sent_;
  bool has_ended_ = false;
  bool is_broken_ = false;
};

}  // namespace

peer_kind fairlead_server() {
  return {side::server, "", [](delivery d) { return std::make_unique<server_peer>(d, false); }};
}

peer_kind fairlead_server_over_tls() {
  return {side::server, "over TLS", [](delivery d) { return std::make_unique<server_peer>(d, true); }};
}

}  // namespace conformance
