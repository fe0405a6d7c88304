#include <fairlead/net/session/memory_budget.hpp>
#include <fairlead/net/session/session_group.hpp>
#include <fairlead/net/session/shared_context.hpp>

#include <net/session/session_support.hpp>
#include <support/catch.hpp>

#include <asio/bind_executor.hpp>

#include <array>
#include <atomic>
#include <charconv>
#include <cstdlib>
#include <functional>
#include <future>
#include <map>
#include <mutex>
#include <numeric>
#include <random>
#include <set>
#include <thread>

// Everything that threads may do to sessions, at random and at once, for two seconds. For longer, or the same again:
//
//   FAIRLEAD_STORM_SECONDS=60 FAIRLEAD_STORM_SEED=7 fairlead_net_tests "the_storm*"
//
// Run it under the thread sanitizer, which is what sees most of what may go wrong.

using namespace net_test;

namespace {

unsigned long from_environment(const char* name, unsigned long otherwise) {
  const char* const text = std::getenv(name);
  return text != nullptr ? std::strtoul(text, nullptr, 10) : otherwise;
}

/// The sessions that are open, and whether their callbacks come in pairs and in between.
class open_sessions {
 public:
  void add(const session& ws) {
    const std::lock_guard lock(mutex_);
    broken_ += !ids_.insert(ws.id()).second;
    all_.push_back(ws);
  }
  void remove(const session& ws) {
    const std::lock_guard lock(mutex_);
    broken_ += ids_.erase(ws.id()) != 1;
    std::erase(all_, ws);
  }
  void check(const session& ws) {
    const std::lock_guard lock(mutex_);
    broken_ += !ids_.contains(ws.id());
  }
  session pick(std::size_t n) const {
    const std::lock_guard lock(mutex_);
    return all_.empty() ? session() : all_[n % all_.size()];
  }
  std::size_t size() const {
    const std::lock_guard lock(mutex_);
    return all_.size();
  }
  std::size_t broken() const {
    const std::lock_guard lock(mutex_);
    return broken_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<session> all_;
  std::set<session_id> ids_;
  std::size_t broken_ = 0;
};

/// A server on two threads: with a context for each, or on one that both run.
class running {
 public:
  running(bool on_one_context, session_options so, handlers callbacks) {
    server_options options{.address = "127.0.0.1", .threads = 2};
    if (on_one_context) {
      context_.emplace();
      share_between_threads(*context_, 2);
      server_.emplace(*context_, std::move(options));
    } else {
      server_.emplace(std::move(options));
    }
    server_->route("/", std::move(callbacks), std::move(so));
    server_->listen();
    if (on_one_context) {
      work_.emplace(context_->get_executor());
      for (int i = 0; i < 2; ++i) threads_.emplace_back([this] { context_->run(); });
    } else {
      threads_.emplace_back([this] { server_->run(); });
    }
  }
  running(const running&) = delete;
  running& operator=(const running&) = delete;
  ~running() { stop(); }

  /// Waits until all is over: on a context of the test's own that is when it runs out of work.
  void stop() {
    if (threads_.empty()) return;
    server_->stop();
    work_.reset();
    for (std::thread& t : threads_) t.join();
    threads_.clear();
  }

  fairlead::server& server() { return *server_; }

 private:
  std::optional<asio::io_context> context_;
  std::optional<fairlead::server> server_;
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work_;
  std::vector<std::thread> threads_;
};

/// A message of `sender`: its number, and more bytes the more often it ends in zeros.
std::string numbered(std::size_t sender, std::uint64_t n) {
  std::string text = std::to_string(sender) + " " + std::to_string(n) + " ";
  const std::size_t size = n % 100 == 0 ? 20'000 : n % 10 == 0 ? 2'000 : n % 100;
  return text.append(size, static_cast<char>('a' + sender));
}

/// What a peer receives: each sender's messages whole, and in its order. Some may be missing.
class order {
 public:
  bool accept(std::string_view text) {
    if (text.starts_with('-')) return true;  // not one of ours
    std::size_t sender = 0;
    std::uint64_t n = 0;
    const char* const end = text.data() + text.size();
    const auto first = std::from_chars(text.data(), end, sender);
    if (first.ptr == end) return false;
    std::from_chars(first.ptr + 1, end, n);
    std::uint64_t& last = last_[sender];
    const bool in_order = n > last && text == numbered(sender, n);
    last = n;
    return in_order;
  }

