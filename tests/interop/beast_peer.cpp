// Boost.Beast as either side of the table; see interop.py.
//
//   beast_peer server [--certificate FILE --key FILE] [--deflate]
//   beast_peer client --url ws[s]://HOST:PORT [--ca FILE] [--deflate]
//
// As a server it also has the routes of deflate_client.cpp.
#include "interop.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <boost/beast/version.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>

#include <cstdio>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;
using tcp = asio::ip::tcp;
using plain_stream = websocket::stream<tcp::socket>;
using tls_stream = websocket::stream<asio::ssl::stream<tcp::socket>>;
using options = std::map<std::string, std::string>;

/// As the command line says, or, for a route of deflate_client.cpp, the path.
websocket::permessage_deflate deflate_for(const std::string& path, bool deflate) {
  websocket::permessage_deflate result;
  int server = 0, client = 0, server_no_takeover = 0, client_no_takeover = 0;
  const bool by_path = std::sscanf(path.c_str(), "/%d/%d/%d/%d", &server, &client, &server_no_takeover,
                                   &client_no_takeover) == 4;
  result.client_enable = result.server_enable = deflate || by_path;
  if (server != 0) result.server_max_window_bits = server;
  if (client != 0) result.client_max_window_bits = client;
  result.server_no_context_takeover = server_no_takeover != 0;
  result.client_no_context_takeover = client_no_takeover != 0;
  return result;
}

template <class Stream>
void set_up(Stream& ws, const websocket::permessage_deflate& deflate) {
  ws.set_option(deflate);
  ws.read_message_max(interop::max_message_size);
  ws.auto_fragment(false);
  beast::get_lowest_layer(ws).set_option(tcp::no_delay(true));
}

template <class Stream>
void send(Stream& ws, std::string_view payload, bool is_text, bool in_fragments) {
  ws.text(is_text);
  if (!in_fragments) {
    ws.write(asio::buffer(payload));
    return;
  }
  for (std::size_t i = 0; i < interop::fragment_count; ++i) {
    ws.write_some(i + 1 == interop::fragment_count, asio::buffer(interop::fragment_of(payload, i)));
  }
}

template <class Stream>
std::string receive(Stream& ws) {
  std::string payload;
  auto buffer = asio::dynamic_buffer(payload);
  ws.read(buffer);
  return payload;
}

websocket::close_reason reason_of(int code) {
  websocket::close_reason reason(static_cast<websocket::close_code>(code));
  reason.reason = "a reason";
  return reason;
}

// --- The server ---------------------------------------------------------------------------------------------

template <class Stream>
void serve(Stream& ws, bool deflate) {
  beast::flat_buffer buffer;
  beast::http::request<beast::http::string_body> request;
  beast::http::read(ws.next_layer(), buffer, request);
  const std::string path(request.target().data(), request.target().size());
  set_up(ws, deflate_for(path, deflate));
  ws.accept(request);
  for (;;) {
    const std::string message = receive(ws);
    if (path.rfind("/close/", 0) == 0) return ws.close(reason_of(std::stoi(path.substr(7))));
    send(ws, message, ws.got_text(), path == "/fragments");
  }
}

void serve(tcp::socket socket, asio::ssl::context* tls, bool deflate) try {
  if (tls == nullptr) {
    plain_stream ws(std::move(socket));
    serve(ws, deflate);
  } else {
    tls_stream ws(std::move(socket), *tls);
    ws.next_layer().handshake(asio::ssl::stream_base::server);
    serve(ws, deflate);
  }
} catch (const beast::system_error& e) {
  if (e.code() != websocket::error::closed) std::fprintf(stderr, "beast_peer: %s\n", e.what());
}

void run_server(const options& o) {
  asio::ssl::context tls(asio::ssl::context::tls_server);
  if (o.count("--certificate") != 0) {
    tls.use_certificate_chain_file(o.at("--certificate"));
    tls.use_private_key_file(o.at("--key"), asio::ssl::context::pem);
  }
  asio::io_context context;
  tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});
  std::printf("{\"peer\": \"%s\", \"port\": %u}\n", BOOST_BEAST_VERSION_STRING,
              unsigned{acceptor.local_endpoint().port()});
  std::fflush(stdout);
  for (;;) {
    std::thread([socket = acceptor.accept(), &tls, &o]() mutable {
      serve(std::move(socket), o.count("--certificate") != 0 ? &tls : nullptr, o.count("--deflate") != 0);
    }).detach();
  }
}

// --- The client ---------------------------------------------------------------------------------------------

