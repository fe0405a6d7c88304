// Asio alone, with only the headers that it needs: the same TCP echo server as in asio_whole.cpp. Measured by
// compile_time.py.
#include <asio/awaitable.hpp>
#include <asio/buffer.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>

#include <array>
#include <cstddef>
#include <utility>

using asio::ip::tcp;

asio::awaitable<void> echo(tcp::socket socket) {
  std::array<char, 4096> data;
  for (;;) {
    const std::size_t n = co_await socket.async_read_some(asio::buffer(data), asio::use_awaitable);
    co_await asio::async_write(socket, asio::buffer(data, n), asio::use_awaitable);
  }
}

asio::awaitable<void> listen() {
  tcp::acceptor acceptor(co_await asio::this_coro::executor, {tcp::v4(), 9001});
  for (;;) {
    tcp::socket socket = co_await acceptor.async_accept(asio::use_awaitable);
    asio::co_spawn(acceptor.get_executor(), echo(std::move(socket)), asio::detached);
  }
}

int main() {
  asio::io_context context(1);
  asio::co_spawn(context, listen(), asio::detached);
  context.run();
}