 private:
  std::map<std::size_t, std::uint64_t> last_;
};

struct storm_peer {
  std::unique_ptr<client> end;
  order seen{};
};

std::unique_ptr<client> connect_to(asio::io_context& context, std::uint16_t port) {
  asio::ip::tcp::socket socket(context);
  socket.connect({asio::ip::address_v4::loopback(), port});
  const int descriptor = socket.native_handle();
  auto peer = std::make_unique<client>(make_asio_link(std::move(socket)), descriptor);
  peer->upgrade();
  return peer;
}

/// What the threads of the storm share.
struct storm {
  open_sessions open;
  session_group group{session_group_options{.max_posted_size = 256 * 1024}};
  std::atomic<bool> is_over = false;
  std::atomic<std::uint64_t> begun = 0;
  std::atomic<std::uint64_t> completed = 0;
  std::atomic<std::size_t> broken = 0;
  std::atomic<std::uint64_t> opens = 0;
  std::atomic<std::uint64_t> closes = 0;

  auto counts() {
    ++begun;
    return [this](std::error_code, auto&&...) { ++completed; };
  }

  handlers callbacks() {
    return {.on_open =
                [this](session& ws, const request&) {
                  ++opens;
                  open.add(ws);
                  group.add(ws);
                },
            .on_message =
                [this](session& ws, message_view m) {
                  open.check(ws);
                  switch (m.size() % 8) {
                    case 0: group.try_send("- to all", {}, &ws); break;
                    case 1: group.remove(ws); break;
                    case 2: group.add(open.pick(m.size())); break;
                    case 3:
                      if (m.size() % 64 == 3) open.pick(m.size()).try_close();
                      break;
                    default: open.pick(m.size()).try_send("- relayed", {.policy = slow_policy::drop_oldest});
                  }
                },
            .on_drain = [this](session& ws, const drop_counts&) { open.check(ws); },
            .on_state = [this](session& ws, session_state, session_state) { open.check(ws); },
            .on_close =
                [this](session& ws, const close_info&) {
                  ++closes;
                  open.remove(ws);
                }};
  }

  /// One of the application's threads.
  void user(std::size_t number, unsigned seed) {
    std::minstd_rand random(seed);
    std::vector<session> kept;
    std::uint64_t n = 0;
    while (!is_over) {
      const session ws = open.pick(random());
      switch (random() % 32) {
        case 0:
          if (random() % 16 == 0) ws.try_close();
          break;
        case 1:
          if (random() % 16 == 0) ws.close(close_code::normal, "enough", counts());
          break;
        case 2: ws.set_user("user " + std::to_string(number)); break;
        case 3:
          if (ws.statistics().messages_sent > 0 && ws.id() == session_id()) ++broken;
          break;
        case 4: ws.ping(counts()); break;
        case 5: ws.pause_reading(); break;
        case 6:
        case 7: ws.resume_reading(); break;
        case 8: kept.push_back(ws); break;
        case 9: kept.clear(); break;
        case 10: group.add(ws); break;
        case 11: group.remove(ws); break;
        case 12: ws.try_send("- price", message_class{.policy = slow_policy::conflate}.with_key("p")); break;
        case 13:
          if (ws.user().size() > 7 || ws.header("user-agent") != "" || ws.peer().port == 1) ++broken;
          break;
        case 14: ws.receive(counts()); break;
        case 15: {
          const session source = open.pick(random());
          ws.try_send("- relayed", message_class{.policy = slow_policy::pause_source}.from(source));
          break;
        }
        case 16:
        case 17:
        case 18: group.try_send(numbered(number, ++n), {}, random() % 2 == 0 ? &ws : nullptr); break;
        case 19:
        case 20:
        case 21: ws.send(numbered(number, ++n), counts()); break;
        case 22:
          // One message in parts at a time, so one thread has to send them.
          if (number == 0) {
            const std::string text = numbered(number, ++n);
            const std::string_view all = text;
            ws.send_part(all.substr(0, all.size() / 2), false, counts());
            ws.send_part(all.substr(all.size() / 2), true, counts());
          }
          break;
        default: ws.try_send(numbered(number, ++n)); break;
      }
      // In gusts the server's threads hardly get to run; in between sessions live long enough to receive.
      const bool is_gust = (clock::now().time_since_epoch() / 200ms) % 5 == 0;
      if (!is_gust) std::this_thread::sleep_for(std::chrono::microseconds(random() % 1000));
    }
  }

