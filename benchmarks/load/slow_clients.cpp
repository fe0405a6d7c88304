// Clients of slow_server that do not read, or hardly, and others that do: what the server holds for them, and what the
// others notice. One case a run, which both have to be given. Prints one line of JSON, with the server's own report in
// it. What the numbers mean: ../README.md.

#include "client_socket.hpp"
#include "event_set.hpp"
#include "frame_reader.hpp"
#include "latency_histogram.hpp"
#include "program.hpp"
#include "slow_traffic.hpp"
#include "traffic.hpp"
#include "watched_process.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;
using load::frame_reader;
using load::stamp;

double in_milliseconds(std::chrono::nanoseconds t) {
  return std::chrono::duration<double, std::milli>(t).count();
}

/// One connection and what it has read.
struct peer {
  load::client_socket socket;
  frame_reader frames{};

  static peer open(std::uint16_t port, const std::string& path, int receive_buffer = 0) {
    peer p{load::client_socket(port, receive_buffer)};
    p.socket.upgrade(path, port);
    return p;
  }

  /// Reads what is there, without waiting; calls `take(opcode, payload)` for each frame. False at the end.
  template <class Take>
  bool read(Take take) {
    static std::vector<char> in(256 * 1024);
    const ssize_t n = recv(socket.fd(), in.data(), in.size(), MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN) return true;
    if (n <= 0) return false;
    frames.feed({in.data(), static_cast<std::size_t>(n)}, take);
    return true;
  }
};

/// Commands for the server.
class control {
 public:
  explicit control(std::uint16_t port) : peer_(peer::open(port, "/control")) {}

  void tell(const std::string& command) {
    std::vector<char> frame;
    load::append_client_frame(frame, static_cast<char>(0x81), {command.begin(), command.end()});
    peer_.socket.send_all(frame.data(), frame.size());
  }

  /// What the server said to that, if it has.
  std::optional<std::string> answer() {
    std::optional<std::string> said;
    const bool lives = peer_.read([&](unsigned opcode, std::string_view payload) {
      if (opcode == frame_reader::text) said = payload;
    });
    if (!lives) load::fail("the server ended");
    return said;
  }

  std::string ask(const std::string& command) {
    tell(command);
    for (const auto end = steady::now() + 10s; steady::now() < end; std::this_thread::sleep_for(1ms)) {
      if (const auto said = answer()) return *said;
    }
    load::fail("the server did not answer to " + command);
  }

 private:
  peer peer_;
};

// --- stopped-reader

/// The 999 that read, and how late they get the steady message.
class readers {
 public:
  readers(std::uint16_t port, std::size_t count) {
    peers_.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
      peers_.push_back(peer::open(port, "/feed"));
      events_.add(peers_.back().socket.fd(), i, EPOLLIN);
    }
  }

  /// Reads until `done()`, which is asked every millisecond or so.
  template <class Done>
  void read_until(Done done) {
    while (!done()) {
      events_.wait(1, [this](std::size_t i, std::uint32_t) {
        const bool lives = peers_[i].read([this](unsigned opcode, std::string_view payload) {
          if (opcode != frame_reader::binary) load::fail("a subscriber that reads was sent a control frame");
          latencies_.add(
              std::max(0ns, std::chrono::nanoseconds(steady::now() - stamp::read(payload).due_at())));
          ++messages_;
        });
        if (!lives) load::fail("a subscriber that reads was closed");
      });
    }
  }

  void read_for(steady::duration d) {
    read_until([end = steady::now() + d] { return steady::now() >= end; });
  }

  void start_over() {
    latencies_.clear();
    messages_ = 0;
  }
  double p99_ms() const { return latencies_.percentile(0.99) / 1000; }
  std::uint64_t messages() const { return messages_; }

 private:
  std::vector<peer> peers_;
  load::event_set events_;
  load::latency_histogram latencies_;
  std::uint64_t messages_ = 0;
};

/// Sends the volume for the server to relay, at a steady rate, as far as the server takes it. What it could not send
/// while it was held is not made up for: that would be another load than before.
class volume_source {
 public:
  explicit volume_source(std::uint16_t port) : peer_(peer::open(port, "/source")) {
    peer_.socket.stop_blocking();
  }

