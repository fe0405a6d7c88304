#include <fairlead/net/session/shared_context.hpp>

#include <fairlead/net/client/client.hpp>
#include <fairlead/net/session/detail/session_core.hpp>

#include <net/session/session_support.hpp>
#include <support/catch.hpp>

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/post.hpp>
#include <asio/redirect_error.hpp>
#include <asio/steady_timer.hpp>

#include <array>
#include <atomic>
#include <functional>
#include <future>
#include <map>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>

using namespace net_test;

// Contexts that several threads run, and which loop a connection is given. Run these under the thread sanitizer.

namespace {

std::vector<detail::event_loop*> loops_of(asio::io_context& context) {
  return asio::use_service<detail::event_loops>(context).all();
}

/// A context that `count` threads run until it is stopped.
struct shared {
  explicit shared(std::size_t count) : threads(count) { share_between_threads(context, count); }
  ~shared() { stop(); }

  void run() {
    for (std::thread& t : threads) {
      t = std::thread([this] { context.run(); });
    }
  }
  void stop() {
    work.reset();
    context.stop();
    for (std::thread& t : threads) {
      if (t.joinable()) t.join();
    }
  }

  asio::io_context context;
  asio::executor_work_guard<asio::io_context::executor_type> work = asio::make_work_guard(context);
  std::vector<std::thread> threads;
};

bool wait_until(const std::function<bool()>& done) {
  const time_point give_up = clock::now() + patience;
  while (!done() && clock::now() < give_up) std::this_thread::sleep_for(1ms);
  return done();
}

/// Sessions to `port` that send `count` messages each to an echo, one at a time, on contexts of any kind.
asio::awaitable<void> echo_client(asio::any_io_executor where, std::string url, client_options options,
                                  int count, std::atomic<int>& done, std::atomic<int>& wrong) {
  try {
    session ws = co_await connect(where, url, std::move(options));
    for (int i = 0; i < count; ++i) {
      const std::string text = "message " + std::to_string(i);
      co_await ws.send(text);
      const auto back = co_await ws.receive();
      if (!back || back->text() != text) ++wrong;
    }
    co_await ws.close(close_code::normal, "", asio::use_awaitable);
  } catch (const std::exception&) {
    ++wrong;
  }
  ++done;
}

}  // namespace

TEST_CASE("a_context_is_shared_before_it_is_used_and_by_one_thread_at_least") {
  asio::io_context context;
  CHECK_THROWS_AS(share_between_threads(context, 0), std::invalid_argument);

  SECTION("for one thread nothing changes") {
    share_between_threads(context, 1);
    CHECK_FALSE(detail::event_loop::of(context).is_shared());
    CHECK(loops_of(context).size() == 1);
  }
  SECTION("for several there are two loops each") {
    share_between_threads(context, 3);
    CHECK(loops_of(context).size() == 6);
    CHECK_THROWS_AS(detail::event_loop::of(context), std::logic_error);
  }
  SECTION("not twice") {
    share_between_threads(context, 2);
    CHECK_THROWS_AS(share_between_threads(context, 2), std::logic_error);
  }
  SECTION("not after a server") {
    const server used(context);
    CHECK_THROWS_AS(share_between_threads(context, 2), std::logic_error);
  }
}

TEST_CASE("a_server_makes_its_links_itself_on_a_shared_context") {
  asio::io_context context;
  share_between_threads(context, 2);
  server s(context);
  auto [ours, theirs] = make_memory_pair(context.get_executor());
  CHECK_THROWS_AS(s.serve(std::move(ours)), std::logic_error);
}

TEST_CASE("sessions_of_a_shared_context_run_one_at_a_time_and_beside_each_other", "[threads]") {
  constexpr std::size_t peers = 8;
  constexpr int rounds = 300;
  const bool with_tls = GENERATE(false, true);
  CAPTURE(with_tls);
  shared on(4);
  server_options options{.address = "127.0.0.1"};
  if (with_tls) options.tls = certificates::usual::instance().server();
  server s(on.context, options);

  // Each session's own state is touched without a lock: the sanitizer sees when two threads are in one session.
  struct state {
    std::set<std::thread::id> threads;
    int messages = 0;
  };
  std::mutex mutex;
  std::set<std::thread::id> all_threads;
  std::atomic<int> inside = 0;
  std::atomic<int> most_inside = 0;
  std::atomic<int> closes = 0;
  std::atomic<int> lost = 0;
  s.route("/", {.on_open = [](session& ws, const request&) { ws.emplace_data<state>(); },
                .on_message =
                    [&](session& ws, message_view m) {
                      const int now = ++inside;
                      int most = most_inside;
                      while (now > most && !most_inside.compare_exchange_weak(most, now)) {
                      }
                      auto& own = *ws.data<state>();
                      own.threads.insert(std::this_thread::get_id());
                      ++own.messages;
                      std::this_thread::sleep_for(50us);  // long enough for the others to come
                      ws.try_send(m);
                      --inside;
                    },
                .on_close =
                    [&](session& ws, const close_info&) {
                      const std::lock_guard lock(mutex);
                      auto& own = *ws.data<state>();
                      lost += own.messages != rounds;
                      all_threads.merge(own.threads);
                      ++closes;
                    }});
  s.listen();
  on.run();

  shared from(2);
  from.run();
  std::atomic<int> done = 0;
  std::atomic<int> wrong = 0;
  const std::string url = std::string(with_tls ? "wss" : "ws") + "://127.0.0.1:" + std::to_string(s.port());
  for (std::size_t i = 0; i < peers; ++i) {
    client_options co{};
    if (with_tls) co.tls = certificates::usual::instance().client();
    asio::co_spawn(from.context,
                   echo_client(from.context.get_executor(), url, std::move(co), rounds, done, wrong),
                   asio::detached);
  }
  CHECK(wait_until([&] { return done == int{peers} && s.connection_count() == 0; }));
  CHECK(closes == int{peers});
  CHECK(wrong == 0);
  on.stop();
  from.stop();
  CHECK(all_threads.size() > 1);
  CHECK(most_inside > 1);
  CHECK(lost == 0);
}

