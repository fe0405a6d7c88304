#include <fairlead/net/session/session.hpp>

#include <net/session/session_support.hpp>
#include <support/catch.hpp>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/bind_executor.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/experimental/awaitable_operators.hpp>
#include <asio/post.hpp>
#include <asio/redirect_error.hpp>
#include <asio/steady_timer.hpp>
#include <asio/strand.hpp>

#include <functional>
#include <future>
#include <stdexcept>

using namespace net_test;

namespace {

/// What one receive() gave.
struct outcome {
  bool done = false;
  std::error_code error;
  std::optional<std::string> text;

  auto handler() {
    return [this](std::error_code ec, std::optional<message> m) {
      done = true;
      error = ec;
      if (m) text = std::string(m->text());
    };
  }
};

outcome receive(stage& s, const session& ws) {
  outcome o;
  ws.receive(o.handler());
  CHECK_FALSE(o.done);  // never inside the call
  REQUIRE(s.run_until([&] { return o.done; }));
  return o;
}

link_form any_form() {
  return GENERATE(link_form::memory, link_form::epoll, link_form::asio, link_form::tls);
}

/// A session whose route only takes messages by receive().
struct receiving_stage : stage {
  explicit receiving_stage(link_form f = link_form::memory, session_options options = {}) : stage(f) {
    server().route("/", seen.without_messages(), std::move(options));
    peer = join("/", &counts);
    REQUIRE(peer);
    REQUIRE(seen.ws);
  }
  receiving_stage(const receiving_stage&) = delete;
  ~receiving_stage() { peer.reset(); }

  const session& ws() { return *seen.ws; }

  record seen;
  link_counts counts;
  std::unique_ptr<client> peer;
};

}  // namespace

