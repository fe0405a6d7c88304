#include "expected.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>

namespace conformance {
namespace {

verdict verdict_of(const std::string& name) {
  for (const verdict v :
       {verdict::ok, verdict::non_strict, verdict::informational, verdict::failed, verdict::unimplemented}) {
    if (name_of(v) == name) return v;
  }
  throw std::runtime_error("'" + name + "' is no verdict");
}

std::vector<side> roles_of(const std::string& name) {
  if (name == "server") return {side::server};
  if (name == "client") return {side::client};
  if (name == "both") return {side::server, side::client};
  throw std::runtime_error("'" + name + "' is neither server, client nor both");
}

}  // namespace

expectations expectations::parse(std::string_view text) {
  expectations all;
  std::istringstream lines{std::string(text)};
  std::string words;
  for (int number = 1; std::getline(lines, words); ++number) {
    std::istringstream in(words.substr(0, words.find('#')));
    std::string pattern, role, name, rest;
    if (!(in >> pattern)) continue;
    try {
      if (!(in >> role >> name) || in >> rest)
        throw std::runtime_error("a line is a pattern, a role and a verdict");
      all.rules_.push_back({pattern, roles_of(role), verdict_of(name)});
    } catch (const std::runtime_error& e) {
      throw std::runtime_error("line " + std::to_string(number) + ": " + e.what());
    }
  }
  return all;
}

expectations expectations::load(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error(path + " cannot be read");
  try {
    return parse(std::string(std::istreambuf_iterator<char>(file), {}));
  } catch (const std::runtime_error& e) {
    throw std::runtime_error(path + ", " + e.what());
  }
}

verdict expectations::of(std::string_view id, side role) const {
  for (auto r = rules_.rbegin(); r != rules_.rend(); ++r) {
    if (matches(r->pattern, id) && std::ranges::find(r->roles, role) != r->roles.end()) return r->v;
  }
  throw std::runtime_error("nothing is expected of case " + std::string(id));
}

}  // namespace conformance
