#include <fairlead/protocol/connection.hpp>

#include "support.hpp"

#include <support/heap.hpp>

#include <deque>
#include <iterator>
#include <optional>
#include <random>

using namespace protocol_tests;

// Sending: RFC 6455 sections 5.2 (framing), 5.3 (masks) and 6.1, and the write quantum.

namespace {

constexpr std::size_t quantum = output_workspace::write_quantum;
constexpr std::size_t copy_limit = output_workspace::copy_limit;

shared_bytes shared(std::string_view text) { return shared_bytes::copy_of(bytes_of(text)); }

std::size_t frame_size(role from, std::size_t payload_size) {
  return encoded(header_of(from, opcode::binary, payload_size)).size() + payload_size;
}

class queued_messages final : public message_source {
 public:
  std::deque<outgoing> waiting;
  std::size_t asked = 0;

  void add(const std::string& text, piece p = piece::whole) {
    waiting.push_back({{message_kind::text, shared(text)}, p});
  }

  std::optional<outgoing> next() override {
    ++asked;
    if (waiting.empty()) return std::nullopt;
    outgoing first = std::move(waiting.front());
    waiting.pop_front();
    return first;
  }
};

// Sends every message back and allocates nothing itself.
class echo_sink final : public event_sink {
 public:
  explicit echo_sink(connection& ws) : ws_(ws) {}

  flow on_message(message_view m) override {
    ws_.send(m);
    ++messages;
    return flow::proceed;
  }
  void on_ping(std::span<const std::byte>) override {}
  void on_pong(std::span<const std::byte>) override {}
  void on_close(close_code, std::string_view) override {}
  void on_failure(errc, close_code) override {}

  std::size_t messages = 0;

 private:
  connection& ws_;
};

// Whether the bytes at `payload` themselves are in the output, and no copy.
bool is_gathered(connection& ws, const std::byte* payload) {
  return std::ranges::any_of(ws.output(), [payload](const auto piece) { return piece.data() == payload; });
}

// Sends a message of each kind that the output treats in its own way, around the sizes where that changes.
// `lent` is what the connection is given as received, and has to outlive the turn.
std::vector<frame> send_some_of_everything(endpoint& e, std::string& lent) {
  const std::string echoed = pattern(copy_limit + 1, 5);
  lent = encoded(e.peer(), {frame::ping("p"), frame::binary(echoed), frame::ping("q")});
  std::vector<frame> expected;
  const auto send = [&](message_view m) {
    e.ws.send(m);
    expected.push_back({opcode_of(m.kind()), text_of(m.bytes())});
  };
  send("small");
  send({message_kind::binary, shared(pattern(copy_limit + 1, 2))});
  send("");
  send(pattern(copy_limit, 3));
  send(pattern(copy_limit + 1, 4));
  expected.push_back(frame::pong("p"));
  e.sink.message_hook = [&](message_view m) {
    send(m);
    return flow::proceed;
  };
  e.ws.receive(std::as_writable_bytes(std::span(lent)), e.now, e.sink);
  expected.push_back(frame::pong("q"));
  send("last");
  return expected;
}

}  // namespace

