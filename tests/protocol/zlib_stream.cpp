#include <fairlead/protocol/detail/zlib_stream.hpp>

#include "deflate_support.hpp"

using namespace protocol_tests;

// RFC 7692 sections 7.2.1 to 7.2.3; TRUST D03, D04, D05, D07.

namespace {

using detail::deflater;
using detail::inflate_result;
using detail::inflater;

/// What a message inflates to that comes in these pieces, a room of `room_size` bytes at a time; nothing when
/// it is corrupt.
std::optional<std::string> inflated(inflater& z, const std::vector<std::string_view>& pieces,
                                    std::size_t room_size = 4096) {
  std::string out;
  std::vector<std::byte> block(room_size);
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const bool last = i + 1 == pieces.size();
    std::span<const std::byte> in = bytes_of(pieces[i]);
    for (;;) {
      std::span<std::byte> room = block;
      const inflate_result result = z.inflate(in, last, room);
      out += text_of(room);
      if (result == inflate_result::corrupt) return std::nullopt;
      if (result == inflate_result::done) break;
      REQUIRE(room.size() == room_size);
    }
    REQUIRE(in.empty());
  }
  return out;
}

std::optional<std::string> inflated(inflater& z, std::string_view payload, std::size_t room_size = 4096) {
  return inflated(z, std::vector{payload}, room_size);
}

/// By an inflater of its own.
std::optional<std::string> inflated_alone(const std::vector<std::string_view>& pieces,
                                          std::size_t room_size = 4096) {
  std::size_t memory_size = 0;
  inflater z(15, memory_size);
  return inflated(z, pieces, room_size);
}
std::optional<std::string> inflated_alone(std::string_view payload, std::size_t room_size = 4096) {
  return inflated_alone(std::vector{payload}, room_size);
}

std::vector<std::string_view> single_bytes(std::string_view payload) {
  std::vector<std::string_view> pieces;
  if (payload.empty()) pieces.push_back(payload);
  for (std::size_t i = 0; i < payload.size(); ++i) pieces.push_back(payload.substr(i, 1));
  return pieces;
}

std::string deflated_by(deflater& z, std::string_view text, bool takeover) {
  std::vector<std::byte> out{std::byte{1}};  // what was there is replaced
  z.deflate(bytes_of(text), true, out);
  if (!takeover) z.reset();
  return text_of(out);
}

constexpr std::size_t sizes[] = {1, 2, 3, 100, 257, 258, 259, 511, 512, 513, 4095, 32'767, 32'769, 70'000};

}  // namespace

TEST_CASE("what_is_deflated_inflates_to_the_same_in_every_window_and_at_every_level") {
  const int window_bits = GENERATE(9, 10, 11, 12, 13, 14, 15);
  const int level = GENERATE(1, 6, 9);
  const bool takeover = GENERATE(false, true);
  CAPTURE(window_bits, level, takeover);
  std::size_t memory_size = 0;
  {
    deflater out(window_bits, level, 8, memory_size);
    inflater in(window_bits, memory_size);
    peer_inflater peer(window_bits);
    for (const std::size_t size : sizes) {
      for (const std::string& text : {prose(size, size), pattern(size, size), std::string(size, '\0')}) {
        CAPTURE(size);
        const std::string payload = deflated_by(out, text, takeover);
        REQUIRE((inflated(in, payload, 1000) == text));
        REQUIRE((peer.message(payload) == text));
        if (!takeover) REQUIRE((inflated_alone(payload) == text));
      }
    }
  }
  CHECK(memory_size == 0);
}

TEST_CASE("a_deflater_may_have_any_memory_level") {
  const int memory_level = GENERATE(1, 4, 9);
  std::size_t memory_size = 0;
  deflater z(12, 6, memory_level, memory_size);
  for (const std::size_t size : sizes) {
    for (const std::string& text : {prose(size), pattern(size)}) {
      REQUIRE((inflated_alone(deflated_by(z, text, false)) == text));
    }
  }
}

TEST_CASE("with_takeover_a_message_refers_to_those_before_it_and_without_it_does_not") {
  std::size_t memory_size = 0;
  deflater z(15, 6, 8, memory_size);
  const std::string text = pattern(1000);
  const std::string first = deflated_by(z, text, true);
  const std::string second = deflated_by(z, text, false);  // nothing after it may refer to it
  const std::string third = deflated_by(z, text, true);
  CHECK(second.size() < 20);
  CHECK(inflated_alone(second) == std::nullopt);
  CHECK(third == first);
  inflater in(15, memory_size);
  CHECK((inflated(in, first) == text));
  CHECK((inflated(in, second) == text));
}

TEST_CASE("the_examples_of_the_rfc_inflate_to_hello") {  // section 7.2.3
  std::size_t memory_size = 0;
  inflater z(GENERATE(8, 9, 15), memory_size);
  for (const std::string& payload : {hello, hello_again, hello_stored, hello_again, hello_last, hello_again,
                                     hello_in_two, hello_again, hello_bare_last, hello_again}) {
    CHECK(inflated(z, payload) == "Hello");
  }
}

