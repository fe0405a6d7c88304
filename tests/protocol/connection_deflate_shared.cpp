#include <fairlead/protocol/connection.hpp>

#include "deflate_support.hpp"

#include <array>
#include <deque>
#include <latch>
#include <thread>

using namespace protocol_tests;

// A message that many sessions send: compressed once, and read by all of them (RFC 7692 section 7.2.1, D06).

namespace {

message shared_text(std::string_view text) {
  return {message_kind::text, shared_bytes::copy_of(bytes_of(text))};
}

/// Where the payload of the only message in the output is, which is referred to and not copied.
const std::byte* payload_of(endpoint& e) {
  const auto output = e.ws.output();
  REQUIRE(output.size() == 2);
  return output[1].data();
}

/// Writes the output of all, in turns and in pieces of any size, and returns what each has sent.
std::vector<std::string> written_in_pieces(std::deque<deflate_endpoint>& all, std::uint64_t seed) {
  std::vector<std::string> streams(all.size());
  const auto below = [&seed](std::size_t limit) {
    seed = seed * 6364136223846793005 + 1442695040888963407;
    return static_cast<std::size_t>(seed >> 33) % limit;
  };
  for (bool more = true; more;) {
    more = false;
    for (std::size_t i = 0; i < all.size(); ++i) {
      connection& ws = all[i].ws;
      const std::size_t size = ws.output_size();
      if (size == 0) continue;
      const std::size_t n = size < 100 ? size : below(size) + 1;
      streams[i] += text_of(ws.output()).substr(0, n);
      ws.consume(n);
      if (below(2) == 0) ws.settle();
      more = true;
    }
  }
  return streams;
}

/// The text of the compressed message that a server has sent.
std::optional<std::string> text_in(std::string stream) {
  const bool is_compressed = (static_cast<unsigned char>(stream[0]) & 0x40u) != 0;
  REQUIRE(is_compressed);
  stream[0] = static_cast<char>(static_cast<unsigned char>(stream[0]) & ~0x40u);
  const std::vector<frame> frames = decoded(role::server, stream);
  REQUIRE(frames.size() == 1);
  return peer_inflater().message(frames[0].payload);
}

}  // namespace