  /// The thread of all peers.
  void peers(std::uint16_t port, unsigned seed) {
    constexpr std::size_t at_once = 16;
    asio::io_context context;
    std::minstd_rand random(seed);
    std::vector<storm_peer> all;
    while (!is_over) {
      if (all.size() < at_once) all.push_back({connect_to(context, port)});
      for (int i = 0; i < 4; ++i) {
        client& one = *all[random() % all.size()].end;
        if (!one.upgraded || one.is_gone()) continue;
        switch (random() % 256) {
          case 0: one.close(); break;
          case 1: one.hang_up(); break;
          case 2: one.reset(); break;
          case 3: one.pause(); break;
          case 4:
          case 5:
          case 6: one.resume(); break;
          default: one.send(std::string(random() % 300, 'y')); break;
        }
      }
      context.restart();
      context.poll();
      for (storm_peer& p : all) {
        if (p.end->failure && *p.end->failure != errc::connection_lost) ++broken;
        for (const message& m : p.end->messages) broken += !p.seen.accept(m.text());
        p.end->messages.clear();
      }
      std::this_thread::yield();
      std::erase_if(all, [](const storm_peer& p) { return p.end->is_over() || p.end->is_gone(); });
    }
    all.clear();
    context.restart();
    context.poll();
  }
};

}  // namespace

TEST_CASE("the_storm: handles_and_groups_from_eight_threads_while_sessions_come_and_go", "[threads]") {
  constexpr std::size_t users = 8;
  const std::chrono::seconds length(from_environment("FAIRLEAD_STORM_SECONDS", 2));
  const bool on_one_context = GENERATE(false, true);
  const auto seed = static_cast<unsigned>(from_environment("FAIRLEAD_STORM_SEED", std::random_device()()));
  CAPTURE(on_one_context, seed);

  session_options so;
  so.connection.close_timeout = 1s;
  so.budget = std::make_shared<memory_budget>();
  storm s;
  running r(on_one_context, so, s.callbacks());
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < users; ++i) {
    threads.emplace_back([&s, i, seed] { s.user(i, seed + static_cast<unsigned>(i)); });
  }
  threads.emplace_back([&s, seed, port = r.server().port()] { s.peers(port, seed + users); });
  std::this_thread::sleep_for(length);
  s.is_over = true;
  for (std::thread& t : threads) t.join();
  r.stop();

