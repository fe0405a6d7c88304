#include <fairlead/net/link/epoll_listener.hpp>
#include <fairlead/net/link/epoll_set.hpp>

#include <fairlead/net/server/server.hpp>

#include <net/link/link_support.hpp>
#include <support/catch.hpp>

#include <asio/post.hpp>
#include <asio/steady_timer.hpp>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <ctime>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <thread>

#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>

// The rules of the epoll set (docs/design/net.md), a case or more for each.

using namespace fairlead;
using namespace link_support;

namespace {

void send_raw(const descriptor& peer, std::string_view text) {
  while (!text.empty()) {
    const auto n = ::send(peer.get(), text.data(), text.size(), MSG_NOSIGNAL);
    if (n < 0) throw std::system_error(errno, std::system_category(), "send");
    text.remove_prefix(static_cast<std::size_t>(n));
  }
}

/// What has arrived at `peer`, appended to `text`.
void receive_raw(const descriptor& peer, std::string& text) {
  std::array<char, 4096> buffer;
  const auto n = ::recv(peer.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (n > 0) text.append(buffer.data(), static_cast<std::size_t>(n));
}

/// A link of a set, started, and the raw socket at its other end.
struct served_link {
  explicit served_link(epoll_set& set, socket_pair pair = make_local_pair()) : peer(std::move(pair.far)) {
    number = pair.near.get();
    sink.link = set.make_link(pair.near.release());
    sink.start();
  }

  recorder sink;
  descriptor peer;
  int number = -1;
};

struct set_of_links {
  asio::io_context context{1};
  epoll_set& set = asio::use_service<epoll_set>(context);
};

descriptor make_listener() {
  descriptor listener(check(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket"));
  const sockaddr_in address = loopback(0);
  check(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), "bind");
  check(::listen(listener.get(), 1000), "listen");
  return listener;
}

std::uint16_t port_of(const descriptor& socket) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  check(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size), "getsockname");
  return ntohs(address.sin_port);
}

}  // namespace

// --- Paused links, and what epoll reports whether asked or not.

TEST_CASE("a_reset_while_paused_is_told_once_and_then_costs_nothing") {
  set_of_links s;
  served_link broken(s.set, make_tcp_pair());
  const served_link idle(s.set);
  broken.sink.pause();
  reset_on_close(broken.peer.get());
  broken.peer.reset();
  REQUIRE(run_until(s.context, [&] { return broken.sink.errors != 0; }));
  CHECK(run_a_moment(s.context) == 0);
  CHECK(broken.sink.errors == 1);
}

TEST_CASE("a_peer_that_floods_a_paused_link_costs_nothing") {
  set_of_links s;
  served_link link(s.set, make_tcp_pair());
  link.sink.pause();
  const std::string text(64 * 1024, 'x');
  while (::send(link.peer.get(), text.data(), text.size(), MSG_NOSIGNAL) > 0) {
  }
  run_a_moment(s.context);
  CHECK(run_a_moment(s.context, 50ms) == 0);
  CHECK(link.sink.calls() == 0);
}

TEST_CASE("a_peer_that_half_closes_a_paused_link_costs_nothing") {
  set_of_links s;
  const bool tcp = GENERATE(true, false);
  served_link link(s.set, tcp ? make_tcp_pair() : make_local_pair());
  link.sink.pause();
  send_raw(link.peer, "more");
  ::shutdown(link.peer.get(), SHUT_WR);
  run_a_moment(s.context);
  CHECK(run_a_moment(s.context, 50ms) == 0);
  CHECK(link.sink.calls() == 0);
}

