#include <fairlead/protocol/connection.hpp>

#include "support.hpp"

#include <support/heap.hpp>

using namespace protocol_tests;

// The end of a connection: RFC 6455 sections 5.5.1 (close frames), 7.1 (closing and failing) and 7.4 (codes).

namespace {

// Those that may stand in a close frame (section 7.4): where the answer changes, both sides of the change.
constexpr std::uint16_t valid_codes[] = {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011,
                                         1012, 1013, 1014, 3000, 3001, 3999, 4000, 4001, 4999};
constexpr std::uint16_t invalid_codes[] = {0,    1,    999,  1004, 1005, 1006,  1015,
                                           1016, 1100, 2000, 2999, 5000, 65'535};

const std::vector<event> lost{event::failure(errc::connection_lost, close_code::abnormal)};

}  // namespace

TEST_CASE("a_close_of_the_peer_is_answered_with_its_code") {  // section 5.5.1
  const role own = GENERATE(role::server, role::client);
  endpoint e(own);
  e.feed(frame::close(close_code::going_away, "tired"));
  CHECK(e.events() == std::vector{event::close(close_code::going_away, "tired")});
  CHECK(!e.ws.is_open());
  CHECK(!e.ws.writable());
  CHECK(!e.ws.wants_shutdown());  // the answer is not written yet
  CHECK(e.ws.deadline() == time_point::max());
  CHECK(e.sent() == std::vector{frame::close(close_code::going_away)});
  CHECK(e.ws.wants_shutdown());
}

TEST_CASE("an_empty_close_is_answered_by_an_empty_close") {  // section 7.1.5, F15
  const role own = GENERATE(role::server, role::client);
  endpoint e(own);
  e.feed(frame::close());
  CHECK(e.events() == std::vector{event::close(close_code::no_status)});
  CHECK(e.sent() == std::vector{frame::close()});
  CHECK(e.ws.wants_shutdown());
}

TEST_CASE("a_close_of_one_byte_is_refused") {  // section 5.5.1, C06
  const role own = GENERATE(role::server, role::client);
  for (const char byte : {'\x00', '\x03', '\xff'}) {
    endpoint e(own);
    e.feed(frame{opcode::close, std::string(1, byte)});
    CHECK(e.events() == std::vector{event::failure(errc::bad_close_payload, close_code::protocol_error)});
    CHECK(e.sent() == std::vector{frame::failure(errc::bad_close_payload, close_code::protocol_error)});
  }
}

TEST_CASE("every_valid_close_code_is_accepted_and_echoed") {  // section 7.4, C06
  const role own = GENERATE(role::server, role::client);
  for (const std::uint16_t value : valid_codes) {
    CAPTURE(own, value);
    endpoint e(own);
    e.feed(frame::close(close_code{value}));
    CHECK(e.events() == std::vector{event::close(close_code{value})});
    CHECK(e.sent() == std::vector{frame::close(close_code{value})});
  }
}

TEST_CASE("every_invalid_close_code_is_refused") {  // section 7.4, C06
  const role own = GENERATE(role::server, role::client);
  for (const std::uint16_t value : invalid_codes) {
    CAPTURE(own, value);
    endpoint e(own);
    e.feed(frame::close(close_code{value}, "reason"));
    CHECK(e.events() == std::vector{event::failure(errc::bad_close_code, close_code::protocol_error)});
    CHECK(e.sent() == std::vector{frame::failure(errc::bad_close_code, close_code::protocol_error)});
    CHECK(e.ws.wants_shutdown());
  }
}

TEST_CASE("a_close_reason_is_utf8") {  // sections 5.5.1 and 8.1, M07
  const role own = GENERATE(role::server, role::client);
  const std::string longest = "\xc3\xa9" + pattern(max_close_reason_size - 2);
  for (const std::string& reason : {std::string("\xe2\x82\xac"), longest}) {
    endpoint e(own);
    e.feed(frame::close(close_code::normal, reason));
    CHECK(e.events() == std::vector{event::close(close_code::normal, reason)});
    CHECK(e.sent() == std::vector{frame::close(close_code::normal)});
  }
  for (const std::string reason : {"\xff", "a\xe2\x82", "\xed\xa0\x80", "\xc0\xaf", "\xf4\x90\x80\x80"}) {
    CAPTURE(own, reason);
    for (const bool in_pieces : {false, true}) {
      endpoint e(own);
      const std::string stream = encoded(other(own), frame::close(close_code::normal, reason));
      e.feed_in_pieces(stream, in_pieces ? 1 : stream.size());
      CHECK(e.events() == std::vector{event::failure(errc::bad_utf8, close_code::invalid_payload)});
      CHECK(e.sent() == std::vector{frame::failure(errc::bad_utf8, close_code::invalid_payload)});
    }
  }
}

TEST_CASE("a_close_frame_cut_anywhere_is_the_same_close") {
  const role own = GENERATE(role::server, role::client);
  const std::string reason = pattern(max_close_reason_size);
  const std::string stream = encoded(other(own), frame::close(close_code{4999}, reason));
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    endpoint e(own);
    e.feed(stream.substr(0, cut));
    e.feed(stream.substr(cut));
    REQUIRE(e.events() == std::vector{event::close(close_code{4999}, reason)});
    REQUIRE(e.sent() == std::vector{frame::close(close_code{4999})});
  }
}

