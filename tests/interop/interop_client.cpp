// connect() against the servers of other implementations; see interop.py.
//
//   interop_client --url ws[s]://HOST:PORT [--ca FILE] [--deflate]
//
// prints a line of JSON for each cell of the table.
#include <fairlead.hpp>
#include <fairlead/json_writer.hpp>

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdio>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace {

constexpr std::size_t max_message_size = 16 * 1024 * 1024;
constexpr std::array<std::size_t, 8> sizes{0, 1, 125, 126, 65535, 65536, 1024 * 1024, max_message_size};
constexpr std::array<int, 11> close_codes{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 4999};

/// Text of exactly `size` bytes, with characters of one to four bytes.
std::string text_of(std::size_t size) {
  constexpr std::string_view unit = "fairlead \u00e9 \u20ac \U0001f6a2 ";
  std::string text;
  text.reserve(size);
  while (text.size() + unit.size() <= size) text += unit;
  text.resize(size, 'x');
  return text;
}

std::string bytes_of(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 31 + (i >> 8));
  return bytes;
}

fairlead::message_view view_of(fairlead::message_kind kind, std::string_view payload) {
  return {kind, std::as_bytes(std::span(payload))};
}

void expect(bool holds, const std::string& what) {
  if (!holds) throw std::runtime_error(what);
}

class tester {
 public:
  tester(std::string url, const std::string& authority, bool deflate) : url_(std::move(url)), deflate_(deflate) {
    options_.session.connection.max_message_size = max_message_size;
    options_.session.deflate.enabled = deflate;
    if (!authority.empty()) {
      options_.tls = fairlead::tls_client_context({.trust_system = false, .authorities = authority});
    }
    options_.on_response = [this](const fairlead::response_head& head) {
      const auto extensions = head.field("Sec-WebSocket-Extensions");
      agreed_ = extensions && extensions->starts_with("permessage-deflate");
    };
    options_.callbacks.on_close = [this](fairlead::session&, const fairlead::close_info& info) {
      closed_with_ = static_cast<int>(info.code);
      reason_ = info.reason;
    };
  }

  asio::awaitable<void> run() {
    using fairlead::message_kind;
    co_await cell("text", exchange_all("/echo", message_kind::text, 1));
    co_await cell("binary", exchange_all("/echo", message_kind::binary, 1));
    co_await cell("fragments_sent", exchange_fragments("/echo", 4));
    co_await cell("fragments_received", exchange_fragments("/fragments", 1));
    co_await cell("client_closes", close_with_all());
    co_await cell("server_closes", be_closed_with_all());
  }

  bool has_failed() const noexcept { return has_failed_; }

 private:
  asio::awaitable<void> cell(const char* name, asio::awaitable<void> check) {
    fairlead::json_writer json;
    json.begin_object().member("cell", name);
    try {
      co_await std::move(check);
    } catch (const std::exception& e) {
      json.member("error", e.what());
      has_failed_ = true;
    }
    std::puts(json.end_object().text().c_str());
    std::fflush(stdout);
  }

  asio::awaitable<fairlead::session> open(const std::string& path) {
    agreed_ = false;
    closed_with_ = 0;
    fairlead::session ws = co_await fairlead::connect(co_await asio::this_coro::executor, url_ + path, options_);
    expect(agreed_ == deflate_, deflate_ ? "permessage-deflate is declined" : "permessage-deflate is agreed unasked");
    co_return ws;
  }

  static asio::awaitable<void> exchange(fairlead::session ws, fairlead::message_kind kind, std::size_t size,
                                        std::size_t fragments) {
    const std::string payload = kind == fairlead::message_kind::text ? text_of(size) : bytes_of(size);
    if (fragments == 1) {
      co_await ws.send(view_of(kind, payload));
    } else {
      for (std::size_t i = 0; i < fragments; ++i) {
        const std::size_t begin = size * i / fragments, end = size * (i + 1) / fragments;
        co_await ws.send_part(view_of(kind, std::string_view(payload).substr(begin, end - begin)), i + 1 == fragments);
      }
    }
    const std::optional<fairlead::message> echo = co_await ws.receive();
    expect(echo.has_value(), "closed where a message was expected");
    expect(echo->kind() == kind, "the echo is of another kind");
    expect(echo->text() == payload,
           std::to_string(echo->size()) + " bytes came back for " + std::to_string(size) + ", or other ones");
  }

  asio::awaitable<void> exchange_all(std::string path, fairlead::message_kind kind, std::size_t fragments) {
    const fairlead::session ws = co_await open(path);
    for (const std::size_t size : sizes) co_await exchange(ws, kind, size, fragments);
    co_await ws.close(fairlead::close_code::normal, "");
  }

  asio::awaitable<void> exchange_fragments(std::string path, std::size_t fragments) {
    co_await exchange_all(path, fairlead::message_kind::text, fragments);
    co_await exchange_all(path, fairlead::message_kind::binary, fragments);
  }

  asio::awaitable<void> close_with_all() {
    for (const int code : close_codes) {
      const fairlead::session ws = co_await open("/echo");
      co_await ws.close(static_cast<fairlead::close_code>(code), "a reason");
      expect(closed_with_ == code, std::to_string(code) + " is answered with " + std::to_string(closed_with_));
    }
  }

  asio::awaitable<void> be_closed_with_all() {
    for (const int code : close_codes) {
      const fairlead::session ws = co_await open("/close/" + std::to_string(code));
      co_await ws.send("close");
      const std::optional<fairlead::message> message = co_await ws.receive();
      expect(!message, "a message where a close was expected");
      expect(closed_with_ == code && reason_ == "a reason",
             std::to_string(code) + " arrives as " + std::to_string(closed_with_) + " '" + reason_ + "'");
    }
  }

  std::string url_;
  bool deflate_;
  fairlead::client_options options_;
  bool agreed_ = false;
  int closed_with_ = 0;
  std::string reason_;
  bool has_failed_ = false;
};

}  // namespace

int main(int argc, char** argv) try {
  std::string url, authority;
  bool deflate = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view option = argv[i];
    if (option == "--deflate") {
      deflate = true;
    } else if (option == "--url" && i + 1 < argc) {
      url = argv[++i];
    } else if (option == "--ca" && i + 1 < argc) {
      authority = argv[++i];
    } else {
      throw std::invalid_argument("cannot do anything with " + std::string(option));
    }
  }
  std::puts(R"({"peer":"fairlead"})");
  asio::io_context context(1);
  tester t(url, authority, deflate);
  asio::co_spawn(context, t.run(), asio::detached);
  context.run();
  return t.has_failed() ? 1 : 0;
} catch (const std::exception& e) {
  std::fprintf(stderr, "interop_client: %s\n", e.what());
  return 1;
}
