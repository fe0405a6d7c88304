#include <fairlead/protocol/connection.hpp>

#include "support.hpp"

#include <support/heap.hpp>

using namespace protocol_tests;

// Frames that RFC 6455 forbids: sections 5.1 (mask), 5.2 (reserved bits and opcodes, length forms), 5.4
// (fragmentation) and 5.5 (control frames). Each with its twin that is allowed.

namespace {

// The two first bytes of a frame, the length form in `length`, with the mask bit that `from` has to set.
std::string head(role from, unsigned first, unsigned length, std::string_view rest = {}) {
  if (from == role::client) length |= 0x80;
  return std::string{static_cast<char>(first), static_cast<char>(length)}.append(rest);
}

std::string in_64_bits(std::uint64_t value) {
  std::string bytes;
  for (int shift = 56; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 0xff);
  return bytes;
}

constexpr unsigned fin = 0x80;

// `bytes` fail a connection of the role `own`, told by their last byte and by none before it.
void check_fault(role own, std::string_view bytes, errc why, const connection_options& options = {}) {
  CAPTURE(own, text_of(bytes_of(bytes)), make_error_code(why).message());
  endpoint e(own, options);
  e.feed_in_pieces(bytes.substr(0, bytes.size() - 1), 1);
  CHECK(e.events().empty());
  CHECK(e.ws.is_open());
  e.feed(bytes.substr(bytes.size() - 1));
  CHECK(e.events() == std::vector{event::failure(why, close_code::protocol_error)});
  CHECK(!e.ws.is_open());
  CHECK(!e.ws.writable());

  endpoint whole(own, options);
  const std::string stream = std::string(bytes) + encoded(other(own), frame::text("discarded"));
  CHECK(whole.feed(stream) == stream.size());
  CHECK(whole.events() == std::vector{event::failure(why, close_code::protocol_error)});
  CHECK(!whole.ws.wants_shutdown());
  CHECK(whole.sent() == std::vector{frame::failure(why, close_code::protocol_error)});
  CHECK(whole.ws.wants_shutdown());
}

void check_accepted(role own, std::string_view bytes) {
  CAPTURE(own, text_of(bytes_of(bytes)));
  endpoint e(own);
  e.feed(bytes);
  CHECK(e.ws.is_open());
  e.feed_in_pieces(bytes, 1);
  CHECK(e.ws.is_open());
}

}  // namespace

