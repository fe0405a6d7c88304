#include <fairlead/protocol/connection.hpp>

#include "support.hpp"

#include <support/heap.hpp>

using namespace protocol_tests;

// Pings and pongs: RFC 6455 sections 5.5.2 and 5.5.3.

namespace {

connection_options with_pongs(std::size_t count) {
  connection_options options;
  options.max_queued_pongs = count;
  options.max_control_frames_per_second = ~std::size_t{0};
  return options;
}

std::vector<frame> numbered(frame (*make)(std::string), std::size_t first, std::size_t last) {
  std::vector<frame> frames;
  for (std::size_t i = first; i <= last; ++i) frames.push_back(make(std::to_string(i)));
  return frames;
}

}  // namespace

TEST_CASE("a_ping_is_answered_with_its_payload") {  // section 5.5.3
  const role own = GENERATE(role::server, role::client);
  for (const std::size_t size : {0u, 1u, 4u, 124u, 125u}) {
    endpoint e(own);
    e.feed(frame::ping(pattern(size)));
    CHECK(e.events() == std::vector{event::ping(pattern(size))});
    CHECK(e.sent() == std::vector{frame::pong(pattern(size))});
  }
  endpoint e(own);
  e.feed(frame::ping(std::string("\x00\xff\x80", 3)));  // any bytes, not text
  CHECK(e.sent() == std::vector{frame::pong(std::string("\x00\xff\x80", 3))});
}

TEST_CASE("a_pong_is_reported_and_not_answered") {  // section 5.5.3
  const role own = GENERATE(role::server, role::client);
  for (const std::size_t size : {0u, 1u, 125u}) {
    endpoint e(own);
    e.feed(frame::pong(pattern(size)));
    CHECK(e.events() == std::vector{event::pong(pattern(size))});
    CHECK(e.sent().empty());
  }
}

TEST_CASE("pongs_leave_among_the_messages_in_the_order_of_their_pings") {
  const role own = GENERATE(role::server, role::client);
  endpoint e(own);
  e.ws.send("before");
  e.ws.settle();
  e.feed({frame::ping("one"), frame::ping("two")});
  e.ws.send("after");
  CHECK(e.sent() ==
        std::vector{frame::text("before"), frame::pong("one"), frame::pong("two"), frame::text("after")});
}

TEST_CASE("as_many_pongs_wait_as_the_limit_allows_then_the_newest") {  // C01
  const role own = GENERATE(role::server, role::client);
  const std::size_t limit = GENERATE(1u, 2u, 16u);
  CAPTURE(own, limit);
  SECTION("one below and at the limit all are answered") {
    for (const std::size_t count : {limit - 1, limit}) {
      endpoint e(own, with_pongs(limit));
      e.feed(numbered(frame::ping, 1, count));
      CHECK(e.sent() == numbered(frame::pong, 1, count));
    }
  }
  SECTION("one above, all are answered, the newest when those before it are written") {
    endpoint e(own, with_pongs(limit));
    e.feed(numbered(frame::ping, 1, limit + 1));
    CHECK(e.events().size() == limit + 1);
    CHECK(decoded(own, text_of(e.ws.output())) == numbered(frame::pong, 1, limit));
    CHECK(e.sent() == numbered(frame::pong, 1, limit + 1));
  }
  SECTION("two and more above, the newest takes the place of those before it") {
    endpoint e(own, with_pongs(limit));
    e.feed(numbered(frame::ping, 1, limit + 50));
    CHECK(e.events().size() == limit + 50);
    std::vector<frame> expected = numbered(frame::pong, 1, limit);
    expected.push_back(frame::pong(std::to_string(limit + 50)));
    CHECK(e.sent() == expected);
    CHECK(e.sent().empty());
  }
  SECTION("again after all was written") {
    endpoint e(own, with_pongs(limit));
    for (int round = 0; round < 3; ++round) {
      e.feed(numbered(frame::ping, 1, limit + 2));
      std::vector<frame> expected = numbered(frame::pong, 1, limit);
      expected.push_back(frame::pong(std::to_string(limit + 2)));
      CHECK(e.sent() == expected);
    }
  }
}

TEST_CASE("the_newest_ping_counts_among_the_pongs_that_wait") {
  const role own = GENERATE(role::server, role::client);
  endpoint e(own, with_pongs(2));
  e.feed(numbered(frame::ping, 1, 4));
  e.ws.consume(e.ws.output_size());  // now the answer to 4 waits
  CHECK(decoded(own, text_of(e.ws.output())) == std::vector{frame::pong("4")});
  e.ws.settle();
  e.feed(numbered(frame::ping, 5, 7));
  CHECK(e.sent() == std::vector{frame::pong("4"), frame::pong("5"), frame::pong("7")});
}

TEST_CASE("the_newest_ping_may_be_empty") {
  const role own = GENERATE(role::server, role::client);
  endpoint e(own, with_pongs(1));
  e.feed({frame::ping("a"), frame::ping("b"), frame::ping("")});
  CHECK(e.sent() == std::vector{frame::pong("a"), frame::pong("")});
}

TEST_CASE("a_limit_of_no_pongs_answers_the_newest_ping") {
  const role own = GENERATE(role::server, role::client);
  endpoint e(own, with_pongs(0));
  e.feed(frame::ping("1"));
  CHECK(e.sent() == std::vector{frame::pong("1")});
  e.feed(numbered(frame::ping, 2, 5));
  CHECK(e.sent() == std::vector{frame::pong("2"), frame::pong("5")});
}