TEST_CASE("what_follows_a_close_is_ignored") {  // section 5.5.1, C07
  const role own = GENERATE(role::server, role::client);
  endpoint e(own);
  e.feed({frame::close(close_code::normal), frame::text("a"), frame::ping("b"),
          frame::close(close_code::going_away), frame::continuation("")});
  e.feed({frame::text("a"), frame::close()});
  e.feed("\xff\xff\xff");
  e.ws.receive_eof(e.sink);
  e.ws.on_deadline(e.sink);
  CHECK(e.events() == std::vector{event::close(close_code::normal)});
  CHECK(e.ws.close(close_code::normal, {}, e.now) == errc::closed);
  CHECK(e.sent() == std::vector{frame::close(close_code::normal)});
}

TEST_CASE("a_close_within_a_message_ends_it") {
  const role own = GENERATE(role::server, role::client);
  endpoint e(own);
  e.feed(
      {frame::text("never", unfinished), frame::close(close_code::normal), frame::continuation("finished")});
  CHECK(e.events() == std::vector{event::close(close_code::normal)});
}

TEST_CASE("messages_framed_before_the_close_frame_leave_before_it") {  // section 5.5.1
  const role own = GENERATE(role::server, role::client);
  endpoint e(own);
  e.ws.send("first");
  e.ws.settle();
  SECTION("ours") {
    CHECK(!e.ws.close(close_code::normal, {}, e.now));
    CHECK(!e.ws.writable());
  }
  SECTION("the answer") { e.feed(frame::close(close_code::normal)); }
  CHECK(e.sent() == std::vector{frame::text("first"), frame::close(close_code::normal)});
}

TEST_CASE("our_close_waits_for_that_of_the_peer") {  // section 7.1.2
  const role own = GENERATE(role::server, role::client);
  endpoint e(own);
  CHECK(!e.ws.close(close_code::going_away, "maintenance", e.now));
  CHECK(!e.ws.is_open());
  CHECK(!e.ws.writable());
  CHECK(e.ws.deadline() == e.now + 5s);
  CHECK(e.sent() == std::vector{frame::close(close_code::going_away, "maintenance")});
  CHECK(!e.ws.wants_shutdown());
  CHECK(e.events().empty());

  e.feed(frame::close(close_code::going_away));
  CHECK(e.events() == std::vector{event::close(close_code::going_away)});
  CHECK(e.sent().empty());
  CHECK(e.ws.wants_shutdown());
  CHECK(e.ws.deadline() == time_point::max());
}

