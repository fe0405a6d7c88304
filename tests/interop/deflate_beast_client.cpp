// permessage-deflate with Boost.Beast: connects to every route of deflate_server with every pair of windows that Beast
// can offer. deflate_beast.py starts both.
//
//   deflate_beast_client --port PORT
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/version.hpp>
#include <boost/beast/websocket.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;
using tcp = asio::ip::tcp;

/// A socket that counts what passes.
class counting_socket {
 public:
  using executor_type = tcp::socket::executor_type;

  explicit counting_socket(asio::io_context& context) : socket_(context) {}

  executor_type get_executor() { return socket_.get_executor(); }
  tcp::socket& socket() { return socket_; }
  std::size_t read() const { return read_; }
  std::size_t written() const { return written_; }

  template <class Buffers>
  std::size_t read_some(const Buffers& buffers, beast::error_code& error) {
    const std::size_t n = socket_.read_some(buffers, error);
    read_ += n;
    return n;
  }
  template <class Buffers>
  std::size_t read_some(const Buffers& buffers) {
    return or_throw([&](beast::error_code& error) { return read_some(buffers, error); });
  }
  template <class Buffers>
  std::size_t write_some(const Buffers& buffers, beast::error_code& error) {
    const std::size_t n = socket_.write_some(buffers, error);
    written_ += n;
    return n;
  }
  template <class Buffers>
  std::size_t write_some(const Buffers& buffers) {
    return or_throw([&](beast::error_code& error) { return write_some(buffers, error); });
  }

 private:
  template <class Operation>
  static std::size_t or_throw(Operation operation) {
    beast::error_code error;
    const std::size_t n = operation(error);
    if (error) throw beast::system_error(error);
    return n;
  }

  tcp::socket socket_;
  std::size_t read_ = 0;
  std::size_t written_ = 0;
};

void teardown(beast::role_type role, counting_socket& stream, beast::error_code& error) {
  websocket::teardown(role, stream.socket(), error);
}

struct own_options {
  int send_window;
  int receive_window;
  bool send_takeover;
  bool receive_takeover;

  std::string path() const {
    std::string result;
    for (const int n : {send_window, receive_window, int{send_takeover}, int{receive_takeover}}) {
      result.append("/").append(std::to_string(n));
    }
    return result;
  }
};

/// The answer that RFC 7692 section 7.1 and the rules of accept_deflate() demand. Beast always names both windows.
std::string expected_answer(const own_options& own, const websocket::permessage_deflate& offer) {
  const bool client_forgets = offer.client_no_context_takeover || !own.receive_takeover;
  const int client_window = std::min(offer.client_max_window_bits, std::max(9, own.receive_window));
  if (client_window > own.receive_window && !client_forgets) return "";
  std::string answer = "permessage-deflate";
  if (offer.server_no_context_takeover || !own.send_takeover) answer += "; server_no_context_takeover";
  if (client_forgets) answer += "; client_no_context_takeover";
  answer +=
      "; server_max_window_bits=" + std::to_string(std::min(offer.server_max_window_bits, own.send_window));
  if (client_window < 15) answer += "; client_max_window_bits=" + std::to_string(client_window);
  return answer;
}

void expect(bool holds, const std::string& what) {
  if (!holds) throw std::runtime_error(what);
}

std::string random_bytes(std::size_t size) {
  static std::minstd_rand source(7692);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(source() >> 8);
  return bytes;
}

std::string json(int first, std::size_t size) {
  std::string text;
  for (int n = first; text.size() < size; ++n) {
    text += R"({"type":"quote","seq":)" + std::to_string(n) + R"(,"bid":)" + std::to_string(n * 7919 % 1000) +
            "}\n";
  }
  text.resize(size);
  return text;
}

class client {
 public:
  client(unsigned short port, const std::string& path, const websocket::permessage_deflate& offer)
      : stream_(context_) {
    stream_.next_layer().socket().connect({asio::ip::address_v4::loopback(), port});
    stream_.next_layer().socket().set_option(tcp::no_delay(true));
    stream_.set_option(offer);
    stream_.read_message_max(64 * 1024 * 1024);
    websocket::response_type response;
    stream_.handshake(response, "127.0.0.1", path);
    const beast::string_view answer = response[beast::http::field::sec_websocket_extensions];
    agreed_.assign(answer.data(), answer.size());
  }

  const std::string& agreed() const { return agreed_; }

  /// Bytes that a message and its echo were on the wire, frame headers included.
  struct wire_size {
    std::size_t sent;
    std::size_t received;
  };