  void send_due() {
    if (const auto now = steady::now(); now >= next_tick_ && number_ == due_) {
      due_ = std::min(load::volume_messages, due_ + load::volume_a_tick);
      next_tick_ = std::max(next_tick_ + load::volume_tick, now);
    }
    while (number_ < due_ || sent_ < frame_.size()) {
      if (sent_ == frame_.size()) make_frame();
      const ssize_t n = send(peer_.socket.fd(), frame_.data() + sent_, frame_.size() - sent_, MSG_NOSIGNAL);
      if (n < 0 && errno == EAGAIN) return;
      load::check(static_cast<int>(n), "send to the server that relays");
      sent_ += static_cast<std::size_t>(n);
    }
  }

 private:
  void make_frame() {
    const std::uint64_t key = number_ % load::volume_keys + 1;
    stamp{key, number_, steady::now().time_since_epoch().count()}.write(payload_.data());
    frame_.clear();
    load::append_client_frame(frame_, static_cast<char>(0x82), payload_);
    sent_ = 0;
    ++number_;
  }

  peer peer_;
  steady::time_point next_tick_ = steady::now();
  std::uint64_t due_ = 0;
  std::vector<char> payload_ = std::vector<char>(load::volume_size);
  std::vector<char> frame_;
  std::size_t sent_ = 0;
  std::uint64_t number_ = 0;
};

/// What the one that had stopped finds when it reads again.
struct catching_up {
  std::uint64_t messages = 0;
  std::uint64_t last = 0;            // the number of the last of the volume
  std::uint64_t keys_with_last = 0;  // whose last value came
  double last_age_ms = 0;
  unsigned close_code = 0;
  std::string close_reason;

  static catching_up of(peer& slow) {
    catching_up found;
    std::map<std::uint64_t, std::uint64_t> newest;
    for (auto last_read = steady::now(); steady::now() - last_read < 500ms && found.close_code == 0;) {
      bool came = false;
      const bool lives = slow.read([&](unsigned opcode, std::string_view payload) {
        came = true;
        if (opcode == frame_reader::close && payload.size() >= 2) {
          found.close_code =
              static_cast<unsigned char>(payload[0]) * 256u + static_cast<unsigned char>(payload[1]);
          found.close_reason = payload.substr(2);
        }
        if (opcode != frame_reader::binary) return;
        const stamp s = stamp::read(payload);
        if (s.key == load::steady_key) return;
        ++found.messages;
        found.last = std::max(found.last, s.number);
        found.last_age_ms = in_milliseconds(steady::now() - s.due_at());
        newest[s.key] = std::max(newest[s.key], s.number);
      });
      if (!lives) break;
      if (came) last_read = steady::now();
    }
    for (const auto& [key, number] : newest) {
      if (number + load::volume_keys >= load::volume_messages) ++found.keys_with_last;
    }
    return found;
  }
};

void run_stopped_reader(const load::options& options, std::uint16_t port,
                        const load::watched_process& server) {
  control commands(port);
  peer slow = peer::open(port, "/feed");
  readers others(port, options.number("connections") - 1);
  const std::chrono::duration<double> baseline(options.seconds("seconds"));

  // While it still reads, in a thread of its own: it is not one of those that are timed.
  std::uint64_t read_before = 0;
  std::atomic<bool> stopped = false;
  std::thread reading([&] {
    while (!stopped) {
      if (!slow.read([&](unsigned, std::string_view) { ++read_before; }))
        load::fail("the slow subscriber was closed");
      std::this_thread::sleep_for(5ms);
    }
  });
  commands.ask("steady");
  others.read_for(1s);
  others.start_over();
  others.read_for(std::chrono::duration_cast<steady::duration>(baseline));
  const double p99_before = others.p99_ms();
  stopped = true;
  reading.join();

  const std::uint64_t memory_before = server.forget_peak();
  others.start_over();
  std::optional<volume_source> source;
  if (options.text("policy") == "pause_source") source.emplace(port);
  commands.tell("volume");
  std::optional<std::string> report;
  const auto begin = steady::now();
  others.read_until([&] {
    if (steady::now() - begin > 2min) load::fail("the volume was not published in two minutes");
    if (source) source->send_due();
    return (report = commands.answer()).has_value();
  });
  const std::uint64_t memory_peak = server.memory_peak();
  const double p99_after = others.p99_ms();
  const std::uint64_t messages = others.messages();
  commands.ask("quiet");
  const catching_up found = catching_up::of(slow);
  std::printf(
      "{\"p99_before_ms\": %.3f, \"p99_ms\": %.3f, \"messages\": %llu, \"growth\": %lld, "
      "\"read_at_the_end\": %llu, "
      "\"last_read\": %llu, \"keys_with_last\": %llu, \"last_age_ms\": %.1f, \"close_code\": %u, "
      "\"close_reason\": "
      "\"%s\", \"volume_messages\": %llu, \"server\": %s}\n",
      p99_before, p99_after, static_cast<unsigned long long>(messages),
      static_cast<long long>(memory_peak) - static_cast<long long>(memory_before),
      static_cast<unsigned long long>(found.messages), static_cast<unsigned long long>(found.last),
      static_cast<unsigned long long>(found.keys_with_last), found.last_age_ms, found.close_code,
      found.close_reason.c_str(), static_cast<unsigned long long>(load::volume_messages), report->c_str());
}