TEST_CASE("both_sides_may_close_at_once") {  // section 7.1.2, C07
  endpoint server(role::server);
  endpoint client(role::client);
  REQUIRE(!server.ws.close(close_code::going_away, "server", server.now));
  REQUIRE(!client.ws.close(close_code::normal, "client", client.now));
  const std::string from_server = drained(server.ws);
  const std::string from_client = drained(client.ws);
  server.feed(from_client);
  client.feed(from_server);
  CHECK(server.events() == std::vector{event::close(close_code::normal, "client")});
  CHECK(client.events() == std::vector{event::close(close_code::going_away, "server")});
  CHECK(server.sent().empty());
  CHECK(client.sent().empty());
  CHECK(server.ws.wants_shutdown());
  CHECK(client.ws.wants_shutdown());
}

TEST_CASE("close_takes_every_code_that_may_be_sent") {  // section 7.4, F15
  const role own = GENERATE(role::server, role::client);
  for (const std::uint16_t value : valid_codes) {
    endpoint e(own);
    CHECK(!e.ws.close(close_code{value}, "why", e.now));
    CHECK(e.sent() == std::vector{frame::close(close_code{value}, "why")});
  }
  endpoint e(own);
  CHECK(!e.ws.close(close_code::no_status, {}, e.now));
  CHECK(e.sent() == std::vector{frame::close()});
}