class client {
 public:
  explicit client(const options& o) : deflate_(o.count("--deflate") != 0) {
    const std::string& url = o.at("--url");
    const std::size_t host = url.find("//") + 2, colon = url.rfind(':');
    host_ = url.substr(host, colon - host);
    port_ = url.substr(colon + 1);
    secure_ = url.rfind("wss", 0) == 0;
    if (o.count("--ca") != 0) tls_.load_verify_file(o.at("--ca"));
    tls_.set_verify_mode(asio::ssl::verify_peer);
    tls_.set_verify_callback(asio::ssl::host_name_verification(host_));
  }

  void run() {
    std::printf("{\"peer\": \"%s\"}\n", BOOST_BEAST_VERSION_STRING);
    cell(
        "text", [&](auto& ws) { exchange_all(ws, true, false); }, "/echo");
    cell(
        "binary", [&](auto& ws) { exchange_all(ws, false, false); }, "/echo");
    cell(
        "fragments_sent", [&](auto& ws) { exchange_both(ws, true); }, "/echo");
    cell(
        "fragments_received", [&](auto& ws) { exchange_both(ws, false); }, "/fragments");
    for (const int code : interop::close_codes) {
      with_connection("/echo", [&](auto& ws) {
        ws.close(reason_of(code));
        interop::expect_answer(ws.reason().code, code);
      });
    }
    pass("client_closes");
    for (const int code : interop::close_codes) {
      with_connection("/close/" + std::to_string(code), [&](auto& ws) { be_closed(ws, code); });
    }
    pass("server_closes");
  }

 private:
  static void pass(const char* cell) {
    std::printf("{\"cell\": \"%s\"}\n", cell);
    std::fflush(stdout);
  }

  template <class Check>
  void cell(const char* name, Check check, const std::string& path) {
    with_connection(path, [&](auto& ws) {
      check(ws);
      ws.close(websocket::close_code::normal);
    });
    pass(name);
  }

  template <class Use>
  void with_connection(const std::string& path, Use use) {
    if (secure_) {
      tls_stream ws(context_, tls_);
      connect(ws, path, [&] { ws.next_layer().handshake(asio::ssl::stream_base::client); });
      use(ws);
    } else {
      plain_stream ws(context_);
      connect(ws, path, [] {});
      use(ws);
    }
  }

  template <class Stream, class Secure>
  void connect(Stream& ws, const std::string& path, Secure secure) {
    asio::connect(beast::get_lowest_layer(ws), tcp::resolver(context_).resolve(host_, port_));
    secure();
    set_up(ws, deflate_for("", deflate_));
    websocket::response_type response;
    ws.handshake(response, host_, path);
    const bool agreed = response.count(beast::http::field::sec_websocket_extensions) != 0;
    interop::expect(agreed == deflate_, "permessage-deflate is not agreed on as it was offered");
  }

  template <class Stream>
  static void exchange_all(Stream& ws, bool is_text, bool in_fragments) {
    for (const std::size_t size : interop::sizes) {
      const std::string payload = is_text ? interop::text_of(size) : interop::bytes_of(size);
      send(ws, payload, is_text, in_fragments);
      const std::string echo = receive(ws);
      interop::expect(ws.got_text() == is_text, "the echo is of another kind");
      interop::expect_echo(echo, payload);
    }
  }

  template <class Stream>
  static void exchange_both(Stream& ws, bool in_fragments) {
    exchange_all(ws, true, in_fragments);
    exchange_all(ws, false, in_fragments);
  }

  template <class Stream>
  static void be_closed(Stream& ws, int code) {
    send(ws, "close", true, false);
    beast::flat_buffer buffer;
    beast::error_code error;
    ws.read(buffer, error);
    interop::expect(error == websocket::error::closed, "not closed: " + error.message());
    interop::expect_close(ws.reason().code, {ws.reason().reason.data(), ws.reason().reason.size()}, code);
  }

  asio::io_context context_;
  asio::ssl::context tls_{asio::ssl::context::tls_client};
  std::string host_, port_;
  bool secure_ = false;
  bool deflate_;
};

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 2) throw std::invalid_argument("the role has to be given");
  options o;
  for (int i = 2; i < argc; ++i) {
    const std::string option = argv[i];
    if (option == "--deflate") {
      o[option];
    } else if (i + 1 < argc) {
      o[option] = argv[++i];
    }
  }
  if (argv[1] == std::string_view("server")) {
    run_server(o);
  } else {
    client(o).run();
  }
} catch (const std::exception& e) {
  std::fprintf(stderr, "beast_peer: %s\n", e.what());
  return 1;
}
