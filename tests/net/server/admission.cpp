#include <fairlead/net/server/admission.hpp>
#include <fairlead/net/server/admission_checks.hpp>

#include <net/session/session_support.hpp>
#include <support/catch.hpp>

#include <asio/redirect_error.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>

#include <stdexcept>

using namespace net_test;

namespace {

link_form any_form() {
  return GENERATE(link_form::memory, link_form::epoll, link_form::asio, link_form::tls);
}

/// A check that waits until it is told what to say.
class asked_later {
 public:
  explicit asked_later(asio::io_context& context) : gate_(std::in_place, context) {
    gate_->expires_at(time_point::max());
  }

  admission_check check() {
    return [this](admission& a) { return wait(a); };
  }

  void say(verdict v) {
    answer_ = std::move(v);
    gate_->cancel();
  }

  /// Before its context goes.
  void forget() { gate_.reset(); }

  bool is_asked() const { return asked_ != 0; }
  std::size_t cancelled = 0;
  std::size_t ended = 0;
  std::string target;  ///< What the check still sees when it goes on.

 private:
  asio::awaitable<verdict> wait(admission& a) {
    struct end {
      std::size_t& count;
      ~end() { ++count; }
    } const at_end{ended};
    ++asked_;
    std::error_code ec;
    co_await gate_->async_wait(asio::redirect_error(asio::use_awaitable, ec));
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none) ++cancelled;
    target = std::string(a.head().target());
    co_return std::move(answer_);
  }

  std::optional<asio::steady_timer> gate_;
  verdict answer_;
  std::size_t asked_ = 0;
};

struct refused {
  int status;
  std::string head;
  std::string body;
};

/// Asks for an upgrade that is refused.
refused ask(stage& s, std::string_view target = "/", std::string_view fields = {}) {
  const auto c = s.connect();
  c->upgrade(target, fields);
  REQUIRE(s.run_until([&] { return c->is_over() || c->upgraded; }));
  REQUIRE_FALSE(c->upgraded);
  REQUIRE(s.run_until([&] { return s.server().connection_count() == 0; }));
  return {c->status(), c->head, c->body};
}

std::unique_ptr<client> enter(stage& s, std::string_view target = "/", std::string_view fields = {}) {
  auto c = s.connect();
  c->upgrade(target, fields);
  REQUIRE(s.run_until([&] { return c->is_over() || c->upgraded; }));
  REQUIRE(c->upgraded);
  return c;
}

}  // namespace

TEST_CASE("checks_run_in_the_order_in_which_they_were_listed_the_servers_first") {
  stage s(any_form());
  std::string order;
  const auto noting = [&order](char c) {
    return [&order, c](admission&) -> verdict {
      order += c;
      return std::nullopt;
    };
  };
  record r;
  s.server()
      .route("/", r.callbacks())
      .check(noting('c'))
      .check([&order](admission&) -> asio::awaitable<verdict> {
        order += 'd';
        co_return std::nullopt;
      })
      .check(noting('e'));
  s.server().admission().check(noting('a')).check(noting('b'));
  const auto c = enter(s);
  CHECK(order == "abcde");
  CHECK((r.events == std::vector<std::string>{"open"}));
}

TEST_CASE("the_first_check_that_refuses_is_the_last_and_its_answer_is_sent") {
  stage s(any_form());
  record r;
  std::size_t later = 0;
  const bool is_immediate = GENERATE(true, false);
  auto route = s.server().route("/", r.callbacks());
  const auto answer = [] {
    response no = text_response(http_status::unauthorized, "Missing token\n");
    no.add("WWW-Authenticate", "Bearer");
    return no;
  };
  if (is_immediate) {
    route.check([&](admission&) -> verdict { return answer(); });
  } else {
    route.check([&](admission&) -> asio::awaitable<verdict> { co_return answer(); });
  }
  route.check([&](admission&) -> verdict {
    ++later;
    return std::nullopt;
  });
  const refused no = ask(s);
  CHECK(no.status == 401);
  CHECK(no.body == "Missing token\n");
  CHECK(field_in(no.head, "WWW-Authenticate") == "Bearer");
  CHECK(field_in(no.head, "Connection") == "close");
  CHECK(later == 0);
  CHECK(r.events.empty());
  CHECK(s.server().counters().refused_for(refusal::check) == 1);
  CHECK(s.server().counters().opened == 0);
}