TEST_CASE("a_message_may_end_in_a_last_block_or_have_many") {  // section 7.2.3.4, D04
  const std::string empty_block = text_of({0x00, 0x00, 0x00, 0xff, 0xff});
  const std::string empty_last_block = text_of({0x03, 0x00});
  const std::pair<std::string, std::string> messages[] = {
      {hello_last, "Hello"},
      {hello_bare_last, "Hello"},
      {hello_bare_last + hello_again, "HelloHello"},
      {hello_bare_last + hello_bare_last, "HelloHello"},
      {hello_bare_last + hello_bare_last + hello_last, "HelloHelloHello"},
      {hello_in_two, "Hello"},
      {text_of({0x00}), ""},                         // section 7.2.3.6
      {empty_block + text_of({0x00}), ""},           //
      {empty_block + empty_block + hello, "Hello"},  //
      {empty_last_block, ""},                        //
      {empty_last_block + text_of({0x00}), ""},      //
      {empty_last_block + empty_last_block + hello, "Hello"},
      {text_of({0x01}), ""},  // the tail is all of a last block that is empty
  };
  for (const auto& [payload, text] : messages) {
    CAPTURE(payload);
    CHECK(inflated_alone(payload) == text);
  }
  peer_deflater peer;
  const std::string text = prose(100'000);
  CHECK((inflated_alone(peer.last_message(text)) == text));
}

TEST_CASE("a_last_block_amid_a_conversation_keeps_the_window") {  // section 7.2.3.4, D04
  const std::string& ends_early = GENERATE_REF(hello_last, hello_bare_last);
  std::size_t memory_size = 0;
  inflater z(15, memory_size);
  CHECK(inflated(z, ends_early) == "Hello");
  CHECK(inflated(z, hello_again) == "Hello");
  CHECK(inflated(z, ends_early) == "Hello");
  CHECK(inflated(z, text_of({0x00})) == "");
  CHECK(inflated(z, hello_again) == "Hello");
  CHECK(inflated(z, ends_early) == "Hello");
  CHECK(inflated(z, "") == std::nullopt);  // the last block of another message is no excuse
}

TEST_CASE("a_message_inflates_to_the_same_however_it_and_the_room_are_cut") {
  const std::string text = prose(400) + pattern(50) + std::string(2000, 'z');
  const std::string last = peer_deflater().last_message(text);
  const std::pair<std::string, std::string> messages[] = {
      {deflated(text), text},         {last, text},
      {last + text_of({0x00}), text}, {hello, "Hello"},
      {hello_stored, "Hello"},        {hello_last, "Hello"},
      {hello_bare_last, "Hello"},     {hello_bare_last + hello_again, "HelloHello"},
      {hello_in_two, "Hello"},        {text_of({0x00}), ""},
      {text_of({0x01}), ""},          {text_of({0x03, 0x00}), ""},
  };
  for (const auto& [payload, expected] : messages) {
    const std::string_view view = payload;
    for (const std::size_t room_size :
         {std::size_t{1}, std::size_t{3}, std::max<std::size_t>(expected.size(), 1), expected.size() + 1}) {
      CAPTURE(payload, room_size);
      REQUIRE((inflated_alone(view, room_size) == expected));
      REQUIRE((inflated_alone(single_bytes(view), room_size) == expected));
      auto with_empty_end = single_bytes(view);
      with_empty_end.insert(with_empty_end.begin(), "");
      with_empty_end.push_back("");
      REQUIRE((inflated_alone(with_empty_end, room_size) == expected));
      for (std::size_t cut = 0; cut <= view.size(); ++cut) {
        CAPTURE(cut);
        REQUIRE((inflated_alone({view.substr(0, cut), view.substr(cut)}, room_size) == expected));
      }
    }
  }
}

TEST_CASE("what_is_no_message_is_corrupt_however_it_is_cut_and_for_ever_after") {  // D03, D05
  for (const auto& [what, payload] : bad_payloads()) {
    CAPTURE(what);
    for (const std::size_t room_size : {1u, 4096u}) {
      for (const bool byte_by_byte : {false, true}) {
        std::size_t memory_size = 0;
        inflater z(15, memory_size);
        const auto pieces = byte_by_byte ? single_bytes(payload) : std::vector<std::string_view>{payload};
        CHECK(inflated(z, pieces, room_size) == std::nullopt);
      }
    }
  }
  std::size_t memory_size = 0;
  inflater z(15, memory_size);
  CHECK(inflated(z, text_of({0x06})) == std::nullopt);
  CHECK(inflated(z, hello) == std::nullopt);
  CHECK(inflated(z, hello) == std::nullopt);
}

TEST_CASE("behind_a_message_that_was_cut_short_all_is_corrupt_until_a_reset") {  // D05
  const std::string& cut_short = GENERATE_REF(values({
      std::string(), hello.substr(0, 3),        // amid its block
      text_of({0x00, 0x04, 0x00, 0xfb, 0xff}),  // the four bytes of the tail are its content
      text_of({0x00, 0x00}),                    // the tail is the sizes of its block, and more
  }));
  CAPTURE(cut_short);
  std::size_t memory_size = 0;
  inflater z(15, memory_size);
  CHECK(inflated(z, cut_short) == std::nullopt);
  CHECK(inflated(z, hello) == std::nullopt);
  CHECK(inflated(z, hello) == std::nullopt);
  z.reset();
  CHECK(inflated(z, hello) == "Hello");
}

TEST_CASE("a_message_that_is_cut_short_at_any_byte_is_corrupt") {  // D05
  for (const std::string& payload : {deflated(prose(3000)), deflated(pattern(500)), hello, hello_bare_last}) {
    for (std::size_t size = 0; size < payload.size(); ++size) {
      CAPTURE(payload.size(), size);
      const std::string_view front = std::string_view(payload).substr(0, size);
      REQUIRE(inflated_alone(front) == std::nullopt);
      REQUIRE(inflated_alone(single_bytes(front), 1) == std::nullopt);
    }
  }
}

// Without what its bits stand for, the four bytes that the receiver adds would be read as content.
TEST_CASE("the_tail_is_no_content") {  // section 7.2.2, D05
  const std::string stored = text_of({0x00, 0x04, 0x00, 0xfb, 0xff});
  CHECK(inflated_alone(stored) == std::nullopt);
  CHECK(inflated_alone(single_bytes(stored), 1) == std::nullopt);
  CHECK(inflated_alone(stored + text_of({0x00, 0x00, 0xff, 0xff, 0x00})) ==
        text_of({0x00, 0x00, 0xff, 0xff}));
}

TEST_CASE("garbage_ends_as_corrupt_or_as_a_message_that_is_not_larger_than_deflate_allows") {  // D05
  std::size_t memory_size = 0;
  inflater z(15, memory_size);
  std::size_t corrupt = 0;
  for (std::uint64_t seed = 1; seed <= 3000; ++seed) {
    std::string payload = seed % 2 == 0 ? deflated(prose(300, seed)) : pattern(seed % 200, seed);
    for (std::size_t i = seed % 7; i < payload.size(); i += 5 + seed % 50) {
      payload[i] = static_cast<char>(static_cast<unsigned char>(payload[i]) ^ (1u << (seed + i) % 8));
    }
    const auto text = inflated(z, payload, 1 + seed % 100);
    corrupt += text == std::nullopt;
    // Two bits can stand for 258 bytes, no fewer (RFC 1951 section 3.2.5).
    REQUIRE(text.value_or("").size() <= 1032 * (payload.size() + 4));
    z.reset();
  }
  CHECK(corrupt > 2000);
}

TEST_CASE("a_reference_beyond_the_window_is_corrupt") {  // D05
  const std::string text = pattern(600);
  const std::string payload = deflated(text + text);  // refers 600 bytes back
  std::size_t memory_size = 0;
  inflater fits(10, memory_size);
  CHECK((inflated(fits, payload, 100) == text + text));
  inflater too_small(9, memory_size);
  CHECK(inflated(too_small, payload, 100) == std::nullopt);
}

// Which state it was in must not show: in a workspace the next message is another connection's.
TEST_CASE("a_reset_inflater_is_as_new_whatever_came_before") {
  std::vector<std::string> before;
  for (const auto& bad : bad_payloads()) before.push_back(bad.payload);
  for (const std::string& good : {hello, hello_last, hello_bare_last, hello_in_two, deflated(prose(500))}) {
    before.push_back(good);
  }
  const std::pair<std::string, std::optional<std::string>> after[] = {
      {hello, "Hello"}, {"", std::nullopt}, {hello_again, std::nullopt}};
  for (const std::string& payload : before) {
    for (const std::size_t room_size : {1u, 2u, 3u, 4u, 5u, 4096u}) {
      // Up to each step: within the message, at its end, or behind it.
      for (const bool last : {false, true}) {
        for (std::size_t steps = 1; steps < 10; ++steps) {
          for (const auto& [next, text] : after) {
            CAPTURE(payload, room_size, last, steps, next);
            std::size_t memory_size = 0;
            inflater z(15, memory_size);
            std::vector<std::byte> block(room_size);
            std::span<const std::byte> in = bytes_of(payload);
            auto result = inflate_result::full;
            for (std::size_t step = 0; step < steps && result == inflate_result::full; ++step) {
              std::span<std::byte> room = block;
              result = z.inflate(in, last, room);
            }
            z.reset();
            REQUIRE(inflated(z, next) == text);
          }
        }
      }
    }
  }
}

TEST_CASE("what_zlib_takes_is_counted_until_it_is_given_back") {  // D07, D09
  std::size_t memory_size = 0;
  {
    deflater out(15, 6, 8, memory_size);
    const std::size_t of_deflater = memory_size;
    CHECK(of_deflater > 200'000);
    {
      inflater in(15, memory_size);
      CHECK(memory_size > of_deflater);
      CHECK(inflated(in, deflated_by(out, prose(1000), true)));
      CHECK(memory_size > of_deflater + 32'768);
    }
    CHECK(memory_size == of_deflater);
  }
  CHECK(memory_size == 0);
}
