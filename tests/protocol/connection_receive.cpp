#include <fairlead/protocol/connection.hpp>

#include "support.hpp"

#include <support/heap.hpp>

#include <random>

using namespace protocol_tests;

// Receiving data: RFC 6455 sections 5.4 (fragmentation), 5.6 (data frames), 6.2 and 8.1 (text is UTF-8).

namespace {

constexpr std::size_t large_limit = 16 * 1024 * 1024;

connection_options large_messages() {
  connection_options options;
  options.max_message_size = large_limit;
  return options;
}

// All that a peer may send, and what it means.
struct mixed_stream {
  std::vector<frame> frames;
  std::vector<event> events;
  std::vector<frame> replies;
};

mixed_stream everything_once() {
  const std::string medium = pattern(126);
  const std::string large = pattern(300);
  return {
      {
          frame::text("ahoy"),
          frame::ping("one"),
          frame::binary("first ", unfinished),
          frame::ping(""),
          frame::continuation("second ", unfinished),
          frame::pong("unasked"),
          frame::continuation("third"),
          frame::text(""),
          frame::binary(""),
          frame::text("\xce\xba\xe1\xbd", unfinished),  // cut inside a code point
          frame::continuation("", unfinished),
          frame::ping(pattern(125)),
          frame::continuation("\xb9\xcf\x83\xf0\x9f\x8e", unfinished),
          frame::continuation("\x89"),
          frame::binary("", unfinished),
          frame::continuation("", unfinished),
          frame::continuation(""),
          frame::binary(medium),
          frame::text("", unfinished),
          frame::continuation(large),
          frame::binary(large, unfinished),
          frame::continuation(""),
          frame::close(close_code::going_away, "\xc3\xa0 bient\xc3\xb4t"),
          frame::text("after the end"),
          frame::ping("after the end"),
          frame::close(),
      },
      {
          event::text("ahoy"),
          event::ping("one"),
          event::ping(""),
          event::pong("unasked"),
          event::binary("first second third"),
          event::text(""),
          event::binary(""),
          event::ping(pattern(125)),
          event::text("\xce\xba\xe1\xbd\xb9\xcf\x83\xf0\x9f\x8e\x89"),
          event::binary(""),
          event::binary(medium),
          event::text(large),
          event::binary(large),
          event::close(close_code::going_away, "\xc3\xa0 bient\xc3\xb4t"),
      },
      {
          frame::pong("one"),
          frame::pong(""),
          frame::pong(pattern(125)),
          frame::close(close_code::going_away),
      },
  };
}

// Streams that end in a fault, and the fault.
struct faulty_stream {
  std::string bytes;
  std::vector<event> events;
  frame reply;
};

std::vector<faulty_stream> faults(role from) {
  const auto ends = [from](std::vector<frame> frames, std::string last, errc why, close_code code) {
    std::string bytes = encoded(from, frames) + last + encoded(from, frame::text("after the end"));
    return faulty_stream{
        std::move(bytes), {event::text("ahoy"), event::failure(why, code)}, frame::failure(why, code)};
  };
  const frame ahoy = frame::text("ahoy");
  frame_header reserved = header_of(from, opcode::binary, 3);
  reserved.rsv2 = true;
  return {
      ends({ahoy, frame::text("a\xff z")}, "", errc::bad_utf8, close_code::invalid_payload),
      ends({ahoy, frame::text("\xf4", unfinished), frame::continuation("\x90 z")}, "", errc::bad_utf8,
           close_code::invalid_payload),
      ends({ahoy, frame::text("\xc3")}, "", errc::bad_utf8, close_code::invalid_payload),
      ends({ahoy, frame::continuation("a")}, "", errc::unexpected_continuation, close_code::protocol_error),
      ends({ahoy, frame::text("a", unfinished), frame::text("b")}, "", errc::message_interleaved,
           close_code::protocol_error),
      ends({ahoy}, encoded(reserved) + "abc", errc::reserved_bits, close_code::protocol_error),
      ends({ahoy}, encoded(header_of(other(from), opcode::binary, 0)),
           from == role::client ? errc::mask_missing : errc::mask_unexpected, close_code::protocol_error),
      ends({ahoy}, encoded(header_of(from, opcode::text, 64 * 1024 + 1)), errc::message_too_big,
           close_code::message_too_big),
      ends({ahoy, {opcode::close, "x"}}, "", errc::bad_close_payload, close_code::protocol_error),
  };
}

}  // namespace

