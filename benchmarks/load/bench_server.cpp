// The server that the load generator measures: echo of any message on /, broadcast to all connections on
// /topic.
//
//   bench_server [--port PORT] [--threads N] [--tls 0|1]
//                [--deflate 0|1] [--send-window BITS] [--receive-window BITS] [--send-takeover 0|1]
//                [--receive-takeover 0|1] [--use-libdeflate 0|1] [--level N] [--memory-level N]
//
// Message limit 64 MiB, no limit on fragments or on the rate of control frames, and queues that never close a
// session.
#include <fairlead.hpp>

#include "program.hpp"

#include <support/certificates.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <limits>
#include <mutex>
#include <string>
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

}  // namespace

int main(int argc, char** argv) try {
  const fairlead::deflate_options defaults;
  const load::options arguments(argc, argv,
                                {{"port", "0"},
                                 {"threads", "1"},
                                 {"tls", "0"},
                                 {"deflate", "0"},
                                 {"send-window", std::to_string(defaults.send_window_bits)},
                                 {"receive-window", std::to_string(defaults.receive_window_bits)},
                                 {"send-takeover", "0"},
                                 {"receive-takeover", "0"},
                                 {"use-libdeflate", "0"},
                                 {"level", std::to_string(defaults.level)},
                                 {"memory-level", std::to_string(defaults.memory_level)}});
  fairlead::server_options options;
  options.port = arguments.number<std::uint16_t>("port");
  options.threads = arguments.number<std::size_t>("threads");
  if (arguments.number("tls") != 0) options.tls = certificates::usual::instance().server();
  fairlead::deflate_options& deflate = options.session.deflate;
  deflate.enabled = arguments.number("deflate") != 0;
  deflate.send_window_bits = arguments.number<std::uint8_t>("send-window");
  deflate.receive_window_bits = arguments.number<std::uint8_t>("receive-window");
  deflate.send_takeover = arguments.number("send-takeover") != 0;
  deflate.receive_takeover = arguments.number("receive-takeover") != 0;
  deflate.use_libdeflate = arguments.number("use-libdeflate") != 0;
  deflate.level = arguments.number<int>("level");
  deflate.memory_level = arguments.number<int>("memory-level");

  constexpr std::size_t no_limit = std::numeric_limits<std::size_t>::max() / 2;
  options.backlog = 16'384;
  options.session.connection.max_message_size = 64 * 1024 * 1024;
  options.session.connection.max_fragments = no_limit;
  options.session.connection.max_fragments_per_second = no_limit;
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
