// All kinds of attackers at once against the chat server, and honest clients beside them. Prints one line of JSON: what
// became of each kind's connections, as they saw it, and how the honest ones fared. What the numbers mean: ../README.md.

#include "attack_plans.hpp"
#include "client_socket.hpp"
#include "event_set.hpp"
#include "frame_reader.hpp"
#include "honest_room.hpp"
#include "program.hpp"

#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;
using load::attack_plan;
using load::finish;
using load::frame_reader;

/// What an attacker saw of the end of a connection, but for statuses and close codes, which name themselves.
namespace outcome {
constexpr const char* unconnected = "unconnected";  // never accepted
constexpr const char* end = "end";                  // the server's, without a word
constexpr const char* reset = "reset";              // the server's, likewise
constexpr const char* left = "left";                // the attacker's
}  // namespace outcome

struct attacker {
  attacker(std::size_t of_plan, const load::script& s, load::client_socket made)
      : plan(of_plan), says(s), socket(std::move(made)), pending(s.opening) {}

  std::size_t plan;
  const load::script& says;
  load::client_socket socket;
  std::string_view pending;  // of a script
  std::string head{};
  frame_reader frames{};
  steady::time_point began = steady::now();
  steady::time_point next = steady::time_point::max();  // when it says something by itself
  std::uint32_t interest = EPOLLOUT;
  bool connected = false;
  bool upgraded = false;
  bool finished = false;  // it has ended its side as its script says
};

/// Who attack in one way, and what they saw.
struct attack_state {
  attack_plan plan;
  std::size_t now = 0;
  std::size_t most = 0;
  std::uint64_t attempts = 0;
  std::uint64_t upgraded = 0;
  double due = 1;  // connections that may be opened
  std::map<std::string, std::uint64_t> outcomes{};
};

class attack {
 public:
  /// \param without  Numbers of plans that are left out, such as `,3,14,`, or `none`.
  attack(std::uint16_t port, const std::string& without) : port_(port) {
    for (attack_plan& plan : load::attack_plans()) {
      if (without.find(std::string(1, ',').append(std::to_string(plan.network)).append(",")) !=
          std::string::npos)
        continue;
      kinds_.push_back({std::move(plan)});
    }
  }

  void run_until(const std::atomic<bool>& stop) {
    auto last = steady::now();
    while (!stop) {
      const auto now = steady::now();
      open_due(std::chrono::duration<double>(now - last).count());
      last = now;
      events_.wait(1, [this](std::size_t i, std::uint32_t events) {
        if (attackers_[i] != nullptr) serve(i, events);
      });
      reuse();
      if (now >= next_look_) look_at_clocks(now);
    }
    for (std::size_t i = 0; i < attackers_.size(); ++i) {
      if (attackers_[i] != nullptr) end(i, attackers_[i]->connected ? outcome::left : outcome::unconnected);
    }
    reuse();
  }

  std::string report() const {
    std::string json = "[";
    for (const attack_state& k : kinds_) {
      json += (json.size() > 1 ? ", " : "") + ("{\"name\": \"" + k.plan.name) +
              "\", \"addresses\": " + std::to_string(k.plan.addresses) +
              ", \"attempts\": " + std::to_string(k.attempts) + ", \"most\": " + std::to_string(k.most) +
              ", \"upgraded\": " + std::to_string(k.upgraded) + ", \"outcomes\": {";
      for (bool first = true; const auto& [name, count] : k.outcomes) {
        json += (std::exchange(first, false) ? "\"" : ", \"") + name + "\": " + std::to_string(count);
      }
      json += "}}";
    }
    return json + "]";
  }

 private:
  static constexpr std::size_t opens_a_turn = 32;

  void open_due(double seconds) {
    for (std::size_t i = 0; i < kinds_.size(); ++i) {
      attack_state& k = kinds_[i];
      const double rate = k.plan.new_per_second;
      k.due = rate == 0 ? opens_a_turn : std::min(k.due + rate * seconds, rate);
      for (; k.due >= 1 && k.now < k.plan.concurrent; k.due -= 1) open(i);
    }
  }

