#include <fairlead/protocol/connection.hpp>

#include "deflate_support.hpp"

#include <support/heap.hpp>

#include <limits>

using namespace protocol_tests;

// Compressed messages on a connection (RFC 7692 sections 6 and 7.2; TRUST F06, F11, D01 to D04, D07, D09).

namespace {

role any_role() { return GENERATE(role::server, role::client); }

const std::vector<event> reserved_bits{event::failure(errc::reserved_bits, close_code::protocol_error)};
const std::vector<event> bad_utf8{event::failure(errc::bad_utf8, close_code::invalid_payload)};
const std::vector<event> bad_compression{event::failure(errc::bad_compression, close_code::invalid_payload)};
const std::vector<event> too_big{event::failure(errc::message_too_big, close_code::message_too_big)};

connection_options with_message_size(std::size_t size) {
  connection_options options;
  options.max_message_size = size;
  return options;
}

/// Every byte of the stream in one turn of a connection of its own, then byte by byte, then with a cut at each
/// of a few hundred places: the events have to be these.
void check_events_however_cut(role own, const std::string& stream, const std::vector<event>& expected) {
  compression_workspace w;
  const auto check = [&](auto feed) {
    deflate_endpoint e(own, w);
    feed(e);
    REQUIRE(e.events() == expected);
  };
  check([&](endpoint& e) { e.feed(stream); });
  check([&](endpoint& e) { e.feed_in_pieces(stream, 1); });
  check([&](endpoint& e) { e.feed_in_place(stream, 7); });
  for (std::size_t cut = 1; cut < stream.size(); cut += 1 + stream.size() / 300) {
    CAPTURE(cut);
    check([&](endpoint& e) {
      e.feed(stream.substr(0, cut));
      e.feed(stream.substr(cut));
    });
  }
}

}  // namespace

// --- Reserved bits.

TEST_CASE("rsv1_without_negotiation_is_refused") {  // section 6, F06
  const role own = any_role();
  const opcode op = GENERATE(opcode::text, opcode::binary);
  endpoint e(own);
  const std::string stream = compressed(e.peer(), {op, hello});
  e.feed(stream);
  CHECK(e.events() == reserved_bits);
  CHECK(e.sent() == std::vector{frame::failure(errc::reserved_bits, close_code::protocol_error)});
}

TEST_CASE("rsv1_is_refused_behind_the_first_frame_and_on_control_frames") {  // section 6, F06
  const role own = any_role();
  const bool in_compressed = GENERATE(false, true);
  compression_workspace w;
  SECTION("continuation") {
    const bool fin = GENERATE(false, true);
    deflate_endpoint e(own, w);
    e.feed(encoded_with_rsv(e.peer(), frame::binary(hello.substr(0, 3), unfinished), in_compressed));
    CHECK(e.events().empty());
    e.feed(compressed(e.peer(), frame::continuation(hello.substr(3), fin)));
    CHECK(e.events() == reserved_bits);
  }
  SECTION("control frames, between messages and within one") {
    const bool within = GENERATE(false, true);
    for (const frame& control : {frame::ping("a"), frame::pong("a"), frame::close(close_code::normal)}) {
      deflate_endpoint e(own, w);
      if (within) e.feed(encoded_with_rsv(e.peer(), frame::text("", unfinished), in_compressed));
      e.feed(compressed(e.peer(), control));
      CHECK(e.events() == reserved_bits);
    }
  }
}

TEST_CASE("rsv2_and_rsv3_stay_refused_where_compression_was_agreed") {  // RFC 6455 section 5.2, F06
  const role own = any_role();
  const bool rsv1 = GENERATE(false, true);
  compression_workspace w;
  for (const frame& f : {frame::text(hello), frame::binary(hello), frame::ping("a")}) {
    for (const auto& [rsv2, rsv3] : {std::pair(true, false), std::pair(false, true), std::pair(true, true)}) {
      deflate_endpoint e(own, w);
      e.feed(encoded_with_rsv(e.peer(), f, rsv1, rsv2, rsv3));
      CHECK(e.events() == reserved_bits);
    }
  }
}

