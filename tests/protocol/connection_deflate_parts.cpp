#include <fairlead/protocol/connection.hpp>

#include "deflate_support.hpp"

using namespace protocol_tests;

// Messages that are sent in pieces and compressed (RFC 7692 sections 6, 7.2.1 and 7.2.3.6).

namespace {

const std::string tail = text_of({0x00, 0x00, 0xff, 0xff});

/// Joins the parts that it is given.
class joining_sink final : public event_sink {
 public:
  std::string joined;
  std::size_t messages = 0;

  flow on_message(message_view) override {
    FAIL("a whole message");
    return flow::proceed;
  }
  flow on_message_part(message_part p) override {
    joined += text_of(p.bytes);
    messages += p.last ? 1U : 0U;
    return flow::proceed;
  }
  void on_ping(std::span<const std::byte>) override {}
  void on_pong(std::span<const std::byte>) override {}
  void on_close(close_code, std::string_view) override {}
  void on_failure(errc why, close_code) override { FAIL(make_error_code(why).message()); }
};

/// The `i`th of `count` pieces.
piece piece_at(std::size_t i, std::size_t count) {
  if (i + 1 == count) return count == 1 ? piece::whole : piece::last;
  return i == 0 ? piece::first : piece::middle;
}

/// Sends text in these pieces and returns all that was written.
std::string send_pieces(endpoint& e, const std::vector<std::string>& pieces) {
  std::string stream;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    e.ws.send(pieces[i], piece_at(i, pieces.size()));
    stream += drained(e.ws);
  }
  return stream;
}

std::vector<sent_frame> frames_of_pieces(endpoint& e, const std::vector<std::string>& pieces) {
  for (std::size_t i = 0; i < pieces.size(); ++i) e.ws.send(pieces[i], piece_at(i, pieces.size()));
  return sent_frames(e);
}

std::string joined(const std::vector<sent_frame>& frames) {
  std::string all;
  for (const sent_frame& s : frames) all += s.f.payload;
  return all;
}

std::string joined(const std::vector<std::string>& pieces) {
  std::string all;
  for (const std::string& p : pieces) all += p;
  return all;
}

}  // namespace

TEST_CASE(
    "a_message_in_pieces_is_compressed_as_a_whole_with_rsv1_in_its_first_frame") {  // sections 6 and 7.2.1
  const role own = any_role();
  const bool takeover = GENERATE(false, true);
  compression_workspace w;
  deflate_endpoint e(own, w, agreed(takeover), deflating(takeover, 256));
  peer_inflater same_peer;
  for (const std::size_t size : {300u, 5000u, 70'000u}) {
    const std::vector<std::string> pieces{prose(size, 1), prose(7, 2), pattern(size / 2), prose(size, 3)};
    std::vector<sent_frame> frames;
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      e.ws.send(pieces[i], piece_at(i, pieces.size()));
      for (sent_frame& s : sent_frames(e)) frames.push_back(std::move(s));
    }
    REQUIRE(frames.size() == pieces.size());
    for (std::size_t i = 0; i < frames.size(); ++i) {
      CAPTURE(i);
      const bool is_last = i + 1 == frames.size();
      CHECK(frames[i].is_compressed == (i == 0));
      CHECK(frames[i].f.op == (i == 0 ? opcode::text : opcode::continuation));
      CHECK(frames[i].f.fin == is_last);
      CHECK(frames[i].f.payload.ends_with(tail) == !is_last);
    }
    CHECK(frames[3].f.payload.size() < size / 2);
    peer_inflater fresh_peer;
    CHECK(((takeover ? same_peer : fresh_peer).message(joined(frames)) == joined(pieces)));
  }
}

