#include <fairlead/net/session/session_group.hpp>

#include <net/session/session_support.hpp>
#include <support/catch.hpp>

#include <asio/post.hpp>

#include <deque>
#include <functional>
#include <random>
#include <set>

using namespace net_test;

namespace {

/// What a message in a mailbox counts beside its bytes.
constexpr std::size_t letter_cost = 256;

/// A context with sessions over memory links, as one of several threads would have it: the test runs it by hand.
class house {
 public:
  struct inhabitant {
    std::unique_ptr<client> peer;
    session ws;
  };

  explicit house(handlers callbacks = {}) {
    callbacks.on_open = [this](session& ws, const request&) { opened_ = ws; };
    stage_.server().route("/", std::move(callbacks));
  }

  inhabitant& join() {
    auto peer = stage_.join();
    REQUIRE(peer != nullptr);
    return all.emplace_back(inhabitant{std::move(peer), opened_});
  }

  /// Runs `f` on the context's thread, behind all that was posted before.
  void inside(std::function<void()> f) {
    asio::post(stage_.context, std::move(f));
    stage_.run_ready();
  }

  void run() { stage_.run_ready(); }
  bool run_one() {
    stage_.context.restart();
    return stage_.context.poll_one() == 1;
  }
  stage& whole() { return stage_; }

 private:
  session opened_;
  stage stage_;

 public:
  std::deque<inhabitant> all;  // goes before its context
};

using texts = std::vector<std::string>;

}  // namespace

TEST_CASE("a_group_gets_each_message_on_every_thread_but_not_who_is_left_out") {
  house a;
  house b;
  const session_group g;
  CHECK(g.try_send("to nobody") == 0);
  for (house* h : {&a, &b}) {
    for (int i = 0; i < 3; ++i) g.add(h->join().ws);
    h->run();
  }
  CHECK(g.size() == 6);
  g.add(a.all[0].ws);
  a.run();
  CHECK(g.size() == 6);
  CHECK(g.try_send("from outside") == 6);
  CHECK(g.try_send("not to a0", {}, &a.all[0].ws) == 5);
  a.inside([&] { CHECK(g.try_send("from a, not to a1", {}, &a.all[1].ws) == 5); });
  g.remove(b.all[2].ws);
  CHECK(g.try_send(std::as_bytes(std::span("bin", 3))) == 6);  // b2 is removed when that thread knows
  b.run();
  a.run();
  CHECK(g.size() == 5);
  CHECK(a.all[0].peer->texts() == texts{"from outside", "from a, not to a1", "bin"});
  CHECK(a.all[1].peer->texts() == texts{"from outside", "not to a0", "bin"});
  CHECK(b.all[0].peer->texts() == texts{"from outside", "not to a0", "from a, not to a1", "bin"});
  CHECK(b.all[2].peer->texts() == texts{"from outside", "not to a0", "from a, not to a1"});
  CHECK(b.all[0].peer->messages.back().kind() == message_kind::binary);
}

TEST_CASE("a_message_to_a_group_is_one_post_whatever_the_number_of_members") {
  house h;
  const session_group g;
  for (int i = 0; i < 50; ++i) g.add(h.join().ws);
  h.run();
  const auto shared = shared_bytes::copy_of(std::as_bytes(std::span("hello", 5)));
  CHECK(g.try_send(message_view(message_kind::text, shared)) == 50);
  CHECK(h.run_one());
  for (const auto& i : h.all) CHECK(i.ws.statistics().queue_size >= 5);
  h.run();
  for (const auto& i : h.all) CHECK(i.peer->texts() == texts{"hello"});
}

TEST_CASE("what_one_thread_sends_to_a_group_and_to_a_session_stays_in_order") {
  house h;
  const session_group g;
  const session ws = h.join().ws;
  texts expected;
  const auto send_all = [&] {
    for (int i = 0; i < 5; ++i) {
      g.try_send("group");
      ws.try_send("session");
      expected.insert(expected.end(), {"group", "session"});
    }
  };
  g.add(ws);  // it has not arrived when the first message is sent
  send_all();
  h.run();
  h.inside(send_all);
  g.try_send("last");
  g.remove(ws);
  g.try_send("too late");
  expected.emplace_back("last");
  g.try_send("before the end");
  ws.try_send("the end");
  ws.try_close();
  expected.emplace_back("the end");
  h.run();
  CHECK(h.all[0].peer->texts() == expected);
  CHECK(h.all[0].peer->closed.has_value());
}

