// What is demanded of a response that an application fills with any bytes (RFC 9112 section 4; TRUST H16):
// - what encode() lets through reads, line by line, as just the fields that were given and its own framing, with no
//   control byte but tabs in any line, and the body behind the empty line;
// - it refuses no other than those its contract names;
// - every error has a response that can be sent, and so has an upgrade whose sub-protocol is a token.
//
// Aims at: handshake/impl/response.ipp handshake/impl/http_status.ipp handshake/impl/sent_field.ipp

#include <fairlead/handshake/http_field.hpp>
#include <fairlead/handshake/response.hpp>

#include <fuzz/support/input.hpp>

#include <string>

using namespace fairlead;
using fuzz::demand;

namespace {

bool is_one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::any_of(names.begin(), names.end(),
                     [name](std::string_view other) { return equals_ignoring_case(name, other); });
}

/// A line's text: visible or spaces or tabs or beyond ASCII (RFC 9110 section 5.5).
bool is_plain(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte == '\t' || (byte >= ' ' && byte != 0x7F);
  });
}

bool may_be_sent(const response& answer) {
  const auto number = static_cast<unsigned>(answer.status);
  const bool is_upgrade = number == 101;
  const bool has_content = !is_upgrade && number != 204 && number != 304;
  return (is_upgrade || (number >= 200 && number < 600)) && (has_content || answer.body.empty()) &&
         std::all_of(answer.fields.begin(), answer.fields.end(), [&](const header_field& field) {
           return is_token(field.name) && is_plain(field.value) &&
                  !is_one_of(field.name, {"Content-Length", "Transfer-Encoding"}) &&
                  (is_upgrade || !is_one_of(field.name, {"Connection"}));
         });
}

std::string take_line(std::string_view& rest) {
  const std::size_t end = rest.find("\r\n");
  demand(end != std::string_view::npos, "every line ends");
  std::string line(rest.substr(0, end));
  demand(is_plain(line), "no line holds a control byte");
  rest.remove_prefix(end + 2);
  return line;
}

void check_encoded(const response& answer, bool head_only) {
  const encoded_response encoded = encode(answer, head_only);
  demand((encoded.error == errc::ok) == may_be_sent(answer), "only what must not be sent is refused");
  if (encoded.error != errc::ok) {
    demand(encoded.error == errc::bad_argument && encoded.bytes.empty(), "a refusal sends nothing");
    return;
  }
  const auto number = static_cast<unsigned>(answer.status);
  std::string_view rest = encoded.bytes;
  demand(take_line(rest).starts_with("HTTP/1.1 " + std::to_string(number) + " "),
         "the status is the first line");
  bool names_protocols = false;
  for (const header_field& field : answer.fields) {
    demand(take_line(rest) == field.name + ": " + field.value, "the fields follow as they were given");
    names_protocols |= is_one_of(field.name, {"Upgrade"});
  }
  if (number != 101 && number != 204 && number != 304) {
    demand(take_line(rest) == "Content-Length: " + std::to_string(answer.body.size()),
           "the body's size is said");
  }
  if (number != 101) {
    demand(take_line(rest) == (names_protocols ? "Connection: close, Upgrade" : "Connection: close"),
           "all but an upgrade ends the connection");
  }
  demand(take_line(rest).empty(), "an empty line ends the head");
  demand(rest == (head_only ? "" : answer.body), "the body is what is left");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::input in(data, size);
  const auto text = [&in] { return std::string(fuzz::text_of(in.bytes(in.byte()))); };
  const bool head_only = in.flag();
  const auto error = static_cast<errc>(in.number(static_cast<std::size_t>(errc::tls_failed)));
  const auto status = static_cast<http_status>(in.number(65'535));
  const std::string subprotocol = text();

  check_encoded(error_response(error), head_only);
  demand(encode(error_response(error)).error == errc::ok, "every error has a response");
  demand(make_error_code(status) == errc_condition::handshake_failed, "every status is a failed handshake");
  demand(make_error_code(status).message().ends_with(reason_phrase(status)), "and names its reason");
  const response upgrade = upgrade_response(subprotocol, subprotocol);
  check_encoded(upgrade, head_only);
  demand(!(subprotocol.empty() || is_token(subprotocol)) || encode(upgrade).error == errc::ok,
         "an upgrade can be sent");

  response answer = in.flag() ? text_response(status, "", text()) : response{status, {}, {}};
  for (std::size_t count = in.number(8); count > 0; --count) {
    std::string name = text();
    answer.add(std::move(name), text());
  }
  answer.body = fuzz::text_of(in.rest());
  check_encoded(answer, head_only);
  return 0;
}
