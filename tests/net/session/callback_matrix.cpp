#include <fairlead/net/session/session.hpp>

#include <net/session/timed_stage.hpp>
#include <support/catch.hpp>

#include <asio/bind_executor.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/system_executor.hpp>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <functional>
#include <future>
#include <iterator>
#include <mutex>
#include <stdexcept>
#include <thread>

using namespace net_test;

namespace {

/// Where something is done to a session.
enum class point {
  on_open,
  on_message,
  on_part,
  on_drain,
  on_state,
  on_timer,
  on_close,
  on_error,
  receive,
  send,
  ping,
  close,
  sink_open,
  sink_close,
  sink_state,
  sink_drops,
  sink_round_trip,
};
constexpr int point_count = 17;
constexpr std::array point_names{"on_open",    "on_message",     "on_part",   "on_drain",   "on_state",
                                 "on_timer",   "on_close",       "on_error",  "receive",    "send",
                                 "ping",       "close",          "sink_open", "sink_close", "sink_state",
                                 "sink_drops", "sink_round_trip"};

enum class action {
  try_close,
  close,
  hang_up,
  try_send,
  send,
  send_part,
  receive,
  ping,
  pause,
  resume,
  set_user,
  drop_handles,
  stop_server,
  destroy_server,
  raise,
};
constexpr int action_count = 15;
constexpr std::array action_names{"try_close", "close",        "hang_up",     "try_send",       "send",
                                  "send_part", "receive",      "ping",        "pause",          "resume",
                                  "set_user",  "drop_handles", "stop_server", "destroy_server", "raise"};

constexpr bool is_sink(point p) { return p >= point::sink_open; }

struct raised : std::runtime_error {
  raised() : std::runtime_error("raised") {}
};

/// One session that lives through everything, during which one thing is done to it at one point.
class scene {
 public:
  scene(point p, action a)
      : point_(p), action_(a), sink_(std::make_shared<told>(*this)), stage_({.sink = sink_}) {
    session_options o = slow_stage::small_queue();
    o.heartbeat.interval = 3s;
    o.heartbeat.timeout = 1s;
    o.idle_after = 1s;
    o.connection.close_timeout = 1s;
    stage_.server->on_error(
        [this](const session& ws, std::exception_ptr) { at(point::on_error, session(ws)); });
    stage_.server->route("/", callbacks(), o);
  }

  void play() {
    peer_ = stage_.connect(4096);
    peer_->upgrade("/");
    run();
    if (point_ == point::receive) receive();
    peer_->send("hello");
    run();
    on_own_thread([this] {
      kept_.send("sent", here([this](std::error_code) { complete(point::send); }));
      kept_.ping(here([this](std::error_code, duration) { complete(point::ping); }));
    });
    fill_and_drain();
    pass(2s);  // idle
    peer_->send("wake up");
    run();
    pass(6s);  // heartbeats
    if (point_ == point::on_error) peer_->send("throw");
    run();
    on_own_thread([this] {
      kept_.close(close_code::normal, {}, here([this](std::error_code) { complete(point::close); }));
    });
    pass(1s);
    peer_->hang_up();
    pass(60s);
    kept_ = session();
    run();
  }

  bool was_reached() const { return acted_; }
  std::size_t opens = 0;
  std::size_t closes = 0;
  std::size_t late = 0;
  std::size_t told_opens = 0;
  std::size_t told_closes = 0;
  std::size_t told_late = 0;
  std::size_t empty_handles = 0;

  std::size_t connections() { return detail::event_loop::of(stage_.context).size(); }
  bool has_timers() { return detail::event_loop::of(stage_.context).next_timer() != time_point::max(); }
  std::size_t sessions_alive() const { return static_cast<std::size_t>(alive_.use_count()) - 1; }

 private:
  struct told final : net_sink {
    explicit told(scene& s) : owner(s) {}
    void on_open(const session& ws) override {
      ++owner.told_opens;
      owner.at(point::sink_open, session(ws));
    }
    void on_close(const session& ws, const close_info&) override {
      ++owner.told_closes;
      owner.at(point::sink_close, session(ws));
    }
    void on_state(const session& ws, session_state, session_state) override { hear(point::sink_state, ws); }
    void on_drops(const session& ws, const drop_counts&) override { hear(point::sink_drops, ws); }
    void on_round_trip(const session& ws, duration) override { hear(point::sink_round_trip, ws); }
    void hear(point p, const session& ws) {
      owner.told_late += owner.told_closes;
      owner.at(p, session(ws));
    }
    scene& owner;
  };

