// What is demanded of Sec-WebSocket-Extensions and of permessage-deflate (RFC 6455 section 9.1, RFC 7692), for any
// fields and any valid options of either side:
// - what is read are tokens, and written again it reads as the same; what is malformed leaves nothing;
// - what a server accepts is within its options, and its response reads as those terms;
// - what a client accepts is within its options;
// - our server's answer to our client's offer is accepted by that client, and both have the same terms.
//
// Aims at: handshake/impl/extension.ipp handshake/impl/permessage_deflate.ipp

#include <fairlead/handshake/permessage_deflate.hpp>

#include <fuzz/support/input.hpp>

#include <string>

using namespace fairlead;
using fuzz::demand;

namespace {

deflate_options read_options(fuzz::input& in) {
  const std::uint8_t flags = in.byte();
  deflate_options options;
  options.enabled = (flags & 7) != 7;
  options.send_takeover = (flags & 8) != 0;
  options.receive_takeover = (flags & 16) != 0;
  options.send_window_bits = static_cast<std::uint8_t>(min_send_window_bits + in.number(6));
  options.receive_window_bits = static_cast<std::uint8_t>(min_window_bits + in.number(7));
  demand(is_valid(options), "the options are valid");
  return options;
}

extension_list parse(std::string_view value) {
  const http_field field{"Sec-WebSocket-Extensions", value};
  return parse_extensions({&field, 1});
}

std::string written_again(std::span<const extension> extensions) {
  std::string text;
  for (const extension& each : extensions) {
    text.append(text.empty() ? "" : ", ").append(each.name);
    for (const extension_param& param : each.params) {
      text.append("; ").append(param.name);
      if (param.value) text.append("=").append(*param.value);
    }
  }
  return text;
}

void check_list(const extension_list& list) {
  demand(list.error == errc::ok || (list.error == errc::bad_extensions && list.extensions.empty()),
         "what is malformed leaves nothing");
  for (const extension& each : list.extensions) {
    demand(is_token(each.name), "a name is a token");
    for (const extension_param& param : each.params) {
      demand(is_token(param.name) && (!param.value || is_token(*param.value)), "parameters are tokens");
    }
  }
  const std::string again = written_again(list.extensions);
  const extension_list second = again.empty() ? extension_list{} : parse(again);
  demand(second.error == errc::ok && second.extensions == list.extensions, "written again it is the same");
}

bool within(int value, int least, int most) { return value >= least && value <= most; }

void check_server(const accepted_deflate& accepted, const deflate_options& options) {
  const deflate_params& agreed = accepted.params;
  demand(options.enabled, "only what is enabled is accepted");
  demand(within(agreed.server_max_window_bits, min_send_window_bits, options.send_window_bits),
         "our window is one that we have");
  demand(within(agreed.client_max_window_bits, min_window_bits, max_window_bits),
         "the client's is one of the RFC");
  demand(agreed.client_no_context_takeover || agreed.client_max_window_bits <= options.receive_window_bits,
         "the memory of a session is bounded");
  demand(agreed.server_no_context_takeover || options.send_takeover, "we take over only what we want to");
  demand(agreed.client_no_context_takeover || options.receive_takeover, "and let only what we want");

  // A client that would accept anything reads the same in it.
  const deflate_options open{.enabled = true, .send_takeover = true, .receive_takeover = true};
  const extension_list response = parse(accepted.response);
  const deflate_agreement read = check_deflate_response(response.extensions, open);
  const bool we_cannot = agreed.client_max_window_bits < min_send_window_bits;
  demand(response.error == errc::ok && response.extensions.size() == 1, "a response names one extension");
  demand((read.error == errc::ok) == !we_cannot && (we_cannot || read.params == agreed),
         "the response says what was agreed");
}

void check_client(const deflate_agreement& agreement, const deflate_options& options) {
  demand(agreement.error == errc::ok || !agreement.params, "what failed agrees on nothing");
  if (!agreement.params) return;
  const deflate_params& agreed = *agreement.params;
  demand(options.enabled, "only what is enabled is agreed on");
  demand(within(agreed.client_max_window_bits, min_send_window_bits, max_window_bits),
         "our window is one that we have");
  demand(within(agreed.server_max_window_bits, min_window_bits, max_window_bits),
         "the server's is one of the RFC");
  demand(agreed.server_no_context_takeover ||
             (options.receive_takeover && agreed.server_max_window_bits <= options.receive_window_bits),
         "the memory of a session is bounded");
}

void check_both(const deflate_options& client, const deflate_options& server) {
  const std::string offer = offer_deflate(client);
  demand(offer.empty() == !client.enabled, "a client offers what is enabled");
  const extension_list offers = offer.empty() ? extension_list{} : parse(offer);
  demand(offers.error == errc::ok, "an offer is well-formed");
  const std::optional<accepted_deflate> accepted = accept_deflate(offers.extensions, server);
  if (!accepted) return;
  check_server(*accepted, server);
  const extension_list response = parse(accepted->response);
  const deflate_agreement agreement = check_deflate_response(response.extensions, client);
  check_client(agreement, client);
  demand(agreement.params == accepted->params, "both sides agree");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::input in(data, size);
  const deflate_options client = read_options(in);
  const deflate_options server = read_options(in);
  check_both(client, server);

  // A line is a field; one that begins with `-` is another field.
  const fuzz::exact_copy text(in.rest());
  std::vector<http_field> fields;
  for (std::string_view rest = text.text(); !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    fields.push_back({line.starts_with('-') ? "Sec-WebSocket-Protocol" : "sec-websocket-Extensions", line});
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
  }
  const extension_list list = parse_extensions(fields);
  check_list(list);
  if (const auto accepted = accept_deflate(list.extensions, server)) check_server(*accepted, server);
  check_client(check_deflate_response(list.extensions, client), client);
  return 0;
}