TEST_CASE("messages_may_be_compressed_or_not_one_by_one") {  // section 6
  const role own = any_role();
  compression_workspace w;
  deflate_endpoint e(own, w, agreed(true), deflating(true));
  e.feed(compressed(e.peer(), frame::text(hello)) + encoded(e.peer(), frame::text("plain")) +
         compressed(e.peer(), frame::binary(hello_again)) +
         encoded(e.peer(), {frame::binary("in ", unfinished), frame::continuation("two")}) +
         compressed(e.peer(), frame::text(hello_again)));
  CHECK(e.events() == std::vector{event::text("Hello"), event::text("plain"), event::binary("Hello"),
                                  event::binary("in two"), event::text("Hello")});
}

// --- Receiving.

TEST_CASE("a_compressed_message_means_the_same_in_any_frames_and_pieces") {  // section 6.1
  const role own = any_role();
  const std::string text = prose(500) + "\xf0\x9f\x8e\x89\xc3\xa9" + pattern(60);
  const std::string payload = deflated(text);
  for (const std::size_t count : {std::size_t{1}, std::size_t{2}, std::size_t{3}, payload.size(),
                                  2 * payload.size() /* every other one empty */}) {
    CAPTURE(own, count);
    check_events_however_cut(own, compressed_in_frames(other(own), opcode::text, payload, count),
                             {event::text(text)});
  }
  // The message ends in an empty frame, begins with one, or both, and is not the last.
  const role from = other(own);
  const std::string all =
      compressed(from, frame::text("", unfinished)) + encoded(from, frame::continuation(payload)) +
      compressed(from, frame::binary(hello_bare_last, unfinished)) + encoded(from, frame::continuation("")) +
      compressed(from, frame::text("", unfinished)) + encoded(from, frame::continuation("", unfinished)) +
      encoded(from, frame::continuation(hello, unfinished)) + encoded(from, frame::continuation("")) +
      encoded(from, frame::text("plain"));
  check_events_however_cut(
      own, all, {event::text(text), event::binary("Hello"), event::text("Hello"), event::text("plain")});
}

TEST_CASE("control_frames_come_between_the_frames_of_a_compressed_message") {  // RFC 6455 section 5.4
  const role own = any_role();
  const role from = other(own);
  const std::string text = prose(300);
  const std::string payload = deflated(text);
  const std::string stream = compressed(from, frame::text(payload.substr(0, 10), unfinished)) +
                             encoded(from, frame::ping("1")) +
                             encoded(from, frame::continuation(payload.substr(10, 10), unfinished)) +
                             encoded(from, {frame::pong("2"), frame::ping("")}) +
                             encoded(from, frame::continuation(payload.substr(20))) +
                             encoded(from, frame::close(close_code::normal, "bye"));
  check_events_however_cut(own, stream,
                           {event::ping("1"), event::pong("2"), event::ping(""), event::text(text),
                            event::close(close_code::normal, "bye")});
}

TEST_CASE("an_empty_message_comes_compressed_and_an_empty_payload_is_none") {  // section 7.2.3.6, F11
  const role own = any_role();
  const role from = other(own);
  check_events_however_cut(
      own, compressed(from, frame::text(text_of({0x00}))) + compressed(from, frame::binary(text_of({0x00}))),
      {event::text(""), event::binary("")});
  for (const std::size_t count : {1u, 2u, 5u}) {
    check_events_however_cut(own, compressed_in_frames(from, opcode::text, "", count), bad_compression);
  }
}

TEST_CASE("empty_fragments_of_a_compressed_message_are_counted") {  // F11, M02
  const role own = any_role();
  connection_options options;
  options.max_fragments = 100;
  compression_workspace w;
  deflate_endpoint e(own, w, agreed(false), deflating(), options);
  e.feed(compressed(e.peer(), frame::text("", unfinished)));
  for (int i = 1; i < 100; ++i) e.feed(frame::continuation("", unfinished));
  CHECK(e.events().empty());
  e.feed(encoded(e.peer(), frame::continuation("", unfinished)));
  CHECK(e.events() == std::vector{event::failure(errc::too_many_fragments, close_code::policy_violation)});
}