TEST_CASE("messages_of_any_size_arrive_whole") {
  const role own = GENERATE(role::server, role::client);
  // The sizes around each length form (section 5.2), around the link's buffer, and above it.
  const std::size_t size =
      GENERATE(0u, 1u, 125u, 126u, 127u, 4096u, 65'535u, 65'536u, 65'537u, 300'000u, 1'000'000u);
  CAPTURE(own, size);
  const std::string payload = pattern(size);
  for (const frame& f : {frame::text(payload), frame::binary(payload)}) {
    const std::vector<event> expected{f.op == opcode::text ? event::text(payload) : event::binary(payload)};
    const std::string stream = encoded(other(own), f);
    endpoint whole(own, large_messages());
    CHECK(whole.feed(stream) == stream.size());
    CHECK(whole.events() == expected);

    endpoint in_buffers(own, large_messages());
    in_buffers.feed_in_pieces(stream, 64 * 1024);
    CHECK(in_buffers.events() == expected);

    endpoint in_place(own, large_messages());
    in_place.feed_in_place(stream, 64 * 1024);
    CHECK(in_place.events() == expected);
  }
}

TEST_CASE("a_stream_means_the_same_cut_in_two_anywhere") {  // F10
  const role own = GENERATE(role::server, role::client);
  const mixed_stream mixed = everything_once();
  const std::string stream = encoded(other(own), mixed.frames);
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    CAPTURE(own, cut);
    endpoint e(own);
    e.feed(stream.substr(0, cut));
    e.feed(stream.substr(cut));
    REQUIRE(e.events() == mixed.events);
    REQUIRE(e.sent() == mixed.replies);
  }
}

TEST_CASE("a_stream_means_the_same_in_pieces_of_any_size") {  // F10
  const role own = GENERATE(role::server, role::client);
  const mixed_stream mixed = everything_once();
  const std::string stream = encoded(other(own), mixed.frames);
  for (std::size_t size = 1; size < 150; ++size) {
    CAPTURE(own, size);
    endpoint e(own);
    e.feed_in_pieces(stream, size);
    REQUIRE(e.events() == mixed.events);
    REQUIRE(e.sent() == mixed.replies);
  }
}

TEST_CASE("a_stream_means_the_same_in_random_pieces") {  // F10
  const role own = GENERATE(role::server, role::client);
  const mixed_stream mixed = everything_once();
  const std::string stream = encoded(other(own), mixed.frames);
  std::mt19937 random(6455);
  for (int round = 0; round < 200; ++round) {
    CAPTURE(own, round);
    endpoint e(own);
    std::string replies;
    std::uniform_int_distribution<std::size_t> size(0, round % 2 == 0 ? 5 : 200);
    for (std::string_view rest = stream; !rest.empty();) {
      const std::string_view piece = rest.substr(0, size(random));
      rest.remove_prefix(piece.size());
      e.feed(piece);
      if (random() % 4 == 0) replies += drained(e.ws);
    }
    replies += drained(e.ws);
    REQUIRE(e.events() == mixed.events);
    REQUIRE(decoded(own, replies) == mixed.replies);
  }
}

TEST_CASE("a_fault_is_the_same_cut_in_two_anywhere") {
  const role own = GENERATE(role::server, role::client);
  for (const faulty_stream& faulty : faults(other(own))) {
    for (std::size_t cut = 0; cut <= faulty.bytes.size(); ++cut) {
      CAPTURE(own, faulty.reply, cut);
      endpoint e(own);
      e.feed(faulty.bytes.substr(0, cut));
      e.feed(faulty.bytes.substr(cut));
      REQUIRE(e.events() == faulty.events);
      REQUIRE(e.sent() == std::vector{faulty.reply});
    }
    endpoint e(own);
    e.feed_in_pieces(faulty.bytes, 1);
    REQUIRE(e.events() == faulty.events);
    REQUIRE(e.sent() == std::vector{faulty.reply});
  }
}

TEST_CASE("nothing_received_means_nothing") {
  const role own = GENERATE(role::server, role::client);
  endpoint e(own);
  CHECK(e.feed("") == 0);
  CHECK(e.events().empty());
  e.feed(frame::text("a", unfinished));
  CHECK(e.feed("") == 0);
  CHECK(e.events().empty());
  e.feed(frame::continuation("b"));
  CHECK(e.events() == std::vector{event::text("ab")});
}

TEST_CASE("fragments_are_put_together_whatever_comes_between") {  // section 5.4
  const role own = GENERATE(role::server, role::client);
  endpoint e(own);
  e.feed({frame::text("a", unfinished), frame::ping("p"), frame::continuation("b", unfinished),
          frame::pong("q")});
  CHECK(e.events() == std::vector{event::ping("p"), event::pong("q")});
  CHECK(e.sent() == std::vector{frame::pong("p")});
  e.feed({frame::continuation("c"), frame::binary("d")});
  CHECK(e.events() == std::vector{event::text("abc"), event::binary("d")});
}