  /// Sends a message, in fragments of a size other than 0, and checks its echo.
  wire_size exchange(const std::string& payload, bool is_text, std::size_t fragment_size = 0) {
    const wire_size before{stream_.next_layer().written(), stream_.next_layer().read()};
    stream_.text(is_text);
    std::string_view rest = payload;
    for (; fragment_size != 0 && rest.size() > fragment_size; rest.remove_prefix(fragment_size)) {
      stream_.write_some(false, asio::buffer(rest.substr(0, fragment_size)));
    }
    stream_.write_some(true, asio::buffer(rest));
    beast::flat_buffer in;
    stream_.read(in);
    expect(stream_.got_text() == is_text, "the echo is of another type");
    const std::string_view echo(static_cast<const char*>(in.data().data()), in.size());
    expect(echo == payload, std::to_string(echo.size()) + " bytes came back for " +
                                std::to_string(payload.size()) + ", or other ones");
    return {stream_.next_layer().written() - before.sent, stream_.next_layer().read() - before.received};
  }

  void close() { stream_.close(websocket::close_code::normal); }

 private:
  asio::io_context context_{1};
  websocket::stream<counting_socket> stream_;
  std::string agreed_;
};

void exercise(unsigned short port, const own_options& own, const websocket::permessage_deflate& offer) {
  const std::string expected = expected_answer(own, offer);
  client c(port, own.path(), offer);
  expect(c.agreed() == expected, "the answer is '" + c.agreed() + "', expected '" + expected + "'");
  for (const std::size_t size : {0, 1, 1024}) {
    c.exchange(json(1, size), true);
    c.exchange(random_bytes(size), false);
  }
  const auto of_json = c.exchange(json(500, 3000), true, 1000);
  if (expected.empty()) {
    expect(of_json.received > 3000, "a message is smaller though nothing was agreed");
  } else {
    expect(of_json.received < 1500, "3000 bytes of JSON came back in " + std::to_string(of_json.received));
    const std::string repeated =
        random_bytes(100);  // Beast ends messages with a full flush: it takes nothing over
    c.exchange(repeated, false);
    const auto again = c.exchange(repeated, false);
    const bool server_forgets = expected.find("server_no_context") != std::string::npos;
    expect((again.received < 50) != server_forgets,
           "a repeated message came in " + std::to_string(again.received));
  }
  c.close();
}

/// Each window offered with each of the server's own, both ways side by side.
std::size_t combinations(unsigned short port) {
  std::size_t count = 0;
  for (int takeovers = 0; takeovers < 16; ++takeovers) {
    for (int i = 0; i < 7 * 8; ++i) {
      const own_options own{9 + i / 7 % 7, 8 + i / 7, (takeovers & 1) != 0, (takeovers & 2) != 0};
      websocket::permessage_deflate offer;
      offer.client_enable = true;
      offer.server_max_window_bits = 9 + i % 7;
      offer.client_max_window_bits = 9 + i % 7;
      offer.server_no_context_takeover = (takeovers & 4) != 0;
      offer.client_no_context_takeover = (takeovers & 8) != 0;
      try {
        exercise(port, own, offer);
      } catch (const std::exception& e) {
        throw std::runtime_error(own.path() + ", offered windows of " + std::to_string(9 + i % 7) +
                                 " bits, takeovers " + std::to_string(takeovers) + ": " + e.what());
      }
      ++count;
    }
  }
  return count;
}

void sizes(unsigned short port) {
  websocket::permessage_deflate offer;
  offer.client_enable = true;
  for (const char* path : {"/15/15/1/1", "/15/15/0/0", "/9/9/1/1", "/default"}) {
    client c(port, path, offer);
    for (const std::size_t size : {0, 1, 125, 126, 255, 256, 257, 1024, 65535, 65536, 1024 * 1024}) {
      c.exchange(json(1, size), true);
      c.exchange(random_bytes(size), false);
      c.exchange(json(7, size), true, 4096);
      c.exchange(random_bytes(size), false, 4096);
    }
    for (int i = 0; i < 1000; ++i) c.exchange(json(i, 300), true);
    c.close();
  }
  client c(port, "/15/15/1/1", offer);
  c.exchange(json(1, 16 * 1024 * 1024), true);
  c.exchange(random_bytes(16 * 1024 * 1024), false, 1024 * 1024);
  c.close();
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 3 || argv[1] != std::string_view("--port"))
    throw std::invalid_argument("--port has to be given");
  const auto port = static_cast<unsigned short>(std::stoul(argv[2]));
  std::printf("%s\n", BOOST_BEAST_VERSION_STRING);
  std::printf("ok  %zu combinations of windows and takeovers\n", combinations(port));
  sizes(port);
  std::printf("ok  text and binary of 0 to 16 MiB, whole and in fragments; 1,000 messages in a row\n");
} catch (const std::exception& e) {
  std::fprintf(stderr, "deflate_beast_client: FAILED: %s\n", e.what());
  return 1;
}