  void open(std::size_t kind) {
    attack_state& k = kinds_[kind];
    const auto turn = static_cast<unsigned>(k.attempts++);
    const std::uint32_t source = 0x7F000000u | k.plan.network << 8 | (turn % k.plan.addresses + 1);
    // Each address says all there is to say in turns.
    const load::script& says = k.plan.scripts[turn / k.plan.addresses % k.plan.scripts.size()];
    auto made = std::make_unique<attacker>(kind, says,
                                           load::client_socket::begin(port_, source, k.plan.receive_buffer));
    k.most = std::max(k.most, ++k.now);
    if (free_.empty()) {
      free_.push_back(attackers_.size());
      attackers_.emplace_back();
    }
    const std::size_t i = free_.back();
    free_.pop_back();
    events_.add(made->socket.fd(), i, made->interest);
    attackers_[i] = std::move(made);
  }

  void end(std::size_t i, const std::string& what) {
    attack_state& k = kinds_[attackers_[i]->plan];
    ++k.outcomes[attackers_[i]->finished ? outcome::left : what];
    --k.now;
    attackers_[i].reset();
    ended_.push_back(i);
  }

  // Not within a turn, in which there may be events for those that ended.
  void reuse() {
    free_.insert(free_.end(), ended_.begin(), ended_.end());
    ended_.clear();
  }

  void serve(std::size_t i, std::uint32_t events) {
    attacker& a = *attackers_[i];
    if (!a.connected) {
      if ((events & (EPOLLERR | EPOLLHUP)) != 0) return end(i, outcome::unconnected);
      a.connected = true;
    }
    if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP)) != 0 && !read(i)) return;
    if (!write(i)) return;
    watch(i);
  }

  // False when it has ended.
  bool read(std::size_t i) {
    attacker& a = *attackers_[i];
    static std::vector<char> in(256 * 1024);
    const ssize_t n = recv(a.socket.fd(), in.data(), in.size(), 0);
    if (n < 0 && errno == EAGAIN) return true;
    if (n <= 0) {
      end(i, n == 0 ? outcome::end : outcome::reset);
      return false;
    }
    std::string_view bytes(in.data(), static_cast<std::size_t>(n));
    if (a.upgraded) return read_frames(i, bytes);
    a.head += bytes;
    const std::size_t head_end = a.head.find("\r\n\r\n");
    if (head_end == std::string::npos) return true;
    if (const std::string status = a.head.substr(9, 3); status != "101") {
      end(i, status);
      return false;
    }
    a.upgraded = true;
    ++kinds_[a.plan].upgraded;
    a.pending = a.says.rest;
    const std::string behind = a.head.substr(head_end + 4);
    a.head.clear();
    return read_frames(i, behind);
  }

  bool read_frames(std::size_t i, std::string_view bytes) {
    std::string code;
    attackers_[i]->frames.feed(bytes, [&](unsigned opcode, std::string_view payload) {
      if (opcode != frame_reader::close || payload.size() < 2) return;
      code = std::to_string(static_cast<unsigned char>(payload[0]) * 256 +
                            static_cast<unsigned char>(payload[1]));
    });
    if (code.empty()) return true;
    end(i, code);
    return false;
  }

  bool write(std::size_t i) {
    attacker& a = *attackers_[i];
    while (!a.pending.empty()) {
      const ssize_t n = send(a.socket.fd(), a.pending.data(), a.pending.size(), MSG_NOSIGNAL);
      if (n < 0 && errno == EAGAIN) return true;
      if (n < 0) return read_last(i);
      a.pending.remove_prefix(static_cast<std::size_t>(n));
    }
    return a.finished || (a.says.expects_upgrade && !a.upgraded) || sent(i);
  }

  // The connection is broken, but what came before may still be there.
  bool read_last(std::size_t i) {
    attackers_[i]->pending = {};
    for (int reads = 0; reads < 100; ++reads) {
      if (!read(i)) return false;
    }
    end(i, outcome::reset);
    return false;
  }

  // All is said that there is to say.
  bool sent(std::size_t i) {
    attacker& a = *attackers_[i];
    const attack_plan& plan = kinds_[a.plan].plan;
    if (a.says.end == finish::reset) {
      const linger at_once{1, 0};
      setsockopt(a.socket.fd(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
      end(i, outcome::left);
      return false;
    }
    if (a.says.end == finish::half_close) {
      shutdown(a.socket.fd(), SHUT_WR);
      a.finished = true;
    }
    if (a.next == steady::time_point::max()) {
      if (plan.drips) a.next = steady::now() + 1s;
      if (plan.again) a.next = steady::now() + *plan.again;
    }
    return true;
  }

  void watch(std::size_t i) {
    attacker& a = *attackers_[i];
    const bool reads = kinds_[a.plan].plan.reads || !a.upgraded;
    const std::uint32_t interest = (a.pending.empty() ? 0u : EPOLLOUT) | (reads ? EPOLLIN : 0u) | EPOLLRDHUP;
    if (interest == std::exchange(a.interest, interest)) return;
    events_.change(a.socket.fd(), i, interest);
  }

  void look_at_clocks(steady::time_point now) {
    next_look_ = now + 10ms;
    for (std::size_t i = 0; i < attackers_.size(); ++i) {
      if (attackers_[i] == nullptr) continue;
      attacker& a = *attackers_[i];
      const attack_plan& plan = kinds_[a.plan].plan;
      if (now - a.began > plan.patience) {
        end(i, a.connected ? outcome::left : outcome::unconnected);
      } else if (now >= a.next && a.pending.empty()) {
        a.next = steady::time_point::max();
        a.pending = plan.drips ? std::string_view("a") : std::string_view(a.says.rest);
        if (write(i)) watch(i);
      }
    }
    reuse();
  }

  const std::uint16_t port_;
  std::vector<attack_state> kinds_;
  std::vector<std::unique_ptr<attacker>> attackers_;
  std::vector<std::size_t> free_;
  std::vector<std::size_t> ended_;
  load::event_set events_;
  steady::time_point next_look_ = steady::now();
};

/// The connections that the server has, but for the one that asks.
std::uint64_t connections_of(std::uint16_t port) {
  load::client_socket asking(port);
  const std::string request = "GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
  asking.send_all(request.data(), request.size());
  std::string answer;
  for (char next = 0; !answer.ends_with('}'); answer += next) asking.receive_all(&next, 1);
  const std::string_view member = "\"connections\":";
  const std::size_t at = answer.find(member);
  if (at == std::string::npos) load::fail("the server does not say how many connections it has: " + answer);
  std::uint64_t count = 0;
  std::from_chars(answer.data() + at + member.size(), answer.data() + answer.size(), count);
  return count - 1;
}

/// How long until the server has no other connections than so many; at most `limit`, and a second of waiting more.
steady::duration time_to_recover(std::uint16_t port, std::uint64_t wanted, steady::duration limit) {
  const auto begin = steady::now();
  while (connections_of(port) > wanted && steady::now() - begin < limit) std::this_thread::sleep_for(500ms);
  return steady::now() - begin;
}

double in_seconds(steady::duration d) { return std::chrono::duration<double>(d).count(); }

}  // namespace

