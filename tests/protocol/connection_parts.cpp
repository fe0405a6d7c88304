#include <fairlead/protocol/connection.hpp>

#include "support.hpp"

#include <support/heap.hpp>

using namespace protocol_tests;

// Messages that are handed out in parts, as they arrive: RFC 6455 sections 5.4 and 8.1, RFC 7692 section 7.2.2.

namespace {

struct part {
  std::string bytes;
  bool last;
  bool is_text;

  friend bool operator==(const part&, const part&) = default;
};

class part_sink final : public event_sink {
 public:
  std::vector<part> parts;
  std::vector<event> others;
  flow answer = flow::proceed;

  flow on_message(message_view) override {
    FAIL("a whole message");
    return flow::proceed;
  }
  flow on_message_part(message_part p) override {
    parts.push_back({text_of(p.bytes), p.last, p.kind == message_kind::text});
    return answer;
  }
  void on_ping(std::span<const std::byte> payload) override {
    others.push_back(event::ping(text_of(payload)));
  }
  void on_pong(std::span<const std::byte>) override {}
  void on_close(close_code code, std::string_view) override { others.push_back(event::close(code)); }
  void on_failure(errc why, close_code code) override { others.push_back(event::failure(why, code)); }

  std::string joined() const {
    std::string all;
    for (const part& p : parts) all += p.bytes;
    return all;
  }
};

/// Forgets what it is given, for tests that watch the heap.
class size_sink final : public event_sink {
 public:
  std::size_t size = 0;
  std::size_t messages = 0;

  flow on_message(message_view) override { return flow::proceed; }
  flow on_message_part(message_part p) override {
    size += p.bytes.size();
    messages += p.last ? 1U : 0U;
    return flow::proceed;
  }
  void on_ping(std::span<const std::byte>) override {}
  void on_pong(std::span<const std::byte>) override {}
  void on_close(close_code, std::string_view) override {}
  void on_failure(errc, close_code) override {}
};

/// A connection of either role that hands out parts, and what its peer would compress with.
struct receiver {
  explicit receiver(role r, connection_options o = {}, bool compressed = false) : e(r, o) {
    e.ws.receive_in_parts();
    if (!compressed) return;
    deflate.enabled = true;
    deflate.min_size = 1;
    e.ws.enable_deflate({true, true}, deflate, workspace);
  }

  std::size_t feed(std::string_view stream) {
    std::vector<std::byte> block(stream.size());
    std::ranges::copy(bytes_of(stream), block.begin());
    const std::size_t used = e.ws.receive(block, e.now, sink);
    e.ws.settle();
    return used;
  }

  /// A compressed message of the peer, in one frame.
  std::string compressed(const std::string& text) {
    detail::deflater deflater(15, 6, 8, memory);
    std::vector<std::byte> out;
    deflater.deflate(bytes_of(text), true, out);
    frame_header h = header_of(e.peer(), opcode::text, out.size());
    h.rsv1 = true;
    std::string payload = text_of(out);
    if (h.mask) apply_mask(std::as_writable_bytes(std::span(payload)), *h.mask);
    return encoded(h) + payload;
  }

  deflate_options deflate;
  compression_workspace workspace;
  std::size_t memory = 0;
  endpoint e;
  part_sink sink;
};

}  // namespace

TEST_CASE("parts_are_what_arrived_and_the_last_one_ends_the_message") {
  const role own = GENERATE(role::server, role::client);
  receiver r(own);
  const std::string stream =
      encoded(r.e.peer(), std::vector{frame::text("one ", unfinished), frame::ping("p"),
                                      frame::continuation("two"), frame::binary("three")});
  r.feed(stream);
  CHECK(r.sink.parts ==
        std::vector<part>{{"one ", false, true}, {"two", true, true}, {"three", true, false}});
  CHECK(r.sink.others == std::vector{event::ping("p")});
}

TEST_CASE("parts_join_to_the_same_message_however_it_is_cut") {
  const role own = GENERATE(role::server, role::client);
  const bool compressed = GENERATE(false, true);
  CAPTURE(compressed);
  std::string text;
  for (int i = 0; i < 300; ++i) text += "caf\u00e9 " + std::to_string(i) + ' ';
  receiver whole(own, {}, compressed);
  const std::string stream =
      compressed ? whole.compressed(text)
                 : encoded(whole.e.peer(), std::vector{frame::text(text.substr(0, 1000), unfinished),
                                                       frame::continuation(text.substr(1000))});
  for (std::size_t size = 1; size < stream.size(); size = size < 20 ? size + 1 : 2 * size) {
    CAPTURE(size);
    receiver r(own, {}, compressed);
    for (std::string_view rest = stream; !rest.empty(); rest.remove_prefix(std::min(size, rest.size()))) {
      r.feed(rest.substr(0, size));
    }
    CHECK(r.sink.joined() == text);
    REQUIRE_FALSE(r.sink.parts.empty());
    for (std::size_t i = 0; i < r.sink.parts.size(); ++i) {
      CHECK(r.sink.parts[i].last == (i + 1 == r.sink.parts.size()));
    }
  }
}