TEST_CASE("receive_gives_whole_messages_in_order") {
  receiving_stage s(any_form());
  for (int i = 0; i < 100; ++i) s.peer->send(std::to_string(i));
  const std::string large(50'000, 'x');
  s.peer->send(large);
  s.peer->write(frame(0x01, "in ") + frame(0x89, "") + frame(0x80, "pieces"));
  for (int i = 0; i < 100; ++i) CHECK(receive(s, s.ws()).text == std::to_string(i));
  CHECK(receive(s, s.ws()).text == large);
  CHECK(receive(s, s.ws()).text == "in pieces");
}

TEST_CASE("receive_tells_text_from_binary") {
  receiving_stage s;
  s.peer->write(frame(0x81, "t") + frame(0x82, "b"));
  std::vector<message_kind> kinds;
  for (int i = 0; i < 2; ++i) {
    s.ws().receive([&](std::error_code, std::optional<message> m) { kinds.push_back(m.value().kind()); });
    REQUIRE(s.run_until([&] { return kinds.size() == static_cast<std::size_t>(i) + 1; }));
  }
  CHECK(kinds == std::vector{message_kind::text, message_kind::binary});
}

TEST_CASE("receive_waits_until_a_message_comes") {
  receiving_stage s(any_form());
  outcome o;
  s.ws().receive(o.handler());
  s.run_ready();
  CHECK_FALSE(o.done);
  s.peer->send("late");
  REQUIRE(s.run_until([&] { return o.done; }));
  CHECK(o.text == "late");
}

// RFC 6455 section 7.1.4.
TEST_CASE("receive_gives_what_came_before_a_clean_close_and_then_neither_error_nor_message") {
  receiving_stage s(any_form());
  s.peer->write(text_frame("a") + text_frame("b") + close_frame(1000));
  REQUIRE(s.run_until([&] { return s.seen.closes == 1; }));
  CHECK(receive(s, s.ws()).text == "a");
  CHECK(receive(s, s.ws()).text == "b");
  for (int i = 0; i < 2; ++i) {
    const outcome end = receive(s, s.ws());
    CHECK_FALSE(end.error);
    CHECK_FALSE(end.text);
  }
}

TEST_CASE("receive_tells_that_the_connection_was_lost_after_the_messages_before_it") {
  receiving_stage s(any_form());
  s.peer->write(text_frame("a"));
  s.peer->hang_up();
  CHECK(receive(s, s.ws()).text == "a");
  const outcome end = receive(s, s.ws());
  CHECK(end.error == errc::connection_lost);
  CHECK(end.error == errc_condition::disconnected);
  CHECK_FALSE(end.text);
}

TEST_CASE("receive_tells_which_rule_the_peer_broke") {
  receiving_stage s(any_form());
  s.peer->write(text_frame("a") + frame(0x81, "unmasked", false) + text_frame("never seen"));
  CHECK(receive(s, s.ws()).text == "a");
  const outcome end = receive(s, s.ws());
  CHECK(end.error == errc::mask_missing);
  CHECK(end.error == errc_condition::protocol_violation);
  REQUIRE(s.run_until([&] { return s.peer->closed.has_value(); }));
  CHECK(s.peer->closed->code == close_code::protocol_error);
}

TEST_CASE("a_waiting_receive_ends_with_the_session") {
  receiving_stage s(any_form());
  outcome o;
  s.ws().receive(o.handler());
  s.run_ready();
  SECTION("by a close frame") {
    s.peer->close();
    REQUIRE(s.run_until([&] { return o.done; }));
    CHECK_FALSE(o.error);
  }
  SECTION("by our own close") {
    CHECK_FALSE(s.ws().try_close());
    REQUIRE(s.run_until([&] { return o.done; }));
    CHECK_FALSE(o.error);
  }
  SECTION("by an end without a close frame") {
    s.peer->hang_up();
    REQUIRE(s.run_until([&] { return o.done; }));
    CHECK(o.error == errc::connection_lost);
  }
  CHECK_FALSE(o.text);
}

TEST_CASE("a_second_receive_is_busy_and_the_first_is_not_disturbed") {
  receiving_stage s(any_form());
  outcome first;
  s.ws().receive(first.handler());
  const outcome second = receive(s, s.ws());
  CHECK(second.error == errc::busy);
  CHECK_FALSE(first.done);
  s.peer->send("a");
  REQUIRE(s.run_until([&] { return first.done; }));
  CHECK(first.text == "a");
}

TEST_CASE("receive_is_busy_on_a_session_whose_route_has_on_message") {
  stage s;
  record seen;
  s.server().route("/", seen.callbacks());
  const auto peer = s.join();
  REQUIRE(peer);
  CHECK(receive(s, *seen.ws).error == errc::busy);
  peer->send("a");
  REQUIRE(s.run_until([&] { return seen.events.size() == 2; }));
  CHECK(seen.events.back() == "a");
}

TEST_CASE("receive_on_an_empty_handle_is_closed") {
  std::promise<std::error_code> done;
  session().receive([&](std::error_code ec, std::optional<message>) { done.set_value(ec); });
  auto result = done.get_future();
  REQUIRE(result.wait_for(patience) == std::future_status::ready);
  CHECK(result.get() == errc::closed);
}

// --- The inbox.

TEST_CASE("a_full_inbox_pauses_the_link_and_a_half_empty_one_resumes_it") {
  constexpr std::size_t cost = sizeof(message) + 1000;
  const std::string kilobyte(1000, 'x');
  for (const int off_by : {-1, 0, 1}) {
    CAPTURE(off_by);
    session_options options;
    options.inbox_size = static_cast<std::size_t>(static_cast<int>(10 * cost) + off_by);
    receiving_stage s(link_form::memory, options);
    for (int i = 0; i < 9; ++i) s.peer->send(kilobyte);
    s.run_ready();
    CHECK(s.counts.pauses == 0);
    s.peer->send(kilobyte);
    s.run_ready();
    const bool full_with_ten = off_by <= 0;
    CHECK(s.counts.pauses == (full_with_ten ? 1 : 0));
    if (!full_with_ten) {
      s.peer->send(kilobyte);
      s.run_ready();
      CHECK(s.counts.pauses == 1);
    }
    // What is over half: with 10 * cost, 5 messages are half of it; with a byte less, 4 are below it.
    const int held = full_with_ten ? 10 : 11;
    const int held_at_resume = off_by < 0 ? 4 : 5;
    for (int i = held; i > held_at_resume + 1; --i) receive(s, s.ws());
    s.run_ready();
    CHECK(s.counts.resumes == 0);
    receive(s, s.ws());
    s.run_ready();
    CHECK(s.counts.resumes == 1);
  }
}

TEST_CASE("nothing_is_lost_over_many_pauses") {
  session_options options;
  options.inbox_size = 2000;
  receiving_stage s(any_form(), options);
  constexpr int count = 500;
  std::string burst;  // in one piece, so that a pause comes amid the bytes of one read
  for (int i = 0; i < count; ++i) burst += text_frame(std::to_string(i) + std::string(100, 'x'));
  s.peer->write(burst + close_frame(1000));
  for (int i = 0; i < count; ++i) {
    REQUIRE(receive(s, s.ws()).text == std::to_string(i) + std::string(100, 'x'));
    REQUIRE(s.seen.closes == (i < count - 30 ? 0 : s.seen.closes));  // the close frame waits its turn
  }
  const outcome end = receive(s, s.ws());
  CHECK_FALSE(end.error);
  CHECK_FALSE(end.text);
}

TEST_CASE("a_message_larger_than_the_inbox_is_let_in") {
  session_options options;
  options.inbox_size = 0;
  receiving_stage s(any_form(), options);
  const std::string large(60'000, 'x');
  s.peer->send(large);
  s.peer->send("b");
  CHECK(receive(s, s.ws()).text == large);
  CHECK(receive(s, s.ws()).text == "b");
}

// Control frames are handled as they are parsed, also while nobody receives.
TEST_CASE("pings_and_closes_are_answered_while_nobody_receives") {
  receiving_stage s(any_form());
  s.peer->write(text_frame("a") + frame(0x89, "1") + text_frame("b") + frame(0x89, "2"));
  REQUIRE(s.run_until([&] { return s.peer->pongs.size() == 2; }));
  CHECK(s.peer->pongs == std::vector<std::string>{"1", "2"});
  s.peer->close(close_code{4001});
  REQUIRE(s.run_until([&] { return s.peer->closed.has_value(); }));
  CHECK(s.peer->closed->code == close_code{4001});
  CHECK(receive(s, s.ws()).text == "a");
  CHECK(receive(s, s.ws()).text == "b");
}

TEST_CASE("a_ping_before_the_pause_is_answered_and_one_behind_it_when_reading_goes_on") {
  session_options options;
  options.inbox_size = 1;
  receiving_stage s(any_form(), options);
  s.peer->write(frame(0x89, "before") + text_frame("a") + frame(0x89, "behind"));
  REQUIRE(s.run_until([&] { return !s.peer->pongs.empty(); }));
  s.run_ready();
  CHECK(s.peer->pongs == std::vector<std::string>{"before"});
  CHECK(receive(s, s.ws()).text == "a");
  REQUIRE(s.run_until([&] { return s.peer->pongs.size() == 2; }));
  CHECK(s.peer->pongs.back() == "behind");
}

TEST_CASE("a_reset_while_reading_is_paused_ends_the_session_after_the_messages_it_has") {
  session_options options;
  options.inbox_size = 1;
  receiving_stage s(GENERATE(link_form::epoll, link_form::asio), options);
  s.peer->send("a");
  REQUIRE(s.run_until([&] { return s.peer->messages.empty() && s.server().connection_count() == 1; }));
  s.run_ready();
  s.peer->reset();
  REQUIRE(s.run_until([&] { return s.seen.closes == 1; }));
  CHECK(s.seen.error == errc::connection_lost);
  CHECK(receive(s, s.ws()).text == "a");
  CHECK(receive(s, s.ws()).error == errc::connection_lost);
}

// --- Cancellation.

TEST_CASE("a_cancelled_receive_ends_at_once_and_the_session_goes_on") {
  receiving_stage s(any_form());
  for (const auto type : {asio::cancellation_type::total, asio::cancellation_type::partial,
                          asio::cancellation_type::terminal}) {
    asio::cancellation_signal signal;
    outcome o;
    s.ws().receive(asio::bind_cancellation_slot(signal.slot(), o.handler()));
    s.run_ready();
    signal.emit(type);
    CHECK_FALSE(o.done);
    REQUIRE(s.run_until([&] { return o.done; }));
    CHECK(o.error == asio::error::operation_aborted);
    CHECK_FALSE(o.text);
    signal.emit(type);  // too late for anything

    s.peer->send("a");
    CHECK(receive(s, s.ws()).text == "a");
  }
}

TEST_CASE("a_cancellation_that_comes_before_the_completion_runs_leaves_the_message_in_the_inbox") {
  receiving_stage s;
  asio::cancellation_signal signal;
  outcome o;
  s.peer->send("a");
  s.run_ready();
  asio::post(s.context, [&] {
    s.ws().receive(
        asio::bind_cancellation_slot(signal.slot(), o.handler()));  // posted with the message there
    signal.emit(asio::cancellation_type::total);
  });
  REQUIRE(s.run_until([&] { return o.done; }));
  CHECK(o.error == asio::error::operation_aborted);
  CHECK(receive(s, s.ws()).text == "a");
}

// --- The race: a receiver that gives up while its message is on its way.

namespace {

// Ends without an error, so that it can win against a receive().
asio::awaitable<void> timed_out(asio::steady_timer& timer) {
  std::error_code ignored;
  co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

struct race {
  static constexpr int rounds = 6000;

  explicit race(asio::io_context& where) : timer(where, time_point::max()) {}

  asio::awaitable<void> run(session ws) {
    using namespace asio::experimental::awaitable_operators;
    for (int round = 0; round < rounds; ++round) {
      is_waiting = true;
      const auto winner = co_await (ws.receive(asio::use_awaitable) || timed_out(timer));
      is_waiting = false;
      if (winner.index() == 0) {
        received.emplace_back(std::get<0>(winner).value().text());
        continue;
      }
      ++timeouts;
      received.emplace_back((co_await ws.receive()).value().text());
    }
    is_over = true;
  }

  asio::steady_timer timer;
  std::vector<std::string> received;
  int timeouts = 0;
  bool is_waiting = false;
  bool is_over = false;
};

void post_nested(asio::io_context& context, int depth, std::function<void()> f) {
  asio::post(context,
             [&context, depth, f = std::move(f)] { depth == 0 ? f() : post_nested(context, depth - 1, f); });
}

std::vector<std::string> numbers(int count) {
  std::vector<std::string> all;
  for (int i = 0; i < count; ++i) all.push_back(std::to_string(i));
  return all;
}

}  // namespace

TEST_CASE("no_message_is_lost_or_doubled_when_receive_races_a_timer") {
  receiving_stage s(any_form());
  race r(s.context);
  asio::co_spawn(s.context, r.run(s.ws()), asio::detached);
  for (int round = 0; round < race::rounds; ++round) {
    REQUIRE(
        s.run_until([&] { return r.is_waiting && r.received.size() == static_cast<std::size_t>(round); }));
    s.run_ready();
    // Both become ready in one turn of the context; the depth decides which is first, and whether the
    // message's completion is already posted when the timer's runs.
    const auto fire = [&] { r.timer.expires_at(time_point::max()); };
    const int depth = round / 2 % 4;
    if (round % 2 == 0) {
      s.peer->send(std::to_string(round));
      post_nested(s.context, depth, fire);
    } else {
      post_nested(s.context, depth, fire);
      s.peer->send(std::to_string(round));
    }
  }
  REQUIRE(s.run_until([&] { return r.is_over; }));
  CHECK(r.received == numbers(race::rounds));
  // Both outcomes have to occur, or there was no race.
  CHECK(r.timeouts > race::rounds / 20);
  CHECK(r.timeouts < race::rounds - race::rounds / 20);
}

TEST_CASE("no_message_is_lost_when_receive_races_a_timer_on_another_context") {
  asio::io_context elsewhere(1);
  receiving_stage s;
  race r(elsewhere);
  asio::co_spawn(elsewhere, r.run(s.ws()), asio::detached);
  const auto both_until = [&](auto condition) {
    return s.run_until([&] {
      elsewhere.restart();
      elsewhere.poll();
      return condition();
    });
  };
  for (int round = 0; round < race::rounds; ++round) {
    REQUIRE(both_until([&] { return r.is_waiting && r.received.size() == static_cast<std::size_t>(round); }));
    s.run_ready();
    const bool timer_first = round % 2 == 0;
    if (timer_first) r.timer.expires_at(time_point::max());  // its completion is posted here
    s.peer->send(std::to_string(round));
    s.run_ready();  // posts the message's completion
    if (!timer_first) r.timer.expires_at(time_point::max());
  }
  REQUIRE(both_until([&] { return r.is_over; }));
  CHECK(r.received == numbers(race::rounds));
  CHECK(r.timeouts == race::rounds / 2);
}

// --- Where it completes, and what it keeps.

TEST_CASE("receive_completes_by_every_token") {
  receiving_stage s;
  for (const char* text : {"callback", "future", "awaitable"}) s.peer->send(text);
  CHECK(receive(s, s.ws()).text == "callback");

  auto future = s.ws().receive(asio::use_future);
  REQUIRE(s.run_until([&] { return future.wait_for(0s) == std::future_status::ready; }));
  CHECK(future.get().value().text() == "future");

  std::string text;
  asio::co_spawn(
      s.context, [&]() -> asio::awaitable<void> { text = (co_await s.ws().receive()).value().text(); },
      asio::detached);
  REQUIRE(s.run_until([&] { return !text.empty(); }));
  CHECK(text == "awaitable");

  s.peer->write(frame(0x81, "unmasked", false));
  auto failing = s.ws().receive(asio::use_future);
  REQUIRE(s.run_until([&] { return failing.wait_for(0s) == std::future_status::ready; }));
  CHECK_THROWS_AS(failing.get(), std::system_error);
}

TEST_CASE("receive_completes_on_the_handlers_executor_and_keeps_it_at_work") {
  receiving_stage s;
  asio::io_context elsewhere;
  auto strand = asio::make_strand(elsewhere);
  bool in_strand = false;
  std::string text;
  s.ws().receive(asio::bind_executor(strand, [&](std::error_code, std::optional<message> m) {
    in_strand = strand.running_in_this_thread();
    text = m.value().text();
  }));
  elsewhere.poll();
  CHECK_FALSE(elsewhere.stopped());
  s.peer->send("a");
  s.run_ready();
  CHECK(text.empty());
  elsewhere.poll();
  CHECK(text == "a");
  CHECK(in_strand);
  CHECK(elsewhere.stopped());
}

TEST_CASE("receive_keeps_its_own_context_at_work") {
  asio::io_context context(1);
  server host(context);
  record seen;
  host.route("/", seen.without_messages());
  auto [ours, theirs] = make_memory_pair(context.get_executor());
  host.serve(std::move(ours));
  client peer(std::move(theirs));
  peer.upgrade();
  while (!peer.upgraded) context.run_one();
  outcome o;
  seen.ws->receive(o.handler());
  context.restart();
  context.poll();
  CHECK_FALSE(context.stopped());
  peer.hang_up();
  const time_point began = clock::now();
  context.run_for(patience);
  CHECK(o.done);
  CHECK(context.stopped());
  CHECK(clock::now() - began < 5s);  // no deadline that was cancelled keeps it either
}

namespace {

template <class T>
struct counting_allocator {
  using value_type = T;

  explicit counting_allocator(int& c) : held(&c) {}
  template <class U>
  counting_allocator(const counting_allocator<U>& other) : held(other.held), ever(other.ever) {}

  T* allocate(std::size_t n) {
    ++*held;
    ++*ever;
    return std::allocator<T>().allocate(n);
  }
  void deallocate(T* p, std::size_t n) {
    --*held;
    std::allocator<T>().deallocate(p, n);
  }
  template <class U>
  bool operator==(const counting_allocator<U>& other) const {
    return held == other.held;
  }

  int* held;
  int* ever = held + 1;
};

struct allocating_handler {
  using allocator_type = counting_allocator<char>;

  allocator_type get_allocator() const noexcept { return counting_allocator<char>(*counts); }
  void operator()(std::error_code, std::optional<message>) { *done = counts[0] == 0; }
  void operator()(std::error_code) { *done = counts[0] == 0; }

  int* counts;
  bool* done;  // and nothing of the allocator's was held during the call
};

}  // namespace

TEST_CASE("operations_post_with_the_handlers_allocator") {
  receiving_stage s;
  int counts[2] = {0, 0};  // held, ever
  bool done = false;
  // With an executor of its own: any_io_executor, which stands in for none, takes no allocator along.
  const auto handler = [&] {
    return asio::bind_executor(s.context.get_executor(), allocating_handler{counts, &done});
  };
  SECTION("receive") {
    s.ws().receive(handler());
    s.peer->send("a");
  }
  SECTION("send") { s.ws().send("a", handler()); }
  SECTION("close") { s.ws().close(close_code::normal, "", handler()); }
  REQUIRE(s.run_until([&] { return done; }));
  CHECK(counts[1] > 0);
  CHECK(counts[0] == 0);
}

// --- on_part.

TEST_CASE("on_part_is_given_messages_as_they_arrive") {
  stage s(any_form());
  session_options options;
  options.connection.max_message_size = 8 * 1024 * 1024;
  std::string joined;
  std::size_t parts = 0;
  std::size_t largest = 0;
  std::vector<std::string> messages;
  std::error_code receive_error;
  handlers h;
  h.on_open = [&](session& ws, const request&) {
    ws.receive([&](std::error_code ec, std::optional<message>) { receive_error = ec; });
  };
  h.on_part = [&](session&, message_part part) {
    joined += text_of(part.bytes);
    largest = std::max(largest, part.bytes.size());
    ++parts;
    if (part.last) messages.push_back(std::exchange(joined, {}));
  };
  s.server().route("/", h, options);
  const auto peer = s.connect();
  peer->upgrade();
  const std::string large(options.connection.max_message_size, 'x');
  peer->send(large);
  peer->send("small");
  REQUIRE(s.run_until([&] { return messages.size() == 2; }));
  CHECK(messages[0] == large);
  CHECK(messages[1] == "small");
  CHECK(parts > 8);
  CHECK(largest <= 256 * 1024);
  CHECK(receive_error == errc::busy);
}

TEST_CASE("what_on_part_throws_closes_with_1011_and_no_further_part_comes") {
  stage s(any_form());
  int parts = 0;
  int errors = 0;
  s.server().on_error([&](const session&, std::exception_ptr) { ++errors; });
  handlers h;
  h.on_part = [&](session&, message_part) {
    ++parts;
    throw std::runtime_error("a disk that is full");
  };
  s.server().route("/", h);
  const auto peer = s.connect();
  peer->upgrade();
  peer->send("a");
  peer->send("b");
  REQUIRE(s.run_until([&] { return peer->closed.has_value(); }));
  CHECK(peer->closed->code == close_code::internal_error);
  CHECK(parts == 1);
  CHECK(errors == 1);
}
