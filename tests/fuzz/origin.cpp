// What is demanded of origins, for any text in the Origin and the Host of a request:
// - what is read as an origin is written as one that reads the same, in printable ASCII without quotes;
// - only the server's own origin passes by default, and each listed one does;
// - a refusal can be sent, and the fields that CORS adds can too;
// - an entry is taken or refused with std::invalid_argument, and one that is taken lets its own origin through.
// Another exception ends the program.
//
// Aims at: guard/impl/origin.ipp guard/impl/origin_policy.ipp guard/impl/cors_policy.ipp handshake/impl/host.ipp

#include <fairlead/guard/cors_policy.hpp>
#include <fairlead/guard/origin_policy.hpp>
#include <fairlead/handshake/request_parser.hpp>

#include <fuzz/support/input.hpp>

#include <algorithm>
#include <stdexcept>
#include <string>

using namespace fairlead;
using fuzz::demand;

namespace {

bool is_harmless(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return c >= ' ' && c <= '~' && c != '"' && c != '<'; });
}

void check_parsed(std::string_view text) {
  const fuzz::exact_copy exact(fuzz::bytes_of(text));
  const auto origin = detail::parse_origin(exact.text());
  if (!origin) return;
  const std::string written = detail::to_string(*origin);
  demand(is_harmless(written) && written.find('\'') == std::string::npos, "an origin is harmless");
  demand(detail::parse_origin(written) == origin || written.size() > detail::max_origin_size,
         "it reads as it is written");
  demand(written.size() <= text.size() + 32, "it does not grow");
}

/// An entry that was taken; nothing that anybody sends is listed as a parent only.
bool is_taken(origin_policy& policy, cors_policy& cors, std::string_view entry) {
  try {
    policy.allow(entry);
    cors.allow(entry);
    return true;
  } catch (const std::invalid_argument&) {
    return false;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::input in(data, size);
  const bool secure = in.flag();
  // Three lines: the origin, the host, an entry of the list.
  std::string_view rest = fuzz::text_of(in.rest());
  std::string lines[3];
  for (std::string& line : lines) {
    line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    check_parsed(line);
  }
  const auto& [text, host, entry] = lines;

  request_parser parser;
  const std::string head_text = "OPTIONS / HTTP/1.1\r\nHost: " + host + "\r\nOrigin: " + text +
                                "\r\nAccess-Control-Request-Method: GET\r\n\r\n";
  const bool is_head = parser.feed(fuzz::bytes_of(head_text)).state == parse_state::done;
  origin_policy policy;
  cors_policy cors;
  const bool taken = is_taken(policy, cors, entry);
  if (!is_head) return 0;
  const request head = parser.take();
  if (head.count("Origin") != 1) return 0;
  const std::string_view sent = *head.field("Origin");
  const auto origin = detail::parse_origin(sent);
  const auto own = detail::server_origin(head.host(), secure);

  const origin_verdict by_default = origin_policy().check(head, secure);
  demand((by_default == origin_verdict::allowed) == (origin.has_value() && origin == own),
         "only the server's own passes");
  demand(by_default != origin_verdict::malformed || (!origin && sent != "null"),
         "what is malformed is no origin");
  for (const origin_verdict v : {by_default, policy.check(head, secure)}) {
    const std::string why = origin_policy::explain(v, head, secure);
    demand(why.empty() == (v == origin_verdict::allowed) && why.size() < 1024 && is_harmless(why),
           "a refusal is harmless");
  }
  const bool is_named = taken && (sent == entry || (origin && origin == detail::parse_origin(entry)));
  if (is_named) demand(policy.check(head, secure) == origin_verdict::allowed, "what is listed passes");
  if (!taken) demand(policy.check(head, secure) == by_default, "what is no entry changes nothing");
  const bool reads = cors.preflight(head).status == http_status::no_content;
  demand(!is_named || reads, "what is listed may read");
  demand(taken || !reads, "and nothing else may");
  response answer = cors.preflight(head);
  demand(encode(answer).error == errc::ok, "the answer to a preflight can be sent");
  answer = text_response(http_status::ok, "");
  answer.fields = cors.fields_for(head);
  demand(encode(answer).error == errc::ok, "and so can any answer");
  demand((find_if(answer.fields.begin(), answer.fields.end(),
                  [](const header_field& f) { return f.name == "Access-Control-Allow-Origin"; }) !=
          answer.fields.end()) == reads,
         "both say the same");
  return 0;
}