TEST_CASE("a_peer_that_closes_a_paused_link_costs_nothing") {
  set_of_links s;
  const bool tcp = GENERATE(true, false);
  served_link link(s.set, tcp ? make_tcp_pair() : make_local_pair());
  link.sink.pause();
  link.sink.shutdown();  // now both directions are done: EPOLLHUP over TCP as well
  send_raw(link.peer, "more");
  link.peer.reset();
  run_a_moment(s.context);
  CHECK(run_a_moment(s.context, 50ms) == 0);
  CHECK(link.sink.calls() == 0);
  link.sink.resume();
  REQUIRE(run_until(s.context, [&] { return link.sink.eofs == 1; }));
  CHECK(link.sink.received == "more");
}

TEST_CASE("a_link_at_the_end_of_its_input_costs_nothing") {
  set_of_links s;
  served_link link(s.set, make_tcp_pair());
  ::shutdown(link.peer.get(), SHUT_WR);
  REQUIRE(run_until(s.context, [&] { return link.sink.eofs == 1; }));
  CHECK(run_a_moment(s.context, 50ms) == 0);
}

TEST_CASE("a_link_that_may_write_again_is_told_once") {
  set_of_links s;
  served_link link(s.set);
  int told = 0;
  link.sink.fill();
  link.sink.in_on_writable = [&] {
    ++told;
    link.sink.close();
  };
  std::string text;
  REQUIRE(run_until(s.context, [&] {
    receive_raw(link.peer, text);
    return told != 0;
  }));
  CHECK(told == 1);
}

// --- Removing and reusing inside a batch.

TEST_CASE("a_link_closed_by_an_earlier_event_of_its_batch_gets_none") {
  set_of_links s;
  served_link one(s.set);
  served_link other(s.set);
  one.sink.in_on_bytes = [&] { other.sink.close(); };
  other.sink.in_on_bytes = [&] { one.sink.close(); };
  send_raw(one.peer, "1");
  send_raw(other.peer, "2");
  run_a_moment(s.context);
  CHECK(one.sink.reads + other.sink.reads == 1);
  CHECK(one.sink.calls() + other.sink.calls() == 2);  // with its read_room()
  CHECK(one.sink.wrong + other.sink.wrong == 0);
  CHECK(s.set.size() == 1);
}

// Slot and descriptor are both those of the link that is gone; only the generation tells the two apart.
TEST_CASE("a_descriptor_reused_inside_a_batch_gets_no_event_of_the_link_before_it") {
  set_of_links s;
  served_link one(s.set);
  served_link other(s.set);
  socket_pair fresh = make_local_pair();
  recorder next;
  const auto replace = [&](served_link& gone) {
    const int number = gone.number;
    gone.sink.close();
    const int reused = ::fcntl(fresh.near.get(), F_DUPFD_CLOEXEC, number);
    REQUIRE(reused == number);
    next.link = s.set.make_link(reused);
    next.start();
  };
  one.sink.in_on_bytes = [&] { replace(other); };
  other.sink.in_on_bytes = [&] { replace(one); };
  send_raw(one.peer, "1");
  send_raw(other.peer, "2");
  run_a_moment(s.context);
  CHECK(one.sink.reads + other.sink.reads == 1);
  CHECK(next.calls() == 0);
  send_raw(fresh.far, "for the new one");
  CHECK(run_until(s.context, [&] { return next.received == "for the new one"; }));
}

TEST_CASE("a_link_closed_inside_its_own_call_is_freed_after_the_batch") {
  set_of_links s;
  std::vector<std::unique_ptr<served_link>> links;
  for (int i = 0; i < 100; ++i) {
    links.push_back(std::make_unique<served_link>(s.set));
    links.back()->sink.in_on_bytes = [&s, &sink = links.back()->sink] {
      sink.close();
      s.set.make_link(make_local_pair().near.release()).reset();  // the slots move on meanwhile
    };
    send_raw(links.back()->peer, "x");
  }
  CHECK(runs_out(s.context));
  CHECK(std::all_of(links.begin(), links.end(), [](const auto& l) { return l->sink.reads == 1; }));
  CHECK(s.set.size() == 0);
}

