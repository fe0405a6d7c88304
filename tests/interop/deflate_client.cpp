// connect() with every way to compress, against a server of another implementation; see deflate_client.py.
//
//   deflate_client --url ws://HOST:PORT
//
// The server sends back every message, and has a route for each of its ways:
//
//   /SERVER/CLIENT/SN/CN   windows of SERVER and CLIENT bits (9 to 15, or 0 to leave them open), SN and CN (0 or 1) for
//                          server_no_context_takeover and client_no_context_takeover
#include "interop.hpp"

#include <fairlead.hpp>

#include <asio/co_spawn.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace {

struct window_pair {
  int ours;
  int theirs;
};

std::vector<window_pair> all_pairs(int our_least) {
  std::vector<window_pair> pairs;
  for (int ours = our_least; ours <= fairlead::max_window_bits; ++ours) {
    for (const int theirs : {0, 9, 10, 11, 12, 13, 14, 15}) pairs.push_back({ours, theirs});
  }
  return pairs;
}

/// Messages that have much in common, then one that has nothing, and small ones.
std::vector<std::string> messages() {
  std::vector<std::string> all;
  for (int i = 0; i < 3; ++i) {
    std::string json = R"({"sequence":)" + std::to_string(i) + R"(,"quotes":[)";
    for (int quote = 0; quote < 20; ++quote) {
      json += R"({"symbol":"S)" + std::to_string(quote * 7 % 5) + R"(","bid":)" +
              std::to_string(1000 + quote * i) + "},";
    }
    all.push_back(json + "0]}");
  }
  std::string noise(40'000, '\0');
  std::uint32_t state = 1;
  for (char& c : noise) c = static_cast<char>(' ' + ((state = state * 1'664'525 + 1'013'904'223) >> 16) % 95);
  all.push_back(noise);
  all.push_back("");
  all.push_back("x");
  all.push_back(all.front());
  return all;
}

class tester {
 public:
  explicit tester(std::string url) : url_(std::move(url)) {
    options_.on_response = [this](const fairlead::response_head& head) {
      was_agreed_ = head.field("Sec-WebSocket-Extensions").has_value();
    };
    options_.session.deflate.enabled = true;
    options_.session.deflate.min_size = 1;
  }

  /// All pairs of windows, each way, with all takeovers of both sides.
  asio::awaitable<void> run() {
    const std::vector<window_pair> server = all_pairs(fairlead::min_window_bits);
    const std::vector<window_pair> client = all_pairs(fairlead::min_send_window_bits);
    for (unsigned takeovers = 0; takeovers < 16; ++takeovers) {
      for (std::size_t i = 0; i < std::max(server.size(), client.size()); ++i) {
        co_await exchange(server[i % server.size()], client[i % client.size()], takeovers);
      }
    }
  }

  std::size_t agreements = 0;
  std::size_t declined = 0;
  std::size_t refused = 0;

 private:
  asio::awaitable<void> exchange(window_pair server, window_pair client, unsigned takeovers) {
    fairlead::deflate_options& deflate = options_.session.deflate;
    deflate.receive_window_bits = static_cast<std::uint8_t>(server.ours);
    deflate.send_window_bits = static_cast<std::uint8_t>(client.ours);
    deflate.send_takeover = (takeovers & 1) != 0;
    deflate.receive_takeover = (takeovers & 2) != 0;
    const std::string route = "/" + std::to_string(server.theirs) + "/" + std::to_string(client.theirs) +
                              ((takeovers & 4) != 0 ? "/1" : "/0") + ((takeovers & 8) != 0 ? "/1" : "/0");
    const std::string what = route + " with windows of " + std::to_string(client.ours) + " and " +
                             std::to_string(server.ours) + " bits, takeovers " +
                             std::to_string(takeovers & 3);
    try {
      co_await exchange(route);
    } catch (const std::system_error& e) {
      // ws does not decline what it wants larger than it was offered: it fails the handshake.
      const bool is_larger = server.theirs > server.ours || client.theirs > client.ours;
      if (e.code() != fairlead::http_status::bad_request || !is_larger) {
        throw std::runtime_error(what + ": " + e.what());
      }
      ++refused;
    } catch (const std::exception& e) {
      throw std::runtime_error(what + ": " + e.what());
    }
  }

  asio::awaitable<void> exchange(const std::string& route) {
    const fairlead::session ws =
        co_await fairlead::connect(co_await asio::this_coro::executor, url_ + route, options_);
    ++(was_agreed_ ? agreements : declined);
    for (const std::string& text : messages_) {
      co_await ws.send(text);
      const std::optional<fairlead::message> echo = co_await ws.receive();
      interop::expect(echo.has_value(), "closed where a message was expected");
      interop::expect_echo(echo->text(), text);
    }
    co_await ws.close(fairlead::close_code::normal, "");
  }

  std::string url_;
  fairlead::client_options options_;
  const std::vector<std::string> messages_ = messages();
  bool was_agreed_ = false;
};

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 3 || std::string_view(argv[1]) != "--url")
    throw std::invalid_argument("--url URL has to be given");
  asio::io_context context(1);
  tester t(argv[2]);
  std::exception_ptr failure;
  asio::co_spawn(context, t.run(), [&](std::exception_ptr error) { failure = error; });
  context.run();
  if (failure) std::rethrow_exception(failure);
  std::printf("%zu agreements, %zu offers declined, %zu refused with 400\n", t.agreements, t.declined,
              t.refused);
} catch (const std::exception& e) {
  std::fprintf(stderr, "deflate_client: %s\n", e.what());
  return 1;
}
