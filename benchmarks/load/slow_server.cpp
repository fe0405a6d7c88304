// The server of slow_clients: publishes to clients that do not read. One case a run:
//   stopped-reader    on /feed a steady small message to all; on command 1 GiB to the one that came first, from here or,
//                     with --policy pause_source, relayed from /source
//   stalled-thousand  on /stalled messages of their own, of another size for each; on /healthy numbered small ones
//   conflation        on /prices 10,000 updates a second over 100 keys
// On /control it takes commands and answers with JSON: see the functions command().
#include <fairlead.hpp>
#include <fairlead/json_writer.hpp>

#include "program.hpp"
#include "slow_traffic.hpp"

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using fairlead::session;

/// Calls a function at a steady rate. What a busy loop missed is made up for, and the loop's other work done between
/// the calls.
class ticker {
 public:
  ticker(asio::io_context& context, fairlead::duration period, std::function<void(fairlead::time_point)> call)
      : timer_(context), period_(period), call_(std::move(call)) {}

  void start() {
    runs_ = true;
    due_ = fairlead::clock::now();
    wait();
  }
  void stop() {
    runs_ = false;
    timer_.cancel();
  }

 private:
  void wait() {
    timer_.expires_at(due_);
    timer_.async_wait([this](std::error_code ec) {
      if (ec) return;
      call_(due_);
      due_ += period_;
      if (runs_) wait();
    });
  }

  asio::steady_timer timer_;
  const fairlead::duration period_;
  const std::function<void(fairlead::time_point)> call_;
  fairlead::time_point due_{};
  bool runs_ = false;
};

/// What is to be seen is the policy of a message, so no timer ends a session before.
fairlead::session_options patient_options() {
  fairlead::session_options options;
  options.heartbeat.interval = fairlead::duration::max();
  options.idle_timeout = 1h;
  options.write_timeout = 1h;
  options.connection.close_timeout = 1min;
  return options;
}

void stamp_payload(std::vector<std::byte>& payload, std::uint64_t key, std::uint64_t number,
                   fairlead::time_point due) {
  load::stamp{key, number, due.time_since_epoch().count()}.write(payload.data());
}

void write_drops(fairlead::json_writer& json, const fairlead::drop_counts& drops) {
  json.key("drops").begin_object();
  for (std::size_t i = 0; i < fairlead::drop_reason_count; ++i) {
    const auto reason = static_cast<fairlead::drop_reason>(i);
    json.member(name_of(reason), drops[reason]);
  }
  json.end_object();
}

class measured_case {
 public:
  virtual ~measured_case() = default;
  virtual void add_routes(fairlead::server& server) = 0;

  /// A client says what is to be done; answers it now or when it is done.
  virtual void command(const session& control, std::string_view what) = 0;
};

// --- stopped-reader

class stopped_reader final : public measured_case {
 public:
  stopped_reader(asio::io_context& context, fairlead::slow_policy policy, std::uint64_t rate)
      : class_{.policy = policy, .ttl = 1s},
        steady_(context, std::chrono::nanoseconds(1s) / rate, [this](auto due) { publish(due); }),
        volume_(context, load::volume_tick, [this](auto due) { publish_volume(due); }) {}

  void add_routes(fairlead::server& server) override {
    fairlead::session_options options = patient_options();
    options.max_pause = 3s;
    server.route("/feed",
                 fairlead::handlers{.on_open = [this](session& ws, const auto&) { feed_.push_back(ws); }},
                 options);
    server.route("/source",
                 fairlead::handlers{.on_message = [this](session& ws, auto m) { relay(ws, m); },
                                    .on_close = [this](auto&, const auto&) { source_closed_ = !is_done(); }},
                 options);
  }

  void command(const session& control, std::string_view what) override {
    if (what == "steady") {
      steady_.start();
    } else if (what == "quiet") {
      steady_.stop();
    } else if (what == "volume") {
      control_ = control;
      if (class_.policy != fairlead::slow_policy::pause_source) volume_.start();
      return;  // report_volume() answers
    }
    control.try_send("{}");
  }

 private:
  const session& slow() const { return feed_.front(); }

  void publish(fairlead::time_point due) {
    stamp_payload(small_, load::steady_key, steady_number_++, due);
    const fairlead::message m = fairlead::message_view(std::span<const std::byte>(small_)).keep();
    for (const session& ws : feed_) ws.try_send(m, class_.with_key("steady"));
  }

  void publish_volume(fairlead::time_point due) {
    for (std::uint64_t i = 0; i < load::volume_a_tick && !is_done(); ++i) {
      const std::uint64_t key = volume_number_ % load::volume_keys + 1;
      stamp_payload(large_, key, volume_number_, due);
      give(std::span<const std::byte>(large_),
           class_.with_key({reinterpret_cast<const char*>(&key), sizeof key}));
    }
    if (is_done()) volume_.stop();
  }

  void relay(const session& source, fairlead::message_view m) {
    const auto now = fairlead::clock::now();
    if (volume_number_ != 0 && now - last_relayed_ > held_) {
      held_ = now - last_relayed_;
      taken_before_held_ = volume_number_;
    }
    last_relayed_ = now;
    give(m, class_.from(source));
  }

