#include <fairlead/protocol/connection.hpp>

#include "support.hpp"

#include <support/heap.hpp>

using namespace protocol_tests;

// payload_room(): large messages are read straight into their own buffer, which grows with what has arrived.

namespace {

constexpr std::size_t limit = 4 * 1024 * 1024;
constexpr std::size_t first_room = 64 * 1024;         // the most that an announcement alone is given
constexpr std::size_t smallest_in_place = 16 * 1024;  // of missing bytes

connection_options large_messages() {
  connection_options options;
  options.max_message_size = limit;
  return options;
}

// Reads up to `size` of `stream` in place, as a link does, and removes what was read.
void read_in_place(endpoint& e, std::string_view& stream, std::size_t size = ~std::size_t{0}) {
  const std::span<std::byte> room = e.ws.payload_room();
  const std::string_view piece = stream.substr(0, std::min(size, room.size()));
  REQUIRE(!piece.empty());
  std::ranges::copy(bytes_of(piece), room.begin());
  stream.remove_prefix(piece.size());
  REQUIRE(e.ws.receive(room.first(piece.size()), e.now, e.sink) == piece.size());
}

}  // namespace

TEST_CASE("there_is_room_only_within_the_payload_of_a_large_data_frame") {
  const role own = GENERATE(role::server, role::client);
  endpoint e(own, large_messages());
  CHECK(e.ws.payload_room().empty());

  const std::string stream = encoded(e.peer(), frame::binary(pattern(100'000)));
  const std::size_t header_size = stream.size() - 100'000;
  e.feed(stream.substr(0, header_size - 1));
  CHECK(e.ws.payload_room().empty());
  e.feed(stream.substr(header_size - 1, 1));
  CHECK(!e.ws.payload_room().empty());
  e.feed(stream.substr(header_size));
  CHECK(e.ws.payload_room().empty());

  e.feed(encoded(e.peer(), frame::ping(pattern(125))).substr(0, 20));
  CHECK(e.ws.payload_room().empty());
}

TEST_CASE("there_is_room_from_so_many_missing_bytes_on") {
  const role own = GENERATE(role::server, role::client);
  const auto room_for = [own](std::size_t missing) {
    endpoint e(own, large_messages());
    e.feed(encoded(header_of(e.peer(), opcode::binary, missing)));
    return e.ws.payload_room().size();
  };
  CHECK(room_for(smallest_in_place - 1) == 0);
  CHECK(room_for(smallest_in_place) == smallest_in_place);
  CHECK(room_for(smallest_in_place + 1) == smallest_in_place + 1);
  CHECK(room_for(first_room - 1) == first_room - 1);
  CHECK(room_for(first_room) == first_room);
  CHECK(room_for(first_room + 1) == first_room);
  CHECK(room_for(limit) == first_room);
}

TEST_CASE("a_message_read_in_place_is_the_same_message") {
  const role own = GENERATE(role::server, role::client);
  const std::size_t size = GENERATE(16'384u, 50'000u, 65'536u, 65'537u, 131'072u, 131'073u, 1'000'000u);
  const std::size_t read_size = GENERATE(1'000u, 16'384u, 65'521u, 1'000'000u);
  CAPTURE(own, size, read_size);
  endpoint e(own, large_messages());
  const std::string payload = pattern(size);
  // Followed by another message, which must not end up in the room of the first.
  const std::string stream = encoded(e.peer(), {frame::text(payload), frame::binary("next")});
  e.feed_in_place(stream, read_size);
  CHECK(e.events() == std::vector{event::text(payload), event::binary("next")});
}

TEST_CASE("fragments_read_in_place_are_the_same_message") {
  const role own = GENERATE(role::server, role::client);
  endpoint e(own, large_messages());
  std::vector<frame> frames{frame::text("", unfinished)};
  std::string whole;
  for (const std::size_t size : {100'000u, 3u, 16'384u, 0u, 200'000u, 16'383u}) {
    frames.push_back(frame::continuation(pattern(size, size), unfinished));
    frames.push_back(frame::ping("between"));
    whole += frames[frames.size() - 2].payload;
  }
  frames.push_back(frame::continuation(""));
  e.feed_in_place(encoded(e.peer(), frames), 65'536);
  std::vector<event> expected(6, event::ping("between"));
  expected.push_back(event::text(whole));
  CHECK(e.events() == expected);
}

TEST_CASE("reading_in_place_and_from_elsewhere_may_alternate") {
  const role own = GENERATE(role::server, role::client);
  endpoint e(own, large_messages());
  const std::string payload = pattern(500'000);
  const std::string encoded_frame = encoded(e.peer(), frame::text(payload));
  std::string_view stream = encoded_frame;
  e.feed(stream.substr(0, 100));
  stream.remove_prefix(100);
  while (!e.ws.payload_room().empty()) {
    read_in_place(e, stream, 7'001);
    const std::string_view elsewhere = stream.substr(0, 5'003);
    stream.remove_prefix(elsewhere.size());
    e.feed(elsewhere);
  }
  e.feed(stream);
  CHECK(e.events() == std::vector{event::text(payload)});
}

TEST_CASE("bytes_read_in_place_may_be_given_in_several_calls") {
  const role own = GENERATE(role::server, role::client);
  endpoint e(own, large_messages());
  const std::string payload = pattern(30'000);
  const std::string stream = encoded(e.peer(), frame::text(payload));
  const std::size_t header_size = stream.size() - payload.size();
  e.feed(stream.substr(0, header_size));
  const std::span<std::byte> room = e.ws.payload_room();
  REQUIRE(room.size() == payload.size());
  std::ranges::copy(bytes_of(stream).subspan(header_size), room.begin());
  e.ws.receive(room.first(1), e.now, e.sink);
  e.ws.receive(room.subspan(1, 9'999), e.now, e.sink);
  e.ws.receive(room.subspan(10'000), e.now, e.sink);
  CHECK(e.events() == std::vector{event::text(payload)});
  e.ws.settle();
}

TEST_CASE("the_room_is_never_more_than_is_missing") {
  const role own = GENERATE(role::server, role::client);
  endpoint e(own, large_messages());
  const std::string payload = pattern(300'001);
  const std::string encoded_frame = encoded(e.peer(), frame::binary(payload));
  std::string_view stream = encoded_frame;
  const std::size_t header_size = stream.size() - payload.size();
  e.feed(stream.substr(0, header_size));
  stream.remove_prefix(header_size);
  while (!e.ws.payload_room().empty()) {
    REQUIRE(e.ws.payload_room().size() <= stream.size());
    read_in_place(e, stream);
  }
  CHECK(stream.size() < smallest_in_place);
  e.feed(stream);
  CHECK(e.events() == std::vector{event::binary(payload)});
}

TEST_CASE("the_room_of_a_fragment_ends_with_the_fragment") {
  const role own = GENERATE(role::server, role::client);
  endpoint e(own, large_messages());
  e.feed(frame::binary(pattern(100'000), unfinished));
  e.feed(encoded(header_of(e.peer(), opcode::continuation, 20'000, unfinished)));
  CHECK(e.ws.payload_room().size() <= 20'000);
  CHECK(!e.ws.payload_room().empty());
}

TEST_CASE("the_room_grows_with_what_has_arrived") {
  const role own = GENERATE(role::server, role::client);
  endpoint e(own, large_messages());
  const std::string payload = pattern(limit);
  const std::string encoded_frame = encoded(e.peer(), frame::binary(payload));
  std::string_view stream = encoded_frame;
  const std::size_t header_size = stream.size() - payload.size();
  e.sink.message_hook = [&](message_view m) {
    CHECK(text_of(m.bytes()) == payload);
    return flow::proceed;
  };
  e.feed(stream.substr(0, header_size));
  stream.remove_prefix(header_size);
  std::size_t reads = 0;
  for (; !stream.empty(); ++reads) {
    const std::size_t arrived = payload.size() - stream.size();
    REQUIRE(e.ws.payload_room().size() <= std::max(first_room, arrived));
    read_in_place(e, stream);
  }
  CHECK(reads == 7);  // 64 KiB, then doubled six times
  CHECK(e.sink.events.size() == 1);
  e.ws.settle();
}

TEST_CASE("an_announcement_alone_takes_little_memory") {  // F03
  const role own = GENERATE(role::server, role::client);
  endpoint e(own, large_messages());
  counting_sink sink;
  std::string header = encoded(header_of(e.peer(), opcode::binary, limit));
  std::string byte = "x";
  const heap_watch heap;
  e.ws.receive(std::as_writable_bytes(std::span(header)), e.now, sink);
  CHECK(heap.peak() == 0);
  e.ws.receive(std::as_writable_bytes(std::span(byte)), e.now, sink);
  (void)e.ws.payload_room();
  e.ws.settle();
  CHECK(heap.peak() <= static_cast<std::ptrdiff_t>(first_room + 4096));
}

TEST_CASE("an_unfinished_message_takes_at_most_twice_what_has_arrived") {  // F03, M01
  const role own = GENERATE(role::server, role::client);
  const bool in_place = GENERATE(false, true);
  CAPTURE(own, in_place);
  endpoint e(own, large_messages());
  counting_sink sink;
  std::string stream = encoded(header_of(e.peer(), opcode::binary, limit));
  stream.resize(stream.size() + 3'000'000);
  std::span<std::byte> rest = std::as_writable_bytes(std::span(stream));
  std::ptrdiff_t arrived = 0;
  const heap_watch heap;
  while (!rest.empty()) {
    std::span<std::byte> piece = rest.first(std::min<std::size_t>(rest.size(), 20'000));
    if (const std::span<std::byte> room = e.ws.payload_room(); in_place && !room.empty()) {
      piece = piece.first(std::min(piece.size(), room.size()));
      std::ranges::copy(piece, room.begin());
      e.ws.receive(room.first(piece.size()), e.now, sink);
    } else {
      e.ws.receive(piece, e.now, sink);
    }
    e.ws.settle();
    rest = rest.subspan(piece.size());
    arrived += static_cast<std::ptrdiff_t>(piece.size());
    REQUIRE(heap.peak() <= std::max<std::ptrdiff_t>(first_room, 2 * arrived) + 4096);
  }
}

TEST_CASE("text_read_in_place_fails_at_the_first_impossible_byte") {  // M07
  const role own = GENERATE(role::server, role::client);
  endpoint e(own, large_messages());
  std::string text = pattern(200'000);
  text[100'000] = '\xff';
  const std::string encoded_frame = encoded(e.peer(), frame::text(text));
  std::string_view stream = encoded_frame;
  e.feed(stream.substr(0, stream.size() - text.size()));
  stream.remove_prefix(stream.size() - text.size());
  while (stream.size() > 100'000) read_in_place(e, stream, stream.size() - 100'000);
  CHECK(e.events().empty());
  read_in_place(e, stream, 1);
  CHECK(e.events() == std::vector{event::failure(errc::bad_utf8, close_code::invalid_payload)});
  CHECK(e.ws.payload_room().empty());
  e.ws.settle();
}

TEST_CASE("there_is_no_room_for_what_is_discarded") {
  const role own = GENERATE(role::server, role::client);
  endpoint e(own, large_messages());
  e.feed(encoded(header_of(e.peer(), opcode::binary, 100'000)) + pattern(1'000));
  REQUIRE(!e.ws.payload_room().empty());
  REQUIRE(!e.ws.close(close_code::normal, {}, e.now));
  CHECK(e.ws.payload_room().empty());
}

TEST_CASE("room_that_was_not_used_is_given_back") {
  const role own = GENERATE(role::server, role::client);
  endpoint e(own, large_messages());
  counting_sink sink;
  std::string header = encoded(header_of(e.peer(), opcode::binary, 20'000));
  std::string payload = pattern(20'000);
  const heap_watch heap;
  e.ws.receive(std::as_writable_bytes(std::span(header)), e.now, sink);
  CHECK(e.ws.payload_room().size() == payload.size());
  e.ws.receive(std::as_writable_bytes(std::span(payload)), e.now, sink);
  e.ws.settle();
  CHECK(sink.messages == 1);
  CHECK(heap.growth() == 0);
}

TEST_CASE("a_message_read_in_place_owns_its_bytes") {
  // What a sink sends back must not refer to memory that the connection uses again or frees: the room is not
  // the link's buffer, of which receive() demands that it stays until settle().
  const role own = GENERATE(role::server, role::client);
  const std::size_t size = GENERATE(20'000u, 200'000u);
  CAPTURE(own, size);
  endpoint e(own, large_messages());
  const std::string payload = pattern(size);
  const std::string encoded_frame = encoded(e.peer(), frame::binary(payload));
  const std::size_t header_size = encoded_frame.size() - size;
  std::string_view stream = encoded_frame;
  const auto read_it = [&] {
    e.feed(stream.substr(0, header_size));
    stream.remove_prefix(header_size);
    while (!e.ws.payload_room().empty()) read_in_place(e, stream);
    if (!stream.empty()) e.feed(stream);
    CHECK(e.events() == std::vector{event::binary(payload)});
  };
  SECTION("sent back whole, then closed") {
    e.sink.message_hook = [&](message_view m) {
      CHECK(m.owner() != nullptr);
      e.ws.send(m);
      CHECK(!e.ws.close(close_code::normal, {}, e.now));
      return flow::proceed;
    };
    read_it();
    CHECK(e.sent() == std::vector{frame::binary(payload), frame::close(close_code::normal)});
  }
  SECTION("sent back whole, then the next one begins within the same turn") {
    e.sink.message_hook = [&](message_view m) {
      e.ws.send(m);
      return flow::proceed;
    };
    read_it();
    std::string next = encoded(e.peer(), frame::binary(pattern(30'000, 7))).substr(0, 25'000);
    e.ws.receive(std::as_writable_bytes(std::span(next)), e.now, e.sink);
    CHECK(e.sent() == std::vector{frame::binary(payload)});
  }
  SECTION("sent back in part") {
    constexpr std::size_t part = 5'000;  // large enough to be referred to, within the last read
    e.sink.message_hook = [&](message_view m) {
      e.ws.send({m.kind(), m.bytes().last(part)});
      return flow::proceed;
    };
    read_it();
    CHECK(e.sent() == std::vector{frame::binary(payload.substr(size - part))});
  }
}
