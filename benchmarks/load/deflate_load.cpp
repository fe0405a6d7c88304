// Load with permessage-deflate on a server of this machine: what compression costs it. JSON messages, one in flight on
// each connection; what is sent was compressed before the first byte moves. Three modes:
//   echo       each connection sends and gets its message back: processor time of the server for each message, and its
//              bytes on the wire
//   broadcast  one connection sends, and all get the message: the same for each message that arrives
//   memory     echo: private memory of the server for each connection, after one message and after many
// Prints one line of JSON. What the numbers mean: ../README.md.

#include "client_socket.hpp"
#include "json_messages.hpp"
#include "program.hpp"
#include "traffic.hpp"
#include "watched_process.hpp"

#include <zlib.h>

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using steady = std::chrono::steady_clock;

constexpr std::size_t messages_in_a_round = 64;

// Connections begin a round at so many different messages. A processor that is given one message fifty times in
// a row learns its branches, and the whole echo costs a third less than one of fifty different ones.
constexpr std::size_t beginnings = 16;

// The largest window holds half a round of the smallest messages, so no message refers to itself a round ago. A reply
// as it is fits a frame of the 16 bit length.
constexpr std::size_t least_size = 1024;
constexpr std::size_t most_size = 60'000;

/// What the server answered to our offer.
struct agreement {
  explicit agreement(const std::string& header)
      : compressed(header.find("permessage-deflate") != std::string::npos),
        server_takeover(header.find("server_no_context_takeover") == std::string::npos),
        client_takeover(header.find("client_no_context_takeover") == std::string::npos) {
    constexpr std::string_view window = "client_max_window_bits=";
    if (const auto at = header.find(window); at != std::string::npos) {
      client_window = std::stoi(header.substr(at + window.size()));
    }
  }

  bool compressed;
  bool server_takeover;
  bool client_takeover;
  int client_window = 15;
};

/// The frames that a client sends, round after round: the first refers to nothing before it, so they may.
std::vector<std::vector<char>> client_frames(const std::vector<std::string>& messages,
                                             const agreement& agreed) {
  z_stream deflater{};
  if (deflateInit2(&deflater, 6, Z_DEFLATED, -agreed.client_window, 8, Z_DEFAULT_STRATEGY) != Z_OK)
    load::fail("deflateInit2");
  std::vector<std::vector<char>> frames;
  for (const std::string& message : messages) {
    std::vector<char> payload(message.begin(), message.end());
    if (agreed.compressed) {
      std::vector<char> out(message.size() + 1024);
      deflater.next_in = reinterpret_cast<Bytef*>(payload.data());
      deflater.avail_in = static_cast<uInt>(payload.size());
      deflater.next_out = reinterpret_cast<Bytef*>(out.data());
      deflater.avail_out = static_cast<uInt>(out.size());
      deflate(&deflater, Z_SYNC_FLUSH);
      out.resize(out.size() - deflater.avail_out - 4);  // RFC 7692 section 7.2.1
      if (!agreed.client_takeover) deflateReset(&deflater);
      payload = std::move(out);
    }
    load::append_client_frame(frames.emplace_back(), static_cast<char>(agreed.compressed ? 0xc1 : 0x81),
                              payload);
  }
  deflateEnd(&deflater);
  return frames;
}

/// Reads what one connection receives and compares it with what was sent.
class reply_check {
 public:
  explicit reply_check(const agreement& agreed) : agreed_(agreed) { inflateInit2(&inflater_, -15); }
  reply_check(const reply_check&) = delete;
  reply_check& operator=(const reply_check&) = delete;
  ~reply_check() { inflateEnd(&inflater_); }

  void check(std::vector<char> payload, bool compressed, const std::string& sent) {
    std::string text(payload.begin(), payload.end());
    if (compressed) {
      payload.insert(payload.end(), {'\x00', '\x00', '\xff', '\xff'});
      text.assign(sent.size() + 1, '\0');
      inflater_.next_in = reinterpret_cast<Bytef*>(payload.data());
      inflater_.avail_in = static_cast<uInt>(payload.size());
      inflater_.next_out = reinterpret_cast<Bytef*>(text.data());
      inflater_.avail_out = static_cast<uInt>(text.size());
      inflate(&inflater_, Z_SYNC_FLUSH);
      text.resize(text.size() - inflater_.avail_out);
      if (!agreed_.server_takeover) inflateReset(&inflater_);
    }
    if (text != sent) load::fail("what came is not the message that was sent");
  }

 private:
  const agreement agreed_;
  z_stream inflater_{};
};

/// One frame of the server at the front of `in`, or nothing while it has not all arrived.
struct frame {
  std::size_t header_size = 0;
  std::size_t payload_size = 0;
  bool compressed = false;

  static bool parse(const std::vector<char>& in, frame& f) {
    if (in.size() < 2) return false;
    const auto byte = [&](std::size_t i) {
      return static_cast<std::size_t>(static_cast<unsigned char>(in[i]));
    };
    if ((byte(0) & 0xbf) != 0x81) load::fail("the server sent something else than whole text messages");
    f.compressed = (byte(0) & 0x40) != 0;
    f.header_size = byte(1) < 126 ? 2 : 4;
    f.payload_size = byte(1);
    if (f.header_size == 4) {
      if (in.size() < 4) return false;
      f.payload_size = byte(2) << 8 | byte(3);
    }
    return in.size() >= f.header_size + f.payload_size;
  }
};

class deflate_run {
 public:
  deflate_run(std::uint16_t port, std::string path, std::size_t message_size)
      : port_(port),
        path_(std::move(path)),
        messages_(load::json_messages::make(messages_in_a_round, message_size)) {}

