#ifndef FAIRLEAD_BENCHMARKS_LOAD_ATTACK_PLANS_HPP
#define FAIRLEAD_BENCHMARKS_LOAD_ATTACK_PLANS_HPP

// What each kind of attacker does to the chat server, as data: what its connections send, how many there are, and from
// how many addresses.

#include "program.hpp"
#include "traffic.hpp"

#include <zlib.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace load {

using namespace std::chrono_literals;

/// What the attacker does once a script is sent.
enum class finish { none, half_close, reset };

/// What one connection says.
struct script {
  std::string opening;           ///< At once.
  bool expects_upgrade = false;  ///< Then the rest follows the 101, else it is all.
  std::string rest{};
  finish end = finish::none;
};

struct attack_plan {
  std::string name;
  unsigned network = 0;  ///< The addresses are 127.0.`network`.1 and so on.
  unsigned addresses = 1;
  std::size_t concurrent = 0;   ///< Most connections at once.
  double new_per_second = 0;    ///< Of all addresses; 0 for as many as it can open.
  std::vector<script> scripts;  ///< Taken in turns.

  bool drips = false;                                ///< After the opening a byte a second.
  std::optional<std::chrono::milliseconds> again{};  ///< The rest again and again, with this pause.
  bool reads = true;                                 ///< Or nothing after the 101.
  int receive_buffer = 0;
  std::chrono::seconds patience{3600};  ///< After which it goes by itself.
};

