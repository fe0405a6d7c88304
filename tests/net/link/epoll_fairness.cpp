#include <fairlead/net/link/epoll_set.hpp>

#include <fairlead/net/server/server.hpp>
#include <fairlead/wire/frame_header.hpp>
#include <fairlead/wire/mask.hpp>

#include <net/link/link_support.hpp>
#include <support/catch.hpp>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <initializer_list>
#include <optional>
#include <thread>

#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>

using namespace fairlead;
using namespace link_support;

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool is_sanitized = true;
#else
constexpr bool is_sanitized = false;
#endif

std::string client_frame(std::size_t payload_size) {
  frame_header header;
  header.op = opcode::binary;
  header.mask = mask_key{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}};
  header.payload_size = payload_size;
  std::array<std::byte, max_frame_header_size> front;
  const std::size_t n = encode_frame_header(header, front);
  std::string frame(reinterpret_cast<const char*>(front.data()), n);
  return frame + pattern(payload_size);  // what the mask makes of it does not matter
}

descriptor connect_and_upgrade(std::uint16_t port) {
  descriptor s = connect_to(port);
  const std::string_view head =
      "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
  check(static_cast<int>(::send(s.get(), head.data(), head.size(), MSG_NOSIGNAL)), "send");
  std::string answer;
  char c = 0;
  while (!answer.ends_with("\r\n\r\n") && ::recv(s.get(), &c, 1, 0) == 1) answer += c;
  if (!answer.starts_with("HTTP/1.1 101 ")) throw std::runtime_error("no upgrade: " + answer);
  return s;
}

/// An echo server with its event loop in a thread.
class echo_server {
 public:
  explicit echo_server(const server_options& options) : server_(context_, options) {
    handlers echo;
    echo.on_message = [](session& ws, message_view m) { ws.try_send(m); };
    server_.route("/", std::move(echo));
    server_.listen();
    thread_ = std::thread([this] {
      thread_id_ = ::gettid();
      context_.run();
    });
  }
  ~echo_server() {
    context_.stop();
    thread_.join();
  }
  std::uint16_t port() const { return server_.port(); }
  pid_t thread_id() const { return thread_id_; }

 private:
  std::atomic<pid_t> thread_id_ = 0;
  asio::io_context context_{1};
  server server_;
  std::thread thread_;
};

/// A client that sends large messages without a pause while it is told to, and reads what comes back.
///
/// Its thread gets processor time only when nobody else wants it: it stands for a client elsewhere, and must
/// take from the others what the server gives it, not what this machine's scheduler does. Its socket's
/// buffers stay full all the same, so the server never waits for it.
class endless_sender {
 public:
  endless_sender(std::uint16_t port, std::size_t message_size)
      : socket_(connect_and_upgrade(port)), frame_(client_frame(message_size)) {
    check(::fcntl(socket_.get(), F_SETFL, O_NONBLOCK), "fcntl");
    thread_ = std::thread([this] { run(); });
  }
  ~endless_sender() {
    ending_ = true;
    thread_.join();
  }

  /// False when this machine has no time for it at present.
  bool begin() {
    sending_ = true;
    const std::size_t before = echoed();
    return wait([&] { return echoed() > before + 2 * frame_.size(); }, 500ms);
  }
  void stop() {
    sending_ = false;
    if (!wait([&] { return is_idle_.load(); }, patience)) throw std::runtime_error("echoes are missing");
  }
  std::size_t echoed() const { return echoed_; }

  // So much is under way at a time: more than the buffers of its socket hold in the server's direction.
  static constexpr std::size_t max_unanswered = 16 * 1024 * 1024;

 private:
  template <class Condition>
  static bool wait(Condition done, duration limit) {
    const auto end = clock::now() + limit;
    while (!done()) {
      if (clock::now() > end) return false;
      ::poll(nullptr, 0, 1);
    }
    return true;
  }

  void run() {
    const sched_param none{};
    ::sched_setscheduler(0, SCHED_IDLE, &none);
    std::vector<char> buffer(256 * 1024);
    std::size_t sent = 0;      // of the frame
    std::size_t expected = 0;  // bytes that the server owes
    const std::size_t echo_size = frame_.size() - sizeof(mask_key);
    while (!ending_) {
      const bool writes = sent != 0 || (sending_ && expected < max_unanswered);
      is_idle_ = !writes && expected == 0;
      pollfd ready{socket_.get(), static_cast<short>(writes ? POLLIN | POLLOUT : POLLIN), 0};
      ::poll(&ready, 1, 5);
      if ((ready.revents & POLLIN) != 0) {
        const auto n = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
        if (n == 0) return;
        if (n > 0) {
          echoed_ += static_cast<std::size_t>(n);
          expected -= static_cast<std::size_t>(n);
        }
      }
      if ((ready.revents & POLLOUT) != 0) {
        if (sent == 0) expected += echo_size;
        const auto n = ::send(socket_.get(), frame_.data() + sent, frame_.size() - sent, MSG_NOSIGNAL);
        if (n > 0) sent = (sent + static_cast<std::size_t>(n)) % frame_.size();
      }
    }
  }

  descriptor socket_;
  std::string frame_;
  std::atomic<bool> sending_ = false;
  std::atomic<bool> ending_ = false;
  std::atomic<bool> is_idle_ = true;
  std::atomic<std::size_t> echoed_ = 0;
  std::thread thread_;
};

/// How long threads of this process were ready to run while other work had the processor.
class waiting_time {
 public:
  explicit waiting_time(std::initializer_list<pid_t> threads) {
    for (const pid_t id : threads) {
      files_.emplace_back(
          ::open(("/proc/self/task/" + std::to_string(id) + "/schedstat").c_str(), O_RDONLY | O_CLOEXEC));
    }
  }