  void give(fairlead::message_view m, const fairlead::message_class& c) {
    ++results_[static_cast<std::size_t>(slow().try_send(m, c))];
    if (++volume_number_ == load::volume_messages) report_volume();
  }

  bool is_done() const { return volume_number_ == load::volume_messages; }

  void report_volume() {
    const fairlead::session_statistics s = slow().statistics();
    fairlead::json_writer json;
    json.begin_object().member("queue_size", s.queue_size).member("queue_size_max", s.queue_size_max);
    json.member("state", name_of(slow().state()));
    const fairlead::session_options defaults;
    json.member("queue_high", defaults.queue_high).member("queue_hard", defaults.queue_hard);
    write_drops(json, s.drops);
    json.key("results").begin_object();
    const std::array<std::string_view, 6> names{"sent", "queued", "conflated", "posted", "dropped", "closed"};
    for (std::size_t i = 0; i < names.size(); ++i) json.member(names[i], results_[i]);
    json.end_object();
    json.member("held_ms", std::chrono::duration_cast<std::chrono::milliseconds>(held_).count());
    json.member("taken_before_held", taken_before_held_).member("source_closed", source_closed_);
    control_.try_send(json.end_object().text());
  }

  const fairlead::message_class class_;
  ticker steady_;
  ticker volume_;
  std::vector<session> feed_;
  session control_;
  std::vector<std::byte> small_ = std::vector<std::byte>(load::steady_size);
  std::vector<std::byte> large_ = std::vector<std::byte>(load::volume_size);
  std::uint64_t steady_number_ = 0;
  std::uint64_t volume_number_ = 0;
  std::array<std::uint64_t, 6> results_{};
  fairlead::time_point last_relayed_{};
  fairlead::duration held_{};
  std::uint64_t taken_before_held_ = 0;
  bool source_closed_ = false;
};

// --- stalled-thousand

class stalled_thousand final : public measured_case {
 public:
  /// \param step  By so many bytes the messages of a session are larger than those of the one before.
  stalled_thousand(asio::io_context& context, std::size_t budget, std::size_t step)
      : step_(step),
        budget_(std::make_shared<fairlead::memory_budget>(fairlead::memory_budget::limits{.queues = budget})),
        round_(context, 20ms, [this](auto due) { publish(due); }) {}

  void add_routes(fairlead::server& server) override {
    fairlead::session_options options = patient_options();
    options.budget = budget_;
    server.route("/stalled",
                 fairlead::handlers{.on_open = [this](session& ws, const auto&) { stalled_.push_back(ws); },
                                    .on_state =
                                        [this](session& ws, auto, auto to) {
                                          if (to == fairlead::session_state::closing) on_closing(ws);
                                        }},
                 options);
    server.route("/healthy",
                 fairlead::handlers{.on_open = [this](session& ws, const auto&) { healthy_ = ws; }}, options);
  }

  void command(const session& control, std::string_view what) override {
    if (what != "publish") return;
    control_ = control;
    round_.start();  // report() answers
  }

 private:
  static constexpr std::uint64_t healthy_a_round = 10;

  std::size_t size_for(std::size_t index) const { return 512 + step_ * index; }

  // So many that the largest queue would stay below queue_high: it is the budget that closes.
  std::uint64_t rounds() const { return 750'000 / (size_for(stalled_.size()) + 200); }

  void publish(fairlead::time_point due) {
    for (std::size_t i = 0; i < stalled_.size(); ++i) {
      std::vector<std::byte> payload(size_for(i), static_cast<std::byte>(i));
      stamp_payload(payload, i, done_, due);
      const auto result = stalled_[i].try_send(std::span<const std::byte>(payload), class_);
      if (result != fairlead::send_result::closed) published_ += payload.size();
      if (i % (stalled_.size() / healthy_a_round + 1) == 0) publish_to_healthy(due);
    }
    queues_max_ = std::max(queues_max_, budget_->queues());
    if (++done_ < rounds()) return;
    round_.stop();
    report();
  }

  void publish_to_healthy(fairlead::time_point due) {
    std::vector<std::byte> payload(load::steady_size);
    stamp_payload(payload, 0, healthy_number_++, due);
    healthy_.try_send(std::span<const std::byte>(payload));
  }

  // In the order in which they were made to pay. Their queues are gone by now, those of the others are as they were,
  // but for what the last round brought to some and not to others, and what is framed already.
  void on_closing(const session& ws) {
    const std::size_t size = ws.statistics().queue_size_max;
    closed_sizes_.push_back(size);
    for (std::size_t i = 0; i < stalled_.size(); ++i) {
      if (stalled_[i].state() == fairlead::session_state::closing) continue;
      const std::size_t other = stalled_[i].statistics().queue_size;
      if (other > size) largest_injustice_ = std::max(largest_injustice_, other - size);
    }
  }

  void report() {
    std::size_t survivor = 0;
    for (const session& ws : stalled_) {
      if (ws.is_open()) survivor = std::max(survivor, ws.statistics().queue_size);
    }
    fairlead::json_writer json;
    json.begin_object().member("published", published_).member("healthy_messages", healthy_number_);
    json.member("queues_max", queues_max_).member("queues", budget_->queues());
    json.member("largest_injustice", largest_injustice_).member("largest_survivor", survivor);
    json.key("closed_sizes").begin_array();
    for (const std::size_t size : closed_sizes_) json.value(size);
    control_.try_send(json.end_array().end_object().text());
  }

  const std::size_t step_;
  std::shared_ptr<fairlead::memory_budget> budget_;
  ticker round_;
  const fairlead::message_class class_{.policy = fairlead::slow_policy::disconnect};
  std::vector<session> stalled_;
  session healthy_;
  session control_;
  std::vector<std::size_t> closed_sizes_;
  std::size_t largest_injustice_ = 0;
  std::size_t queues_max_ = 0;
  std::uint64_t published_ = 0;
  std::uint64_t healthy_number_ = 0;
  std::uint64_t done_ = 0;
};

// --- conflation

class conflation final : public measured_case {
 public:
  explicit conflation(asio::io_context& context)
      : updates_(context, 1ms, [this](auto due) {
          for (int i = 0; i < 10; ++i) update(due);
        }) {}