TEST_CASE("a_check_sees_the_request_and_gives_the_session_all_it_shall_have") {
  stage s(any_form());
  struct ticket {
    int seat;
  };
  std::optional<session> opened;
  session_options options;
  options.subprotocols = {"chat.v1"};
  std::string seen;
  s.server()
      .route("/rooms/{room}", {.on_open = [&](session& ws, const request&) { opened = ws; }}, options)
      .check([&](admission& a) -> asio::awaitable<verdict> {
        const auto executor = a.executor();
        asio::steady_timer soon(executor, 1ms);
        co_await soon.async_wait(asio::use_awaitable);
        seen.append(a.head().param("room")).append(" ").append(a.head().query("k").value_or(""));
        seen.append(" ").append(a.head().field("Cookie").value_or(""));
        CHECK(a.subprotocols().size() == 2);
        CHECK(a.is_secure() == (s.form == link_form::tls));
        CHECK(a.tls().version.empty() == (s.form != link_form::tls));
        if (s.form == link_form::tls) CHECK(a.tls().version == "TLSv1.3");
        a.set_user("ada");
        a.emplace_data<ticket>(ticket{7});
        a.choose_subprotocol("auth");
        a.add_field("Set-Cookie", "seen=1");
        a.options().queue_hard = 1234;
        co_return std::nullopt;
      });
  const auto c = enter(s, "/rooms/lobby?k=v", "Cookie: id=5\r\nSec-WebSocket-Protocol: auth, s3cret\r\n");
  CHECK(seen == "lobby v id=5");
  CHECK(field_in(c->head, "Sec-WebSocket-Protocol") == "auth");
  CHECK(field_in(c->head, "Set-Cookie") == "seen=1");
  CHECK(c->head.find("s3cret") == std::string::npos);
  REQUIRE(opened);
  CHECK(opened->user() == "ada");
  CHECK(opened->subprotocol() == "auth");
  REQUIRE(opened->data<ticket>() != nullptr);
  CHECK(opened->data<ticket>()->seat == 7);
}

TEST_CASE("options_of_one_session_change_no_other") {
  stage s(any_form());
  std::vector<session> opened;
  handlers callbacks{.on_open = [&](session& ws, const request&) { opened.push_back(ws); },
                     .on_message = [](session& ws, message_view m) { ws.try_send(m); }};
  s.server().route("/", callbacks).check([](admission& a) -> verdict {
    if (a.head().query("small")) a.options().connection.max_message_size = 10;
    return std::nullopt;
  });
  const auto small = enter(s, "/?small");
  const auto usual = enter(s, "/");
  usual->send("more than ten bytes");
  small->send("ten bytes!");
  REQUIRE(s.run_until([&] { return usual->messages.size() == 1 && small->messages.size() == 1; }));
  small->send("eleven byte");
  REQUIRE(s.run_until([&] { return small->closed.has_value(); }));
  CHECK(small->closed->code == close_code::message_too_big);
  CHECK_FALSE(usual->closed);
}

TEST_CASE("a_coroutine_route_has_what_a_check_gave_its_session") {
  stage s(any_form());
  std::string user;
  s.server()
      .route("/",
             [&](session ws) -> asio::awaitable<void> {
               user = ws.user();
               while (auto m = co_await ws.receive()) co_await ws.send(*m);
             })
      .check([](admission& a) -> verdict {
        a.set_user("grace");
        a.options().queue_low = 1;
        return std::nullopt;
      });
  const auto c = enter(s);
  c->send("hello");
  REQUIRE(s.run_until([&] { return c->messages.size() == 1; }));
  CHECK(user == "grace");
}

