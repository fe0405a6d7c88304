#include "handshake.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>

namespace conformance {
namespace {

constexpr std::string_view key = "dGhlIHNhbXBsZSBub25jZQ==";
constexpr std::string_view line_end = "\r\n";

void demand(bool condition, const char* words) {
  if (!condition) throw std::runtime_error(words);
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::string field(const http_head& head, const std::string& name) {
  const auto found = head.fields.find(name);
  return found == head.fields.end() ? std::string() : found->second;
}

// The value of Sec-WebSocket-Accept (section 4.2.2).
std::string accept_key(const std::string& client_key) {
  const std::string text = client_key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha1(), nullptr);
  std::array<unsigned char, 2 * EVP_MAX_MD_SIZE> encoded;
  const int length = EVP_EncodeBlock(encoded.data(), digest.data(), static_cast<int>(size));
  return {encoded.begin(), encoded.begin() + length};
}

void append_extensions(std::string& out, std::string_view extensions) {
  if (!extensions.empty()) (out += "Sec-WebSocket-Extensions: ").append(extensions) += line_end;
  out += line_end;
}

}  // namespace

http_head take_head(std::string& bytes) {
  const std::size_t end = bytes.find("\r\n\r\n");
  demand(end != std::string::npos, "there is no head");
  std::string_view lines = std::string_view(bytes).substr(0, end + line_end.size());
  http_head head;
  while (!lines.empty()) {
    const std::string_view line = lines.substr(0, lines.find(line_end));
    lines.remove_prefix(line.size() + line_end.size());
    if (head.start.empty()) {
      head.start = line;
      continue;
    }
    const std::size_t colon = line.find(':');
    demand(colon != std::string_view::npos, "a field has no colon");
    std::string_view value = line.substr(colon + 1);
    value.remove_prefix(std::min(value.find_first_not_of(' '), value.size()));
    std::string& whole = head.fields[lower_case(line.substr(0, colon))];
    if (!whole.empty()) whole += ", ";
    whole += value;
  }
  bytes.erase(0, end + 4);
  return head;
}

std::string client_request(std::string_view extensions) {
  std::string out =
      "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: "
      "Upgrade\r\nSec-WebSocket-Version: 13\r\n";
  ((out += "Sec-WebSocket-Key: ") += key) += line_end;
  append_extensions(out, extensions);
  return out;
}

void check_response(const http_head& head) {
  demand(head.start.starts_with("HTTP/1.1 101 "), "the response is no 101");
  demand(lower_case(field(head, "upgrade")) == "websocket", "the response does not upgrade to websocket");
  demand(lower_case(field(head, "connection")) == "upgrade", "the response has no Connection: Upgrade");
  demand(field(head, "sec-websocket-accept") == accept_key(std::string(key)),
         "Sec-WebSocket-Accept is wrong");
}

std::string server_response(const http_head& request, std::string_view extensions) {
  demand(request.start.starts_with("GET ") && request.start.ends_with(" HTTP/1.1"), "the request is no GET");
  demand(lower_case(field(request, "upgrade")) == "websocket", "the request does not ask for websocket");
  demand(field(request, "sec-websocket-version") == "13", "the request is not of version 13");
  demand(field(request, "sec-websocket-key").size() == 24, "the request has no key");
  std::string out = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
  ((out += "Sec-WebSocket-Accept: ") += accept_key(field(request, "sec-websocket-key"))) += line_end;
  append_extensions(out, extensions);
  return out;
}

}  // namespace conformance