TEST_CASE("pongs_wait_no_longer_once_they_are_written") {
  const role own = GENERATE(role::server, role::client);
  // The peer reads, but the output never is empty: a connection under load.
  endpoint e(own, with_pongs(2));
  std::string stream;
  for (std::size_t i = 0; i < 100; ++i) {
    e.feed(frame::ping(std::to_string(i)));
    const std::size_t up_to_the_pong = e.ws.output_size();
    e.ws.send("load");
    stream += text_of(e.ws.output()).substr(0, up_to_the_pong);
    e.ws.consume(up_to_the_pong);
    e.ws.settle();
    REQUIRE(e.ws.output_size() != 0);
  }
  std::vector<frame> pongs = decoded(own, stream);
  std::erase(pongs, frame::text("load"));
  CHECK(pongs == numbered(frame::pong, 0, 99));
}

TEST_CASE("the_newest_ping_is_answered_as_soon_as_those_before_it_are_written") {
  const role own = GENERATE(role::server, role::client);
  endpoint e(own, with_pongs(2));
  e.feed(numbered(frame::ping, 1, 4));
  const std::size_t pongs = e.ws.output_size();
  e.ws.send("after");
  std::string stream = text_of(e.ws.output()).substr(0, pongs);
  SECTION("not before") {
    e.ws.consume(pongs - 1);
    CHECK(decoded(own, text_of(e.ws.output()).substr(1)) == std::vector{frame::text("after")});
    e.ws.consume(1);
  }
  SECTION("then at once, behind what was framed already") { e.ws.consume(pongs); }
  stream += drained(e.ws);
  CHECK(decoded(own, stream) ==
        std::vector{frame::pong("1"), frame::pong("2"), frame::text("after"), frame::pong("4")});
}

TEST_CASE("the_newest_ping_is_not_answered_after_a_close_frame") {  // section 5.5.1
  const role own = GENERATE(role::server, role::client);
  endpoint e(own, with_pongs(1));
  e.feed(numbered(frame::ping, 1, 3));
  SECTION("of ours") { REQUIRE(!e.ws.close(close_code::normal, {}, e.now)); }
  SECTION("of the peer's") { e.feed(frame::close(close_code::normal)); }
  CHECK(e.sent() == std::vector{frame::pong("1"), frame::close(close_code::normal)});
}

TEST_CASE("a_flood_of_pings_takes_little_memory_from_who_is_not_read") {  // C01
  const role own = GENERATE(role::server, role::client);
  endpoint e(own, with_pongs(16));
  counting_sink sink;
  const std::string ping = encoded(e.peer(), frame::ping(pattern(125)));
  std::string stream;
  for (int i = 0; i < 100; ++i) stream += ping;
  std::string block = stream;
  const heap_watch heap;
  for (std::size_t i = 0; i < 1000; ++i) {
    block = stream;
    e.ws.receive(std::as_writable_bytes(std::span(block)), e.now, sink);
    e.ws.settle();
  }
  CHECK(sink.controls == 100'000);
  CHECK(e.ws.is_open());
  CHECK(e.ws.output_size() <= 16 * (125 + max_frame_header_size));
  CHECK(heap.peak() <= 16 * 1024);
}

TEST_CASE("a_ping_of_ours_carries_what_is_given") {  // section 5.5.2
  const role own = GENERATE(role::server, role::client);
  endpoint e(own);
  for (const std::size_t size : {0u, 1u, 124u, 125u}) {
    CHECK(!e.ws.ping(bytes_of(pattern(size))));
    CHECK(e.sent() == std::vector{frame::ping(pattern(size))});
  }
  CHECK(e.events().empty());
}

TEST_CASE("a_ping_of_ours_is_refused_above_the_size_of_a_control_frame") {  // section 5.5
  const role own = GENERATE(role::server, role::client);
  endpoint e(own);
  CHECK(e.ws.ping(bytes_of(pattern(126))) == errc::bad_argument);
  CHECK(e.ws.ping(bytes_of(pattern(100'000))) == errc::bad_argument);
  CHECK(e.ws.output_size() == 0);
  CHECK(e.ws.is_open());
  CHECK(!e.ws.ping(bytes_of(pattern(125))));
}

TEST_CASE("a_ping_of_ours_is_refused_once_a_close_frame_was_sent") {
  const role own = GENERATE(role::server, role::client);
  endpoint e(own);
  SECTION("by us") { REQUIRE(!e.ws.close(close_code::normal, {}, e.now)); }
  SECTION("in answer") { e.feed(frame::close(close_code::normal)); }
  CHECK(e.ws.ping({}) == errc::closed);
  CHECK(e.sent() == std::vector{frame::close(close_code::normal)});
}

TEST_CASE("a_control_frame_lies_where_it_was_received_or_in_one_piece") {
  const role own = GENERATE(role::server, role::client);
  const frame control = GENERATE(frame::ping(pattern(125)), frame::pong(pattern(125)));
  const std::string stream = encoded(other(own), {control, control});
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    endpoint e(own);
    e.feed(stream.substr(0, cut));
    e.feed(stream.substr(cut));
    const std::vector<event> events = e.events();
    REQUIRE(events.size() == 2);
    REQUIRE(events[0].payload == control.payload);
    REQUIRE(events[1].payload == control.payload);
  }
}