TEST_CASE("a_control_frame_in_pieces_leaves_the_message_around_it_alone") {  // section 5.4
  const role own = GENERATE(role::server, role::client);
  endpoint e(own);
  e.feed(frame::binary(pattern(5000), unfinished));
  e.feed_in_pieces(encoded(e.peer(), frame::ping(pattern(125, 2))), 7);
  e.feed_in_pieces(encoded(e.peer(), frame::continuation(pattern(5000, 3))), 7);
  CHECK(e.events() ==
        std::vector{event::ping(pattern(125, 2)), event::binary(pattern(5000) + pattern(5000, 3))});
}

TEST_CASE("a_message_lies_where_it_was_received_or_owns_its_bytes") {
  const role own = GENERATE(role::server, role::client);
  endpoint e(own);
  std::vector<const shared_bytes*> owners;
  std::vector<message> kept;
  e.sink.message_hook = [&](message_view m) {
    owners.push_back(m.owner());
    kept.push_back(m.keep());
    if (m.owner() != nullptr) CHECK(kept.back().bytes().data() == m.bytes().data());
    return flow::proceed;
  };
  e.feed(frame::text("whole"));
  REQUIRE(owners.size() == 1);
  CHECK(owners[0] == nullptr);
  e.feed({frame::text("in ", unfinished), frame::continuation("fragments")});
  REQUIRE(owners.size() == 2);
  CHECK(owners[1] != nullptr);
  // Kept messages outlive the block, which is spoilt after each turn, and the connection's own buffer.
  e.feed({frame::text("an", unfinished), frame::continuation("other")});
  CHECK(kept[0].text() == "whole");
  CHECK(kept[1].text() == "in fragments");
}

TEST_CASE("the_message_of_one_frame_is_unmasked_in_place") {  // section 5.3
  endpoint e(role::server);
  const std::string stream = encoded(role::client, frame::text("ahoy"));
  std::vector<std::byte> block(stream.size());
  std::ranges::copy(bytes_of(stream), block.begin());
  const std::byte* seen = nullptr;
  e.sink.message_hook = [&](message_view m) {
    seen = m.bytes().data();
    return flow::proceed;
  };
  e.ws.receive(block, e.now, e.sink);
  CHECK(seen == block.data() + block.size() - 4);
  e.ws.settle();
}

TEST_CASE("a_stream_means_the_same_at_any_alignment") {  // F10
  const role own = GENERATE(role::server, role::client);
  const mixed_stream mixed = everything_once();
  const std::string stream = encoded(other(own), mixed.frames);
  for (std::size_t offset = 0; offset < 64; ++offset) {
    CAPTURE(own, offset);
    std::vector<std::byte> block(offset + stream.size());
    std::ranges::copy(bytes_of(stream), block.begin() + static_cast<std::ptrdiff_t>(offset));
    endpoint e(own);
    e.ws.receive(std::span(block).subspan(offset), e.now, e.sink);
    REQUIRE(e.events() == mixed.events);
    REQUIRE(e.sent() == mixed.replies);
    REQUIRE(std::all_of(block.begin(), block.begin() + static_cast<std::ptrdiff_t>(offset),
                        [](std::byte b) { return b == std::byte{0}; }));
  }
}

TEST_CASE("text_in_utf8_arrives_however_it_is_cut") {  // section 8.1, M07
  const role own = GENERATE(role::server, role::client);
  const std::string text =
      "\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    CAPTURE(own, cut);
    endpoint e(own);
    e.feed({frame::text(text.substr(0, cut), unfinished), frame::continuation(text.substr(cut))});
    REQUIRE(e.events() == std::vector{event::text(text)});
  }
  std::vector<frame> frames{frame::text("", unfinished)};
  for (const char byte : text) frames.push_back(frame::continuation({byte}, unfinished));
  frames.push_back(frame::continuation(""));
  endpoint e(own);
  e.feed(frames);
  CHECK(e.events() == std::vector{event::text(text)});
}