  void open(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      connection& opened = connections_.emplace_back(connection{load::client_socket(port_)});
      const agreement agreed(
          opened.socket.upgrade(path_, port_, "permessage-deflate; client_max_window_bits"));
      if (frames_.empty()) {
        for (std::vector<std::string> round = messages_; frames_.size() < beginnings;) {
          frames_.push_back(client_frames(round, agreed));
          std::ranges::rotate(round, round.begin() + messages_in_a_round / beginnings);
        }
        first_ = std::make_unique<reply_check>(agreed);
      }
    }
  }

  /// The first `senders` connections send their next message each, then every connection receives one.
  void exchange(std::size_t senders) {
    for (std::size_t i = 0; i < senders; ++i) {
      const std::vector<char>& frame = frames_[i % beginnings][next_];
      connections_[i].socket.send_all(frame.data(), frame.size());
    }
    for (connection& c : connections_) {
      while (!receive(c)) continue;
    }
    next_ = (next_ + 1) % messages_in_a_round;
  }

  std::size_t connections() const { return connections_.size(); }
  std::uint64_t received() const { return received_; }
  std::uint64_t bytes_received() const { return bytes_received_; }

 private:
  struct connection {
    load::client_socket socket;
    std::vector<char> in{};
  };

  /// Reads what is there, and says whether the message is complete.
  bool receive(connection& c) {
    std::array<char, 4096> room;
    const ssize_t n = recv(c.socket.fd(), room.data(), room.size(), 0);
    if (n <= 0)
      load::fail("a connection ended, or was silent, after " + std::to_string(received_) + " messages");
    c.in.insert(c.in.end(), room.begin(), room.begin() + n);
    frame f;
    if (!frame::parse(c.in, f)) return false;
    if (&c == &connections_.front()) {
      first_->check({c.in.begin() + static_cast<std::ptrdiff_t>(f.header_size), c.in.end()}, f.compressed,
                    messages_[next_]);
    }
    bytes_received_ += c.in.size();
    ++received_;
    c.in.clear();
    return true;
  }

  const std::uint16_t port_;
  const std::string path_;
  const std::vector<std::string> messages_;
  std::vector<std::vector<std::vector<char>>> frames_;  // rounds, each from another beginning
  std::vector<connection> connections_;
  std::unique_ptr<reply_check> first_;  // of the first connection
  std::size_t next_ = 0;
  std::uint64_t received_ = 0;
  std::uint64_t bytes_received_ = 0;
};

/// Exchanges messages for so many seconds.
void run_for(deflate_run& run, std::size_t senders, double seconds) {
  const auto end =
      steady::now() + std::chrono::duration_cast<steady::duration>(std::chrono::duration<double>(seconds));
  while (steady::now() < end) run.exchange(senders);
}

void run_load(const load::options& options, deflate_run& run, bool broadcast,
              const load::watched_process& server) {
  run.open(options.number("connections"));
  const std::size_t senders = broadcast ? 1 : run.connections();
  run_for(run, senders, options.seconds("warmup"));
  const auto start = server.processor_time();
  const std::uint64_t received = run.received();
  const std::uint64_t bytes = run.bytes_received();
  run_for(run, senders, options.seconds("seconds"));
  const auto count = static_cast<double>(run.received() - received);
  std::printf("{\"messages\": %.0f, \"server_us_per_message\": %.4f, \"bytes_per_message\": %.1f}\n", count,
              std::chrono::duration<double, std::micro>(server.processor_time() - start).count() / count,
              static_cast<double>(run.bytes_received() - bytes) / count);
}

void run_memory(const load::options& options, deflate_run& run, const load::watched_process& server) {
  const auto exchange_all = [&](std::size_t messages) {
    for (std::size_t i = 0; i < messages; ++i) run.exchange(run.connections());
  };
  // What a server sets up for its first connection is not the price of each.
  run.open(1);
  exchange_all(messages_in_a_round);
  const std::uint64_t before = server.private_memory();
  const std::uint64_t count = options.number("connections");
  run.open(count);
  exchange_all(1);
  const std::uint64_t after_one = server.private_memory();
  exchange_all(messages_in_a_round);
  const std::uint64_t after_many = server.private_memory();
  const auto each = [&](std::uint64_t after) {
    return (static_cast<double>(after) - static_cast<double>(before)) / static_cast<double>(count);
  };
  std::printf("{\"bytes_after_one\": %.0f, \"bytes_after_many\": %.0f}\n", each(after_one), each(after_many));
}

}  // namespace

int main(int argc, char** argv) {
  const load::options options(argc, argv,
                              {{"port", ""},
                               {"pid", ""},
                               {"mode", "echo"},
                               {"connections", "50"},
                               {"size", "1024"},
                               {"seconds", "1"},
                               {"warmup", "0.3"}});
  const std::string& mode = options.text("mode");
  if (mode != "echo" && mode != "broadcast" && mode != "memory")
    load::fail("--mode is echo, broadcast or memory");
  const auto connections = options.number("connections");
  const auto size = options.number("size");
  if (connections == 0) load::fail("--connections is at least 1");
  if (size < least_size || size > most_size) {
    load::fail("--size is " + std::to_string(least_size) + " to " + std::to_string(most_size));
  }
  load::raise_descriptor_limit(connections);
  const load::watched_process server(options.number<pid_t>("pid"));
  deflate_run run(options.number<std::uint16_t>("port"), mode == "broadcast" ? "/topic" : "/", size);
  mode == "memory" ? run_memory(options, run, server) : run_load(options, run, mode == "broadcast", server);
}
