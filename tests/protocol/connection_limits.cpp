#include <fairlead/protocol/connection.hpp>

#include "support.hpp"

#include <support/heap.hpp>

using namespace protocol_tests;

// connection_options: what is accepted one below, at and one above each limit, and that no limit adds up over
// a long healthy connection (M03).

namespace {

const std::vector<event> too_big{event::failure(errc::message_too_big, close_code::message_too_big)};
const std::vector<event> too_many_fragments{
    event::failure(errc::too_many_fragments, close_code::policy_violation)};
const std::vector<event> too_many_fragments_a_second{
    event::failure(errc::fragment_rate_exceeded, close_code::policy_violation)};
const std::vector<event> too_many_control_frames{
    event::failure(errc::too_many_control_frames, close_code::policy_violation)};

connection_options with_message_size(std::size_t size) {
  connection_options options;
  options.max_message_size = size;
  return options;
}

connection_options with_fragments(std::size_t count) {
  connection_options options;
  options.max_fragments = count;
  return options;
}

connection_options with_control_frames(std::size_t count) {
  connection_options options;
  options.max_control_frames_per_second = count;
  return options;
}

std::vector<frame> fragments(std::size_t count, const std::string& payload) {
  std::vector<frame> frames(count, frame::continuation(payload, unfinished));
  frames.front().op = opcode::binary;
  frames.back().fin = true;
  return frames;
}

}  // namespace

