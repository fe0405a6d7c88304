#ifndef FAIRLEAD_TESTS_TESTING_SCENE_HPP
#define FAIRLEAD_TESTS_TESTING_SCENE_HPP

#include <fairlead/net/server/server.hpp>
#include <fairlead/shared_bytes.hpp>
#include <fairlead/testing/fault_link.hpp>
#include <fairlead/testing/virtual_clock.hpp>

#include <asio/awaitable.hpp>
#include <asio/io_context.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

// A server under a virtual clock, whose sessions obey what their peers send.
namespace testing_test {

using namespace fairlead;
using namespace std::chrono_literals;

/// Longer than every delay of a fault that passes by itself, shorter than every timeout of the server.
inline constexpr auto moment = 2s;

/// Longer than every timeout of the server, one after the other.
inline constexpr auto all_timeouts = 20s;

/// What the application saw of the sessions of one route.
struct life {
  int opens = 0;
  int closes = 0;
  int wrong = 0;  ///< Calls out of order.
  std::optional<close_code> code;
  std::error_code error;
  std::vector<session> sessions;  ///< Those that are open.

  void on_open(session& ws) {
    ++opens;
    sessions.push_back(ws);
  }
  void on_message() {
    if (opens == closes) ++wrong;
  }
  void on_close(const session& ws, const close_info& info) {
    on_end(ws);
    code = info.code;
    error = info.error;
  }
  void on_end(const session& ws) {
    if (++closes > opens) ++wrong;
    std::erase(sessions, ws);
  }
};

/// The server. `/` belongs to those who are tried, `/others` to all others; both echo what they get, but for `publish`,
/// which goes to everybody, and `bye`, to which the answer is a close. `/awaited` echoes in a coroutine.
struct scene {
  /// \param has_heartbeat  Not where the peers answer no pings.
  explicit scene(bool deflate = false, bool has_heartbeat = true)
      : s(context, options_with(deflate, has_heartbeat)) {
    s.route("/", callbacks(tried));
    s.route("/others", callbacks(others));
    s.route("/awaited", [this](session ws) { return echo(std::move(ws)); });
    s.get("/page", [](const request&) { return text_response(http_status::ok, "a page\n"); });
    s.on_error([this](const session&, std::exception_ptr) { ++errors; });
  }

  asio::io_context context{1};
  virtual_clock time{context};
  life tried;
  life others;
  int errors = 0;
  server s;

 private:
  // The end of its scope is the end of a session that is received from, whatever ended it.
  struct visit {
    visit(life& l, session ws) : l_(l), ws_(std::move(ws)) { l_.on_open(ws_); }
    ~visit() { l_.on_end(ws_); }
    visit(const visit&) = delete;
    visit& operator=(const visit&) = delete;

   private:
    life& l_;
    session ws_;
  };

  static server_options options_with(bool deflate, bool has_heartbeat) {
    server_options options;
    if (!has_heartbeat) options.session.heartbeat.interval = duration::max();
    options.session.deflate.enabled = deflate;
    options.session.connection.max_message_size = 256 * 1024;
    return options;
  }

  asio::awaitable<void> echo(session ws) {
    const visit v(tried, ws);
    while (auto message = co_await ws.receive()) {
      tried.on_message();
      co_await ws.send(*message);
    }
  }

  handlers callbacks(life& l) {
    return {.on_open = [&l](session& ws, const request&) { l.on_open(ws); },
            .on_message =
                [this, &l](session& ws, message_view m) {
                  l.on_message();
                  obey(ws, m);
                },
            .on_close = [&l](session& ws, const close_info& info) { l.on_close(ws, info); }};
  }

  void obey(session& ws, message_view m) {
    if (m.text() == "bye") {
      static_cast<void>(ws.try_close(close_code::normal, "bye"));
    } else if (m.text() == "publish") {
      const message shared = message_view("published").keep();
      for (const life* l : {&tried, &others}) {
        const auto to = l->sessions;  // sending may end one
        for (const session& each : to) each.try_send(shared);
      }
    } else {
      ws.try_send(m);
    }
  }
};

}  // namespace testing_test

#endif