TEST_CASE("what_is_sent_to_a_group_before_a_session_is_closed_reaches_it") {
  house h;
  const session_group g;
  const session ws = h.join().ws;
  g.add(ws);
  h.run();
  g.try_send("before");
  ws.try_close();
  g.try_send("after");
  h.run();
  CHECK(h.all[0].peer->texts() == texts{"before"});
  CHECK(g.size() == 0);
}

TEST_CASE("sessions_leave_their_groups_by_themselves") {
  house h;
  std::vector<session_group> groups(5);
  for (int i = 0; i < 4; ++i) {
    const session ws = h.join().ws;
    h.inside([&] {
      for (const auto& g : groups) g.add(ws);
    });
  }
  const auto sizes_are = [&](std::size_t n) {
    return std::ranges::all_of(groups, [n](const auto& g) { return g.size() == n; });
  };
  CHECK(sizes_are(4));
  SECTION("when they are closed") {
    h.inside([&] {
      h.all[0].ws.try_close();
      CHECK(sizes_are(3));
      groups[0].add(h.all[0].ws);
      CHECK(sizes_are(3));
    });
  }
  SECTION("when the peer closes") { h.all[3].peer->close(); }
  SECTION("when the peer is gone") { h.all[1].peer->hang_up(); }
  SECTION("when the peer breaks the protocol") { h.all[2].peer->write("\xff"); }
  SECTION("when they are closed for being slow") {
    h.all[2].peer->pause();
    const std::string large(1024 * 1024, 'x');
    for (int i = 0; i < 4; ++i) h.inside([&] { groups[1].try_send(large, {}, &h.all[0].ws); });
  }
  h.run();
  h.run();
  CHECK(sizes_are(3));
  for (const auto& i : h.all) groups.front().remove(i.ws);
  h.run();
  CHECK(groups.front().size() == 0);
  CHECK(groups.back().size() == 3);
}

TEST_CASE("a_session_in_many_groups_leaves_each_when_it_is_told_and_the_rest_at_its_end") {
  house h;
  std::mt19937 random(7);
  std::vector<session_group> groups(8);
  std::vector<std::set<std::size_t>> members(groups.size());
  for (int i = 0; i < 4; ++i) h.join();
  const auto sizes_agree = [&] {
    for (std::size_t g = 0; g < groups.size(); ++g) {
      if (groups[g].size() != members[g].size()) return false;
    }
    return true;
  };
  h.inside([&] {
    for (int step = 0; step < 2000; ++step) {
      const std::size_t g = random() % groups.size();
      const std::size_t who = random() % h.all.size();
      if (random() % 2 == 0) {
        groups[g].add(h.all[who].ws);
        members[g].insert(who);
      } else {
        groups[g].remove(h.all[who].ws);
        members[g].erase(who);
      }
      REQUIRE(groups[g].try_send("a") == members[g].size());
    }
    CHECK(sizes_agree());
    for (std::size_t who = 0; who < h.all.size(); ++who) {
      h.all[who].ws.try_close();
      for (auto& m : members) m.erase(who);
      CHECK(sizes_agree());
    }
  });
}

TEST_CASE("a_group_that_is_gone_is_forgotten_by_its_members") {
  house a;
  house b;
  std::optional<session_group> g(std::in_place);
  session_group other;
  for (house* h : {&a, &b}) {
    const session ws = h->join().ws;
    other.add(ws);
    g->add(ws);
    h->run();
  }
  g->try_send("last words");
  const bool on_own_thread = GENERATE(false, true);
  if (on_own_thread) {
    a.inside([&] { g.reset(); });
  } else {
    g.reset();
  }
  other.try_send("goes on");
  for (house* h : {&a, &b}) {
    h->run();
    CHECK(h->all[0].peer->texts() == texts{"last words", "goes on"});
    h->all[0].peer->close();
    h->run();
  }
  CHECK(other.size() == 0);
}

