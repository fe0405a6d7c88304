// What is demanded of a response's head (RFC 9112 section 4, RFC 6455 section 4.1), for any bytes and small and large
// limits:
// - cut into any pieces it gives the same result, error, number of bytes and head as whole;
// - one that is accepted is within the limits, ends where its empty line does, has a status of 101 or 200 to 599, and
//   written again from what it says reads as the same head, whatever follows;
// - every field is found, also when the head was moved;
// - what check_upgrade_response() accepts is a 101 with the answer to the key, and nothing that was not offered; what
//   it refuses leaves nothing, and is a failed handshake.
// An exception ends the program, and so does a read outside the piece given.
//
// Aims at: handshake/impl/response_parser.ipp handshake/impl/response_head.ipp handshake/impl/head_reader.ipp
// Aims at: handshake/impl/status_line.ipp handshake/impl/client_response.ipp

#include <fairlead/handshake/accept_key.hpp>
#include <fairlead/handshake/client_response.hpp>
#include <fairlead/handshake/response_parser.hpp>

#include <fuzz/support/head.hpp>
#include <fuzz/support/input.hpp>

#include <string>

using namespace fairlead;
using fuzz::demand;

namespace {

/// The head that says what the response says.
std::string written_again(const response_head& head) {
  std::string text = "HTTP/1.1 " + std::to_string(static_cast<int>(head.status())) + " ";
  text.append(head.reason()).append("\r\n");
  return text + fuzz::written_fields(head.fields());
}

void check_lookup(const response_head& head) {
  const auto number = static_cast<int>(head.status());
  demand(number == 101 || (number >= 200 && number <= 599), "the status is one that ends a request");
  demand(is_field_value(head.reason()), "the reason holds no control byte");
  for (const http_field& field : head.fields()) {
    demand(is_token(field.name) && is_field_value(field.value), "a field is a token and a value");
    demand(head.field(field.name).has_value() && head.count(field.name) >= 1, "every field is found");
  }
  demand(head.field("Sec-WebSocket-Accept").has_value() == (head.count("sec-websocket-ACCEPT") != 0),
         "names are looked up in any case");
}

void check_answer(const response_head& head, const upgrade_offer& offer, const deflate_options& options) {
  const upgrade_agreement agreed = check_upgrade_response(head, offer, options);
  if (agreed.error) {
    demand(agreed.subprotocol.empty() && !agreed.deflate, "nothing is left of what was refused");
    demand(agreed.error == errc_condition::handshake_failed, "what is refused is a failed handshake");
    demand((agreed.error.category() == http_status_category()) ==
               (head.status() != http_status::switching_protocols),
           "only a status other than 101 is the error itself");
    return;
  }
  demand(head.status() == http_status::switching_protocols, "only a 101 is an upgrade");
  demand(head.count("Upgrade") == 1 && equals_ignoring_case(*head.field("Upgrade"), "websocket") &&
             field_lists_token(head.fields(), "Connection", "upgrade"),
         "what is accepted is an upgrade to websocket");
  demand(
      head.count("Sec-WebSocket-Accept") == 1 && head.field("Sec-WebSocket-Accept") == accept_key(offer.key),
      "and answers the key");
  demand(head.field("Sec-WebSocket-Protocol").value_or("") == agreed.subprotocol &&
             (agreed.subprotocol.empty() ||
              std::count(offer.subprotocols.begin(), offer.subprotocols.end(), agreed.subprotocol) == 1),
         "the sub-protocol was offered");
  demand(!agreed.deflate || options.enabled, "compression was offered");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::string subprotocols[] = {"chat", "superchat"};
  fuzz::input in(data, size);
  const head_limits limits = fuzz::choose_head_limits(in);
  fuzz::splits pieces(in);
  upgrade_offer offer;
  offer.key = "dGhlIHNhbXBsZSBub25jZQ==";
  offer.subprotocols = std::span(subprotocols).first(in.number(std::size(subprotocols)));
  const deflate_options options{.enabled = in.flag()};
  const auto bytes = in.rest();

  auto whole = fuzz::parse_head(response_parser(limits), bytes);
  const auto cut =
      fuzz::parse_head(response_parser(limits), bytes, [&](std::size_t left) { return pieces.next(left); });
  demand(cut.result == whole.result, "pieces give the same result");
  if (whole.result.state != parse_state::done) return 0;
  demand(written_again(cut.head) == written_again(whole.head), "pieces give the same head");

  const std::string_view used = fuzz::text_of(bytes.first(whole.result.consumed));
  demand(used.ends_with("\r\n\r\n"), "a head ends with its empty line");
  demand(used.size() <= limits.max_head_size * (1 + max_interim_responses) &&
             whole.head.fields().size() <= limits.max_fields,
         "what is accepted is within the limits");
  const std::string again = written_again(whole.head);
  // Without the limits: it may be longer by the white space that was left out.
  const head_limits none{.max_head_size = SIZE_MAX, .max_line_size = SIZE_MAX};
  const auto second = fuzz::parse_head(response_parser(none), fuzz::bytes_of(again + "\x81\x01"));
  demand(second.result == parse_result{parse_state::done, errc::ok, again.size()},
         "written again it is accepted, and nothing behind it used");
  demand(written_again(second.head) == again, "and is the same head");

  const response_head moved = std::move(whole.head);
  demand(whole.head.status() == http_status{} && whole.head.fields().empty(), "nothing is left where it was");
  check_lookup(moved);
  check_answer(moved, offer, options);
  return 0;
}