  handlers callbacks() {
    handlers h;
    h.on_open = [this](session& ws, const request&) {
      ++opens;
      kept_ = ws;
      ws.emplace_data<std::shared_ptr<int>>(alive_);
      hear(point::on_open, ws);
    };
    if (point_ == point::on_part) {
      h.on_part = [this](session& ws, message_part) { hear(point::on_part, ws); };
    } else if (point_ != point::receive) {
      h.on_message = [this](session& ws, message_view m) {
        if (m.text() == "throw") throw raised();
        hear(point::on_message, ws);
      };
    }
    h.on_drain = [this](session& ws, const drop_counts&) { hear(point::on_drain, ws); };
    h.on_state = [this](session& ws, session_state, session_state to) {
      hear(to == session_state::idle ? point::on_timer : point::on_state, ws);
    };
    h.on_close = [this](session& ws, const close_info&) {
      late += closes;
      ++closes;
      empty_handles += ws.id() == session_id();
      at(point::on_close, ws);
    };
    return h;
  }

  // The handlers of an empty handle would complete on the system's executor, on another thread.
  template <class Handler>
  asio::executor_binder<Handler, asio::io_context::executor_type> here(Handler h) {
    return asio::bind_executor(stage_.context.get_executor(), std::move(h));
  }

  void hear(point p, session& ws) {
    late += closes;
    empty_handles += ws.id() == session_id();
    at(p, ws);
  }
  void complete(point p) { at(p, kept_); }

  void at(point here, session& ws) {
    if (here != point_ || std::exchange(acted_, true)) return;
    act(ws);
  }
  void at(point here, session&& ws) { at(here, ws); }

  void act(session& ws) {
    const auto nothing = [](auto&&...) {};
    switch (action_) {
      case action::try_close: ws.try_close(close_code{4000}, "in a callback"); break;
      case action::close: ws.close(close_code{4000}, "in a callback", nothing); break;
      case action::hang_up: peer_->hang_up(); break;
      case action::try_send:
        for (int i = 0; i < 100; ++i)
          ws.try_send(std::string(1000, 's'), {.policy = slow_policy::drop_oldest});
        break;
      case action::send:
        for (int i = 0; i < 100; ++i) ws.send(std::string(1000, 's'), nothing);
        break;
      case action::send_part: ws.send_part("never finished", false, nothing); break;
      case action::receive: ws.receive(nothing); break;
      case action::ping: ws.ping(nothing); break;
      case action::pause: ws.pause_reading(); break;
      case action::resume: ws.resume_reading(); break;
      case action::set_user: ws.set_user("ada"); break;
      case action::drop_handles:
        ws = session();
        kept_ = session();
        break;
      case action::stop_server: stage_.server->stop(); break;
      case action::destroy_server: stage_.server.reset(); break;
      case action::raise: throw raised();
    }
  }

  void receive() {
    kept_.receive(here([this](std::error_code ec, std::optional<message> m) {
      if (!ec && m) receive();
      complete(point::receive);
    }));
  }

  void fill_and_drain() {
    if (peer_->is_gone()) return;
    peer_->pause();
    for (int i = 0; i < 60; ++i) {
      on_own_thread([this] { kept_.try_send(std::string(1000, 'x'), {.policy = slow_policy::drop_newest}); });
    }
    if (peer_->is_gone()) return;
    peer_->resume();
    run();
  }

  template <class Function>
  void without_raised(Function f) {
    for (bool again = true; again;) {
      again = false;
      try {
        f();
      } catch (const raised&) {
        again = true;
      }
    }
  }
  void run() {
    without_raised([this] { stage_.time.run_ready(); });
  }
  void pass(duration d) {
    const time_point end = stage_.time.now() + d;
    without_raised([&] { stage_.time.advance(end - stage_.time.now()); });
  }
  void on_own_thread(std::function<void()> f) {
    asio::post(stage_.context, std::move(f));
    run();
  }

  const point point_;
  const action action_;
  std::shared_ptr<int> alive_ = std::make_shared<int>();
  std::shared_ptr<told> sink_;
  timed_stage stage_;
  session kept_;
  std::unique_ptr<client> peer_;
  bool acted_ = false;
};

}  // namespace

