#include "test_case.hpp"

#include <map>

namespace conformance {
namespace {

event_kind kind_of(unsigned opcode) {
  switch (opcode) {
    case opcodes::text: return event_kind::text;
    case opcodes::binary: return event_kind::binary;
    case opcodes::ping: return event_kind::ping;
    default: return event_kind::pong;
  }
}

}  // namespace

test_case& test_case::allow(verdict v, const std::vector<frame>& frames) {
  outcome o{v, {}};
  for (const frame& f : frames) o.events.push_back({kind_of(f.opcode), f.payload});
  outcomes.push_back(std::move(o));
  return *this;
}

test_case& test_case::allow_pauses(verdict v, const std::vector<std::string>& names) {
  outcome o{v, {}};
  for (const std::string& name : names) o.events.push_back({event_kind::pause, name});
  outcomes.push_back(std::move(o));
  return *this;
}

std::string name_of(verdict v) {
  switch (v) {
    case verdict::ok: return "OK";
    case verdict::non_strict: return "NON-STRICT";
    case verdict::informational: return "INFORMATIONAL";
    case verdict::failed: return "FAILED";
    default: return "UNIMPLEMENTED";
  }
}

std::string describe(const event& e) {
  switch (e.kind) {
    case event_kind::text: return describe(opcodes::text, true, 0, e.payload.bytes());
    case event_kind::binary: return describe(opcodes::binary, true, 0, e.payload.bytes());
    case event_kind::ping: return describe(opcodes::ping, true, 0, e.payload.bytes());
    case event_kind::pong: return describe(opcodes::pong, true, 0, e.payload.bytes());
    default: return "open after pause " + e.payload.bytes();
  }
}

std::string chapter_of(std::string_view id) { return std::string(id.substr(0, id.find('.'))); }

std::string title_of_chapter(std::string_view chapter) {
  static const std::map<std::string_view, std::string> titles{
      {"1", "Framing"},
      {"2", "Pings and pongs"},
      {"3", "Reserved bits"},
      {"4", "Opcodes"},
      {"5", "Fragmentation"},
      {"6", "UTF-8"},
      {"7", "Close handling"},
      {"9", "Limits and performance"},
      {"10", "Auto-fragmentation"},
      {"12", "Compression: payloads"},
      {"13", "Compression: parameters"},
  };
  return titles.at(chapter);
}

bool matches(std::string_view pattern, std::string_view id) {
  if (!pattern.ends_with('*')) return pattern == id;
  return id.starts_with(pattern.substr(0, pattern.size() - 1));
}

}  // namespace conformance
