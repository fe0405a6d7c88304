#include <fairlead/protocol/detail/message_compression.hpp>

#include "deflate_support.hpp"

using namespace protocol_tests;

// Which messages are compressed, by whose compressor, and what of it lasts (RFC 7692 sections 5, 7.1 and 7.2).

namespace {

using detail::message_compression;

std::optional<std::string> compress(message_compression& c, const message_view& m) {
  const auto payload = c.compress(m);
  if (!payload) return std::nullopt;
  return text_of(payload->bytes());
}

std::string compressed_by(message_compression& c, std::string_view text) {
  const auto payload = compress(c, text);
  REQUIRE(payload);
  return *payload;
}

/// What a message inflates to that comes in one piece; nothing when it is corrupt.
std::optional<std::string> inflate(message_compression& c, std::string_view payload) {
  std::span<const std::byte> in = bytes_of(payload);
  std::string text;
  for (;;) {
    const auto [result, bytes] = c.inflate(in, true, 1'000'000);
    text += text_of(bytes);
    if (result == detail::inflate_result::corrupt) return std::nullopt;
    if (result == detail::inflate_result::done) return text;
  }
}

/// What a server or a client may do with its own compressor; the peer's is not limited.
deflate_params ours(role r, bool no_takeover, std::uint8_t window_bits) {
  deflate_params params;
  (r == role::server ? params.server_no_context_takeover : params.client_no_context_takeover) = no_takeover;
  (r == role::server ? params.server_max_window_bits : params.client_max_window_bits) = window_bits;
  return params;
}

/// What the peer's compressor may do; ours is not limited.
deflate_params theirs(role r, bool no_takeover, std::uint8_t window_bits = 15) {
  return ours(other(r), no_takeover, window_bits);
}

}  // namespace

TEST_CASE("a_message_below_min_size_is_not_compressed") {
  const role r = GENERATE(role::server, role::client);
  const bool takeover = GENERATE(false, true);
  CAPTURE(r, takeover);
  CHECK(deflate_options{}.min_size == 256);
  for (const std::size_t least : {2u, 256u, 1000u}) {
    compression_workspace w;
    const deflate_options options = deflating(takeover, least);
    message_compression c(r, agreed(takeover), options, w);
    CHECK(compress(c, std::string(least - 1, 'x')) == std::nullopt);
    CHECK(compress(c, "") == std::nullopt);
    CHECK(w.memory_size() == 0);
    CHECK(compress(c, std::string(least, 'x')).has_value() == (takeover || least > 2));
  }
}

TEST_CASE("an_empty_message_is_never_compressed") {
  const bool takeover = GENERATE(false, true);
  compression_workspace w;
  const deflate_options options = deflating(takeover);
  REQUIRE(options.min_size == 0);
  message_compression c(GENERATE(role::server, role::client), agreed(takeover), options, w);
  CHECK(compress(c, "") == std::nullopt);
  CHECK(w.memory_size() == 0);
}

TEST_CASE("a_message_that_asks_not_to_be_compressed_is_not") {  // D10
  const bool takeover = GENERATE(false, true);
  compression_workspace w;
  const deflate_options options = deflating(takeover);
  message_compression c(GENERATE(role::server, role::client), agreed(takeover), options, w);
  const std::string text = prose(1000);
  CHECK(compress(c, message_view(text).uncompressed()) == std::nullopt);
  const message kept(message_kind::text, shared_bytes::copy_of(bytes_of(text)), compression::never);
  CHECK(compress(c, kept) == std::nullopt);
  CHECK(w.memory_size() == 0);
  // Nor does the next one refer to it.
  CHECK((peer_inflater().message(compressed_by(c, text)) == text));
}

