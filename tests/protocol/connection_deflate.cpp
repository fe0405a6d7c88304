#include <fairlead/protocol/connection.hpp>

#include "deflate_support.hpp"

using namespace protocol_tests;

// Compressed messages on a connection (RFC 7692 sections 6 and 7.2; TRUST F06, F11, D03 to D06, D10).

namespace {

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

TEST_CASE("the_first_fault_of_a_compressed_message_counts_however_it_is_cut") {
  const role own = any_role();
  const bool in_parts = GENERATE(false, true);
  const std::string bad_block = text_of({0x06});
  const std::string stored = text_of({0x00, 0x02, 0x00, 0xfd, 0xff});  // a block of two bytes
  struct message {
    opcode op;
    std::string payload;
    std::size_t limit;
    std::vector<event> expected;
  };
  const message messages[] = {
      {opcode::text, deflated("a\xff" + prose(100)), 50, bad_utf8},
      {opcode::text, deflated("a\xff"), 1, too_big},
      {opcode::text, stored + "a\xff" + bad_block, 50, bad_utf8},
      {opcode::binary, stored + "a\xff" + bad_block, 50, bad_compression},
      {opcode::binary, stored + "a\xff" + bad_block, 1, too_big},
  };
  for (std::size_t i = 0; i < std::size(messages); ++i) {
    const message& m = messages[i];
    CAPTURE(own, in_parts, i);
    for (const std::size_t size : {1u, 2u, 7u, 1000u}) {
      CAPTURE(size);
      compression_workspace w;
      deflate_endpoint e(own, w, agreed(false), deflating(), with_message_size(m.limit));
      if (in_parts) e.ws.receive_in_parts();
      e.feed_in_pieces(compressed_in_frames(e.peer(), m.op, m.payload, 1), size);
      CHECK(e.events() == m.expected);
    }
  }
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
