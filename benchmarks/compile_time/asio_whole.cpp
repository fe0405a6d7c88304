// Asio alone, with the header that brings all of it: a TCP echo server. Measured by compile_time.py.
#include <asio.hpp>

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
