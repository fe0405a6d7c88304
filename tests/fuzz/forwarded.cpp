// What is demanded of who a request comes from, for any fields that name proxies:
// - from a peer that is not trusted it comes from that peer, whatever it says;
// - else a list gives what the plainest walk over it from the right gives, and Forwarded what the plainest reading of
//   its grammar gives;
// - a field more at the left changes nothing once a client is found.
// An exception ends the program, and so does a read outside a field.
//
// Aims at: guard/impl/trusted_proxies.ipp guard/impl/forwarded.ipp guard/impl/ip_network.ipp impl/peer_address.ipp

#include <fairlead/guard/detail/forwarded.hpp>
#include <fairlead/guard/trusted_proxies.hpp>

#include <fuzz/support/input.hpp>

#include <array>
#include <deque>
#include <optional>
#include <string>
#include <vector>

using namespace fairlead;
using fuzz::demand;

namespace {

using strings = std::vector<std::string>;

std::string trimmed(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  return begin == std::string::npos ? "" : text.substr(begin, text.find_last_not_of(" \t") + 1 - begin);
}

/// Cut at each `separator` that is in no quoted string, if those are known.
strings cut(const std::string& text, char separator, bool knows_quotes) {
  strings parts(1);
  bool is_quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (knows_quotes && is_quoted && text[i] == '\\' && i + 1 < text.size()) {
      parts.back() += text[i++];
    } else if (knows_quotes && text[i] == '"') {
      is_quoted = !is_quoted;
    } else if (text[i] == separator && !is_quoted) {
      parts.emplace_back();
      continue;
    }
    parts.back() += text[i];
  }
  for (std::string& part : parts) part = trimmed(part);
  return parts;
}

struct plain_element {
  std::optional<std::string> node;
  std::optional<std::string> proto;
};

bool is_quoted_string(const std::string& text) {
  if (text.size() < 2 || text.front() != '"' || text.back() != '"') return false;
  for (std::size_t i = 1; i + 1 < text.size(); ++i) {
    if (text[i] == '"') return false;
    if (text[i] == '\\' && ++i + 1 == text.size()) return false;
  }
  return true;
}

/// Nothing for what breaks the grammar.
std::optional<std::vector<plain_element>> plain_forwarded(const std::string& value) {
  std::vector<plain_element> elements;
  for (const std::string& text : cut(value, ',', true)) {
    plain_element element;
    for (const std::string& pair : cut(text, ';', true)) {
      if (pair.empty()) continue;
      const std::size_t equals = pair.find('=');
      if (equals == std::string::npos || !is_token(pair.substr(0, equals))) return std::nullopt;
      std::string content = pair.substr(equals + 1);
      if (is_quoted_string(content)) {
        content = content.substr(1, content.size() - 2);
      } else if (!is_token(content)) {
        return std::nullopt;
      }
      for (auto [name, to] : {std::pair{"for", &element.node}, std::pair{"proto", &element.proto}}) {
        if (!equals_ignoring_case(pair.substr(0, equals), name)) continue;
        if (to->has_value()) return std::nullopt;
        *to = content;
      }
    }
    elements.push_back(element);
  }
  return elements;
}

void check_forwarded(const std::string& value) {
  std::array<detail::forwarded_element, 3> last;
  const fuzz::exact_copy exact(fuzz::bytes_of(value));
  const std::size_t count = detail::read_forwarded(exact.text(), last);
  const auto plain = plain_forwarded(value);
  demand(count == (plain ? plain->size() : 0), "an element is one that the grammar allows");
  for (std::size_t i = count < last.size() ? 0 : count - last.size(); i < count; ++i) {
    demand(last[i % 3].node == (*plain)[i].node.value_or(""), "the node is as written");
    demand(last[i % 3].proto == (*plain)[i].proto.value_or(""), "and so is the protocol");
  }
}

peer_address plain_walk(const trusted_proxies& trusted, const peer_address& peer, const strings& list) {
  peer_address client = peer;
  std::size_t hops = 0;
  for (std::size_t i = list.size();
       i-- > 0 && hops++ < trusted_proxies::max_hops && trusted.trusts(client);) {
    const auto next = parse_address(list[i]);
    if (!next) break;
    client = *next;
  }
  return client;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::input in(data, size);
  const auto header = static_cast<forwarded_header>(in.number(2));
  const bool secure = in.flag();
  const trusted_proxies trusted = trusted_proxies(header).trust("10.0.0.0/8").trust("::1").trust("fd00::/8");

  // Lines of `name: value`; a line without a name is one of the field that is read.
  constexpr std::string_view names[] = {"X-Forwarded-For", "Forwarded", "X-Real-IP"};
  std::deque<fuzz::exact_copy> owned;
  std::vector<http_field> fields;
  for (const std::string& line : cut(std::string(fuzz::text_of(in.rest())), '\n', false)) {
    const std::size_t colon = line.find(": ");
    const bool is_named = colon != std::string::npos && is_token(line.substr(0, colon));
    const std::string name = is_named ? line.substr(0, colon) : std::string(names[static_cast<int>(header)]);
    owned.emplace_back(fuzz::bytes_of(name));
    const std::string value = trimmed(is_named ? line.substr(colon + 2) : line);
    owned.emplace_back(fuzz::bytes_of(value));
    fields.push_back({owned[owned.size() - 2].text(), owned.back().text()});
    check_forwarded(value);
  }

  const peer_address stranger = parse_address("192.0.2.99:4711").value();
  demand(trusted.client_of(stranger, secure, fields) == client_side{stranger, secure},
         "a stranger is not believed");
  const peer_address proxy = parse_address("10.0.0.1:4711").value();
  const client_side client = trusted.client_of(proxy, secure, fields);
  demand(client.address == proxy || client.address.family == peer_address::kind::ipv4 ||
             client.address.family == peer_address::kind::ipv6,
         "a client has an address");

  strings list;
  bool is_broken = false;
  std::size_t count = 0;
  for (std::size_t i = fields.size(); i-- > 0 && !is_broken;) {
    if (!equals_ignoring_case(fields[i].name, names[static_cast<int>(header)])) continue;
    ++count;
    strings parts;
    if (header == forwarded_header::x_forwarded_for) parts = cut(std::string(fields[i].value), ',', false);
    if (header == forwarded_header::x_real_ip) parts = {std::string(fields[i].value)};
    if (header == forwarded_header::forwarded) {
      const auto elements = plain_forwarded(std::string(fields[i].value));
      is_broken = !elements;
      if (elements) {
        for (const plain_element& e : *elements) parts.push_back(e.node.value_or(""));
      }
    }
    list.insert(list.begin(), parts.begin(), parts.end());
  }
  if (is_broken) list.insert(list.begin(), "broken");
  if (header == forwarded_header::x_real_ip && count != 1) list.clear();
  demand(client.address == plain_walk(trusted, proxy, list), "the client is whom the plain walk finds");

  if (trusted.trusts(client.address) || header == forwarded_header::x_real_ip) return 0;
  fields.insert(fields.begin(), {names[static_cast<int>(header)], "203.0.113.1"});
  demand(trusted.client_of(proxy, secure, fields) == client, "what stands further left changes nothing");
  return 0;
}