  /// In total up to now; always 0 where the kernel does not count it.
  duration sum() const {
    duration total{};
    for (const descriptor& file : files_) {
      std::array<char, 100> text{};
      long long ran = 0;
      long long waited = 0;
      if (::pread(file.get(), text.data(), text.size() - 1, 0) <= 0) continue;
      if (std::sscanf(text.data(), "%lld %lld", &ran, &waited) == 2)
        total += std::chrono::nanoseconds(waited);
    }
    return total;
  }

 private:
  std::vector<descriptor> files_;
};

/// Clients that each send a small message and wait for its echo, all at a time.
class small_clients {
 public:
  small_clients(std::uint16_t port, std::size_t count)
      : epoll_(check(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")) {
    for (std::size_t i = 0; i < count; ++i) {
      sockets_.push_back(connect_and_upgrade(port));
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.u64 = i;
      check(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, sockets_.back().get(), &event), "epoll_ctl");
    }
    sent_at_.resize(count);
  }

  /// The 99th percentile of the round trips of some volleys. Volleys in which the machine gave the processor
  /// to other work say nothing, and do not count; none when there were few others.
  std::optional<duration> p99(const waiting_time& waiting) {
    constexpr int volleys = 8;
    constexpr auto negligible = 50us;
    trips_.clear();
    for (int clean = 0, tries = 0; clean < volleys; ++tries) {
      if (tries == 8 * volleys) return {};
      const std::size_t size_before = trips_.size();
      const duration waited_before = waiting.sum();
      volley();
      if (waiting.sum() - waited_before <= negligible) {
        ++clean;
      } else {
        trips_.resize(size_before);
      }
    }
    const auto nth = trips_.begin() + static_cast<std::ptrdiff_t>(trips_.size() * 99 / 100);
    std::nth_element(trips_.begin(), nth, trips_.end());
    return *nth;
  }

 private:
  void volley() {
    for (std::size_t i = 0; i < sockets_.size(); ++i) {
      sent_at_[i] = clock::now();
      check(static_cast<int>(::send(sockets_[i].get(), frame_.data(), frame_.size(), MSG_NOSIGNAL)), "send");
    }
    std::array<epoll_event, 128> events;
    for (std::size_t missing = sockets_.size(); missing != 0;) {
      const int n = check(::epoll_wait(epoll_.get(), events.data(), events.size(),
                                       static_cast<int>(std::chrono::milliseconds(patience).count())),
                          "epoll_wait");
      if (n == 0) throw std::runtime_error("an echo is missing");
      for (int i = 0; i < n; ++i) {
        const std::size_t client = events[static_cast<std::size_t>(i)].data.u64;
        std::array<char, 1000> echo;
        const auto size = ::recv(sockets_[client].get(), echo.data(), echo.size(), 0);
        if (size != static_cast<ssize_t>(frame_.size() - sizeof(mask_key)))
          throw std::runtime_error("a wrong echo");
        trips_.push_back(clock::now() - sent_at_[client]);
        --missing;
      }
    }
  }

  descriptor epoll_;
  std::vector<descriptor> sockets_;
  std::string frame_ = client_frame(64);
  std::vector<time_point> sent_at_;
  std::vector<duration> trips_;
};

duration median(std::vector<duration> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

// R12: one peer that always has something to be read does not make the others wait twice as long. Measured in
// turns, since the machine is never the same for long.
TEST_CASE("an_endless_sender_does_not_double_the_round_trips_of_the_others", "[threads]") {
  const std::size_t message_size = GENERATE(60U * 1024U, 1024U * 1024U);
  CAPTURE(message_size);
  server_options options;
  options.address = "127.0.0.1";
  options.link = link_kind::epoll;
  options.session.connection.max_message_size = message_size;
  options.session.queue_hard = 2 * endless_sender::max_unanswered;  // nobody here is to be closed as slow
  const echo_server server(options);
  small_clients others(server.port(), 99);
  endless_sender endless(server.port(), message_size);
  const waiting_time waiting{::gettid(), server.thread_id()};

  constexpr std::size_t rounds = is_sanitized ? 2 : 15;
  constexpr std::size_t least_rounds = is_sanitized ? 0 : 5;
  const auto end = clock::now() + (is_sanitized ? 2s : 3s);
  const auto give_up = end + 40s;  // on a machine that is busy with other work
  std::vector<duration> alone;
  std::vector<duration> beside;
  others.p99(waiting);  // warms up
  const auto measured = [&] { return std::min(alone.size(), beside.size()); };
  while (measured() < rounds && clock::now() < (measured() < least_rounds ? give_up : end)) {
    if (const auto p99 = others.p99(waiting)) alone.push_back(*p99);
    const std::size_t before = endless.echoed();
    if (endless.begin()) {
      if (const auto p99 = others.p99(waiting)) beside.push_back(*p99);
      CHECK(endless.echoed() > before);
    }
    endless.stop();
  }
  // A sanitizer makes our code cost many times what it does, and the kernel's no more: no measure of
  // fairness.
  if (is_sanitized) return;
  if (measured() < least_rounds) FAIL("other work on this machine left too few rounds to measure in");
  const auto in_us = [](duration d) {
    return std::chrono::duration_cast<std::chrono::microseconds>(d).count();
  };
  CAPTURE(alone.size(), beside.size(), in_us(median(alone)), in_us(median(beside)));
  CHECK(median(beside) < 2 * median(alone));
}
