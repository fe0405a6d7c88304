#ifndef FAIRLEAD_BENCHMARKS_LOAD_HONEST_ROOM_HPP
#define FAIRLEAD_BENCHMARKS_LOAD_HONEST_ROOM_HPP

#include "client_socket.hpp"
#include "event_set.hpp"
#include "frame_reader.hpp"
#include "latency_histogram.hpp"
#include "traffic.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace load {

/// Clients of the chat server in a room of their own: each says something once a second, and notes how late it is that
/// it gets what each of them said. Who is lost stays away.
class honest_room {
 public:
  honest_room(std::uint16_t port, std::size_t count) {
    clients_.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
      clients_.push_back({client_socket(port), {}});
      clients_.back().socket.upgrade("/chat?room=honest&name=Honest", port);
      events_.add(clients_.back().socket.fd(), i, EPOLLIN);
    }
    next_ = clock::now();
  }

  /// Speaks and listens until `done()`, which is asked every few milliseconds.
  template <class Done>
  void live_until(Done done) {
    while (!done()) {
      for (; next_ <= clock::now(); next_ += period / clients_.size()) say();
      events_.wait(2, [this](std::size_t i, std::uint32_t) { listen(i); });
    }
  }

  /// Says no more, and waits for what is on its way, at most so long.
  void listen_out(std::chrono::seconds patience) {
    for (const auto end = clock::now() + patience; delivered_ < expected_ && clock::now() < end;) {
      events_.wait(2, [this](std::size_t i, std::uint32_t) { listen(i); });
    }
  }

  /// What is said from now on is measured by itself.
  void start_over() {
    latencies_.clear();
    latest_ = {};
  }

  double p50_ms() const { return latencies_.percentile(0.5) / 1000; }
  double p99_ms() const { return latencies_.percentile(0.99) / 1000; }
  double max_ms() const { return std::chrono::duration<double, std::milli>(latest_).count(); }
  std::uint64_t delivered() const { return delivered_; }
  std::uint64_t expected() const { return expected_; }
  std::size_t lost() const { return lost_; }

 private:
  using clock = std::chrono::steady_clock;
  static constexpr std::chrono::nanoseconds period = std::chrono::seconds(1);

  struct client {
    client_socket socket;
    frame_reader frames;
    bool is_lost = false;
  };

  // Of when it was due: what holds this program up is in the number too.
  void say() {
    client& speaker = clients_[turn_++ % clients_.size()];
    if (speaker.is_lost) return;
    const std::string json = R"({"type":"room_message","id":"1","text":")" +
                             std::to_string(next_.time_since_epoch().count()) + R"("})";
    std::vector<char> frame;
    append_client_frame(frame, static_cast<char>(0x81), {json.begin(), json.end()});
    if (send(speaker.socket.fd(), frame.data(), frame.size(), MSG_NOSIGNAL) ==
        static_cast<ssize_t>(frame.size())) {
      expected_ += clients_.size() - lost_;
    }
  }

  void listen(std::size_t i) {
    client& c = clients_[i];
    static std::vector<char> in(64 * 1024);
    const ssize_t n = recv(c.socket.fd(), in.data(), in.size(), MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN) return;
    bool is_over = n <= 0;
    if (n > 0) {
      c.frames.feed({in.data(), static_cast<std::size_t>(n)}, [&](unsigned opcode, std::string_view payload) {
        if (opcode == frame_reader::close) is_over = true;
        if (opcode == frame_reader::text) hear(payload);
      });
    }
    if (!is_over) return;
    events_.remove(c.socket.fd());
    c.is_lost = true;
    ++lost_;
  }

  void hear(std::string_view message) {
    constexpr std::string_view member = R"("text":")";
    if (!message.starts_with(R"({"type":"room_message")")) return;
    const char* const text = message.data() + message.find(member) + member.size();
    clock::rep due = 0;
    std::from_chars(text, message.data() + message.size(), due);
    const auto late = clock::now().time_since_epoch() - clock::duration(due);
    latencies_.add(std::max(late, clock::duration::zero()));
    latest_ = std::max(latest_, late);
    ++delivered_;
  }

  std::vector<client> clients_;
  event_set events_;
  clock::time_point next_;
  std::size_t turn_ = 0;
  latency_histogram latencies_;
  clock::duration latest_{};
  std::uint64_t delivered_ = 0;
  std::uint64_t expected_ = 0;
  std::size_t lost_ = 0;
};

}  // namespace load

#endif
