#include "client_message.hpp"

#include <fairlead/wire/utf8.hpp>

#include <simdjson.h>

#include <algorithm>
#include <cstddef>
#include <span>

namespace chat {
namespace {

constexpr std::size_t max_room_length = 100;
constexpr std::size_t max_name_length = 40;
constexpr std::size_t max_text_length = 10'000;
constexpr std::size_t max_id_length = 64;

// Lengths are in characters, as people count them, not in bytes.
std::size_t length_of(std::string_view utf8) {
  return static_cast<std::size_t>(std::ranges::count_if(utf8, [](char c) { return (c & 0xC0) != 0x80; }));
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }

bool is_room_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

std::string string_member(const simdjson::dom::object& object, std::string_view name) {
  std::string_view value;
  if (object[name].get(value) != simdjson::SUCCESS) {
    throw bad_message("bad_message", "The member \"" + std::string(name) + "\" has to be a string.");
  }
  return std::string(value);
}

room_message checked(room_message m) {
  const std::size_t length = length_of(m.text);
  if (length == 0) throw bad_message("bad_text", "A message needs a text.");
  if (length > max_text_length) throw bad_message("bad_text", "A message has at most 10,000 characters.");
  if (m.id.empty() || m.id.size() > max_id_length) {
    throw bad_message("bad_id", "A message's id has 1 to 64 bytes.");
  }
  return m;
}

}  // namespace

join_room checked(join_room wanted) {
  if (wanted.room.empty() || wanted.room.size() > max_room_length ||
      !std::ranges::all_of(wanted.room, is_room_character)) {
    throw bad_message("bad_room", "A room's name has 1 to 100 letters a-z, digits, - or _.");
  }
  // A name from a URL is not known to be UTF-8 yet, and goes into the text messages of others.
  if (!fairlead::is_valid_utf8(std::as_bytes(std::span(wanted.name))) || wanted.name.empty() ||
      length_of(wanted.name) > max_name_length || std::ranges::any_of(wanted.name, is_control)) {
    throw bad_message("bad_name", "A name has 1 to 40 characters.");
  }
  return wanted;
}

client_message parse_client_message(std::string_view json) {
  thread_local simdjson::dom::parser parser;
  simdjson::dom::object object;
  if (parser.parse(json.data(), json.size()).get(object) != simdjson::SUCCESS) {
    throw bad_message("bad_message", "A message has to be a JSON object.");
  }
  const std::string type = string_member(object, "type");
  if (type == "room_message")
    return checked(room_message{string_member(object, "id"), string_member(object, "text")});
  if (type == "typing_indicator") return typing_indicator{};
  if (type == "join_room")
    return checked(join_room{string_member(object, "room"), string_member(object, "name")});
  if (type == "leave_room") return leave_room{};
  throw bad_message("unknown_type", "There is no such type of message.");
}

}  // namespace chat