TEST_CASE("two_connections_understand_each_other_in_pieces_under_any_agreement") {
  const bool takeover = GENERATE(false, true);
  const int window_bits = GENERATE(9, 12, 15);
  const role own = any_role();
  CAPTURE(takeover, window_bits, own);
  compression_workspace of_sender;
  compression_workspace of_receiver;
  deflate_endpoint sender(own, of_sender, agreed(takeover, window_bits), deflating(takeover));
  deflate_endpoint receiver(other(own), of_receiver, agreed(takeover, window_bits), deflating(takeover),
                            with_message_size(1'000'000));
  for (std::size_t size = 0; size <= 60'000; size = size * 3 / 2 + 1) {
    for (const std::vector<std::string>& pieces :
         {std::vector{prose(size, size), pattern(size / 2, size)},
          std::vector{prose(size, 7), std::string(), prose(1), prose(size / 3, 7), prose(size, 7)},
          std::vector{pattern(size)}}) {
      receiver.feed_in_pieces(send_pieces(sender, pieces), 10'000);
      REQUIRE((receiver.events() == std::vector{event::text(joined(pieces))}));
    }
  }
}

TEST_CASE("a_compressed_piece_can_be_read_when_it_arrives") {  // section 7.2.1
  const role own = any_role();
  const bool takeover = GENERATE(false, true);
  compression_workspace w;
  compression_workspace of_receiver;
  deflate_endpoint sender(own, w, agreed(takeover), deflating(takeover));
  deflate_endpoint receiver(other(own), of_receiver, agreed(takeover), deflating(takeover));
  receiver.ws.receive_in_parts();
  joining_sink sink;
  std::string sent;
  constexpr std::size_t count = 20;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string text = prose(1 + 300 * (i % 4), i);
    sent += text;
    sender.ws.send(text, piece_at(i, count));
    std::string stream = drained(sender.ws);
    CHECK(receiver.ws.receive(std::as_writable_bytes(std::span(stream)), receiver.now, sink) ==
          stream.size());
    receiver.ws.settle();
    CHECK(sink.joined == sent);
  }
  CHECK(sink.messages == 1);
}

TEST_CASE("control_frames_leave_between_compressed_pieces") {  // RFC 6455 section 5.4
  const role own = any_role();
  const bool takeover = GENERATE(false, true);
  compression_workspace w;
  deflate_endpoint e(own, w, agreed(takeover), deflating(takeover));
  e.ws.send(prose(300), piece::first);
  CHECK_FALSE(e.ws.ping(bytes_of("p")));
  e.feed(frame::ping("q"));
  e.ws.send(prose(300, 2), piece::last);
  const auto frames = sent_frames(e);
  REQUIRE(frames.size() == 4);
  CHECK(frames[1].f == frame::ping("p"));
  CHECK(frames[2].f == frame::pong("q"));
  CHECK_FALSE((frames[1].is_compressed || frames[2].is_compressed));
  CHECK((peer_inflater().message(frames[0].f.payload + frames[3].f.payload) == prose(300) + prose(300, 2)));
}

TEST_CASE("empty_pieces_stay_empty_and_an_empty_last_one_is_an_empty_block") {  // section 7.2.3.6
  const role own = any_role();
  const bool takeover = GENERATE(false, true);
  compression_workspace w;
  deflate_endpoint e(own, w, agreed(takeover), deflating(takeover));
  const std::string block = text_of({0x00});
  for (const std::vector<std::string>& pieces :
       {std::vector<std::string>{"Hello", "", ""}, std::vector<std::string>{"", "", "Hello", "", "", ""}}) {
    const auto frames = frames_of_pieces(e, pieces);
    REQUIRE(frames.size() == pieces.size());
    for (std::size_t i = 0; i + 1 < frames.size(); ++i)
      CHECK(frames[i].f.payload.empty() == pieces[i].empty());
    CHECK(frames.back().f.payload == block);
    CHECK(frames.front().is_compressed);
  }
  const auto frames = frames_of_pieces(e, {"", "", ""});
  CHECK(joined(frames) == block);

  compression_workspace of_receiver;
  deflate_endpoint sender(own, w, agreed(takeover), deflating(takeover));
  deflate_endpoint receiver(other(own), of_receiver, agreed(takeover), deflating(takeover));
  for (const std::vector<std::string>& pieces :
       {std::vector<std::string>{"", "", ""}, std::vector<std::string>{"", "a", "", "b"},
        std::vector<std::string>{"Hello", ""}, std::vector<std::string>{"", "Hello"}}) {
    receiver.feed(send_pieces(sender, pieces));
    CHECK(receiver.events() == std::vector{event::text(joined(pieces))});
  }
}

