// The server that drain.py lets go of its clients.
//
//   drain_server [--port PORT] [--rate PER_SECOND] [--handover PATH]
//
// Publishes numbered messages to each session on /feed/{number}, so many a second; those on /slow/{number} get a queue of
// their own right before the drain. On SIGTERM it drains, and prints what it sent to whom: {"told", "cut", "took_ms",
// "queued" at the slow ones when it began, "feed" and "slow": the messages taken for each, by its number}.
//
// With --handover it passes its socket on at that path, publishes nothing, and ends when its successor has taken over.
#include <fairlead.hpp>
#include <fairlead/json_writer.hpp>

#include "program.hpp"
#include "slow_traffic.hpp"

#include <asio/io_context.hpp>
#include <asio/signal_set.hpp>
#include <asio/steady_timer.hpp>

#include <charconv>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace std::chrono_literals;

/// The sessions of one kind, each with the number that its path gave it, and what was sent to it.
class numbered_sessions {
 public:
  numbered_sessions(fairlead::slow_policy policy, std::size_t size)
      : class_{.policy = policy}, payload_(size) {}

  fairlead::handlers callbacks() {
    return {.on_open = [this](fairlead::session& ws, const fairlead::request& head) {
      std::size_t number = 0;
      const std::string_view text = head.param("number");
      std::from_chars(text.data(), text.data() + text.size(), number);
      if (number >= 100'000) return;
      if (number >= members_.size()) members_.resize(number + 1);
      members_[number].ws = ws;
    }};
  }

  std::size_t size() const { return members_.size(); }

  void publish(std::size_t index) {
    member& m = members_[index];
    load::stamp{index, m.sent, fairlead::clock::now().time_since_epoch().count()}.write(payload_.data());
    const auto result = m.ws.try_send(std::span<const std::byte>(payload_), class_);
    if (result == fairlead::send_result::sent || result == fairlead::send_result::queued) ++m.sent;
  }

  std::size_t queued() const {
    std::size_t sum = 0;
    for (const member& m : members_) sum += m.ws.statistics().queue_size;
    return sum;
  }

  void report(fairlead::json_writer& json) const {
    json.begin_array();
    for (const member& m : members_) json.value(m.sent);
    json.end_array();
  }

 private:
  struct member {
    fairlead::session ws;
    std::uint64_t sent = 0;
  };

  const fairlead::message_class class_;
  std::vector<std::byte> payload_;
  std::vector<member> members_;
};

class publisher {
 public:
  publisher(asio::io_context& context, fairlead::server& server, std::uint64_t rate)
      : server_(server),
        timer_(context),
        signals_(context, SIGTERM),
        ticks_between_(std::chrono::seconds(1) / tick / (rate == 0 ? 1 : rate)) {
    server.route("/feed/{number}", feed_.callbacks());
    server.route("/slow/{number}", slow_.callbacks());
  }

  void start() {
    due_ = fairlead::clock::now();
    wait();
    signals_.async_wait([this](std::error_code ec, int) {
      if (!ec) drain();
    });
  }

 private:
  static constexpr auto tick = 10ms;
  // Read at 100 KiB a second it takes longer than the close timeout.
  static constexpr std::size_t slow_messages = 220;
  static constexpr std::size_t slow_size = 4096;

  void wait() {
    timer_.expires_at(due_);
    timer_.async_wait([this](std::error_code ec) {
      if (ec) return;
      for (std::size_t i = tick_ % ticks_between_; i < feed_.size(); i += ticks_between_) feed_.publish(i);
      ++tick_;
      due_ += tick;
      if (!is_done_) wait();
    });
  }

  void drain() {
    for (std::size_t i = 0; i < slow_.size(); ++i) {
      for (std::size_t n = 0; n < slow_messages; ++n) slow_.publish(i);
    }
    queued_ = slow_.queued();
    server_.drain({}, [this](std::error_code ec, const fairlead::drain_report& report) {
      is_done_ = true;
      if (ec) load::fail("the drain did not end as it should: " + ec.message());
      fairlead::json_writer json;
      json.begin_object().member("told", report.told).member("cut", report.cut);
      json.member("took_ms", std::chrono::duration_cast<std::chrono::milliseconds>(report.took).count());
      json.member("queued", queued_).key("feed");
      feed_.report(json);
      json.key("slow");
      slow_.report(json);
      std::printf("%s\n", json.end_object().text().c_str());
    });
  }

  fairlead::server& server_;
  asio::steady_timer timer_;
  asio::signal_set signals_;
  numbered_sessions feed_{fairlead::slow_policy::queue, 64};
  // Of a class that may drop, though nothing is: of the others the kernel would take megabytes before there is a queue.
  numbered_sessions slow_{fairlead::slow_policy::drop_newest, slow_size};
  const std::size_t ticks_between_;
  std::size_t tick_ = 0;
  std::size_t queued_ = 0;
  bool is_done_ = false;
  fairlead::time_point due_{};
};

void announce(const fairlead::server& server) {
  std::printf("drain_server: listening on port %u\n", unsigned{server.port()});
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) try {
  const load::options arguments(argc, argv, {{"port", "0"}, {"rate", "1"}, {"handover", "none"}});
  fairlead::server_options options;
  options.address = "127.0.0.1";
  options.port = arguments.number<std::uint16_t>("port");
  options.backlog = 16'384;
  if (arguments.text("handover") != "none") {
    options.handover_path = arguments.text("handover");
    options.drain.spread = 1s;
    fairlead::server server(options);
    server.route("/", fairlead::handlers{});
    server.listen();
    announce(server);
    server.run();
    return 0;
  }
  load::raise_descriptor_limit(0);
  // Nothing but the drain is to end a session; the first wait for the last to have opened before they answer a ping.
  options.session.heartbeat.interval = fairlead::duration::max();
  options.session.idle_timeout = 1h;
  asio::io_context context(1);
  fairlead::server server(context, options);
  publisher published(context, server, arguments.number("rate"));
  server.listen();
  published.start();
  announce(server);
  context.run();
} catch (const std::exception& e) {
  std::fprintf(stderr, "drain_server: %s\n", e.what());
  return 1;
}