TEST_CASE("connect_spreads_over_the_loops_of_a_shared_context_and_stays_on_a_sessions_own", "[threads]") {
  shared on(2);
  server s(on.context, {.address = "127.0.0.1"});
  s.route("/", handlers{});
  s.listen();
  asio::io_context from;
  share_between_threads(from, 2);
  const std::string url = "ws://127.0.0.1:" + std::to_string(s.port());
  std::atomic<int> done = 0;
  std::vector<session> all;
  std::mutex mutex;
  const auto keep = [&](std::error_code ec, session ws) {
    if (!ec) {
      const std::lock_guard lock(mutex);
      all.push_back(std::move(ws));
    }
    ++done;
  };
  // A burst: none of these is known to its loop before the next one is placed.
  for (int i = 0; i < 8; ++i) connect(from, url, {}, keep);
  for (const detail::event_loop* const l : loops_of(from)) CHECK(l->load() == 2);
  on.run();
  const auto run_until = [&](int wanted) {
    const time_point give_up = clock::now() + patience;
    while (done < wanted && clock::now() < give_up) {
      from.restart();
      from.run_one_for(10ms);
    }
    return done == wanted && all.size() == static_cast<std::size_t>(wanted);
  };
  REQUIRE(run_until(8));
  for (const detail::event_loop* const l : loops_of(from)) {
    CHECK(l->size() == 2);
    CHECK(l->load() == 2);
  }
  const detail::event_loop* const last = loops_of(from).back();
  for (int i = 0; i < 3; ++i) connect(last->executor(), url, {}, keep);
  CHECK(last->load() == 5);
  REQUIRE(run_until(11));
  CHECK(last->size() == 5);
  on.stop();
}

TEST_CASE("what_is_sent_inside_a_strand_arrives_in_order_whichever_thread_runs_it", "[threads]") {
  constexpr int count = 3000;
  shared on(4);
  server s(on.context, {.address = "127.0.0.1"});
  std::atomic<bool> sent = false;
  s.route("/", [&](session ws) -> asio::awaitable<void> {
    // Each step goes on with any of the threads, and the next one stands in the queue before its own message: would
    // that go by mail, the next might overtake it.
    const asio::any_io_executor own = co_await asio::this_coro::executor;
    asio::steady_timer end(own, time_point::max());
    std::function<void(int)> step = [&](int i) {
      if (i + 1 < count) asio::post(own, [&step, i] { step(i + 1); });
      ws.try_send(std::to_string(i));
      if (i + 1 == count) end.cancel();
    };
    asio::post(own, [&] { step(0); });
    std::error_code cancelled;
    co_await end.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
    sent = true;
  });
  s.listen();
  on.run();
  // So that the threads take turns.
  std::atomic<bool> is_over = false;
  std::function<void()> other = [&] {
    if (!is_over) asio::post(on.context, other);
  };
  for (int i = 0; i < 2; ++i) asio::post(on.context, other);
  asio::io_context from;
  std::promise<int> result;
  asio::co_spawn(
      from,
      [&]() -> asio::awaitable<int> {
        session ws = co_await connect(from, "ws://127.0.0.1:" + std::to_string(s.port()));
        int in_order = 0;
        while (const auto m = co_await ws.receive()) in_order += m->text() == std::to_string(in_order);
        co_return in_order;
      },
      [&](std::exception_ptr error, int n) { result.set_value(error ? -1 : n); });
  from.run_for(patience);
  is_over = true;
  on.stop();
  auto got = result.get_future();
  REQUIRE(got.wait_for(0s) == std::future_status::ready);
  CHECK(got.get() == count);
  CHECK(sent);
}

