// The clients of drain_server.
//
//   drain_clients --port PORT --mode drain [--connections N] [--slow N]
//
// Opens N sessions on /feed, and some on /slow that read 100 KiB a second, prints "ready", and reads until every session
// is closed, or for a minute. Prints for each of both kinds how many messages it read, and what came of the close frames.
//
//   drain_clients --port PORT --mode restart [--rate PER_SECOND] [--seconds S]
//
// Connects, asks for an upgrade and hangs up, so many times a second, and prints what came of it.
#include "client_socket.hpp"
#include "event_set.hpp"
#include "frame_reader.hpp"
#include "program.hpp"
#include "slow_traffic.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

// --- drain

struct subscriber {
  subscriber(std::uint16_t port, const std::string& path, int receive_buffer) : socket(port, receive_buffer) {
    socket.upgrade(path, port);
    socket.stop_blocking();
  }

  load::client_socket socket;
  load::frame_reader frames;
  std::uint64_t read = 0;
  bool is_in_order = true;
  bool is_closed = false;  ///< By a close frame.
  bool is_over = false;
  steady::time_point closed_at{};
  unsigned code = 0;
  std::string reason;
};

class drained_clients {
 public:
  drained_clients(std::uint16_t port, std::size_t connections, std::size_t slow) : count_(connections) {
    load::raise_descriptor_limit(connections + slow);
    for (std::size_t i = 0; i < connections + slow; ++i) {
      const bool is_slow = i >= connections;
      const std::string path =
          is_slow ? "/slow/" + std::to_string(i - connections) : "/feed/" + std::to_string(i);
      all_.push_back(std::make_unique<subscriber>(port, path, is_slow ? slow_buffer : 0));
      if (!is_slow) events_.add(all_.back()->socket.fd(), i, EPOLLIN);
    }
    open_ = all_.size();
  }

  void run() {
    const steady::time_point give_up = steady::now() + 60s;
    steady::time_point slow_due = steady::now();
    while (open_ != 0 && steady::now() < give_up) {
      events_.wait(10, [this](std::size_t i, std::uint32_t) { read(i, 65536); });
      if (steady::now() < slow_due) continue;
      slow_due += slow_interval;
      for (std::size_t i = count_; i < all_.size(); ++i) read(i, slow_read);
    }
  }

  void report() const {
    std::vector<steady::time_point> times;
    std::size_t wrong_closes = 0;
    std::size_t out_of_order = 0;
    for (const auto& s : all_) {
      if (!s->is_in_order) ++out_of_order;
      if (!is_right(*s)) ++wrong_closes;
    }
    for (std::size_t i = 0; i < count_; ++i) {
      if (all_[i]->is_closed) times.push_back(all_[i]->closed_at);
    }
    std::sort(times.begin(), times.end());
    std::size_t fullest = 0;
    for (std::size_t from = 0, to = 0; to < times.size(); ++to) {
      while (times[to] - times[from] >= 100ms) ++from;
      fullest = std::max(fullest, to - from + 1);
    }
    const auto spread =
        times.empty() ? 0ms
                      : std::chrono::duration_cast<std::chrono::milliseconds>(times.back() - times.front());
    std::printf(
        "{\"still_open\": %zu, \"out_of_order\": %zu, \"wrong_closes\": %zu, \"fullest\": %zu, "
        "\"spread_ms\": %lld, ",
        open_, out_of_order, wrong_closes, fullest, static_cast<long long>(spread.count()));
    print_read("feed", 0, count_);
    std::printf(", ");
    print_read("slow", count_, all_.size());
    std::printf("}\n");
  }

 private:
  static constexpr unsigned pong = 10;

  // About 100 KiB a second.
  static constexpr int slow_buffer = 4096;
  static constexpr std::size_t slow_read = 10 * 1024;
  static constexpr auto slow_interval = 100ms;

  // 1012 and when to come back, within ten seconds.
  static bool is_right(const subscriber& s) {
    constexpr std::string_view name = "retry-after-ms=";
    if (!s.is_closed || s.code != 1012 || !s.reason.starts_with(name)) return false;
    unsigned value = 0;
    const char* const end = s.reason.data() + s.reason.size();
    const auto [at, error] = std::from_chars(s.reason.data() + name.size(), end, value);
    return error == std::errc() && at == end && value <= 10'000;
  }

  void read(std::size_t i, std::size_t most) {
    subscriber& s = *all_[i];
    if (s.is_over) return;
    const ssize_t size = ::recv(s.socket.fd(), room_.data(), std::min(most, room_.size()), 0);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (size <= 0) {
      s.is_over = true;
      --open_;
      if (i < count_) events_.remove(s.socket.fd());
      return;
    }
    s.frames.feed({room_.data(), static_cast<std::size_t>(size)},
                  [&](unsigned opcode, std::string_view payload) { take(s, i, opcode, payload); });
  }

