// What is demanded of a request's head (RFC 9112, RFC 6455 section 4.2.1), for any bytes and small and large limits:
// - cut into any pieces it gives the same result, error, number of bytes and request as whole;
// - one that is accepted is within the limits, ends where its empty line does, has one host, and written again from
//   what the request says reads as the same request;
// - every field and every name of the query is found, and the path holds no NUL;
// - what check_upgrade() accepts can be answered with a 101, and what it refuses with an error.
// An exception ends the program, and so does a read outside the piece given.
//
// Aims at: handshake/impl/request_parser.ipp handshake/impl/request_head.ipp handshake/impl/request.ipp
// Aims at: handshake/impl/head_reader.ipp
// Aims at: handshake/impl/percent_encoding.ipp handshake/impl/host.ipp handshake/impl/http_field.ipp
// Aims at: handshake/impl/upgrade.ipp handshake/impl/subprotocol.ipp handshake/impl/accept_key.ipp

#include <fairlead/handshake/request_parser.hpp>
#include <fairlead/handshake/response.hpp>
#include <fairlead/handshake/subprotocol.hpp>
#include <fairlead/handshake/upgrade.hpp>

#include <fuzz/support/head.hpp>
#include <fuzz/support/input.hpp>

#include <set>
#include <string>

using namespace fairlead;
using fuzz::demand;

namespace {

/// The head that says what the request says.
std::string written_again(const request& head) {
  std::string text(head.method());
  text.append(" ").append(head.target()).append(" HTTP/1.1\r\n");
  return text + fuzz::written_fields(head.fields());
}

void check_lookup(const request& head) {
  std::size_t hosts = 0;
  for (const http_field& field : head.fields()) {
    demand(is_token(field.name) && is_field_value(field.value), "a field is a token and a value");
    demand(head.field(field.name).has_value() && head.count(field.name) >= 1, "every field is found");
    if (equals_ignoring_case(field.name, "host")) {
      ++hosts;
      demand(field.value == head.host(), "the host is that of its field");
    }
  }
  demand(hosts == 1, "there is one host");
  demand(head.field("Sec-WebSocket-Key").has_value() == (head.count("sec-websocket-KEY") != 0),
         "names are looked up in any case");
  demand(head.path().starts_with('/') && head.path().find('\0') == std::string_view::npos,
         "the path is one, without NUL");

  std::string_view rest = head.query_string();
  while (!rest.empty()) {
    const std::string_view pair = rest.substr(0, rest.find('&'));
    const auto name = detail::percent_decode(pair.substr(0, pair.find('=')), detail::plus_sign::is_space);
    demand(name.has_value(), "what was accepted can be decoded");
    demand(pair.empty() || head.query(*name).has_value(), "every name of the query is found");
    rest.remove_prefix(std::min(pair.size() + 1, rest.size()));
  }
  demand(!head.query("no such name, for it was never percent-encoded\x01").has_value(),
         "no other name is found");
}

void check_answer(const request& head) {
  const upgrade_request upgrade = check_upgrade(head);
  if (upgrade.error != errc::ok) {
    demand(upgrade.key.empty() && upgrade.subprotocols.empty() && upgrade.extensions.empty(),
           "nothing is left of what was refused");
    demand(encode(error_response(upgrade.error)).error == errc::ok, "a refusal can be sent");
    return;
  }
  demand(wants_upgrade(head) && head.method() == "GET" && is_websocket_key(upgrade.key) &&
             head.count("Sec-WebSocket-Key") == 1 && head.field("Sec-WebSocket-Version") == "13",
         "what is accepted is an upgrade");
  const std::set<std::string_view> names(upgrade.subprotocols.begin(), upgrade.subprotocols.end());
  demand(names.size() == upgrade.subprotocols.size(), "sub-protocols differ");
  std::vector<std::string> supported{"chat"};
  for (const std::string_view name : names) supported.emplace_back(name);
  const auto chosen = choose_subprotocol(upgrade.subprotocols, supported);
  demand(chosen.has_value() == !names.empty() && (!chosen || names.contains(*chosen)),
         "one that was offered is chosen");
  demand(encode(upgrade_response(upgrade.key, chosen.value_or(""))).error == errc::ok,
         "an upgrade can be sent");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::input in(data, size);
  const head_limits limits = fuzz::choose_head_limits(in);
  fuzz::splits pieces(in);
  const auto bytes = in.rest();

  const auto whole = fuzz::parse_head(request_parser(limits), bytes);
  const auto cut =
      fuzz::parse_head(request_parser(limits), bytes, [&](std::size_t left) { return pieces.next(left); });
  demand(cut.result == whole.result, "pieces give the same result");
  if (whole.result.state != parse_state::done) return 0;
  demand(written_again(cut.head) == written_again(whole.head), "pieces give the same request");

  const std::string_view used = fuzz::text_of(bytes.first(whole.result.consumed));
  demand(used.ends_with("\r\n\r\n"), "a head ends with its empty line");
  demand(used.size() <= limits.max_head_size + 2 && whole.head.fields().size() <= limits.max_fields,
         "what is accepted is within the limits");
  const std::string again = written_again(whole.head);
  // Without the limits: it may be longer by the white space that was left out.
  const head_limits none{.max_head_size = SIZE_MAX, .max_line_size = SIZE_MAX};
  const auto second = fuzz::parse_head(request_parser(none), fuzz::bytes_of(again));
  demand(second.result == parse_result{parse_state::done, errc::ok, again.size()},
         "written again it is accepted");
  demand(written_again(second.head) == again && second.head.path() == whole.head.path() &&
             second.head.host() == whole.head.host(),
         "and is the same request");

  request moved = std::move(const_cast<request&>(whole.head));
  check_lookup(moved);
  check_answer(moved);
  moved.set_params({{"room", "7"}});
  demand(moved.param("room") == "7" && moved.param("other").empty(), "the router's parameters are found");
  return 0;
}
