#include <fairlead/net/session/message_class.hpp>

#include <net/session/timed_stage.hpp>
#include <support/catch.hpp>

#include <asio/write.hpp>

#include <algorithm>
#include <functional>
#include <map>

using namespace net_test;

namespace {

constexpr std::size_t cost = detail::outbox::message_cost;

constexpr message_class class_of(slow_policy p, lane l = lane::normal) { return {.lane = l, .policy = p}; }

/// What try_send() says of a message that it takes and that waits.
constexpr send_result waiting(bool on_its_thread) {
  return on_its_thread ? send_result::queued : send_result::posted;
}

/// Sessions that relay to each other: the first word of a message names the receiver, and the source is held up for it.
struct relay_stage : timed_stage {
  explicit relay_stage(session_options options = slow_stage::small_queue()) {
    for (const std::string name : {"a", "b", "c"}) {
      handlers h = seen[name].all();
      h.on_message = [this, name](session& ws, message_view m) {
        seen[name].events.emplace_back(m.text());
        const std::string to(m.text().substr(0, 1));
        if (seen[to].ws) seen[to].ws->try_send(m, class_of(slow_policy::pause_source).from(ws));
      };
      server->route("/" + name, std::move(h), options);
    }
    for (const std::string name : {"a", "b", "c"}) peers[name] = join("/" + name, slow_stage::capacity);
  }
  ~relay_stage() { peers.clear(); }

  /// The peer of `from` sends a message of about 1 KB to that of each of `to`.
  void send(const std::string& from, std::string_view to) {
    for (const char t : to) {
      peers[from]->send(std::string(1, t) + std::to_string(next_++) + std::string(1000, ' '));
      time.run_ready();
    }
  }

  /// Sends until nothing more is read from the source.
  void fill(const std::string& from, std::string_view to) {
    for (int i = 0; i < 1000; ++i) {
      const std::size_t before = seen[from].events.size();
      send(from, to);
      if (seen[from].events.size() == before) return;
    }
    FAIL("the source is never paused");
  }

  bool reads(const std::string& name) {
    const std::size_t before = seen[name].events.size();
    send(name, "z");  // for nobody
    return seen[name].events.size() > before;
  }

  std::map<std::string, full_record> seen;
  std::map<std::string, std::unique_ptr<client>> peers;

 private:
  int next_ = 0;
};

}  // namespace

// --- Each policy, on the session's thread and from another.

TEST_CASE("drop_newest_drops_above_the_high_watermark_and_not_at_it") {
  const bool own = GENERATE(true, false);
  const auto c = class_of(slow_policy::drop_newest);
  slow_stage s;
  s.block();
  CHECK(s.give(s.filler(32 * 1024), c, own) == waiting(own));
  CHECK(s.ws().statistics().queue_size == 32 * 1024);
  CHECK(s.give("", c, own) == send_result::dropped);
  outcome sent;
  if (own) {
    s.on_own_thread([&] { s.ws().send("", c, sent.handler()); });
  } else {
    s.ws().send("", c, sent.handler());
    s.time.run_ready();
  }
  CHECK(sent.done);
  CHECK(sent.error == errc::message_dropped);
  CHECK(s.ws().statistics().drops[drop_reason::newest] == 2);
  CHECK(s.seen.drains.empty());
  s.drain();
  REQUIRE(s.seen.drains.size() == 1);
  CHECK(s.seen.drains[0][drop_reason::newest] == 2);
  CHECK(s.seen.drains[0].lost() == 2);
  CHECK(s.received().size() == 1);
  CHECK(s.ws().is_open());
}

TEST_CASE("drop_newest_drops_a_message_that_would_pass_the_high_watermark_by_one_byte") {
  const bool own = GENERATE(true, false);
  const auto c = class_of(slow_policy::drop_newest);
  slow_stage s;
  s.block();
  CHECK(s.give(s.filler(32 * 1024) + "f", c, own) == send_result::dropped);
  CHECK(s.give(s.filler(32 * 1024), c, own) == waiting(own));
}