  void add_routes(fairlead::server& server) override {
    server.route("/prices", fairlead::handlers{.on_open = [this](session& ws, const auto&) { reader_ = ws; }},
                 patient_options());
  }

  void command(const session& control, std::string_view what) override {
    if (what == "publish") {
      updates_.start();
      control.try_send("{}");
    } else if (what == "stop") {
      updates_.stop();
      fairlead::json_writer json;
      json.begin_object()
          .member("updates", number_)
          .member("waiting_max", cost_ == 0 ? 0 : queue_max_ / cost_);
      json.member("bytes_of_one", cost_);
      write_drops(json, reader_.statistics().drops);
      control.try_send(json.end_object().text());
    }
  }

 private:
  void update(fairlead::time_point due) {
    const std::uint64_t key = number_ % load::update_keys;
    stamp_payload(payload_, key, number_ / load::update_keys, due);
    ++number_;
    const std::size_t before = reader_.statistics().queue_size;
    reader_.try_send(std::span<const std::byte>(payload_),
                     class_.with_key({reinterpret_cast<const char*>(&key), sizeof key}));
    const std::size_t after = reader_.statistics().queue_size;
    queue_max_ = std::max(queue_max_, after);
    if (before == 0 && after != 0) cost_ = after;  // all are of one size, so this counts those that wait
  }

  ticker updates_;
  const fairlead::message_class class_{.policy = fairlead::slow_policy::conflate};
  session reader_;
  std::vector<std::byte> payload_ = std::vector<std::byte>(load::update_size);
  std::uint64_t number_ = 0;
  std::size_t cost_ = 0;
  std::size_t queue_max_ = 0;
};

fairlead::slow_policy policy_of(const std::string& name) {
  using fairlead::slow_policy;
  const std::map<std::string, slow_policy> policies{{"queue", slow_policy::queue},
                                                    {"drop_newest", slow_policy::drop_newest},
                                                    {"drop_oldest", slow_policy::drop_oldest},
                                                    {"conflate", slow_policy::conflate},
                                                    {"expire", slow_policy::expire},
                                                    {"disconnect", slow_policy::disconnect},
                                                    {"pause_source", slow_policy::pause_source}};
  const auto found = policies.find(name);
  if (found == policies.end()) load::fail("there is no policy '" + name + "'");
  return found->second;
}

std::unique_ptr<measured_case> make_case(asio::io_context& context, const load::options& arguments) {
  const std::string& name = arguments.text("case");
  if (name == "stopped-reader") {
    return std::make_unique<stopped_reader>(context, policy_of(arguments.text("policy")),
                                            arguments.number("rate"));
  }
  if (name == "stalled-thousand") {
    return std::make_unique<stalled_thousand>(context, arguments.number<std::size_t>("budget"),
                                              arguments.number<std::size_t>("step"));
  }
  if (name == "conflation") return std::make_unique<conflation>(context);
  load::fail("there is no case '" + name + "'");
}

}  // namespace

int main(int argc, char** argv) try {
  const load::options arguments(argc, argv,
                                {{"port", "0"},
                                 {"case", ""},
                                 {"policy", "queue"},
                                 {"rate", "20"},
                                 {"budget", "67108864"},
                                 {"step", "4"}});
  asio::io_context context(1);
  fairlead::server_options options;
  options.port = arguments.number<std::uint16_t>("port");
  options.backlog = 16'384;
  fairlead::server server(context, options);
  const std::unique_ptr<measured_case> measured = make_case(context, arguments);
  measured->add_routes(server);
  server.route(
      "/control",
      fairlead::handlers{
          .on_message = [&](session& ws, fairlead::message_view m) { measured->command(ws, m.text()); }},
      patient_options());
  server.listen();
  std::printf("slow_server: listening on port %u\n", unsigned{server.port()});
  std::fflush(stdout);
  context.run();
} catch (const std::exception& e) {
  std::fprintf(stderr, "slow_server: %s\n", e.what());
  return 1;
}