TEST_CASE("a_message_at_the_edge_of_the_inflate_room_arrives_whole") {
  const role own = any_role();
  const std::size_t size = std::size_t{64 * 1024} * GENERATE(1u, 2u) + GENERATE(0u, 1u, 2u) - 1;
  CAPTURE(own, size);
  compression_workspace w;
  for (const std::string& text : {prose(size), pattern(size), std::string(size, 'z')}) {
    for (const std::string& payload : {deflated(text), peer_deflater().last_message(text)}) {
      for (const std::size_t count : {1u, 7u}) {
        deflate_endpoint e(own, w, agreed(false), deflating(), with_message_size(1'000'000));
        e.feed(compressed_in_frames(e.peer(), opcode::text, payload, count));
        const auto events = e.events();
        REQUIRE(events.size() == 1);
        CHECK((events[0] == event::text(text)));
      }
    }
  }
}

TEST_CASE("a_message_of_16_mib_arrives_whole") {
  const role own = any_role();
  constexpr std::size_t size = 16 * 1024 * 1024;
  const std::string text = prose(size);
  const std::string payload = deflated(text);
  compression_workspace w;
  deflate_endpoint e(own, w, agreed(false), deflating(), with_message_size(size));
  e.feed_in_pieces(compressed_in_frames(e.peer(), opcode::binary, payload, GENERATE(1u, 1000u)), 30'000);
  const auto events = e.events();
  REQUIRE(events.size() == 1);
  CHECK((events[0] == event::binary(text)));
}

TEST_CASE("a_sink_that_pauses_gets_the_next_compressed_message_later") {
  const role own = any_role();
  compression_workspace w;
  deflate_endpoint e(own, w);
  e.sink.message_hook = [](message_view) { return flow::pause; };
  const std::string large = prose(100'000);
  const std::string first = compressed(e.peer(), frame::text(hello));
  const std::string second = compressed_in_frames(e.peer(), opcode::binary, deflated(large), 3);
  const std::string third = compressed(e.peer(), frame::text(hello));
  e.options.max_message_size = large.size();
  CHECK(e.feed(first + second + third) == first.size());
  CHECK(e.events() == std::vector{event::text("Hello")});
  CHECK(e.feed(second + third) == second.size());
  CHECK((e.events() == std::vector{event::binary(large)}));
  CHECK(e.feed(third) == third.size());
  CHECK(e.events() == std::vector{event::text("Hello")});
}

TEST_CASE("a_callback_may_compress_a_reply_while_the_message_is_in_view") {
  const role own = any_role();
  const bool takeover = GENERATE(false, true);
  const std::size_t size = GENERATE(1000u, 200'000u);  // in the workspace, and in a buffer of its own
  const std::string text = prose(size);
  compression_workspace w;
  deflate_endpoint e(own, w, agreed(takeover), deflating(takeover), with_message_size(size));
  e.sink.message_hook = [&](message_view m) {
    e.ws.send(prose(5000, 7));
    CHECK((m.text() == text));
    if (e.ws.writable()) e.ws.send(m);
    CHECK((m.text() == text));
    CHECK_FALSE(e.ws.ping(bytes_of("p")));
    CHECK((m.text() == text));
    return flow::proceed;
  };
  e.feed(compressed(e.peer(), frame::text(deflated(text))));
  const auto frames = sent_frames(e);
  REQUIRE(frames.size() == 3);
  peer_inflater peer;
  peer_inflater other_peer;
  CHECK(frames[0].is_compressed);
  CHECK(frames[1].is_compressed);
  CHECK((peer.message(frames[0].f.payload) == prose(5000, 7)));
  CHECK(((takeover ? peer : other_peer).message(frames[1].f.payload) == text));
  CHECK(frames[2].f == frame::ping("p"));
}

// --- Text.

TEST_CASE("compressed_text_is_checked_across_steps_of_the_inflater") {  // RFC 6455 section 8.1, M07
  const role own = any_role();
  compression_workspace w;
  // The character lies across the edge of the inflate room, at each of its bytes.
  for (std::size_t before = 64 * 1024 - 4; before <= 64 * 1024; ++before) {
    const std::string text = prose(before) + "\xf0\x9f\x8e\x89" + prose(100);
    deflate_endpoint good(own, w, agreed(false), deflating(), with_message_size(text.size()));
    good.feed(compressed(good.peer(), frame::text(deflated(text))));
    CHECK((good.events() == std::vector{event::text(text)}));

    std::string bad = text;
    bad[before + 3] = 'x';
    deflate_endpoint e(own, w, agreed(false), deflating(), with_message_size(text.size()));
    e.feed(compressed(e.peer(), frame::text(deflated(bad))));
    CHECK(e.events() == bad_utf8);
  }
}

TEST_CASE("compressed_text_fails_as_soon_as_its_bad_byte_is_known") {  // RFC 6455 section 8.1, M07
  const role own = any_role();
  compression_workspace w;
  peer_deflater peer;
  const std::string possible = peer.message("caf\xc3\xa9 \xf0\x9f") + text_of({0x00, 0x00, 0xff, 0xff});
  const std::string impossible = peer.message("(") + text_of({0x00, 0x00, 0xff, 0xff});
  deflate_endpoint e(own, w);
  e.feed(compressed(e.peer(), frame::text(possible, unfinished)));
  CHECK(e.events().empty());
  e.feed(encoded(e.peer(), frame::continuation(impossible, unfinished)));
  CHECK(e.events() == bad_utf8);
  CHECK(e.sent() == std::vector{frame::failure(errc::bad_utf8, close_code::invalid_payload)});

  // Within one frame that has not arrived in full.
  deflate_endpoint pieces(own, w);
  const std::string stream =
      compressed(pieces.peer(), frame::text(possible + impossible + std::string(1000, 'x')));
  pieces.feed(stream.substr(0, stream.size() - 1000));
  CHECK(pieces.events() == bad_utf8);
}

TEST_CASE("compressed_text_that_ends_within_a_character_fails_and_binary_does_not") {
  const role own = any_role();
  for (const std::string& text :
       {std::string("\xc3"), std::string("caf\xf0\x9f\x8e"), prose(700) + "\xe1\x80"}) {
    const std::string payload = deflated(text);
    for (const std::size_t count : {1u, 2u, 3u}) {
      check_events_however_cut(own, compressed_in_frames(other(own), opcode::text, payload, count), bad_utf8);
      check_events_however_cut(own, compressed_in_frames(other(own), opcode::binary, payload, count),
                               {event::binary(text)});
    }
  }
}

// --- Faults.

TEST_CASE("a_bad_block_fails_the_connection_and_nothing_after_it_is_delivered") {  // D03, D05
  const role own = any_role();
  const bool takeover = GENERATE(false, true);
  compression_workspace w;
  for (const auto& [what, payload] : bad_payloads()) {
    CAPTURE(what);
    for (const std::size_t count : {1u, 2u}) {
      deflate_endpoint e(own, w, agreed(takeover), deflating(takeover));
      e.feed(compressed_in_frames(e.peer(), opcode::binary, payload, count) +
             compressed(e.peer(), frame::text(hello)) + encoded(e.peer(), frame::text("plain")));
      e.feed(compressed(e.peer(), frame::text(hello)));
      CHECK(e.events() == bad_compression);
      CHECK(e.sent() == std::vector{frame::failure(errc::bad_compression, close_code::invalid_payload)});
    }
  }
}

// The decompressor of a connection that failed serves the next one.
TEST_CASE("a_failed_connection_does_not_harm_the_next_one_of_its_workspace") {  // D03
  const role own = any_role();
  compression_workspace w;
  for (const auto& [what, payload] : bad_payloads()) {
    CAPTURE(what);
    {
      deflate_endpoint bad(own, w);
      bad.feed(compressed(bad.peer(), frame::text(payload)));
      CHECK(bad.events() == bad_compression);
    }
    deflate_endpoint good(own, w);
    good.feed(compressed(good.peer(), frame::text(hello)));
    CHECK(good.events() == std::vector{event::text("Hello")});
    // It is given none of the one before.
    good.feed(compressed(good.peer(), frame::text(hello_again)));
    CHECK(good.events() == bad_compression);
  }
  // One that went away within a message, perhaps behind a last block, or whose message was too large.
  for (const std::string& front : {hello_bare_last, hello.substr(0, 4), hello_last}) {
    for (const std::size_t limit : {2u, 1000u}) {
      for (const auto& [next, events] :
           {std::pair(std::string(), bad_compression), std::pair(hello, std::vector{event::text("Hello")})}) {
        {
          deflate_endpoint gone(own, w, agreed(false), deflating(), with_message_size(limit));
          gone.feed(compressed(gone.peer(), frame::text(front, unfinished)));
        }
        deflate_endpoint good(own, w);
        good.feed(compressed(good.peer(), frame::text(next)));
        CHECK(good.events() == events);
      }
    }
  }
}

// --- Limits.

TEST_CASE("a_message_is_refused_when_it_inflates_to_more_than_the_limit") {  // D02
  const role own = any_role();
  const std::size_t limit = GENERATE(0u, 1u, 5u, 1000u, 65'535u, 65'536u, 65'537u, 200'000u);
  const std::size_t count = GENERATE(1u, 4u);
  CAPTURE(own, limit, count);
  compression_workspace w;
  for (const opcode op : {opcode::text, opcode::binary}) {
    deflate_endpoint fits(own, w, agreed(false), deflating(), with_message_size(limit));
    fits.feed(compressed_in_frames(fits.peer(), op, deflated(prose(limit)), count));
    CHECK(fits.events().size() == 1);
    CHECK(fits.ws.is_open());
    for (const std::size_t size : {limit + 1, limit + 70'000}) {
      deflate_endpoint e(own, w, agreed(false), deflating(), with_message_size(limit));
      e.feed(compressed_in_frames(e.peer(), op, deflated(prose(size)), count));
      CHECK(e.events() == too_big);
      CHECK(e.sent() == std::vector{frame::failure(errc::message_too_big, close_code::message_too_big)});
    }
  }
}

TEST_CASE("without_a_limit_a_compressed_message_may_have_any_size") {
  compression_workspace w;
  deflate_endpoint e(any_role(), w, agreed(false), deflating(),
                     with_message_size(std::numeric_limits<std::size_t>::max()));
  const std::string text = prose(300'000);
  e.feed(compressed(e.peer(), frame::text(deflated(text))));
  CHECK((e.events() == std::vector{event::text(text)}));
}

TEST_CASE("what_is_small_compressed_and_large_inflated_is_refused") {  // D02
  const role own = any_role();
  const std::size_t count = GENERATE(1u, 100u);
  compression_workspace w;
  // About 100 KiB of 2 MiB.
  std::string text;
  while (text.size() < 2 * 1024 * 1024) text += pattern(3000, text.size()) + std::string(60'000, 'x');
  const std::string payload = deflated(text);
  CHECK(payload.size() > 64 * 1024);
  CHECK(payload.size() < 128 * 1024);
  deflate_endpoint e(own, w, agreed(false), deflating(), with_message_size(1024 * 1024));
  e.feed_in_pieces(compressed_in_frames(e.peer(), opcode::binary, payload, count), 5000);
  CHECK(e.events() == too_big);
  deflate_endpoint fits(own, w, agreed(false), deflating(), with_message_size(text.size()));
  fits.feed_in_pieces(compressed_in_frames(fits.peer(), opcode::binary, payload, count), 5000);
  CHECK((fits.events() == std::vector{event::binary(text)}));
}

TEST_CASE("a_bomb_takes_no_more_memory_than_the_limit") {  // D01
  const role own = any_role();
  constexpr std::size_t limit = 1024 * 1024;
  constexpr std::size_t repeats = 1024;
  // A MiB of zeros, and as often again as makes a GiB, each of a block that stands by itself.
  static const std::string one = [] {
    peer_deflater peer(15, 9);
    return peer.message(std::string(1024 * 1024, '\0')) + text_of({0x00, 0x00, 0xff, 0xff});
  }();
  std::string payload;
  for (std::size_t i = 0; i < repeats; ++i) payload += one;
  payload += text_of({0x00});
  CHECK(payload.size() < 2 * limit + 1024);
  compression_workspace w;
  const connection_options options = with_message_size(limit);
  output_workspace out;
  numbered_keys keys;
  const deflate_options deflate = deflating();
  for (const std::size_t piece : {std::size_t{4096}, payload.size() + 20}) {
    std::string stream = compressed(other(own), frame::binary(payload));
    const std::span<std::byte> all = std::as_writable_bytes(std::span(stream));
    counting_sink sink;
    connection ws(own, options, out, own == role::client ? &keys : nullptr);
    ws.enable_deflate(agreed(false), deflate, w);
    const heap_watch heap;
    std::size_t used = 0;
    while (used < all.size() && ws.is_open()) {
      used += ws.receive(all.subspan(used, std::min(piece, all.size() - used)), time_point(1h), sink);
    }
    CHECK_FALSE(ws.is_open());
    CHECK(sink.messages == 0);
    CHECK(sink.ends == 1);
    // The message so far, which doubles as it grows, beside the inflate room and one decompressor.
    CHECK(heap.peak() <= static_cast<std::ptrdiff_t>(limit + 64 * 1024 + 64 * 1024));
    // Refused within the compressed byte that passes the limit, not at the end.
    if (piece == 4096) CHECK(used <= one.size() + 2 * piece);
    ws.consume(ws.output_size());
    ws.settle();
  }
}

TEST_CASE("what_a_compressed_message_may_announce_is_bounded_too") {
  const role own = any_role();
  const std::size_t limit = GENERATE(0u, 100u, 100'000u);
  const std::size_t most = 2 * limit + 1024;
  CAPTURE(own, limit);
  compression_workspace w;
  const auto announced = [&](std::size_t size) {
    deflate_endpoint e(own, w, agreed(false), deflating(), with_message_size(limit));
    frame_header h = header_of(e.peer(), opcode::binary, size);
    h.rsv1 = true;
    e.feed(encoded(h));
    return e.events();
  };
  CHECK(announced(most).empty());
  CHECK(announced(most + 1) == too_big);
  CHECK(announced(std::numeric_limits<std::int64_t>::max()) == too_big);

  // Over all frames of the message; what is not compressed has the limit itself.
  deflate_endpoint e(own, w, agreed(false), deflating(), with_message_size(limit));
  std::string blocks;
  while (blocks.size() + 5 < most) blocks += text_of({0x00, 0x00, 0x00, 0xff, 0xff});
  e.feed(compressed(e.peer(), frame::binary(blocks, unfinished)));
  e.feed(encoded(header_of(e.peer(), opcode::continuation, most - blocks.size() + 1)));
  CHECK(e.events() == too_big);
  deflate_endpoint fits(own, w, agreed(false), deflating(), with_message_size(limit));
  fits.feed(compressed(fits.peer(), frame::binary(blocks, unfinished)));
  fits.feed(encoded(fits.peer(), frame::continuation(text_of({0x00}))));
  CHECK(fits.events() == std::vector{event::binary("")});
  fits.feed(encoded(header_of(fits.peer(), opcode::binary, limit + 1)));
  CHECK(fits.events() == too_big);
}

// --- Sending.

TEST_CASE("a_message_is_sent_compressed_with_rsv1_in_one_frame") {  // section 6.1
  const role own = any_role();
  const bool takeover = GENERATE(false, true);
  compression_workspace w;
  deflate_endpoint e(own, w, agreed(takeover), deflating(takeover, 256));
  peer_inflater peer;
  for (const std::size_t size : {300u, 5000u, 70'000u, 1'000'000u}) {
    for (const message_kind kind : {message_kind::text, message_kind::binary}) {
      const std::string text = prose(size, size);
      e.ws.send({kind, bytes_of(text)});
      const auto frames = sent_frames(e);
      REQUIRE(frames.size() == 1);
      CHECK(frames[0].is_compressed);
      CHECK(frames[0].f.fin);
      CHECK(frames[0].f.op == opcode_of(kind));
      CHECK(frames[0].f.payload.size() < size / 2);
      CHECK(((takeover ? peer : *std::make_unique<peer_inflater>()).message(frames[0].f.payload) == text));
    }
  }
}

TEST_CASE("what_is_not_compressed_is_sent_as_it_is") {
  const role own = any_role();
  compression_workspace w;
  deflate_endpoint e(own, w, agreed(false), deflating(false, 256));
  const std::string secret = prose(1000);
  const std::string random = peer_deflater().message(pattern(90'000));
  e.ws.send("");
  e.ws.send(prose(255));
  e.ws.send(message_view(secret).uncompressed());
  e.ws.send(message_view(bytes_of(random)));
  CHECK(e.sent() ==
        std::vector{frame::text(""), frame::text(prose(255)), frame::text(secret), frame::binary(random)});
}

TEST_CASE("control_frames_are_never_compressed") {  // section 6
  const role own = any_role();
  compression_workspace w;
  deflate_endpoint e(own, w);
  CHECK_FALSE(e.ws.ping(bytes_of(std::string(125, 'x'))));
  e.feed(frame::ping(std::string(125, 'y')));
  CHECK_FALSE(e.ws.close(close_code::normal, std::string(123, 'z'), e.now));
  CHECK(e.sent() == std::vector{frame::ping(std::string(125, 'x')), frame::pong(std::string(125, 'y')),
                                frame::close(close_code::normal, std::string(123, 'z'))});
  CHECK(w.memory_size() == 0);
}

TEST_CASE("what_was_compressed_stays_as_it_is_until_it_is_written") {  // D06
  const role own = any_role();
  compression_workspace w;
  deflate_endpoint e(own, w);
  std::vector<std::string> texts;
  for (std::uint64_t i = 0; i < 30 && e.ws.writable(); ++i) {
    texts.push_back(prose(30'000, i));  // more than is copied into the queue
    e.ws.send(texts.back());
    if (i % 5 == 0) e.ws.settle();
  }
  e.ws.settle();
  {
    deflate_endpoint other_one(own, w);
    other_one.ws.send(pattern(50'000));
    CHECK(other_one.ws.output_size() != 0);
  }
  const auto frames = sent_frames(e);
  REQUIRE(frames.size() == texts.size());
  for (std::size_t i = 0; i < frames.size(); ++i) {
    CHECK((peer_inflater().message(frames[i].f.payload) == texts[i]));
  }
}

TEST_CASE("two_connections_understand_each_other") {
  const bool takeover = GENERATE(false, true);
  const int window_bits = GENERATE(9, 15);
  compression_workspace of_server;
  compression_workspace of_client;
  deflate_endpoint server(role::server, of_server, agreed(takeover, window_bits), deflating(takeover));
  deflate_endpoint client(role::client, of_client, agreed(takeover, window_bits), deflating(takeover));
  for (std::size_t size = 0; size <= 60'000; size = size * 3 / 2 + 1) {
    for (const std::string& text : {prose(size, size), pattern(size, size)}) {
      client.ws.send(text);
      server.feed_in_pieces(drained(client.ws), 10'000);
      REQUIRE((server.events() == std::vector{event::text(text)}));
      server.ws.send(text);
      client.feed_in_pieces(drained(server.ws), 10'000);
      REQUIRE((client.events() == std::vector{event::text(text)}));
    }
  }
}

// --- Memory.

TEST_CASE("an_unfinished_message_gives_its_decompressor_back_however_it_ends") {  // D07
  const role own = any_role();
  compression_workspace w;
  const std::string part = deflated(prose(5000)).substr(0, 100);
  const auto with_unfinished = [&](std::size_t count, auto end) {
    std::vector<std::unique_ptr<deflate_endpoint>> all;
    for (std::size_t i = 0; i < count; ++i) {
      all.push_back(std::make_unique<deflate_endpoint>(own, w));
      all.back()->feed(compressed(all.back()->peer(), frame::text(part, unfinished)));
    }
    const std::size_t held = w.memory_size();
    for (auto& e : all) {
      end(*e);
      e.reset();
    }
    return held;
  };
  const auto destroy = [](deflate_endpoint&) {};
  with_unfinished(1, destroy);
  const std::size_t of_one = w.memory_size();
  CHECK(of_one > 7000);
  CHECK(of_one < 42'000);
  with_unfinished(1, destroy);
  CHECK(w.memory_size() == of_one);

  CHECK(with_unfinished(10, destroy) == 10 * of_one);
  CHECK(w.memory_size() == 4 * of_one);  // so many stay for the next ones
  const std::vector<std::function<void(deflate_endpoint&)>> ends{
      [](deflate_endpoint& e) { e.ws.release(); },
      [](deflate_endpoint& e) { e.ws.receive_eof(e.sink); },
      [](deflate_endpoint& e) { e.feed(frame::close(close_code::normal)); },
      [](deflate_endpoint& e) {
        e.feed(encoded(e.peer(), frame::continuation(text_of({0xff, 0xff}))));
      },
      [](deflate_endpoint& e) {
        CHECK_FALSE(e.ws.close(close_code::normal, "", e.now));
        e.ws.on_deadline(e.sink);
      },
      [](deflate_endpoint& e) { e.feed(encoded(e.peer(), frame::text("interleaved"))); },
  };
  for (const auto& end : ends) {
    CHECK(with_unfinished(10, end) == 10 * of_one);
    CHECK(w.memory_size() == 4 * of_one);
  }
}

TEST_CASE("a_connection_that_ended_holds_nothing_even_before_it_is_destroyed") {  // D07
  const role own = any_role();
  compression_workspace w;
  const auto check_empty_after = [&](auto end) {
    deflate_endpoint e(own, w, agreed(true), deflating(true));
    e.ws.send(prose(1000));
    e.feed(compressed(e.peer(), frame::text(hello)));
    CHECK(w.memory_size() > 200'000);
    drained(e.ws);
    end(e);
    CHECK(w.memory_size() == 0);
  };
  check_empty_after([](deflate_endpoint& e) { e.feed(frame::close(close_code::normal)); });
  check_empty_after([](deflate_endpoint& e) { e.ws.receive_eof(e.sink); });
  check_empty_after([](deflate_endpoint& e) { e.feed(compressed(e.peer(), frame::text(text_of({0x06})))); });
  check_empty_after([](deflate_endpoint& e) { e.ws.release(); });
}

TEST_CASE("a_released_connection_may_outlive_its_workspace") {
  const bool takeover = GENERATE(false, true);
  const deflate_options deflate = deflating(takeover);
  endpoint e(any_role());
  {
    compression_workspace w;
    e.ws.enable_deflate(agreed(takeover), deflate, w);
    e.ws.send(prose(1000));
    e.feed(compressed(e.peer(), frame::text(hello.substr(0, 3), unfinished)));
    e.ws.release();
    e.ws.release();  // a second time changes nothing
  }
}

TEST_CASE("connections_that_come_and_go_leave_the_same_memory_behind") {  // D07
  const role own = any_role();
  const bool takeover = GENERATE(false, true);
  compression_workspace w;
  const connection_options options;
  const deflate_options deflate = deflating(takeover);
  output_workspace out;
  numbered_keys keys;
  const std::string text = prose(300);
  const std::string first = compressed(other(own), frame::text(deflated(text)));
  const std::string part = compressed(other(own), frame::text(hello, unfinished));
  std::size_t after_first = 0;
  for (int round = 0; round < 5; ++round) {
    counting_sink sink;
    for (int group = 0; group < 100; ++group) {
      std::vector<std::unique_ptr<connection>> open;
      for (int i = 0; i < 20; ++i) {
        open.push_back(
            std::make_unique<connection>(own, options, out, own == role::client ? &keys : nullptr));
        connection& ws = *open.back();
        ws.enable_deflate(agreed(takeover), deflate, w);
        for (std::string stream : {first, i % 2 == 0 ? part : first}) {
          ws.receive(std::as_writable_bytes(std::span(stream)), time_point(1h), sink);
        }
        ws.send(text);
        ws.consume(ws.output_size());
        ws.settle();
      }
    }
    CHECK(sink.messages == 3000);
    if (round == 0) after_first = w.memory_size();
    CHECK(w.memory_size() == after_first);
  }
  CHECK((after_first == 0) == takeover);
}

// What the comment of deflate_options says.
TEST_CASE(
    "with_takeover_a_connection_holds_what_its_options_say_and_nothing_before_its_first_message") {  // D09
  const role own = any_role();
  const auto [window_bits, memory_level] =
      GENERATE(table<int, int>({{15, 8}, {10, 8}, {10, 4}, {9, 1}, {12, 9}}));
  CAPTURE(own, window_bits, memory_level);
  compression_workspace w;
  deflate_options deflate = deflating(true);
  deflate.memory_level = memory_level;
  const auto is_near = [](std::size_t size, std::size_t said) {
    return size * 100 >= said * 95 && size * 100 <= said * 105;
  };
  deflate_endpoint e(own, w, agreed(true, window_bits), deflate);
  CHECK(w.memory_size() == 0);
  e.feed(frame::text("plain"));
  e.ws.send(message_view("plain").uncompressed());
  CHECK(w.memory_size() == 0);
  e.feed(compressed(e.peer(), frame::text(deflated(prose(1000)))));
  const std::size_t of_inflater = w.memory_size();
  CHECK(is_near(of_inflater, (std::size_t{1} << window_bits) + 7160));
  e.ws.send(prose(1000));
  const std::size_t of_deflater = w.memory_size() - of_inflater;
  CHECK(is_near(of_deflater,
                (std::size_t{1} << (window_bits + 2)) + (std::size_t{1} << (memory_level + 9)) + 5952));
  drained(e.ws);
  for (int i = 0; i < 10; ++i) {
    e.feed(compressed(e.peer(), frame::text(deflated(prose(50'000)))));
    e.ws.send(prose(50'000));
    drained(e.ws);
  }
  CHECK(w.memory_size() == of_inflater + of_deflater);
}