TEST_CASE("a_message_that_does_not_become_smaller_goes_as_it_is_but_not_with_takeover") {
  const role r = GENERATE(role::server, role::client);
  compression_workspace w;
  const std::string text = peer_deflater().message(pattern(2000));
  const deflate_options alone = deflating(false);
  message_compression without(r, agreed(false), alone, w);
  CHECK(compress(without, text) == std::nullopt);
  CHECK(compressed_by(without, prose(2000)).size() < 1000);
  // The shortest that deflate makes smaller by a byte, and one that it does not.
  CHECK(compress(without, std::string(5, 'x')).has_value() == (deflated(std::string(5, 'x')).size() < 5));
  CHECK(compress(without, std::string(6, 'x')).has_value() == (deflated(std::string(6, 'x')).size() < 6));

  const deflate_options together = deflating(true);
  message_compression with(r, agreed(true), together, w);
  const std::string first = compressed_by(with, text);
  CHECK(first.size() >= text.size());
  CHECK(compressed_by(with, text).size() < 50);  // since the peer has it already
}

TEST_CASE("our_window_is_the_smaller_of_our_own_and_the_agreed_one") {
  const role r = GENERATE(role::server, role::client);
  const auto [own, allowed] = GENERATE(table<int, int>({{9, 15}, {15, 9}, {12, 10}, {10, 12}, {15, 15}}));
  const bool takeover = GENERATE(false, true);
  CAPTURE(r, own, allowed, takeover);
  const int smaller = std::min(own, allowed);
  compression_workspace w;
  deflate_options options = deflating(takeover);
  options.send_window_bits = static_cast<std::uint8_t>(own);
  message_compression c(r, ours(r, !takeover, static_cast<std::uint8_t>(allowed)), options, w);
  const std::string text = pattern((std::size_t{1} << smaller) + 100);
  const std::string far = compressed_by(c, text + text);
  CHECK((peer_inflater(smaller).message(far) == text + text));
  CHECK(far.size() > text.size());  // what lies further back is out of reach
  // And no smaller than that: what lies near is found.
  const std::string near = pattern((std::size_t{1} << smaller) - 300);
  CHECK(compressed_by(c, near + near).size() < near.size());
}

TEST_CASE("a_message_refers_to_those_before_only_when_options_and_agreement_allow_it") {
  const role r = GENERATE(role::server, role::client);
  const bool wanted = GENERATE(false, true);
  const bool allowed = GENERATE(false, true);
  CAPTURE(r, wanted, allowed);
  compression_workspace w;
  deflate_options options = deflating();
  options.send_takeover = wanted;
  message_compression c(r, ours(r, !allowed, 15), options, w);
  const std::string text = prose(1000);
  const std::string first = compressed_by(c, text);
  const std::string second = compressed_by(c, text);
  CHECK((second != first) == (wanted && allowed));
  peer_inflater peer;
  CHECK((peer.message(first) == text));
  CHECK((peer.message(second) == text));
}

TEST_CASE("the_peers_messages_may_refer_to_those_before_only_when_that_was_agreed") {
  const role r = GENERATE(role::server, role::client);
  const bool allowed = GENERATE(false, true);
  CAPTURE(r, allowed);
  compression_workspace w;
  // Our own wish is in the agreement already: what the peer does, only that says.
  const deflate_options options = deflating(GENERATE(false, true));
  message_compression c(r, theirs(r, !allowed), options, w);
  CHECK(inflate(c, hello) == "Hello");
  CHECK(inflate(c, hello_again) == (allowed ? std::optional<std::string>("Hello") : std::nullopt));
}

TEST_CASE("the_agreement_on_one_direction_says_nothing_about_the_other") {
  const role r = GENERATE(role::server, role::client);
  compression_workspace w;
  const deflate_options options = deflating(true);
  const std::string text = prose(1000);
  {
    message_compression c(r, ours(r, true, 9), options, w);
    CHECK(compressed_by(c, text) == compressed_by(c, text));
    CHECK(inflate(c, hello) == "Hello");
    CHECK(inflate(c, hello_again) == "Hello");
  }
  {
    message_compression c(r, theirs(r, true, 9), options, w);
    CHECK(compressed_by(c, text) != compressed_by(c, text));
    CHECK(inflate(c, hello) == "Hello");
    CHECK(inflate(c, hello_again) == std::nullopt);
  }
}

