// Load on a server of this machine, and what each message cost it. Three modes:
//   ws    N connections, K messages in flight on each; every echoed message makes the next one due
//   raw   the same bytes without WebSocket, for raw_echo
//   idle  N connections that exchange one message each and then only wait: the memory that each one holds, and what
//         the heartbeat costs
// Prints one line of JSON. What the numbers mean: ../README.md.

#include "client_socket.hpp"
#include "event_set.hpp"
#include "latency_histogram.hpp"
#include "program.hpp"
#include "traffic.hpp"
#include "watched_process.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

namespace {

using steady = std::chrono::steady_clock;

double in_seconds(std::chrono::nanoseconds time) { return std::chrono::duration<double>(time).count(); }

struct connection {
  explicit connection(load::client_socket s) : socket(std::move(s)) {}

  load::client_socket socket;
  std::size_t request_offset = 0;  // how much of the request at the front of `requests` was sent before
  std::size_t unsent = 0;          // bytes that are due
  std::size_t reply_offset = 0;    // how much of the current reply has arrived
  std::uint64_t replies = 0;       // complete ones
  std::uint64_t timed_reply = 0;   // the number of the reply whose latency is being taken; 0 for none
  steady::time_point timed_since{};
  bool wants_room = false;  // EPOLLOUT is armed
};

struct measurement {
  std::chrono::nanoseconds wall{};
  std::chrono::nanoseconds server{};
  std::chrono::nanoseconds client{};
  load::watched_process::ticks ticks;
  std::uint64_t messages = 0;

  measurement since(const measurement& start) const {
    return {wall - start.wall,
            server - start.server,
            client - start.client,
            {ticks.user - start.ticks.user, ticks.system - start.ticks.system},
            messages - start.messages};
  }
};

/// Keeps `outstanding` messages in flight on each connection and counts what comes back.
class load_run {
 public:
  load_run(std::vector<connection>& connections, const load::traffic& traffic, std::size_t outstanding)
      : connections_(connections), traffic_(traffic), outstanding_(outstanding) {
    for (std::size_t i = 0; i < connections_.size(); ++i) {
      connections_[i].socket.stop_blocking();
      events_.add(connections_[i].socket.fd(), i, EPOLLIN);
    }
    for (std::size_t i = 0; i < connections_.size(); ++i) {
      queue_requests(connections_[i], outstanding_, steady::now());
      flush(i);
    }
  }

  /// Runs for `duration`. Fails when nothing at all comes back for ten seconds.
  void run_for(std::chrono::duration<double> duration) {
    const auto end = steady::now() + std::chrono::duration_cast<steady::duration>(duration);
    auto last_progress = steady::now();
    for (auto now = last_progress; now < end; now = steady::now()) {
      if (events_.wait(100, [this](std::size_t i, std::uint32_t ready) { serve(i, ready); }) > 0) {
        last_progress = now;
      } else if (now - last_progress > std::chrono::seconds(10)) {
        load::fail("no reply for ten seconds");
      }
    }
  }

  measurement measure(const load::watched_process& server) const {
    return {steady::now().time_since_epoch(), server.processor_time(),
            load::watched_process::own_processor_time(), server.processor_ticks(), messages_};
  }

  load::latency_histogram& latencies() { return latencies_; }

 private:
  void serve(std::size_t index, std::uint32_t ready) {
    if ((ready & ~EPOLLOUT) != 0) receive(index);
    if (connections_[index].unsent > 0) flush(index);
  }

  void receive(std::size_t index) {
    connection& peer = connections_[index];
    const ssize_t received = recv(peer.socket.fd(), in_.data(), in_.size(), 0);
    if (received < 0 && errno == EAGAIN) return;
    if (received <= 0) {
      load::fail("connection " + std::to_string(index) + " ended after " + std::to_string(peer.replies) +
                 " replies");
    }
    const auto size = static_cast<std::size_t>(received);
    if (traffic_.reply_known && peer.replies == 0) check_first_reply(index, size);

    const std::size_t complete = (peer.reply_offset + size) / traffic_.reply.size();
    peer.reply_offset = (peer.reply_offset + size) % traffic_.reply.size();
    if (complete == 0) return;
    messages_ += complete;
    peer.replies += complete;
    const auto now = steady::now();
    if (peer.timed_reply != 0 && peer.replies >= peer.timed_reply) {
      latencies_.add(now - peer.timed_since);
      peer.timed_reply = 0;
    }
    queue_requests(peer, complete, now);
  }

  void check_first_reply(std::size_t index, std::size_t size) const {
    const std::size_t offset = connections_[index].reply_offset;
    const std::size_t compared = std::min(size, traffic_.reply.size() - offset);
    if (!std::equal(in_.begin(), in_.begin() + static_cast<std::ptrdiff_t>(compared),
                    traffic_.reply.begin() + static_cast<std::ptrdiff_t>(offset))) {
      load::fail("the first reply on connection " + std::to_string(index) +
                 " is not the echo of its message");
    }
  }

