#include <fairlead/testing/fault_link.hpp>

#include <fairlead/testing/virtual_clock.hpp>

#include <net/link/link_support.hpp>
#include <support/catch.hpp>

#include <array>
#include <chrono>
#include <memory>
#include <string>
#include <system_error>
#include <tuple>
#include <utility>
#include <vector>

// That a fault link without faults is a link like any other is tested in net/link/link.cpp, with all the others.

using namespace fairlead;
using namespace link_support;

namespace {

constexpr std::errc reset = std::errc::connection_reset;

/// A fault link at the near end of a memory pair, under a clock.
struct faulty_links {
  explicit faulty_links(std::size_t capacity = 256 * 1024) {
    std::tie(near.link, far.link) = make_memory_pair(context.get_executor(), capacity);
    near.link = make_fault_link(context, std::move(near.link), plan);
    near.in_on_bytes = [this] { reads.push_back(near.received); };
  }

  void start() {
    near.start();
    far.start();
    time.run_ready();
  }

  asio::io_context context{1};
  virtual_clock time{context};
  std::shared_ptr<fault_plan> plan = std::make_shared<fault_plan>();
  recorder near;
  recorder far;
  std::vector<std::string> reads;  ///< What was received in all, after each read.
};

}  // namespace

TEST_CASE("each_kind_of_operation_is_counted_by_itself") {
  faulty_links links(4);
  links.start();
  links.near.send("123456");  // one write, a short one; then the rest
  links.far.send("a");
  links.time.run_ready();
  links.far.send("b");
  links.time.run_ready();
  links.near.write("");  // nothing to write is no write
  links.near.shutdown();
  links.far.close();
  links.time.run_ready();
  CHECK(links.far.received == "123456");
  CHECK(links.plan->count(link_operation::write) == 2);
  CHECK(links.plan->count(link_operation::writable) == 1);
  CHECK(links.plan->count(link_operation::bytes) == 2);
  CHECK(links.plan->count(link_operation::eof) == 1);
  CHECK(links.plan->count(link_operation::shutdown) == 1);
  CHECK(links.plan->injected() == 0);
}

TEST_CASE("several_links_count_together_in_one_plan") {
  faulty_links links;
  links.far.link = make_fault_link(links.context, std::move(links.far.link), links.plan);
  links.plan->inject(link_operation::write, 2, link_fault::fail(reset));
  links.start();
  CHECK_FALSE(links.near.write("1").error);
  CHECK(links.far.write("2").error == reset);
  CHECK_FALSE(links.near.write("3").error);
}

TEST_CASE("a_plan_refuses_faults_that_cannot_be") {
  fault_plan plan;
  CHECK_THROWS_AS(plan.inject(link_operation::write, 0, link_fault::fail(reset)), std::invalid_argument);
  CHECK_THROWS_AS(plan.inject(link_operation::write, 1, link_fault::end()), std::invalid_argument);
  CHECK_THROWS_AS(plan.inject(link_operation::write, 1, link_fault::split()), std::invalid_argument);
  CHECK_THROWS_AS(plan.inject(link_operation::bytes, 1, link_fault::split(0)), std::invalid_argument);
  CHECK_THROWS_AS(plan.inject(link_operation::bytes, 1, link_fault::take(1)), std::invalid_argument);
  CHECK_THROWS_AS(plan.inject(link_operation::eof, 1, link_fault::change(0)), std::invalid_argument);
}

TEST_CASE("the_later_of_two_faults_for_one_operation_counts") {
  faulty_links links;
  links.plan->inject(link_operation::write, 1, link_fault::fail(reset))
      .inject(link_operation::write, 1, link_fault::fail(std::errc::broken_pipe));
  links.start();
  CHECK(links.near.write("1").error == std::errc::broken_pipe);
  CHECK(links.plan->injected() == 1);
}