TEST_CASE("an_empty_message_is_one_empty_last_part") {
  receiver r(role::server);
  r.feed(encoded(role::client, std::vector{frame::binary("")}));
  r.feed(encoded(role::client, std::vector{frame::text("", unfinished), frame::continuation("")}));
  CHECK(r.sink.parts == std::vector<part>{{"", true, false}, {"", true, true}});
}

TEST_CASE("text_in_parts_fails_at_the_first_impossible_byte_and_at_an_unfinished_end") {
  const bool compressed = GENERATE(false, true);
  const std::string wrong = GENERATE(as<std::string>(), "good \xff bad", "good \xe2\x82");
  CAPTURE(compressed, wrong);
  receiver r(role::server, {}, compressed);
  r.feed(compressed ? r.compressed(wrong) : encoded(role::client, std::vector{frame::text(wrong)}));
  CHECK(r.sink.others == std::vector{event::failure(errc::bad_utf8, close_code::invalid_payload)});
  for (const part& p : r.sink.parts) CHECK_FALSE(p.last);
}

TEST_CASE("the_limit_on_a_message_holds_in_parts_too") {
  const bool compressed = GENERATE(false, true);
  const bool above = GENERATE(false, true);
  CAPTURE(compressed, above);
  connection_options options;
  options.max_message_size = 10'000;
  receiver r(role::server, options, compressed);
  const std::string text(above ? 10'001 : 10'000, 'x');
  r.feed(compressed ? r.compressed(text)
                    : encoded(role::client, std::vector{frame::text(text.substr(0, 9000), unfinished),
                                                        frame::continuation(text.substr(9000))}));
  if (above) {
    CHECK(r.sink.others == std::vector{event::failure(errc::message_too_big, close_code::message_too_big)});
    for (const part& p : r.sink.parts) CHECK_FALSE(p.last);
  } else {
    CHECK(r.sink.joined() == text);
    CHECK(r.sink.others.empty());
  }
}

TEST_CASE("a_sink_that_pauses_gets_no_part_of_what_was_not_taken") {
  receiver r(role::server);
  r.sink.answer = flow::pause;
  const std::string stream =
      encoded(role::client, std::vector{frame::text("one", unfinished), frame::continuation("two")});
  const std::size_t used = r.feed(stream);
  CHECK(r.sink.parts.size() == 1);
  CHECK(r.feed(std::string_view(stream).substr(used)) + used == stream.size());
  CHECK(r.sink.joined() == "onetwo");
}

// D01: a pause holds soon, however much a read inflates to.
TEST_CASE("a_sink_that_pauses_is_given_little_more_of_a_bomb") {
  connection_options options;
  options.max_message_size = 64 * 1024 * 1024;
  receiver r(role::server, options, true);
  const std::string stream = r.compressed(std::string(options.max_message_size, 'x'));
  REQUIRE(stream.size() > 60'000);
  r.sink.answer = flow::pause;
  std::size_t used = 0;
  std::size_t before = 0;
  for (int turn = 0; turn < 20; ++turn) {
    used += r.feed(std::string_view(stream).substr(used));
    const std::size_t now = r.sink.joined().size();
    CHECK(now - before <= 256 * 1032);
    before = now;
    // What was not taken was not unmasked either, so it is given again as it came.
  }
  r.sink.answer = flow::proceed;
  r.feed(std::string_view(stream).substr(used));
  CHECK(r.sink.joined().size() == options.max_message_size);
  CHECK(r.sink.parts.back().last);
}

TEST_CASE("a_message_of_1_gib_in_parts_takes_no_memory") {
  connection_options options;
  options.max_message_size = std::size_t{1} << 30;
  endpoint e(role::client, options);
  e.ws.receive_in_parts();
  size_sink sink;
  std::vector<std::byte> block(64 * 1024);
  const std::string header = encoded(header_of(role::server, opcode::binary, options.max_message_size));
  std::ranges::copy(bytes_of(header), block.begin());
  e.ws.receive(std::span(block).first(header.size()), e.now, sink);
  e.ws.settle();
  const heap_watch heap;
  std::size_t rooms = 0;
  for (std::size_t sent = 0; sent < options.max_message_size; sent += block.size()) {
    rooms += e.ws.payload_room().size();
    e.ws.receive(block, e.now, sink);
    e.ws.settle();
  }
  CHECK(heap.allocations() == 0);
  CHECK(rooms == 0);
  CHECK(sink.size == options.max_message_size);
  CHECK(sink.messages == 1);
}