  /// One message of a connection is timed at once, the last of its turn: from when it was due to its reply.
  void queue_requests(connection& peer, std::size_t count, steady::time_point now) {
    peer.unsent += count * traffic_.request_size;
    if (peer.timed_reply == 0) {
      peer.timed_reply = peer.replies + outstanding_;
      peer.timed_since = now;
    }
  }

  void flush(std::size_t index) {
    connection& peer = connections_[index];
    const ssize_t result =
        send(peer.socket.fd(), traffic_.requests.data() + peer.request_offset, peer.unsent, MSG_NOSIGNAL);
    if (result < 0 && errno != EAGAIN) load::check(-1, "send");
    const std::size_t sent = result < 0 ? 0 : static_cast<std::size_t>(result);
    peer.unsent -= sent;
    peer.request_offset = (peer.request_offset + sent) % traffic_.request_size;
    const bool wants_room = peer.unsent > 0;
    if (wants_room != peer.wants_room) {
      peer.wants_room = wants_room;
      events_.change(peer.socket.fd(), index, wants_room ? EPOLLIN | EPOLLOUT : EPOLLIN);
    }
  }

  std::vector<connection>& connections_;
  const load::traffic& traffic_;
  const std::size_t outstanding_;
  load::event_set events_;
  std::vector<char> in_ = std::vector<char>(256 * 1024);
  std::uint64_t messages_ = 0;
  load::latency_histogram latencies_;
};

void print_load(const load::options& options, const measurement& m,
                const load::latency_histogram& latencies) {
  const auto messages = static_cast<double>(m.messages);
  const auto microseconds_each = [&](std::chrono::nanoseconds time) {
    return in_seconds(time) * 1e6 / messages;
  };
  const double ticks = static_cast<double>(m.ticks.user + m.ticks.system);
  std::printf(
      "{\"mode\": \"%s\", \"connections\": %s, \"outstanding\": %s, \"size\": %s, \"type\": \"%s\", "
      "\"seconds\": %.3f, \"messages\": %llu, \"messages_per_second\": %.0f, "
      "\"server_us_per_message\": %.4f, \"server_user_share\": %.3f, \"server_busy\": %.3f, "
      "\"client_us_per_message\": %.4f, \"latency_p50_us\": %.1f, \"latency_p99_us\": %.1f}\n",
      options.text("mode").c_str(), options.text("connections").c_str(), options.text("outstanding").c_str(),
      options.text("size").c_str(), options.text("type").c_str(), in_seconds(m.wall),
      static_cast<unsigned long long>(m.messages), messages / in_seconds(m.wall), microseconds_each(m.server),
      ticks == 0 ? 0 : static_cast<double>(m.ticks.user) / ticks, in_seconds(m.server) / in_seconds(m.wall),
      microseconds_each(m.client), latencies.percentile(0.5), latencies.percentile(0.99));
}

void run_load(const load::options& options, std::vector<connection>& connections,
              const load::traffic& traffic, const load::watched_process& server) {
  load_run run(connections, traffic, options.number("outstanding"));
  run.run_for(std::chrono::duration<double>(options.seconds("warmup")));
  run.latencies().clear();
  const measurement start = run.measure(server);
  run.run_for(std::chrono::duration<double>(options.seconds("seconds")));
  const measurement result = run.measure(server).since(start);
  if (result.messages == 0) load::fail("no message came back in the measured time");
  print_load(options, result, run.latencies());
}

void exchange_one(connection& peer, const load::traffic& traffic) {
  peer.socket.send_all(traffic.requests.data(), traffic.request_size);
  std::vector<char> reply(traffic.reply.size());
  peer.socket.receive_all(reply.data(), reply.size());
  if (reply != traffic.reply) load::fail("the reply is not the echo of its message");
}

/// Answers the heartbeat, so that connections can be held for as long as one wants to look at them.
void answer_ping(load::client_socket& socket) {
  std::array<char, 2> header{};
  socket.receive_all(header.data(), header.size());
  const auto payload_size = static_cast<std::size_t>(header[1]);
  if (header[0] != static_cast<char>(0x89) || payload_size > 125)
    load::fail("an idle connection got no ping but other bytes");
  std::vector<char> payload(payload_size);
  socket.receive_all(payload.data(), payload.size());
  std::vector<char> pong;
  load::append_client_frame(pong, static_cast<char>(0x8a), payload);
  socket.send_all(pong.data(), pong.size());
}

/// Connections that only wait, and the pings of the heartbeat that they answer meanwhile.
class waiting_connections {
 public:
  explicit waiting_connections(std::vector<connection>& connections) : connections_(connections) {}

  /// The last of them is new.
  void on_opened() {
    events_.add(connections_.back().socket.fd(), connections_.size() - 1, EPOLLIN);
    // A crowd that is answered late, and at once, would be asked again at once.
    if (connections_.size() % 64 == 0) answer(0);
  }

