#include <fairlead.hpp>
#include <fairlead/net/link/memory_link.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <span>
#include <string>
#include <string_view>

namespace {

struct peer final : fairlead::link_sink {
  std::span<std::byte> read_room() override { return {}; }
  void on_bytes(std::span<std::byte> bytes) override {
    received.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  void on_writable() override {}
  void on_eof() override {}
  void on_link_error(std::error_code) override {}

  std::string received;
};

}  // namespace

bool echo_comes_back() {
  using namespace std::string_view_literals;
  asio::io_context context;
  fairlead::server server(context);
  server.route("/echo", fairlead::handlers{.on_message = [](fairlead::session& ws, fairlead::message_view m) {
                 ws.try_send(m);
               }});

  auto [ours, servers] = fairlead::make_memory_pair(context.get_executor());
  peer client;
  ours->start(client);
  server.serve(std::move(servers));

  // The text "Hello" in a masked frame, behind the request (RFC 6455 section 5.7 has this frame).
  constexpr auto request =
      "GET /echo HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
      "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"sv;
  const std::array gather{std::as_bytes(std::span(request))};
  ours->write(gather);

  constexpr auto reply = "\r\n\r\n\x81\x05Hello"sv;
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!client.received.ends_with(reply) && std::chrono::steady_clock::now() < give_up) {
    context.run_one_for(std::chrono::milliseconds(100));
    context.restart();
  }
  return client.received.starts_with("HTTP/1.1 101 ") && client.received.ends_with(reply);
}