// TRUST L01, L02.
TEST_CASE("everything_may_be_done_to_a_session_in_each_of_its_callbacks") {
  for (int p = 0; p < point_count; ++p) {
    for (int a = 0; a < action_count; ++a) {
      const auto here = static_cast<point>(p);
      const auto what = static_cast<action>(a);
      if (is_sink(here) && what == action::raise) continue;  // a sink must not throw
      CAPTURE(point_names[static_cast<std::size_t>(p)], action_names[static_cast<std::size_t>(a)]);
      scene s(here, what);
      s.play();
      CHECK(s.was_reached());
      CHECK(s.opens == 1);
      CHECK(s.closes == 1);
      CHECK(s.late == 0);
      CHECK(s.told_opens == 1);
      CHECK(s.told_closes == 1);
      CHECK(s.told_late == 0);
      CHECK(s.empty_handles == 0);
      CHECK(s.connections() == 0);
      CHECK_FALSE(s.has_timers());
      CHECK(s.sessions_alive() == 0);
    }
  }
}

TEST_CASE("a_callback_may_keep_its_handle_by_moving_it_away") {
  full_record seen;
  std::vector<session> kept;
  std::size_t empty = 0;
  timed_stage s;
  handlers h;
  const auto keep = [&](session& ws) {
    empty += ws.id() == session_id();
    kept.push_back(std::move(ws));
  };
  h.on_open = [&](session& ws, const request&) { keep(ws); };
  h.on_message = [&](session& ws, message_view) { keep(ws); };
  h.on_close = [&](session& ws, const close_info&) { keep(ws); };
  s.server->route("/", std::move(h));
  const auto peer = s.join();
  peer->write(text_frame("one") + text_frame("two") + close_frame(1000));
  s.time.run_ready();
  CHECK(kept.size() == 4);
  CHECK(empty == 0);
  CHECK(std::ranges::all_of(kept, [&](const session& ws) { return ws == kept.front(); }));
}

// --- Threads.

namespace {

// Handlers with an executor of their own, as they must have where the session's context may be gone meanwhile.
auto nothing_elsewhere() {
  return asio::bind_executor(asio::system_executor(), [](auto&&...) {});
}

/// Calls every function that may be called from any thread.
void call_everything(const session& ws) {
  auto nothing = nothing_elsewhere();
  static_cast<void>(ws.is_open());
  static_cast<void>(ws.state());
  static_cast<void>(ws.id());
  static_cast<void>(ws.peer());
  static_cast<void>(ws.user());
  static_cast<void>(ws.header("User-Agent"));
  static_cast<void>(ws.statistics());
  static_cast<void>(ws.subprotocol());
  for (const slow_policy p : {slow_policy::queue, slow_policy::drop_newest, slow_policy::drop_oldest,
                              slow_policy::conflate, slow_policy::expire, slow_policy::pause_source}) {
    ws.try_send("a", message_class{.lane = lane::high, .policy = p}.with_key("k").from(ws));
  }
  ws.send("a", nothing);
  ws.send("a", {.policy = slow_policy::drop_newest}, nothing);
  ws.send_part("a", true, nothing);
  ws.receive(nothing);
  ws.ping(nothing);
  ws.pause_reading();
  ws.resume_reading();
}

void close_by_every_way(const session& ws) {
  ws.set_user("ada");
  ws.try_close();
  ws.close(close_code::normal, {}, nothing_elsewhere());
}

}  // namespace

// TRUST L04.
TEST_CASE("every_function_returns_on_a_foreign_thread_in_every_state") {
  full_record seen;
  session after;
  {
    timed_stage s;
    session_options o = slow_stage::small_queue();
    o.authentication_timeout = 1h;
    o.idle_after = 1s;
    o.connection.close_timeout = 1s;
    s.server->route("/", seen.without_messages(), o);
    const auto in_state = [&](session_state expected) {
      CHECK(seen.ws->state() == expected);
      CHECK_NOTHROW(call_everything(*seen.ws));
      CHECK_NOTHROW(s.time.run_ready());
    };
    CHECK_NOTHROW(call_everything(session()));
    CHECK_NOTHROW(close_by_every_way(session()));
    auto peer = s.join();
    in_state(session_state::authenticating);
    seen.ws->set_user("ada");
    s.time.run_ready();
    in_state(session_state::active);
    s.time.advance(2s);
    in_state(session_state::idle);
    peer->pause();
    CHECK_NOTHROW(call_everything(*seen.ws));
    s.time.run_ready();
    peer->resume();
    peer->is_mute = true;
    CHECK_NOTHROW(close_by_every_way(*seen.ws));
    s.time.run_ready();
    in_state(session_state::closing);
    s.time.advance(2s);
    in_state(session_state::closed);
    CHECK_NOTHROW(close_by_every_way(*seen.ws));
    s.time.run_ready();
    CHECK(s.server->connection_count() == 0);
    peer = s.join();
    after = *seen.ws;
  }
  CHECK(after.state() == session_state::closed);
  CHECK_NOTHROW(call_everything(after));
  CHECK_NOTHROW(close_by_every_way(after));
  CHECK(after.try_send("a") == send_result::closed);
}