TEST_CASE("the_first_piece_decides_for_its_message_whether_it_is_compressed") {  // D10
  const role own = any_role();
  const bool takeover = GENERATE(false, true);
  compression_workspace w;
  deflate_endpoint e(own, w, agreed(takeover), deflating(takeover, 256));
  const std::string large = prose(1000);
  const auto plain = [&](const message_view& first) {
    e.ws.send(first, piece::first);
    e.ws.send(large, piece::middle);
    e.ws.send(large, piece::last);
    CHECK(e.sent() == std::vector{frame::text(std::string(first.text()), unfinished),
                                  frame::continuation(large, unfinished), frame::continuation(large)});
    CHECK(w.memory_size() == 0);
  };
  plain("");
  plain(prose(255));
  plain(message_view(large).uncompressed());

  e.ws.send(prose(256), piece::first);
  e.ws.send("small", piece::middle);
  e.ws.send(message_view(large).uncompressed(), piece::last);
  const auto frames = sent_frames(e);
  CHECK(frames.front().is_compressed);
  CHECK((peer_inflater().message(joined(frames)) == prose(256) + "small" + large));
}

TEST_CASE("pieces_are_sent_as_they_are_where_compression_was_not_agreed") {  // section 6
  endpoint e(any_role());
  const std::string large = prose(1000);
  e.ws.send(large, piece::first);
  e.ws.send(large, piece::last);
  CHECK(e.sent() == std::vector{frame::text(large, unfinished), frame::continuation(large)});
}

TEST_CASE("with_takeover_messages_refer_to_pieces_before_them_and_without_it_they_do_not") {  // section 7.2.1
  const role own = any_role();
  const bool takeover = GENERATE(false, true);
  compression_workspace w;
  deflate_endpoint e(own, w, agreed(takeover), deflating(takeover));
  const std::string first = pattern(2000), second = pattern(2000, 2);
  peer_inflater peer;
  CHECK((peer.message(joined(frames_of_pieces(e, {first, second}))) == first + second));
  for (const std::vector<std::string>& pieces : {std::vector{second, first}, std::vector{first + second}}) {
    const std::string payload = joined(frames_of_pieces(e, pieces));
    CHECK((payload.size() < 100) == takeover);
    CHECK((peer_inflater().message(payload) == joined(pieces)) == !takeover);
    CHECK((peer.message(payload) == joined(pieces)));
  }
}

TEST_CASE("other_connections_may_compress_between_the_pieces_of_a_message") {
  const role own = any_role();
  const bool takeover = GENERATE(false, true);
  compression_workspace w;
  std::vector<std::unique_ptr<deflate_endpoint>> all;
  for (int i = 0; i < 3; ++i) {
    all.push_back(std::make_unique<deflate_endpoint>(own, w, agreed(takeover), deflating(takeover)));
  }
  std::array<std::string, 3> payloads;
  std::array<std::string, 3> texts;
  constexpr std::size_t count = 5;
  for (std::size_t round = 0; round < count; ++round) {
    for (std::size_t i = 0; i < all.size(); ++i) {
      const std::string text = prose(3000, 10 * round + i);
      all[i]->ws.send(text, piece_at(round, count));
      payloads[i] += joined(sent_frames(*all[i]));
      texts[i] += text;
    }
    deflate_endpoint whole(own, w);
    whole.ws.send(prose(2000, round));
    CHECK((peer_inflater().message(joined(sent_frames(whole))) == prose(2000, round)));
  }
  for (std::size_t i = 0; i < all.size(); ++i) CHECK((peer_inflater().message(payloads[i]) == texts[i]));
}