  /// Counts the pings of that time.
  void hold(std::chrono::duration<double> duration) {
    buckets_.assign(static_cast<std::size_t>(duration.count() * 10) + 1, 0);
    begin_ = steady::now();
    const auto end = begin_ + std::chrono::duration_cast<steady::duration>(duration);
    while (steady::now() < end) answer(20);
  }

  std::uint64_t pings() const { return std::accumulate(buckets_.begin(), buckets_.end(), std::uint64_t{0}); }
  std::uint64_t most_in_100_ms() const { return *std::ranges::max_element(buckets_); }

 private:
  void answer(int milliseconds) {
    events_.wait(milliseconds, [&](std::size_t i, std::uint32_t) {
      const auto bucket = static_cast<std::size_t>((steady::now() - begin_) / std::chrono::milliseconds(100));
      ++buckets_[std::min(bucket, buckets_.size() - 1)];
      answer_ping(connections_[i].socket);
    });
  }

  std::vector<connection>& connections_;
  load::event_set events_;
  steady::time_point begin_ = steady::now();
  std::vector<std::uint64_t> buckets_ = {0};
};

void run_idle(const load::options& options, std::vector<connection>& connections,
              const load::traffic& traffic, const load::watched_process& server, const auto& open) {
  const std::uint64_t count = options.number("connections");
  const bool talk = options.number("outstanding") > 0;
  waiting_connections waiting(connections);
  const auto open_one = [&] {
    connections.push_back(open());
    if (talk) exchange_one(connections.back(), traffic);
    waiting.on_opened();
  };
  open_one();  // what a server sets up for its first connection is not the price of each
  const std::uint64_t before = server.private_memory();
  for (std::uint64_t i = 0; i < count; ++i) open_one();
  const auto processor_before = server.processor_time();
  waiting.hold(std::chrono::duration<double>(options.seconds("seconds")));
  const auto processor = server.processor_time() - processor_before;
  const std::uint64_t after = server.private_memory();
  std::printf(
      "{\"mode\": \"idle\", \"connections\": %llu, \"spoke\": %s, \"private_bytes_before\": %llu, "
      "\"private_bytes_after\": %llu, \"bytes_per_connection\": %.1f, \"seconds\": %.3f, "
      "\"server_busy\": %.4f, \"pings\": %llu, \"pings_in_fullest\": %llu, \"pings_in_mean\": %.2f}\n",
      static_cast<unsigned long long>(count), talk ? "true" : "false",
      static_cast<unsigned long long>(before), static_cast<unsigned long long>(after),
      (static_cast<double>(after) - static_cast<double>(before)) / static_cast<double>(count),
      options.seconds("seconds"), in_seconds(processor) / options.seconds("seconds"),
      static_cast<unsigned long long>(waiting.pings()),
      static_cast<unsigned long long>(waiting.most_in_100_ms()),
      static_cast<double>(waiting.pings()) / options.seconds("seconds") / 10);
}

}  // namespace

int main(int argc, char** argv) {
  const load::options options(argc, argv,
                              {{"port", ""},
                               {"pid", ""},
                               {"mode", "ws"},
                               {"path", "/"},
                               {"connections", "100"},
                               {"outstanding", "1"},
                               {"size", "256"},
                               {"type", "binary"},
                               {"seconds", "2"},
                               {"warmup", "0.5"}});
  const std::string& mode = options.text("mode");
  const std::string& type = options.text("type");
  if (mode != "ws" && mode != "raw" && mode != "idle") load::fail("--mode is ws, raw or idle");
  if (type != "text" && type != "binary") load::fail("--type is text or binary");
  const std::uint64_t count = options.number("connections");
  const std::uint64_t outstanding = options.number("outstanding");
  if (count == 0) load::fail("--connections is at least 1");
  if (outstanding == 0 && mode != "idle") load::fail("--outstanding is at least 1");
  const auto port = options.number<std::uint16_t>("port");
  const load::watched_process server(options.number<pid_t>("pid"));
  load::raise_descriptor_limit(count);

  const std::size_t in_flight = std::max<std::size_t>(outstanding, 1);
  const load::traffic traffic =
      mode == "raw" ? load::raw_traffic(options.number("size"), in_flight)
                    : load::websocket_traffic(options.number("size"), type == "text", in_flight);
  const auto open = [&] {
    connection opened{load::client_socket(port)};
    if (mode != "raw") opened.socket.upgrade(options.text("path"), port);
    return opened;
  };
  std::vector<connection> connections;
  connections.reserve(count + 1);
  if (mode == "idle") {
    run_idle(options, connections, traffic, server, open);
    return 0;
  }
  for (std::uint64_t i = 0; i < count; ++i) connections.push_back(open());
  run_load(options, connections, traffic, server);
}