TEST_CASE("who_is_named_by_a_check_need_not_authenticate_again") {
  stage s(any_form());
  session_options options;
  options.authentication_timeout = 10s;
  std::optional<session> opened;
  s.server()
      .route("/", {.on_open = [&](session& ws, const request&) { opened = ws; }}, options)
      .check([](admission& a) -> verdict {
        if (const auto name = a.head().query("name")) a.set_user(*name);
        return std::nullopt;
      });
  const auto named = enter(s, "/?name=ada");
  REQUIRE(opened);
  CHECK(opened->state() == session_state::active);
  const auto unnamed = enter(s, "/");
  CHECK(opened->state() == session_state::authenticating);
}

TEST_CASE("what_a_check_throws_is_a_500_and_reaches_on_error") {
  stage s(any_form());
  std::vector<std::string> errors;
  s.server().on_error([&](const session& ws, std::exception_ptr error) {
    CHECK(ws == session());
    try {
      std::rethrow_exception(error);
    } catch (const std::exception& e) {
      errors.emplace_back(e.what());
    }
  });
  auto route = s.server().route("/", handlers{});
  SECTION("at once") {
    route.check([](admission&) -> verdict { throw std::runtime_error("no database"); });
  }
  SECTION("later") {
    route.check([](admission&) -> asio::awaitable<verdict> {
      throw std::runtime_error("no database");
      co_return std::nullopt;
    });
  }
  const refused no = ask(s);
  CHECK(no.status == 500);
  CHECK(no.body.find("database") == std::string::npos);
  CHECK((errors == std::vector<std::string>{"no database"}));
}

TEST_CASE("what_must_not_be_sent_is_a_500") {
  stage s(any_form());
  s.server().route("/split", handlers{}).check([](admission& a) -> verdict {
    a.add_field("X-A", "b\r\nX-C: d");
    return std::nullopt;
  });
  s.server().route("/bits", handlers{}).check([](admission& a) -> verdict {
    a.options().deflate.send_window_bits = 99;
    return std::nullopt;
  });
  s.server().route("/unoffered", handlers{}).check([](admission& a) -> verdict {
    a.choose_subprotocol("never offered");
    return std::nullopt;
  });
  for (const char* target : {"/split", "/bits", "/unoffered"}) {
    const refused no = ask(s, target);
    CHECK(no.status == 500);
    CHECK(no.head.find("X-C") == std::string::npos);
  }
}