// --- stalled-thousand

void run_stalled_thousand(const load::options& options, std::uint16_t port,
                          const load::watched_process& server) {
  control commands(port);
  std::vector<peer> stalled;
  for (std::uint64_t i = 0; i < options.number("connections"); ++i) {
    stalled.push_back(peer::open(port, "/stalled", 16 * 1024));
  }
  peer healthy = peer::open(port, "/healthy");
  std::uint64_t expected = 0;
  std::uint64_t out_of_order = 0;
  const auto read_healthy = [&] {
    const bool lives = healthy.read([&](unsigned opcode, std::string_view payload) {
      if (opcode != frame_reader::binary || stamp::read(payload).number != expected++) ++out_of_order;
    });
    if (!lives) load::fail("the session that reads was closed");
  };
  const std::uint64_t memory_before = server.forget_peak();
  commands.tell("publish");
  std::optional<std::string> report;
  const auto begin = steady::now();
  while (!(report = commands.answer())) {
    if (steady::now() - begin > 1min) load::fail("the server did not publish all in a minute");
    read_healthy();
    std::this_thread::sleep_for(1ms);
  }
  for (const auto end = steady::now() + 500ms; steady::now() < end; std::this_thread::sleep_for(1ms))
    read_healthy();
  const std::uint64_t memory_peak = server.memory_peak();
  std::printf("{\"growth\": %lld, \"healthy_read\": %llu, \"healthy_out_of_order\": %llu, \"server\": %s}\n",
              static_cast<long long>(memory_peak) - static_cast<long long>(memory_before),
              static_cast<unsigned long long>(expected), static_cast<unsigned long long>(out_of_order),
              report->c_str());
}

// --- conflation

/// The bytes of one loopback connection that the kernel holds: sent by the server and not confirmed, which is what
/// SIOCOUTQ says there, and not read yet here, which is SIOCINQ. /proc/net/tcp has both without asking the server.
std::uint64_t bytes_in_kernel(std::uint16_t server_port, std::uint16_t client_port) {
  const auto end_point = [](std::uint16_t port) {
    std::array<char, 16> text{};
    std::snprintf(text.data(), text.size(), "0100007F:%04X", unsigned{port});
    return std::string(text.data());
  };
  const std::string server = end_point(server_port), client = end_point(client_port);
  std::ifstream file("/proc/net/tcp");
  std::uint64_t bytes = 0;
  for (std::string line; std::getline(file, line);) {
    std::istringstream fields(line);
    std::string number, local, remote, state, queues;
    fields >> number >> local >> remote >> state >> queues;
    if (local == server && remote == client) bytes += std::stoull(queues.substr(0, 8), nullptr, 16);
    if (local == client && remote == server) bytes += std::stoull(queues.substr(9, 8), nullptr, 16);
  }
  return bytes;
}

std::uint16_t local_port(const load::client_socket& socket) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  load::check(getsockname(socket.fd(), reinterpret_cast<sockaddr*>(&address), &size), "getsockname");
  return ntohs(address.sin_port);
}