TEST_CASE("compressed_pieces_stay_as_they_are_until_they_are_written") {  // D06
  const role own = any_role();
  const bool takeover = GENERATE(false, true);
  compression_workspace w;
  deflate_endpoint e(own, w, agreed(takeover), deflating(takeover));
  e.ws.send(pattern(1000), piece::first);
  e.ws.send(pattern(20'000, 2), piece::middle);  // more than is copied into the queue
  const auto output = e.ws.output();
  const std::vector<std::span<const std::byte>> pieces(output.begin(), output.end());
  const std::string before = text_of(pieces);
  e.ws.send(pattern(20'000, 3), piece::middle);
  e.ws.send(pattern(100, 4), piece::last);
  CHECK((text_of(pieces) == before));
  CHECK((peer_inflater().message(joined(sent_frames(e))) ==
         pattern(1000) + pattern(20'000, 2) + pattern(20'000, 3) + pattern(100, 4)));
}

// libdeflate has no stream, and a last block could not be followed by another piece.
TEST_CASE("pieces_are_compressed_by_zlib_also_where_libdeflate_may_be_used") {
  const role own = any_role();
  compression_workspace w;
  deflate_endpoint e(own, w, agreed(false), by_libdeflate());
  const std::string payload = joined(frames_of_pieces(e, {prose(1000), prose(1000, 2)}));
  CHECK_FALSE(ends_in_last_block(payload));
  CHECK((peer_inflater().message(payload) == prose(1000) + prose(1000, 2)));
}

TEST_CASE("without_takeover_a_message_in_pieces_holds_a_compressor_up_to_its_end") {  // D07
  const role own = any_role();
  compression_workspace w;
  deflate_endpoint e(own, w);
  for (int i = 0; i < 3; ++i) {
    e.ws.send(prose(1000), piece::first);
    CHECK(w.memory_size() > 260'000);
    CHECK(w.memory_size() < 270'000);
    e.ws.send(prose(1000), piece::middle);
    CHECK(w.memory_size() < 270'000);
    e.ws.send("", piece::last);
    CHECK(w.memory_size() == 0);
  }
}

TEST_CASE("a_message_in_pieces_that_is_given_up_gives_its_compressor_back") {  // D07
  const role own = any_role();
  const bool takeover = GENERATE(false, true);
  const std::vector<std::function<void(deflate_endpoint&)>> ends{
      [](deflate_endpoint& e) { e.ws.release(); },
      [](deflate_endpoint& e) { e.ws.receive_eof(e.sink); },
      [](deflate_endpoint& e) { e.feed(frame::close(close_code::normal)); },
      [](deflate_endpoint& e) {
        CHECK_FALSE(e.ws.close(close_code::normal, "", e.now));
        CHECK(sent_frames(e).back().f == frame::close(close_code::normal));
        e.ws.on_deadline(e.sink);
      },
  };
  for (const auto& end : ends) {
    compression_workspace w;
    deflate_endpoint e(own, w, agreed(takeover), deflating(takeover));
    e.ws.send(prose(1000), piece::first);
    drained(e.ws);
    CHECK(w.memory_size() != 0);
    end(e);
    CHECK(w.memory_size() == 0);
  }
  // The next connection knows nothing of it.
  compression_workspace w;
  {
    deflate_endpoint gone(own, w, agreed(takeover), deflating(takeover));
    gone.ws.send(prose(1000), piece::first);
  }
  deflate_endpoint next(own, w, agreed(takeover), deflating(takeover));
  CHECK((peer_inflater().message(joined(frames_of_pieces(next, {prose(1000), "x"}))) == prose(1000) + "x"));
}