TEST_CASE("both_roles_read_what_the_other_sends") {
  const bool takeover = GENERATE(false, true);
  const int window_bits = GENERATE(9, 12, 15);
  compression_workspace w;  // one for both: their messages do not mix
  const deflate_options options = deflating(takeover);
  message_compression server(role::server, agreed(takeover, window_bits), options, w);
  message_compression client(role::client, agreed(takeover, window_bits), options, w);
  for (std::size_t size = 50; size < 100'000; size = size * 3 / 2) {
    const std::string text = prose(size, size);
    REQUIRE((inflate(client, compressed_by(server, text)) == text));
    REQUIRE((inflate(server, compressed_by(client, text)) == text));
  }
}

TEST_CASE("a_step_gives_no_more_than_it_is_asked_for") {
  compression_workspace w;
  const deflate_options options = deflating();
  message_compression c(role::server, agreed(false), options, w);
  const std::string text = prose(5000);
  const std::string payload = deflated(text);
  std::span<const std::byte> in = bytes_of(payload);
  std::string all;
  for (std::size_t most = 1;; ++most) {
    const auto [result, bytes] = c.inflate(in, true, most);
    REQUIRE(bytes.size() <= most);
    all += text_of(bytes);
    if (result != detail::inflate_result::full) break;
    REQUIRE(bytes.size() == most);
  }
  CHECK((all == text));
}

TEST_CASE("connections_with_the_same_parameters_share_one_compressor") {
  compression_workspace w;
  const deflate_options options = deflating();
  const std::string text = prose(1000);
  const auto memory_after = [&](const deflate_options& o, const deflate_params& params) {
    message_compression c(role::server, params, o, w);
    CHECK((peer_inflater().message(compressed_by(c, text)) == text));
    return w.memory_size();
  };
  const std::size_t of_one = memory_after(options, agreed(false));
  CHECK(memory_after(options, agreed(false)) == of_one);
  const std::size_t of_two = memory_after(options, agreed(false, 10));
  CHECK(of_two > of_one);
  deflate_options other_level = options;
  other_level.level = 1;
  const std::size_t of_three = memory_after(other_level, agreed(false));
  CHECK(of_three > of_two);
  deflate_options other_memory = options;
  other_memory.memory_level = 4;
  const std::size_t of_four = memory_after(other_memory, agreed(false));
  CHECK(of_four > of_three);
  for (const auto& [o, params] :
       {std::pair(options, agreed(false)), std::pair(options, agreed(false, 10)),
        std::pair(other_level, agreed(false)), std::pair(other_memory, agreed(false))}) {
    CHECK(memory_after(o, params) == of_four);
  }
}

TEST_CASE("the_compressed_form_of_a_shared_message_stays_while_other_messages_are_compressed") {  // D06
  compression_workspace w;
  const deflate_options options = deflating();
  message_compression first(role::server, agreed(false), options, w);
  message_compression second(role::server, agreed(false), options, w);
  const std::string text = prose(1000);
  const message m(message_kind::text, shared_bytes::copy_of(bytes_of(text)));
  const message other_reference = m;
  const auto kept = first.compress(m);
  REQUIRE(kept);
  compressed_by(second, prose(3000, 2));
  const auto again = second.compress(other_reference);
  REQUIRE(again);
  CHECK(again->bytes().data() == kept->bytes().data());
  CHECK((peer_inflater().message(text_of(kept->bytes())) == text));
}

// --- libdeflate, which the same tests do without where fairlead was not built with it.

TEST_CASE(
    "libdeflate_compresses_only_where_it_is_asked_for_and_the_peer_keeps_no_context") {  // section 7.2.3.4
  const role r = GENERATE(role::server, role::client);
  const bool wanted = GENERATE(false, true);
  const bool takeover_wanted = GENERATE(false, true);
  const bool takeover_agreed = GENERATE(false, true);
  CAPTURE(r, wanted, takeover_wanted, takeover_agreed);
  CHECK_FALSE(deflate_options{}.use_libdeflate);
  compression_workspace w;
  deflate_options options = deflating(takeover_wanted);
  options.use_libdeflate = wanted;
  message_compression c(r, ours(r, !takeover_agreed, 15), options, w);
  peer_inflater peer;
  for (const std::size_t size : {500u, 5'000u, 100'000u}) {
    const std::string text = prose(size, size);
    const std::string payload = compressed_by(c, text);
    CHECK(ends_in_last_block(payload) == (wanted && !takeover_agreed && detail::whole_deflater::is_there()));
    CHECK((peer.message(payload) == text));
  }
}