TEST_CASE("server_refuses_a_frame_without_mask") {  // section 5.1, F08
  check_fault(role::server, encoded(header_of(role::server, opcode::text, 0)), errc::mask_missing);
  check_fault(role::server, encoded(header_of(role::server, opcode::binary, 70'000)), errc::mask_missing);
  check_fault(role::server, encoded(header_of(role::server, opcode::ping, 3)), errc::mask_missing);
  check_fault(role::server, encoded(header_of(role::server, opcode::close, 2)), errc::mask_missing);
  check_accepted(role::server, encoded(role::client, {frame::text("a"), frame::ping("abc")}));
}

TEST_CASE("client_refuses_a_frame_with_mask") {  // section 5.1, F08
  check_fault(role::client, encoded(header_of(role::client, opcode::text, 0)), errc::mask_unexpected);
  check_fault(role::client, encoded(header_of(role::client, opcode::binary, 70'000)), errc::mask_unexpected);
  check_fault(role::client, encoded(header_of(role::client, opcode::ping, 3)), errc::mask_unexpected);
  check_fault(role::client, encoded(header_of(role::client, opcode::close, 2)), errc::mask_unexpected);
  check_accepted(role::client, encoded(role::server, {frame::text("a"), frame::ping("abc")}));
}

TEST_CASE("a_key_of_zeros_is_a_mask") {  // section 5.1
  frame_header h = header_of(role::client, opcode::text, 4);
  h.mask = mask_key{};
  endpoint server(role::server);
  server.feed(encoded(h) + "ahoy");
  CHECK(server.events() == std::vector{event::text("ahoy")});
  check_fault(role::client, encoded(h), errc::mask_unexpected);
}

TEST_CASE("a_reserved_bit_is_refused_on_every_frame") {  // section 5.2, F06
  const role own = GENERATE(role::server, role::client);
  const opcode op = GENERATE(opcode::text, opcode::binary, opcode::close, opcode::ping, opcode::pong);
  for (unsigned bits = 1; bits < 8; ++bits) {
    frame_header h = header_of(other(own), op, 5);
    h.rsv1 = (bits & 1) != 0;
    h.rsv2 = (bits & 2) != 0;
    h.rsv3 = (bits & 4) != 0;
    check_fault(own, encoded(h), errc::reserved_bits);
  }
}

TEST_CASE("a_reserved_bit_is_refused_on_a_continuation") {  // section 5.2, F06
  const role own = GENERATE(role::server, role::client);
  endpoint e(own);
  frame_header h = header_of(e.peer(), opcode::continuation, 5);
  h.rsv1 = true;
  e.feed(frame::text("a", unfinished));
  e.feed(encoded(h));
  CHECK(e.events() == std::vector{event::failure(errc::reserved_bits, close_code::protocol_error)});
}

TEST_CASE("reserved_opcodes_are_refused_at_the_first_byte") {  // section 5.2, F09
  const role own = GENERATE(role::server, role::client);
  for (unsigned op = 0; op < 16; ++op) {
    const bool reserved = (op >= 3 && op <= 7) || op >= 11;
    if (!reserved) continue;
    for (const unsigned flags : {0u, fin})
      check_fault(own, std::string(1, static_cast<char>(flags | op)), errc::reserved_opcode);
  }
  check_accepted(own, encoded(other(own), {frame::text("", unfinished), frame::continuation(""),
                                           frame::binary(""), frame::ping(""), frame::pong("")}));
}

TEST_CASE("a_fragmented_control_frame_is_refused_at_the_first_byte") {  // section 5.5, F05
  const role own = GENERATE(role::server, role::client);
  for (const opcode op : {opcode::close, opcode::ping, opcode::pong})
    check_fault(own, std::string(1, static_cast<char>(op)), errc::fragmented_control);
}

TEST_CASE("an_oversized_control_frame_is_refused_at_the_second_byte") {  // section 5.5, F05
  const role own = GENERATE(role::server, role::client);
  for (const opcode op : {opcode::close, opcode::ping, opcode::pong}) {
    for (const unsigned length : {126u, 127u})
      check_fault(own, head(other(own), fin | static_cast<unsigned>(op), length), errc::oversized_control);
  }
  check_accepted(own, encoded(other(own), {frame::ping(pattern(125)), frame::pong(pattern(125))}));
}

TEST_CASE("a_length_not_in_its_shortest_form_is_refused") {  // section 5.2, F04
  const role own = GENERATE(role::server, role::client);
  const unsigned text = fin | static_cast<unsigned>(opcode::text);
  for (const unsigned length : {0u, 1u, 125u}) {
    const std::string field{'\0', static_cast<char>(length)};
    check_fault(own, head(other(own), text, 126, field), errc::length_not_minimal);
  }
  // The first six bytes tell that the value fits in 16 bits.
  check_fault(own, head(other(own), text, 127, in_64_bits(0).substr(0, 6)), errc::length_not_minimal);
  check_accepted(own, encoded(other(own), {frame::text(pattern(125)), frame::text(pattern(126)),
                                           frame::text(pattern(65'535)), frame::text(pattern(65'536))}));
}

TEST_CASE("a_length_of_2_to_the_63_and_more_is_refused_without_an_allocation") {  // section 5.2, F01, F16
  const role own = GENERATE(role::server, role::client);
  constexpr std::uint64_t top = std::uint64_t{1} << 63;
  connection_options unlimited;
  unlimited.max_message_size = ~std::size_t{0};
  for (const std::uint64_t length : {top, top + 1, ~std::uint64_t{0}, ~std::uint64_t{0} - 9}) {
    for (const opcode op : {opcode::text, opcode::binary, opcode::continuation}) {
      const std::string bytes = head(other(own), fin | static_cast<unsigned>(op), 127, in_64_bits(length));
      check_fault(own, std::string_view(bytes).substr(0, 3), errc::length_out_of_range, unlimited);

      endpoint e(own, unlimited);
      counting_sink sink;
      std::string block = bytes;
      const heap_watch heap;
      e.ws.receive(std::as_writable_bytes(std::span(block)), e.now, sink);
      CHECK(sink.ends == 1);
      CHECK(heap.peak() < 1024);  // the text of the error, for the close frame
    }
  }
}

TEST_CASE("the_longest_length_is_only_a_large_message") {  // section 5.2, F01
  const role own = GENERATE(role::server, role::client);
  const std::string longest = encoded(header_of(other(own), opcode::binary, ~std::uint64_t{0} >> 1));
  endpoint e(own);
  e.feed(longest);
  CHECK(e.events() == std::vector{event::failure(errc::message_too_big, close_code::message_too_big)});

  connection_options unlimited;
  unlimited.max_message_size = ~std::size_t{0};
  endpoint patient(own, unlimited);
  const heap_watch heap;
  patient.feed(longest + pattern(1000));
  CHECK(patient.events().empty());
  CHECK(patient.ws.payload_room().size() <= 64 * 1024);
  CHECK(heap.peak() <= 70 * 1024);
}

TEST_CASE("a_continuation_needs_a_message_to_continue") {  // section 5.4, F09
  const role own = GENERATE(role::server, role::client);
  const role from = other(own);
  check_fault(own, encoded(header_of(from, opcode::continuation, 0)), errc::unexpected_continuation);
  check_fault(own, encoded(header_of(from, opcode::continuation, 0, unfinished)),
              errc::unexpected_continuation);
  const std::vector<event> failure{event::failure(errc::unexpected_continuation, close_code::protocol_error)};
  for (const std::vector<frame>& before : {std::vector{frame::text("")},
                                           {frame::text("", unfinished), frame::continuation("")},
                                           {frame::binary("a")}}) {
    endpoint e(own);
    e.feed(before);
    CHECK(e.events().size() == 1);
    e.feed(frame::continuation("a"));
    CHECK(e.events() == failure);
  }
}

TEST_CASE("a_message_does_not_begin_inside_another") {  // section 5.4, F09
  const role own = GENERATE(role::server, role::client);
  const bool last = GENERATE(true, false);
  for (const frame& begun : {frame::text("a", unfinished), frame::binary("", unfinished)}) {
    for (const frame& next : {frame::text("b", last), frame::binary("", last)}) {
      endpoint e(own);
      e.feed(begun);
      e.feed(next);
      CHECK(e.events() == std::vector{event::failure(errc::message_interleaved, close_code::protocol_error)});
      CHECK(e.sent() == std::vector{frame::failure(errc::message_interleaved, close_code::protocol_error)});

      endpoint twin(own);
      twin.feed({begun, frame::continuation(""), frame{next.op, next.payload}});
      CHECK(twin.events().size() == 2);
    }
  }
}

TEST_CASE("a_frame_with_several_faults_fails_the_connection_once") {
  const role own = GENERATE(role::server, role::client);
  frame_header h = header_of(own, opcode::continuation, 100'000);  // masked as we have to, not the peer
  h.rsv1 = h.rsv2 = h.rsv3 = true;
  endpoint e(own);
  e.feed(encoded(h));
  CHECK(e.events().size() == 1);
  CHECK(e.sent().size() == 1);
}

TEST_CASE("a_failed_connection_ignores_all_that_follows") {  // section 7.1.7
  const role own = GENERATE(role::server, role::client);
  endpoint e(own);
  e.feed(frame::continuation(""));
  e.feed({frame::text("a"), frame::ping("b"), frame::close(close_code::normal), frame::continuation("")});
  e.feed("\xff\xff\xff\xff");
  e.ws.receive_eof(e.sink);
  e.ws.on_deadline(e.sink);
  CHECK(e.events().size() == 1);
  CHECK(e.ws.payload_room().empty());
  CHECK(e.ws.deadline() == time_point::max());
  CHECK(e.ws.ping({}) == errc::closed);
  CHECK(e.ws.close(close_code::normal, {}, e.now) == errc::closed);
  CHECK(e.sent().size() == 1);
}

TEST_CASE("what_was_framed_before_the_fault_is_still_sent") {
  const role own = GENERATE(role::server, role::client);
  endpoint e(own);
  e.ws.send("first");
  e.ws.settle();
  e.feed({frame::ping("second"), frame::continuation("")});
  CHECK(e.sent() == std::vector{frame::text("first"), frame::pong("second"),
                                frame::failure(errc::unexpected_continuation, close_code::protocol_error)});
}

TEST_CASE("a_fault_frees_what_was_kept_of_the_message") {
  const role own = GENERATE(role::server, role::client);
  endpoint e(own);
  counting_sink sink;
  std::string stream = encoded(e.peer(), {frame::text(pattern(50'000), unfinished), frame::text("")});
  const heap_watch heap;
  e.ws.receive(std::as_writable_bytes(std::span(stream)), e.now, sink);
  CHECK(sink.ends == 1);
  e.ws.consume(e.ws.output_size());
  e.ws.settle();
  CHECK(heap.growth() == 0);
}

TEST_CASE("the_end_of_the_stream_frees_what_was_kept_of_its_frames") {
  const role own = GENERATE(role::server, role::client);
  endpoint e(own);
  counting_sink sink;
  const std::string ping = encoded(e.peer(), frame::ping(pattern(125)));
  std::string stream =
      encoded(e.peer(), frame::text(pattern(50'000), unfinished)) + ping.substr(0, ping.size() - 1);
  const heap_watch heap;
  e.ws.receive(std::as_writable_bytes(std::span(stream)), e.now, sink);
  CHECK(heap.growth() > 50'124);
  e.ws.receive_eof(sink);
  CHECK(sink.ends == 1);
  CHECK(heap.growth() == 0);
}

TEST_CASE("every_reason_for_a_failure_fits_in_a_close_frame") {  // section 5.5
  for (int value = 1; value <= static_cast<int>(errc::bad_argument); ++value) {
    const std::string reason = make_error_code(static_cast<errc>(value)).message();
    CAPTURE(reason);
    CHECK(reason.size() <= max_close_reason_size);
    CHECK(is_valid_utf8(bytes_of(reason)));
  }
}
