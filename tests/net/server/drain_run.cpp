#include <net/server/running_server.hpp>
#include <support/catch.hpp>

#include <asio/steady_timer.hpp>

#include <atomic>
#include <csignal>
#include <future>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

// What server::drain() does with signals, with several threads and with sockets.

using namespace net_test;

namespace {

server_options hasty_drain(server_options options) {
  options.drain = {.within = 5s, .spread = 100ms, .retry_after_max = 100ms};
  options.session.connection.close_timeout = 300ms;
  return options;
}

/// What a blocking client that asks for an upgrade reads to the end.
std::string ask_for_upgrade(std::uint16_t port) {
  asio::io_context context;
  asio::ip::tcp::socket socket(context);
  socket.connect({asio::ip::address_v4::loopback(), port});
  const std::string request = upgrade_request_for("/");
  asio::write(socket, asio::buffer(request));
  std::string answer;
  std::error_code ec;
  asio::read(socket, asio::dynamic_buffer(answer), ec);
  return answer;
}

}  // namespace

TEST_CASE("run_returns_when_a_drain_from_another_thread_is_done", "[threads]") {
  const link_kind kind = any_kind();
  const std::size_t threads = GENERATE(1, 3);
  server s(hasty_drain(on_loopback(kind, threads)));
  s.route("/", handlers{});
  s.ready("/ready");
  running_server running(s);
  std::vector<std::unique_ptr<remote_client>> peers;
  for (int i = 0; i < 12; ++i) {
    peers.push_back(std::make_unique<remote_client>(s.port()));
    REQUIRE(peers.back()->join());
  }
  auto drained = s.drain({.within = 10s, .spread = 0s}, asio::use_future);
  CHECK_FALSE(running.has_returned(0ms));
  for (const auto& peer : peers) {
    REQUIRE(peer->run_until([&] { return peer->peer->is_over(); }));
    REQUIRE(peer->peer->closed);
    CHECK(peer->peer->closed->code == close_code::service_restart);
  }
  REQUIRE(drained.wait_for(patience) == std::future_status::ready);
  const drain_report report = drained.get();
  CHECK(report.told == 12);
  CHECK(report.cut == 0);
  // Of twelve one at a time, whichever threads they are on.
  CHECK(report.took >= 1100ms);
  REQUIRE(running.has_returned());
  CHECK(s.connection_count() == 0);
  asio::ip::tcp::socket socket(peers.front()->context);
  CHECK_THROWS_AS(socket.connect({asio::ip::address_v4::loopback(), s.port()}), std::system_error);
}

TEST_CASE("a_drain_asked_for_before_run_lets_run_return_at_once", "[threads]") {
  server s(on_loopback());
  drain_report report{.told = 7, .cut = 7};
  s.drain({}, [&](std::error_code, const drain_report& r) { report = r; });
  running_server running(s);
  CHECK(running.has_returned());
  CHECK(report.told == 0);
}

TEST_CASE("a_coroutine_may_wait_for_a_drain", "[threads]") {
  server s(hasty_drain(on_loopback()));
  std::atomic<std::size_t> told = 0;
  s.route("/", [&](session ws) -> asio::awaitable<void> {
    if (!co_await ws.receive()) co_return;
    const drain_report report = co_await s.drain();
    told = report.told;
  });
  running_server running(s);
  remote_client peer(s.port());
  REQUIRE(peer.join());
  peer.peer->send("drain");
  REQUIRE(peer.run_until([&] { return peer.peer->is_over(); }));
  CHECK(running.has_returned());
  CHECK(told == 1);
}

TEST_CASE("what_waits_to_be_accepted_when_a_drain_ends_is_answered_and_not_reset") {
  const link_kind kind = any_kind();
  asio::io_context context(1);
  server_options options = on_loopback(kind);
  server s(context, options);
  s.route("/", handlers{});
  s.listen();
  std::vector<std::future<std::string>> answers;
  asio::io_context elsewhere;
  std::vector<asio::ip::tcp::socket> late;
  for (int i = 0; i < 200; ++i) {
    late.emplace_back(elsewhere).connect({asio::ip::address_v4::loopback(), s.port()});
  }
  // No session, so that the drain's last step is its first: nothing of these has been accepted.
  bool done = false;
  drain_report report;
  s.drain({}, [&](std::error_code, const drain_report& r) {
    done = true;
    report = r;
  });
  while (s.connection_count() == 0) REQUIRE(context.run_one_for(patience) == 1);
  std::thread clients([&] {
    for (auto& socket : late) {
      const std::string request = upgrade_request_for("/");
      asio::write(socket, asio::buffer(request));
    }
  });
  clients.join();
  const time_point give_up = clock::now() + patience;
  std::size_t refused = 0;
  while (refused < late.size() && clock::now() < give_up) {
    context.restart();
    context.run_for(10ms);
    for (; refused < late.size(); ++refused) {
      late[refused].non_blocking(true);
      std::string answer;
      std::error_code ec;
      asio::read(late[refused], asio::dynamic_buffer(answer), ec);
      if (ec == asio::error::would_block && answer.empty()) break;
      CHECK(ec == asio::error::eof);
      CHECK(answer.starts_with("HTTP/1.1 503 "));
      CHECK_FALSE(field_in(answer, "Retry-After").empty());
      late[refused].close();
    }
  }
  CHECK(refused == late.size());
  context.restart();
  context.run_for(patience);
  REQUIRE(done);
  CHECK(report.cut == 0);
  CHECK(context.stopped());
}

TEST_CASE("upgrades_are_refused_and_other_requests_answered_until_a_drain_ends", "[threads]") {
  server s(hasty_drain(on_loopback(any_kind(), 2)));
  s.route("/", handlers{});
  s.ready("/ready");
  running_server running(s);
  remote_client stubborn(s.port());
  stubborn.peer->is_stubborn = true;
  REQUIRE(stubborn.join());
  auto drained = s.drain({}, asio::use_future);
  const std::string answer = ask_for_upgrade(s.port());
  CHECK(answer.starts_with("HTTP/1.1 503 "));
  CHECK_FALSE(field_in(answer, "Retry-After").empty());
  CHECK(running.has_returned());
  CHECK(drained.get().told == 1);
}

TEST_CASE("the_first_signal_drains_and_a_second_ends_all_at_once") {
  const int signal = GENERATE(SIGTERM, SIGINT);
  const bool is_impatient = GENERATE(false, true);
  child_process child([](int ready) {
    auto options = on_loopback();
    options.drain = {.within = 1h, .spread = 0s, .retry_after_min = 77ms, .retry_after_max = 77ms};
    options.session.connection.close_timeout = 1h;
    server s(options);
    s.route("/", handlers{});
    s.listen();
    tell_port(ready, s.port());
    s.run();
  });
  remote_client patient(child.port());
  remote_client stubborn(child.port());
  stubborn.peer->is_stubborn = is_impatient;
  REQUIRE(patient.join());
  REQUIRE(stubborn.join());
  child.send(signal);
  for (remote_client* c : {&patient, &stubborn}) {
    REQUIRE(c->run_until([&] { return c->peer->closed.has_value(); }));
    CHECK(c->peer->closed->code == close_code::service_restart);
    CHECK(c->peer->closed->reason == "retry-after-ms=77");
  }
  REQUIRE(patient.run_until([&] { return patient.peer->is_over(); }));
  if (is_impatient) child.send(signal);
  CHECK(stubborn.run_until([&] { return child.has_ended(); }));
  CHECK(child.exit_status() == 0);
}
