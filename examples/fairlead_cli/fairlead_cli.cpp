// Talks to a WebSocket server from the command line. `fairlead-cli --help` says how.
#include <fairlead.hpp>

#include "options.hpp"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/post.hpp>
#include <asio/signal_set.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_future.hpp>

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

namespace {

bool wants_colour(std::FILE* stream) {
  const char* const no_color = std::getenv("NO_COLOR");
  return isatty(fileno(stream)) != 0 && (no_color == nullptr || *no_color == '\0');
}

void complain(std::string_view what) {
  const bool colour = wants_colour(stderr);
  std::fprintf(stderr, "%sfairlead-cli:%s %.*s\n", colour ? "\033[31m" : "", colour ? "\033[0m" : "",
               static_cast<int>(what.size()), what.data());
}

/// Without the control characters by which a peer could write to other places of a terminal than its own.
std::string harmless(std::string_view text) {
  std::string result;
  for (const char c : text) {
    const bool is_control = (c >= 0 && c < ' ' && c != '\t' && c != '\n') || c == '\x7f';
    result += is_control ? '?' : c;
  }
  return result;
}

void print(const fairlead::message& m) {
  const bool is_text = m.kind() == fairlead::message_kind::text;
  if (isatty(STDOUT_FILENO) == 0) {
    std::fwrite(m.bytes().data(), 1, m.size(), stdout);
    if (is_text) std::putchar('\n');
  } else {
    const std::string shown = is_text ? harmless(m.text()) : std::to_string(m.size()) + " bytes, binary";
    const bool colour = wants_colour(stdout);
    std::printf("%s<%s %s\n", colour ? "\033[32m" : "", colour ? "\033[0m" : "", shown.c_str());
  }
  std::fflush(stdout);
}

std::string_view advice(std::error_code ec, bool has_proxy) {
  using fairlead::connect_stage;
  using fairlead::errc;
  using fairlead::http_status;
  if (ec == errc::certificate_untrusted)
    return "give its authority with --ca, or its key with --insecure --pin";
  if (ec == errc::certificate_wrong_host) return "use the name that the certificate is for";
  if (ec == errc::certificate_not_pinned) return "ask the server's operator whether its key has changed";
  if (ec == http_status::unauthorized || ec == http_status::forbidden)
    return "give what it wants with --header";
  if (ec == http_status::not_found) return "check the path of the URL";
  switch (fairlead::stage_of(ec)) {
    case connect_stage::arguments: return "fairlead-cli --help shows what it takes";
    case connect_stage::resolve: return "check the name of the host";
    case connect_stage::connect:
      return has_proxy ? "check the proxy's address" : "check that the server runs, and its port";
    case connect_stage::proxy: return "check the proxy's address, and whether it lets you through";
    case connect_stage::tls: return "check that it is a port for wss, and the server's certificate";
    case connect_stage::handshake: return "check that it is a WebSocket server, and the path of the URL";
  }
  return "";
}

std::string contents_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string all(std::istreambuf_iterator<char>(file), {});
  if (!file) throw std::runtime_error("cannot read " + path.string());
  return all;
}

/// Sends all that there is to send. On a thread of its own: nothing but a thread can wait for every kind of
/// input, and a session may be used from any.
void send_input(const fairlead::session& ws, const options& o) {
  const auto kind = o.files_are_text ? fairlead::message_kind::text : fairlead::message_kind::binary;
  for (const auto& path : o.files) {
    const std::string content = contents_of(path);
    ws.send({kind, std::as_bytes(std::span(content))}, asio::use_future).get();
  }
  std::string line;
  while (o.files.empty() && std::getline(std::cin, line)) ws.send(line, asio::use_future).get();
}

/// One connection, from its beginning to its end.
class conversation {
 public:
  conversation(asio::io_context& context, options o)
      : context_(context), options_(std::move(o)), silence_(context), signals_(context) {}

  /// Whether it ended well.
  bool ended_well() const noexcept { return ended_well_; }

