// Rooms in which people write to each other, and the page they do it at.
//
//   chat [--port PORT] [--address ADDRESS] [--page FOLDER]
//
// WebSocket at /chat, or at /chat?room=ROOM&name=NAME to be in a room at once; the page at /, the number of
// connections at /health. What is said on the WebSocket stands in client_message.hpp and rooms.hpp.
#include "rooms.hpp"

#include <fairlead.hpp>

#include <charconv>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <string_view>

namespace {

void answer(chat::visitor& visitor, const fairlead::message& m) try {
  visitor.handle(chat::parse_client_message(m.text()));
} catch (const chat::bad_message& mistake) {
  visitor.tell(chat::error_text(mistake));
}

void enter_by_query(chat::visitor& visitor, const fairlead::request& head) try {
  const auto room = head.query("room");
  if (room) visitor.handle(chat::checked(chat::join_room{*room, head.query("name").value_or("")}));
} catch (const chat::bad_message& mistake) {
  visitor.tell(chat::error_text(mistake));
}

asio::awaitable<void> serve(chat::rooms& rooms, fairlead::session ws, fairlead::request head) {
  chat::visitor visitor(rooms, ws);
  enter_by_query(visitor, head);
  while (const auto message = co_await ws.receive()) {
    if (message->kind() != fairlead::message_kind::text) {
      ws.try_close(fairlead::close_code::unsupported_data, "this server takes text only");
      co_return;
    }
    answer(visitor, *message);
  }
}

std::uint16_t port_of(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw std::invalid_argument("--port wants a number up to 65535, not '" + std::string(text) + "'");
  }
  return port;
}

}  // namespace

int main(int argc, char** argv) try {
  fairlead::server_options options{.address = "127.0.0.1", .port = 9002};
  std::string page = CHAT_PAGE;
  for (int i = 1; i < argc; i += 2) {
    const std::string_view option = argv[i];
    if (i + 1 == argc) throw std::invalid_argument(std::string(option) + " wants a value");
    const std::string_view value = argv[i + 1];
    if (option == "--port") {
      options.port = port_of(value);
    } else if (option == "--address") {
      options.address = value;
    } else if (option == "--page") {
      page = value;
    } else {
      throw std::invalid_argument("there is no option '" + std::string(option) + "'");
    }
  }

  chat::rooms rooms;
  fairlead::server server(options);
  server.route("/chat", [&rooms](fairlead::session ws, fairlead::request head) {
    return serve(rooms, std::move(ws), std::move(head));
  });
  server.health("/health");
  server.files("/", page);
  server.listen();
  std::printf("chat: listening on http://%s:%u/\n", options.address.c_str(), unsigned{server.port()});
  std::fflush(stdout);
  server.run();
} catch (const std::exception& e) {
  std::fprintf(stderr, "chat: %s\n", e.what());
  return 1;
}
