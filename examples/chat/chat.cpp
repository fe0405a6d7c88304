// Rooms in which people write to each other, and the page they do it at.
//
//   chat [--port PORT] [--address ADDRESS] [--page FOLDER]
//        [--per-address N]  at most N connections of one client address, and 120 new ones a minute
//        [--proxy NETWORK]  believes proxies there when they say who the client is; may be given several times
//        [--deflate]        compresses for clients that can
//
// WebSocket at /chat, or at /chat?room=ROOM&name=NAME to be in a room at once; the page at /, the number of
// connections at /health, what was refused and why at /counters. What is said on the WebSocket stands in
// client_message.hpp and rooms.hpp.
#include "rooms.hpp"

#include <fairlead.hpp>

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <span>
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

template <class Number>
Number number_in(std::string_view option, std::string_view text) {
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw std::invalid_argument(std::string(option) + " wants a number, in range, and not '" +
                                std::string(text) + "'");
  }
  return number;
}

struct settings {
  fairlead::server_options server{.address = "127.0.0.1", .port = 9002};
  std::string page = CHAT_PAGE;
};

// All clients together may hold so much in queues and unfinished messages, and be so many: the head of a request may
// have 16 KiB, and does not count for the budget. So the chat fits into 256 MiB.
void fit_into_256_mebibytes(fairlead::server_options& options) {
  constexpr std::size_t mebibyte = 1024 * 1024;
  options.session.budget = std::make_shared<fairlead::memory_budget>(
      fairlead::memory_budget::limits{.queues = 64 * mebibyte, .input = 32 * mebibyte});
  options.max_connections = 8000;
}

settings settings_in(std::span<char* const> words) {
  settings wanted;
  fit_into_256_mebibytes(wanted.server);
  wanted.server.session.incoming.messages = {.tokens = 50, .burst = 100};  // a second; who is faster waits
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::string_view option = words[i];
    const auto value = [&]() -> std::string_view {
      if (++i == words.size()) throw std::invalid_argument(std::string(option) + " wants a value");
      return words[i];
    };
    if (option == "--port") {
      wanted.server.port = number_in<std::uint16_t>(option, value());
    } else if (option == "--address") {
      wanted.server.address = value();
    } else if (option == "--page") {
      wanted.page = value();
    } else if (option == "--proxy") {
      wanted.server.proxies.trust(value());
    } else if (option == "--per-address") {
      wanted.server.address_limits.emplace().max_concurrent = number_in<std::size_t>(option, value());
    } else if (option == "--deflate") {
      wanted.server.session.deflate.enabled = true;
    } else {
      throw std::invalid_argument("there is no option '" + std::string(option) + "'");
    }
  }
  return wanted;
}

}  // namespace

int main(int argc, char** argv) try {
  const settings wanted = settings_in({argv, static_cast<std::size_t>(argc)});
  chat::rooms rooms;
  fairlead::server server(wanted.server);
  server.route("/chat", [&rooms](fairlead::session ws, fairlead::request head) {
    return serve(rooms, std::move(ws), std::move(head));
  });
  server.health("/health");
  server.get("/counters", [&server](const fairlead::request&) {
    return fairlead::text_response(fairlead::http_status::ok, to_json(server.counters()), "application/json");
  });
  server.files("/", wanted.page);
  server.listen();
  std::printf("chat: listening on http://%s:%u/\n", wanted.server.address.c_str(), unsigned{server.port()});
  std::fflush(stdout);
  server.run();
} catch (const std::exception& e) {
  std::fprintf(stderr, "chat: %s\n", e.what());
  return 1;
}