TEST_CASE("a_write_that_fails_breaks_the_link") {
  faulty_links links;
  links.plan->inject(link_operation::write, 2, link_fault::fail(reset));
  links.start();
  CHECK(links.near.write("1").size == 1);
  const write_result failed = links.near.write("2");
  CHECK(failed.size == 0);
  CHECK(failed.error == reset);
  CHECK(links.near.write("3").error == reset);
  links.near.shutdown();
  links.far.send("x");
  links.time.run_ready();
  CHECK(links.far.received == "1");
  CHECK(links.far.eofs == 0);
  links.far.close();
  links.time.run_ready();
  CHECK(links.near.calls() == 0);  // it was told by the write
  links.near.close();
}

TEST_CASE("a_broken_read_stands_in_place_of_the_bytes") {
  faulty_links links;
  links.plan->inject(link_operation::bytes, 2, link_fault::fail(reset));
  links.start();
  links.far.send("1");
  links.time.run_ready();
  links.far.send("2");
  links.time.run_ready();
  links.far.send("3");
  links.time.run_ready();
  CHECK(links.near.received == "1");
  CHECK(links.near.errors == 1);
  CHECK(links.near.error == reset);
  CHECK(links.near.write("x").error == reset);
  CHECK(links.near.wrong == 0);
  CHECK(links.far.eofs == 0);
  links.near.close();
  links.time.run_ready();
  CHECK(links.far.eofs == 1);
}

TEST_CASE("an_end_of_the_input_or_of_a_wait_may_become_an_error") {
  faulty_links links(4);
  links.start();
  SECTION("the end") {
    links.plan->inject(link_operation::eof, 1, link_fault::fail(reset));
    links.far.shutdown();
  }
  SECTION("the wait") {
    links.plan->inject(link_operation::writable, 1, link_fault::fail(reset));
    links.near.send("123456");
  }
  SECTION("the end of sending") {
    links.plan->inject(link_operation::shutdown, 1, link_fault::fail(reset));
    links.near.shutdown();
    CHECK(links.near.errors == 0);
  }
  links.time.run_ready();
  CHECK(links.near.eofs + links.near.writables == 0);
  CHECK(links.near.errors == 1);
  CHECK(links.near.error == reset);
  CHECK(links.near.wrong == 0);
}

TEST_CASE("an_end_in_place_of_bytes_ends_the_input_only") {
  faulty_links links;
  links.plan->inject(link_operation::bytes, 1, link_fault::end());
  links.start();
  links.far.send("1");
  links.time.run_ready();
  links.far.send("2");
  links.near.send("still");
  links.time.run_ready();
  links.far.close();
  links.time.run_ready();
  CHECK(links.near.received.empty());
  CHECK(links.near.eofs == 1);
  CHECK(links.near.wrong == 0);
  CHECK(links.far.received == "still");
}

TEST_CASE("a_write_that_takes_less_is_followed_by_on_writable") {
  const auto [fault, taken] = GENERATE(table<link_fault, std::size_t>({{link_fault::take(0), 0},
                                                                       {link_fault::take(1), 1},
                                                                       {link_fault::take(7), 7},
                                                                       {link_fault::take(8), 8},
                                                                       {link_fault::take(100), 8},
                                                                       {link_fault::take_half(), 4}}));
  CAPTURE(taken);
  faulty_links links;
  links.plan->inject(link_operation::write, 1, fault);
  links.start();
  const std::array gather{bytes_of("123"), bytes_of(""), bytes_of("45678")};
  CHECK(links.near.write(gather).size == taken);
  links.time.run_ready();
  CHECK(links.far.received == std::string("12345678").substr(0, taken));
  CHECK(links.near.writables == 1);
}

TEST_CASE("a_sink_that_goes_on_after_short_writes_loses_nothing") {
  faulty_links links(16);
  for (std::size_t n = 1; n < 40; ++n) {
    links.plan->inject(link_operation::write, n,
                       n % 3 == 0 ? link_fault::take_half() : link_fault::take(n % 2));
  }
  links.start();
  const std::string all = pattern(200);
  links.near.send(all);
  links.time.run_ready();
  CHECK(links.far.received == all);
  CHECK(links.near.wrong == 0);
  CHECK(links.near.short_writes == links.near.writables);
}