namespace {

/// A context that a thread of its own runs, and sessions over memory links on it.
class running_stage {
 public:
  explicit running_stage(handlers h, session_options o = {})
      : context_(std::make_unique<asio::io_context>(1)),
        server_(std::make_unique<fairlead::server>(*context_)) {
    server_->route("/", std::move(h), std::move(o));
    work_.emplace(context_->get_executor());
    thread_ = std::thread([this] { context_->run(); });
  }
  running_stage(const running_stage&) = delete;
  ~running_stage() {
    work_.reset();
    context_->stop();
    thread_.join();
    peers_.clear();
    server_.reset();
    context_.reset();
  }

  /// On the context's thread: a client, which begins with these frames.
  void join(std::string frames = {}) {
    asio::post(*context_, [this, text = std::move(frames)] {
      std::erase_if(peers_, [](const auto& p) { return p->is_gone(); });
      auto [ours, theirs] = make_memory_pair(context_->get_executor());
      server_->serve(std::move(ours));
      peers_.push_back(std::make_unique<client>(std::move(theirs)));
      peers_.back()->write(upgrade_request_for("/") + text);
    });
  }

  std::size_t connection_count() const { return server_->connection_count(); }

 private:
  std::unique_ptr<asio::io_context> context_;
  std::vector<std::unique_ptr<client>> peers_;
  std::unique_ptr<fairlead::server> server_;
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work_;
  std::thread thread_;
};

}  // namespace

// TRUST L03.
TEST_CASE("no_callback_comes_after_close_has_completed_on_another_thread", "[threads]") {
  struct watched {
    std::atomic<bool> is_over = false;
  };
  std::atomic<std::size_t> late = 0;
  std::promise<session>* opened = nullptr;
  const auto check = [&](session& ws) {
    if (const auto* const w = ws.data<std::shared_ptr<watched>>(); w != nullptr && (*w)->is_over) ++late;
  };
  std::shared_ptr<watched> current;
  handlers h;
  h.on_open = [&](session& ws, const request&) {
    ws.emplace_data<std::shared_ptr<watched>>(current);
    opened->set_value(ws);
  };
  h.on_message = [&](session& ws, message_view m) {
    check(ws);
    ws.try_send(m);
  };
  h.on_drain = [&](session& ws, const drop_counts&) { check(ws); };
  h.on_state = [&](session& ws, session_state, session_state) { check(ws); };
  h.on_close = [&](session& ws, const close_info&) {
    std::this_thread::yield();
    check(ws);
  };
  running_stage s(std::move(h));
  std::string frames;
  for (int i = 0; i < 20; ++i) frames += text_frame("hello");
  for (int i = 0; i < 2000; ++i) {
    std::promise<session> promise;
    opened = &promise;
    const auto mine = current = std::make_shared<watched>();
    s.join(frames);
    const session ws = promise.get_future().get();
    const auto closed = ws.close(close_code::normal, {}, asio::use_future);
    REQUIRE(closed.wait_for(patience) == std::future_status::ready);
    mine->is_over = true;
  }
  CHECK(late == 0);
}