namespace attack_bytes {

inline std::string client_frame(unsigned char first_byte, const std::string& payload) {
  std::vector<char> frame;
  append_client_frame(frame, static_cast<char>(first_byte), {payload.begin(), payload.end()});
  return {frame.begin(), frame.end()};
}

inline std::string repeated(const std::string& part, std::size_t times) {
  std::string all;
  all.reserve(part.size() * times);
  for (std::size_t i = 0; i < times; ++i) all += part;
  return all;
}

/// The head of a request for an upgrade, without the empty line at its end.
inline std::string open_head(const std::string& path) {
  return "GET " + path +
         " HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: "
         "Upgrade\r\nSec-WebSocket-Version: 13\r\n"
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
}

inline std::string upgrade_request(const std::string& path, const std::string& fields = "") {
  return open_head(path) + fields + "\r\n";
}

inline const std::string offers_deflate = "Sec-WebSocket-Extensions: permessage-deflate\r\n";

/// A compressed text message in one frame (RFC 7692 section 7.2.1).
inline std::string compressed_frame(const std::string& text) {
  z_stream z{};
  if (deflateInit2(&z, 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY) != Z_OK) fail("zlib does not start");
  std::string out(deflateBound(&z, text.size()) + 16, '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  z.avail_in = static_cast<uInt>(text.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  if (deflate(&z, Z_SYNC_FLUSH) != Z_OK) fail("zlib does not compress");
  out.resize(out.size() - z.avail_out - 4);  // without the end that every message has
  deflateEnd(&z);
  return client_frame(0xC1, out);
}

inline std::string junk(std::size_t size) {
  std::mt19937 random(1);
  std::string bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>(random());
  return bytes;
}

inline std::string chat_message(std::size_t text_size) {
  return R"({"type":"room_message","id":"1","text":")" + std::string(text_size, 'a') + R"("})";
}

}  // namespace attack_bytes

/// All kinds, which run at once.
inline std::vector<attack_plan> attack_plans() {
  using namespace attack_bytes;
  constexpr unsigned char text = 0x81, begin_text = 0x01, more = 0x00, ping = 0x89;
  const std::string chat = upgrade_request("/chat");
  const auto after_upgrade = [&](std::string rest, finish end = finish::none) {
    return script{chat, true, std::move(rest), end};
  };

  std::vector<attack_plan> plans;
  plans.push_back({.name = "slow handshakes",
                   .network = 1,
                   .addresses = 40,
                   .concurrent = 4000,
                   .new_per_second = 400,
                   .scripts = {{"GET /chat HTTP/1.1\r\nX-Slow: "},
                               {open_head("/chat") +
                                repeated("X-Large: " + std::string(7000, 'a') + "\r\n", 2) + "X-Slow: "}},
                   .drips = true});
  plans.push_back({.name = "connection flood",
                   .network = 2,
                   .concurrent = 200,
                   .scripts = {{chat, true}},
                   .patience = 5s});
  plans.push_back(
      {.name = "oversized heads",
       .network = 3,
       .addresses = 8,
       .concurrent = 100,
       .new_per_second = 15,
       .scripts = {{open_head("/chat") + repeated("X-Large: " + std::string(4000, 'a') + "\r\n", 5)},
                   {open_head("/chat") + repeated("X-Many: 1\r\n", 120)},
                   {open_head("/chat") + "X-Long: " + std::string(9000, 'a')}}});
  plans.push_back({.name = "ping floods",
                   .network = 4,
                   .addresses = 8,
                   .concurrent = 100,
                   .new_per_second = 15,
                   .scripts = {after_upgrade(repeated(client_frame(ping, std::string(125, 'p')), 1000)),
                               after_upgrade(repeated(client_frame(ping, ""), 5000))}});
  plans.push_back(
      {.name = "fragment floods",
       .network = 5,
       .addresses = 8,
       .concurrent = 100,
       .new_per_second = 15,
       .scripts = {
           after_upgrade(client_frame(begin_text, "") + repeated(client_frame(more, ""), 17'000)),
           after_upgrade(client_frame(begin_text, "a") + repeated(client_frame(more, "a"), 17'000))}});
  plans.push_back({.name = "message floods",
                   .network = 6,
                   .addresses = 4,
                   .concurrent = 16,
                   .new_per_second = 15,
                   .scripts = {{upgrade_request("/chat?room=flood&name=Flood"), true,
                                repeated(client_frame(text, chat_message(40)), 200)}},
                   .again = 0ms});
  plans.push_back({.name = "talkers of a busy room",
                   .network = 7,
                   .concurrent = 4,
                   .new_per_second = 2,
                   .scripts = {{upgrade_request("/chat?room=busy&name=Talker"), true,
                                client_frame(text, chat_message(8000))}},
                   .again = 50ms});
  plans.push_back({.name = "never read, in that room",
                   .network = 8,
                   .addresses = 4,
                   .concurrent = 200,
                   .new_per_second = 30,
                   .scripts = {{upgrade_request("/chat?room=busy&name=Deaf"), true}},
                   .reads = false,
                   .receive_buffer = 4096,
                   .patience = 20s});
  plans.push_back({.name = "unfinished messages",
                   .network = 9,
                   .addresses = 8,
                   .concurrent = 800,
                   .new_per_second = 100,
                   .scripts = {after_upgrade(client_frame(begin_text, std::string(1000, 'a')) +
                                             repeated(client_frame(more, std::string(1000, 'a')), 63))}});
  plans.push_back({.name = "announced, a TiB",
                   .network = 10,
                   .addresses = 8,
                   .concurrent = 100,
                   .new_per_second = 15,
                   .scripts = {after_upgrade(std::string("\x82\xff\0\0\x01\0\0\0\0\0key!", 14) +
                                             std::string(1000, 'a'))}});
  plans.push_back({.name = "decompression bombs",
                   .network = 11,
                   .addresses = 16,
                   .concurrent = 200,
                   .new_per_second = 30,
                   .scripts = {{upgrade_request("/chat", offers_deflate), true,
                                compressed_frame(std::string(64 * 1024 * 1024, ' '))}}});
  plans.push_back({.name = "bombs below the limit",
                   .network = 12,
                   .addresses = 4,
                   .concurrent = 16,
                   .new_per_second = 15,
                   .scripts = {{upgrade_request("/chat", offers_deflate), true,
                                repeated(compressed_frame(chat_message(60'000)), 100)}},
                   .again = 0ms});
  plans.push_back({.name = "half-closed and reset",
                   .network = 13,
                   .addresses = 8,
                   .concurrent = 200,
                   .new_per_second = 15,
                   .scripts = {{"", false, "", finish::reset},
                               {open_head("/chat"), false, "", finish::reset},
                               {open_head("/chat"), false, "", finish::half_close},
                               after_upgrade(client_frame(text, "{}").substr(0, 4), finish::reset),
                               after_upgrade(client_frame(text, "{}").substr(0, 4), finish::half_close),
                               after_upgrade("", finish::half_close)}});
  plans.push_back({.name = "wrong doors and junk",
                   .network = 14,
                   .addresses = 8,
                   .concurrent = 100,
                   .new_per_second = 15,
                   .scripts = {{junk(512) + "\r\n\r\n"},
                               {upgrade_request("/nowhere")},
                               {upgrade_request("/chat", "Origin: https://evil.example\r\n")},
                               {"GET /chat HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n"}}});
  plans.push_back({.name = "broken frames",
                   .network = 15,
                   .addresses = 8,
                   .concurrent = 100,
                   .new_per_second = 15,
                   .scripts = {after_upgrade(std::string("\x81\x02{}", 4)),       // without a mask
                               after_upgrade(client_frame(0x83, "{}")),           // a reserved opcode
                               after_upgrade(client_frame(0xF1, "{}")),           // reserved bits
                               after_upgrade(client_frame(more, "{}")),           // continues nothing
                               after_upgrade(client_frame(text, "\xC0\xAF"))}});  // no UTF-8
  return plans;
}

}  // namespace load

#endif