TEST_CASE("split_bytes_come_one_by_one_and_each_is_a_read") {
  faulty_links links;
  links.plan->inject(link_operation::bytes, 2, link_fault::split());
  links.start();
  links.far.send("whole");
  links.time.run_ready();
  links.far.send("abc");
  links.far.shutdown();
  links.time.run_ready();
  CHECK(links.reads == std::vector<std::string>{"whole", "wholea", "wholeab", "wholeabc"});
  CHECK(links.near.eofs == 1);
  CHECK(links.near.wrong == 0);
  CHECK(links.plan->count(link_operation::bytes) == 2);
}

TEST_CASE("split_bytes_stop_at_a_pause_and_where_the_link_is_closed") {
  faulty_links links;
  links.plan->inject(link_operation::bytes, 1, link_fault::split(2));
  links.start();
  SECTION("paused") {
    links.near.in_on_bytes = [&] { links.near.pause(); };
    links.far.send("abcde");
    links.time.run_ready();
    CHECK(links.near.received == "ab");
    links.near.resume();
    CHECK(links.near.received == "ab");
    links.time.run_ready();
    CHECK(links.near.received == "abcd");
    links.near.in_on_bytes = nullptr;
    links.near.resume();
    links.far.send("fg");
    links.time.run_ready();
    CHECK(links.near.received == "abcdefg");
  }
  SECTION("closed") {
    links.near.in_on_bytes = [&] { links.near.close(); };
    links.far.send("abcde");
    links.time.run_ready();
    CHECK(links.near.received == "ab");
  }
  SECTION("closed where it is asked for room") {
    links.near.in_read_room = [&] {
      if (links.near.reads == 1) links.near.close();
    };
    links.far.send("abcde");
    links.time.run_ready();
    CHECK(links.near.received == "ab");
  }
  SECTION("into the sink's own room") {
    links.near.room.resize(1);
    links.far.send("abcde");
    links.time.run_ready();
    CHECK(links.near.received == "abcde");
  }
  CHECK(links.near.wrong == 0);
}

TEST_CASE("one_byte_is_changed_and_no_other") {
  faulty_links links;
  links.start();
  SECTION("received") {
    links.plan->inject(link_operation::bytes, 1, link_fault::change(1));
    links.far.send("aaa");
    links.time.run_ready();
    CHECK(links.near.received == "a`a");
  }
  SECTION("received, counted round") {
    links.plan->inject(link_operation::bytes, 1, link_fault::change(5, std::byte{2}));
    links.far.send("aaa");
    links.time.run_ready();
    CHECK(links.near.received == "aac");
  }
  SECTION("sent, across the pieces") {
    links.plan->inject(link_operation::write, 1, link_fault::change(2));
    const std::array gather{bytes_of("aa"), bytes_of("a")};
    CHECK(links.near.write(gather).size == 3);
    links.time.run_ready();
    CHECK(links.far.received == "aa`");
  }
}

TEST_CASE("nothing_passes_while_a_link_stalls_and_nothing_is_lost") {
  faulty_links links(4);
  links.start();
  SECTION("begun by an operation of the sink") {
    links.plan->inject(link_operation::write, 1, link_fault::stall());
    links.near.send("12");
    CHECK(links.near.written == 0);
    links.far.send("a");
  }
  SECTION("begun by an operation of the peer") {
    links.plan->inject(link_operation::bytes, 1, link_fault::stall());
    links.far.send("a");
    links.time.run_ready();
    links.near.send("12");
    CHECK(links.near.written == 0);
  }
  SECTION("begun by hand") {
    links.plan->stall();
    links.far.send("a");
    links.near.send("12");
  }
  links.near.shutdown();
  links.far.send("bcdefghij");
  links.time.advance(1h);
  links.far.shutdown();
  links.time.advance(1h);
  CHECK(links.near.calls() == links.near.rooms);
  CHECK(links.far.received.empty());
  CHECK(links.far.eofs == 0);
  CHECK_FALSE(links.far.has_sent_all());  // it feels that nobody reads

  links.plan->resume();
  CHECK(links.near.reads == 0);
  links.time.run_ready();
  CHECK(links.near.received.starts_with("a"));
  CHECK(links.near.writables == 1);
  CHECK(links.far.eofs == 1);
  CHECK(links.near.wrong == 0);
}

