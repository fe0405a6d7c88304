// Who is in which room, and what they are told. Each is one JSON object in a text message:
//
//   {"type":"room_joined","room":"lobby","id":7,"members":[{"id":3,"name":"Grace"},{"id":7,"name":"Ada"}]}
//   {"type":"room_left","room":"lobby"}
//   {"type":"user_joined","id":7,"name":"Ada","count":2}
//   {"type":"user_left","id":7,"name":"Ada","count":1}
//   {"type":"room_message","from":7,"name":"Ada","id":"1f2e","text":"hello","at":1790000000000}
//   {"type":"typing_indicator","from":7,"name":"Ada"}
//   {"type":"error","code":"bad_name","text":"A name has 1 to 40 characters."}
//
// `from` and the `id` of a member are the connection's, for two people may have the same name; `count` is how
// many are in the room now; `at` is in milliseconds since 1970.
#pragma once

#include "client_message.hpp"

#include <fairlead.hpp>

#include <cstdint>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace chat {

class rooms;

/// One connection, in at most one room at a time, which it leaves when it goes. On the server's thread.
class visitor {
 public:
  visitor(rooms& all, fairlead::session ws) : rooms_(all), ws_(std::move(ws)) {}
  visitor(const visitor&) = delete;
  visitor& operator=(const visitor&) = delete;
  ~visitor();

  /// Does what the page asks for. Throws bad_message.
  void handle(const client_message& asked);

  void tell(fairlead::message_view m, const fairlead::message_class& kind = {}) const {
    ws_.try_send(m, kind);
  }

 private:
  friend class rooms;

  rooms& rooms_;
  fairlead::session ws_;
  std::uint64_t id_ = 0;
  std::string name_;
  std::string room_;  // empty while in none
};

/// The rooms that somebody is in.
class rooms {
 public:
  void enter(visitor& who, const join_room& wanted);
  void leave(visitor& who);
  void say(const visitor& who, const room_message& said) const;
  void type(const visitor& who) const;

 private:
  using members = std::vector<visitor*>;

  const members& room_of(const visitor& who) const;

  std::unordered_map<std::string, members> rooms_;
  std::uint64_t last_id_ = 0;
};

/// What a page is told of its mistake.
std::string error_text(const bad_message& mistake);

}  // namespace chat