// H21: whoever decides never sees a request that is no upgrade.
TEST_CASE("H21: no check is asked about a request that is not valid") {
  stage s(any_form());
  std::size_t asked = 0;
  s.server().route("/", handlers{}).check([&](admission&) -> verdict {
    ++asked;
    return std::nullopt;
  });
  const auto c = s.connect();
  c->write("GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
  REQUIRE(s.run_until([&] { return c->is_over(); }));
  CHECK(c->status() == 426);
  CHECK(asked == 0);
  CHECK(s.server().counters().refused_for(refusal::bad_request) == 1);
}

TEST_CASE("messages_that_come_while_it_is_decided_are_not_lost") {
  stage s(any_form());
  asked_later later(s.context);
  record r;
  s.server().route("/", r.callbacks()).check(later.check());
  const auto c = s.connect();
  const std::size_t size = GENERATE(std::size_t{3}, std::size_t{60'000});
  const std::string large(size, 'x');
  c->write(upgrade_request_for("/").append(text_frame("one")).append(text_frame(large)));
  REQUIRE(s.run_until([&] { return later.is_asked(); }));
  c->write(text_frame("three"));
  s.run_ready();
  CHECK(r.events.empty());
  later.say(std::nullopt);
  REQUIRE(s.run_until([&] { return r.events.size() == 4; }));
  CHECK((r.events == std::vector<std::string>{"open", "one", large, "three"}));
}

// H26
TEST_CASE("H26: a client that goes while it is decided costs nothing, and the check is cancelled") {
  stage s(any_form());
  asked_later later(s.context);
  record r;
  s.server().route("/", r.callbacks()).check(later.check());
  auto c = s.connect();
  c->upgrade("/somewhere");
  c.reset();
  c = s.connect();
  c->upgrade("/");
  REQUIRE(s.run_until([&] { return later.is_asked(); }));
  c->hang_up();
  REQUIRE(s.run_until([&] { return s.server().connection_count() == 0; }));
  REQUIRE(s.run_until([&] { return later.ended == 1; }));
  CHECK(later.cancelled == 1);
  CHECK(later.target == "/");
  CHECK(r.events.empty());
}

TEST_CASE("L07: a server that stops or goes while it is decided leaves nothing behind") {
  stage s(any_form());
  asked_later later(s.context);
  record r;
  s.server().route("/", r.callbacks()).check(later.check());
  auto c = s.connect();
  c->upgrade();
  REQUIRE(s.run_until([&] { return later.is_asked(); }));
  SECTION("stop") {
    s.server().stop();
    REQUIRE(s.run_until([&] { return c->is_over() && later.ended == 1; }));
    CHECK(s.server().connection_count() == 0);
  }
  SECTION("the context goes") {
    later.forget();
    c.reset();
    s.destroy_context();
  }
  CHECK(r.events.empty());
}

TEST_CASE("a_check_that_takes_too_long_is_cancelled_and_the_client_gets_503") {
  server_options options;
  options.handshake_timeout = 30ms;
  stage s(any_form(), options);
  asked_later later(s.context);
  s.server().route("/", handlers{}).check(later.check());
  const refused no = ask(s);
  CHECK(no.status == 503);
  REQUIRE(s.run_until([&] { return later.ended == 1; }));
  CHECK(later.cancelled == 1);
  CHECK(s.server().counters().refused_for(refusal::slow_handshake) == 1);
}

TEST_CASE("S03: a route that requires a user lets nobody in without one") {
  stage s(any_form());
  s.server().route("/", handlers{}).require_user().check([](admission& a) -> verdict {
    if (const auto name = a.head().query("name")) a.set_user(*name);
    return std::nullopt;
  });
  CHECK(ask(s).status == 401);
  enter(s, "/?name=ada");
}

TEST_CASE("S03: a server whose route requires a user that nothing could name does not listen") {
  stage s(link_form::epoll);
  SECTION("the route says so") { s.server().route("/private", handlers{}).require_user(); }
  SECTION("the server says so") {
    s.server().route("/private", handlers{});
    s.server().admission().require_user();
  }
  CHECK_THROWS_AS(s.server().listen(), std::logic_error);
  CHECK(s.server().port() == 0);
}

TEST_CASE("S03: the first message may name the user, or a check of the server") {
  stage s(link_form::epoll);
  SECTION("first message") {
    session_options options;
    options.authentication_timeout = 1s;
    s.server().route("/private", handlers{}, options).require_user();
  }
  SECTION("check of the server") {
    s.server().route("/private", handlers{}).require_user();
    s.server().admission().check([](admission&) -> verdict { return std::nullopt; });
  }
  CHECK_NOTHROW(s.server().listen());
}

TEST_CASE("nobody_changes_who_may_come_in_once_the_server_listens") {
  stage s(link_form::epoll);
  auto route = s.server().route("/", handlers{});
  auto all = s.server().admission();
  s.server().listen();
  for (admission_rules* rules : {&route, &all}) {
    CHECK_THROWS_AS(rules->require_user(), std::logic_error);
    CHECK_THROWS_AS(rules->origins(origin_policy()), std::logic_error);
    CHECK_THROWS_AS(rules->check([](admission&) -> verdict { return std::nullopt; }), std::logic_error);
  }
}

// S01, S02: the table of verdicts is origin_policy's own test.
TEST_CASE("S01: a page of another origin is refused unless the route or the server allows it") {
  stage s(any_form());
  s.server().route("/own", handlers{});
  s.server().route("/listed", handlers{}).origins(origin_policy().allow("https://app.example.com"));
  s.server().route("/any", handlers{}).origins(origin_policy::allow_any_origin());
  std::size_t asked = 0;
  s.server().admission().check([&](admission&) -> verdict {
    ++asked;
    return std::nullopt;
  });
  const bool is_tls = s.form == link_form::tls;
  const std::string own = is_tls ? "Origin: https://localhost\r\n" : "Origin: http://localhost\r\n";
  constexpr const char* other = "Origin: https://evil.example\r\n";
  constexpr const char* app = "Origin: https://app.example.com\r\n";
  enter(s, "/own");
  enter(s, "/own", own);
  enter(s, "/listed", app);
  enter(s, "/any", other);
  CHECK(asked == 4);
  REQUIRE(s.run_until([&] { return s.server().connection_count() == 0; }));
  for (const auto& [target, origin] :
       {std::pair("/own", other), std::pair("/own", app), std::pair("/listed", other)}) {
    const refused no = ask(s, target, origin);
    CHECK(no.status == 403);
    CHECK(no.body.find("https://") != std::string::npos);
  }
  CHECK(asked == 4);
  CHECK(s.server().counters().refused_for(refusal::origin) == 3);
}

TEST_CASE("S02: the origins of one route are not those of another, and the servers are for the rest") {
  stage s(any_form());
  s.server().admission().origins(origin_policy().allow("https://a.example"));
  s.server().route("/first", handlers{});
  s.server().route("/second", handlers{}).origins(origin_policy().allow("https://b.example"));
  enter(s, "/first", "Origin: https://a.example\r\n");
  enter(s, "/second", "Origin: https://b.example\r\n");
  REQUIRE(s.run_until([&] { return s.server().connection_count() == 0; }));
  CHECK(ask(s, "/first", "Origin: https://b.example\r\n").status == 403);
  CHECK(ask(s, "/second", "Origin: https://a.example\r\n").status == 403);
}

TEST_CASE("a_token_is_taken_from_where_clients_can_send_it") {
  stage s(any_form());
  std::vector<std::string> tokens;
  s.server().route("/", handlers{}).check([&](admission& a) -> verdict {
    if (const auto token = bearer_token(a.head())) {
      tokens.emplace_back(*token);
    } else if (const auto offered = subprotocol_token(a)) {
      tokens.emplace_back(*offered);
    } else if (const auto cookie = a.head().cookie("token")) {
      tokens.emplace_back(*cookie);
    } else {
      return refuse(http_status::unauthorized, "Missing token");
    }
    return std::nullopt;
  });
  enter(s, "/", "Authorization: bearer  abc\r\n");
  const auto page = enter(s, "/", "Sec-WebSocket-Protocol: auth, def\r\n");
  CHECK(field_in(page->head, "Sec-WebSocket-Protocol") == "auth");
  const auto cookie = enter(s, "/", "Cookie: token=ghi\r\nSec-WebSocket-Protocol: auth\r\n");
  CHECK(field_in(cookie->head, "Sec-WebSocket-Protocol").empty());
  CHECK((tokens == std::vector<std::string>{"abc", "def", "ghi"}));
  for (const char* none :
       {"", "Authorization: Bearer \r\n", "Authorization: Basic abc\r\n", "Authorization: Bear\r\n",
        "Authorization: Bearer a\r\nAuthorization: Bearer b\r\n", "Sec-WebSocket-Protocol: def, auth\r\n"}) {
    const auto c = s.connect();
    c->upgrade("/", none);
    REQUIRE(s.run_until([&] { return c->is_over(); }));
    CHECK(c->status() == 401);
    CHECK(c->body == "Missing token\n");
  }
}

TEST_CASE("clients_are_refused_for_their_address_or_what_they_call_themselves") {
  server_options options;
  options.proxies.trust("127.0.0.0/8");
  stage s(link_form::epoll, options);
  s.server()
      .route("/", handlers{})
      .check(refuse_addresses({ip_network("192.0.2.0/24")}))
      .check(refuse_user_agents());
  constexpr std::string_view agent = "User-Agent: Mozilla/5.0\r\n";
  const auto from = [&](std::string_view address) {
    return std::string(agent).append("X-Forwarded-For: ").append(address).append("\r\n");
  };
  enter(s, "/", agent);
  enter(s, "/", from("192.0.3.1"));
  enter(s, "/", "User-Agent: ten bytes!\r\n");
  REQUIRE(s.run_until([&] { return s.server().connection_count() == 0; }));
  CHECK(ask(s, "/", from("192.0.2.255")).status == 403);
  CHECK(ask(s, "/").status == 403);
  CHECK(ask(s, "/", "User-Agent: ninebytes\r\n").status == 403);
  CHECK(ask(s, "/", "User-Agent: ExampleBot/2.1 (+https://example.com)\r\n").status == 403);
}
