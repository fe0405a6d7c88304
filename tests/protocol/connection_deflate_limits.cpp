#include <fairlead/protocol/connection.hpp>

#include "deflate_support.hpp"

#include <support/heap.hpp>

#include <limits>

using namespace protocol_tests;

// What compressed messages may take: in bytes, once inflated, and in memory of the process (TRUST D01, D02, D07,
// D09).

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
