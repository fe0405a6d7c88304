#include <fairlead.hpp>
#include <fairlead/json_writer.hpp>
#include <fairlead/wire/utf8.hpp>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// Everybody who is here. All of it happens on the server's one thread, and needs no lock.
class room {
 public:
  void enter(fairlead::session ws, std::string name) {
    visitors_.push_back({ws, name});
    tell_all(name, "came in");
  }

  void say(const fairlead::session& ws, std::string_view text) { tell_all(visitor_of(ws)->name, text); }

  void leave(const fairlead::session& ws) {
    const auto gone = visitor_of(ws);
    const std::string name = gone->name;
    visitors_.erase(gone);
    tell_all(name, "went out");
  }

 private:
  struct visitor {
    fairlead::session ws;
    std::string name;
  };

  std::vector<visitor>::iterator visitor_of(const fairlead::session& ws) {
    return std::ranges::find(visitors_, ws, &visitor::ws);
  }

  void tell_all(std::string_view name, std::string_view text) {
    fairlead::json_writer json;
    json.begin_object().member("name", name).member("text", text).end_object();
    const fairlead::message m = fairlead::message_view(json.text()).keep();  // one copy, shared by all
    for (const visitor& v : visitors_) v.ws.try_send(m);
  }

  std::vector<visitor> visitors_;
};

// A message's text is UTF-8 when it gets here. What stands in a URL may be anything.
std::string name_in(const fairlead::request& head) {
  const std::string name = head.query("name").value_or("");
  const bool is_good =
      !name.empty() && name.size() <= 40 && fairlead::is_valid_utf8(std::as_bytes(std::span(name)));
  return is_good ? name : "somebody";
}

int main(int argc, char** argv) try {
  const std::string page = argc > 1 ? argv[1] : "page";

  room here;
  fairlead::server server({.address = "127.0.0.1", .port = 9003});
  fairlead::handlers chat;
  chat.on_open = [&](fairlead::session& ws, const fairlead::request& head) { here.enter(ws, name_in(head)); };
  chat.on_message = [&](fairlead::session& ws, fairlead::message_view m) { here.say(ws, m.text()); };
  chat.on_close = [&](fairlead::session& ws, const fairlead::close_info&) { here.leave(ws); };
  server.route("/chat", chat);
  server.files("/", page);
  server.listen();
  std::printf("own_chat: http://127.0.0.1:%u/\n", unsigned{server.port()});
  std::fflush(stdout);
  server.run();
} catch (const std::exception& e) {
  std::fprintf(stderr, "own_chat: %s\n", e.what());
  return 1;
}
