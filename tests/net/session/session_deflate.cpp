#include <fairlead/net/session/session_options.hpp>

#include <net/session/session_support.hpp>
#include <support/catch.hpp>

#include <atomic>
#include <stdexcept>
#include <thread>

using namespace net_test;

// permessage-deflate from the handshake to the handler (RFC 7692).

namespace {

/// What a client says that wants to compress, and a route that lets it.
deflate_options deflating(bool takeover = false) {
  deflate_options options;
  options.enabled = true;
  options.send_takeover = options.receive_takeover = takeover;
  return options;
}

session_options with(const deflate_options& deflate) {
  session_options options;
  options.deflate = deflate;
  return options;
}

/// Sends each message back.
handlers echo() {
  return {.on_message = [](session& ws, message_view m) { ws.try_send(m); }};
}

const std::string large_text = [] {
  std::string text;
  for (int i = 0; text.size() < 20'000; ++i) text += "the message of number " + std::to_string(i) + ", ";
  return text;
}();

/// Joins `/` with an offer of these options; counts what the server writes.
std::unique_ptr<client> join(stage& s, const deflate_options& offered, link_counts& counts) {
  auto peer = s.connect(&counts);
  peer->deflate = offered;
  peer->upgrade();
  REQUIRE(s.run_until([&] { return peer->upgraded || peer->is_over(); }));
  REQUIRE(peer->upgraded);
  return peer;
}

/// "Hello" in a compressed message (RFC 7692 section 7.2.3.1).
constexpr std::string_view hello{"\xf2\x48\xcd\xc9\xc9\x07\x00", 7};

}  // namespace

TEST_CASE("compression_that_both_sides_want_is_agreed_and_used_both_ways") {
  const bool takeover = GENERATE(false, true);
  stage s;
  s.server().route("/", echo(), with(deflating(takeover)));
  link_counts counts;
  const auto peer = join(s, deflating(takeover), counts);
  const std::string answered = field_in(peer->head, "Sec-WebSocket-Extensions");
  CHECK(answered.starts_with("permessage-deflate"));
  CHECK((answered.find("no_context_takeover") == std::string::npos) == takeover);
  const std::size_t head_size = counts.written_size;
  for (std::size_t round = 1; round <= 3; ++round) {
    peer->send(large_text);
    REQUIRE(s.run_until([&] { return peer->messages.size() == round; }));
    CHECK((peer->messages.back().text() == large_text));
  }
  CHECK(peer->framed_size < 3 * large_text.size() / 2);
  CHECK(counts.written_size - head_size < 3 * large_text.size() / 2);
}

TEST_CASE("compression_is_declined_where_the_route_does_not_enable_it") {
  stage s;
  s.server().route("/", echo());
  link_counts counts;
  const auto peer = join(s, deflating(), counts);
  CHECK(field_in(peer->head, "Sec-WebSocket-Extensions").empty());
  peer->send(large_text);
  REQUIRE(s.run_until([&] { return peer->messages.size() == 1; }));
  CHECK((peer->messages[0].text() == large_text));
  CHECK(peer->framed_size > large_text.size());
  CHECK(counts.written_size > large_text.size());
  // And a compressed message is refused.
  peer->write(frame(0xc1, hello));
  REQUIRE(s.run_until([&] { return peer->is_over(); }));
  REQUIRE(peer->closed);
  CHECK(peer->closed->code == close_code::protocol_error);
}

TEST_CASE("compression_is_not_used_with_a_client_that_does_not_offer_it") {
  stage s;
  s.server().route("/", echo(), with(deflating()));
  link_counts counts;
  const auto peer = join(s, {}, counts);
  CHECK(field_in(peer->head, "Sec-WebSocket-Extensions").empty());
  peer->send(large_text);
  REQUIRE(s.run_until([&] { return peer->messages.size() == 1; }));
  CHECK(counts.written_size > large_text.size());
}

TEST_CASE("an_offer_that_cannot_be_accepted_is_declined_and_the_session_goes_on") {
  stage s;
  s.server().route("/", echo(), with(deflating()));
  for (const char* offer : {"permessage-deflate; server_max_window_bits=8", "permessage-deflate; unknown",
                            "permessage-deflate; client_no_context_takeover=1", "x-webkit-deflate-frame"}) {
    CAPTURE(offer);
    const auto peer = s.connect();
    peer->upgrade("/", std::string("Sec-WebSocket-Extensions: ") + offer + "\r\n");
    REQUIRE(s.run_until([&] { return peer->upgraded; }));
    CHECK(field_in(peer->head, "Sec-WebSocket-Extensions").empty());
    peer->send("plain");
    REQUIRE(s.run_until([&] { return peer->messages.size() == 1; }));
  }
}

TEST_CASE("a_compressed_message_right_behind_the_request_is_read") {  // H13
  stage s;
  record seen;
  s.server().route("/", seen.callbacks(), with(deflating()));
  const auto peer = s.connect();
  peer->write(upgrade_request_for("/", "Sec-WebSocket-Extensions: permessage-deflate\r\n") +
              frame(0xc1, hello));
  REQUIRE(s.run_until([&] { return seen.events.size() == 2; }));
  CHECK(seen.events == std::vector<std::string>{"open", "Hello"});
}

TEST_CASE("the_limit_of_a_route_holds_for_what_a_message_inflates_to") {  // D02
  stage s;
  record seen;
  session_options options = with(deflating());
  options.connection.max_message_size = large_text.size() - 1;
  s.server().route("/", seen.callbacks(), options);
  link_counts counts;
  const auto peer = join(s, deflating(), counts);
  peer->send(large_text.substr(1));
  REQUIRE(s.run_until([&] { return seen.events.size() == 2; }));
  peer->send(large_text);
  REQUIRE(s.run_until([&] { return peer->is_over() && seen.closes == 1; }));
  CHECK(seen.error == errc::message_too_big);
  REQUIRE(peer->closed);
  CHECK(peer->closed->code == close_code::message_too_big);
}

TEST_CASE("a_message_that_is_not_to_be_compressed_is_not") {  // D10
  stage s;
  s.server().route("/", {.on_message = [](session& ws, message_view m) { ws.try_send(m.uncompressed()); }},
                   with(deflating()));
  link_counts counts;
  const auto peer = join(s, deflating(), counts);
  peer->send(large_text);
  REQUIRE(s.run_until([&] { return peer->messages.size() == 1; }));
  CHECK(peer->framed_size < large_text.size() / 2);
  CHECK(counts.written_size > large_text.size());
}

TEST_CASE("a_message_in_parts_is_compressed") {  // RFC 7692 section 7.2.1
  const bool takeover = GENERATE(false, true);
  stage s;
  record seen;
  s.server().route("/", seen.callbacks(), with(deflating(takeover)));
  link_counts counts;
  const auto peer = join(s, deflating(takeover), counts);
  REQUIRE(seen.ws);
  const std::size_t written = counts.written_size;
  for (int i = 0; i < 4; ++i) seen.ws->send_part(large_text, i == 3, [](std::error_code) {});
  REQUIRE(s.run_until([&] { return peer->messages.size() == 1; }));
  CHECK((peer->messages.front().text() == large_text + large_text + large_text + large_text));
  CHECK(counts.written_size - written < large_text.size());
}

TEST_CASE("messages_that_wait_are_compressed_when_their_turn_comes") {
  stage s;
  record seen;
  session_options options = with(deflating(true));
  options.queue_hard = 64 * 1024 * 1024;
  s.server().route("/", seen.callbacks(), options);
  auto peer = s.connect(nullptr, 4096);  // the link takes little at a time
  peer->deflate = deflating(true);
  peer->upgrade();
  REQUIRE(s.run_until([&] { return peer->upgraded && seen.ws; }));
  for (int i = 0; i < 100; ++i) {
    const std::string text = std::to_string(i) + large_text;
    seen.ws->try_send(i % 3 == 0 ? message_view(text).uncompressed() : message_view(text));
  }
  REQUIRE(s.run_until([&] { return peer->messages.size() == 100; }));
  for (int i = 0; i < 100; ++i) {
    CHECK((peer->messages[static_cast<std::size_t>(i)].text() == std::to_string(i) + large_text));
  }
}

TEST_CASE("a_route_whose_deflate_options_are_out_of_range_is_refused_by_its_name") {
  const auto with_number = [](auto member, auto value) {
    deflate_options deflate;
    deflate.*member = static_cast<std::remove_reference_t<decltype(deflate.*member)>>(value);
    return deflate;
  };
  for (const deflate_options& deflate :
       {with_number(&deflate_options::send_window_bits, 8),
        with_number(&deflate_options::send_window_bits, 16),
        with_number(&deflate_options::receive_window_bits, 7),
        with_number(&deflate_options::receive_window_bits, 16), with_number(&deflate_options::level, 0),
        with_number(&deflate_options::level, 10), with_number(&deflate_options::level, -1),
        with_number(&deflate_options::memory_level, 0), with_number(&deflate_options::memory_level, 10)}) {
    stage s;
    try {
      s.server().route("/rooms/{room}", echo(), with(deflate));
      FAIL("not refused");
    } catch (const std::invalid_argument& e) {
      CHECK(std::string_view(e.what()).find("'/rooms/{room}'") != std::string_view::npos);
    }
    CHECK_THROWS_AS(s.server().route(
                        "/", [](session, request) -> asio::awaitable<void> { co_return; }, with(deflate)),
                    std::invalid_argument);
  }
  stage s;
  for (const deflate_options& deflate :
       {with_number(&deflate_options::send_window_bits, 9),
        with_number(&deflate_options::receive_window_bits, 8), with_number(&deflate_options::level, 9),
        with_number(&deflate_options::memory_level, 1)}) {
    CHECK_NOTHROW(s.server().route("/", echo(), with(deflate)));
  }
}

// What compression holds belongs to the context: a handle that lives on must not give it back later, nor from
// another thread.
TEST_CASE("a_handle_that_outlives_its_context_amid_a_compressed_message_is_dropped_anywhere", "[threads]") {
  const bool takeover = GENERATE(false, true);
  std::optional<session> kept;
  {
    stage s;
    record seen;
    s.server().route("/", seen.callbacks(), with(deflating(takeover)));
    link_counts counts;
    const auto peer = join(s, deflating(takeover), counts);
    REQUIRE(s.run_until([&] { return seen.ws.has_value(); }));
    seen.ws->try_send(large_text);
    peer->write(frame(0xc1, hello) + frame(0x41, hello.substr(0, 4)));
    REQUIRE(s.run_until([&] { return seen.events.size() == 2; }));
    kept = std::exchange(seen.ws, std::nullopt);
  }
  std::thread([&] { kept.reset(); }).join();
}

TEST_CASE("a_handle_to_a_session_that_ended_amid_a_compressed_message_is_dropped_anywhere", "[threads]") {
  const bool takeover = GENERATE(false, true);
  stage s;
  record seen;
  s.server().route("/", echo(), with(deflating(takeover)));
  s.server().route("/seen", seen.callbacks(), with(deflating(takeover)));
  link_counts counts;
  const auto busy = join(s, deflating(takeover), counts);
  std::atomic<std::size_t> dropped = 0;
  std::vector<std::thread> threads;
  for (std::size_t round = 1; round <= 10; ++round) {
    auto gone = s.connect();
    gone->deflate = deflating(takeover);
    gone->upgrade("/seen");
    REQUIRE(s.run_until([&] { return seen.ws.has_value(); }));
    seen.ws->try_send(large_text);
    gone->write(frame(0x41, hello.substr(0, 4)));
    s.run_ready();
    if (round % 2 == 0) {
      gone->hang_up();
    } else {
      gone->write(frame(0xc1, hello));  // interleaved: the session fails
    }
    REQUIRE(s.run_until([&] { return seen.closes == round; }));
    gone.reset();
    s.run_ready();
    threads.emplace_back([&dropped, ws = std::exchange(seen.ws, std::nullopt)]() mutable {
      ws.reset();
      ++dropped;
    });
    busy->send(large_text);  // meanwhile, of the same workspace
    REQUIRE(s.run_until([&] { return busy->messages.size() == round; }));
  }
  for (std::thread& t : threads) t.join();
  CHECK(dropped == 10);
}