// Closing a descriptor does not take it out of an epoll set while a duplicate of it lives, in this process or
// in a child.
TEST_CASE("a_duplicate_of_a_closed_descriptor_keeps_no_events_coming") {
  set_of_links s;
  served_link gone(s.set);
  const served_link idle(s.set);
  const descriptor duplicate(::fcntl(gone.number, F_DUPFD_CLOEXEC, 0));
  gone.sink.close();
  send_raw(gone.peer, "for nobody");
  run_a_moment(s.context);
  const std::clock_t before = std::clock();
  CHECK(run_a_moment(s.context, 50ms) == 0);
  CHECK(std::clock() - before < CLOCKS_PER_SEC / 50);
  CHECK(gone.sink.calls() == 0);
}

TEST_CASE("what_a_sink_throws_leaves_the_set_serving") {
  set_of_links s;
  std::vector<std::unique_ptr<served_link>> links;
  for (int i = 0; i < 20; ++i) {
    links.push_back(std::make_unique<served_link>(s.set));
    send_raw(links.back()->peer, "x");
  }
  links[0]->sink.in_on_bytes = [&] {
    links[0]->sink.close();
    throw std::runtime_error("no");
  };
  CHECK_THROWS_AS(run_a_moment(s.context), std::runtime_error);
  const auto served = [&](std::size_t bytes) {
    return std::all_of(links.begin() + 1, links.end(),
                       [=](const auto& l) { return l->sink.received.size() == bytes; });
  };
  CHECK(run_until(s.context, [&] { return served(1); }));
  for (std::size_t i = 1; i < links.size(); ++i) send_raw(links[i]->peer, "y");
  CHECK(run_until(s.context, [&] { return served(2); }));
  links.clear();
  CHECK(runs_out(s.context));
}

// --- Armed only while there is something to wait for.

TEST_CASE("an_empty_set_lets_run_return") {
  set_of_links s;
  CHECK(runs_out(s.context));
  for (int i = 0; i < 5; ++i) {
    CAPTURE(i);
    auto link = std::make_unique<served_link>(s.set);
    run_a_moment(s.context, 1ms);
    CHECK_FALSE(s.context.stopped());
    if (i % 2 == 0) {  // closed outside, or inside a batch
      link->sink.close();
    } else {
      link->sink.in_on_bytes = [&] { link->sink.close(); };
      send_raw(link->peer, "x");
    }
    CHECK(runs_out(s.context));
    CHECK(s.set.size() == 0);
  }
}

TEST_CASE("a_set_that_was_empty_for_a_moment_goes_on_serving") {
  set_of_links s;
  auto first = std::make_unique<served_link>(s.set);
  run_a_moment(s.context, 1ms);
  first->sink.close();
  served_link second(s.set);  // before the wait that was cancelled has ended
  send_raw(second.peer, "x");
  REQUIRE(run_until(s.context, [&] { return second.sink.reads == 1; }));
  second.sink.close();
  CHECK(runs_out(s.context));
}

TEST_CASE("a_link_that_never_started_keeps_no_run_from_returning") {
  set_of_links s;
  { const link_ptr link = s.set.make_link(make_local_pair().near.release()); }
  CHECK(runs_out(s.context));
}

// --- Turns.