TEST_CASE("groups_outlive_contexts_and_contexts_outlive_groups") {
  std::optional<house> a(std::in_place);
  std::optional<house> b(std::in_place);
  std::optional<session_group> g(std::in_place);
  for (auto* h : {&a, &b}) {
    for (int i = 0; i < 3; ++i) g->add((*h)->join().ws);
    (*h)->run();
  }
  SECTION("a context goes with messages in its mailbox") {
    CHECK(g->try_send("one") == 6);
    const session old = a->all[0].ws;
    a.reset();
    CHECK(g->size() == 3);
    CHECK(g->try_send("two") == 3);
    g->add(old);
    g->remove(old);
    b->run();
    CHECK(b->all[0].peer->texts() == texts{"one", "two"});
    house c;  // takes the place of the one that is gone
    g->add(c.join().ws);
    c.run();
    CHECK(g->try_send("three", {}, &old) == 4);
    c.run();
    CHECK(c.all[0].peer->texts() == texts{"three"});
  }
  SECTION("the group goes first, then the contexts") {
    g->try_send("one");
    g.reset();
    a.reset();
    b->run();
    CHECK(b->all[0].peer->texts() == texts{"one"});
  }
  SECTION("the contexts go, then the group") {
    a.reset();
    b.reset();
    CHECK(g->size() == 0);
    CHECK(g->try_send("nobody") == 0);
  }
}

TEST_CASE("what_waits_for_a_busy_thread_is_bounded_and_what_is_dropped_is_counted") {
  std::vector<drop_counts> told;
  house h({.on_drain = [&](session&, const drop_counts& d) { told.push_back(d); }});
  house other;
  const session_group g({.max_posted_size = 1000});
  for (int i = 0; i < 2; ++i) g.add(h.join().ws);
  h.run();
  const auto drops_of = [](const session& ws) { return ws.statistics().drops[drop_reason::thread_busy]; };

  CHECK(g.try_send(std::string(400, 'a')) == 2);
  SECTION("below the limit everything is sent") {
    CHECK(g.try_send(std::string(1000 - 400 - 2 * letter_cost, 'b')) == 2);
    h.run();
    CHECK(h.all[0].peer->messages.size() == 2);
    CHECK(drops_of(h.all[0].ws) == 0);
    CHECK(told.empty());
  }
  SECTION("above it nothing is, until the thread has taken what waits") {
    CHECK(g.try_send(std::string(1001 - 400 - 2 * letter_cost, 'b')) == 0);
    CHECK(g.try_send(std::string(500, 'c')) == 0);
    CHECK(drops_of(h.all[0].ws) == 0);  // it is told on its own thread
    h.run();
    for (const auto& i : h.all) {
      CHECK(i.peer->messages.size() == 1);
      CHECK(drops_of(i.ws) == 2);
    }
    CHECK(h.whole().server().counters().drops[drop_reason::thread_busy] == 4);
    REQUIRE(told.size() == 2);
    CHECK(told[0][drop_reason::thread_busy] == 2);
    CHECK(g.try_send(std::string(400, 'd')) == 2);
    h.run();
    CHECK(h.all[1].peer->messages.size() == 2);
    CHECK(told.size() == 2);
  }
  SECTION("a thread that is not busy gets what another misses") {
    g.add(other.join().ws);
    other.run();
    CHECK(g.try_send(std::string(600, 'e')) == 1);
    other.run();
    CHECK(other.all[0].peer->messages.size() == 1);
  }
  SECTION("the thread's own messages do not wait in its mailbox") {
    h.inside([&] {
      for (int i = 0; i < 10; ++i) CHECK(g.try_send(std::string(400, 'f')) == 2);
    });
    CHECK(h.all[0].peer->messages.size() == 11);
  }
  h.run();
  SECTION("one message is let in whatever its size") {
    CHECK(g.try_send(std::string(5000, 'g')) == 2);
    CHECK(g.try_send("h") == 0);
    h.run();
    CHECK(h.all[0].peer->messages.size() == 2);
  }
}

