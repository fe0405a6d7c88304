#include <fairlead/net/session/authenticator.hpp>

#include <fairlead/guard/equal_secrets.hpp>

#include <net/session/timed_stage.hpp>
#include <support/catch.hpp>

#include <asio/redirect_error.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>

#include <stdexcept>

using namespace net_test;

// Who the peer is, by its first message (SCOPE 2). TRUST R05.

namespace {

constexpr std::string_view right = R"({"type":"auth","token":"secret"})";
constexpr std::string_view wrong = R"({"type":"auth","token":"guess"})";
const std::string ok = R"({"type":"auth:ok"})";
const std::string fail = R"({"type":"auth:fail"})";

/// Decides when the test says so.
class slow_verifier {
 public:
  std::optional<std::string> answer = "ada";
  bool throws = false;
  std::size_t asked = 0;
  std::size_t cancelled = 0;

  authenticator decide() {
    return [this](session, message) -> asio::awaitable<std::optional<std::string>> {
      ++asked;
      asio::steady_timer gate(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
      gate_ = &gate;
      std::error_code ec;
      co_await gate.async_wait(asio::redirect_error(asio::use_awaitable, ec));
      gate_ = nullptr;
      if (!released_) {
        ++cancelled;
        if (!ignores_cancellation) throw std::system_error(ec);
      }
      if (throws) throw std::runtime_error("the database is down");
      co_return answer;
    };
  }

  bool ignores_cancellation = false;

  void release() {
    REQUIRE(gate_ != nullptr);
    released_ = true;
    gate_->cancel();
  }

 private:
  asio::steady_timer* gate_ = nullptr;
  bool released_ = false;
};

enum class way { on_message, on_part, receive, coroutine };

/// One session that has to say who it is.
struct asking_stage : timed_stage {
  explicit asking_stage(session_options options, way w = way::on_message) {
    options.idle_after = duration::max();
    server->on_error([this](const session&, std::exception_ptr) { ++errors; });
    if (w == way::coroutine) {
      server->route(
          "/",
          [this](session s, request head) -> asio::awaitable<void> {
            events.push_back("begin " + s.user() + std::string(head.target()));
            s.try_send("hello " + s.user());
            while (auto m = co_await s.receive()) events.emplace_back(m->text());
          },
          std::move(options));
    } else {
      handlers h;
      h.on_open = [this](session& s, const request&) {
        ws = s;
        events.emplace_back("open");
      };
      h.on_state = [this](session&, session_state from, session_state to) { states.emplace_back(from, to); };
      h.on_close = [this](session&, const close_info& info) {
        events.emplace_back("close");
        error = info.error;
      };
      if (w == way::on_message) {
        h.on_message = [this](session&, message_view m) { events.emplace_back(m.text()); };
      }
      if (w == way::on_part) {
        h.on_part = [this](session&, message_part p) {
          part += text_of(p.bytes);
          if (p.last) events.push_back(std::exchange(part, {}));
        };
      }
      server->route("/", std::move(h), std::move(options));
    }
    peer = join("/?x=1");
    if (w == way::receive) on_own_thread([this] { receive_all(); });
    if (w != way::coroutine) events.erase(events.begin());
  }
  ~asking_stage() { peer.reset(); }

  void write(std::string_view bytes) {
    peer->write(bytes);
    time.run_ready();
  }

  std::vector<std::string> events;
  std::vector<std::pair<session_state, session_state>> states;
  std::string part;
  std::optional<session> ws;
  std::error_code error;
  std::size_t errors = 0;
  std::unique_ptr<client> peer;

