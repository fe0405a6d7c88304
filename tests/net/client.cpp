#include <fairlead/net/client.hpp>

#include <net/session_support.hpp>
#include <support/catch.hpp>
#include <support/certificates.hpp>

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>

using namespace net_test;

// connect() against a server of ours, in one context.

namespace {

struct outcome {
  bool is_done = false;
  std::error_code error;
  session ws;
};

/// A server on one thread with its clients.
class client_stage : public stage {
 public:
  explicit client_stage(link_form f = link_form::epoll, bool with_tls = false, server_options options = {})
      : stage(f, with_server_tls(std::move(options), with_tls)), secure_(with_tls) {
    server().route("/echo", handlers{.on_message = [](session& ws, message_view m) { ws.try_send(m); }});
    server().listen();
  }

  std::string url(std::string_view target = "/echo") {
    return (secure_ ? "wss://localhost:" : "ws://localhost:") + std::to_string(server().port()) +
           std::string(target);
  }

  client_options options() const {
    client_options o;
    o.link = form == link_form::asio ? link_kind::asio : link_kind::epoll;
    if (secure_) o.tls = certificates::usual::instance().client();
    return o;
  }

  outcome connect(const std::string& where, client_options o) {
    outcome result;
    fairlead::connect(context, where, std::move(o), [&](std::error_code ec, session ws) {
      result = {true, ec, std::move(ws)};
    });
    REQUIRE(run_until([&] { return result.is_done; }));
    return result;
  }
  outcome connect() { return connect(url(), options()); }

 private:
  static server_options with_server_tls(server_options options, bool with_tls) {
    if (with_tls) options.tls = certificates::usual::instance().server();
    return options;
  }

  bool secure_;
};

}  // namespace

TEST_CASE("a_client_and_a_server_exchange_messages") {
  const link_form form = GENERATE(link_form::epoll, link_form::asio);
  const bool secure = GENERATE(false, true);
  CAPTURE(form, secure);
  client_stage s(form, secure);
  outcome o = s.connect();
  REQUIRE_FALSE(o.error);
  for (const std::size_t size : {0, 1, 1000, 65'536}) {
    const std::string text(size, 'x');
    CHECK(o.ws.try_send(text) == send_result::posted);  // the test is not on the session's thread
    std::optional<message> answer;
    o.ws.receive([&](std::error_code ec, std::optional<message> m) {
      CHECK_FALSE(ec);
      answer = std::move(m);
    });
    REQUIRE(s.run_until([&] { return answer.has_value(); }));
    CHECK((answer->text() == text));
  }
  bool closed = false;
  o.ws.close(close_code::normal, "done", [&](std::error_code ec) {
    CHECK_FALSE(ec);
    closed = true;
  });
  CHECK(s.run_until([&] { return closed; }));
}

TEST_CASE("a_client_awaits_its_connection") {
  client_stage s;
  std::string received;
  bool is_over = false;
  asio::co_spawn(
      s.context,
      [&]() -> asio::awaitable<void> {
        session ws = co_await fairlead::connect(co_await asio::this_coro::executor, s.url());
        co_await ws.send("hello");
        received = (co_await ws.receive()).value().text();
        co_await ws.close(close_code::normal, "");
        is_over = true;
      },
      asio::detached);
  REQUIRE(s.run_until([&] { return is_over; }));
  CHECK(received == "hello");
}

TEST_CASE("a_refused_upgrade_is_the_servers_status") {
  client_stage s;
  const outcome o = s.connect(s.url("/nothing"), s.options());
  CHECK(o.error == http_status::not_found);
  CHECK(o.error == errc_condition::handshake_failed);
  CHECK(stage_of(o.error) == connect_stage::handshake);
  CHECK_FALSE(o.ws.is_open());
}
