// What a page may say to the chat server: one JSON object in each text message.
//
//   {"type":"join_room","room":"lobby","name":"Ada"}      enters a room, and leaves the one before
//   {"type":"room_message","id":"1f2e","text":"hello"}    to all in the room, the sender included
//   {"type":"typing_indicator"}                           to the others in the room
//   {"type":"leave_room"}
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>

namespace chat {

/// 1 to 100 of the characters a-z A-Z 0-9 _ -
struct join_room {
  std::string room;
  std::string name;
};

/// `id` is the sender's: with it a page knows its own message when it comes back, and shows a message that
/// was sent again only once.
struct room_message {
  std::string id;
  std::string text;
};

struct typing_indicator {};
struct leave_room {};

using client_message = std::variant<join_room, room_message, typing_indicator, leave_room>;

/// What is wrong with a message, for the one who sent it.
class bad_message : public std::runtime_error {
 public:
  bad_message(std::string_view code, const std::string& text) : std::runtime_error(text), code_(code) {}

  /// For programs, such as `bad_name`; what() is for people.
  std::string_view code() const noexcept { return code_; }

 private:
  std::string_view code_;  // a literal
};

/// Reads a message and checks each of its members. Throws bad_message.
client_message parse_client_message(std::string_view json);

/// Checks what a page wants to join, wherever it said so. Throws bad_message.
join_room checked(join_room wanted);

}  // namespace chat