int main(int argc, char** argv) {
  const load::options arguments(
      argc, argv,
      {{"port", ""}, {"seconds", "60"}, {"honest", "50"}, {"recovery", "30"}, {"without", "none"}});
  load::raise_descriptor_limit(8000);
  const auto port = arguments.number<std::uint16_t>("port");
  const std::chrono::duration<double> attacked(arguments.seconds("seconds"));
  const std::chrono::duration<double> recovery(arguments.seconds("recovery"));
  const auto honest = arguments.number("honest");

  attack attackers(port, arguments.text("without"));  // takes a second, to make the bombs
  load::honest_room room(port, honest);
  const auto live_for = [&](auto d) {
    room.live_until([end = steady::now() + d] { return steady::now() >= end; });
  };
  live_for(1s);
  room.start_over();
  live_for(5s);
  const double calm_p99 = room.p99_ms();

  std::atomic<bool> stop = false;
  std::atomic<bool> recovered = false;
  steady::duration recovered_after{};
  room.start_over();
  std::thread attacking([&] {
    // Whoever shares the core with the honest clients should not make them late: the server might.
    setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), 10);
    attackers.run_until(stop);
    recovered_after = time_to_recover(port, honest, std::chrono::duration_cast<steady::duration>(recovery));
    recovered = true;
  });
  live_for(attacked);
  const double p50 = room.p50_ms(), p99 = room.p99_ms(), max = room.max_ms();
  stop = true;
  room.live_until([&] { return recovered.load(); });
  attacking.join();
  room.listen_out(5s);

  std::printf(
      "{\"calm_p99_ms\": %.3f, \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f, \"honest\": %llu, "
      "\"lost\": %zu, "
      "\"delivered\": %llu, \"expected\": %llu, \"recovered_s\": %.3f, \"attacks\": %s}\n",
      calm_p99, p50, p99, max, static_cast<unsigned long long>(honest), room.lost(),
      static_cast<unsigned long long>(room.delivered()), static_cast<unsigned long long>(room.expected()),
      in_seconds(recovered_after), attackers.report().c_str());
}