  void take(subscriber& s, std::size_t i, unsigned opcode, std::string_view payload) {
    if (opcode == load::frame_reader::close && payload.size() >= 2) {
      s.is_closed = true;
      s.closed_at = steady::now();
      s.code = static_cast<unsigned>(static_cast<unsigned char>(payload[0]) << 8 |
                                     static_cast<unsigned char>(payload[1]));
      s.reason = payload.substr(2);
      answer(s, load::frame_reader::close, payload.substr(0, 2));
    } else if (opcode == load::frame_reader::ping) {
      answer(s, pong, payload);
    } else if (opcode == load::frame_reader::binary) {
      const auto stamp = load::stamp::read(payload);
      const std::size_t number = i < count_ ? i : i - count_;
      if (s.is_closed || stamp.key != number || stamp.number != s.read) s.is_in_order = false;
      ++s.read;
    }
  }

  static void answer(subscriber& s, unsigned opcode, std::string_view payload) {
    std::string frame{static_cast<char>(0x80 | opcode), static_cast<char>(0x80 | payload.size())};
    frame.append(4, '\0').append(payload);  // a mask of zeros
    s.socket.send_all(frame.data(), frame.size());
  }

  void print_read(const char* name, std::size_t from, std::size_t to) const {
    std::printf("\"%s\": [", name);
    for (std::size_t i = from; i < to; ++i) {
      std::printf("%s%llu", i == from ? "" : ", ", static_cast<unsigned long long>(all_[i]->read));
    }
    std::printf("]");
  }

  const std::size_t count_;
  load::event_set events_;
  std::vector<std::unique_ptr<subscriber>> all_;
  std::size_t open_ = 0;
  std::array<char, 65536> room_{};
};

// --- restart

struct visits {
  std::atomic<std::uint64_t> served = 0;
  std::atomic<std::uint64_t> turned_away = 0;  ///< 503.
  std::atomic<std::uint64_t> refused = 0;      ///< No connection.
  std::atomic<std::uint64_t> reset = 0;        ///< Or anything else but an answer.
  std::atomic<std::uint64_t> slowest_us = 0;
};

void visit(std::uint16_t port, visits& v) {
  const int fd = load::check(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
  const timeval patience{10, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  const steady::time_point began = steady::now();
  static constexpr std::string_view request =
      "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
  std::array<char, 1024> head;
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    ++v.refused;
  } else if (::send(fd, request.data(), request.size(), MSG_NOSIGNAL) !=
             static_cast<ssize_t>(request.size())) {
    ++v.reset;
  } else {
    const ssize_t size = ::recv(fd, head.data(), head.size(), 0);
    const std::string_view answer(head.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
    if (answer.starts_with("HTTP/1.1 101 ")) {
      ++v.served;
    } else if (answer.starts_with("HTTP/1.1 503 ")) {
      ++v.turned_away;
    } else {
      ++v.reset;
    }
  }
  const auto took = std::chrono::duration_cast<std::chrono::microseconds>(steady::now() - began);
  auto slowest = v.slowest_us.load();
  while (slowest < static_cast<std::uint64_t>(took.count()) &&
         !v.slowest_us.compare_exchange_weak(slowest, static_cast<std::uint64_t>(took.count()))) {
  }
  const linger now{1, 0};  // so that no port is kept back
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  ::close(fd);
}

void restart(std::uint16_t port, std::uint64_t rate, double seconds) {
  constexpr std::uint64_t thread_count = 8;
  visits v;
  std::vector<std::thread> threads;
  const steady::time_point begin = steady::now();
  const steady::time_point end =
      begin + std::chrono::duration_cast<steady::duration>(std::chrono::duration<double>(seconds));
  const auto period = std::chrono::nanoseconds(1s) * thread_count / rate;
  for (std::uint64_t i = 0; i < thread_count; ++i) {
    threads.emplace_back([&, due = begin + period * i / thread_count]() mutable {
      for (; due < end; due += period) {
        std::this_thread::sleep_until(due);
        visit(port, v);
      }
    });
  }
  for (std::thread& t : threads) t.join();
  std::printf(
      "{\"served\": %llu, \"turned_away\": %llu, \"refused\": %llu, \"reset\": %llu, \"slowest_ms\": %.1f}\n",
      static_cast<unsigned long long>(v.served), static_cast<unsigned long long>(v.turned_away),
      static_cast<unsigned long long>(v.refused), static_cast<unsigned long long>(v.reset),
      static_cast<double>(v.slowest_us) / 1000);
}

}  // namespace

int main(int argc, char** argv) {
  const load::options arguments(argc, argv,
                                {{"port", ""},
                                 {"mode", ""},
                                 {"connections", "10000"},
                                 {"slow", "20"},
                                 {"rate", "300"},
                                 {"seconds", "10"}});
  const auto port = arguments.number<std::uint16_t>("port");
  if (arguments.text("mode") == "restart") {
    restart(port, std::max<std::uint64_t>(arguments.number("rate"), 1), arguments.seconds("seconds"));
  } else if (arguments.text("mode") == "drain") {
    drained_clients clients(port, std::max<std::size_t>(arguments.number<std::size_t>("connections"), 1),
                            arguments.number<std::size_t>("slow"));
    std::printf("ready\n");
    std::fflush(stdout);
    clients.run();
    clients.report();
  } else {
    load::fail("there is no mode '" + arguments.text("mode") + "'");
  }
}
