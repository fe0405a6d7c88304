#ifndef FAIRLEAD_TESTS_NET_CLIENT_CLIENT_SUPPORT_HPP
#define FAIRLEAD_TESTS_NET_CLIENT_CLIENT_SUPPORT_HPP

#include <fairlead/net/client/client.hpp>
#include <fairlead/net/session/detail/event_loop.hpp>

#include <net/link/link_support.hpp>
#include <net/session/session_support.hpp>
#include <support/certificates.hpp>

#include <asio/awaitable.hpp>
#include <asio/buffer.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace net_test {

/// How a connect() ended.
struct outcome {
  int calls = 0;
  std::error_code error;
  session ws;

  bool is_done() const { return calls != 0; }
};

/// The completion handler that writes it down.
inline auto note(outcome& o) {
  return [&o](std::error_code ec, session ws) {
    ++o.calls;
    o.error = ec;
    o.ws = std::move(ws);
  };
}

/// A server of ours on one thread with its clients.
class client_stage : public stage {
 public:
  explicit client_stage(link_form f = link_form::epoll, bool with_tls = false, server_options options = {})
      : stage(f, with_server_tls(std::move(options), with_tls)), secure_(with_tls) {
    server().route("/echo", handlers{.on_message = [](session& ws, message_view m) { ws.try_send(m); }});
  }

  std::string url(std::string_view target = "/echo", std::string_view host = "localhost") {
    server().listen();
    return (secure_ ? "wss://" : "ws://") + std::string(host) + ":" + std::to_string(server().port()) +
           std::string(target);
  }

  client_options options() const {
    client_options o;
    o.link = form == link_form::asio ? link_kind::asio : link_kind::epoll;
    if (secure_) o.tls = certificates::usual::instance().client();
    return o;
  }

  outcome connect(const std::string& where, client_options o) {
    outcome result;
    fairlead::connect(context, where, std::move(o), note(result));
    const bool finished = run_until([&] { return result.is_done(); });
    if (!finished) throw std::runtime_error("connect() did not end");
    return result;
  }
  outcome connect() { return connect(url(), options()); }

  /// What comes back when that is sent; nothing when the session ends before.
  std::optional<std::string> echo(session& ws, message_view m) {
    ws.try_send(m);
    std::optional<std::string> answer;
    bool is_done = false;
    ws.receive([&](std::error_code, const std::optional<message>& received) {
      is_done = true;
      if (received) answer = text_of(received->bytes());
    });
    run_until([&] { return is_done; });
    return answer;
  }

 private:
  static server_options with_server_tls(server_options options, bool with_tls) {
    if (with_tls && !options.tls) options.tls = certificates::usual::instance().server();
    return options;
  }

  bool secure_;
};

/// A listener that serves each connection with a script, for clients that are to fail.
class scripted_peer {
 public:
  /// One connection. It is closed when the script ends.
  class connection {
   public:
    explicit connection(asio::ip::tcp::socket s) : socket(std::move(s)) {}

    /// Reads until all that came ends in `text`; false when the client goes before.
    asio::awaitable<bool> read_until(std::string_view text) {
      bool is_there = true;
      while (is_there && !received.ends_with(text)) is_there = co_await read_some();
      co_return is_there;
    }

    /// False at the end.
    asio::awaitable<bool> read_some() {
      std::array<char, 4096> buffer;
      std::error_code ec;
      const std::size_t n = co_await socket.async_read_some(asio::buffer(buffer),
                                                            asio::redirect_error(asio::use_awaitable, ec));
      received.append(buffer.data(), n);
      co_return !ec;
    }

    /// False when the client takes no more.
    asio::awaitable<bool> write(std::string_view bytes) {
      std::error_code ec;
      co_await asio::async_write(socket, asio::buffer(bytes), asio::redirect_error(asio::use_awaitable, ec));
      co_return !ec;
    }

    /// Says nothing until the client goes.
    asio::awaitable<void> hang() {
      bool is_there = true;
      while (is_there) is_there = co_await read_some();
    }

    void reset() {
      link_support::reset_on_close(socket.native_handle());
      socket.close();
    }

    /// The value of a field in the request that came.
    std::string field(std::string_view name) const { return field_in(received, name); }

    asio::ip::tcp::socket socket;
    std::string received;
  };

  using script = std::function<asio::awaitable<void>(connection&)>;

  scripted_peer(asio::io_context& context, script run,
                const asio::ip::address& address = asio::ip::address_v4::loopback())
      : run_(std::move(run)), acceptor_(context, {address, 0}) {
    accept();
  }

  std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

  /// All connections, the last one last.
  std::vector<std::shared_ptr<connection>> connections;

  /// Those whose script has not ended.
  int open = 0;

  bool has_received(std::string_view text) const {
    return !connections.empty() && connections.back()->received.find(text) != std::string::npos;
  }

  /// Accepts no more.
  void stop() { acceptor_.close(); }

 private:
  void accept() {
    acceptor_.async_accept([this](std::error_code ec, asio::ip::tcp::socket socket) {
      if (ec) return;
      connections.push_back(std::make_shared<connection>(std::move(socket)));
      ++open;
      asio::co_spawn(acceptor_.get_executor(), serve(connections.back()), asio::detached);
      accept();
    });
  }

  asio::awaitable<void> serve(std::shared_ptr<connection> c) {
    co_await run_(*c);
    std::error_code ignored;
    c->socket.close(ignored);
    --open;
  }

  script run_;
  asio::ip::tcp::acceptor acceptor_;
};

/// An address that answers no connection: a listener whose backlog is full.
class silent_address {
 public:
  silent_address()
      : listener_(link_support::check(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket")) {
    sockaddr_in address = link_support::loopback(0);
    socklen_t size = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    link_support::check(::bind(listener_.get(), generic, size), "bind");
    link_support::check(::listen(listener_.get(), 0), "listen");
    link_support::check(::getsockname(listener_.get(), generic, &size), "getsockname");
    port_ = ntohs(address.sin_port);
    for (link_support::descriptor& waiting : backlog_) {
      waiting = link_support::descriptor(
          link_support::check(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket"));
      ::connect(waiting.get(), generic, size);
    }
  }

  std::uint16_t port() const { return port_; }

 private:
  link_support::descriptor listener_;
  std::array<link_support::descriptor, 4> backlog_;
  std::uint16_t port_ = 0;
};

}  // namespace net_test

#endif
