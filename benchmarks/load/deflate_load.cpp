// Load with permessage-deflate on a server of this machine: what compression costs it. Echoes of JSON messages, one in
// flight on each connection; what is sent was compressed before the first byte moves. Two modes:
//   load    processor time of the server for each message, and the bytes on the wire
//   memory  private memory of the server for each connection, after one message and after all of them
// Prints one line of JSON. What the numbers mean: ../README.md.

#include "client_socket.hpp"
#include "json_messages.hpp"
#include "program.hpp"
#include "traffic.hpp"
#include "watched_process.hpp"

#include <zlib.h>

#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>

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

// The windows hold no more than half of them, so a message never refers to itself a round ago.
constexpr std::size_t messages_in_a_round = 64;

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

/// Reads the echoes of one connection and compares them with what was sent.
class echo_check {
 public:
  explicit echo_check(const agreement& agreed) : agreed_(agreed) { inflateInit2(&inflater_, -15); }
  echo_check(const echo_check&) = delete;
  echo_check& operator=(const echo_check&) = delete;
  ~echo_check() { inflateEnd(&inflater_); }

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
    if (text != sent) load::fail("a reply is not the echo of its message");
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
  deflate_run(std::uint16_t port, std::size_t message_size)
      : port_(port), messages_(load::json_messages::make(messages_in_a_round, message_size)) {}

  void open(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      connection& opened = connections_.emplace_back(connection{load::client_socket(port_)});
      const agreement agreed(opened.socket.upgrade("/", port_, "permessage-deflate; client_max_window_bits"));
      if (frames_.empty()) {
        frames_ = client_frames(messages_, agreed);
        first_ = std::make_unique<echo_check>(agreed);
      }
    }
  }

  /// Each connection exchanges so many messages, one after the other.
  void exchange(std::size_t messages) {
    for (connection& c : connections_) {
      for (std::size_t i = 0; i < messages; ++i) {
        send_next(c);
        while (!receive(c)) continue;
      }
    }
  }

  /// All connections at once, one message in flight on each.
  void run_for(std::chrono::duration<double> duration) {
    std::vector<pollfd> watched;
    for (connection& c : connections_) {
      send_next(c);
      watched.push_back({c.socket.fd(), POLLIN, 0});
    }
    const auto end = steady::now() + std::chrono::duration_cast<steady::duration>(duration);
    std::size_t in_flight = connections_.size();
    while (in_flight > 0) {
      if (poll(watched.data(), watched.size(), 10'000) <= 0) load::fail("no reply for ten seconds");
      const bool go_on = steady::now() < end;
      for (std::size_t i = 0; i < watched.size(); ++i) {
        if (watched[i].revents == 0 || !receive(connections_[i])) continue;
        if (go_on)
          send_next(connections_[i]);
        else
          --in_flight;
      }
    }
  }

  std::uint64_t messages() const { return messages_exchanged_; }
  std::uint64_t bytes_in() const { return bytes_in_; }
  std::uint64_t bytes_out() const { return bytes_out_; }

 private:
  struct connection {
    load::client_socket socket;
    std::vector<char> in{};
    std::size_t next = 0;  // in the round
  };

  void send_next(connection& c) {
    const std::vector<char>& sent = frames_[c.next];
    c.socket.send_all(sent.data(), sent.size());
    bytes_in_ += sent.size();
  }

  /// Reads what is there, and says whether the reply is complete.
  bool receive(connection& c) {
    std::array<char, 4096> room;
    const ssize_t n = recv(c.socket.fd(), room.data(), room.size(), 0);
    if (n <= 0)
      load::fail("a connection ended after " + std::to_string(messages_exchanged_) + " messages of all");
    c.in.insert(c.in.end(), room.begin(), room.begin() + n);
    frame f;
    if (!frame::parse(c.in, f)) return false;
    if (&c == &connections_.front()) {
      first_->check({c.in.begin() + static_cast<std::ptrdiff_t>(f.header_size), c.in.end()}, f.compressed,
                    messages_[c.next]);
    }
    bytes_out_ += c.in.size();
    ++messages_exchanged_;
    c.in.clear();
    c.next = (c.next + 1) % messages_in_a_round;
    return true;
  }

  std::uint16_t port_;
  std::vector<std::string> messages_;
  std::vector<std::vector<char>> frames_;
  std::vector<connection> connections_;
  std::unique_ptr<echo_check> first_;  // of the first connection
  std::uint64_t messages_exchanged_ = 0;
  std::uint64_t bytes_in_ = 0;
  std::uint64_t bytes_out_ = 0;
};

void run_load(const load::options& options, deflate_run& run, const load::watched_process& server) {
  run.open(options.number("connections"));
  run.run_for(std::chrono::duration<double>(options.seconds("warmup")));
  const auto start = server.processor_time();
  const std::uint64_t messages = run.messages(), in = run.bytes_in(), out = run.bytes_out();
  run.run_for(std::chrono::duration<double>(options.seconds("seconds")));
  const auto count = static_cast<double>(run.messages() - messages);
  std::printf(
      "{\"server_us_per_message\": %.4f, \"bytes_in\": %.1f, \"bytes_out\": %.1f, \"messages\": %.0f}\n",
      std::chrono::duration<double, std::micro>(server.processor_time() - start).count() / count,
      static_cast<double>(run.bytes_in() - in) / count, static_cast<double>(run.bytes_out() - out) / count,
      count);
}

void run_memory(const load::options& options, deflate_run& run, const load::watched_process& server) {
  // What a server sets up for its first connections is not the price of each.
  run.open(1);
  run.exchange(messages_in_a_round);
  const std::uint64_t before = server.private_memory();
  const std::uint64_t count = options.number("connections");
  run.open(count);
  run.exchange(1);
  const std::uint64_t after_one = server.private_memory();
  run.exchange(messages_in_a_round);
  const std::uint64_t after_all = server.private_memory();
  const auto each = [&](std::uint64_t after) {
    return (static_cast<double>(after) - static_cast<double>(before)) / static_cast<double>(count);
  };
  std::printf("{\"bytes_after_one\": %.0f, \"bytes_after_all\": %.0f}\n", each(after_one), each(after_all));
}

void raise_descriptor_limit() {
  rlimit limit{};
  load::check(getrlimit(RLIMIT_NOFILE, &limit), "getrlimit");
  limit.rlim_cur = limit.rlim_max;
  load::check(setrlimit(RLIMIT_NOFILE, &limit), "setrlimit");
}

}  // namespace

int main(int argc, char** argv) {
  const load::options options(argc, argv,
                              {{"port", ""},
                               {"pid", ""},
                               {"mode", "load"},
                               {"connections", "50"},
                               {"size", "1024"},
                               {"seconds", "1"},
                               {"warmup", "0.3"}});
  const std::string& mode = options.text("mode");
  if (mode != "load" && mode != "memory") load::fail("--mode is load or memory");
  if (options.number("connections") == 0) load::fail("--connections is at least 1");
  if (options.number("size") < 256 || options.number("size") > 60'000) load::fail("--size is 256 to 60000");
  if (options.number("port") > 65535) load::fail("--port is at most 65535");
  raise_descriptor_limit();
  const load::watched_process server(static_cast<pid_t>(options.number("pid")));
  deflate_run run(static_cast<std::uint16_t>(options.number("port")), options.number("size"));
  mode == "load" ? run_load(options, run, server) : run_memory(options, run, server);
}
