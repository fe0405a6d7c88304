// connect() against the servers of other implementations; see interop.py.
//
//   interop_client --url ws[s]://HOST:PORT [--ca FILE] [--deflate] [--largest BYTES]
//
// prints a line of JSON for each cell of the table.
#include "interop.hpp"

#include <fairlead.hpp>
#include <fairlead/json_writer.hpp>

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>

#include <cstddef>
#include <cstdio>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace {

using interop::expect;

fairlead::message_view view_of(fairlead::message_kind kind, std::string_view payload) {
  return {kind, std::as_bytes(std::span(payload))};
}

class tester {
 public:
  tester(std::string url, const std::string& authority, bool deflate, std::size_t largest)
      : url_(std::move(url)), deflate_(deflate), largest_(largest) {
    options_.session.connection.max_message_size = interop::max_message_size;
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
    co_await cell("text", exchange_all("/echo", message_kind::text, false));
    co_await cell("binary", exchange_all("/echo", message_kind::binary, false));
    co_await cell("fragments_sent", exchange_both("/echo", true));
    co_await cell("fragments_received", exchange_both("/fragments", false));
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
    fairlead::session ws =
        co_await fairlead::connect(co_await asio::this_coro::executor, url_ + path, options_);
    expect(agreed_ == deflate_,
           deflate_ ? "permessage-deflate is declined" : "permessage-deflate is agreed unasked");
    co_return ws;
  }

  static asio::awaitable<void> exchange(fairlead::session ws, fairlead::message_kind kind, std::size_t size,
                                        bool in_fragments) {
    const std::string payload =
        kind == fairlead::message_kind::text ? interop::text_of(size) : interop::bytes_of(size);
    if (in_fragments) {
      for (std::size_t i = 0; i < interop::fragment_count; ++i) {
        co_await ws.send_part(view_of(kind, interop::fragment_of(payload, i)),
                              i + 1 == interop::fragment_count);
      }
    } else {
      co_await ws.send(view_of(kind, payload));
    }
    const std::optional<fairlead::message> echo = co_await ws.receive();
    expect(echo.has_value(), "closed where a message was expected");
    expect(echo->kind() == kind, "the echo is of another kind");
    interop::expect_echo(echo->text(), payload);
  }

  asio::awaitable<void> exchange_all(std::string path, fairlead::message_kind kind, bool in_fragments) {
    const fairlead::session ws = co_await open(path);
    for (const std::size_t size : interop::sizes) {
      if (size <= largest_) co_await exchange(ws, kind, size, in_fragments);
    }
    co_await ws.close(fairlead::close_code::normal, "");
  }

  asio::awaitable<void> exchange_both(std::string path, bool in_fragments) {
    co_await exchange_all(path, fairlead::message_kind::text, in_fragments);
    co_await exchange_all(path, fairlead::message_kind::binary, in_fragments);
  }

  asio::awaitable<void> close_with_all() {
    for (const int code : interop::close_codes) {
      const fairlead::session ws = co_await open("/echo");
      co_await ws.close(static_cast<fairlead::close_code>(code), "a reason");
      interop::expect_answer(closed_with_, code);
    }
  }

  asio::awaitable<void> be_closed_with_all() {
    for (const int code : interop::close_codes) {
      const fairlead::session ws = co_await open("/close/" + std::to_string(code));
      co_await ws.send("close");
      const std::optional<fairlead::message> message = co_await ws.receive();
      expect(!message, "a message where a close was expected");
      interop::expect_close(closed_with_, reason_, code);
    }
  }

  std::string url_;
  bool deflate_;
  std::size_t largest_;
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
  std::size_t largest = interop::max_message_size;
  for (int i = 1; i < argc; ++i) {
    const std::string_view option = argv[i];
    if (option == "--deflate") {
      deflate = true;
    } else if (option == "--url" && i + 1 < argc) {
      url = argv[++i];
    } else if (option == "--largest" && i + 1 < argc) {
      largest = std::stoul(argv[++i]);
    } else if (option == "--ca" && i + 1 < argc) {
      authority = argv[++i];
    } else {
      throw std::invalid_argument("cannot do anything with " + std::string(option));
    }
  }
  std::puts(R"({"peer":"fairlead"})");
  asio::io_context context(1);
  tester t(url, authority, deflate, largest);
  asio::co_spawn(context, t.run(), asio::detached);
  context.run();
  return t.has_failed() ? 1 : 0;
} catch (const std::exception& e) {
  std::fprintf(stderr, "interop_client: %s\n", e.what());
  return 1;
}