// R12: many ready sockets, all the time.
TEST_CASE("other_handlers_get_their_turn_between_the_batches_of_many_ready_links") {
  set_of_links s;
  constexpr std::size_t count = 300;  // more than one batch
  constexpr std::size_t size = 60;
  std::vector<std::unique_ptr<served_link>> links;
  std::size_t reads = 0;
  for (std::size_t i = 0; i < count; ++i) {
    links.push_back(std::make_unique<served_link>(s.set));
    links.back()->sink.room.resize(1);  // so that it stays ready
    links.back()->sink.in_on_bytes = [&] { ++reads; };
    send_raw(links.back()->peer, pattern(size));
  }
  std::size_t last = 0;
  std::size_t longest_turn = 0;
  int most_behind = 0;
  std::function<void()> other_handler = [&] {
    longest_turn = std::max(longest_turn, reads - last);
    last = reads;
    const auto [least, most] =
        std::minmax_element(links.begin(), links.end(),
                            [](const auto& a, const auto& b) { return a->sink.reads < b->sink.reads; });
    most_behind = std::max(most_behind, (*most)->sink.reads - (*least)->sink.reads);
    if (reads < count * size) asio::post(s.context, other_handler);
  };
  asio::post(s.context, other_handler);
  REQUIRE(run_until(s.context, [&] { return reads == count * size; }));
  CHECK(longest_turn <= 8 * 256);
  CHECK(longest_turn >= 256);
  CHECK(most_behind <= 2);
}

// R12: links with much to read. What a batch did not get to comes first in the next one.
TEST_CASE("a_turn_ends_after_a_mebibyte_and_goes_on_where_it_ended") {
  set_of_links s;
  constexpr std::size_t count = 40;
  constexpr std::size_t size = 150 * 1024;
  std::vector<std::unique_ptr<served_link>> links;
  std::vector<std::size_t> order;
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < count; ++i) {
    socket_pair pair = make_local_pair();
    const int large = 1024 * 1024;
    ::setsockopt(pair.far.get(), SOL_SOCKET, SO_SNDBUF, &large, sizeof large);
    links.push_back(std::make_unique<served_link>(s.set, std::move(pair)));
    send_raw(links.back()->peer, pattern(size));
    links.back()->sink.in_on_bytes = [&, i] {
      order.push_back(i);
      bytes = 0;
      for (const auto& l : links) bytes += l->sink.received.size();
    };
  }
  std::size_t last = 0;
  std::size_t longest_turn = 0;
  std::function<void()> other_handler = [&] {
    longest_turn = std::max(longest_turn, bytes - last);
    last = bytes;
    if (bytes < count * size) asio::post(s.context, other_handler);
  };
  asio::post(s.context, other_handler);
  REQUIRE(run_until(s.context, [&] { return bytes == count * size; }));
  CHECK(longest_turn <= 1024 * 1024 + epoll_set::receive_buffer_size);
  CHECK(longest_turn >= 512 * 1024);
  REQUIRE(order.size() >= count);
  CHECK(std::set<std::size_t>(order.begin(), order.begin() + count).size() == count);
}

// R12: a sink with much room must not hold up the others for as long as it takes to fill it.
TEST_CASE("one_read_is_bounded_whatever_room_the_sink_has") {
  set_of_links s;
  // A local socket holds all that was sent on the reader's side, whatever TCP's window would be.
  socket_pair pair = make_local_pair();
  const int large = 1024 * 1024;
  ::setsockopt(pair.far.get(), SOL_SOCKET, SO_SNDBUF, &large, sizeof large);
  served_link link(s.set, std::move(pair));
  link.sink.room.resize(1024 * 1024);
  const std::string text = pattern(150 * 1024);
  send_raw(link.peer, text);
  REQUIRE(run_until(s.context, [&] { return link.sink.received.size() == text.size(); }));
  CHECK(link.sink.largest_read == epoll_set::max_room_read_size);
  CHECK((link.sink.received == text));
}

// --- Listeners.

TEST_CASE("a_listener_accepts_a_bounded_number_a_turn") {
  set_of_links s;
  descriptor socket = make_listener();
  std::vector<descriptor> clients;
  for (int i = 0; i < 200; ++i) clients.push_back(connect_to(port_of(socket)));
  int accepted = 0;
  int largest_turn = 0;
  int last = 0;
  auto owned = std::make_unique<epoll_listener>(
      s.set, socket.release(),
      [&](int connection) {
        ++accepted;
        ::close(connection);
      },
      [] {});
  epoll_listener& listener = *owned;
  s.set.add(std::move(owned));
  listener.resume();
  std::function<void()> other_handler = [&] {
    largest_turn = std::max(largest_turn, accepted - last);
    last = accepted;
    if (accepted < 200) asio::post(s.context, other_handler);
  };
  asio::post(s.context, other_handler);
  CHECK(run_until(s.context, [&] { return accepted == 200; }));
  run_a_moment(s.context, 5ms);  // for the other handler to count the last turn
  CHECK(largest_turn <= 64);
  s.set.remove(listener);
  CHECK(runs_out(s.context));
}

