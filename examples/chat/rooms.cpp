#include "rooms.hpp"

#include <fairlead/json_writer.hpp>

#include <chrono>

namespace chat {
namespace {

using fairlead::json_writer;

json_writer begin(const char* type) {
  json_writer json;
  json.begin_object().member("type", type);
  return json;
}

// Who does not keep up is closed, and comes back; until then neither queue nor kernel hold much for it.
constexpr fairlead::message_class talk{.policy = fairlead::slow_policy::disconnect};

// That somebody writes is news for a moment only: who is slow need not read it later.
constexpr fairlead::message_class passing{.policy = fairlead::slow_policy::expire,
                                          .ttl = std::chrono::seconds(3)};

// Ends the object and sends it: encoded once, shared by all it goes to.
void tell_all(const std::vector<visitor*>& members, json_writer json, const visitor* except = nullptr,
              const fairlead::message_class& kind = talk) {
  const fairlead::message m = fairlead::message_view(json.end_object().text()).keep();
  for (const visitor* member : members) {
    if (member != except) member->tell(m, kind);
  }
}

std::int64_t milliseconds_since_1970() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

}  // namespace

visitor::~visitor() { rooms_.leave(*this); }

void visitor::handle(const client_message& asked) {
  struct {
    visitor& self;
    void operator()(const join_room& wanted) const { self.rooms_.enter(self, wanted); }
    void operator()(const room_message& said) const { self.rooms_.say(self, said); }
    void operator()(typing_indicator) const { self.rooms_.type(self); }
    void operator()(leave_room) const {
      json_writer left = begin("room_left");
      left.member("room", self.room_);
      self.rooms_.leave(self);
      self.tell(left.end_object().text());
    }
  } answer{*this};
  std::visit(answer, asked);
}

void rooms::enter(visitor& who, const join_room& wanted) {
  leave(who);
  members& there = rooms_[wanted.room];
  there.push_back(&who);
  who.id_ = ++last_id_;
  who.name_ = wanted.name;
  who.room_ = wanted.room;

  json_writer joined = begin("room_joined");
  joined.member("room", who.room_).member("id", who.id_).key("members").begin_array();
  for (const visitor* member : there) {
    joined.begin_object().member("id", member->id_).member("name", member->name_).end_object();
  }
  joined.end_array();
  who.tell(joined.end_object().text());

  json_writer notice = begin("user_joined");
  notice.member("id", who.id_).member("name", who.name_).member("count", there.size());
  tell_all(there, std::move(notice), &who);
}

void rooms::leave(visitor& who) {
  const auto found = rooms_.find(who.room_);
  if (found == rooms_.end()) return;
  who.room_.clear();
  members& left = found->second;
  std::erase(left, &who);
  if (left.empty()) {
    rooms_.erase(found);
    return;
  }
  json_writer notice = begin("user_left");
  notice.member("id", who.id_).member("name", who.name_).member("count", left.size());
  tell_all(left, std::move(notice));
}

void rooms::say(const visitor& who, const room_message& said) const {
  json_writer json = begin("room_message");
  json.member("from", who.id_).member("name", who.name_);
  json.member("id", said.id).member("text", said.text).member("at", milliseconds_since_1970());
  tell_all(room_of(who), std::move(json));
}

void rooms::type(const visitor& who) const {
  json_writer json = begin("typing_indicator");
  json.member("from", who.id_).member("name", who.name_);
  tell_all(room_of(who), std::move(json), &who, passing);
}

const rooms::members& rooms::room_of(const visitor& who) const {
  const auto found = rooms_.find(who.room_);
  if (found == rooms_.end()) throw bad_message("not_in_a_room", "Join a room first.");
  return found->second;
}

std::string error_text(const bad_message& mistake) {
  json_writer json = begin("error");
  json.member("code", mistake.code()).member("text", mistake.what());
  return json.end_object().text();
}

}  // namespace chat