TEST_CASE("drop_oldest_keeps_the_newest_messages_and_counts_the_others") {
  const bool own = GENERATE(true, false);
  slow_stage s;
  s.block();
  constexpr int count = 500;
  for (int i = 0; i < count; ++i) {
    REQUIRE(s.give(std::to_string(i), class_of(slow_policy::drop_oldest), own) == waiting(own));
    REQUIRE(s.ws().statistics().queue_size <= 32 * 1024);
  }
  const auto dropped = s.ws().statistics().drops[drop_reason::oldest];
  CHECK(dropped > 0);
  s.drain();
  const auto got = s.received();
  REQUIRE(got.size() == count - dropped);
  for (std::size_t i = 0; i < got.size(); ++i) CHECK(got[i] == std::to_string(dropped + i));
  REQUIRE(s.seen.drains.size() == 1);
  CHECK(s.seen.drains[0][drop_reason::oldest] == dropped);
}

TEST_CASE("drop_oldest_does_not_push_out_messages_of_other_classes") {
  const bool own = GENERATE(true, false);
  slow_stage s;
  s.block();
  s.give(s.filler(32 * 1024));
  CHECK(s.give("late", class_of(slow_policy::drop_oldest), own) ==
        (own ? send_result::dropped : send_result::posted));
  CHECK(s.ws().statistics().drops[drop_reason::newest] == 1);
  s.drain();
  CHECK(s.received().size() == 1);
}

TEST_CASE("a_slow_peer_gets_the_newest_value_of_each_key") {
  const bool own = GENERATE(true, false);
  const auto c = class_of(slow_policy::conflate);
  slow_stage s;
  s.block();
  for (int i = 0; i < 100; ++i) {
    const auto result = own && i != 0 ? send_result::conflated : waiting(own);
    CHECK(s.give("a" + std::to_string(i), c.with_key("a"), own) == result);
    CHECK(s.give("b" + std::to_string(i), c.with_key("b"), own) == result);
  }
  CHECK(s.give("plain", {}, own) == waiting(own));
  CHECK(s.ws().statistics().drops[drop_reason::conflated] == 198);
  CHECK(s.ws().statistics().drops.lost() == 0);
  s.drain();
  CHECK(s.received() == std::vector<std::string>{"a99", "b99", "plain"});
  CHECK(s.seen.drains.empty());  // it was never high, and nothing was lost
}

