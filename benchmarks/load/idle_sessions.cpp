// Opens sessions on a server with fairlead's own client, over TCP or TLS, and lets them wait: the private memory that
// each one costs the server. Prints one line of JSON. What the numbers mean: ../README.md.
#include <fairlead.hpp>

#include "program.hpp"
#include "watched_process.hpp"

#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

namespace {

struct plan {
  std::string url;
  fairlead::client_options options{};
  std::uint64_t connections;
  bool talk;
};

asio::awaitable<void> open_one(const plan& p, std::vector<fairlead::session>& sessions) {
  auto context = co_await asio::this_coro::executor;
  fairlead::session ws = co_await fairlead::connect(context, p.url, p.options);
  if (p.talk) {
    co_await ws.send(std::string(256, 'x'));
    co_await ws.receive();
  }
  sessions.push_back(std::move(ws));
}

asio::awaitable<void> measure(const plan& p, const load::watched_process& server) {
  std::vector<fairlead::session> sessions;
  co_await open_one(p, sessions);  // what a server sets up for its first connection is not the price of each
  const std::uint64_t before = server.private_memory();
  for (std::uint64_t i = 0; i < p.connections; ++i) co_await open_one(p, sessions);
  asio::steady_timer settled(co_await asio::this_coro::executor, std::chrono::seconds(1));
  co_await settled.async_wait(asio::use_awaitable);
  const std::uint64_t after = server.private_memory();
  std::printf("{\"bytes_per_session\": %.1f}\n", (static_cast<double>(after) - static_cast<double>(before)) /
                                                     static_cast<double>(p.connections));
}

}  // namespace

int main(int argc, char** argv) {
  const load::options options(
      argc, argv, {{"port", ""}, {"pid", ""}, {"tls", "0"}, {"connections", "2000"}, {"talk", "0"}});
  const bool with_tls = options.number("tls") != 0;
  plan p{.url = (with_tls ? "wss://127.0.0.1:" : "ws://127.0.0.1:") + options.text("port") + "/",
         .connections = options.number("connections"),
         .talk = options.number("talk") != 0};
  if (p.connections == 0) load::fail("--connections is at least 1");
  // The server's certificate is its own, made for this run.
  if (with_tls) p.options.tls = fairlead::tls_client_context({.verify = false});
  load::raise_descriptor_limit(p.connections);
  const load::watched_process server(options.number<pid_t>("pid"));
  asio::io_context context(1);
  std::exception_ptr failure;
  asio::co_spawn(context, measure(p, server), [&](std::exception_ptr error) {
    failure = error;
    context.stop();
  });
  context.run();
  try {
    if (failure) std::rethrow_exception(failure);
  } catch (const std::exception& e) {
    load::fail(e.what());
  }
}