  CHECK(s.opens > 20);
  CHECK(s.opens == s.closes);
  CHECK(s.open.broken() == 0);
  CHECK(s.open.size() == 0);
  CHECK(s.broken == 0);
  CHECK(s.begun == s.completed);
  CHECK(s.group.size() == 0);
  const net_counters all = r.server().counters();
  CHECK(all.opened == s.opens);
  CHECK(std::accumulate(all.closed.begin(), all.closed.end(), std::uint64_t{0}) == s.closes);
  CHECK(std::accumulate(all.sessions.begin(), all.sessions.end(), std::size_t{0}) == 0);
  CHECK(r.server().connection_count() == 0);
  CHECK(so.budget->queues() == 0);
  CHECK(so.budget->input() == 0);
  CHECK(all.messages_sent > 0);
  CHECK(all.messages_received > 0);
  if (length > 10s) {
    WARN((on_one_context ? "one context: " : "two contexts: ")
         << s.opens << " sessions, " << all.messages_sent << " messages sent, " << all.messages_received
         << " received, " << all.drops.lost() << " dropped, " << all.drops[drop_reason::thread_busy]
         << " of these for a busy thread");
  }
}

// L03. Two threads: the sessions' own, and the one that closes them.
TEST_CASE("L03: no_callback_follows_the_completion_of_close", "[threads]") {
#if defined(__SANITIZE_THREAD__)
  constexpr std::size_t rounds = 50;
#else
  constexpr std::size_t rounds = 1000;
#endif
  constexpr std::size_t in_a_round = 100;
  struct life {
    std::atomic<bool> is_closed = false;
  };
  std::vector<std::pair<session, life*>> opened;
  std::mutex mutex;
  std::atomic<std::size_t> late = 0;
  asio::io_context context(1);
  server s(context);
  const auto check = [&](session& ws) { late += ws.data<life>()->is_closed.load(); };
  s.route("/", {.on_open =
                    [&](session& ws, const request&) {
                      life& l = ws.emplace_data<life>();
                      const std::lock_guard lock(mutex);
                      opened.emplace_back(ws, &l);
                    },
                .on_message = [&](session& ws, message_view) { check(ws); },
                .on_drain = [&](session& ws, const drop_counts&) { check(ws); },
                .on_state = [&](session& ws, session_state, session_state) { check(ws); },
                .on_close = [&](session& ws, const close_info&) { check(ws); }});
  auto work = asio::make_work_guard(context);
  std::thread own([&] { context.run(); });
  std::vector<std::unique_ptr<client>> peers;  // of the sessions' thread
  asio::io_context here;
  std::size_t closed = 0;
  for (std::size_t round = 0; round < rounds; ++round) {
    asio::post(context, [&] {
      peers.clear();
      for (std::size_t i = 0; i < in_a_round; ++i) {
        auto [ours, theirs] = make_memory_pair(context.get_executor());
        s.serve(std::move(ours));
        peers.push_back(std::make_unique<client>(std::move(theirs)));
        peers.back()->upgrade();
        peers.back()->write(text_frame("one") + text_frame("two") + text_frame("three"));
      }
    });
    std::size_t begun = 0;
    const time_point give_up = clock::now() + patience;
    while (closed != (round + 1) * in_a_round && clock::now() < give_up) {
      decltype(opened) fresh;
      {
        const std::lock_guard lock(mutex);
        fresh.swap(opened);
      }
      for (auto& [ws, l] : fresh) {
        ++begun;
        ws.close(close_code::normal, "", asio::bind_executor(here, [&, ws = ws, l = l](std::error_code) {
                   l->is_closed = true;
                   ++closed;
                 }));
      }
      here.restart();
      here.poll();
      if (fresh.empty()) std::this_thread::yield();
    }
    if (begun != in_a_round || closed != (round + 1) * in_a_round) break;
  }
  asio::post(context, [&] { peers.clear(); });
  work.reset();
  own.join();
  CHECK(closed == rounds * in_a_round);
  CHECK(late == 0);
}