TEST_CASE("what_was_held_back_comes_in_order_after_the_stall") {
  faulty_links links;
  links.plan->inject(link_operation::bytes, 2, link_fault::stall(link_direction::receiving));
  links.start();
  for (const char* text : {"1", "2", "3"}) {
    links.far.send(text);
    links.time.run_ready();
  }
  links.far.shutdown();
  links.time.advance(1h);
  CHECK(links.near.received == "1");
  CHECK(links.near.eofs == 0);
  links.plan->resume();
  links.time.run_ready();
  CHECK(links.near.received == "123");
  CHECK(links.near.eofs == 1);
  CHECK(links.near.wrong == 0);
}

TEST_CASE("one_direction_may_stall_alone") {
  faulty_links links;
  links.start();
  SECTION("receiving") {
    links.plan->stall(link_direction::receiving);
    links.near.send("there");
    links.far.send("back");
    links.time.run_ready();
    CHECK(links.far.received == "there");
    CHECK(links.near.received.empty());
  }
  SECTION("sending") {
    links.plan->stall(link_direction::sending);
    links.near.send("there");
    links.far.send("back");
    links.time.run_ready();
    CHECK(links.far.received.empty());
    CHECK(links.near.received == "back");
  }
  links.plan->resume();
  links.time.run_ready();
  CHECK(links.far.received == "there");
  CHECK(links.near.received == "back");
  CHECK(links.near.wrong == 0);
}

TEST_CASE("a_stall_may_end_by_itself") {
  faulty_links links;
  links.plan->inject(link_operation::bytes, 1, link_fault::stall(link_direction::both, 3s));
  links.start();
  links.far.send("late");
  links.time.advance(3s);
  CHECK(links.near.received.empty());
  links.time.advance(virtual_clock::resolution);
  CHECK(links.near.received == "late");
}

TEST_CASE("an_error_of_the_transport_waits_for_the_end_of_the_stall") {
  asio::io_context context(1);
  const auto plan = std::make_shared<fault_plan>();
  recorder near, far;
  socket_pair sockets = make_tcp_pair();
  auto& set = asio::use_service<epoll_set>(context);
  near.link = make_fault_link(context, set.make_link(sockets.near.release()), plan);
  near.start();
  plan->stall();
  reset_on_close(sockets.far.get());
  sockets.far.reset();
  run_a_moment(context);
  CHECK(near.calls() == 0);
  plan->resume();
  REQUIRE(run_until(context, [&] { return near.errors == 1; }));
  CHECK(near.wrong == 0);
  near.close();
}

TEST_CASE("a_link_may_be_closed_while_it_stalls_and_its_plan_may_outlive_it") {
  faulty_links links;
  links.plan->inject(link_operation::bytes, 1, link_fault::stall(link_direction::both, 1h));
  links.start();
  links.far.send("lost");
  links.time.run_ready();
  links.near.close();
  links.time.run_ready();
  CHECK(links.far.eofs == 1);
  links.plan->resume();
  links.plan->stall();
  links.time.advance(2h);
  CHECK(links.near.calls() == links.near.rooms);
}

TEST_CASE("a_context_may_go_while_a_link_stalls") {
  auto plan = std::make_shared<fault_plan>();
  recorder near, far;
  auto context = std::make_unique<asio::io_context>(1);
  virtual_clock time(*context);
  std::tie(near.link, far.link) = make_memory_pair(context->get_executor());
  near.link = make_fault_link(*context, std::move(near.link), plan);
  plan->inject(link_operation::bytes, 1, link_fault::stall(link_direction::both, 1s));
  near.start();
  far.start();
  far.send("1");
  time.run_ready();
  plan->resume();  // leaves a handler behind
  near.close();
  far.close();
  context.reset();
}