TEST_CASE("a_value_that_replaces_another_does_not_pass_the_hard_limit") {
  const bool own = GENERATE(true, false);
  const auto c = class_of(slow_policy::conflate);
  slow_stage s;
  s.block();
  s.give("small", c.with_key("a"), own);
  s.give("small", c.with_key("b"), own);
  s.give(std::string(40'000, 'a'), c.with_key("a"), own);
  s.give(std::string(40'000, 'b'), c.with_key("b"), own);
  CHECK(s.ws().statistics().queue_size <= 64 * 1024);
  CHECK_FALSE(s.ws().is_open());
  s.drain();
  CHECK(s.seen.error == errc::queue_full);
}

TEST_CASE("expire_drops_what_is_older_than_its_time_to_live_and_not_what_is_as_old") {
  const bool own = GENERATE(true, false);
  const bool too_old = GENERATE(false, true);
  message_class c = class_of(slow_policy::expire);
  c.ttl = 10 * tick;
  slow_stage s;
  s.block();
  CHECK(s.give("typing", c, own) == waiting(own));
  s.give("kept");
  s.time.advance(c.ttl + (too_old ? duration(1) : duration::zero()));
  s.drain();
  CHECK(s.received() ==
        (too_old ? std::vector<std::string>{"kept"} : std::vector<std::string>{"typing", "kept"}));
  CHECK(s.ws().statistics().drops[drop_reason::expired] == (too_old ? 1 : 0));
  CHECK(s.seen.drains.size() == (too_old ? 1 : 0));
}

TEST_CASE("expire_is_dropped_at_the_high_watermark") {
  const bool own = GENERATE(true, false);
  slow_stage s;
  s.block();
  s.give(s.filler(32 * 1024));
  CHECK(s.give("typing", class_of(slow_policy::expire), own) ==
        (own ? send_result::dropped : send_result::posted));
  CHECK(s.ws().statistics().drops[drop_reason::newest] == 1);
  CHECK(s.ws().is_open());
}

TEST_CASE("disconnect_closes_with_1013_above_the_high_watermark_and_not_at_it") {
  const bool own = GENERATE(true, false);
  const auto c = class_of(slow_policy::disconnect);
  slow_stage s;
  s.block();
  CHECK(s.give(s.filler(32 * 1024), c, own) == waiting(own));
  CHECK(s.ws().is_open());
  CHECK(s.give("", c, own) == (own ? send_result::dropped : send_result::posted));
  CHECK_FALSE(s.ws().is_open());
  s.drain();
  CHECK(s.seen.closes == 1);
  CHECK(s.seen.error == errc::queue_full);
  REQUIRE(s.peer->closed);
  CHECK(s.peer->closed->code == close_code::try_again_later);
}

TEST_CASE("queue_closes_with_1013_above_the_hard_limit_and_not_at_it") {
  const bool own = GENERATE(true, false);
  slow_stage s;
  s.block();
  CHECK(s.give(s.filler(64 * 1024), {}, own) == waiting(own));
  CHECK(s.ws().is_open());
  CHECK(s.give("", {}, own) == send_result::dropped);
  s.drain();
  CHECK(s.seen.error == errc::queue_full);
  REQUIRE(s.peer->closed);
  CHECK(s.peer->closed->code == close_code::try_again_later);
}

// R01 in small.
TEST_CASE("a_reader_that_stops_holds_no_more_than_its_limit_whatever_is_published_to_it") {
  const auto policy = GENERATE(slow_policy::drop_newest, slow_policy::drop_oldest, slow_policy::expire,
                               slow_policy::conflate, slow_policy::queue, slow_policy::disconnect);
  const bool own = GENERATE(true, false);
  slow_stage s;
  s.peer->pause();
  const std::string payload(1000, 'x');
  std::uint64_t sent = 0;
  for (; sent < 20'000 && s.ws().is_open(); ++sent) {
    s.give(payload, class_of(policy).with_key(std::to_string(sent % 16)), own);
    if (s.ws().statistics().queue_size_max > 64 * 1024) break;
  }
  const session_statistics now = s.ws().statistics();
  CHECK(now.queue_size_max <= 64 * 1024);
  const bool closes = policy == slow_policy::queue || policy == slow_policy::disconnect;
  CHECK(s.ws().is_open() != closes);
  s.drain();
  s.time.advance(10s);
  const session_statistics end = s.ws().statistics();
  std::uint64_t accounted = end.messages_sent;
  for (const std::uint64_t n : end.drops.by_reason) accounted += n;
  CHECK(accounted == sent);
  if (closes) CHECK(s.seen.error == errc::queue_full);
}

TEST_CASE("messages_of_every_class_are_sent_while_the_peer_keeps_up") {
  const auto policy =
      GENERATE(slow_policy::drop_newest, slow_policy::drop_oldest, slow_policy::expire, slow_policy::conflate,
               slow_policy::queue, slow_policy::disconnect, slow_policy::pause_source);
  const auto form = GENERATE(link_form::memory, link_form::epoll, link_form::asio, link_form::tls);
  record seen;
  stage s(form);
  s.server().route("/", seen.callbacks());
  const auto peer = s.join();
  REQUIRE(peer);
  for (int i = 0; i < 100; ++i) {
    const std::string text = std::to_string(i);
    asio::post(s.context,
               [&, text] { seen.ws->try_send(text, class_of(policy).with_key(text).from(*seen.ws)); });
    REQUIRE(s.run_until([&] { return peer->messages.size() == static_cast<std::size_t>(i) + 1; }));
    REQUIRE(peer->messages.back().text() == text);
  }
  CHECK(seen.ws->statistics().drops.lost() == 0);
  CHECK(seen.ws->is_open());
}

TEST_CASE("a_peer_that_reads_in_time_loses_nothing_by_a_class_that_drops_over_any_link") {
  const auto form = GENERATE(link_form::memory, link_form::epoll, link_form::asio, link_form::tls);
  full_record seen;
  stage s(form);
  s.server().route("/", seen.all());
  const auto peer = s.join();
  REQUIRE(peer);
  peer->pause();
  // More than any kernel takes, so that some of it is dropped.
  std::size_t accepted = 0;
  for (int i = 0; i < 400; ++i) {
    asio::post(s.context, [&] {
      const auto result = seen.ws->try_send(std::string(64 * 1024, 'x'), class_of(slow_policy::drop_newest));
      accepted += result != send_result::dropped;
    });
    s.run_ready();
  }
  const auto dropped = seen.ws->statistics().drops[drop_reason::newest];
  CHECK(dropped > 0);
  CHECK(dropped + accepted == 400);
  CHECK(seen.drains.empty());
  peer->resume();
  CHECK(s.run_until([&] { return peer->messages.size() == accepted && !seen.drains.empty(); }));
  REQUIRE(seen.drains.size() == 1);
  CHECK(seen.drains[0][drop_reason::newest] == dropped);
}

// --- on_drain.

TEST_CASE("on_drain_is_called_after_the_high_watermark_was_reached_and_not_after_one_byte_less") {
  const bool reached = GENERATE(true, false);
  slow_stage s;
  s.block();
  std::string filler = s.filler(32 * 1024);
  if (!reached) filler.pop_back();
  s.give(filler);
  s.drain();
  CHECK(s.seen.drains.size() == (reached ? 1 : 0));
}

TEST_CASE("on_drain_is_called_once_at_the_low_watermark_and_not_above_it") {
  slow_stage s;
  s.block();
  for (int i = 0; i < 60; ++i) s.give(std::string(700, 'y'));
  REQUIRE(s.ws().statistics().queue_size > 32 * 1024);
  const std::size_t total = s.peer->messages.size() + 60;
  s.peer->resume();
  std::size_t size_at_call = 0;
  std::size_t messages_at_call = 0;
  while (s.seen.drains.empty()) {
    s.context.restart();
    REQUIRE(s.context.poll_one() == 1);
    size_at_call = s.ws().statistics().queue_size;
    messages_at_call = s.peer->messages.size();
  }
  CHECK(size_at_call <= 16 * 1024);
  CHECK(messages_at_call + 10 < total);  // and not when it is empty
  s.time.run_ready();
  CHECK(s.seen.drains.size() == 1);
  CHECK(s.seen.drains[0].lost() == 0);
  s.give("more");
  CHECK(s.seen.drains.size() == 1);
}

TEST_CASE("each_on_drain_has_the_drops_since_the_last") {
  slow_stage s;
  for (const std::uint64_t drops : {3, 0, 5}) {
    s.block();
    s.give(s.filler(32 * 1024));
    for (std::uint64_t i = 0; i < drops; ++i) s.give("", class_of(slow_policy::drop_newest));
    s.drain();
    REQUIRE_FALSE(s.seen.drains.empty());
    CHECK(s.seen.drains.back()[drop_reason::newest] == drops);
  }
  CHECK(s.seen.drains.size() == 3);
}

TEST_CASE("what_is_sent_in_on_drain_leaves_behind_what_still_waits") {
  full_record seen;
  timed_stage s;
  handlers h = seen.all();
  h.on_drain = [&](session& ws, const drop_counts&) { ws.try_send("from on_drain"); };
  s.server->route("/", std::move(h), slow_stage::small_queue());
  const auto peer = s.join("/", 4096);
  peer->pause();
  for (int i = 0; i < 60; ++i)
    s.on_own_thread([&] { seen.ws->try_send(std::to_string(i) + std::string(900, ' ')); });
  peer->resume();
  s.time.run_ready();
  REQUIRE(peer->messages.size() == 61);
  CHECK(peer->messages.back().text() == "from on_drain");
}

// SCOPE 15: a queue that each message makes look every 100 ms whether it may go on. Here the peer's reading drives it.
TEST_CASE("no_time_has_to_pass_for_a_queue_to_drain") {
  slow_stage s;
  s.block();
  for (int i = 0; i < 55; ++i) s.give(std::to_string(i) + std::string(900, ' '));
  const time_point before = s.time.now();
  s.drain();
  CHECK(s.time.now() == before);
  CHECK(s.received().size() == 55);
  CHECK(s.seen.drains.size() == 1);
}

TEST_CASE("who_refills_the_queue_in_on_drain_for_ever_does_not_keep_others_waiting") {
  record other;
  timed_stage s;
  std::size_t drains = 0;
  s.server->route("/endless",
                  {.on_open = [](session& ws, const request&) { ws.try_send("begin"); },
                   .on_message =
                       [](session& ws, message_view) {
                         for (int i = 0; i < 40; ++i)
                           ws.try_send(std::string(1000, 'x'), class_of(slow_policy::drop_oldest));
                       },
                   .on_drain =
                       [&](session& ws, const drop_counts&) {
                         ++drains;
                         for (int i = 0; i < 40; ++i) ws.try_send(std::string(1000, 'x'));
                       }},
                  slow_stage::small_queue());
  handlers echo = other.callbacks();
  echo.on_message = [](session& ws, message_view m) { ws.try_send(m); };
  s.server->route("/echo", std::move(echo));
  const auto greedy = s.join("/endless");
  const auto patient = s.join("/echo");
  greedy->send("go");
  for (std::size_t i = 1; i <= 20; ++i) {
    patient->send("hello");
    int handlers_run = 0;
    while (patient->messages.size() < i && handlers_run < 200) {
      s.context.restart();
      s.context.poll_one();
      ++handlers_run;
    }
    REQUIRE(patient->messages.size() == i);
  }
  CHECK(drains > 5);
}

TEST_CASE("a_drop_notice_reaches_the_peer_before_what_still_waits") {
  session_options options = slow_stage::small_queue();
  options.drop_notice = [](const drop_counts& d) {
    return message_view("missed " + std::to_string(d.lost())).keep();
  };
  slow_stage s(options);
  s.block();
  for (int i = 0; i < 60; ++i) {
    s.give(std::to_string(i) + std::string(900, ' '), class_of(slow_policy::drop_newest, lane::control));
  }
  const auto dropped = s.ws().statistics().drops[drop_reason::newest];
  CHECK(dropped > 0);
  s.drain();
  const auto got = s.received();
  REQUIRE(got.size() == 61 - dropped);
  const auto notice = std::ranges::find(got, "missed " + std::to_string(dropped));
  REQUIRE(notice != got.end());
  CHECK(std::ranges::count(got, *notice) == 1);
}

TEST_CASE("a_drop_notice_leaves_before_the_lower_lanes") {
  session_options options = slow_stage::small_queue();
  options.drop_notice = [](const drop_counts& d) {
    return message_view("missed " + std::to_string(d.lost())).keep();
  };
  slow_stage s(options);
  s.block();
  for (int i = 0; i < 25; ++i) s.give(std::to_string(i) + std::string(900, ' '));
  s.give(s.filler(32 * 1024 - 3000));
  s.give(std::string(3000, 'd'), class_of(slow_policy::drop_newest));
  s.drain();
  const auto got = s.received();
  const auto notice = std::ranges::find(got, "missed 1");
  REQUIRE(notice != got.end());
  CHECK(got.end() - notice > 1);  // others waited behind it
  REQUIRE(s.seen.drains.size() == 1);
}

TEST_CASE("a_drop_notice_leaves_before_what_on_drain_sends") {
  session_options options = slow_stage::small_queue();
  options.drop_notice = [](const drop_counts&) { return message_view("missed").keep(); };
  full_record seen;
  timed_stage s;
  handlers h = seen.all();
  h.on_drain = [](session& ws, const drop_counts&) { ws.try_send("again", {.lane = lane::control}); };
  s.server->route("/", std::move(h), options);
  const auto peer = s.join("/", slow_stage::capacity);
  peer->pause();
  for (int i = 0; i < 60; ++i) {
    s.on_own_thread([&] { seen.ws->try_send(std::string(1000, 'x'), class_of(slow_policy::drop_newest)); });
  }
  peer->resume();
  s.time.run_ready();
  std::vector<std::string> got = peer->texts();
  std::erase_if(got, [](const std::string& t) { return t.starts_with('x'); });
  CHECK(got == std::vector<std::string>{"missed", "again"});
}

TEST_CASE("without_drops_there_is_no_notice") {
  session_options options = slow_stage::small_queue();
  options.drop_notice = [](const drop_counts&) { return message_view("missed").keep(); };
  slow_stage s(options);
  s.block();
  s.give(s.filler(32 * 1024));
  s.drain();
  CHECK(s.seen.drains.size() == 1);
  CHECK(std::ranges::count(s.received(), "missed") == 0);
}

TEST_CASE("a_drop_notice_that_throws_closes_with_1011") {
  session_options options = slow_stage::small_queue();
  options.drop_notice = [](const drop_counts&) -> message { throw std::runtime_error("no words"); };
  slow_stage s(options);
  s.block();
  s.give(s.filler(32 * 1024));
  s.give("", class_of(slow_policy::drop_newest));
  s.drain();
  REQUIRE(s.peer->closed);
  CHECK(s.peer->closed->code == close_code::internal_error);
  CHECK(s.seen.closes == 1);
}

// --- Lanes.

TEST_CASE("lanes_leave_in_their_order_and_each_in_the_order_of_the_calls") {
  const bool own = GENERATE(true, false);
  slow_stage s;
  s.block();
  for (const char n : {'1', '2'}) {
    for (const lane l : {lane::bulk, lane::normal, lane::high, lane::control}) {
      const std::string name = std::array{"control", "high", "normal", "bulk"}[static_cast<std::size_t>(l)];
      s.give(name + n, class_of(slow_policy::queue, l), own);
    }
  }
  s.drain();
  CHECK(s.received() == std::vector<std::string>{"control1", "control2", "high1", "high2", "normal1",
                                                 "normal2", "bulk1", "bulk2"});
}

TEST_CASE("no_lane_comes_between_the_parts_of_a_message") {
  const bool own = GENERATE(true, false);
  slow_stage s;
  s.block();
  const auto part = [&](std::string_view text, bool last) {
    s.on_own_thread([&] { s.ws().send_part(text, last, [](std::error_code) {}); });
  };
  part("one ", false);
  s.drain();
  s.peer->pause();
  s.give("control", class_of(slow_policy::queue, lane::control), own);
  part("two ", false);
  s.give("high", class_of(slow_policy::queue, lane::high), own);
  part("three", true);
  s.drain();
  CHECK(s.received() == std::vector<std::string>{"one two three", "control", "high"});
}

// --- pause_source.

TEST_CASE("a_slow_receiver_pauses_its_source_and_loses_nothing") {
  relay_stage s;
  s.peers["b"]->pause();
  s.fill("a", "b");
  CHECK(s.seen["b"].ws->statistics().queue_size <= 64 * 1024);
  CHECK_FALSE(s.reads("a"));
  CHECK(s.reads("b"));
  CHECK(s.reads("c"));
  s.peers["b"]->resume();
  s.time.run_ready();
  CHECK(s.reads("a"));
  std::vector<std::string> sent = s.seen["a"].events;
  std::erase_if(sent, [](const std::string& t) { return !t.starts_with('b'); });
  CHECK(s.peers["b"]->texts() == sent);
  CHECK(s.seen["b"].ws->statistics().drops.lost() == 0);
}

TEST_CASE("a_source_that_is_its_own_receiver_is_paused_and_resumed") {
  relay_stage s;
  s.peers["a"]->pause();
  s.fill("a", "a");
  s.peers["a"]->resume();
  s.time.run_ready();
  CHECK(s.reads("a"));
  std::vector<std::string> sent = s.seen["a"].events;
  std::erase_if(sent, [](const std::string& t) { return !t.starts_with('a'); });
  CHECK(s.peers["a"]->texts() == sent);
}

TEST_CASE("a_source_is_paused_until_the_last_of_its_receivers_is_low") {
  relay_stage s;
  s.peers["b"]->pause();
  s.peers["c"]->pause();
  s.fill("a", "bc");
  // Both have to be above the mark; what was read of the last round may have reached one only.
  CHECK(s.seen["b"].ws->statistics().queue_size > 16 * 1024);
  CHECK(s.seen["c"].ws->statistics().queue_size > 16 * 1024);
  s.on_own_thread([&] {
    for (const char* to : {"b", "c"}) {
      s.seen[to].ws->try_send(std::string(8000, ' '),
                              class_of(slow_policy::pause_source).from(*s.seen["a"].ws));
    }
  });
  s.peers["b"]->resume();
  s.time.run_ready();
  CHECK_FALSE(s.reads("a"));
  s.peers["c"]->resume();
  s.time.run_ready();
  CHECK(s.reads("a"));
}

TEST_CASE("a_source_goes_on_when_its_receiver_ends") {
  const bool in_good_order = GENERATE(true, false);
  relay_stage s;
  s.peers["b"]->pause();
  s.fill("a", "b");
  if (in_good_order) {
    s.seen["b"].ws->try_close();
  } else {
    s.peers["b"]->hang_up();
  }
  s.time.run_ready();
  CHECK(s.reads("a"));
}

TEST_CASE("a_receiver_goes_on_when_its_source_ends") {
  relay_stage s;
  s.peers["b"]->pause();
  s.fill("a", "b");
  s.peers["a"]->hang_up();
  s.seen["a"].ws->try_close();
  s.time.run_ready();
  s.peers["b"]->resume();
  s.time.run_ready();
  CHECK(s.seen["a"].closes == 1);
  CHECK(s.reads("b"));
  CHECK(s.seen["b"].ws->is_open());
}

TEST_CASE("a_receiver_is_not_closed_for_a_source_that_is_gone") {
  session_options options = slow_stage::small_queue();
  options.max_pause = 20 * tick;
  options.write_timeout = duration::max();
  relay_stage s(options);
  s.peers["b"]->pause();
  s.fill("a", "b");
  s.peers["a"]->hang_up();
  s.seen["a"].ws->try_close(close_code::normal);
  s.time.advance(100 * tick);
  CHECK(s.seen["a"].closes == 1);
  CHECK(s.seen["b"].ws->is_open());
}

TEST_CASE("after_max_pause_the_slow_receiver_is_closed_and_not_the_source") {
  session_options options = slow_stage::small_queue();
  options.max_pause = 20 * tick;
  options.write_timeout = duration::max();
  relay_stage s(options);
  s.peers["b"]->pause();
  s.fill("a", "b");
  s.time.advance(options.max_pause - tick);
  CHECK(s.seen["b"].ws->is_open());
  s.time.advance(2 * tick);
  CHECK_FALSE(s.seen["b"].ws->is_open());
  CHECK(s.seen["a"].ws->is_open());
  CHECK(s.reads("a"));
  s.peers["b"]->resume();
  s.time.run_ready();
  CHECK(s.seen["b"].error == errc::pause_timeout);
  REQUIRE(s.peers["b"]->closed);
  CHECK(s.peers["b"]->closed->code == close_code::try_again_later);
}

TEST_CASE("a_source_is_not_closed_for_a_message_that_could_not_arrive_while_it_was_paused") {
  session_options options = slow_stage::small_queue();
  options.message_timeout = 10 * tick;
  options.max_pause = duration::max();
  options.write_timeout = duration::max();
  relay_stage s(options);
  s.peers["b"]->pause();
  s.peers["a"]->write(std::string("\x01\x83\x11\x22\x33\x44", 6));  // the begin of a message
  s.time.run_ready();
  for (int i = 0; i < 60; ++i) {
    s.on_own_thread([&] {
      s.seen["b"].ws->try_send(std::string(900, ' '),
                               class_of(slow_policy::pause_source).from(*s.seen["a"].ws));
    });
  }
  s.time.advance(100 * tick);
  CHECK(s.seen["a"].ws->is_open());
  s.peers["b"]->resume();
  s.time.run_ready();
  s.time.advance(options.message_timeout - tick);
  CHECK(s.seen["a"].ws->is_open());
  s.time.advance(2 * tick);
  CHECK_FALSE(s.seen["a"].ws->is_open());
  CHECK(s.seen["a"].error == errc::message_timeout);
}

TEST_CASE("a_source_goes_on_when_its_receivers_context_is_destroyed") {
  full_record receiver;
  full_record source;
  timed_stage s;
  s.server->route("/", source.all());
  const auto peer = s.join();
  {
    timed_stage r;
    r.server->route("/", receiver.all(), slow_stage::small_queue());
    const auto slow = r.join("/", 4096);
    slow->pause();
    for (int i = 0; i < 60; ++i) {
      r.on_own_thread([&] {
        receiver.ws->try_send(std::string(900, ' '), class_of(slow_policy::pause_source).from(*source.ws));
      });
    }
    s.time.run_ready();
    peer->send("while it is paused");
    s.time.run_ready();
    CHECK(source.events == std::vector<std::string>{"open"});
    slow->hang_up();
  }
  s.time.run_ready();
  CHECK(source.events == std::vector<std::string>{"open", "while it is paused"});
}

// --- Time.

TEST_CASE("a_peer_that_takes_nothing_for_write_timeout_is_closed_and_not_a_tick_before") {
  session_options options = slow_stage::small_queue();
  options.write_timeout = 20 * tick;
  slow_stage s(options);
  s.block();
  s.time.advance(options.write_timeout - tick);
  CHECK(s.ws().is_open());
  s.time.advance(2 * tick);
  CHECK_FALSE(s.ws().is_open());
  CHECK(s.ws().statistics().drops[drop_reason::closed] == 1);
  s.time.advance(10s);
  CHECK(s.seen.closes == 1);
  CHECK(s.seen.error == errc::write_timeout);
  CHECK(s.server->connection_count() == 0);
}

TEST_CASE("a_peer_that_takes_something_in_time_is_not_closed") {
  session_options options = slow_stage::small_queue();
  options.write_timeout = 20 * tick;
  slow_stage s(options);
  s.block();
  for (int i = 0; i < 45; ++i) s.give(std::string(1000, 'x'));
  for (int i = 0; i < 3; ++i) {
    s.time.advance(options.write_timeout - 2 * tick);
    s.peer->resume();
    // One read of the peer, which makes room for one write.
    for (int n = 0; n < 2; ++n) {
      s.context.restart();
      s.context.poll_one();
    }
    s.peer->pause();
    s.time.run_ready();
    REQUIRE(s.ws().is_open());
    REQUIRE(s.ws().statistics().queue_size > 0);
  }
}

// R02.
TEST_CASE("a_peer_that_reads_a_byte_now_and_then_is_closed_after_write_timeout") {
  full_record seen;
  stage s(link_form::epoll);
  session_options options;
  options.write_timeout = 400ms;
  options.connection.close_timeout = 100ms;
  s.server().route("/", seen.all(), options);
  s.server().listen();
  asio::ip::tcp::socket socket(s.context);
  socket.open(asio::ip::tcp::v4());
  socket.set_option(asio::socket_base::receive_buffer_size(4096));
  socket.connect({asio::ip::address_v4::loopback(), s.server().port()});
  asio::write(socket, asio::buffer(upgrade_request_for("/")));
  REQUIRE(s.run_until([&] { return seen.ws.has_value(); }));
  for (int i = 0; i < 4000 && seen.ws->is_open(); ++i) {
    asio::post(s.context,
               [&] { seen.ws->try_send(std::string(1000, 'x'), class_of(slow_policy::drop_newest)); });
    s.run_ready();
  }
  const auto read_a_byte = [&] {
    char byte = 0;
    std::error_code none;
    socket.read_some(asio::buffer(&byte, 1), none);
  };
  CHECK(s.run_until([&] {
    read_a_byte();
    return seen.closes != 0;
  }));
  CHECK(seen.error == errc::write_timeout);
}

// SCOPE 15: one slow client must not make others wait.
TEST_CASE("a_broadcast_reaches_those_who_read_while_one_does_not") {
  const auto form = GENERATE(link_form::memory, link_form::epoll, link_form::asio, link_form::tls);
  const auto policy = GENERATE(slow_policy::queue, slow_policy::drop_oldest, slow_policy::disconnect);
  std::vector<session> open;
  stage s(form);
  s.server().route("/", {.on_open = [&](session& ws, const request&) { open.push_back(ws); }});
  std::vector<std::unique_ptr<client>> peers;
  for (int i = 0; i < 4; ++i) {
    peers.push_back(s.join());
    REQUIRE(peers.back());
  }
  peers[0]->pause();
  constexpr std::size_t count = 200;
  const std::string payload(64 * 1024, 'x');
  for (std::size_t i = 1; i <= count; ++i) {
    asio::post(s.context, [&] {
      for (const session& ws : open) ws.try_send(payload, class_of(policy));
    });
    REQUIRE(s.run_until([&] {
      return std::all_of(peers.begin() + 1, peers.end(),
                         [&](const auto& p) { return p->messages.size() == i; });
    }));
  }
  CHECK(open[0].statistics().queue_size <= 2 * 1024 * 1024);
  CHECK(open[0].is_open() == (policy == slow_policy::drop_oldest));
  for (std::size_t i = 1; i < open.size(); ++i) CHECK(open[i].statistics().drops.lost() == 0);
  peers[0]->resume();
  if (open[0].is_open()) {
    CHECK(s.run_until([&] { return open[0].statistics().queue_size == 0; }));
  } else {
    CHECK(s.run_until([&] { return peers[0]->is_over(); }));
  }
}