TEST_CASE("each_members_class_and_limits_are_its_own") {
  house h;
  const session_group g;
  for (int i = 0; i < 2; ++i) g.add(h.join().ws);
  h.run();
  h.all[0].peer->pause();
  const message_class price{.policy = slow_policy::conflate};
  h.inside([&] {
    for (int i = 0; i < 3; ++i)
      CHECK(g.try_send(std::string(300 * 1024, 'x'), {.policy = slow_policy::drop_newest}) > 0);
  });
  for (int i = 0; i < 3; ++i) {
    std::string key = "a key that does not outlive the call";
    g.try_send(std::to_string(i), price.with_key(key));
    key.assign(key.size(), '-');
  }
  h.run();
  CHECK(h.all[0].ws.statistics().drops[drop_reason::conflated] >= 2);
  CHECK(h.all[1].peer->texts().back() == "2");
  h.all[0].peer->resume();
  h.run();
  CHECK(h.all[0].peer->texts().back() == "2");
}

TEST_CASE("L06: callbacks_change_the_group_while_it_is_delivered_to") {
  std::optional<session_group> g(std::in_place);
  std::function<void(session&, message_view)> act;
  house h({.on_message = [&](session& ws, message_view m) { act(ws, m); }});
  for (int i = 0; i < 4; ++i) h.join();
  h.inside([&] {
    for (int i = 0; i < 3; ++i) g->add(h.all[static_cast<std::size_t>(i)].ws);
  });
  const auto others_got = [&](std::initializer_list<std::size_t> who, const std::string& text) {
    for (std::size_t i = 0; i < 4; ++i) {
      const auto got = h.all[i].peer->texts();
      const bool expected = std::ranges::find(who, i) != who.end();
      CHECK((std::ranges::count(got, text) == 1) == expected);
    }
  };
  SECTION("a member removes itself") {
    act = [&](session& ws, message_view m) {
      g->try_send(m);
      g->remove(ws);
      g->try_send("without");
    };
    h.all[0].peer->send("hello");
    h.run();
    others_got({0, 1, 2}, "hello");
    others_got({1, 2}, "without");
  }
  SECTION("a member removes another, adds one, and sends again") {
    act = [&](session&, message_view m) {
      g->try_send(m);
      g->remove(h.all[1].ws);
      g->add(h.all[3].ws);
      g->try_send("again");
    };
    h.all[0].peer->send("hello");
    h.run();
    others_got({0, 1, 2}, "hello");
    others_got({0, 2, 3}, "again");
  }
  SECTION("a member closes itself and another") {
    act = [&](session& ws, message_view m) {
      g->try_send(m);
      ws.try_close();
      h.all[1].ws.try_close();
      g->try_send("goodbye");
    };
    h.all[0].peer->send("hello");
    h.run();
    others_got({0, 1, 2}, "hello");
    others_got({2}, "goodbye");
    CHECK(g->size() == 1);
  }
  SECTION("the group ends") {
    act = [&](session&, message_view m) {
      g->try_send(m);
      g.reset();
    };
    h.all[0].peer->send("hello");
    h.run();
    others_got({0, 1, 2}, "hello");
    g.emplace();
  }
  SECTION("what goes with a message that is replaced changes the group inside the delivery") {
    // A receiver that is slow holds its source; when it is disconnected for that it lets go of the last handle to
    // it, whose data then acts while the list is gone through.
    struct actor {
      std::function<void()> last;
      ~actor() { last(); }
    };
    session_options so;
    so.queue_high = 1000;
    so.queue_low = 500;
    so.queue_hard = 5000;
    house slow;
    stage s;
    session receiver;
    session source;
    session late;
    session* opening = &receiver;
    s.server().route("/", {.on_open = [&](session& ws, const request&) { *opening = ws; }}, so);
    const session_group inner;
    const auto p1 = s.join();
    opening = &late;
    const auto p2 = s.join();
    opening = &source;
    const auto p3 = s.join();
    bool acted = false;
    asio::post(s.context, [&] {
      inner.add(receiver);
      inner.add(late);
    });
    s.run_ready();
    p1->pause();
    asio::post(s.context, [&] {
      source.emplace_data<actor>().last = [&] {
        acted = true;
        inner.remove(late);
      };
      const message_class relay{.policy = slow_policy::pause_source, .source = &source};
      for (int i = 0; i < 400; ++i) receiver.try_send(std::string(1000, 'x'), relay);
    });
    s.run_ready();
    p3->hang_up();
    s.run_ready();
    source = session();
    asio::post(s.context, [&] {
      for (int i = 0; i < 6; ++i) inner.try_send(std::string(1000, 'y'));
    });
    s.run_ready();
    CHECK(acted);
    CHECK(inner.size() == 0);
  }
}

