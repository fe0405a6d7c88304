// The server that the load generator measures: echo of any message on /, broadcast to all connections on
// /topic.
//
//   bench_server --port PORT --threads N
//                [--deflate 0|1] [--send-window BITS] [--receive-window BITS] [--send-takeover 0|1]
//                [--receive-takeover 0|1] [--level N] [--memory-level N]
//
// Message limit 64 MiB, no limit on fragments or on the rate of control frames, and queues that never close a
// session.
#include <fairlead.hpp>

#include <charconv>
#include <cstdio>
#include <cstring>
#include <limits>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

/// Every session on /topic. Publishing from any of them reaches all.
class topic {
 public:
  void add(const fairlead::session& ws) {
    const std::lock_guard lock(mutex_);
    members_.push_back(ws);
  }

  void remove(const fairlead::session& ws) {
    const std::lock_guard lock(mutex_);
    std::erase(members_, ws);
  }

  void publish(const fairlead::message& m) {
    const std::lock_guard lock(mutex_);
    for (const fairlead::session& member : members_) member.try_send(m);
  }

 private:
  std::mutex mutex_;
  std::vector<fairlead::session> members_;
};

unsigned long number_of(std::string_view text) {
  unsigned long n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw std::invalid_argument("'" + std::string(text) + "' is not a number");
  }
  return n;
}

/// Reads one of the options of compression; false for any other.
bool set_deflate(fairlead::deflate_options& deflate, std::string_view option, std::string_view value) {
  const unsigned long n = number_of(value);
  if (option == "--deflate") {
    deflate.enabled = n != 0;
  } else if (option == "--send-window") {
    deflate.send_window_bits = static_cast<std::uint8_t>(n);
  } else if (option == "--receive-window") {
    deflate.receive_window_bits = static_cast<std::uint8_t>(n);
  } else if (option == "--send-takeover") {
    deflate.send_takeover = n != 0;
  } else if (option == "--receive-takeover") {
    deflate.receive_takeover = n != 0;
  } else if (option == "--level") {
    deflate.level = static_cast<int>(n);
  } else if (option == "--memory-level") {
    deflate.memory_level = static_cast<int>(n);
  } else {
    return false;
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) try {
  fairlead::server_options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view option = argv[i];
    if (option == "--port") {
      options.port = static_cast<std::uint16_t>(number_of(argv[i + 1]));
    } else if (option == "--threads") {
      options.threads = number_of(argv[i + 1]);
    } else if (!set_deflate(options.session.deflate, option, argv[i + 1])) {
      throw std::invalid_argument("there is no option '" + std::string(option) + "'");
    }
  }
  constexpr std::size_t no_limit = std::numeric_limits<std::size_t>::max() / 2;
  options.backlog = 16'384;
  options.session.connection.max_message_size = 64 * 1024 * 1024;
  options.session.connection.max_fragments = no_limit;
  options.session.connection.max_control_frames_per_second = no_limit;
  options.session.queue_hard = no_limit;

  topic all;
  fairlead::server server(options);
  server.route("/", fairlead::handlers{.on_message = [](fairlead::session& ws, fairlead::message_view m) {
                 ws.try_send(m);
               }});
  server.route("/topic",
               fairlead::handlers{
                   .on_open = [&](fairlead::session& ws, const fairlead::request&) { all.add(ws); },
                   .on_message = [&](fairlead::session&, fairlead::message_view m) { all.publish(m.keep()); },
                   .on_close = [&](fairlead::session& ws, const fairlead::close_info&) { all.remove(ws); }});
  server.listen();
  std::printf("bench_server: listening on port %u\n", unsigned{server.port()});
  std::fflush(stdout);
  server.run();
} catch (const std::exception& e) {
  std::fprintf(stderr, "bench_server: %s\n", e.what());
  return 1;
}