// L04.
TEST_CASE("L04: every_function_of_a_session_answers_on_a_foreign_thread_in_every_state", "[threads]") {
  struct answers {
    std::optional<std::error_code> send, part, last_part, receive, ping, close;
    std::optional<send_result> try_send;
    std::optional<std::error_code> try_close;
    bool has_thrown = false;
  };
  const auto call_all = [](session ws, asio::io_context& on, answers& a) {
    const auto note = [&on](std::optional<std::error_code>& where) {
      return asio::bind_executor(on, [&where](std::error_code ec, auto&&...) { where = ec; });
    };
    try {
      static_cast<void>(ws.is_open());
      static_cast<void>(ws.state());
      static_cast<void>(ws.id());
      static_cast<void>(ws.peer());
      static_cast<void>(ws.user());
      static_cast<void>(ws.header("user-agent"));
      static_cast<void>(ws.subprotocol());
      static_cast<void>(ws.statistics());
      ws.set_user("somebody");
      ws.pause_reading();
      ws.resume_reading();
      a.try_send = ws.try_send("a");
      ws.send("b", note(a.send));
      ws.send_part("c", false, note(a.part));
      ws.send_part("d", true, note(a.last_part));
      ws.receive(note(a.receive));
      ws.ping(note(a.ping));
      const session_group g;
      g.add(ws);
      g.try_send("e");
      g.remove(ws);
      if (ws.try_close(close_code{999}) != errc::bad_argument && ws != session()) a.has_thrown = true;
      a.try_close = ws.try_close();
      ws.close(close_code::normal, "", note(a.close));
      const session copy = ws;
      static_cast<void>(copy == ws);
    } catch (...) {
      a.has_thrown = true;
    }
  };
  answers a;
  asio::io_context on;
  const auto from_elsewhere = [&](const session& ws) { std::thread([&] { call_all(ws, on, a); }).join(); };
  const auto all_completed = [&] {
    on.restart();
    on.poll();
    return a.send && a.part && a.last_part && a.receive && a.ping && a.close;
  };
  const auto is_refused = [&] {
    CHECK(all_completed());
    CHECK(a.try_send == send_result::closed);
    CHECK(a.try_close == errc::closed);
    CHECK(a.send == errc::closed);
    CHECK(a.part == errc::closed);
    CHECK(a.last_part == errc::closed);
    CHECK(a.ping == errc::closed);
  };

  std::optional<stage> s(std::in_place, GENERATE(link_form::memory, link_form::epoll, link_form::asio));
  session ws;
  session_options so;
  const bool has_to_authenticate = GENERATE(false, true);
  if (has_to_authenticate) so.authentication_timeout = 10s;
  s->server().route("/", {.on_open = [&](session& opened, const request&) { ws = opened; }}, so);
  auto peer = s->join();
  REQUIRE(peer != nullptr);
  REQUIRE(ws.state() == (has_to_authenticate ? session_state::authenticating : session_state::active));

  SECTION("open") {
    from_elsewhere(ws);
    CHECK(a.try_send == send_result::posted);
    CHECK(a.try_close == std::error_code());
    CHECK(s->run_until(all_completed));
    CHECK(peer->texts() == std::vector<std::string>{"a", "b", "cd", "e"});
    CHECK(a.send == std::error_code());
    CHECK(a.close == std::error_code());
  }
  SECTION("closing") {
    peer->is_stubborn = true;
    asio::post(s->context, [&] { ws.try_close(); });
    REQUIRE(s->run_until([&] { return peer->closed.has_value(); }));
    REQUIRE(ws.state() == session_state::closing);
    from_elsewhere(ws);
    peer->hang_up();
    CHECK(s->run_until(all_completed));
    is_refused();
  }
  SECTION("closed, and the link gone") {
    peer->close();
    REQUIRE(s->run_until([&] { return s->server().connection_count() == 0; }));
    from_elsewhere(ws);
    CHECK(s->run_until(all_completed));
    is_refused();
  }
  SECTION("its context gone") {
    peer.reset();
    s->destroy_context();
    from_elsewhere(ws);
    is_refused();
  }
  SECTION("an empty handle") {
    from_elsewhere(session());
    is_refused();
  }
  CHECK_FALSE(a.has_thrown);
  peer.reset();
}