  asio::awaitable<void> run() {
    options_.client.callbacks.on_close = [this](fairlead::session&, const fairlead::close_info& info) {
      on_close(info);
    };
    try {
      ws_ = co_await fairlead::connect(context_, options_.url, options_.client);
    } catch (const std::system_error& e) {
      const std::string_view stage = fairlead::name_of(fairlead::stage_of(e.code()));
      complain(std::string(stage) + ": " + e.code().message() + "; " +
               std::string(advice(e.code(), options_.client.proxy.has_value())));
      co_return;
    }
    if (isatty(STDERR_FILENO) != 0) std::fprintf(stderr, "connected; Ctrl-C closes\n");
    await_signal();
    if (options_.ping) {
      asio::co_spawn(context_, ping(), asio::detached);
    } else {
      std::thread(&conversation::feed, this).detach();
    }
    co_await receive();
    silence_.cancel();
    signals_.cancel();
  }

 private:
  asio::awaitable<void> receive() try {
    std::size_t received = 0;
    while (const auto message = co_await ws_.receive()) {
      if (options_.count != 0 && received == options_.count) continue;  // what came behind the last one
      print(*message);
      if (++received == options_.count && !options_.ping) ws_.try_close();
      if (all_sent_) await_silence();
    }
  } catch (const std::system_error&) {
    // on_close() says why
  }

  asio::awaitable<void> ping() try {
    asio::steady_timer pause(context_);
    for (std::size_t sent = 1;; ++sent) {
      const std::chrono::duration<double, std::milli> round_trip = co_await ws_.ping();
      std::printf("pong %zu: %.3f ms\n", sent, round_trip.count());
      std::fflush(stdout);
      if (sent == options_.count) break;
      pause.expires_after(std::chrono::seconds(1));
      co_await pause.async_wait(asio::use_awaitable);
    }
    ws_.try_close();
  } catch (const std::system_error&) {
    // on_close() says why
  }

  void feed() {
    try {
      send_input(ws_, options_);
    } catch (const std::system_error&) {
      return;  // the session is over, as on_close() says
    } catch (const std::exception& e) {
      complain(e.what());
      input_failed_ = true;
    }
    asio::post(context_, [this] {
      all_sent_ = true;
      await_silence();
    });
  }

  /// Closes when no message comes for as long as the options say.
  void await_silence() {
    if ((options_.count != 0 && !options_.wait) || !ws_.is_open()) return;
    silence_.expires_after(options_.wait.value_or(std::chrono::seconds(1)));
    silence_.async_wait([this](std::error_code ec) {
      if (!ec) ws_.try_close();
    });
  }

  void await_signal() {
    signals_.add(SIGINT);
    signals_.add(SIGTERM);
    signals_.async_wait([this](std::error_code ec, int) {
      if (ec) return;
      ws_.try_close();
      signals_.clear();  // one more ends the program
    });
  }

  void on_close(const fairlead::close_info& info) {
    using fairlead::close_code;
    const bool is_usual = info.code == close_code::normal || info.code == close_code::going_away ||
                          info.code == close_code::service_restart || info.code == close_code::no_status;
    ended_well_ = !info.error && is_usual && !input_failed_;
    if (info.error) {
      complain("session: " + info.error.message());
    } else if (!is_usual) {
      complain("session: closed by the server with " + std::to_string(static_cast<int>(info.code)) + " " +
               harmless(info.reason.empty() ? description(info.code) : info.reason));
    }
  }

  asio::io_context& context_;
  options options_;
  fairlead::session ws_;
  asio::steady_timer silence_;
  asio::signal_set signals_;
  bool all_sent_ = false;
  std::atomic<bool> input_failed_ = false;
  bool ended_well_ = false;
};

}  // namespace

int main(int argc, char** argv) {
  try {
    std::optional<options> o = parse(argc, argv);
    if (!o) return std::fputs(usage, stdout) < 0;
    asio::io_context context(1);
    conversation c(context, *std::move(o));
    asio::co_spawn(context, c.run(), asio::detached);
    context.run();
    std::fflush(stdout);
    // The thread that reads the input may wait for it for ever.
    std::quick_exit(c.ended_well() ? 0 : 1);
  } catch (const std::exception& e) {
    complain(std::string("arguments: ") + e.what() + "; fairlead-cli --help shows what it takes");
    return 1;
  }
}
