// Sends every message back to who sent it.
//
//   echo_server [--port PORT] [--address ADDRESS] [--max-message BYTES] [--files FOLDER] [--deflate]
//               [--certificate FILE --key FILE]
//
// With a certificate all of it is TLS: https and wss. WebSocket at /echo, a page to try it at /, the number of connections at /health.
#include <fairlead.hpp>

#include "page.hpp"

#include <charconv>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <string_view>

namespace {

asio::awaitable<void> echo(fairlead::session ws) {
  while (auto message = co_await ws.receive()) co_await ws.send(*message);
}

template <class Number>
Number number_of(std::string_view option, std::string_view text) {
  Number n{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw std::invalid_argument(std::string(option) + " wants a number, not '" + std::string(text) + "'");
  }
  return n;
}

}  // namespace

int main(int argc, char** argv) try {
  fairlead::server_options options{.address = "127.0.0.1", .port = 9001};
  fairlead::tls_certificate certificate;
  std::string folder;
  for (int i = 1; i < argc; ++i) {
    const std::string_view option = argv[i];
    if (option == "--deflate") {
      options.session.deflate.enabled = true;
      continue;
    }
    if (i + 1 == argc) throw std::invalid_argument(std::string(option) + " wants a value");
    const std::string_view value = argv[++i];
    if (option == "--port") {
      options.port = number_of<std::uint16_t>(option, value);
    } else if (option == "--address") {
      options.address = value;
    } else if (option == "--max-message") {
      options.session.connection.max_message_size = number_of<std::size_t>(option, value);
    } else if (option == "--files") {
      folder = value;
    } else if (option == "--certificate") {
      certificate.chain = value;
    } else if (option == "--key") {
      certificate.key = value;
    } else {
      throw std::invalid_argument("there is no option '" + std::string(option) + "'");
    }
  }

  if (!certificate.chain.empty()) options.tls = fairlead::tls_server_context({.certificates = {certificate}});

  fairlead::server server(options);
  server.route("/echo", echo);
  server.health("/health");
  server.get("/", [](const fairlead::request&) {
    return fairlead::text_response(fairlead::http_status::ok, std::string(page), "text/html; charset=utf-8");
  });
  if (!folder.empty()) server.files("/files/", folder);
  server.listen();
  std::printf("echo_server: listening on %s://%s:%u/\n", options.tls ? "https" : "http",
              options.address.c_str(), unsigned{server.port()});
  std::fflush(stdout);
  server.run();
} catch (const std::exception& e) {
  std::fprintf(stderr, "echo_server: %s\n", e.what());
  return 1;
}
