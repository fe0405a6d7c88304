// What is demanded of a client's request, for any text as its URL, and any as the parts of its offer (RFC 6455
// sections 3 and 4.1; TRUST H16):
// - a URL that is accepted has a host or a local path, never both, and written again from its parts is the same URL;
// - with it the request and the CONNECT can be sent, and a server reads just that host and that target;
// - what is sent reads, line by line, as just what was offered, with no control byte but tabs in any line;
// - what is refused leaves nothing, and is refused for a reason that the contract names.
//
// Aims at: handshake/impl/url.ipp handshake/impl/client_request.ipp handshake/impl/sent_field.ipp

#include <fairlead/handshake/client_request.hpp>
#include <fairlead/handshake/request_parser.hpp>
#include <fairlead/handshake/upgrade.hpp>
#include <fairlead/handshake/url.hpp>

#include <fuzz/support/input.hpp>

#include <set>
#include <string>
#include <vector>

using namespace fairlead;
using fuzz::demand;

namespace {

constexpr std::string_view sample_key = "dGhlIHNhbXBsZSBub25jZQ==";

/// The URL that has these parts. A local path is encoded whole but for its first slash: any byte may be in it.
std::string written_again(const url& value) {
  std::string text = value.secure ? "wss" : "ws";
  if (value.local_path.empty()) return text + "://" + value.authority() + value.target;
  text += "+unix:/";
  for (const char c : value.local_path.substr(1)) {
    constexpr std::string_view digits = "0123456789abcdef";
    const auto byte = static_cast<unsigned char>(c);
    text.append("%").append(1, digits[byte >> 4]).append(1, digits[byte & 15]);
  }
  return text + ":" + value.target;
}

request read_request(std::string_view bytes) {
  request_parser parser({.max_head_size = SIZE_MAX, .max_line_size = SIZE_MAX, .max_fields = SIZE_MAX});
  const parse_result result = parser.feed(fuzz::bytes_of(bytes));
  demand(result == parse_result{parse_state::done, errc::ok, bytes.size()}, "a server reads what was sent");
  return parser.take();
}

void check_url(std::string_view text) {
  const parsed_url parsed = parse_url(text);
  if (parsed.error != errc::ok) {
    demand(parsed.error == errc::bad_url && parsed.value == url{}, "nothing is left of a refused URL");
    return;
  }
  const url& value = parsed.value;
  demand(value.host.empty() != value.local_path.empty(), "a URL names a host or a local socket");
  demand(value.port != 0 && value.local_path.find('\0') == std::string::npos,
         "and such as can be connected to");
  demand(parse_url(written_again(value)).value == value, "written again it is the same");

  const std::string host = value.host_field();
  const encoded_request encoded = encode_upgrade_request({value.target, host, sample_key, {}, {}, {}});
  demand(encoded.error == errc::ok, "every URL can be asked for");
  // Our own server does not take NUL in a path.
  if (value.target.find("%00") == std::string::npos) {
    const request head = read_request(encoded.bytes);
    demand(head.host() == host && head.target() == value.target, "the server reads this host and target");
    demand(check_upgrade(head).error == errc::ok, "and a valid upgrade");
  }
  if (!value.host.empty()) {
    demand(encode_connect_request(value.authority()).error == errc::ok, "every host can be asked of a proxy");
  }
}

bool is_reserved(std::string_view name) {
  for (const std::string_view other :
       {"Host", "Upgrade", "Connection", "Content-Length", "Transfer-Encoding"}) {
    if (equals_ignoring_case(name, other)) return true;
  }
  return equals_ignoring_case(name.substr(0, 14), "Sec-WebSocket-");
}

bool may_add(std::span<const header_field> fields) {
  return std::all_of(fields.begin(), fields.end(), [](const header_field& field) {
    return is_token(field.name) && is_field_value(field.value) && !is_reserved(field.name);
  });
}

/// The fields that the head has behind those that fairlead wrote.
void check_fields(std::string_view bytes, std::span<const header_field> fields) {
  std::string expected;
  for (const header_field& field : fields) {
    expected.append("\r\n").append(field.name).append(": ").append(field.value);
  }
  demand(bytes.ends_with(expected + "\r\n\r\n"), "the fields are written as they were given");
}

void check_offer(const upgrade_offer& offer) {
  const encoded_request encoded = encode_upgrade_request(offer);
  const std::set<std::string_view> names(offer.subprotocols.begin(), offer.subprotocols.end());
  const bool has_good_names =
      names.size() == offer.subprotocols.size() &&
      std::all_of(names.begin(), names.end(), [](auto name) { return is_token(name); });
  const bool has_good_rest = has_good_names && is_field_value(offer.extensions) && may_add(offer.fields);
  if (encoded.error != errc::ok) {
    demand(encoded.error == errc::bad_argument && encoded.bytes.empty(), "a refusal sends nothing");
    const encoded_request plain = encode_upgrade_request({offer.target, offer.host, offer.key, {}, {}, {}});
    demand(plain.error != errc::ok || !has_good_rest, "only what must not be sent is refused");
    return;
  }
  demand(has_good_rest, "nothing is sent that must not be");
  check_fields(encoded.bytes, offer.fields);
  if (offer.target.find("%00") != std::string_view::npos) return;
  const request head = read_request(encoded.bytes);
  const upgrade_request upgrade = check_upgrade(head);
  demand(head.target() == offer.target && head.host() == offer.host, "the server reads this target and host");
  demand(upgrade.error == errc::ok || upgrade.error == errc::bad_extensions, "and an upgrade");
  demand(upgrade.error != errc::ok ||
             (upgrade.key == offer.key && std::equal(upgrade.subprotocols.begin(), upgrade.subprotocols.end(),
                                                     offer.subprotocols.begin(), offer.subprotocols.end())),
         "with this key and these sub-protocols");
}

void check_connect(std::string_view authority, std::span<const header_field> fields) {
  const encoded_request encoded = encode_connect_request(authority, fields);
  if (encoded.error != errc::ok) {
    demand(encoded.error == errc::bad_argument && encoded.bytes.empty(), "a refusal sends nothing");
    return;
  }
  demand(may_add(fields) && detail::is_host(authority), "no tunnel to what is no host");
  demand(parse_url("ws://" + std::string(authority)).error == errc::ok, "nor to what has no port");
  const std::string name(authority);
  demand(encoded.bytes.starts_with("CONNECT " + name + " HTTP/1.1\r\nHost: " + name + "\r\n"),
         "the authority is named twice, as it is");
  check_fields(encoded.bytes, fields);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::input in(data, size);
  const auto text = [&in] { return std::string(fuzz::text_of(in.bytes(in.byte()))); };
  if (in.flag()) {
    const fuzz::exact_copy whole(in.rest());
    check_url(whole.text());
    return 0;
  }
  const std::string target = text();
  const std::string host = text();
  const std::string key = in.flag() ? std::string(sample_key) : text();
  const std::string extensions = text();
  std::vector<std::string> subprotocols;
  for (std::size_t count = in.number(3); count > 0; --count) subprotocols.push_back(text());
  std::vector<header_field> fields;
  for (std::size_t count = in.number(3); count > 0; --count) {
    std::string name = text();
    fields.push_back({std::move(name), text()});
  }
  check_offer({target, host, key, subprotocols, extensions, fields});
  check_connect(host, fields);
  return 0;
}