TEST_CASE("a_message_that_sessions_share_is_compressed_once_for_all_of_them") {
  const std::size_t sessions = GENERATE(2u, 1000u);
  const std::string text = pattern(20'000);
  const message m = shared_text(text);
  const message other_reference = m;
  compression_workspace w;
  std::deque<deflate_endpoint> all;
  for (std::size_t i = 0; i < sessions; ++i) all.emplace_back(role::server, w).ws.send(m);
  const std::byte* const compressed_bytes = payload_of(all.front());
  CHECK(compressed_bytes != m.bytes().data());
  for (deflate_endpoint& e : all) REQUIRE(payload_of(e) == compressed_bytes);
  CHECK((text_in(drained(all.front().ws)) == text));
  CHECK((text_in(drained(all.back().ws)) == text));
}

TEST_CASE("sessions_with_other_parameters_get_a_form_of_their_own") {
  const std::string text = pattern(20'000);
  const message m = shared_text(text);
  const message other_reference = m;
  compression_workspace w;
  deflate_options fast = deflating();
  fast.level = 1;
  deflate_options small_memory = deflating();
  small_memory.memory_level = 4;
  std::vector<const std::byte*> forms;
  for (const auto& [params, options] :
       {std::pair(agreed(false), deflating()), std::pair(agreed(false, 10), deflating()),
        std::pair(agreed(false), fast), std::pair(agreed(false), small_memory)}) {
    deflate_endpoint first(role::server, w, params, options);
    deflate_endpoint second(role::server, w, params, options);
    first.ws.send(m);
    second.ws.send(m);
    CHECK(payload_of(first) == payload_of(second));
    CHECK(std::ranges::find(forms, payload_of(first)) == forms.end());
    forms.push_back(payload_of(first));
    CHECK((peer_inflater(params.server_max_window_bits).message(sent_frames(first)[0].f.payload) == text));
  }
}

TEST_CASE("sessions_that_may_send_what_libdeflate_makes_share_it_and_others_get_a_form_of_their_own") {
  const std::string text = pattern(20'000);
  const message m = shared_text(text);
  const message other_reference = m;
  compression_workspace w;
  deflate_options small_memory = by_libdeflate();
  small_memory.memory_level = 4;
  const auto form_for = [&](const deflate_params& params, const deflate_options& options) {
    deflate_endpoint e(role::server, w, params, options);
    e.ws.send(m);
    const std::byte* const form = payload_of(e);
    const std::string payload = sent_frames(e)[0].f.payload;
    CHECK((peer_inflater(params.server_max_window_bits).message(payload) == text));
    return std::pair(form, ends_in_last_block(payload));
  };
  const bool is_there = detail::whole_deflater::is_there();
  const auto by_zlib = form_for(agreed(false), deflating());
  const auto whole = form_for(agreed(false), by_libdeflate());
  CHECK_FALSE(by_zlib.second);
  CHECK(whole.second == is_there);
  CHECK((whole.first != by_zlib.first) == is_there);
  // Where the peer may keep a context, or its window is too small, the option changes nothing.
  CHECK(form_for(agreed(true), by_libdeflate()) == by_zlib);
  CHECK(form_for(agreed(false, 14), by_libdeflate()) == form_for(agreed(false, 14), deflating()));
  // The message fits the window, and libdeflate has no memory level.
  CHECK(form_for(agreed(false), by_libdeflate()) == whole);
  if (is_there) CHECK(form_for(agreed(false), small_memory) == whole);
  CHECK(form_for(agreed(false), by_libdeflate(1)).first != whole.first);
}

TEST_CASE("a_session_with_takeover_compresses_a_shared_message_for_itself") {
  const std::string text = pattern(20'000);
  const message m = shared_text(text);
  const message other_reference = m;
  compression_workspace w;
  deflate_endpoint without(role::server, w);
  without.ws.send(m);
  deflate_endpoint with(role::server, w, agreed(true), deflating(true));
  with.ws.send(prose(1000));
  with.ws.send(m);
  const auto frames = sent_frames(with);
  REQUIRE(frames.size() == 2);
  peer_inflater peer;
  CHECK(peer.message(frames[0].f.payload) == prose(1000));
  CHECK((peer.message(frames[1].f.payload) == text));
  CHECK((text_in(drained(without.ws)) == text));
}

TEST_CASE("a_shared_message_that_does_not_become_smaller_is_sent_as_it_is_by_all") {
  const std::string random = peer_deflater().message(pattern(90'000));
  const message m(message_kind::binary, shared_bytes::copy_of(bytes_of(random)));
  const message other_reference = m;
  compression_workspace w;
  for (int i = 0; i < 3; ++i) {
    deflate_endpoint e(role::server, w);
    e.ws.send(m);
    CHECK(payload_of(e) == m.bytes().data());
    CHECK((e.sent() == std::vector{frame::binary(random)}));
  }
}

TEST_CASE("threads_that_send_one_shared_message_to_1000_sessions_all_send_it_whole", "[threads]") {  // D06
  constexpr std::size_t thread_count = 4;
  constexpr std::size_t sessions_each = 250;
  // One that is copied behind its header, and one that the outputs refer to.
  for (const std::string& text : {prose(2000), pattern(20'000)}) {
    message m = shared_text(text);
    std::array<std::vector<std::string>, thread_count> streams;
    std::latch start(thread_count);
    std::vector<std::thread> threads;
    for (std::size_t t = 0; t < thread_count; ++t) {
      threads.emplace_back([&start, &sent = streams[t], mine = m, t]() mutable {
        compression_workspace w;
        std::deque<deflate_endpoint> all;
        for (std::size_t i = 0; i < sessions_each; ++i) all.emplace_back(role::server, w);
        start.arrive_and_wait();
        for (deflate_endpoint& e : all) e.ws.send(mine);
        mine = shared_text("the next one");  // from here on only the outputs hold it
        sent = written_in_pieces(all, t);
      });
    }
    m = shared_text("the next one");
    for (std::thread& t : threads) t.join();
    const std::string& first = streams[0][0];
    CHECK((text_in(first) == text));
    for (const auto& of_thread : streams) {
      REQUIRE(of_thread.size() == sessions_each);
      for (const std::string& stream : of_thread) REQUIRE((stream == first));
    }
  }
}