TEST_CASE("a_message_of_any_size_is_one_frame") {  // section 5.2
  const role own = GENERATE(role::server, role::client);
  const std::size_t size =
      GENERATE(0u, 1u, 125u, 126u, 127u, 4096u, 4097u, 65'535u, 65'536u, 65'537u, 1'000'000u);
  CAPTURE(own, size);
  const std::string payload = pattern(size);
  endpoint e(own);
  const auto check_sent = [&](const frame& expected) {
    CHECK(e.ws.output_size() == frame_size(own, size));
    CHECK(e.sent() == std::vector{expected});
  };
  e.ws.send(payload);
  check_sent(frame::text(payload));
  e.ws.send(bytes_of(payload));
  check_sent(frame::binary(payload));
  e.ws.send(message(message_kind::text, shared(payload)));
  check_sent(frame::text(payload));
}

TEST_CASE("what_is_sent_is_what_the_other_role_receives") {
  const role own = GENERATE(role::server, role::client);
  endpoint sender(own);
  connection_options options;
  options.max_message_size = 1'000'000;
  endpoint receiver(other(own), options);
  std::vector<event> expected;
  for (const std::size_t size : {0u, 1u, 125u, 126u, 5'000u, 70'000u}) {
    sender.ws.send(pattern(size));
    receiver.feed(drained(sender.ws));
    expected.push_back(event::text(pattern(size)));
  }
  REQUIRE(!sender.ws.close(close_code::normal, "done", sender.now));
  receiver.feed(drained(sender.ws));
  expected.push_back(event::close(close_code::normal, "done"));
  CHECK(receiver.events() == expected);
  sender.feed(drained(receiver.ws));
  CHECK(sender.events() == std::vector{event::close(close_code::normal)});
}

TEST_CASE("the_bytes_of_a_message_may_go_once_it_was_sent") {
  const role own = GENERATE(role::server, role::client);
  const std::size_t size = GENERATE(10u, 5'000u, 100'000u);
  endpoint e(own);
  std::string payload = pattern(size);
  e.ws.send(payload);
  payload.assign(size, '!');
  CHECK(e.sent() == std::vector{frame::text(pattern(size))});
}

TEST_CASE("the_head_of_the_handshake_leaves_first") {
  const role own = GENERATE(role::server, role::client);
  endpoint e(own);
  std::string head = "HTTP/1.1 101 Switching Protocols\r\n\r\n";
  const std::string expected = head;
  e.ws.send_handshake(head);
  head = "spoilt";
  e.ws.send("ahoy");
  const std::string stream = drained(e.ws);
  CHECK(stream.substr(0, expected.size()) == expected);
  CHECK(decoded(own, stream.substr(expected.size())) == std::vector{frame::text("ahoy")});
}

TEST_CASE("a_connection_is_writable_below_one_quantum") {
  const role own = GENERATE(role::server, role::client);
  endpoint e(own);
  CHECK(e.ws.writable());
  const std::size_t step = frame_size(own, 1000);
  while (e.ws.output_size() + 2 * step < quantum) e.ws.send(pattern(1000));
  const std::size_t header_size = step - 1000;
  e.ws.send(pattern(quantum - 1 - e.ws.output_size() - header_size));
  REQUIRE(e.ws.output_size() == quantum - 1);
  CHECK(e.ws.writable());
  e.ws.send("");
  CHECK(!e.ws.writable());
  CHECK(e.ws.is_open());
  e.ws.consume(e.ws.output_size() - quantum);
  CHECK(!e.ws.writable());
  e.ws.consume(1);
  CHECK(e.ws.writable());
  e.ws.settle();
}

TEST_CASE("pulling_stops_at_the_quantum_and_goes_on_after_consuming") {
  const role own = GENERATE(role::server, role::client);
  endpoint e(own);
  queued_messages source;
  constexpr std::size_t count = 500;
  std::vector<frame> expected;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string text = pattern(1000, i);
    source.add(text);
    expected.push_back(frame::text(text));
  }
  std::string stream;
  std::size_t turns = 0;
  for (; !source.waiting.empty() || e.ws.output_size() != 0; ++turns) {
    const std::size_t asked_before = source.asked;
    e.ws.pull(source);
    REQUIRE(e.ws.output_size() < quantum + frame_size(own, 1000));
    if (!source.waiting.empty()) REQUIRE(e.ws.output_size() >= quantum);
    e.ws.pull(source);  // there is no room now
    if (!source.waiting.empty()) REQUIRE(source.asked - asked_before <= quantum / 1000 + 1);
    stream += text_of(e.ws.output()).substr(0, 50'000);
    e.ws.consume(std::min<std::size_t>(e.ws.output_size(), 50'000));
    e.ws.settle();
  }
  CHECK(turns > 5);
  CHECK(decoded(own, stream) == expected);
}

TEST_CASE("pulling_asks_once_more_than_there_are_messages") {
  const role own = GENERATE(role::server, role::client);
  endpoint e(own);
  queued_messages source;
  e.ws.pull(source);
  CHECK(source.asked == 1);
  CHECK(e.ws.output_size() == 0);
  source.add("one");
  source.add("two");
  e.ws.pull(source);
  CHECK(source.asked == 4);
  CHECK(e.sent() == std::vector{frame::text("one"), frame::text("two")});
}

TEST_CASE("pulling_takes_one_large_message_at_a_time") {
  const role own = GENERATE(role::server, role::client);
  endpoint e(own);
  queued_messages source;
  const std::string large = pattern(3 * quantum);
  for (int i = 0; i < 3; ++i) source.add(large);
  for (std::size_t left = 3; left > 0; --left) {
    e.ws.pull(source);
    CHECK(source.waiting.size() == left - 1);
    CHECK(e.sent() == std::vector{frame::text(large)});
  }
}

TEST_CASE("pulling_from_a_closed_connection_asks_for_nothing") {
  const role own = GENERATE(role::server, role::client);
  endpoint e(own);
  SECTION("closing") { REQUIRE(!e.ws.close(close_code::normal, {}, e.now)); }
  SECTION("closed") { e.feed(frame::close()); }
  SECTION("failed") { e.feed(frame::continuation("")); }
  queued_messages source;
  source.add("never sent");
  e.ws.pull(source);
  CHECK(source.asked == 0);
  CHECK(e.sent().size() == 1);
}

TEST_CASE("client_masks_each_frame_with_a_fresh_key") {  // sections 5.3 and 10.3, F13
  endpoint e(role::client);
  e.ws.send("small");
  e.ws.send("");
  e.ws.send(pattern(copy_limit + 1));
  e.ws.send({message_kind::binary, shared(pattern(10'000))});
  REQUIRE(!e.ws.ping({}));
  e.ws.settle();
  e.feed(frame::ping("p"));
  REQUIRE(!e.ws.close(close_code::normal, {}, e.now));
  std::vector<mask_key> keys;
  CHECK(e.sent(&keys).size() == 7);
  std::vector<mask_key> expected;
  for (std::uint32_t i = 1; i <= 7; ++i) expected.push_back(numbered_keys::key(i));
  CHECK(keys == expected);
  CHECK(e.keys.drawn == 7);
}

TEST_CASE("server_masks_nothing") {  // section 5.1
  endpoint e(role::server);
  e.ws.send("small");
  e.ws.send(pattern(10'000));
  REQUIRE(!e.ws.ping(bytes_of("p")));
  REQUIRE(!e.ws.close(close_code::normal, {}, e.now));
  std::vector<mask_key> keys;
  CHECK(e.sent(&keys).size() == 4);
  CHECK(keys.empty());
}

TEST_CASE("client_masks_a_copy_of_a_large_message") {  // section 5.3
  endpoint e(role::client);
  const std::string payload = pattern(100'000);
  const shared_bytes owner = shared(payload);
  e.ws.send({message_kind::text, owner});
  CHECK(!is_gathered(e.ws, owner.data()));
  CHECK(text_of(owner) == payload);
  const std::string stream = text_of(e.ws.output());
  CHECK(stream.find(payload.substr(0, 64)) == std::string::npos);
  CHECK(e.sent() == std::vector{frame::text(payload)});

  // What was received is not masked in place either: others may still look at it.
  endpoint echo(role::client);
  echo.sink.message_hook = [&](message_view m) {
    echo.ws.send(m);
    CHECK(text_of(m.bytes()) == pattern(50'000));
    return flow::proceed;
  };
  echo.feed(frame::text(pattern(50'000)));
  CHECK(echo.sent() == std::vector{frame::text(pattern(50'000))});
}

TEST_CASE("server_sends_shared_bytes_without_a_copy") {
  const std::size_t size = GENERATE(copy_limit + 1, std::size_t{1'000'000});
  endpoint e(role::server);
  const shared_bytes owner = shared(pattern(size));
  {
    const heap_watch heap;
    e.ws.send({message_kind::binary, owner});
    CHECK(heap.allocations() == 0);
  }
  CHECK(is_gathered(e.ws, owner.data()));
  e.ws.settle();
  CHECK(is_gathered(e.ws, owner.data()));
  CHECK(e.sent() == std::vector{frame::binary(pattern(size))});
}

TEST_CASE("server_keeps_shared_bytes_alive_until_they_are_written") {
  endpoint e(role::server);
  const std::string payload = pattern(10'000);
  std::optional<shared_bytes> owner = shared(payload);
  const heap_watch heap;
  e.ws.send({message_kind::binary, *owner});
  e.ws.settle();
  owner.reset();
  CHECK(text_of(e.ws.output()).substr(4) == payload);
  e.ws.consume(e.ws.output_size() - 1);
  CHECK(text_of(e.ws.output()) == payload.substr(payload.size() - 1));
  e.ws.consume(1);
  e.ws.settle();
  CHECK(heap.growth() <= -10'000);  // freed by the connection, the last that had them
}

TEST_CASE("server_copies_small_messages_whoever_owns_them") {
  endpoint e(role::server);
  const shared_bytes owner = shared(pattern(copy_limit));
  e.ws.send({message_kind::binary, owner});
  CHECK(!is_gathered(e.ws, owner.data()));
  CHECK(e.ws.output().size() == 1);
  CHECK(e.sent() == std::vector{frame::binary(pattern(copy_limit))});
}

TEST_CASE("server_sends_back_what_lies_in_the_receive_buffer_without_a_copy") {
  endpoint e(role::server);
  const std::string payload = pattern(20'000);
  std::string buffer = encoded(role::client, {frame::ping("p"), frame::text(payload), frame::ping("q")});
  const std::byte* seen = nullptr;
  e.sink.message_hook = [&](message_view m) {
    seen = m.bytes().data();
    const heap_watch heap;
    e.ws.send(m);
    e.ws.send({m.kind(), m.bytes().subspan(1, 10'000)});
    CHECK(heap.allocations() == 0);
    return flow::proceed;
  };
  e.ws.receive(std::as_writable_bytes(std::span(buffer)), e.now, e.sink);
  CHECK(is_gathered(e.ws, seen));
  CHECK(is_gathered(e.ws, seen + 1));
  const std::vector<frame> expected{frame::pong("p"), frame::text(payload),
                                    frame::text(payload.substr(1, 10'000)), frame::pong("q")};
  SECTION("written within the turn") { CHECK(e.sent() == expected); }
  SECTION("or copied at its end, before the buffer is used again") {
    const std::size_t written = GENERATE(0u, 1u, 7u, 100u, 20'006u, 20'100u, 30'000u);
    std::string stream = text_of(e.ws.output()).substr(0, written);
    e.ws.consume(written);
    e.ws.settle();
    std::ranges::fill(buffer, '!');
    stream += drained(e.ws);
    CHECK(decoded(role::server, stream) == expected);
  }
}

TEST_CASE("what_merely_touches_the_receive_buffer_is_copied") {
  endpoint e(role::server);
  constexpr std::size_t size = 5'000;
  std::vector<std::byte> memory(3 * size);
  const std::span<std::byte> all(memory);
  const std::string stream = encoded(role::client, frame::binary(pattern(size - 8)));
  REQUIRE(stream.size() == size);
  std::ranges::copy(bytes_of(stream), memory.begin() + size);
  e.sink.message_hook = [&](message_view) {
    e.ws.send(std::span<const std::byte>(all.first(size)));
    e.ws.send(std::span<const std::byte>(all.last(size)));
    e.ws.send(std::span<const std::byte>(all.subspan(size - 1, size)));
    e.ws.send(std::span<const std::byte>(all.subspan(size + 1, size)));
    CHECK(!is_gathered(e.ws, memory.data()));
    CHECK(!is_gathered(e.ws, memory.data() + 2 * size));
    CHECK(!is_gathered(e.ws, memory.data() + size - 1));
    CHECK(!is_gathered(e.ws, memory.data() + size + 1));
    return flow::proceed;
  };
  e.ws.receive(all.subspan(size, size), e.now, e.sink);
  CHECK(e.sink.events.size() == 1);
  e.ws.settle();
}

TEST_CASE("nothing_is_lent_after_settling") {
  endpoint e(role::server);
  std::string buffer = encoded(role::client, frame::binary(pattern(20'000)));
  const std::byte* end = bytes_of(buffer).data() + buffer.size();
  SECTION("after the turn") {
    e.ws.receive(std::as_writable_bytes(std::span(buffer)), e.now, e.sink);
    e.ws.settle();
    e.ws.send(std::span(end - 20'000, end));
  }
  SECTION("within a callback") {
    e.sink.message_hook = [&](message_view m) {
      e.ws.settle();
      e.ws.send(m);
      return flow::proceed;
    };
    e.ws.receive(std::as_writable_bytes(std::span(buffer)), e.now, e.sink);
  }
  CHECK(!is_gathered(e.ws, end - 20'000));
  buffer.assign(buffer.size(), '!');
  CHECK(e.sent() == std::vector{frame::binary(pattern(20'000))});
}

TEST_CASE("a_message_put_together_is_sent_back_without_a_copy") {
  endpoint e(role::server);
  const std::byte* seen = nullptr;
  e.sink.message_hook = [&](message_view m) {
    seen = m.bytes().data();
    e.ws.send(m);
    return flow::proceed;
  };
  e.feed({frame::text(pattern(6'000), unfinished), frame::continuation(pattern(6'000))});
  CHECK(is_gathered(e.ws, seen));
  CHECK(e.sent() == std::vector{frame::text(pattern(6'000) + pattern(6'000))});
}

TEST_CASE("output_is_stable_and_only_appended_to_until_consumed") {
  const role own = GENERATE(role::server, role::client);
  endpoint e(own);
  std::string lent;
  send_some_of_everything(e, lent);
  const auto first = e.ws.output();
  const std::vector<std::span<const std::byte>> before(first.begin(), first.end());
  const std::string bytes_before = text_of(before);
  std::string next = encoded(e.peer(), std::vector<frame>(20, frame::ping(pattern(125))));
  e.ws.send(pattern(copy_limit));
  e.ws.receive(std::as_writable_bytes(std::span(next)), e.now, e.sink);
  while (e.ws.writable()) e.ws.send(pattern(5'000));
  REQUIRE(!e.ws.close(close_code::normal, {}, e.now));
  const auto after = e.ws.output();
  REQUIRE(after.size() >= before.size());
  for (std::size_t i = 0; i < before.size(); ++i) CHECK(after[i].data() == before[i].data());
  CHECK(text_of(before) == bytes_before);
  CHECK(text_of(after).substr(0, bytes_before.size()) == bytes_before);
  e.ws.settle();
}

TEST_CASE("written_in_parts_of_any_size_the_stream_is_the_same") {  // F17
  const role own = GENERATE(role::server, role::client);
  const bool settles = GENERATE(false, true);
  CAPTURE(own, settles);
  std::string whole;
  std::string lent;
  {
    endpoint e(own);
    const std::vector<frame> expected = send_some_of_everything(e, lent);
    whole = drained(e.ws);
    REQUIRE(decoded(own, whole) == expected);
  }
  std::vector<std::size_t> sizes{copy_limit, copy_limit + 1, whole.size() - 1, whole.size()};
  for (std::size_t size = 1; size < 40; ++size) sizes.push_back(size);
  for (std::size_t size = 40; size < whole.size(); size += 419) sizes.push_back(size);
  for (const std::size_t size : sizes) {
    CAPTURE(size);
    endpoint e(own);
    send_some_of_everything(e, lent);
    std::string stream;
    while (e.ws.output_size() != 0) {
      std::size_t left = std::min(size, e.ws.output_size());
      e.ws.consume(0);
      // A link takes the front of the gather list.
      for (const auto piece : e.ws.output()) {
        const auto taken = piece.first(std::min(left, piece.size()));
        stream += text_of(taken);
        left -= taken.size();
        if (left == 0) break;
      }
      e.ws.consume(std::min(size, e.ws.output_size()));
      if (settles) {
        e.ws.settle();
        lent.assign(lent.size(), '!');
      }
    }
    e.ws.settle();
    REQUIRE(stream == whole);
  }
}

TEST_CASE("written_at_random_while_more_is_sent_the_stream_is_the_same") {  // F17
  const role own = GENERATE(role::server, role::client);
  std::mt19937 random(6455);
  const std::size_t sizes[] = {0, 1, 125, 126, 1000, copy_limit, copy_limit + 1, 10'000};
  for (int round = 0; round < 20; ++round) {
    CAPTURE(own, round);
    endpoint e(own);
    std::string stream;
    std::vector<frame> expected;
    for (int step = 0; step < 100; ++step) {
      switch (random() % 4) {
        case 0:
          if (!e.ws.writable()) break;
          expected.push_back(frame::text(pattern(sizes[random() % std::size(sizes)], random())));
          e.ws.send(expected.back().payload);
          break;
        case 1:
          if (!e.ws.writable()) break;
          expected.push_back(frame::binary(pattern(sizes[random() % std::size(sizes)], random())));
          e.ws.send(message(message_kind::binary, shared(expected.back().payload)));
          break;
        case 2: {
          const std::size_t size = std::min<std::size_t>(e.ws.output_size(), random() % 12'000);
          stream += text_of(e.ws.output()).substr(0, size);
          e.ws.consume(size);
          break;
        }
        default: e.ws.settle(); break;
      }
    }
    stream += drained(e.ws);
    REQUIRE(decoded(own, stream) == expected);
  }
}

TEST_CASE("connections_of_one_workspace_take_turns") {
  const role own = GENERATE(role::server, role::client);
  const connection_options options;
  output_workspace workspace;
  numbered_keys keys;
  mask_key_source* const source = own == role::client ? &keys : nullptr;
  constexpr std::size_t count = 3;
  connection all[count] = {{own, options, workspace, source},
                           {own, options, workspace, source},
                           {own, options, workspace, source}};
  std::string streams[count];
  std::vector<frame> expected[count];
  recording_sink sink;
  connection* serving = nullptr;
  sink.message_hook = [&](message_view m) {
    serving->send(m);
    return flow::proceed;
  };
  std::string buffer;  // the thread's
  std::mt19937 random(6455);
  for (int turn = 0; turn < 300; ++turn) {
    const std::size_t i = random() % count;
    serving = &all[i];
    const std::size_t size = random() % 3 == 0 ? 5'000 : random() % 200;
    const std::string payload = pattern(size, random());
    buffer = encoded(other(own), {frame::text(payload), frame::text(payload)});
    expected[i].insert(expected[i].end(), 2, frame::text(payload));
    all[i].receive(std::as_writable_bytes(std::span(buffer)), time_point(), sink);
    const std::size_t written = std::min<std::size_t>(all[i].output_size(), random() % 9'000);
    streams[i] += text_of(all[i].output()).substr(0, written);
    all[i].consume(written);
    all[i].settle();
    std::ranges::fill(buffer, '!');
  }
  for (std::size_t i = 0; i < count; ++i) {
    streams[i] += drained(all[i]);
    CHECK(decoded(own, streams[i]) == expected[i]);
  }
}

TEST_CASE("consuming_after_settling_leaves_the_other_connections_alone") {
  const connection_options options;
  output_workspace workspace;
  connection one(role::server, options, workspace);
  connection two(role::server, options, workspace);
  one.send("one");
  one.settle();
  two.send("two");
  two.settle();
  const std::string stream = text_of(one.output());
  one.settle();  // the link writes later, of what it was told now
  one.consume(2);
  one.settle();
  CHECK(text_of(one.output()) == stream.substr(2));
  one.settle();
  CHECK(decoded(role::server, drained(two)) == std::vector{frame::text("two")});
}

TEST_CASE("small_messages_are_sent_back_without_an_allocation") {
  const role own = GENERATE(role::server, role::client);
  const std::size_t size = GENERATE(0u, 1u, 125u, 256u, 2000u);
  CAPTURE(own, size);
  endpoint e(own);
  echo_sink sink(e.ws);
  const std::string stream = encoded(e.peer(), std::vector<frame>(16, frame::text(pattern(size))));
  std::string buffer = stream;
  const heap_watch heap;
  for (int turn = 0; turn < 1000; ++turn) {
    std::ranges::copy(stream, buffer.begin());
    e.ws.receive(std::as_writable_bytes(std::span(buffer)), e.now, sink);
    const auto output = e.ws.output();
    REQUIRE(output.size() == 1);
    e.ws.consume(output[0].size());
    e.ws.settle();
  }
  CHECK(heap.allocations() == 0);
  CHECK(sink.messages == 16'000);
}

TEST_CASE("a_connection_that_has_written_all_keeps_nothing") {
  const role own = GENERATE(role::server, role::client);
  endpoint e(own);
  std::string lent;
  send_some_of_everything(e, lent);
  e.ws.settle();
  drained(e.ws);
  e.sink = recording_sink();
  const std::string large = pattern(20'000);
  const heap_watch heap;
  e.ws.send(large);
  e.ws.send("small");
  e.ws.settle();
  CHECK(heap.growth() > 20'000);
  e.ws.consume(e.ws.output_size());
  e.ws.settle();
  CHECK(heap.growth() == 0);
}

// RFC 6455 section 5.4.
TEST_CASE("pieces_of_a_message_leave_as_its_frames_with_control_frames_between_them") {
  const role own = GENERATE(role::server, role::client);
  endpoint e(own);
  queued_messages source;
  source.add("before");
  source.add("one ", piece::first);
  source.add("", piece::middle);
  source.add("two ", piece::middle);
  e.ws.pull(source);
  CHECK_FALSE(e.ws.ping(bytes_of("p")));
  source.add("three", piece::last);
  source.add("after");
  e.ws.pull(source);
  CHECK(e.sent() == std::vector{frame::text("before"), frame::text("one ", unfinished),
                                frame::continuation("", unfinished), frame::continuation("two ", unfinished),
                                frame::ping("p"), frame::continuation("three"), frame::text("after")});
}

TEST_CASE("a_piece_above_the_copy_limit_is_sent_by_reference") {
  endpoint e(role::server);
  const shared_bytes large = shared(std::string(copy_limit + 1, 'x'));
  e.ws.send({message_kind::binary, large}, piece::first);
  e.ws.send({message_kind::binary, large}, piece::last);
  std::size_t by_reference = 0;
  for (const auto& part : e.ws.output()) by_reference += part.data() == large.data() ? 1U : 0U;
  CHECK(by_reference == 2);
  CHECK(e.sent() == std::vector{frame::binary(std::string(copy_limit + 1, 'x'), unfinished),
                                frame::continuation(std::string(copy_limit + 1, 'x'))});
}
