#include <fairlead/net/session/session.hpp>

#include <net/session/session_support.hpp>
#include <support/catch.hpp>

#include <asio/bind_executor.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/post.hpp>

#include <functional>
#include <future>
#include <stdexcept>

using namespace net_test;

namespace {

struct outcome {
  bool done = false;
  std::error_code error;

  auto handler() {
    return [this](std::error_code ec) {
      done = true;
      error = ec;
    };
  }
};

session_options short_timeout() {
  session_options options;
  options.connection.close_timeout = 100ms;
  return options;
}

struct closing_stage : stage {
  explicit closing_stage(link_form f = link_form::memory, session_options options = {}) : stage(f) {
    server().on_error([this](const session&, std::exception_ptr error) { errors.push_back(error); });
    server().route("/", seen.callbacks(), std::move(options));
    peer = join();
    REQUIRE(peer);
    REQUIRE(seen.ws);
  }
  closing_stage(const closing_stage&) = delete;
  ~closing_stage() { peer.reset(); }

  const session& ws() { return *seen.ws; }
  bool run_until_gone() {
    return run_until([&] { return server().connection_count() == 0; });
  }

  record seen;
  std::vector<std::exception_ptr> errors;
  std::unique_ptr<client> peer;
};

link_form any_form() {
  return GENERATE(link_form::memory, link_form::epoll, link_form::asio, link_form::tls);
}
link_form any_tcp() { return GENERATE(link_form::epoll, link_form::asio); }

std::string message_of(std::exception_ptr error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& e) {
    return e.what();
  }
}

}  // namespace

// --- The ways a session ends: on_close exactly once, with what happened. RFC 6455 section 7.1.