void run_conflation(const load::options& options, std::uint16_t port, const load::watched_process&) {
  constexpr std::size_t frame_size = 4 + load::update_size;
  control commands(port);
  peer reader = peer::open(port, "/prices", 4 * 1024);
  const std::uint16_t own_port = local_port(reader.socket);
  std::array<std::int64_t, load::update_keys> newest;
  newest.fill(-1);
  std::uint64_t went_back = 0;
  const auto take = [&](std::string_view payload) {
    const stamp s = stamp::read(payload);
    if (s.key >= newest.size()) load::fail("an update of a key that there is not");
    std::int64_t& known = newest[s.key];
    if (static_cast<std::int64_t>(s.number) <= known) ++went_back;
    known = static_cast<std::int64_t>(s.number);
    return steady::now() - s.due_at();
  };

  commands.ask("publish");
  const auto begin = steady::now();
  const std::uint64_t slow_reads = static_cast<std::uint64_t>(options.seconds("seconds") * 10);
  std::vector<std::uint64_t> bytes;  // that were in the kernel before each read
  steady::duration age_max{};
  steady::duration
      excess{};  // above what the bytes account for that were in front of a value when it was sent
  std::array<char, frame_size> frame;
  for (std::uint64_t i = 1; i <= slow_reads; ++i) {
    std::this_thread::sleep_until(begin + i * 100ms);
    bytes.push_back(bytes_in_kernel(port, own_port));
    reader.socket.receive_all(frame.data(), frame.size());
    const steady::duration age = take({frame.data() + 4, load::update_size});
    age_max = std::max(age_max, age);
    const auto reads_ago = static_cast<std::size_t>(age / 100ms);
    const std::size_t then = i > reads_ago + 2 ? i - reads_ago - 2 : 0;
    const std::uint64_t in_front =
        *std::max_element(bytes.begin() + static_cast<std::ptrdiff_t>(then),
                          bytes.begin() + static_cast<std::ptrdiff_t>(std::min(then + 3, i)));
    excess = std::max(excess, age - 100ms * static_cast<std::int64_t>(in_front / frame_size));
  }

  // As fast as it can, first while the updates go on, then to the last of them.
  load::latency_histogram ages;
  const auto read_until = [&](auto done) {
    while (!done()) {
      const bool lives = reader.read([&](unsigned opcode, std::string_view payload) {
        if (opcode == frame_reader::binary) ages.add(take(payload));
      });
      if (!lives) load::fail("the slow reader was closed");
      std::this_thread::sleep_for(100us);
    }
  };
  const auto after = [](steady::duration d) {
    return [end = steady::now() + d] { return steady::now() >= end; };
  };
  read_until(after(500ms));
  ages.clear();
  read_until(after(1s));
  const double p99_ms = ages.percentile(0.99) / 1000;
  commands.tell("stop");
  std::optional<std::string> report;
  read_until([&] { return (report = commands.answer()).has_value(); });
  read_until(after(500ms));
  std::string last_values;
  for (const std::int64_t number : newest)
    last_values += (last_values.empty() ? "" : ", ") + std::to_string(number);
  std::printf(
      "{\"slow_reads\": %llu, \"bytes_a_second\": %zu, \"bytes_in_kernel\": %llu, \"age_max_ms\": %.1f, "
      "\"excess_ms\": %.1f, "
      "\"went_back\": %llu, \"caught_up_p99_ms\": %.2f, \"last_values\": [%s], \"server\": %s}\n",
      static_cast<unsigned long long>(slow_reads), 10 * frame_size,
      static_cast<unsigned long long>(*std::max_element(bytes.begin(), bytes.end())),
      in_milliseconds(age_max), in_milliseconds(excess), static_cast<unsigned long long>(went_back), p99_ms,
      last_values.c_str(), report->c_str());
}

}  // namespace

int main(int argc, char** argv) {
  const load::options options(argc, argv,
                              {{"port", ""},
                               {"pid", ""},
                               {"case", ""},
                               {"policy", "queue"},
                               {"connections", "1000"},
                               {"seconds", "4"}});
  const auto port = options.number<std::uint16_t>("port");
  const load::watched_process server(options.number<pid_t>("pid"));
  load::raise_descriptor_limit(options.number("connections"));
  const std::string& name = options.text("case");
  if (name == "stopped-reader") {
    run_stopped_reader(options, port, server);
  } else if (name == "stalled-thousand") {
    run_stalled_thousand(options, port, server);
  } else if (name == "conflation") {
    run_conflation(options, port, server);
  } else {
    load::fail("there is no case '" + name + "'");
  }
}