TEST_CASE("a_listener_may_be_removed_while_it_accepts") {
  set_of_links s;
  descriptor socket = make_listener();
  std::vector<descriptor> clients;
  for (int i = 0; i < 10; ++i) clients.push_back(connect_to(port_of(socket)));
  int accepted = 0;
  epoll_listener* listener = nullptr;
  descriptor reused;
  auto owned = std::make_unique<epoll_listener>(
      s.set, socket.release(),
      [&](int connection) {
        ++accepted;
        ::close(connection);
        if (listener == nullptr) return;
        s.set.remove(*std::exchange(listener, nullptr));
        // Gets the listener's number, and waiting connections of its own.
        reused = make_listener();
        for (int i = 0; i < 10; ++i) clients.push_back(connect_to(port_of(reused)));
      },
      [] {});
  listener = owned.get();
  s.set.add(std::move(owned));
  listener->resume();
  CHECK(runs_out(s.context));
  CHECK(accepted == 1);
}

namespace {

/// A server in a process of its own that may open few descriptors.
class starved_server {
 public:
  starved_server(link_kind kind, rlim_t limit) {
    socket_pair pair = make_local_pair();
    control_ = std::move(pair.near);
    child_ = check(::fork(), "fork");
    if (child_ == 0) {
      control_.reset();
      serve(kind, limit, pair.far.release());
    }
    port = static_cast<std::uint16_t>(answer());
  }

  ~starved_server() {
    control_.reset();
    const auto limit = clock::now() + patience;
    while (::waitpid(child_, nullptr, WNOHANG) == 0) {
      if (clock::now() > limit) ::kill(child_, SIGKILL);
      ::poll(nullptr, 0, 5);
    }
  }

  /// The processor time that it has used. An answer shows that it lives.
  std::chrono::microseconds processor_time() {
    send_raw(control_, "?");
    return std::chrono::microseconds(answer());
  }

  std::uint16_t port = 0;

 private:
  [[noreturn]] static void serve(link_kind kind, rlim_t limit, int control) {
    try {
      const rlimit few{limit, limit};
      check(::setrlimit(RLIMIT_NOFILE, &few), "setrlimit");
      asio::io_context context(1);
      server_options options;
      options.address = "127.0.0.1";
      options.link = kind;
      server s(context, options);
      s.health("/health");
      s.listen();
      asio::posix::stream_descriptor commands(context, control);
      reply(commands, s.port());
      std::function<void(std::error_code)> on_command = [&](std::error_code ec) {
        char command = 0;
        if (ec || ::recv(control, &command, 1, 0) <= 0) return context.stop();
        rusage used{};
        ::getrusage(RUSAGE_SELF, &used);
        const auto in_us = [](const timeval& t) { return t.tv_sec * 1'000'000 + t.tv_usec; };
        reply(commands, in_us(used.ru_utime) + in_us(used.ru_stime));
        commands.async_wait(asio::posix::stream_descriptor::wait_read, on_command);
      };
      commands.async_wait(asio::posix::stream_descriptor::wait_read, on_command);
      context.run();
    } catch (...) {
      ::_exit(1);
    }
    ::_exit(0);
  }

  static void reply(asio::posix::stream_descriptor& commands, long value) {
    ::send(commands.native_handle(), &value, sizeof value, MSG_NOSIGNAL);
  }

