// A WebSocket echo server on Boost.Beast, with coroutines. Measured by compile_time.py where Boost is installed.
#include <utility>  // first: Boost 1.74's awaitable.hpp needs it and does not say so

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/websocket.hpp>

namespace asio = boost::asio;
namespace beast = boost::beast;
using asio::ip::tcp;
using stream = beast::websocket::stream<beast::tcp_stream>;

asio::awaitable<void> echo(stream ws) {
  ws.set_option(beast::websocket::stream_base::timeout::suggested(beast::role_type::server));
  co_await ws.async_accept(asio::use_awaitable);
  beast::flat_buffer message;
  for (;;) {
    co_await ws.async_read(message, asio::use_awaitable);
    ws.text(ws.got_text());
    co_await ws.async_write(message.data(), asio::use_awaitable);
    message.clear();
  }
}

asio::awaitable<void> listen() {
  tcp::acceptor acceptor(co_await asio::this_coro::executor, {tcp::v4(), 9001});
  for (;;) {
    tcp::socket socket = co_await acceptor.async_accept(asio::use_awaitable);
    asio::co_spawn(acceptor.get_executor(), echo(stream(std::move(socket))), asio::detached);
  }
}

int main() {
  asio::io_context context(1);
  asio::co_spawn(context, listen(), asio::detached);
  context.run();
}
