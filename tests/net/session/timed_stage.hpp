#ifndef FAIRLEAD_TESTS_NET_SESSION_TIMED_STAGE_HPP
#define FAIRLEAD_TESTS_NET_SESSION_TIMED_STAGE_HPP

#include <fairlead/net/session/detail/outbox.hpp>
#include <fairlead/testing/fault_link.hpp>
#include <fairlead/testing/virtual_clock.hpp>

#include <net/session/session_support.hpp>
#include <support/catch.hpp>

#include <asio/post.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

// Sessions over memory links on a context whose time the test decides.
namespace net_test {

/// Deadlines are late by one of these at most.
inline constexpr duration tick = virtual_clock::resolution;

/// A record that also writes down what comes of slow receivers, of time, and of throws.
struct full_record : record {
  std::vector<drop_counts> drains;
  std::vector<std::pair<session_state, session_state>> states;

  handlers all() {
    handlers h = callbacks();
    h.on_drain = [this](session&, const drop_counts& dropped) {
      events.emplace_back("drain");
      drains.push_back(dropped);
    };
    h.on_state = [this](session&, session_state from, session_state to) { states.emplace_back(from, to); };
    return h;
  }
};

/// A server without a listener, whose time passes when the test says so.
class timed_stage {
 public:
  explicit timed_stage(server_options options = {}) : server(std::in_place, context, std::move(options)) {}
  timed_stage(const timed_stage&) = delete;

  asio::io_context context{1};
  virtual_clock time{context};
  std::optional<fairlead::server> server;

  /// A client that has said nothing yet. The server's end goes through a fault link when there is a plan.
  std::unique_ptr<client> connect(std::size_t capacity = 256 * 1024,
                                  const std::shared_ptr<fault_plan>& plan = nullptr) {
    auto [ours, theirs] = make_memory_pair(context.get_executor(), capacity);
    if (plan != nullptr) ours = make_fault_link(context, std::move(ours), plan);
    server->serve(std::move(ours));
    return std::make_unique<client>(std::move(theirs));
  }

  /// A client whose handshake is done.
  std::unique_ptr<client> join(std::string_view target = "/", std::size_t capacity = 256 * 1024,
                               const std::shared_ptr<fault_plan>& plan = nullptr,
                               std::string_view fields = {}) {
    auto c = connect(capacity, plan);
    c->upgrade(target, fields);
    time.run_ready();
    REQUIRE(c->upgraded);
    return c;
  }

  /// Does something on the context's thread, but in no session's turn.
  void on_own_thread(std::function<void()> f) {
    asio::post(context, std::move(f));
    time.run_ready();
  }
};

/// What one operation gave.
struct outcome {
  bool done = false;
  std::error_code error;

  auto handler() {
    return [this](std::error_code ec, auto&&...) {
      done = true;
      error = ec;
    };
  }
};

/// One session whose peer can be made slow, with small limits.
struct slow_stage : timed_stage {
  static constexpr std::size_t capacity = 4096;

  static session_options small_queue() {
    session_options o;
    o.queue_low = 16 * 1024;
    o.queue_high = 32 * 1024;
    o.queue_hard = 64 * 1024;
    o.heartbeat.interval = duration::max();
    o.idle_timeout = duration::max();
    return o;
  }

  explicit slow_stage(session_options options = small_queue()) {
    server->route("/", seen.all(), std::move(options));
    peer = join("/", capacity);
    REQUIRE(seen.ws);
    time.run_ready();
  }
  ~slow_stage() { peer.reset(); }

  const session& ws() { return *seen.ws; }

  /// try_send() on the session's thread or, as far as the session knows, on another.
  send_result give(message_view m, const message_class& c = {}, bool on_its_thread = true) {
    send_result result = send_result::closed;
    if (on_its_thread) {
      on_own_thread([&] { result = ws().try_send(m, c); });
    } else {
      result = ws().try_send(m, c);
      time.run_ready();
    }
    return result;
  }

  /// Lets the peer stop reading, and the session send until it takes no more: those messages begin with `x`.
  void block() {
    peer->pause();
    for (int i = 0; i < 1000; ++i) {
      if (give(std::string(1000, 'x')) == send_result::queued) return;
    }
    FAIL("the link takes everything");
  }

  /// The peer reads everything.
  void drain() {
    peer->resume();
    time.run_ready();
  }

  /// A message that fills the queue up to `size` bytes exactly.
  std::string filler(std::size_t size) {
    return std::string(size - ws().statistics().queue_size - detail::outbox::message_cost, 'f');
  }

  /// What the peer got, without what block() sent.
  std::vector<std::string> received() const {
    std::vector<std::string> texts = peer->texts();
    std::erase_if(texts, [](const std::string& t) { return t.starts_with('x'); });
    return texts;
  }

  full_record seen;
  std::unique_ptr<client> peer;
};

}  // namespace net_test

#endif