TEST_CASE("text_fails_at_the_first_impossible_byte") {  // section 8.1, M07
  const role own = GENERATE(role::server, role::client);
  const std::vector<event> failure{event::failure(errc::bad_utf8, close_code::invalid_payload)};
  // Up to where a text could still go on, and the byte that makes it impossible.
  const std::pair<std::string, std::string> impossible[] = {
      {"", "\x80"},              // a continuation byte first
      {"\xce\xba", "\xbf"},      // one too many
      {"a", "\xc0"},             // overlong
      {"a", "\xc1"},             //
      {"a\xe0", "\x9f"},         //
      {"a\xf0", "\x8f"},         //
      {"a\xed", "\xa0"},         // surrogate
      {"a\xf4", "\x90"},         // above U+10FFFF
      {"a", "\xf5"},             //
      {"a", "\xff"},             //
      {"a\xc3", "("},            // cut short by another character
      {"a\xe1\x80", "("},        //
      {"a\xf1\x80\x80", "\xc3"}  //
  };
  for (const auto& [possible, last] : impossible) {
    const std::string text = possible + last + "and more";
    CAPTURE(own, text);
    // In the payload of one frame that has not arrived in full.
    const std::string stream = encoded(other(own), frame::text(text));
    const std::size_t header_size = stream.size() - text.size();
    for (const bool byte_by_byte : {false, true}) {
      endpoint e(own);
      e.feed_in_pieces(stream.substr(0, header_size + possible.size()), byte_by_byte ? 1 : stream.size());
      REQUIRE(e.events().empty());
      e.feed(stream.substr(header_size + possible.size(), 1));
      REQUIRE(e.events() == failure);
      REQUIRE(!e.ws.is_open());
    }
    // In a fragment, the message unfinished.
    endpoint e(own);
    e.feed(frame::text(possible, unfinished));
    REQUIRE(e.events().empty());
    e.feed(frame::continuation(last, unfinished));
    REQUIRE(e.events() == failure);
    REQUIRE(e.sent() == std::vector{frame::failure(errc::bad_utf8, close_code::invalid_payload)});
  }
}

TEST_CASE("text_that_ends_within_a_character_fails_at_its_end") {  // section 8.1, M07
  const role own = GENERATE(role::server, role::client);
  const std::vector<event> failure{event::failure(errc::bad_utf8, close_code::invalid_payload)};
  for (const std::string text : {"\xc3", "a\xe1\xbd", "a\xf0\x9f\x8e"}) {
    CAPTURE(own, text);
    endpoint whole(own);
    whole.feed(frame::text(text));
    CHECK(whole.events() == failure);

    endpoint pieces(own);
    pieces.feed_in_pieces(encoded(other(own), frame::text(text)), 1);
    CHECK(pieces.events() == failure);

    endpoint fragments(own);
    fragments.feed(frame::text(text, unfinished));
    CHECK(fragments.events().empty());
    fragments.feed(frame::continuation(""));
    CHECK(fragments.events() == failure);
  }
}

TEST_CASE("a_text_is_judged_apart_from_the_one_before") {
  const role own = GENERATE(role::server, role::client);
  endpoint e(own);
  e.feed({frame::text("\xc3", unfinished), frame::continuation("\xa0"), frame::text("", unfinished)});
  CHECK(e.events() == std::vector{event::text("\xc3\xa0")});
  e.feed(frame::continuation("\xa0"));
  CHECK(e.events() == std::vector{event::failure(errc::bad_utf8, close_code::invalid_payload)});
}

TEST_CASE("binary_data_may_be_any_bytes") {
  const role own = GENERATE(role::server, role::client);
  endpoint e(own);
  e.feed({frame::binary("\xff"), frame::binary("\xc3", unfinished), frame::continuation("(")});
  e.feed_in_pieces(encoded(other(own), frame::binary("\xed\xa0\x80")), 1);
  CHECK(e.events() ==
        std::vector{event::binary("\xff"), event::binary("\xc3("), event::binary("\xed\xa0\x80")});
}

TEST_CASE("a_sink_that_pauses_gets_the_rest_later") {
  const role own = GENERATE(role::server, role::client);
  endpoint e(own);
  e.sink.message_hook = [](message_view) { return flow::pause; };
  const std::vector<frame> frames{frame::text("one"), frame::ping("p"), frame::binary("tw", unfinished),
                                  frame::continuation("o"), frame::text("three")};
  const std::string stream = encoded(e.peer(), frames);
  const std::size_t first = encoded(e.peer(), frames[0]).size();
  const std::size_t last = encoded(e.peer(), frames[4]).size();

  CHECK(e.feed(stream) == first);
  CHECK(e.events() == std::vector{event::text("one")});
  CHECK(e.sent().empty());  // the ping is behind the pause
  CHECK(e.feed(stream.substr(first)) == stream.size() - first - last);
  CHECK(e.events() == std::vector{event::ping("p"), event::binary("two")});
  CHECK(e.sent() == std::vector{frame::pong("p")});
  CHECK(e.feed(stream.substr(stream.size() - last)) == last);
  CHECK(e.events() == std::vector{event::text("three")});
}

