// Echo with every way to compress, a route for each: what a client may meet, in one process.
//
//   deflate_server --port PORT [--libdeflate]
//
// --libdeflate sets use_libdeflate on all of them.
//
//   /                        an empty page
//   /default                 what echo_server --deflate does
//   /SEND/RECEIVE/ST/RT      windows of SEND (9 to 15) and RECEIVE (8 to 15) bits, send_takeover ST and
//                            receive_takeover RT (0 or 1); every message is compressed that is not empty
//   /level/LEVEL/MEMORY      zlib's level and memory level, both 1 to 9, with takeover both ways
#include <fairlead.hpp>

#include <charconv>
#include <cstdio>
#include <initializer_list>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

namespace {

void add_echo(fairlead::server& server, const std::string& path, const fairlead::deflate_options& deflate) {
  fairlead::session_options options;
  options.connection.max_message_size = 16 * 1024 * 1024;
  options.deflate = deflate;
  const auto echo = [](fairlead::session ws) -> asio::awaitable<void> {
    while (auto message = co_await ws.receive()) co_await ws.send(*message);
  };
  server.route(path, echo, options);
}

std::string path_of(std::initializer_list<int> numbers) {
  std::string path;
  for (const int n : numbers) path.append("/").append(std::to_string(n));
  return path;
}

void add_windows(fairlead::server& server, std::uint8_t send, std::uint8_t receive, bool libdeflate) {
  for (const bool send_takeover : {false, true}) {
    for (const bool receive_takeover : {false, true}) {
      add_echo(server, path_of({send, receive, send_takeover, receive_takeover}),
               {.enabled = true,
                .send_window_bits = send,
                .send_takeover = send_takeover,
                .receive_window_bits = receive,
                .receive_takeover = receive_takeover,
                .use_libdeflate = libdeflate,
                .min_size = 1});
    }
  }
}

void add_routes(fairlead::server& server, bool libdeflate) {
  add_echo(server, "/default", {.enabled = true, .use_libdeflate = libdeflate});
  for (std::uint8_t send = fairlead::min_send_window_bits; send <= fairlead::max_window_bits; ++send) {
    for (std::uint8_t receive = fairlead::min_window_bits; receive <= fairlead::max_window_bits; ++receive) {
      add_windows(server, send, receive, libdeflate);
    }
  }
  for (int level = 1; level <= 9; ++level) {
    for (int memory_level = 1; memory_level <= 9; ++memory_level) {
      add_echo(server, std::string("/level").append(path_of({level, memory_level})),
               {.enabled = true,
                .send_takeover = true,
                .receive_takeover = true,
                .use_libdeflate = libdeflate,
                .min_size = 1,
                .level = level,
                .memory_level = memory_level});
    }
  }
}

struct settings {
  std::uint16_t port = 0;
  bool libdeflate = false;
};

settings settings_of(std::span<char*> arguments) {
  settings s;
  s.libdeflate = arguments.size() == 4 && arguments[3] == std::string_view("--libdeflate");
  if (arguments.size() != (s.libdeflate ? 4 : 3) || arguments[1] != std::string_view("--port"))
    throw std::invalid_argument("--port has to be given");
  const std::string_view text = arguments[2];
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), s.port);
  if (error != std::errc() || end != text.data() + text.size())
    throw std::invalid_argument("--port wants a number");
  return s;
}

}  // namespace

int main(int argc, char** argv) try {
  const settings s = settings_of({argv, static_cast<std::size_t>(argc)});
  fairlead::server server({.address = "127.0.0.1", .port = s.port});
  add_routes(server, s.libdeflate);
  server.get("/", [](const fairlead::request&) {
    return fairlead::text_response(fairlead::http_status::ok, "<!doctype html>\n",
                                   "text/html; charset=utf-8");
  });
  server.listen();
  std::printf("deflate_server: listening on http://127.0.0.1:%u/\n", unsigned{server.port()});
  std::fflush(stdout);
  server.run();
} catch (const std::exception& e) {
  std::fprintf(stderr, "deflate_server: %s\n", e.what());
  return 1;
}