 private:
  void receive_all() {
    ws->receive([this](std::error_code ec, std::optional<message> m) {
      if (ec || !m) return;
      events.emplace_back(m->text());
      receive_all();
    });
  }
};

session_options with(authenticator a) {
  session_options o;
  o.authenticate = std::move(a);
  return o;
}

/// The one-line way, of either kind.
authenticator by_token(bool is_coroutine) {
  const auto user_of = [](std::string_view token) -> std::optional<std::string> {
    if (equal_secrets(token, "secret")) return "ada";
    return std::nullopt;
  };
  if (!is_coroutine) return first_message_token(user_of);
  return first_message_token([user_of](std::string token) -> asio::awaitable<std::optional<std::string>> {
    co_return user_of(token);
  });
}

way any_way() { return GENERATE(way::on_message, way::on_part, way::receive, way::coroutine); }

void check_refused(const asking_stage& s, way w) {
  CHECK(s.peer->texts() == std::vector<std::string>{fail});
  REQUIRE(s.peer->closed);
  CHECK(s.peer->closed->code == authentication_failed);
  CHECK(s.peer->closed->reason == "the peer did not authenticate");
  if (w == way::coroutine) {
    CHECK(s.events.empty());
  } else {
    CHECK(s.events == std::vector<std::string>{"close"});
    CHECK(s.error == errc::authentication_failed);
  }
  CHECK(s.server->counters().closed_with(errc::authentication_failed) == 1);
}

}  // namespace

TEST_CASE("R05: who has the right token is told so and is a user from then on") {
  const way w = any_way();
  asking_stage s(with(by_token(GENERATE(false, true))), w);
  CHECK(s.server->counters().in_state(session_state::authenticating) == 1);
  CHECK(s.events.empty());
  s.write(text_frame(right));
  CHECK(s.server->counters().in_state(session_state::active) == 1);
  CHECK(s.peer->texts().front() == ok);
  s.write(text_frame("one") + frame(0x01, "tw") + frame(0x80, "o"));
  if (w == way::coroutine) {
    CHECK(s.peer->texts() == std::vector<std::string>{ok, "hello ada"});
    CHECK(s.events == std::vector<std::string>{"begin ada/?x=1", "one", "two"});
  } else {
    CHECK(s.ws->user() == "ada");
    CHECK(s.events == std::vector<std::string>{"one", "two"});
    CHECK(s.states == std::vector{std::pair(session_state::authenticating, session_state::active)});
  }
  s.time.advance(20s);  // the deadline is past
  CHECK_FALSE(s.peer->closed);
}

TEST_CASE("R05: who has a wrong token is told so and closed with 4001") {
  const way w = any_way();
  asking_stage s(with(by_token(GENERATE(false, true))), w);
  s.write(text_frame(wrong) + text_frame("behind"));
  check_refused(s, w);
}

TEST_CASE("R05: a first message that is none of authentication is refused") {
  const way w = GENERATE(way::on_message, way::on_part, way::coroutine);
  const std::string first = GENERATE(text_frame(""), text_frame("{"), text_frame(R"({"type":"auth"})"),
                                     text_frame(R"({"type":"chat","token":"secret"})"),
                                     text_frame(std::string(right) + "x"), frame(0x82, right));
  asking_stage s(with(by_token(false)), w);
  s.write(first);
  check_refused(s, w);
}

TEST_CASE("R05: a first message of 4 KiB is read and one byte more is refused") {
  const way w = any_way();
  const auto message_of = [](std::size_t size) {
    const std::string begin = R"({"type":"auth","token":")";
    return begin + std::string(size - begin.size() - 2, 'x') + "\"}";
  };
  const auto everyone =
      first_message_token([](std::string_view) { return std::optional<std::string>("ada"); });
  asking_stage fits(with(everyone), w);
  fits.write(text_frame(message_of(4096)));
  CHECK(fits.peer->texts().front() == ok);
  fits.write(text_frame(std::string(60'000, 'x')));  // now the route's own limit holds
  CHECK(fits.events.back().size() == 60'000);
  asking_stage s(with(everyone), w);
  s.write(text_frame(message_of(4097)));
  REQUIRE(s.peer->closed);
  CHECK(s.peer->closed->code == close_code::message_too_big);
  CHECK(s.peer->messages.empty());
}

TEST_CASE("R05: of a compressed first message what it inflates to counts") {
  const std::size_t size = GENERATE(4096u, 4097u);
  std::size_t asked = 0;
  session_options o = with([&](session, message m) -> asio::awaitable<std::optional<std::string>> {
    CHECK(m.size() == 4096);
    ++asked;
    co_return "ada";
  });
  o.deflate.enabled = true;
  timed_stage s;
  s.server->route("/", handlers{.on_message = [](session&, message_view) {}}, o);
  const auto peer = s.connect();
  peer->deflate.enabled = true;
  peer->upgrade();
  s.time.run_ready();
  REQUIRE(peer->upgraded);
  const std::size_t before = peer->framed_size;
  peer->send(std::string(size, 'x'));
  REQUIRE(peer->framed_size - before < 100);
  s.time.run_ready();
  CHECK(asked == (size == 4096 ? 1 : 0));
  CHECK(peer->closed.has_value() == (size != 4096));
  if (peer->closed) CHECK(peer->closed->code == close_code::message_too_big);
}

TEST_CASE("what_comes_behind_the_first_message_waits_for_the_verdict_and_follows_in_order") {
  const way w = any_way();
  slow_verifier v;
  asking_stage s(with(v.decide()), w);
  s.write(text_frame("first") + text_frame("a") + frame(0x01, "b") + frame(0x89, "?"));
  s.write(frame(0x80, "b") + text_frame("c"));
  s.time.advance(5s);
  CHECK(v.asked == 1);
  CHECK(s.events.empty());
  CHECK(s.peer->messages.empty());
  v.release();
  s.time.run_ready();
  CHECK(s.peer->texts().front() == ok);
  std::vector<std::string> expected{"a", "bb", "c"};
  if (w == way::coroutine) expected.insert(expected.begin(), "begin ada/?x=1");
  CHECK(s.events == expected);
  CHECK(s.peer->pongs == std::vector<std::string>{"?"});
  CHECK(v.asked == 1);
}

TEST_CASE("what_comes_behind_the_first_message_is_nobodys_when_the_verdict_is_no") {
  const way w = any_way();
  slow_verifier v;
  v.answer = std::nullopt;
  asking_stage s(with(v.decide()), w);
  s.write(text_frame("first") + text_frame("a"));
  s.write(text_frame("b"));
  v.release();
  s.time.run_ready();
  check_refused(s, w);
  CHECK(v.asked == 1);
}

TEST_CASE("what_the_verifier_throws_reaches_on_error_and_closes_with_1011") {
  const way w = any_way();
  slow_verifier v;
  v.throws = true;
  asking_stage s(with(v.decide()), w);
  s.write(text_frame("first"));
  v.release();
  s.time.run_ready();
  CHECK(s.errors == 1);
  REQUIRE(s.peer->closed);
  CHECK(s.peer->closed->code == close_code::internal_error);
  CHECK(s.peer->messages.empty());
  // A function that throws instead of making a coroutine.
  asking_stage direct(with([](session, message) -> asio::awaitable<std::optional<std::string>> {
                        throw std::runtime_error("no");
                      }),
                      w);
  direct.write(text_frame("first"));
  CHECK(direct.errors == 1);
  REQUIRE(direct.peer->closed);
  CHECK(direct.peer->closed->code == close_code::internal_error);
}

TEST_CASE("R05: the deadline goes on while the verifier decides and cancels it") {
  const way w = any_way();
  const duration limit = GENERATE(duration(0), duration(2s));
  slow_verifier v;
  v.ignores_cancellation = GENERATE(false, true);
  session_options o = with(v.decide());
  o.authentication_timeout = limit;
  o.heartbeat.interval = 1s;
  asking_stage s(o, w);
  const duration expected = limit == duration::zero() ? duration(15s) : limit;
  s.write(text_frame("first") + text_frame("behind"));
  s.time.advance(expected - tick);
  CHECK_FALSE(s.peer->closed);
  CHECK(v.cancelled == 0);
  s.time.advance(2 * tick);
  REQUIRE(s.peer->closed);
  CHECK(s.peer->closed->code == authentication_failed);
  CHECK(v.cancelled == 1);
  CHECK(s.errors == 0);
  CHECK(s.peer->messages.empty());  // no auth:ok, though that is what one of them answered
  CHECK(s.server->counters().closed_with(errc::authentication_timeout) == 1);
  s.time.advance(10s);
  CHECK(s.server->connection_count() == 0);
}

TEST_CASE("R05: who says nothing is closed after 15 seconds by default whatever it pings") {
  asking_stage s(with(by_token(false)), any_way());
  for (int i = 0; i < 14; ++i) {
    s.write(frame(0x89, ""));
    s.time.advance(1s);
  }
  CHECK_FALSE(s.peer->closed);
  s.time.advance(1s + tick);
  REQUIRE(s.peer->closed);
  CHECK(s.peer->closed->code == authentication_failed);
}

TEST_CASE("a_session_that_ends_while_the_verifier_decides_cancels_it") {
  slow_verifier v;
  v.ignores_cancellation = GENERATE(false, true);
  const bool has_coroutine = GENERATE(false, true);
  asking_stage s(with(v.decide()), has_coroutine ? way::coroutine : way::on_message);
  s.write(text_frame("first") + text_frame("behind"));
  const int how = GENERATE(0, 1);
  if (how == 0) {
    s.server->stop();
  } else {
    if (has_coroutine) return;
    s.ws->try_close();
  }
  s.time.run_ready();
  CHECK(v.cancelled == 1);
  REQUIRE(s.peer->closed);
  CHECK(s.peer->messages.empty());
  CHECK(s.errors == 0);
  CHECK(s.events == (has_coroutine ? std::vector<std::string>() : std::vector<std::string>{"close"}));
  CHECK(s.server->connection_count() == 0);
}

TEST_CASE("a_peer_that_resets_while_the_verifier_decides_cancels_it") {
  const auto form = GENERATE(link_form::epoll, link_form::asio);
  slow_verifier v;
  record seen;
  stage s(form);
  s.server().route("/", seen.callbacks(), with(v.decide()));
  const auto peer = s.join();
  REQUIRE(peer);
  peer->send("first");
  REQUIRE(s.run_until([&] { return v.asked == 1; }));
  peer->reset();
  REQUIRE(s.run_until([&] { return seen.closes == 1 && v.cancelled == 1; }));
  CHECK(seen.error == errc::connection_lost);
  CHECK(seen.events == std::vector<std::string>{"open", "close"});
}

TEST_CASE("a_peer_that_hangs_up_while_the_verifier_decides_is_noticed_when_it_has_decided") {
  slow_verifier v;
  asking_stage s(with(v.decide()), way::on_message);
  s.write(text_frame("first"));
  s.peer->hang_up();
  s.time.run_ready();
  v.release();
  s.time.run_ready();
  CHECK(s.error == errc::connection_lost);
  CHECK(s.server->connection_count() == 0);
}

TEST_CASE("a_context_may_be_destroyed_while_a_verifier_decides") {
  const bool has_coroutine = GENERATE(false, true);
  slow_verifier v;
  std::size_t begun = 0;
  stage s;
  if (has_coroutine) {
    s.server().route(
        "/",
        [&](session) -> asio::awaitable<void> {
          ++begun;
          co_return;
        },
        with(v.decide()));
  } else {
    s.server().route("/", handlers{.on_message = [&](session&, message_view) { ++begun; }}, with(v.decide()));
  }
  auto peer = s.join();
  REQUIRE(peer);
  peer->send("first");
  REQUIRE(s.run_until([&] { return v.asked == 1; }));
  peer.reset();
  s.destroy_context();
  CHECK(v.cancelled == 0);
  CHECK(begun == 0);
}

TEST_CASE("who_is_known_when_the_session_opens_is_not_asked") {
  slow_verifier v;
  timed_stage s;
  std::vector<std::string> events;
  s.server->route("/",
                  {.on_open = [](session& ws, const request&) { ws.set_user("grace"); },
                   .on_message =
                       [&](session& ws, message_view m) {
                         events.push_back(ws.user() + std::string(": ").append(m.text()));
                       }},
                  with(v.decide()));
  const auto peer = s.join();
  peer->send("first");
  s.time.run_ready();
  CHECK(v.asked == 0);
  CHECK(events == std::vector<std::string>{"grace: first"});
  CHECK(peer->messages.empty());
}

TEST_CASE("a_user_that_is_set_before_the_first_message_is_whole_gets_it_whole") {
  const way w = GENERATE(way::on_message, way::on_part, way::receive);
  slow_verifier v;
  asking_stage s(with(v.decide()), w);
  s.write(frame(0x01, "fi"));
  s.ws->set_user("grace");
  s.time.run_ready();
  s.write(frame(0x80, "rst") + text_frame("second"));
  CHECK(v.asked == 0);
  CHECK(s.events == std::vector<std::string>{"first", "second"});
}

TEST_CASE("a_user_that_is_set_while_the_verifier_decides_does_not_decide_for_it") {
  slow_verifier v;
  v.answer = std::nullopt;
  asking_stage s(with(v.decide()), way::on_message);
  s.write(text_frame("first") + text_frame("behind"));
  s.ws->set_user("grace");
  s.time.run_ready();
  CHECK(s.ws->state() == session_state::authenticating);
  CHECK(s.events.empty());
  v.release();
  s.time.run_ready();
  check_refused(s, way::on_message);
}

TEST_CASE("the_replies_are_the_routes_or_none") {
  session_options o = with(by_token(false));
  o.authenticated_reply = GENERATE("", "welcome");
  o.refused_reply = o.authenticated_reply.empty() ? "" : "go away";
  const std::vector<std::string> none;
  asking_stage known(o, way::on_message);
  known.write(text_frame(right));
  CHECK(known.peer->texts() == (o.authenticated_reply.empty() ? none : std::vector<std::string>{"welcome"}));
  asking_stage unknown(o, way::on_message);
  unknown.write(text_frame(wrong));
  CHECK(unknown.peer->texts() == (o.refused_reply.empty() ? none : std::vector<std::string>{"go away"}));
  CHECK(unknown.peer->closed);
}

TEST_CASE("authentication_works_over_every_link") {
  const auto form = GENERATE(link_form::memory, link_form::epoll, link_form::asio, link_form::tls);
  record seen;
  stage s(form);
  s.server().route("/", seen.callbacks(), with(by_token(true)));
  const auto good = s.join();
  REQUIRE(good);
  good->write(text_frame(right) + text_frame("a") + text_frame("b"));
  REQUIRE(s.run_until([&] { return seen.events.size() == 3; }));
  CHECK(seen.events == std::vector<std::string>{"open", "a", "b"});
  CHECK(seen.ws->user() == "ada");
  const auto bad = s.join();
  REQUIRE(bad);
  bad->write(text_frame(wrong) + text_frame("a"));
  REQUIRE(s.run_until([&] { return bad->closed.has_value() && seen.closes == 1; }));
  CHECK(bad->closed->code == authentication_failed);
  CHECK(seen.error == errc::authentication_failed);
  CHECK(good->texts() == std::vector<std::string>{ok});
}
