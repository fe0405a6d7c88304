#include <fairlead/net/session/net_counters.hpp>

#include <net/session/timed_stage.hpp>
#include <support/catch.hpp>

#include <asio/bind_executor.hpp>

#include <algorithm>
#include <map>
#include <set>
#include <stdexcept>
#include <thread>

using namespace net_test;

namespace {

/// Writes down what a sink is told.
struct listener final : net_sink {
  void on_open(const session& ws) override {
    ++opens;
    open.insert(ws.id());
  }
  void on_close(const session& ws, const close_info& info) override {
    ++closes;
    unpaired += open.erase(ws.id()) != 1;
    error = info.error;
    at_end = ws.statistics();
  }
  void on_state(const session& ws, session_state from, session_state to) override {
    unpaired += !open.contains(ws.id());
    states.emplace_back(from, to);
  }
  void on_drops(const session&, const drop_counts& d) override { drops.push_back(d); }

  std::set<session_id> open;
  std::size_t opens = 0;
  std::size_t closes = 0;
  std::size_t unpaired = 0;
  std::error_code error;
  session_statistics at_end;
  std::vector<std::pair<session_state, session_state>> states;
  std::vector<drop_counts> drops;
};

std::size_t sum_of(const net_counters& c) {
  std::size_t sum = 0;
  for (const std::size_t n : c.sessions) sum += n;
  return sum;
}

std::uint64_t closes_of(const net_counters& c) {
  std::uint64_t sum = 0;
  for (const std::uint64_t n : c.closed) sum += n;
  return sum;
}

std::string get(timed_stage& s, std::string_view path, int* status = nullptr) {
  const auto c = s.connect();
  c->write("GET " + std::string(path) + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
  s.time.run_ready();
  if (status != nullptr) *status = c->status();
  return c->body;
}

}  // namespace

TEST_CASE("each_session_has_an_id_of_its_own_that_is_32_digits") {
  std::vector<session> open;
  std::set<std::string> ids;
  std::set<std::uint64_t> loops;
  for (int i = 0; i < 3; ++i) {
    timed_stage s;
    s.server->route("/", {.on_open = [&](session& ws, const request&) { open.push_back(ws); }});
    std::vector<std::unique_ptr<client>> peers;
    for (int n = 0; n < 100; ++n) peers.push_back(s.join());
    loops.insert(open.back().id().loop);
  }
  for (const session& ws : open) {
    const std::string id = to_string(ws.id());
    CHECK(id.size() == 32);
    CHECK(id.find_first_not_of("0123456789abcdef") == std::string::npos);
    ids.insert(id);
  }
  CHECK(ids.size() == 300);
  CHECK(loops.size() == 3);
  CHECK(session().id() == session_id());
}

TEST_CASE("a_session_tells_where_its_peer_is") {
  const auto form = GENERATE(link_form::memory, link_form::epoll, link_form::asio, link_form::tls);
  record seen;
  stage s(form);
  s.server().route("/", seen.callbacks());
  const auto peer = s.join();
  REQUIRE(peer);
  const peer_address at = seen.ws->peer();
  if (form == link_form::memory || form == link_form::tls) {
    CHECK(to_string(at) == "unknown");
  } else {
    CHECK(at.family == peer_address::kind::ipv4);
    CHECK(to_string(at).starts_with("127.0.0.1:"));
    CHECK(at.port != 0);
  }
  peer->hang_up();
  REQUIRE(s.run_until([&] { return seen.closes == 1; }));
  CHECK(seen.ws->peer() == at);  // also when it is over
}

TEST_CASE("user_is_empty_before_set_user_and_the_last_one_after_it") {
  full_record seen;
  timed_stage s;
  s.server->route("/", seen.all());
  const auto peer = s.join();
  CHECK(seen.ws->user().empty());
  seen.ws->set_user("ada");
  CHECK(seen.ws->user() == "ada");
  s.on_own_thread([&] { seen.ws->set_user("grace"); });
  CHECK(seen.ws->user() == "grace");
  CHECK(session().user().empty());
  session().set_user("nobody");
  CHECK(seen.states.empty());
}

TEST_CASE("the_data_of_a_session_is_found_by_its_type_and_goes_with_the_last_handle") {
  const auto alive = std::make_shared<int>(7);
  struct cart {
    std::shared_ptr<int> content;
  };
  full_record seen;
  timed_stage s;
  s.server->route("/", seen.all());
  auto peer = s.join();
  CHECK(seen.ws->data<cart>() == nullptr);
  s.on_own_thread([&] {
    cart& made = seen.ws->emplace_data<cart>(alive);
    CHECK(seen.ws->data<cart>() == &made);
    CHECK(seen.ws->data<int>() == nullptr);
  });
  CHECK(alive.use_count() == 2);
  s.on_own_thread([&] { seen.ws->emplace_data<int>(3); });
  CHECK(alive.use_count() == 1);
  s.on_own_thread([&] { seen.ws->emplace_data<cart>(alive); });
  peer->hang_up();
  s.time.run_ready();
  CHECK(seen.closes == 1);
  CHECK(seen.ws->data<cart>() != nullptr);
  seen.ws.reset();
  CHECK(alive.use_count() == 1);
  CHECK(session().data<cart>() == nullptr);
}

TEST_CASE("kept_headers_are_found_in_any_case_and_others_are_not_kept") {
  session_options o;
  o.kept_headers = {"User-Agent", "X-Request-Id", "Absent"};
  full_record seen;
  timed_stage s;
  s.server->route("/", seen.all(), o);
  auto peer = s.join("/", 4096, nullptr, "user-agent: tests/1\r\nX-Request-ID: 42\r\nX-Other: no\r\n");
  CHECK(seen.ws->header("User-Agent") == "tests/1");
  CHECK(seen.ws->header("USER-AGENT") == "tests/1");
  CHECK(seen.ws->header("x-request-id") == "42");
  CHECK(seen.ws->header("Absent").empty());
  CHECK(seen.ws->header("X-Other").empty());
  const std::string_view kept = seen.ws->header("User-Agent");
  peer->hang_up();
  s.time.run_ready();
  CHECK(kept == "tests/1");
}

TEST_CASE("statistics_count_messages_and_payload_bytes_exactly") {
  const auto form = GENERATE(link_form::memory, link_form::epoll, link_form::asio, link_form::tls);
  record seen;
  stage s(form);
  handlers h = seen.callbacks();
  h.on_message = [](session& ws, message_view m) {
    ws.try_send(m);
    ws.try_send(std::string(10, 'x'));
  };
  s.server().route("/", std::move(h));
  const auto peer = s.join();
  REQUIRE(peer);
  std::uint64_t bytes = 0;
  for (const std::size_t size : {0, 1, 125, 126, 60'000}) {
    peer->send(std::string(size, 'a'));
    bytes += size;
  }
  peer->write(frame(0x89, "pings do not count"));
  REQUIRE(s.run_until([&] { return peer->messages.size() == 10 && peer->pongs.size() == 1; }));
  const session_statistics now = seen.ws->statistics();
  CHECK(now.messages_received == 5);
  CHECK(now.bytes_received == bytes);
  CHECK(now.messages_sent == 10);
  CHECK(now.bytes_sent == bytes + 50);
  CHECK(now.queue_size == 0);
  CHECK(now.drops.lost() == 0);
  const net_counters all = s.server().counters();
  CHECK(all.messages_received == 5);
  CHECK(all.bytes_received == bytes);
  CHECK(all.messages_sent == 10);
  CHECK(all.bytes_sent == bytes + 50);
}

TEST_CASE("a_message_in_parts_counts_as_one_in_both_directions") {
  full_record seen;
  timed_stage s;
  handlers h = seen.without_messages();
  h.on_part = [](session&, message_part) {};
  s.server->route("/", std::move(h));
  const auto peer = s.join();
  peer->write(frame(0x01, "abc"));
  s.time.run_ready();
  peer->write(frame(0x80, "de"));
  s.time.run_ready();
  for (const bool last : {false, false, true}) {
    s.on_own_thread([&] { seen.ws->send_part("part", last, [](std::error_code) {}); });
  }
  CHECK(peer->texts() == std::vector<std::string>{"partpartpart"});
  const session_statistics now = seen.ws->statistics();
  CHECK(now.messages_received == 1);
  CHECK(now.bytes_received == 5);
  CHECK(now.messages_sent == 1);
  CHECK(now.bytes_sent == 12);
}

TEST_CASE("statistics_tell_when_a_session_opened_and_when_the_last_message_passed") {
  full_record seen;
  timed_stage s;
  s.server->route("/", seen.all());
  const time_point begin = s.time.now();
  const auto peer = s.join();
  CHECK(seen.ws->statistics().opened_at == begin);
  CHECK(seen.ws->statistics().last_activity == begin);
  s.time.advance(1s);
  peer->send("hello");
  s.time.run_ready();
  CHECK(seen.ws->statistics().last_activity == begin + 1s);
  s.time.advance(1s);
  peer->write(frame(0x89, ""));
  s.time.run_ready();
  CHECK(seen.ws->statistics().last_activity == begin + 1s);
  s.on_own_thread([&] { seen.ws->try_send("hello"); });
  CHECK(seen.ws->statistics().last_activity == begin + 2s);
  CHECK(seen.ws->statistics().opened_at == begin);
}

TEST_CASE("the_statistics_of_a_queue_have_its_size_now_and_at_most") {
  slow_stage s;
  s.block();
  s.give(s.filler(20'000));
  CHECK(s.ws().statistics().queue_size == 20'000);
  CHECK(s.ws().statistics().queue_size_max == 20'000);
  s.drain();
  CHECK(s.ws().statistics().queue_size == 0);
  CHECK(s.ws().statistics().queue_size_max == 20'000);
}

TEST_CASE("counters_say_how_sessions_ended_and_their_gauges_return_to_zero") {
  const auto sink = std::make_shared<listener>();
  timed_stage s({.sink = sink});
  std::optional<session> last;
  session_options o;
  o.heartbeat.interval = 10s;
  o.heartbeat.timeout = 5s;
  s.server->route("/",
                  {.on_open = [&](session& ws, const request&) { last = ws; },
                   .on_message = [](session&, message_view) { throw std::runtime_error("no"); }},
                  o);
  const auto end = [&](const std::function<void(client&)>& how) {
    auto peer = s.join();
    CHECK(sum_of(s.server->counters()) == 1);
    CHECK(s.server->counters().in_state(session_state::active) == 1);
    how(*peer);
    s.time.run_ready();
  };
  end([](client& c) { c.close(); });
  end([&](client&) { last->try_close(); });
  end([](client& c) { c.hang_up(); });
  end([](client& c) { c.write(frame(0x83, "reserved")); });
  end([](client& c) { c.write(frame(0x81, "\xff")); });
  end([](client& c) { c.write(text_frame("throw")); });
  end([&](client& c) {
    c.is_mute = true;
    s.time.advance(20s);
  });
  end([&](client& c) {
    c.is_mute = true;
    last->try_close();
    s.time.advance(6s);
  });
  const net_counters all = s.server->counters();
  CHECK(all.opened == 8);
  CHECK(closes_of(all) == 8);
  CHECK(all.closed_with(errc::ok) == 3);  // a throw ends in a clean close handshake, with 1011
  CHECK(all.closed_with(errc::connection_lost) == 1);
  CHECK(all.closed_with(errc::reserved_opcode) == 1);
  CHECK(all.closed_with(errc::bad_utf8) == 1);
  CHECK(all.closed_with(errc::peer_timeout) == 1);
  CHECK(all.closed_with(errc::close_timeout) == 1);
  CHECK(sum_of(all) == 0);
  CHECK(sink->opens == 8);
  CHECK(sink->closes == 8);
  CHECK(sink->unpaired == 0);
  CHECK(s.server->connection_count() == 0);
}

TEST_CASE("a_sink_is_told_the_final_statistics_the_states_and_the_drops") {
  const auto sink = std::make_shared<listener>();
  timed_stage s({.sink = sink});
  full_record seen;
  s.server->route("/", seen.all(), slow_stage::small_queue());
  const auto peer = s.join("/", 4096);
  peer->pause();
  std::uint64_t dropped = 0;
  for (int i = 0; i < 100; ++i) {
    s.on_own_thread([&] {
      dropped += seen.ws->try_send(std::string(1000, 'x'), {.policy = slow_policy::drop_newest}) ==
                 send_result::dropped;
    });
  }
  CHECK(dropped > 0);
  CHECK(sink->drops.empty());
  peer->resume();
  s.time.run_ready();
  REQUIRE(sink->drops.size() == 1);
  CHECK(sink->drops[0][drop_reason::newest] == dropped);
  seen.ws->try_close();
  s.time.run_ready();
  CHECK(sink->states == std::vector{std::pair(session_state::active, session_state::closing)});
  CHECK(sink->closes == 1);
  CHECK(sink->at_end.messages_sent == 100 - dropped);
  CHECK(sink->at_end.drops[drop_reason::newest] == dropped);
  CHECK(s.server->counters().drops[drop_reason::newest] == dropped);
  CHECK(s.server->counters().messages_sent == 100 - dropped);
}

TEST_CASE("what_still_waits_when_a_session_ends_is_counted_as_dropped") {
  const auto sink = std::make_shared<listener>();
  timed_stage s({.sink = sink});
  full_record seen;
  s.server->route("/", seen.all(), slow_stage::small_queue());
  const auto peer = s.join("/", 4096);
  peer->pause();
  for (int i = 0; i < 30; ++i) s.on_own_thread([&] { seen.ws->try_send(std::string(1000, 'x')); });
  peer->hang_up();
  s.time.run_ready();
  CHECK(sink->closes == 1);
  CHECK(sink->at_end.queue_size == 0);
  CHECK(sink->at_end.messages_sent + sink->at_end.drops[drop_reason::closed] == 30);
  CHECK(sink->at_end.drops[drop_reason::closed] > 20);
}

TEST_CASE("a_session_that_never_began_is_in_no_counter_and_told_to_nobody") {
  // A link that can be started once, as when the system watches no more descriptors.
  class unwatched final : public link {
   public:
    explicit unwatched(link_ptr inner) : inner_(std::move(inner)) {}
    void start(link_sink& sink) override {
      if (std::exchange(started_, true))
        throw std::system_error(std::make_error_code(std::errc::no_space_on_device));
      inner_->start(sink);
    }
    write_result write(std::span<const std::span<const std::byte>> gather) override {
      return inner_->write(gather);
    }
    void notify_writable() override { inner_->notify_writable(); }
    void pause_reading() override { inner_->pause_reading(); }
    void resume_reading() override { inner_->resume_reading(); }
    void shutdown_sending() override { inner_->shutdown_sending(); }
    void close() noexcept override { delete this; }

   private:
    link_ptr inner_;
    bool started_ = false;
  };
  const auto sink = std::make_shared<listener>();
  timed_stage s({.sink = sink});
  full_record seen;
  s.server->route("/", seen.all());
  auto [ours, theirs] = make_memory_pair(s.context.get_executor());
  s.server->serve(link_ptr(new unwatched(std::move(ours))));
  client peer(std::move(theirs));
  peer.upgrade("/");
  s.time.run_ready();
  CHECK(peer.eof);
  CHECK(seen.events.empty());
  CHECK(sink->opens == 0);
  CHECK(sink->closes == 0);
  const net_counters all = s.server->counters();
  CHECK(all.opened == 0);
  CHECK(closes_of(all) == 0);
  CHECK(sum_of(all) == 0);
  CHECK(s.server->connection_count() == 0);
}

TEST_CASE("counters_of_several_event_loops_are_added_up", "[threads]") {
  server_options so{.address = "127.0.0.1", .threads = 2};
  server srv(so);
  std::atomic<int> closes = 0;
  srv.route("/", {.on_message = [](session& ws, message_view m) { ws.try_send(m); },
                  .on_close = [&](session&, const close_info&) { ++closes; }});
  srv.listen();
  std::thread runner([&] { srv.run(); });
  asio::io_context context(1);
  std::vector<std::unique_ptr<client>> peers;
  for (int i = 0; i < 10; ++i) {
    asio::ip::tcp::socket socket(context);
    socket.connect({asio::ip::address_v4::loopback(), srv.port()});
    peers.push_back(std::make_unique<client>(make_asio_link(std::move(socket))));
    peers.back()->upgrade();
  }
  const auto run_until = [&](auto done) {
    const time_point give_up = clock::now() + patience;
    while (!done() && clock::now() < give_up) {
      context.restart();
      context.run_one_for(10ms);
    }
    return done();
  };
  CHECK(run_until([&] { return std::ranges::all_of(peers, [](const auto& p) { return p->upgraded; }); }));
  for (const auto& p : peers) p->send("hello");
  CHECK(run_until(
      [&] { return std::ranges::all_of(peers, [](const auto& p) { return p->messages.size() == 1; }); }));
  net_counters all = srv.counters();
  CHECK(all.opened == 10);
  CHECK(all.in_state(session_state::active) == 10);
  CHECK(all.messages_received == 10);
  for (const auto& p : peers) p->close();
  CHECK(run_until([&] { return srv.connection_count() == 0; }));
  srv.stop();
  runner.join();
  all = srv.counters();
  CHECK(all.closed_with(errc::ok) == 10);
  CHECK(sum_of(all) == 0);
  CHECK(closes == 10);
}

TEST_CASE("health_counts_the_connections_and_ready_follows_the_check_and_the_stop") {
  bool is_up = true;
  bool throws = false;
  timed_stage s;
  s.server->route("/", handlers{});
  s.server->health("/health");
  s.server->ready("/ready", [&] {
    if (throws) throw std::runtime_error("no");
    return is_up;
  });
  const auto peer = s.join();
  int status = 0;
  CHECK(get(s, "/health", &status) == "{\"status\":\"ok\",\"connections\":2}\n");
  CHECK(status == 200);
  CHECK(get(s, "/ready", &status) == "{\"status\":\"ready\"}\n");
  CHECK(status == 200);
  is_up = false;
  CHECK(get(s, "/ready", &status) == "{\"status\":\"not ready\"}\n");
  CHECK(status == 503);
  is_up = true;
  throws = true;
  get(s, "/ready", &status);
  CHECK(status == 503);
  throws = false;
  s.server->stop();
  s.time.run_ready();
  get(s, "/ready", &status);
  CHECK(status == 503);
}

// --- The budget, through sessions.

namespace {

/// Sessions that share a budget.
struct budget_stage : timed_stage {
  explicit budget_stage(memory_budget::limits limits) : budget(std::make_shared<memory_budget>(limits)) {
    session_options o = slow_stage::small_queue();
    o.queue_low = 256 * 1024;
    o.queue_high = o.queue_hard = 1024 * 1024;
    o.budget = budget;
    server->route("/",
                  {.on_open = [this](session& ws, const request&) { open.push_back(ws); },
                   .on_close = [this](session& ws, const close_info& info) { ends[ws.id()] = info.error; }},
                  o);
  }
  ~budget_stage() { peers.clear(); }

  void join_many(std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) {
      peers.push_back(join());
      open.back().id();
    }
  }

  void give(std::size_t to, std::size_t count, slow_policy p = slow_policy::queue) {
    for (std::size_t i = 0; i < count; ++i) {
      on_own_thread([&] { open[to].try_send(std::string(10'000, 'x'), {.policy = p}); });
    }
  }

  std::shared_ptr<memory_budget> budget;
  std::vector<session> open;
  std::map<session_id, std::error_code> ends;
  std::vector<std::unique_ptr<client>> peers;
};

}  // namespace

TEST_CASE("the_largest_queue_pays_first_and_who_reads_loses_nothing") {
  budget_stage s({.queues = 1024 * 1024, .input = 1024 * 1024});
  s.join_many(3);
  s.peers[0]->pause();
  s.peers[1]->pause();
  s.give(0, 60);
  s.give(1, 80);
  for (std::size_t i = 0; i < 200; ++i) s.give(2, 1);
  CHECK(s.open[0].is_open());
  CHECK(s.open[1].is_open());
  CHECK(s.peers[2]->messages.size() == 200);
  CHECK(s.open[2].statistics().drops.lost() == 0);
  s.give(0, 20);
  CHECK(s.open[0].is_open());
  CHECK_FALSE(s.open[1].is_open());  // it holds more
  CHECK(s.budget->queues() <= 1024 * 1024);
  s.peers[1]->resume();
  s.time.run_ready();
  CHECK(s.ends[s.open[1].id()] == errc::out_of_budget);
  REQUIRE(s.peers[1]->closed);
  CHECK(s.peers[1]->closed->code == close_code::try_again_later);
  s.peers[0]->resume();
  s.time.run_ready();
  CHECK(s.peers[0]->messages.size() == 80);
  CHECK(s.budget->queues() == 0);
}

TEST_CASE("what_may_be_dropped_pays_before_a_session_is_closed") {
  budget_stage s({.queues = 1024 * 1024, .input = 1024 * 1024});
  s.join_many(2);
  s.peers[0]->pause();
  s.peers[1]->pause();
  s.give(0, 95, slow_policy::drop_oldest);
  s.give(1, 70);
  CHECK(s.open[0].is_open());
  CHECK(s.open[1].is_open());
  CHECK(s.open[0].statistics().drops[drop_reason::budget] > 0);
  CHECK(s.open[1].statistics().drops.lost() == 0);
  CHECK(s.budget->queues() <= 1024 * 1024);
}

// In the middle of a handler its queue may be the largest of all; it only had no turn yet.
TEST_CASE("who_is_not_slow_does_not_pay_for_what_one_handler_sends_it") {
  budget_stage s({.queues = 1024 * 1024, .input = 1024 * 1024});
  s.join_many(2);
  s.peers[0]->pause();
  s.give(0, 80);
  s.on_own_thread([&] {
    for (int i = 0; i < 90; ++i) s.open[1].try_send(std::string(10'000, 'x'));
  });
  CHECK(s.open[1].is_open());
  CHECK(s.peers[1]->messages.size() == 90);
  CHECK(s.budget->queues() <= 1024 * 1024);
}

TEST_CASE("a_budget_that_is_not_passed_closes_nobody") {
  budget_stage s({.queues = 4 * 1024 * 1024, .input = 1024 * 1024});
  s.join_many(2);
  s.peers[0]->pause();
  s.peers[1]->pause();
  s.give(0, 95);
  s.give(1, 95);
  CHECK(s.open[0].is_open());
  CHECK(s.open[1].is_open());
}

// TRUST M04 in small.
TEST_CASE("unfinished_input_past_the_budget_closes_the_last_of_equals_with_1013") {
  const auto budget =
      std::make_shared<memory_budget>(memory_budget::limits{.queues = 1 << 20, .input = 1 << 20});
  session_options o;
  o.budget = budget;
  o.heartbeat.interval = duration::max();
  o.message_timeout = duration::max();
  o.connection.max_message_size = 1 << 20;
  timed_stage s;
  std::vector<session> open;
  std::size_t refused = 0;
  s.server->route(
      "/",
      {.on_open = [&](session& ws, const request&) { open.push_back(ws); },
       .on_message = [](session&, message_view) {},
       .on_close = [&](session&, const close_info& i) { refused += i.error == errc::out_of_budget; }},
      o);
  // Each announces a megabyte and sends a tenth of it.
  std::vector<std::unique_ptr<client>> peers;
  const std::string begin = frame(0x82, std::string(1 << 20, 'x')).substr(0, 100 * 1024);
  for (int i = 0; i < 20; ++i) {
    peers.push_back(s.join());
    peers.back()->write(begin);
    s.time.run_ready();
    CHECK(budget->input() <= (1 << 20) + 256 * 1024);
  }
  CHECK(open.front().is_open());
  CHECK(std::ranges::count_if(open, [](const session& ws) { return ws.is_open(); }) >= 4);
  REQUIRE(peers.back()->closed);
  CHECK(peers.back()->closed->code == close_code::try_again_later);
  const auto kept = std::ranges::count_if(open, [](const session& ws) { return ws.is_open(); });
  for (auto& p : peers) p->hang_up();  // their close frames would lie within their messages
  s.time.run_ready();
  CHECK(refused == open.size() - static_cast<std::size_t>(kept));
  CHECK(budget->input() == 0);
}

TEST_CASE("M04: who sends whole messages is served while others fill the budget with unfinished ones") {
  const auto budget =
      std::make_shared<memory_budget>(memory_budget::limits{.queues = 1 << 20, .input = 1 << 20});
  session_options o;
  o.budget = budget;
  o.heartbeat.interval = duration::max();
  o.message_timeout = duration::max();
  o.connection.max_message_size = 1 << 20;
  full_record seen;
  timed_stage s;
  std::size_t refused = 0;
  s.server->route("/", seen.without_messages(), o);
  s.server->route(
      "/upload",
      {.on_message = [](session&, message_view) {},
       .on_close = [&](session&, const close_info& i) { refused += i.error == errc::out_of_budget; }},
      o);
  const auto honest = s.join();
  // As much as there may be, all of it unfinished.
  std::vector<std::unique_ptr<client>> others;
  const std::string begin = frame(0x82, std::string(1 << 20, 'x')).substr(0, 100 * 1024);
  while (refused == 0 && others.size() < 100) {
    others.push_back(s.join("/upload"));
    others.back()->write(begin);
    s.time.run_ready();
    if (others.back()->closed) others.back()->hang_up();
    s.time.run_ready();
  }
  REQUIRE(refused != 0);
  for (int i = 0; i < 20; ++i) {
    honest->send(std::string(60'000, 'x'));  // nobody takes it yet
    s.time.run_ready();
    bool came = false;
    s.on_own_thread(
        [&] { seen.ws->receive([&](std::error_code, std::optional<message> m) { came = m.has_value(); }); });
    s.time.run_ready();
    REQUIRE(came);
  }
  CHECK(seen.ws->is_open());
  CHECK(budget->input() <= (1 << 20));
}

TEST_CASE("messages_that_were_taken_are_not_charged") {
  const bool from_elsewhere = GENERATE(false, true);
  const auto budget = std::make_shared<memory_budget>();
  session_options o;
  o.budget = budget;
  full_record seen;
  timed_stage s;
  s.server->route("/", seen.without_messages(), o);
  const auto peer = s.join();
  peer->send(std::string(50'000, 'x'));
  s.time.run_ready();
  CHECK(budget->input() >= 50'000);
  bool done = false;
  const auto take = [&] {
    seen.ws->receive([&](std::error_code, std::optional<message> m) { done = m.has_value(); });
  };
  asio::io_context elsewhere;
  if (from_elsewhere) {
    seen.ws->receive(asio::bind_executor(
        elsewhere, [&](std::error_code, std::optional<message> m) { done = m.has_value(); }));
    s.time.run_ready();
    elsewhere.run();
  } else {
    s.on_own_thread(take);
  }
  s.time.run_ready();
  CHECK(done);
  CHECK(budget->input() == 0);
}