// TRUST L04, L11.
TEST_CASE("every_function_may_be_called_while_sessions_end_and_contexts_are_destroyed", "[threads]") {
  for (int round = 0; round < 40; ++round) {
    std::mutex mutex;
    std::vector<session> open;
    std::atomic<bool> is_over = false;
    std::atomic<std::size_t> calls = 0;
    std::vector<std::thread> threads;
    session_options o;
    o.queue_high = o.queue_hard = 4096;
    o.queue_low = 1024;
    {
      running_stage s({.on_open =
                           [&](session& ws, const request&) {
                             const std::lock_guard lock(mutex);
                             open.push_back(ws);
                           }},
                      o);
      for (int i = 0; i < 4; ++i) s.join();
      const auto pick = [&](std::size_t n) {
        const std::lock_guard lock(mutex);
        return open.empty() ? session() : open[n % open.size()];
      };
      for (std::size_t user = 0; user < 2; ++user) {
        threads.emplace_back([&, pick, user] {
          for (std::size_t n = user; !is_over; ++n) {
            ++calls;
            const session ws = pick(n);
            for (int i = 0; i < 20; ++i)
              ws.try_send(std::string(500, 'x'), {.policy = slow_policy::drop_newest});
            call_everything(ws);
            if (n % 50 == 49) close_by_every_way(ws);
          }
        });
      }
      const time_point give_up = clock::now() + patience;
      while ((pick(0) == session() || calls < 100) && clock::now() < give_up) std::this_thread::yield();
    }
    is_over = true;
    for (std::thread& t : threads) t.join();
    for (const session& ws : open) CHECK(ws.try_send("a") == send_result::closed);
  }
}

// --- The end of a server. TRUST L07.

namespace {

/// Connections in every state there is.
struct crowd {
  crowd() {
    session_options o = slow_stage::small_queue();
    o.idle_after = 1s;
    o.connection.close_timeout = 1s;
    const auto count = [this] {
      handlers h;
      h.on_open = [this](session& ws, const request&) {
        ++opens;
        open.push_back(ws);
      };
      h.on_close = [this](session&, const close_info&) { ++closes; };
      return h;
    };
    s.server->route("/", count(), o);
    session_options a = o;
    a.authentication_timeout = 1h;
    s.server->route("/authenticating", count(), a);
    peers.push_back(s.connect());  // nothing said
    peers.push_back(s.connect());
    peers.back()->write("GET / HTTP/1.1\r\nHo");
    for (int i = 0; i < 9; ++i) peers.push_back(s.join());
    peers.push_back(s.join("/authenticating"));
    s.time.advance(2s);  // all are idle now
    s.on_own_thread([this] { open[1].try_send("active"); });
    peers[4]->write(std::string("\x81\x85\x11\x22", 4));  // in a head
    peers[5]->write(frame(0x01, "in a message"));
    open[4].pause_reading();
    peers[7]->pause();
    s.on_own_thread([this] {
      for (int i = 0; i < 50; ++i) {
        open[5].try_send(std::string(1000, 'x'),
                         message_class{.policy = slow_policy::pause_source}.from(open[6]));
      }
    });
    open[7].send_part("unfinished", false, [](std::error_code) {});
    peers[10]->is_mute = true;
    open[8].try_close();
    for (const session& ws : open) {
      ws.receive([](auto&&...) {});
      ws.ping([](auto&&...) {});
    }
    s.time.run_ready();
  }

  timed_stage s;
  std::vector<session> open;
  std::size_t opens = 0;
  std::size_t closes = 0;
  std::vector<std::unique_ptr<client>> peers;
};

}  // namespace

TEST_CASE("a_server_that_stops_ends_connections_in_every_state_within_two_seconds") {
  crowd c;
  REQUIRE(c.opens == 10);
  c.s.server->stop();
  for (auto& p : c.peers) p->is_mute = true;
  c.s.time.advance(2s);
  CHECK(c.closes == c.opens);
  // Who said nothing yet is an HTTP exchange, which ends with the stop.
  CHECK(c.s.server->connection_count() == 0);
  c.peers.clear();
}

TEST_CASE("a_server_destroyed_with_connections_in_every_state_leaves_them_to_their_end") {
  crowd c;
  c.s.server.reset();
  c.open[4].resume_reading();  // who does not read does not see the end either
  for (auto& p : c.peers) p->hang_up();
  c.s.time.advance(60s);
  CHECK(c.closes == c.opens);
  CHECK(detail::event_loop::of(c.s.context).size() == 0);
}

TEST_CASE("a_context_destroyed_with_sessions_in_every_state_calls_nobody") {
  std::size_t closes = 0;
  session kept;
  std::size_t closed_before = 0;
  {
    crowd c;
    closed_before = c.closes;
    kept = c.open[5];
    // The callbacks count in `c`, which is still there while its context goes.
    closes = c.closes;
  }
  CHECK(closes == closed_before);
  CHECK(kept.state() == session_state::closed);
}

// --- Resources.