TEST_CASE("handles_are_used_while_a_shared_context_is_destroyed", "[threads]") {
  for (int round = 0; round < 20; ++round) {
    std::vector<session> open;
    std::mutex mutex;
    std::atomic<bool> is_over = false;
    std::vector<std::thread> users;
    asio::io_context from;
    std::vector<session> ours;
    {
      shared on(2);
      server s(on.context, {.address = "127.0.0.1"});
      s.route("/", {.on_open = [&](session& ws, const request&) {
                const std::lock_guard lock(mutex);
                open.push_back(ws);
              }});
      s.listen();
      on.run();
      for (int i = 0; i < 4; ++i) {
        connect(from, "ws://127.0.0.1:" + std::to_string(s.port()), {},
                [&](std::error_code, session ws) { ours.push_back(std::move(ws)); });
      }
      const auto all_open = [&] {
        from.restart();
        from.poll();
        const std::lock_guard lock(mutex);
        return ours.size() == 4 && open.size() == 4;
      };
      REQUIRE(wait_until(all_open));
      for (int user = 0; user < 3; ++user) {
        users.emplace_back([&is_over, own = open] {
          for (std::size_t n = 0; !is_over; ++n) {
            own[n % own.size()].try_send("a");
            own[n % own.size()].set_user("b");
          }
        });
      }
      std::this_thread::sleep_for(1ms);
      on.stop();
    }
    is_over = true;
    for (std::thread& t : users) t.join();
    CHECK(open[0].try_send("a") == send_result::closed);
  }
}

TEST_CASE("a_server_with_threads_places_a_burst_evenly_and_keeps_each_session_on_one_thread", "[threads]") {
  constexpr std::size_t threads = 4;
  constexpr std::size_t peers = 40;
  server s({.address = "127.0.0.1", .threads = threads, .link = GENERATE(link_kind::epoll, link_kind::asio)});
  std::mutex mutex;
  std::map<std::thread::id, std::size_t> opens;
  std::atomic<std::size_t> elsewhere = 0;
  std::atomic<std::size_t> received = 0;
  struct home {
    std::thread::id id = std::this_thread::get_id();
    void check(std::atomic<std::size_t>& elsewhere) const { elsewhere += id != std::this_thread::get_id(); }
  };
  s.route("/", {.on_open =
                    [&](session& ws, const request&) {
                      ws.emplace_data<home>();
                      const std::lock_guard lock(mutex);
                      ++opens[std::this_thread::get_id()];
                    },
                .on_message =
                    [&](session& ws, message_view m) {
                      ws.data<home>()->check(elsewhere);
                      ws.try_send(m);
                      ++received;
                    },
                .on_close = [&](session& ws, const close_info&) { ws.data<home>()->check(elsewhere); }});
  s.listen();
  // They wait in the kernel, and are all accepted in one go, before any other thread has begun with one.
  asio::io_context context;
  std::vector<std::unique_ptr<client>> clients;
  for (std::size_t i = 0; i < peers; ++i) {
    asio::ip::tcp::socket socket(context);
    socket.connect({asio::ip::address_v4::loopback(), s.port()});
    clients.push_back(std::make_unique<client>(make_asio_link(std::move(socket))));
    clients.back()->upgrade();
  }
  std::thread runner([&] { s.run(); });
  const auto run_until = [&](auto done) {
    const time_point give_up = clock::now() + patience;
    while (!done() && clock::now() < give_up) context.run_one_for(10ms);
    return done();
  };
  CHECK(run_until([&] { return std::ranges::all_of(clients, [](const auto& c) { return c->upgraded; }); }));
  for (int round = 0; round < 10; ++round) {
    for (const auto& c : clients) c->send("hello");
    CHECK(run_until([&] { return received == (static_cast<std::size_t>(round) + 1) * peers; }));
  }
  s.stop();
  runner.join();
  CHECK(opens.size() == threads);
  for (const auto& [id, count] : opens) CHECK(count == peers / threads);
  CHECK(elsewhere == 0);
}

TEST_CASE("a_socket_on_its_way_to_a_loop_that_never_runs_is_closed") {
  asio::io_context client_context;
  std::optional<asio::io_context> context(std::in_place);
  share_between_threads(*context, 2);
  std::optional<server> s(std::in_place, *context, server_options{.address = "127.0.0.1"});
  s->route("/", handlers{});
  s->listen();
  std::vector<asio::ip::tcp::socket> sockets;
  for (int i = 0; i < 8; ++i) {
    sockets.emplace_back(client_context).connect({asio::ip::address_v4::loopback(), s->port()});
  }
  // The accepts run, and what they have posted to the other loops does not.
  const auto loops = loops_of(*context);
  const auto on_their_way = [&] {
    std::size_t n = 0;
    for (const detail::event_loop* const l : loops) n += l->load() - l->size();
    return n;
  };
  const time_point give_up = clock::now() + patience;
  while (on_their_way() == 0 && clock::now() < give_up) context->run_one_for(10ms);
  CHECK(on_their_way() > 0);

  SECTION("the server goes first: what it had accepted is closed") {
    s.reset();
    context->poll();
    CHECK(on_their_way() == 0);
    context.reset();
  }
  SECTION("the server and its context go") {
    s.reset();
    context.reset();
  }
  for (auto& socket : sockets) {
    std::array<char, 1> byte;
    std::error_code ec;
    socket.read_some(asio::buffer(byte), ec);
    CHECK((ec == asio::error::eof || ec == asio::error::connection_reset));
  }
}