TEST_CASE("a_sink_may_pause_at_every_message_of_a_stream_cut_anywhere") {
  const role own = GENERATE(role::server, role::client);
  const mixed_stream mixed = everything_once();
  const std::string stream = encoded(other(own), mixed.frames);
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    CAPTURE(own, cut);
    endpoint e(own);
    e.sink.message_hook = [](message_view) { return flow::pause; };
    std::size_t used = 0;
    while (used < cut) used += e.feed(std::string_view(stream).substr(used, cut - used));
    while (used < stream.size()) used += e.feed(std::string_view(stream).substr(used));
    REQUIRE(e.events() == mixed.events);
    REQUIRE(e.sent() == mixed.replies);
  }
}

TEST_CASE("a_sink_may_close_inside_a_callback") {  // section 7.1.2
  const role own = GENERATE(role::server, role::client);
  const std::vector<frame> later{frame::text("discarded"), frame::ping("discarded"),
                                 frame::close(close_code::normal)};
  const std::vector<frame> closing{frame::close(close_code::going_away, "enough")};
  SECTION("of a message") {
    endpoint e(own);
    e.sink.message_hook = [&](message_view) {
      CHECK(!e.ws.close(close_code::going_away, "enough", e.now));
      return flow::proceed;
    };
    std::vector<frame> frames{frame::text("last", unfinished), frame::continuation(" message")};
    frames.insert(frames.end(), later.begin(), later.end());
    e.feed(frames);
    CHECK(e.events() == std::vector{event::text("last message"), event::close(close_code::normal)});
    CHECK(e.sent() == closing);
  }
  SECTION("of a control frame within a message") {
    const frame control = GENERATE(frame::ping("last"), frame::pong("last"));
    endpoint e(own);
    e.sink.hook = [&](const event& reported) {
      if (reported.what == event::type::close) return;
      CHECK(!e.ws.close(close_code::going_away, "enough", e.now));
    };
    std::vector<frame> frames{frame::text("unfinished", unfinished), control, frame::continuation("!")};
    frames.insert(frames.end(), later.begin(), later.end());
    e.feed(frames);
    REQUIRE(e.events().size() == 2);
    std::vector<frame> expected = closing;
    if (control.op == opcode::ping) expected.insert(expected.begin(), frame::pong("last"));
    CHECK(e.sent() == expected);
  }
  SECTION("of the end, too late") {
    endpoint e(own);
    e.sink.hook = [&](const event&) {
      CHECK(e.ws.close(close_code::going_away, "enough", e.now) == errc::closed);
      CHECK(e.ws.ping({}) == errc::closed);
      CHECK(!e.ws.writable());
    };
    e.feed(GENERATE(frame::close(), frame{opcode::close, "x"}));
    CHECK(e.events().size() == 1);
    CHECK(e.sent().size() == 1);
  }
}

TEST_CASE("a_sink_may_send_and_ping_inside_a_callback") {
  const role own = GENERATE(role::server, role::client);
  endpoint e(own);
  e.sink.message_hook = [&](message_view m) {
    e.ws.send(m);
    CHECK(!e.ws.ping(m.bytes()));
    return flow::proceed;
  };
  e.sink.hook = [&](const event& reported) { e.ws.send(reported.payload); };
  e.feed({frame::text("a"), frame::ping("b"), frame::binary("c", unfinished), frame::pong("d"),
          frame::continuation("e")});
  CHECK(e.sent() == std::vector{frame::text("a"), frame::ping("a"), frame::pong("b"), frame::text("b"),
                                frame::text("d"), frame::binary("ce"), frame::ping("ce")});
}

TEST_CASE("an_idle_connection_keeps_nothing") {
  const role own = GENERATE(role::server, role::client);
  const std::size_t read_size = GENERATE(3u, 1000u, 20'000u, 1'000'000u);
  CAPTURE(own, read_size);
  endpoint e(own, large_messages());
  counting_sink sink;
  const std::string payload = pattern(40'000);
  std::string stream = encoded(e.peer(), {frame::text(payload), frame::text(payload, unfinished),
                                          frame::ping(pattern(100)), frame::continuation(payload)});
  const std::span<std::byte> all = std::as_writable_bytes(std::span(stream));
  const heap_watch heap;
  for (std::size_t used = 0; used < all.size();) {
    used += e.ws.receive(all.subspan(used, std::min(read_size, all.size() - used)), e.now, sink);
    (void)e.ws.payload_room();  // asked for and not used: any buffer serves
  }
  e.ws.consume(e.ws.output_size());
  e.ws.settle();
  CHECK(sink.messages == 2);
  CHECK(heap.growth() == 0);
}