TEST_CASE("close_refuses_what_must_not_be_sent_and_changes_nothing") {  // sections 5.5 and 7.4, F14, F15
  const role own = GENERATE(role::server, role::client);
  endpoint e(own);
  for (const std::uint16_t value : invalid_codes) {
    if (close_code{value} == close_code::no_status) continue;
    CAPTURE(own, value);
    CHECK(e.ws.close(close_code{value}, {}, e.now) == errc::bad_argument);
  }
  CHECK(e.ws.close(close_code::no_status, "a reason without a code", e.now) == errc::bad_argument);
  CHECK(e.ws.close(close_code::normal, pattern(max_close_reason_size + 1), e.now) == errc::bad_argument);
  CHECK(e.ws.close(close_code::normal, pattern(100'000), e.now) == errc::bad_argument);
  CHECK(e.ws.close(close_code::normal, "\xff", e.now) == errc::bad_argument);
  CHECK(e.ws.close(close_code::normal, "cut \xe2\x82", e.now) == errc::bad_argument);
  CHECK(e.ws.is_open());
  CHECK(e.ws.output_size() == 0);
  CHECK(e.ws.deadline() == time_point::max());
  e.feed(frame::text("still here"));
  CHECK(e.events() == std::vector{event::text("still here")});
}

TEST_CASE("close_takes_a_reason_that_fits") {  // section 5.5
  const role own = GENERATE(role::server, role::client);
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, max_close_reason_size - 1, max_close_reason_size}) {
    endpoint e(own);
    CHECK(!e.ws.close(close_code::normal, pattern(size), e.now));
    CHECK(e.sent() == std::vector{frame::close(close_code::normal, pattern(size))});
  }
}

TEST_CASE("close_is_refused_the_second_time") {  // C07
  const role own = GENERATE(role::server, role::client);
  endpoint e(own);
  CHECK(!e.ws.close(close_code::normal, {}, e.now));
  CHECK(e.ws.close(close_code::normal, {}, e.now + 1s) == errc::closed);
  CHECK(e.ws.deadline() == e.now + 5s);
  CHECK(e.sent().size() == 1);
}

TEST_CASE("data_after_our_close_is_discarded_up_to_the_close_of_the_peer") {  // section 7.1.2, C05
  const role own = GENERATE(role::server, role::client);
  const std::vector<frame> on_its_way{frame::text("a"),
                                      frame::binary(pattern(70'000), unfinished),
                                      frame::ping("not answered"),
                                      frame::continuation(pattern(70'000)),  // more than a message may have
                                      frame::pong("not reported"),
                                      frame::text("\xff"),
                                      frame::continuation("of nothing"),
                                      frame::binary("", unfinished),
                                      frame::text("in another"),
                                      frame::close(close_code::normal, "bye"),
                                      frame::text("never read")};
  const std::string stream = encoded(other(own), on_its_way);
  for (const std::size_t size : {std::size_t{1}, std::size_t{1000}, stream.size()}) {
    CAPTURE(own, size);
    endpoint e(own);
    REQUIRE(!e.ws.close(close_code::going_away, {}, e.now));
    e.feed_in_pieces(stream, size);
    CHECK(e.events() == std::vector{event::close(close_code::normal, "bye")});
    CHECK(e.sent() == std::vector{frame::close(close_code::going_away)});
    CHECK(e.ws.wants_shutdown());
  }
}

TEST_CASE("what_is_discarded_takes_no_memory") {  // C05
  const role own = GENERATE(role::server, role::client);
  endpoint e(own);
  counting_sink sink;
  e.feed(frame::text(pattern(10'000), unfinished));
  REQUIRE(!e.ws.close(close_code::normal, {}, e.now));
  e.ws.settle();
  std::string header = encoded(header_of(e.peer(), opcode::continuation, ~std::uint64_t{0} >> 1));
  std::string data = pattern(64 * 1024);
  const heap_watch heap;
  e.ws.receive(std::as_writable_bytes(std::span(header)), e.now, sink);
  for (int i = 0; i < 100; ++i) e.ws.receive(std::as_writable_bytes(std::span(data)), e.now, sink);
  e.ws.settle();
  CHECK(heap.peak() == 0);
  CHECK(sink.messages == 0);
  CHECK(sink.ends == 0);
}

TEST_CASE("our_close_may_fall_within_any_frame_of_the_peer") {  // C05
  const role own = GENERATE(role::server, role::client);
  const std::string stream =
      encoded(other(own), {frame::text("abc", unfinished), frame::ping("def"),
                           frame::continuation(pattern(130)), frame::close(close_code::normal, "bye")});
  for (std::size_t cut = 0; cut < stream.size(); ++cut) {
    CAPTURE(own, cut);
    endpoint e(own);
    e.feed(stream.substr(0, cut));
    const std::size_t before = e.events().size();
    CHECK(before <= 2);
    REQUIRE(!e.ws.close(close_code::going_away, {}, e.now));
    e.ws.settle();
    e.feed(stream.substr(cut));
    REQUIRE(e.events() == std::vector{event::close(close_code::normal, "bye")});
    REQUIRE(e.sent().back() == frame::close(close_code::going_away));
  }
}

TEST_CASE("a_fault_after_our_close_fails_without_a_second_close_frame") {  // section 5.5.1
  const role own = GENERATE(role::server, role::client);
  const frame bad = GENERATE(frame::close(close_code::abnormal), frame{opcode::close, "x"},
                             frame::close(close_code::normal, "\xff"));
  endpoint e(own);
  REQUIRE(!e.ws.close(close_code::going_away, {}, e.now));
  e.ws.settle();
  e.feed(bad);
  REQUIRE(e.sink.events.size() == 1);
  CHECK(e.sink.events[0].what == event::type::failure);
  e.ws.receive_eof(e.sink);
  e.ws.on_deadline(e.sink);
  CHECK(e.sink.events.size() == 1);
  CHECK(e.sent() == std::vector{frame::close(close_code::going_away)});
  CHECK(e.ws.wants_shutdown());
}

TEST_CASE("a_peer_that_does_not_answer_our_close_meets_the_deadline") {  // section 7.1.1, C05
  const role own = GENERATE(role::server, role::client);
  const duration timeout = GENERATE(duration(0s), duration(1ms), duration(5s), duration(1h));
  connection_options options;
  options.close_timeout = timeout;
  endpoint e(own, options);
  CHECK(e.ws.deadline() == time_point::max());
  REQUIRE(!e.ws.close(close_code::normal, {}, e.now));
  CHECK(e.ws.deadline() == e.now + timeout);
  e.ws.settle();
  e.feed({frame::text("still talking"), frame::ping("")});  // does not move it
  CHECK(e.ws.deadline() == e.now + timeout);
  e.ws.on_deadline(e.sink);
  CHECK(e.events() == std::vector{event::failure(errc::close_timeout, close_code::abnormal)});
  CHECK(e.ws.deadline() == time_point::max());
  e.ws.on_deadline(e.sink);
  e.ws.receive_eof(e.sink);
  CHECK(e.feed(encoded(e.peer(), frame::close(close_code::normal))) != 0);
  CHECK(e.events().empty());
  CHECK(e.sent() == std::vector{frame::close(close_code::normal)});
}

TEST_CASE("the_end_of_the_stream_without_a_close_frame_is_a_failure_once") {  // section 7.1.5, C08
  const role own = GENERATE(role::server, role::client);
  endpoint e(own);
  SECTION("at the beginning") {}
  SECTION("between messages") {
    e.feed(frame::text("a"));
    CHECK(e.events().size() == 1);
  }
  SECTION("within a header") { e.feed(encoded(e.peer(), frame::text("a")).substr(0, 1)); }
  SECTION("within a payload") {
    e.feed(encoded(e.peer(), frame::text("abc")).substr(0, own == role::server ? 7 : 3));
  }
  SECTION("within a payload read in place") {
    e.feed(encoded(header_of(e.peer(), opcode::binary, 50'000)));
    REQUIRE(e.ws.receive(e.ws.payload_room().first(100), e.now, e.sink) == 100);
    e.ws.settle();
  }
  SECTION("within a message") { e.feed(frame::text("a", unfinished)); }
  SECTION("within a control frame") {
    e.feed(encoded(e.peer(), frame::close(close_code::normal, "abc")).substr(0, own == role::server ? 9 : 5));
  }
  SECTION("after our close") {
    REQUIRE(!e.ws.close(close_code::normal, {}, e.now));
    e.ws.settle();
  }
  SECTION("after our close, within what is discarded") {
    REQUIRE(!e.ws.close(close_code::normal, {}, e.now));
    e.ws.settle();
    e.feed(encoded(header_of(e.peer(), opcode::binary, 100'000)));
  }
  const bool was_open = e.ws.is_open();
  e.ws.receive_eof(e.sink);
  CHECK(e.events() == lost);
  CHECK(!e.ws.is_open());
  CHECK(e.ws.deadline() == time_point::max());
  CHECK(e.ws.payload_room().empty());
  e.ws.receive_eof(e.sink);
  e.ws.on_deadline(e.sink);
  CHECK(e.events().empty());
  // There is nobody to send a close frame to.
  CHECK(e.sent() == (was_open ? std::vector<frame>{} : std::vector{frame::close(close_code::normal)}));
  CHECK(e.ws.wants_shutdown());
}

TEST_CASE("the_end_of_the_stream_after_the_end_of_the_connection_is_no_failure") {  // C08
  const role own = GENERATE(role::server, role::client);
  endpoint e(own);
  SECTION("closed by the peer") { e.feed(frame::close(close_code::normal)); }
  SECTION("closed by us") {
    REQUIRE(!e.ws.close(close_code::normal, {}, e.now));
    e.ws.settle();
    e.feed(frame::close(close_code::normal));
  }
  SECTION("failed") { e.feed(frame::continuation("")); }
  CHECK(e.events().size() == 1);
  e.ws.receive_eof(e.sink);
  CHECK(e.events().empty());
}

TEST_CASE("closing_frees_what_was_kept_of_a_message") {
  const role own = GENERATE(role::server, role::client);
  endpoint e(own);
  counting_sink sink;
  std::string stream = encoded(e.peer(), frame::text(pattern(50'000), unfinished));
  const heap_watch heap;
  e.ws.receive(std::as_writable_bytes(std::span(stream)), e.now, sink);
  CHECK(heap.growth() >= 50'000);
  REQUIRE(!e.ws.close(close_code::normal, {}, e.now));
  e.ws.consume(e.ws.output_size());
  e.ws.settle();
  CHECK(heap.growth() == 0);
}