TEST_CASE("the_defaults_are_those_of_the_design") {
  const connection_options options;
  CHECK(options.max_message_size == 64 * 1024);
  CHECK(options.max_fragments == 16'384);
  CHECK(options.max_fragments_per_second == 65'536);
  CHECK(options.max_control_frames_per_second == 200);
  CHECK(options.max_queued_pongs == 16);
  CHECK(options.close_timeout == 5s);
}

TEST_CASE("a_message_of_one_frame_is_refused_above_the_limit") {
  const role own = GENERATE(role::server, role::client);
  const std::size_t limit = GENERATE(0u, 1u, 125u, 126u, 1000u, 65'535u, 65'536u);
  CAPTURE(own, limit);
  for (const opcode op : {opcode::text, opcode::binary}) {
    for (const std::size_t size : {limit == 0 ? 0 : limit - 1, limit}) {
      endpoint e(own, with_message_size(limit));
      e.feed(frame{op, pattern(size)});
      CHECK(e.events().size() == 1);
      CHECK(e.ws.is_open());
    }
    // At the header that announces it, before any payload.
    endpoint e(own, with_message_size(limit));
    const std::string header = encoded(header_of(e.peer(), op, limit + 1));
    e.feed_in_pieces(header.substr(0, header.size() - 1), 1);
    CHECK(e.events().empty());
    e.feed(header.substr(header.size() - 1));
    CHECK(e.events() == too_big);
    CHECK(e.sent() == std::vector{frame::failure(errc::message_too_big, close_code::message_too_big)});
  }
}

TEST_CASE("a_fragmented_message_is_refused_at_the_header_that_passes_the_limit") {  // M06
  const role own = GENERATE(role::server, role::client);
  constexpr std::size_t limit = 1000;
  const auto with_last = [own](std::size_t last) {
    endpoint e(own, with_message_size(limit));
    e.feed({frame::binary(pattern(400), unfinished), frame::continuation(pattern(500), unfinished)});
    CHECK(e.events().empty());
    e.feed(encoded(header_of(e.peer(), opcode::continuation, last)));
    e.feed(pattern(last));
    return e.events();
  };
  for (const std::size_t last : {0u, 99u, 100u}) {
    const std::vector<event> events = with_last(last);
    REQUIRE(events.size() == 1);
    CHECK(events[0].payload.size() == 900 + last);
  }
  CHECK(with_last(101) == too_big);

  // Eight frames of an eighth are the limit; the ninth is refused, even if it is not the last.
  endpoint e(own, with_message_size(limit));
  e.feed(frame::binary(pattern(125), unfinished));
  for (int i = 1; i < 8; ++i) e.feed(frame::continuation(pattern(125), unfinished));
  e.feed(frame::continuation("", unfinished));
  CHECK(e.events().empty());
  e.feed(encoded(header_of(e.peer(), opcode::continuation, 1, unfinished)));
  CHECK(e.events() == too_big);
}

TEST_CASE("sizes_whose_sum_wraps_are_refused") {  // F02
  const role own = GENERATE(role::server, role::client);
  constexpr std::uint64_t largest = ~std::uint64_t{0} >> 1;
  for (const std::size_t limit :
       {std::size_t{64 * 1024}, static_cast<std::size_t>(largest), ~std::size_t{0}}) {
    for (const std::uint64_t second : {largest, largest - 9}) {
      CAPTURE(own, limit, second);
      endpoint e(own, with_message_size(limit));
      counting_sink sink;
      std::string stream = encoded(e.peer(), frame::binary(pattern(10), unfinished)) +
                           encoded(header_of(e.peer(), opcode::continuation, second, unfinished));
      const heap_watch heap;
      e.ws.receive(std::as_writable_bytes(std::span(stream)), e.now, sink);
      const bool fits = second <= limit - 10;
      CHECK(sink.ends == (fits ? 0 : 1));
      CHECK(heap.peak() < 4096);
      e.ws.settle();
    }
  }
  endpoint small(own, with_message_size(64 * 1024));
  small.feed(frame::binary(pattern(64 * 1024 - 9), unfinished));
  small.feed(encoded(header_of(small.peer(), opcode::continuation, largest, unfinished)));
  CHECK(small.events() == too_big);
}

TEST_CASE("a_size_that_is_refused_takes_no_memory") {  // F03
  const role own = GENERATE(role::server, role::client);
  for (const std::uint64_t size :
       {std::uint64_t{1} << 40, std::uint64_t{1} << 32, std::uint64_t{64 * 1024 + 1}}) {
    endpoint e(own);
    counting_sink sink;
    std::string header = encoded(header_of(e.peer(), opcode::binary, size));
    const heap_watch heap;
    e.ws.receive(std::as_writable_bytes(std::span(header)), e.now, sink);
    CHECK(sink.ends == 1);
    CHECK(heap.peak() < 4096);
  }
}

TEST_CASE("the_sizes_of_messages_do_not_add_up") {  // M03
  const role own = GENERATE(role::server, role::client);
  endpoint e(own, with_message_size(9));
  counting_sink sink;
  const std::string messages =
      encoded(e.peer(), {frame::binary("012345678"), frame::text("012", unfinished),
                         frame::continuation("345", unfinished), frame::continuation("678")});
  constexpr std::size_t rounds = 50'000;
  for (std::size_t i = 0; i < rounds; ++i) {
    std::string stream = messages;
    e.ws.receive(std::as_writable_bytes(std::span(stream)), e.now, sink);
    e.ws.settle();
    e.now += 1ms;
  }
  CHECK(sink.messages == 2 * rounds);
  CHECK(e.ws.is_open());
  e.feed(frame::binary("0123456789"));
  CHECK(e.events() == too_big);
}

TEST_CASE("a_message_has_no_more_frames_than_the_limit") {
  const role own = GENERATE(role::server, role::client);
  const std::size_t limit = GENERATE(1u, 2u, 3u, 100u);
  const std::string payload = GENERATE("", "x");  // empty frames count as well: F11, M02
  CAPTURE(own, limit, payload);
  for (const std::size_t count : {std::max<std::size_t>(limit - 1, 1), limit}) {
    endpoint e(own, with_fragments(limit));
    e.feed(fragments(count, payload));
    CHECK(e.events().size() == 1);
    CHECK(e.ws.is_open());
  }
  endpoint e(own, with_fragments(limit));
  const std::vector<frame> frames = fragments(limit + 1, payload);
  e.feed(std::vector<frame>(frames.begin(), frames.end() - 1));
  CHECK(e.events().empty());
  e.feed(encoded(header_of(e.peer(), opcode::continuation, payload.size())));
  CHECK(e.events() == too_many_fragments);
  CHECK(e.sent() == std::vector{frame::failure(errc::too_many_fragments, close_code::policy_violation)});
}

TEST_CASE("a_limit_of_no_frames_lets_no_message_through") {
  const role own = GENERATE(role::server, role::client);
  endpoint e(own, with_fragments(0));
  e.feed(frame::ping("a"));
  CHECK(e.events() == std::vector{event::ping("a")});
  e.feed(frame::text(""));
  CHECK(e.events() == too_many_fragments);
}

TEST_CASE("control_frames_are_not_frames_of_the_message") {
  const role own = GENERATE(role::server, role::client);
  endpoint e(own, with_fragments(2));
  e.feed({frame::text("a", unfinished), frame::ping(""), frame::pong(""), frame::ping(""),
          frame::continuation("b")});
  CHECK(e.events().back() == event::text("ab"));
}

TEST_CASE("a_flood_of_fragments_ends_at_the_default_limit") {  // F11, M01, M02
  const role own = GENERATE(role::server, role::client);
  const std::string payload = GENERATE("", "x");
  endpoint e(own);
  counting_sink sink;
  std::string first = encoded(e.peer(), frame::text(payload, unfinished));
  const std::string next = encoded(e.peer(), frame::continuation(payload, unfinished));
  const heap_watch heap;
  e.ws.receive(std::as_writable_bytes(std::span(first)), e.now, sink);
  std::size_t frames = 1;
  std::string block = next;
  while (sink.ends == 0 && frames < 1'000'000) {
    block = next;
    e.ws.receive(std::as_writable_bytes(std::span(block)), e.now, sink);
    ++frames;
    REQUIRE(heap.peak() <= 4096 + static_cast<std::ptrdiff_t>(2 * frames * payload.size()));
  }
  CHECK(frames == 16'384 + 1);
  CHECK(sink.messages == 0);
  CHECK(e.sent() == std::vector{frame::failure(errc::too_many_fragments, close_code::policy_violation)});
}

TEST_CASE("the_frames_of_messages_do_not_add_up") {  // M03
  const role own = GENERATE(role::server, role::client);
  endpoint e(own, with_fragments(3));
  counting_sink sink;
  const std::string message = encoded(e.peer(), fragments(3, "x")) + encoded(e.peer(), frame::text("y"));
  constexpr std::size_t rounds = 100'000;
  for (std::size_t i = 0; i < rounds; ++i) {
    std::string stream = message;
    e.ws.receive(std::as_writable_bytes(std::span(stream)), e.now, sink);
    e.ws.settle();
    e.now += 1ms;
  }
  CHECK(sink.messages == 2 * rounds);
  CHECK(e.ws.is_open());
  e.feed(fragments(4, "x"));
  CHECK(e.events() == too_many_fragments);
}

TEST_CASE("client_receives_a_large_transfer_in_small_frames") {  // M05
  constexpr std::size_t size = 64 * 1024 * 1024;
  constexpr std::size_t frame_size = 4 * 1024;
  endpoint e(role::client, with_message_size(size));
  std::size_t received = 0;
  e.sink.message_hook = [&](message_view m) {
    received = m.size();
    return flow::proceed;
  };
  std::string stream = encoded(role::server, frame::binary(std::string(frame_size, 'x'), unfinished));
  e.ws.receive(std::as_writable_bytes(std::span(stream)), e.now, e.sink);
  stream[0] = static_cast<char>(opcode::continuation);
  for (std::size_t sent = 2 * frame_size; sent < size; sent += frame_size)
    e.ws.receive(std::as_writable_bytes(std::span(stream)), e.now, e.sink);
  CHECK(e.sink.events.empty());
  stream[0] = static_cast<char>(0x80);
  e.ws.receive(std::as_writable_bytes(std::span(stream)), e.now, e.sink);
  CHECK(received == size);
  CHECK(e.ws.is_open());
  e.ws.settle();
}

TEST_CASE("control_frames_are_limited_in_each_second") {  // C03
  const role own = GENERATE(role::server, role::client);
  const std::size_t limit = GENERATE(1u, 2u, 200u);
  const frame control = GENERATE(frame::ping("a"), frame::pong("a"));
  CAPTURE(own, limit);
  endpoint e(own, with_control_frames(limit));
  e.feed(std::vector<frame>(limit, control));
  CHECK(e.events().size() == limit);
  CHECK(e.ws.is_open());
  SECTION("one more in the same second is refused") {
    e.now += 1s - 1ns;
    e.feed(encoded(header_of(e.peer(), control.op, 1)));
    CHECK(e.events() == too_many_control_frames);
    CHECK(e.sent().back() == frame::failure(errc::too_many_control_frames, close_code::policy_violation));
  }
  SECTION("as many are accepted in the next") {
    e.now += 1s;
    e.feed(std::vector<frame>(limit, control));
    CHECK(e.events().size() == limit);
    CHECK(e.ws.is_open());
    e.feed(control);
    CHECK(e.events() == too_many_control_frames);
  }
}

TEST_CASE("a_close_frame_is_a_control_frame_that_counts") {
  const role own = GENERATE(role::server, role::client);
  endpoint below(own, with_control_frames(2));
  below.feed({frame::ping(""), frame::close()});
  CHECK(below.events().back() == event::close(close_code::no_status));
  endpoint above(own, with_control_frames(2));
  above.feed({frame::ping(""), frame::pong(""), frame::close()});
  CHECK(above.events().back() == too_many_control_frames.front());
}

TEST_CASE("a_limit_of_no_control_frames_lets_none_through") {
  const role own = GENERATE(role::server, role::client);
  endpoint e(own, with_control_frames(0));
  e.feed(frame::text("a"));
  CHECK(e.events() == std::vector{event::text("a")});
  e.feed(frame::pong(""));
  CHECK(e.events() == too_many_control_frames);
}

TEST_CASE("messages_in_one_frame_are_not_limited_in_time") {
  const role own = GENERATE(role::server, role::client);
  connection_options options = with_control_frames(1);
  options.max_fragments_per_second = 0;
  endpoint e(own, options);
  e.feed(std::vector<frame>(1000, frame::text("")));
  e.feed(frame::ping(""));
  CHECK(e.events().size() == 1001);
  CHECK(e.ws.is_open());
  e.feed(frame::text("", unfinished));
  CHECK(e.events() == too_many_fragments_a_second);
}

TEST_CASE("fragments_are_limited_in_each_second_over_all_messages") {  // M01, M02
  const role own = GENERATE(role::server, role::client);
  const std::size_t limit = GENERATE(2u, 3u, 1000u);
  const std::string payload = GENERATE("", "x");
  connection_options options;
  options.max_fragments_per_second = limit;
  endpoint e(own, options);
  // Messages of two frames, and of the last the first frame alone where the limit is odd.
  std::vector<frame> frames;
  for (std::size_t i = 0; i + 1 < limit; i += 2) {
    frames.push_back(frame::text(payload, unfinished));
    frames.push_back(frame::continuation(payload));
  }
  if (limit % 2 != 0) frames.push_back(frame::text(payload, unfinished));
  e.feed(frames);
  e.events();
  REQUIRE(e.ws.is_open());
  const frame next =
      limit % 2 != 0 ? frame::continuation(payload, unfinished) : frame::binary(payload, unfinished);
  SECTION("one more in the same second is refused") {
    e.now += 1s - 1ns;
    e.feed(next);
    CHECK(e.events() == too_many_fragments_a_second);
    CHECK(e.sent().back() == frame::failure(errc::fragment_rate_exceeded, close_code::policy_violation));
  }
  SECTION("it is accepted in the next") {
    e.now += 1s;
    e.feed(next);
    CHECK(e.ws.is_open());
  }
}

TEST_CASE("a_flood_of_small_messages_in_fragments_ends_at_the_default_limit") {  // M01, R12
  const role own = GENERATE(role::server, role::client);
  endpoint e(own);
  counting_sink sink;
  const std::string message = encoded(e.peer(), fragments(16, "x"));
  std::size_t frames = 0;
  while (sink.ends == 0 && frames < 1'000'000) {
    std::string stream = message;
    e.ws.receive(std::as_writable_bytes(std::span(stream)), e.now, sink);
    e.ws.settle();
    frames += 16;
  }
  CHECK(frames == 65'536 + 16);
  CHECK(sink.messages == 65'536 / 16);
}

TEST_CASE("control_frames_do_not_add_up_over_hours") {  // C03, M03
  const role own = GENERATE(role::server, role::client);
  endpoint e(own);
  counting_sink sink;
  const std::string ping = encoded(e.peer(), frame::ping("tick"));
  const auto run = [&](std::size_t count, duration interval) {
    for (std::size_t i = 0; i < count; ++i) {
      std::string stream = ping;
      e.ws.receive(std::as_writable_bytes(std::span(stream)), e.now, sink);
      e.ws.consume(e.ws.output_size());
      e.ws.settle();
      e.now += interval;
    }
  };
  run(36'000, 100ms);  // ten a second for an hour
  run(100'000, 5ms);   // the most that is allowed, for 500 seconds
  CHECK(sink.controls == 136'000);
  CHECK(e.ws.is_open());
}