TEST_CASE("our_close_leaves_behind_the_messages_and_ends_when_the_peer_answers") {
  closing_stage s(any_form());
  for (int i = 0; i < 100; ++i) s.ws().try_send(std::string(10'000, 'x'));
  CHECK_FALSE(s.ws().try_close(close_code{4000}, "enough"));
  CHECK(s.ws().try_close() == errc::closed);
  CHECK_FALSE(s.ws().is_open());
  REQUIRE(s.run_until_gone());
  CHECK(s.peer->messages.size() == 100);
  REQUIRE(s.peer->closed);
  CHECK(s.peer->closed->code == close_code{4000});
  CHECK(s.peer->closed->reason == "enough");
  CHECK(s.seen.events == std::vector<std::string>{"open", "close"});
  CHECK(s.seen.code == close_code{4000});
  CHECK_FALSE(s.seen.error);
}

TEST_CASE("whatever_was_sent_before_try_close_leaves_first") {
  closing_stage s(any_form());
  std::error_code error = errc::closed;
  const auto send_all_and_close = [&] {
    s.ws().try_send("1");
    s.ws().send("2", [&](std::error_code ec) { error = ec; });
    s.ws().try_send(std::string(100'000, '3'));
    CHECK_FALSE(s.ws().try_close());
  };
  SECTION("from another thread") { send_all_and_close(); }
  SECTION("from its own") { asio::post(s.context, send_all_and_close); }
  REQUIRE(s.run_until_gone());
  CHECK((s.peer->texts() == std::vector<std::string>{"1", "2", std::string(100'000, '3')}));
  CHECK(s.peer->closed.has_value());
  CHECK_FALSE(error);
}

TEST_CASE("the_peers_close_is_answered_with_its_code") {
  closing_stage s(any_form());
  s.peer->close(close_code::going_away, "bye");
  REQUIRE(s.run_until_gone());
  CHECK(s.seen.events == std::vector<std::string>{"open", "close"});
  CHECK(s.seen.code == close_code::going_away);
  CHECK(s.seen.reason == "bye");
  CHECK_FALSE(s.seen.error);
  REQUIRE(s.peer->closed);
  CHECK(s.peer->closed->code == close_code::going_away);
  CHECK(s.peer->eof);
}

TEST_CASE("a_close_frame_without_a_code_is_told_as_no_status") {
  closing_stage s(any_form());
  SECTION("from the peer") { s.peer->write(frame(0x88, "")); }
  SECTION("from us") { CHECK_FALSE(s.ws().try_close(close_code::no_status)); }
  REQUIRE(s.run_until_gone());
  CHECK(s.seen.code == close_code::no_status);
  CHECK_FALSE(s.seen.error);
}

TEST_CASE("both_sides_may_close_at_once") {
  closing_stage s(any_form());
  CHECK_FALSE(s.ws().try_close(close_code{4000}));
  s.peer->close(close_code{4001});
  REQUIRE(s.run_until_gone());
  CHECK(s.seen.closes == 1);
  CHECK_FALSE(s.seen.error);
  CHECK(s.peer->closed.has_value());
}

// C05.
TEST_CASE("a_peer_that_never_answers_a_close_is_given_up_after_the_timeout") {
  closing_stage s(any_form(), short_timeout());
  s.peer->is_stubborn = true;
  const time_point began = clock::now();
  CHECK_FALSE(s.ws().try_close());
  REQUIRE(s.run_until_gone());
  CHECK(clock::now() - began >= 100ms);
  CHECK(s.seen.events == std::vector<std::string>{"open", "close"});
  CHECK(s.seen.code == close_code::abnormal);
  CHECK(s.seen.error == errc::close_timeout);
}

// C05.
TEST_CASE("what_the_peer_sends_instead_of_a_close_is_discarded_and_does_not_put_off_the_end") {
  closing_stage s(any_form(), short_timeout());
  s.peer->is_stubborn = true;
  CHECK_FALSE(s.ws().try_close());
  REQUIRE(s.run_until([&] {
    s.peer->write(text_frame("more"));
    return s.server().connection_count() == 0;
  }));
  CHECK(s.seen.events == std::vector<std::string>{"open", "close"});
  CHECK(s.seen.error == errc::close_timeout);
}

// C05.
TEST_CASE("a_peer_that_closes_but_keeps_its_end_open_is_given_up_after_the_timeout") {
  closing_stage s(any_form(), short_timeout());
  s.peer->is_stubborn = true;
  s.peer->write(close_frame(1000));
  REQUIRE(s.run_until([&] { return s.peer->eof; }));
  CHECK(s.seen.closes == 1);
  s.peer->write(text_frame("never read") + close_frame(1001));
  REQUIRE(s.run_until_gone());
  CHECK(s.seen.events == std::vector<std::string>{"open", "close"});
  CHECK(s.seen.code == close_code::normal);
  CHECK_FALSE(s.seen.error);
}

TEST_CASE("a_peer_that_floods_after_its_close_is_cut_off") {
  closing_stage s(any_form());
  s.peer->is_stubborn = true;
  s.peer->write(close_frame(1000));
  const std::string megabyte(1024 * 1024, 'x');
  for (int i = 0; i < 40 && s.server().connection_count() != 0; ++i) {
    s.peer->write(megabyte);
    s.run_ready();
  }
  REQUIRE(s.run_until_gone());
  CHECK(s.seen.closes == 1);
}

TEST_CASE("an_end_without_a_close_frame_is_abnormal") {
  closing_stage s(any_form());
  SECTION("between frames") {}
  SECTION("amid a header") { s.peer->write(text_frame("abc").substr(0, 1)); }
  SECTION("amid a payload") { s.peer->write(text_frame("abc").substr(0, 7)); }
  SECTION("amid a message") { s.peer->write(frame(0x01, "abc")); }
  s.run_ready();
  s.peer->hang_up();
  REQUIRE(s.run_until_gone());
  CHECK(s.seen.events == std::vector<std::string>{"open", "close"});
  CHECK(s.seen.code == close_code::abnormal);
  CHECK(s.seen.error == errc::connection_lost);
}

// C08.
TEST_CASE("a_reset_ends_the_connection_in_every_state") {
  stage s(any_tcp());
  record seen;
  session_options options;
  options.inbox_size = 1;
  s.server().route("/", seen.callbacks());
  s.server().route("/inbox", seen.without_messages(), options);
  const auto reset_and_wait = [&](client& peer) {
    s.run_ready();
    peer.reset();
    REQUIRE(s.run_until([&] { return s.server().connection_count() == 0; }));
  };
  SECTION("accepted") {
    const auto peer = s.connect();
    REQUIRE(s.run_until([&] { return s.server().connection_count() == 1; }));
    reset_and_wait(*peer);
    CHECK(seen.events.empty());
  }
  SECTION("half a head") {
    const auto peer = s.connect();
    peer->write("GET / HT");
    REQUIRE(s.run_until([&] { return s.server().connection_count() == 1; }));
    reset_and_wait(*peer);
    CHECK(seen.events.empty());
  }
  SECTION("refused") {
    const auto peer = s.connect();
    peer->is_stubborn = true;
    peer->write("GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n");
    REQUIRE(s.run_until([&] { return peer->eof; }));
    reset_and_wait(*peer);
    CHECK(seen.events.empty());
  }
  SECTION("open, mid frame, closing") {
    const auto peer = s.join("/");
    REQUIRE(peer);
    const int state = GENERATE(0, 1, 2);
    peer->is_stubborn = true;
    if (state == 1) peer->write(text_frame("abc").substr(0, 7));
    if (state == 2) CHECK_FALSE(seen.ws->try_close());
    reset_and_wait(*peer);
    CHECK(seen.events == std::vector<std::string>{"open", "close"});
    CHECK(seen.code == close_code::abnormal);
    CHECK(seen.error == errc::connection_lost);
  }
  SECTION("paused") {
    const auto peer = s.join("/inbox");
    REQUIRE(peer);
    peer->send("a");
    reset_and_wait(*peer);
    CHECK(seen.closes == 1);
    CHECK(seen.error == errc::connection_lost);
  }
  SECTION("lingering") {
    const auto peer = s.join("/");
    REQUIRE(peer);
    peer->is_stubborn = true;
    peer->write(close_frame(1000));
    REQUIRE(s.run_until([&] { return peer->eof; }));
    reset_and_wait(*peer);
    CHECK(seen.closes == 1);
    CHECK(seen.code == close_code::normal);
  }
}

// RFC 6455 section 7.4.1.
TEST_CASE("a_broken_rule_is_answered_with_its_code_and_disturbs_nobody_else") {
  struct breach {
    std::string bytes;
    errc why;
    close_code code;
  };
  session_options options;
  options.connection.max_message_size = 100;
  options.connection.max_fragments = 3;
  options.connection.max_control_frames_per_second = 10;
  std::string too_many_pings;
  for (int i = 0; i < 11; ++i) too_many_pings += frame(0x89, "");
  const std::vector<breach> breaches = {
      {frame(0x81, "x", false), errc::mask_missing, close_code::protocol_error},
      {frame(0x83, "x"), errc::reserved_opcode, close_code::protocol_error},
      {frame(0xc1, "x"), errc::reserved_bits, close_code::protocol_error},
      {frame(0x80, "x"), errc::unexpected_continuation, close_code::protocol_error},
      {frame(0x01, "x") + frame(0x81, "x"), errc::message_interleaved, close_code::protocol_error},
      {frame(0x09, "x"), errc::fragmented_control, close_code::protocol_error},
      {frame(0x89, std::string(126, 'x')), errc::oversized_control, close_code::protocol_error},
      {frame(0x88, "x"), errc::bad_close_payload, close_code::protocol_error},
      {close_frame(1006), errc::bad_close_code, close_code::protocol_error},
      {frame(0x81, "\xff"), errc::bad_utf8, close_code::invalid_payload},
      {frame(0x81, std::string(101, 'x')), errc::message_too_big, close_code::message_too_big},
      {frame(0x01, "x") + frame(0x00, "x") + frame(0x00, "x") + frame(0x00, "x"), errc::too_many_fragments,
       close_code::policy_violation},
      {too_many_pings, errc::too_many_control_frames, close_code::policy_violation},
  };
  stage s(any_form());
  record bystander_seen;
  record seen;
  s.server().route("/bystander", bystander_seen.callbacks());
  s.server().route("/", seen.callbacks(), options);
  const auto bystander = s.join("/bystander");
  REQUIRE(bystander);
  std::vector<std::string> expected{"open"};
  for (const breach& b : breaches) {
    CAPTURE(b.why);
    seen.events.clear();
    const auto peer = s.join();
    REQUIRE(peer);
    bystander->send("before");
    peer->write(text_frame("first") + b.bytes + text_frame("never read"));
    bystander->send("after");
    REQUIRE(s.run_until([&] { return peer->is_over(); }));
    CHECK(seen.events == std::vector<std::string>{"open", "first", "close"});
    CHECK(seen.error == b.why);
    CHECK(seen.code == b.code);
    REQUIRE(peer->closed);
    CHECK(peer->closed->code == b.code);
    expected.insert(expected.end(), {"before", "after"});
    REQUIRE(s.run_until([&] { return bystander_seen.events.size() == expected.size(); }));
  }
  CHECK(bystander_seen.events == expected);
}

// F07: a fault right behind the handshake is told after on_open returned.
TEST_CASE("a_broken_rule_right_behind_the_request_is_told_after_on_open") {
  stage s(any_form());
  record seen;
  s.server().route("/", seen.callbacks());
  const auto peer = s.connect();
  peer->write(upgrade_request_for("/") + frame(0xa1, "rsv2"));
  REQUIRE(s.run_until([&] { return peer->is_over(); }));
  CHECK(seen.events == std::vector<std::string>{"open", "close"});
  CHECK(seen.error == errc::reserved_bits);
  REQUIRE(peer->closed);
  CHECK(peer->closed->code == close_code::protocol_error);
}

// --- After the close.

TEST_CASE("messages_that_come_after_try_close_are_discarded_even_in_the_same_read") {
  stage s(any_form());
  record seen;
  handlers h = seen.callbacks();
  h.on_message = [&](session& ws, message_view m) {
    seen.events.emplace_back(m.text());
    if (m.text() == "last") ws.try_close();
  };
  s.server().route("/", h);
  const auto peer = s.join();
  REQUIRE(peer);
  peer->write(text_frame("first") + text_frame("last") + text_frame("too late") + frame(0x89, "ping"));
  REQUIRE(s.run_until([&] { return peer->is_over(); }));
  CHECK(seen.events == std::vector<std::string>{"open", "first", "last", "close"});
}

TEST_CASE("a_full_inbox_that_nobody_empties_does_not_keep_the_close_from_ending_cleanly") {
  stage s(any_form());
  record seen;
  session_options options;
  options.inbox_size = 1;
  s.server().route("/", seen.without_messages(), options);
  const auto peer = s.join();
  REQUIRE(peer);
  peer->write(text_frame("a") + text_frame("b") + text_frame("c"));
  s.run_ready();
  outcome o;
  const time_point began = clock::now();
  seen.ws->close(close_code::normal, "", o.handler());
  REQUIRE(s.run_until([&] { return o.done; }));
  CHECK_FALSE(o.error);
  CHECK(clock::now() - began < options.connection.close_timeout);
  CHECK(seen.events == std::vector<std::string>{"open", "close"});
  bool received = false;
  seen.ws->receive([&](std::error_code, std::optional<message> m) { received = m && m->text() == "a"; });
  REQUIRE(s.run_until([&] { return received; }));
}

// --- close().

TEST_CASE("close_waits_until_the_session_is_over") {
  closing_stage s(any_form(), short_timeout());
  outcome first;
  outcome second;
  SECTION("cleanly") {
    s.ws().close(close_code::normal, "", first.handler());
    s.ws().close(close_code::going_away, "", second.handler());
    CHECK_FALSE(first.done);
    REQUIRE(s.run_until([&] { return first.done && second.done; }));
    CHECK_FALSE(first.error);
    CHECK_FALSE(second.error);
    CHECK(s.peer->closed->code == close_code::normal);
  }
  SECTION("at the timeout") {
    s.peer->is_stubborn = true;
    s.ws().close(close_code::normal, "", first.handler());
    s.ws().close(close_code::normal, "", second.handler());
    REQUIRE(s.run_until([&] { return first.done && second.done; }));
    CHECK(first.error == errc::close_timeout);
    CHECK(second.error == errc::close_timeout);
  }
  SECTION("when it was over already") {
    s.peer->hang_up();
    REQUIRE(s.run_until_gone());
    s.ws().close(close_code::normal, "", first.handler());
    REQUIRE(s.run_until([&] { return first.done; }));
    CHECK_FALSE(first.error);
    CHECK(s.seen.closes == 1);
    auto empty = session().close(close_code::normal, "", asio::use_future);
    REQUIRE(empty.wait_for(patience) == std::future_status::ready);
    CHECK_NOTHROW(empty.get());
  }
}

TEST_CASE("a_close_that_must_not_be_sent_is_refused_and_changes_nothing") {
  closing_stage s;
  const auto is_refused = [&](close_code code, std::string_view reason) {
    outcome o;
    s.ws().close(code, reason, o.handler());
    REQUIRE(s.run_until([&] { return o.done; }));
    return s.ws().try_close(code, reason) == errc::bad_argument && o.error == errc::bad_argument;
  };
  CHECK(is_refused(close_code::abnormal, ""));
  CHECK(is_refused(close_code{999}, ""));
  CHECK(is_refused(close_code::tls_handshake, ""));
  CHECK(is_refused(close_code::no_status, "with a reason"));
  CHECK(is_refused(close_code::normal, std::string(124, 'x')));
  CHECK(is_refused(close_code::normal, "\xff"));
  CHECK(s.ws().is_open());
  CHECK_FALSE(s.ws().try_close(close_code::normal, std::string(123, 'x')));
  REQUIRE(s.run_until_gone());
  CHECK(s.peer->closed->reason == std::string(123, 'x'));
  CHECK(session().try_close() == errc::closed);
  CHECK_FALSE(session().is_open());
}

// --- What callbacks and coroutines throw. M11.

TEST_CASE("a_callback_that_throws_closes_its_own_session_with_1011_and_reaches_on_error") {
  stage s(any_form());
  std::vector<std::string> errors;
  s.server().on_error([&](const session& ws, std::exception_ptr error) {
    errors.push_back(message_of(error));
    CHECK(ws.subprotocol().empty());
    throw std::runtime_error("on_error itself");
  });
  record bystander_seen;
  s.server().route("/bystander", bystander_seen.callbacks());
  record seen;
  const std::string where = GENERATE("open", "message", "close");
  handlers h = seen.callbacks();
  const auto may_throw = [&](const char* here) {
    if (where == here) throw std::runtime_error(here);
  };
  h.on_open = [&, inner = h.on_open](session& ws, const request& head) {
    inner(ws, head);
    may_throw("open");
  };
  h.on_message = [&, inner = h.on_message](session& ws, message_view m) {
    inner(ws, m);
    may_throw("message");
  };
  h.on_close = [&, inner = h.on_close](session& ws, const close_info& info) {
    inner(ws, info);
    may_throw("close");
  };
  s.server().route("/", h);
  const auto bystander = s.join("/bystander");
  REQUIRE(bystander);
  const auto peer = s.connect();
  peer->write(upgrade_request_for("/") + text_frame("a") + text_frame("b") + close_frame(1000));
  REQUIRE(s.run_until([&] { return peer->is_over(); }));
  CHECK(errors == std::vector<std::string>{where});
  REQUIRE(peer->closed);
  CHECK(seen.closes == 1);
  if (where == "open") CHECK(seen.events == std::vector<std::string>{"open", "close"});
  if (where == "message") CHECK(seen.events == std::vector<std::string>{"open", "a", "close"});
  if (where == "close") CHECK(seen.events == std::vector<std::string>{"open", "a", "b", "close"});
  if (where != "close") CHECK(seen.code == close_code::normal);
  bystander->send("still here");
  REQUIRE(s.run_until([&] { return bystander_seen.events.size() == 2; }));
}

TEST_CASE("the_close_code_after_a_throw_is_1011") {
  stage s(any_form());
  s.server().route("/", handlers{.on_message = [](session&, message_view) { throw 1; }});
  const auto peer = s.join();
  REQUIRE(peer);
  peer->send("a");
  REQUIRE(s.run_until([&] { return peer->is_over(); }));
  REQUIRE(peer->closed);
  CHECK(peer->closed->code == close_code::internal_error);
}

namespace {

using script = std::function<asio::awaitable<void>(session)>;

struct scripted_stage : stage {
  scripted_stage(link_form f, script run) : stage(f) {
    server().on_error(
        [this](const session&, std::exception_ptr error) { errors.push_back(message_of(error)); });
    server().route("/", [this, run = std::move(run)](session ws) -> asio::awaitable<void> {
      handle = ws;
      ++started;
      const tally on_exit(ended);
      co_await run(std::move(ws));
    });
    peer = join();
    REQUIRE(peer);
  }
  scripted_stage(const scripted_stage&) = delete;
  ~scripted_stage() { peer.reset(); }

  // Counts also when the coroutine's frame is destroyed.
  struct tally {
    explicit tally(int& n) : count(n) {}
    ~tally() { ++count; }
    int& count;
  };

  std::vector<std::string> errors;
  std::optional<session> handle;
  int started = 0;
  int ended = 0;
  std::unique_ptr<client> peer;
};

}  // namespace

TEST_CASE("a_coroutine_that_returns_closes_its_session_with_1000") {
  scripted_stage s(any_form(), [](session ws) -> asio::awaitable<void> { co_await ws.send("bye"); });
  REQUIRE(s.run_until([&] { return s.peer->is_over(); }));
  CHECK(s.peer->texts() == std::vector<std::string>{"bye"});
  REQUIRE(s.peer->closed);
  CHECK(s.peer->closed->code == close_code::normal);
  CHECK(s.errors.empty());
  CHECK(s.ended == 1);
}

TEST_CASE("a_coroutine_that_throws_closes_its_session_with_1011_and_reaches_on_error") {
  scripted_stage s(any_form(), [](session ws) -> asio::awaitable<void> {
    co_await ws.receive();
    throw std::runtime_error("mine");
  });
  s.peer->send("go");
  REQUIRE(s.run_until([&] { return s.peer->is_over(); }));
  REQUIRE(s.peer->closed);
  CHECK(s.peer->closed->code == close_code::internal_error);
  CHECK(s.errors == std::vector<std::string>{"mine"});
}

TEST_CASE("a_coroutine_that_ends_because_its_session_did_is_no_error") {
  scripted_stage s(any_form(), [](session ws) -> asio::awaitable<void> {
    while (auto m = co_await ws.receive()) co_await ws.send(*m);
    co_await ws.send("after the end");
  });
  SECTION("cleanly") { s.peer->close(); }
  SECTION("without a close frame") { s.peer->hang_up(); }
  SECTION("by a broken rule") { s.peer->write(frame(0x81, "x", false)); }
  SECTION("by a limit") { s.peer->write(frame(0x82, std::string(70'000, 'x'))); }
  SECTION("by our own close") { s.handle->try_close(); }
  SECTION("while it sends") {
    s.peer->send("a");
    s.run_ready();
    s.peer->hang_up();
  }
  REQUIRE(s.run_until([&] { return s.ended == 1; }));
  s.run_ready();
  CHECK(s.errors.empty());
}

TEST_CASE("an_echo_coroutine_answers_what_came_with_the_close_behind_it") {
  scripted_stage s(any_form(), [](session ws) -> asio::awaitable<void> {
    while (auto m = co_await ws.receive()) co_await ws.send(*m);
  });
  for (int i = 0; i < 20; ++i) s.peer->send(std::to_string(i));
  REQUIRE(s.run_until([&] { return s.peer->messages.size() == 20; }));
  s.peer->close();
  REQUIRE(s.run_until([&] { return s.peer->is_over() && s.ended == 1; }));
  CHECK(s.peer->messages.size() == 20);
}

// --- L01: whatever a callback does to its own session, on_close comes exactly once.

TEST_CASE("every_callback_may_do_everything_to_its_session") {
  const std::vector<std::string> callbacks = {"open", "message", "close"};
  const std::vector<std::string> actions = {"try_send", "try_close", "send",  "close", "receive",
                                            "drop",     "stop",      "throw", "serve"};
  for (const std::string& where : callbacks) {
    for (const std::string& action : actions) {
      for (const link_form form : {link_form::memory, link_form::epoll, link_form::asio}) {
        CAPTURE(where, action, form);
        stage s(form);
        record seen;
        int completions = 0;
        int errors = 0;
        s.server().on_error([&](const session&, std::exception_ptr) { ++errors; });
        link_ptr extra;
        const auto act = [&](const char* here, session& ws) {
          if (where != here) return;
          if (action == "try_send") ws.try_send(std::string(100'000, 'x'));
          if (action == "try_close") ws.try_close();
          if (action == "send") ws.send("a", [&](std::error_code) { ++completions; });
          if (action == "close") ws.close(close_code::normal, "", [&](std::error_code) { ++completions; });
          if (action == "receive") {
            ws.receive([&](std::error_code, std::optional<message>) { ++completions; });
          }
          if (action == "drop") {
            seen.ws.reset();
            ws = session();  // the handle that the callback was lent, too
          }
          if (action == "stop") s.server().stop();
          if (action == "throw") throw std::runtime_error("L01");
          if (action == "serve") {
            auto [ours, theirs] = make_memory_pair(s.context.get_executor());
            s.server().serve(std::move(ours));
            extra = std::move(theirs);
          }
        };
        handlers h = seen.callbacks();
        h.on_open = [&, inner = h.on_open](session& ws, const request& head) {
          inner(ws, head);
          act("open", ws);
        };
        h.on_message = [&, inner = h.on_message](session& ws, message_view m) {
          inner(ws, m);
          act("message", ws);
        };
        h.on_close = [&, inner = h.on_close](session& ws, const close_info& info) {
          inner(ws, info);
          act("close", ws);
        };
        s.server().route("/", h);
        const auto peer = s.connect();
        peer->write(upgrade_request_for("/") + text_frame("a") + text_frame("b"));
        s.run_ready();
        peer->close();
        REQUIRE(s.run_until([&] { return peer->is_over() && seen.closes == 1; }));
        extra.reset();
        REQUIRE(s.run_until([&] { return s.server().connection_count() == 0; }));
        s.run_ready();
        CHECK(seen.closes == 1);
        CHECK(seen.events.back() == "close");
        CHECK(errors == (action == "throw" ? 1 : 0));
        if (action == "send" || action == "close" || action == "receive") {
          CHECK(completions >= 1);
        }
      }
    }
  }
}

// L02.
TEST_CASE("the_last_handle_may_be_dropped_in_on_close") {
  stage s(any_form());
  auto handle = std::make_shared<std::optional<session>>();
  bool closed = false;
  s.server().route("/", handlers{.on_open = [=](session& ws, const request&) { *handle = ws; },
                                 .on_close =
                                     [=, &closed](session&, const close_info&) {
                                       handle->reset();
                                       closed = true;
                                     }});
  const auto peer = s.join();
  REQUIRE(peer);
  peer->hang_up();
  REQUIRE(s.run_until([&] { return closed && s.server().connection_count() == 0; }));
}

// --- The end of the context. L07.

TEST_CASE("a_context_destroyed_with_connections_in_every_state_leaves_nothing_behind") {
  stage s(any_form());
  record seen;
  session_options small;
  small.inbox_size = 1;
  small.queue_low = 0;
  s.server().route("/", seen.callbacks());
  s.server().route("/inbox", seen.without_messages(), small);
  int coroutines = 0;
  s.server().route("/coroutine", [&](session ws) -> asio::awaitable<void> {
    const scripted_stage::tally on_exit(coroutines);
    while (auto m = co_await ws.receive()) co_await ws.send(*m);
  });
  std::vector<std::unique_ptr<client>> peers;
  std::vector<session> handles;
  std::size_t operations = 0;
  const auto never = [&](auto...) { ++operations; };

  peers.push_back(s.connect());  // accepted
  peers.push_back(s.connect());  // half a head
  peers.back()->write("GET / HT");
  peers.push_back(s.connect());  // answered
  peers.back()->is_stubborn = true;
  peers.back()->write("GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n");
  const auto join = [&](const char* target) -> client& {
    seen.ws.reset();
    peers.push_back(s.join(target));
    REQUIRE(peers.back());
    if (seen.ws) handles.push_back(*seen.ws);
    return *peers.back();
  };
  join("/");                                                                  // open
  join("/").write(text_frame("abcdef").substr(0, 8));                         // mid frame
  join("/").write(frame(0x01, "abc"));                                        // mid message
  join("/inbox").write(text_frame("a") + text_frame("b") + text_frame("c"));  // paused, with bytes unread
  join("/inbox");                                                             // with a receive that waits
  handles.back().receive(never);
  client& lagging = join("/inbox");  // with a queue, and a send that waits
  lagging.pause();
  s.run_ready();
  for (int i = 0; i < 30; ++i) {
    handles.back().try_send(std::string(64'000, 'x'));
    s.run_ready();
  }
  const session blocked = handles.back();
  join("/").is_stubborn = true;  // closing, with a close() that waits
  handles.back().close(close_code::normal, "", never);
  client& lingering = join("/");
  lingering.is_stubborn = true;
  lingering.write(close_frame(1000));
  join("/coroutine");                    // waits in receive
  join("/coroutine").send("an answer");  // in between
  s.run_ready();
  // With letters in the mailbox, and a turn that was asked for.
  for (const session& ws : handles) {
    ws.try_send("a letter");
    ws.send("another", never);
    ws.receive(never);
    ws.try_close();
  }
  const std::size_t events = seen.events.size();

  peers.clear();  // which the server does not see any more
  s.destroy_context();
  CHECK(operations <= 1);  // a second receive may have been refused before
  CHECK(coroutines == 2);
  CHECK(seen.events.size() == events);
  for (const session& ws : handles) {
    CHECK_FALSE(ws.is_open());
    CHECK(ws.try_send("a") == send_result::closed);
    CHECK(ws.try_close() == errc::closed);
    CHECK(ws.subprotocol().empty());
  }
}

TEST_CASE("operations_on_a_handle_that_outlives_its_context_end_as_closed") {
  asio::io_context elsewhere;
  std::optional<session> ws;
  {
    stage s(any_form());
    record seen;
    s.server().route("/", seen.without_messages());
    const auto peer = s.join();
    REQUIRE(peer);
    ws = seen.ws;
  }
  std::vector<std::error_code> errors;
  const auto on_elsewhere = [&](auto f) { return asio::bind_executor(elsewhere.get_executor(), f); };
  ws->receive(on_elsewhere([&](std::error_code ec, std::optional<message> m) {
    CHECK_FALSE(m);
    errors.push_back(ec);
  }));
  ws->send("a", on_elsewhere([&](std::error_code ec) { errors.push_back(ec); }));
  bool closed = false;
  ws->close(close_code::normal, "", on_elsewhere([&](std::error_code ec) { closed = !ec; }));
  elsewhere.run();
  CHECK(errors == std::vector<std::error_code>{errc::closed, errc::closed});
  CHECK(closed);
}

TEST_CASE("a_receive_that_waits_for_another_executor_is_dropped_with_the_context") {
  asio::io_context elsewhere;
  bool called = false;
  auto kept = std::make_shared<int>();
  {
    stage s;
    record seen;
    s.server().route("/", seen.without_messages());
    const auto peer = s.join();
    REQUIRE(peer);
    seen.ws->receive(asio::bind_executor(
        elsewhere.get_executor(), [&, kept](std::error_code, std::optional<message>) { called = true; }));
    s.run_ready();
    CHECK(kept.use_count() == 2);
  }
  CHECK(kept.use_count() == 1);
  elsewhere.run();
  CHECK_FALSE(called);
}

TEST_CASE("sessions_live_on_when_the_server_is_destroyed_before_the_context") {
  stage s(any_form());
  record seen;
  int errors = 0;
  s.server().on_error([&](const session&, std::exception_ptr) { ++errors; });
  handlers h = seen.callbacks();
  h.on_message = [&, inner = h.on_message](session& ws, message_view m) {
    inner(ws, m);
    if (m.text() == "throw") throw std::runtime_error("after the server");
    ws.try_send(m);
  };
  s.server().route("/", h);
  const auto peer = s.join();
  const auto half = s.connect();
  const auto other = s.join();
  REQUIRE(peer);
  REQUIRE(other);
  half->write("GET / HTTP/1.1\r\nHo");
  s.run_ready();
  s.destroy_server();
  peer->send("a");
  REQUIRE(s.run_until([&] { return peer->messages.size() == 1; }));
  half->write("st: a\r\n\r\n");
  REQUIRE(s.run_until([&] { return half->status() == 426; }));
  peer->send("throw");
  REQUIRE(s.run_until([&] { return peer->is_over(); }));
  CHECK(peer->closed->code == close_code::internal_error);
  CHECK(errors == 1);
  other->close();
  REQUIRE(s.run_until([&] { return other->is_over(); }));
  CHECK(seen.closes == 2);
}