// L06: a model. All that other threads do waits until a context runs, then happens in order.
TEST_CASE("L06: a_group_equals_its_model_whatever_is_done_to_it") {
  constexpr std::size_t contexts = 2;
  const auto seed = GENERATE(range(1u, 41u));
  CAPTURE(seed);
  std::mt19937 random(seed);
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };

  struct member {
    house::inhabitant* real;
    std::size_t home;
    bool open = true;  // no close was asked for
    bool gone = false;
    texts got{};
  };
  std::array<house, contexts> houses;
  std::deque<member> all;
  std::optional<session_group> g(std::in_place);
  std::array<std::set<member*>, contexts> in;
  std::array<std::vector<std::function<void()>>, contexts> waiting;
  std::array<std::size_t, contexts> coming{};
  int messages = 0;

  const auto settle = [&](std::size_t c) {
    for (const auto& f : std::exchange(waiting[c], {})) f();
  };
  const auto give = [&](std::size_t c, const std::string& text, const member* except) {
    std::size_t n = 0;
    for (member* m : in[c]) {
      if (m == except) continue;
      m->got.push_back(text);
      ++n;
    }
    return n;
  };
  const auto close = [&](member& m) {
    in[m.home].erase(&m);
    m.gone = true;
  };
  // One random thing, done on the thread of context `here`, or of none.
  const auto act = [&](std::size_t here) {
    member* const m = all.empty() ? nullptr : &all[below(all.size())];
    const auto then = [&](std::function<void()> f) {
      if (m->home == here) return f();
      waiting[m->home].push_back(std::move(f));
    };
    switch (below(8)) {
      case 0:
      case 1:
        if (m == nullptr) return;
        g->add(m->real->ws);
        if (!m->open || m->gone) return;
        if (m->home != here) ++coming[m->home];
        then([&, m, here] {
          if (m->home != here) --coming[m->home];
          if (!m->gone) in[m->home].insert(m);
        });
        return;
      case 2:
        if (m == nullptr) return;
        g->remove(m->real->ws);
        then([&, m] { in[m->home].erase(m); });
        return;
      case 3:
        if (m == nullptr || below(3) != 0) return;
        m->real->ws.try_close();
        if (!m->open || m->gone) return;
        m->open = false;
        then([&, m] { close(*m); });
        return;
      default: {
        const member* const except = below(2) == 0 ? m : nullptr;
        const std::string text = std::to_string(++messages) + std::string(below(300), 'm');
        std::size_t expected = 0;
        const std::size_t reached = g->try_send(text, {}, except != nullptr ? &except->real->ws : nullptr);
        for (std::size_t c = 0; c < contexts; ++c) {
          if (c == here) {
            expected += give(c, text, except);
            continue;
          }
          const std::size_t n = in[c].size() + coming[c];
          if (n == 0) continue;
          expected += n - (except != nullptr && except->home == c ? 1 : 0);
          waiting[c].push_back([&, c, text, except] { give(c, text, except); });
        }
        CHECK(reached == expected);
      }
    }
  };

  for (int step = 0; step < 300; ++step) {
    const std::size_t c = below(contexts);
    switch (below(12)) {
      case 0:
        if (all.size() >= 20) break;
        all.push_back({&houses[c].join(), c});
        settle(c);  // joining runs the context
        break;
      case 1: {
        houses[c].run();
        settle(c);
        if (all.empty()) break;
        member& m = all[below(all.size())];
        if (m.home != c) break;
        m.real->peer->hang_up();
        houses[c].run();
        close(m);
        break;
      }
      case 2:
      case 3:
        houses[c].run();
        settle(c);
        break;
      case 4:
      case 5:
      case 6:
        houses[c].inside([&] {
          settle(c);
          for (std::size_t n = 1 + below(4); n != 0; --n) act(c);
        });
        break;
      default: act(contexts); break;
    }
    if (below(10) != 0) continue;
    for (std::size_t h = 0; h < contexts; ++h) {
      houses[h].run();
      settle(h);
    }
    std::size_t expected = 0;
    for (const auto& members : in) expected += members.size();
    REQUIRE(g->size() == expected);
    for (const member& m : all) {
      if (!m.gone) REQUIRE(m.real->peer->texts() == m.got);
    }
  }
}