  long answer() {
    pollfd ready{control_.get(), POLLIN, 0};
    long value = 0;
    if (::poll(&ready, 1, std::chrono::milliseconds(patience).count()) != 1 ||
        ::recv(control_.get(), &value, sizeof value, 0) != sizeof value) {
      throw std::runtime_error("the server does not answer");
    }
    return value;
  }

  descriptor control_;
  pid_t child_ = -1;
};

}  // namespace

// H25
TEST_CASE("a_server_out_of_descriptors_waits_and_then_accepts_again") {
  const link_kind kind = GENERATE(link_kind::epoll, link_kind::asio);
  CAPTURE(kind == link_kind::epoll);
  starved_server server(kind, 64);
  std::vector<descriptor> clients;
  for (int i = 0; i < 200; ++i) clients.push_back(connect_to(server.port));

  const auto wall = clock::now();
  const auto used_before = server.processor_time();
  ::poll(nullptr, 0, 500);  // a stretch to measure, not a wait for something
  const auto used = server.processor_time() - used_before;
  CHECK(used * 20 < clock::now() - wall);

  // More than it could hold go; one that waited in the backlog all the while is served soon.
  clients.erase(clients.begin(), clients.begin() + 60);
  const auto freed = clock::now();
  const descriptor& waiting = clients[10];
  send_raw(waiting, "GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
  std::array<char, 1000> answer{};
  REQUIRE(::recv(waiting.get(), answer.data(), answer.size(), 0) > 0);
  CHECK(clock::now() - freed < 1s);
  CHECK(std::string_view(answer.data()).starts_with("HTTP/1.1 200 "));
}

// --- Threads.

TEST_CASE("a_batch_on_a_second_thread_is_refused_and_left_to_the_first", "[threads]") {
  set_of_links s;
  served_link link(s.set);
  send_raw(link.peer, "one");
  REQUIRE(run_until(s.context, [&] { return link.sink.received == "one"; }));
  send_raw(link.peer, "two");
  std::error_code thrown;
  std::thread second([&] {
    try {
      s.context.restart();
      s.context.run_for(patience);
    } catch (const std::system_error& e) {
      thrown = e.code();
    }
  });
  second.join();
  CHECK(thrown == errc::wrong_thread);
  CHECK(link.sink.received == "one");
  CHECK(run_until(s.context, [&] { return link.sink.received == "onetwo"; }));
}

TEST_CASE("a_second_thread_is_turned_away_while_the_first_serves", "[threads]") {
  asio::io_context context;
  auto& set = asio::use_service<epoll_set>(context);
  served_link link(set);
  send_raw(link.peer, "x");
  REQUIRE(run_until(context, [&] { return link.sink.reads == 1; }));
  std::atomic<bool> turned_away = false;
  std::thread second([&] {
    try {
      context.run_for(patience);
    } catch (const std::system_error& e) {
      turned_away = e.code() == errc::wrong_thread;
    }
  });
  std::size_t sent = 1;
  CHECK(run_until(context, [&] {
    if (turned_away) return true;
    send_raw(link.peer, "x");
    ++sent;
    return false;
  }));
  second.join();
  CHECK(run_until(context, [&] { return link.sink.received.size() == sent; }));
}

TEST_CASE("a_set_that_became_empty_may_be_served_by_another_thread", "[threads]") {
  set_of_links s;
  const bool in_batch = GENERATE(true, false);
  CAPTURE(in_batch);
  auto first = std::make_unique<served_link>(s.set);
  if (in_batch) first->sink.in_on_bytes = [&] { first->sink.close(); };
  send_raw(first->peer, "x");
  REQUIRE(run_until(s.context, [&] { return first->sink.reads == 1; }));
  if (!in_batch) first->sink.close();
  served_link next(s.set);
  send_raw(next.peer, "x");
  bool served = false;
  std::thread second([&] {
    try {
      served = run_until(s.context, [&] { return next.sink.reads == 1; });
    } catch (const std::system_error&) {
    }
  });
  second.join();
  CHECK(served);
}

// --- Forks.

TEST_CASE("after_a_fork_the_child_serves_its_link_and_the_parent_its_own") {
  set_of_links s;
  served_link ours(s.set);
  served_link theirs(s.set);
  std::string who = "parent:";
  for (served_link* l : {&ours, &theirs}) {
    l->sink.in_on_bytes = [&who, &sink = l->sink] { sink.send(who + sink.received.back()); };
  }
  run_a_moment(s.context, 1ms);

  s.context.notify_fork(asio::execution_context::fork_prepare);
  const pid_t child = check(::fork(), "fork");
  if (child == 0) {
    bool served = false;
    try {
      s.context.notify_fork(asio::execution_context::fork_child);
      who = "child:";
      ours.sink.close();  // the parent's goes on
      ours.peer.reset();
      theirs.peer.reset();
      served = run_until(s.context, [&] { return theirs.sink.eofs != 0; });
    } catch (...) {
    }
    ::_exit(served ? 0 : 1);
  }
  s.context.notify_fork(asio::execution_context::fork_parent);
  theirs.sink.close();

  const auto exchange = [&](served_link& l, std::string_view text, const std::string& expected) {
    std::string answer;
    send_raw(l.peer, text);
    return run_until(s.context, [&] {
      receive_raw(l.peer, answer);
      return answer == expected;
    });
  };
  CHECK(exchange(theirs, "a", "child:a"));
  CHECK(exchange(ours, "b", "parent:b"));
  CHECK(exchange(theirs, "c", "child:c"));
  theirs.peer.reset();
  int status = -1;
  CHECK(run_until(s.context, [&] { return ::waitpid(child, &status, WNOHANG) == child; }));
  CHECK(status == 0);
  CHECK(exchange(ours, "d", "parent:d"));
}

// What notify_fork() does in the child can be seen without one.
TEST_CASE("a_set_made_anew_is_waited_for_once") {
  set_of_links s;
  served_link link(s.set);
  run_a_moment(s.context, 1ms);
  s.context.notify_fork(asio::execution_context::fork_child);
  run_a_moment(s.context, 1ms);
  for (std::size_t i = 1; i <= 3; ++i) {
    send_raw(link.peer, "x");
    CHECK(run_a_moment(s.context, 5ms) == 1);
    CHECK(link.sink.received.size() == i);
  }
  link.sink.close();
  CHECK(runs_out(s.context));
}

// --- The end of the context. L07

TEST_CASE("a_context_may_go_while_connections_are_open_in_any_state") {
  const link_kind kind = GENERATE(link_kind::epoll, link_kind::asio);
  CAPTURE(kind == link_kind::epoll);
  const int descriptors = open_descriptors();
  {
    std::vector<descriptor> clients;
    {
      asio::io_context context(1);
      server_options options;
      options.address = "127.0.0.1";
      options.link = kind;
      server s(context, options);
      s.route("/", handlers{});
      s.listen();
      const std::string head =
          "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
          "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
      for (const std::string& sent :
           {std::string(), head.substr(0, 50), head, head + "\x81\x85mask", head + "\x81"}) {
        clients.push_back(connect_to(s.port()));
        send_raw(clients.back(), sent);
      }
      std::string answer;
      CHECK(run_until(context, [&] {
        receive_raw(clients.back(), answer);
        return s.connection_count() == clients.size() && answer.ends_with("\r\n\r\n");
      }));
    }
    for (const descriptor& client : clients) {
      std::array<char, 1000> rest;
      ssize_t n = 0;
      do {
        n = ::recv(client.get(), rest.data(), rest.size(), 0);
      } while (n > 0);
      CHECK((n == 0 || errno == ECONNRESET));
    }
  }
  CHECK(open_descriptors() == descriptors);
}