TEST_CASE("the_peers_takeover_does_not_keep_libdeflate_from_our_messages") {
  const role r = GENERATE(role::server, role::client);
  compression_workspace w;
  const deflate_options options = by_libdeflate();
  message_compression c(r, ours(r, true, 15), options, w);
  CHECK(inflate(c, hello) == "Hello");
  CHECK(ends_in_last_block(compressed_by(c, prose(1000))) == detail::whole_deflater::is_there());
  CHECK(inflate(c, hello_again) == "Hello");
}

TEST_CASE("with_a_small_window_libdeflate_compresses_messages_up_to_its_size") {
  const role r = GENERATE(role::server, role::client);
  const bool agreed_on = GENERATE(false, true);
  const int window_bits = GENERATE(range(9, 16));
  CAPTURE(r, agreed_on, window_bits);
  const auto bits = static_cast<std::uint8_t>(window_bits);
  compression_workspace w;
  deflate_options options = by_libdeflate();
  if (!agreed_on) options.send_window_bits = bits;
  message_compression c(r, ours(r, true, agreed_on ? bits : std::uint8_t{15}), options, w);
  const std::size_t window = std::size_t{1} << window_bits;
  for (const std::size_t size : {window / 2, window - 1, window, window + 1, 2 * window, 3 * window}) {
    const std::string text = pattern(size - 100) + pattern(100);  // the front again at the end
    const std::string payload = compressed_by(c, text);
    CHECK(ends_in_last_block(payload) ==
          (detail::whole_deflater::is_there() && (size <= window || window_bits == 15)));
    CHECK((peer_inflater(window_bits).message(payload) == text));
  }
}

TEST_CASE("both_roles_read_what_the_other_sends_by_libdeflate") {
  const int level = GENERATE(1, 6, 9);
  const int window_bits = GENERATE(9, 12, 15);
  compression_workspace w;
  const deflate_options options = by_libdeflate(level);
  message_compression server(role::server, agreed(false, window_bits), options, w);
  message_compression client(role::client, agreed(false, window_bits), options, w);
  for (std::size_t size = 100; size < 200'000; size = size * 3 / 2) {
    const std::string text = prose(size, size);
    REQUIRE((inflate(client, compressed_by(server, text)) == text));
    REQUIRE((inflate(server, compressed_by(client, text)) == text));
  }
}

TEST_CASE("without_takeover_no_message_is_sent_compressed_that_did_not_become_smaller") {
  compression_workspace w;
  const deflate_options options = GENERATE(deflating(), by_libdeflate(1), by_libdeflate(9));
  message_compression c(role::server, agreed(false), options, w);
  for (std::size_t size = 1; size < 400; ++size) {
    for (const std::string& text : {std::string(size, 'x'), prose(size), pattern(size)}) {
      const auto payload = compress(c, text);
      if (!payload) continue;
      REQUIRE(payload->size() < size);
      REQUIRE((inflate(c, *payload) == text));
    }
  }
}

TEST_CASE("connections_of_one_level_share_one_compressor_of_libdeflate") {
  if (!detail::whole_deflater::is_there()) return;
  compression_workspace w;
  const auto memory_after = [&w](const deflate_options& options, int window_bits) {
    message_compression c(role::server, agreed(false, window_bits), options, w);
    compressed_by(c, prose(1000));
    return w.memory_size();
  };
  const std::size_t of_six = memory_after(by_libdeflate(6), 15);
  CHECK(of_six > 600'000);
  CHECK(memory_after(by_libdeflate(6), 15) == of_six);
  CHECK(memory_after(by_libdeflate(6), 10) == of_six);  // the message is no larger than the window
  deflate_options other_memory = by_libdeflate(6);
  other_memory.memory_level = 4;
  CHECK(memory_after(other_memory, 15) == of_six);
  const std::size_t with_one = memory_after(by_libdeflate(1), 15);
  CHECK(with_one > of_six + 200'000);
  const std::size_t with_zlib = memory_after(by_libdeflate(6), 9);
  CHECK(with_zlib > with_one);
  CHECK(memory_after(by_libdeflate(6), 9) == with_zlib);
}