// TRUST R07.
TEST_CASE("ten_thousand_sessions_that_come_and_go_leave_nothing_behind") {
  timed_stage s;
  const auto budget = std::make_shared<memory_budget>();
  const auto alive = std::make_shared<int>();
  session_options o = slow_stage::small_queue();
  o.budget = budget;
  o.heartbeat.interval = 30s;
  std::optional<session> last;
  s.server->route("/",
                  {.on_open =
                       [&](session& ws, const request&) {
                         ws.emplace_data<std::shared_ptr<int>>(alive);
                         last = ws;
                       },
                   .on_message = [](session& ws, message_view m) { ws.try_send(m); }},
                  o);
  auto& loop = detail::event_loop::of(s.context);
  const auto descriptors = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"),
                         std::filesystem::directory_iterator());
  };
  const auto descriptors_before = descriptors();
  constexpr std::uint64_t count = 10'000;
  for (std::uint64_t i = 0; i < count; ++i) {
    auto peer = s.connect(4096);
    if (i % 8 == 0) {  // before there is a session
      peer->write("GET / HT");
      s.time.run_ready();
      peer->hang_up();
      s.time.run_ready();
      continue;
    }
    peer->upgrade("/");
    s.time.run_ready();
    switch (i % 8) {
      case 1: peer->close(); break;
      case 2: last->try_close(); break;
      case 3: peer->hang_up(); break;
      case 4: peer->write(frame(0x83, "")); break;
      case 5:
        peer->write(frame(0x01, "unfinished"));
        s.time.run_ready();
        peer->hang_up();
        break;
      case 6:
        peer->pause();
        s.on_own_thread([&] {
          for (int n = 0; n < 10; ++n) last->try_send(std::string(1000, 'x'));
        });
        peer->hang_up();
        break;
      case 7:
        last->ping([](auto&&...) {});
        last->send(std::string(20'000, 'x'), [](std::error_code) {});
        last->receive([](auto&&...) {});
        last->pause_reading();
        s.time.run_ready();
        peer->hang_up();
        last->try_close();
        break;
    }
    s.time.run_ready();
  }
  last.reset();
  s.time.run_ready();
  CHECK(s.server->connection_count() == 0);
  CHECK(loop.next_timer() == time_point::max());
  CHECK(alive.use_count() == 1);
  CHECK(budget->queues() == 0);
  CHECK(budget->input() == 0);
  CHECK(descriptors() == descriptors_before);
  const net_counters all = s.server->counters();
  CHECK(all.opened == count - count / 8);
  std::uint64_t closed = 0;
  for (const std::uint64_t n : all.closed) closed += n;
  CHECK(closed == all.opened);
  for (const std::size_t n : all.sessions) CHECK(n == 0);
}

// TRUST R06.
TEST_CASE("messages_make_no_threads") {
  const auto threads = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/task"),
                         std::filesystem::directory_iterator());
  };
  stage s(link_form::epoll);
  s.server().route("/", {.on_message = [](session& ws, message_view m) { ws.try_send(m); }});
  const auto peer = s.join();
  REQUIRE(peer);
  const auto before = threads();
  for (int i = 0; i < 20'000; ++i) peer->send("hello");
  CHECK(s.run_until([&] { return peer->messages.size() == 20'000; }));
  CHECK(threads() == before);
}

// TRUST R12.
TEST_CASE("a_burst_of_tiny_messages_does_not_keep_other_sessions_waiting") {
  const auto form = GENERATE(link_form::memory, link_form::epoll, link_form::asio);
  constexpr std::size_t burst = 300'000;
  std::size_t received = 0;
  stage s(form);
  s.server().route("/busy", {.on_message = [&](session&, message_view) { ++received; }});
  s.server().route("/echo", {.on_message = [](session& ws, message_view m) { ws.try_send(m); }});
  const auto busy = s.join("/busy");
  const auto patient = s.join("/echo");
  REQUIRE(busy);
  REQUIRE(patient);
  std::string frames;
  for (std::size_t i = 0; i < burst; ++i) frames += text_frame("x");
  busy->write(frames);
  std::size_t most = 0;
  for (std::size_t i = 1; i <= 3; ++i) {
    const std::size_t before = received;
    patient->send("hello");
    REQUIRE(s.run_until([&] { return patient->messages.size() == i; }));
    most = std::max(most, received - before);
  }
  CHECK(most <= burst / 2);
  CHECK(s.run_until([&] { return received == burst; }));
}
