#include "options.hpp"

#include <charconv>
#include <stdexcept>
#include <string_view>

const char* const usage = R"(usage: fairlead-cli [options] URL

Connects to a WebSocket server at ws:// or wss://, sends each line of the input as a text
message, and prints the messages that come. Ctrl-C closes; so does the end of the input,
once nothing has come for a second.

  --file PATH             sends this file as a message, in place of the input's lines;
                          binary; may be given several times
  --text                  sends the files as text
  --ping                  sends a ping each second, in place of the input, and prints how
                          long its pong took; with --count N so many
  --count N               closes when N messages have come, whenever that is
  --wait SECONDS          how long it stays without a message when all is sent
  --header 'NAME: VALUE'  one more field of the request, such as Authorization
  --subprotocol NAME      offers a sub-protocol, the preferred one first
  --deflate               offers compression
  --ca FILE               trusts the certificates that these authorities issued, in PEM
  --pin PIN               takes only this key: the SHA-256 of the public key in base64
  --insecure              takes any certificate: anybody can pose as the server then
  --proxy HOST:PORT       connects through an HTTP proxy
  --timeout SECONDS       for each stage of connecting; 10 unless given

The exit status is 0 when the server closed with 1000, 1001, 1012 or no code, or agreed to
close; 1 otherwise, and then the error output says why.
)";

namespace {

template <class Number>
Number number_of(std::string_view option, std::string_view text) {
  Number n{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw std::invalid_argument(std::string(option) + " wants a number, not '" + std::string(text) + "'");
  }
  return n;
}

std::chrono::milliseconds seconds_of(std::string_view option, std::string_view text) {
  const double seconds = number_of<double>(option, text);
  if (!(seconds >= 0 && seconds <= 1e9)) throw std::invalid_argument(std::string(option) + " wants seconds");
  return std::chrono::milliseconds(static_cast<long long>(seconds * 1000));
}

fairlead::header_field field_of(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) throw std::invalid_argument("--header wants 'NAME: VALUE'");
  return {std::string(text.substr(0, colon)),
          std::string(fairlead::trim_white_space(text.substr(colon + 1)))};
}

fairlead::http_proxy proxy_of(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) throw std::invalid_argument("--proxy wants HOST:PORT");
  std::string_view host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return {.host = std::string(host), .port = number_of<std::uint16_t>("--proxy", text.substr(colon + 1))};
}

}  // namespace

std::optional<options> parse(int argc, char** argv) {
  options result;
  fairlead::tls_client_options tls;
  fairlead::client_options& client = result.client;
  client.session.connection.max_message_size = 64 * 1024 * 1024;
  for (int i = 1; i < argc; ++i) {
    const std::string_view option = argv[i];
    if (option == "--help" || option == "-h") return std::nullopt;
    if (option == "--text") {
      result.files_are_text = true;
    } else if (option == "--ping") {
      result.ping = true;
    } else if (option == "--deflate") {
      client.session.deflate.enabled = true;
    } else if (option == "--insecure") {
      tls.verify = false;
    } else if (!option.starts_with('-')) {
      if (!result.url.empty()) throw std::invalid_argument("there is more than one URL");
      result.url = option;
    } else if (i + 1 == argc) {
      throw std::invalid_argument("there is no option '" + std::string(option) + "', or it wants a value");
    } else {
      const std::string_view value = argv[++i];
      if (option == "--file") {
        result.files.emplace_back(value);
      } else if (option == "--count") {
        result.count = number_of<std::size_t>(option, value);
      } else if (option == "--wait") {
        result.wait = seconds_of(option, value);
      } else if (option == "--header") {
        client.fields.push_back(field_of(value));
      } else if (option == "--subprotocol") {
        client.session.subprotocols.emplace_back(value);
      } else if (option == "--ca") {
        tls.authorities = value;
      } else if (option == "--pin") {
        tls.pins.emplace_back(value);
      } else if (option == "--proxy") {
        client.proxy = proxy_of(value);
      } else if (option == "--timeout") {
        const std::chrono::milliseconds t = seconds_of(option, value);
        client.deadlines = {.resolve = t, .connect = t, .proxy = t, .tls = t, .handshake = t};
      } else {
        throw std::invalid_argument("there is no option '" + std::string(option) + "'");
      }
    }
  }
  if (result.url.empty()) throw std::invalid_argument("the URL is missing");
  client.tls = fairlead::tls_client_context(std::move(tls));
  return result;
}
