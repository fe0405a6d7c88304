#include <fairlead/handshake/head_limits.hpp>

#include <handshake/heads.hpp>
#include <handshake/heap.hpp>
#include <handshake/least_seconds.hpp>
#include <support/catch.hpp>

#include <algorithm>
#include <limits>
#include <span>
#include <string>

using namespace fairlead;

// What a head may cost: bytes, memory, time. Most is said of requests: what reads responses is the same
// detail::head_reader. DESIGN section 6; TRUST H01-H03.

namespace {

/// A head of exactly `size` bytes in lines of at most 100.
std::string head_of_size(std::size_t size) {
  std::string head = "GET / HTTP/1.1\r\nHost: a\r\n";
  while (head.size() + 2 < size) {
    const std::size_t left = size - 2 - head.size();
    const std::size_t line = left < 110 ? left : 100;
    REQUIRE(line >= 5);
    head += "X: " + std::string(line - 5, 'x') + "\r\n";
  }
  return head + "\r\n";
}

constexpr head_limits no_limits{std::numeric_limits<std::size_t>::max(),
                                std::numeric_limits<std::size_t>::max(),
                                std::numeric_limits<std::size_t>::max()};

}  // namespace

// H01, DESIGN section 6: 16 KiB, 8 KiB a line, 100 fields.
TEST_CASE("default_limits_are_those_of_the_design") {
  const head_limits limits;
  CHECK(limits.max_head_size == 16384);
  CHECK(limits.max_line_size == 8192);
  CHECK(limits.max_fields == 100);
}

TEST_CASE("a_head_may_have_its_limit_and_not_one_byte_more") {
  head_limits limits = no_limits;
  limits.max_head_size = 500;
  for (const std::size_t size : {499U, 500U}) {
    CHECK(heads::parse_whole(head_of_size(size), limits).result.state == parse_state::done);
  }
  const std::string over = head_of_size(501);
  CHECK(heads::parse_whole(over, limits).result ==
        parse_result{parse_state::failed, errc::head_too_large, 501});
  CHECK(heads::parse_in_pieces(over, 1, 1, limits) == heads::parse_whole(over, limits));
  CHECK(heads::parse_whole("\r\n" + head_of_size(500), limits).result.consumed == 502);
}

TEST_CASE("a_line_may_have_its_limit_and_not_one_byte_more") {
  head_limits limits = no_limits;
  limits.max_line_size = 100;
  const auto with_target = [&](std::size_t size) {
    return heads::parse_whole(heads::with("GET /" + std::string(size - 14, 'a') + " HTTP/1.1"), limits)
        .result;
  };
  const auto with_field = [&](std::size_t size) {
    const std::string line = "X: " + std::string(size - 3, 'a');
    return heads::parse_whole(heads::with("GET / HTTP/1.1", "Host: a\r\n" + line + "\r\n"), limits).result;
  };
  for (const std::size_t size : {99U, 100U}) {
    CHECK(with_target(size).state == parse_state::done);
    CHECK(with_field(size).state == parse_state::done);
  }
  CHECK(with_target(101) == parse_result{parse_state::failed, errc::head_too_large, 101});
  CHECK(with_field(101).error == errc::head_too_large);
}

TEST_CASE("fields_may_have_their_limit_and_not_one_more") {
  head_limits limits = no_limits;
  limits.max_fields = 3;
  const auto with_fields = [&](int count) {
    std::string lines = "Host: a\r\n";
    for (int i = 1; i < count; ++i) lines += "X: y\r\n";
    return heads::parse_whole(heads::with("GET / HTTP/1.1", lines), limits).result;
  };
  CHECK(with_fields(2).state == parse_state::done);
  CHECK(with_fields(3).state == parse_state::done);
  CHECK(with_fields(4).error == errc::head_too_large);
}

// H01: the request line, then fields for ever.
TEST_CASE("an_endless_head_is_refused_at_its_limit") {
  std::string fields = "GET / HTTP/1.1\r\n";
  std::string one_line = fields + "X: ";
  while (fields.size() < 100'000) fields += "X: y\r\n";
  one_line.append(100'000, 'y');
  const head_limits limits;
  for (const std::string& input : {fields, one_line, std::string(100'000, 'G')}) {
    const heads::outcome whole = heads::parse_whole(input);
    CHECK(whole.result.error == errc::head_too_large);
    CHECK(whole.result.consumed <= limits.max_head_size + 1);
    CHECK(heads::parse_in_pieces(input, 7, 1000) == whole);
  }
}

// H03: with so many fields that those of the upgrade could be among the dropped.
TEST_CASE("two_thousand_fields_are_refused_wherever_the_important_ones_are") {
  const std::string important = heads::upgrade.substr(heads::upgrade.find("\r\n") + 2);
  const std::string core = important.substr(0, important.size() - 2);
  std::string half;
  for (int i = 0; i < 1000; ++i) half += "X: y\r\n";
  for (const std::string& lines : {core + half + half, half + core + half, half + half + core}) {
    CHECK(heads::parse_whole(heads::with("GET / HTTP/1.1", lines)).result.error == errc::head_too_large);
  }
}

// H01: what a peer can make us hold, whatever the pieces; nothing at all before its first byte and after its
// fault.
TEST_CASE("an_unfinished_head_holds_no_more_than_its_limit") {
  const head_limits limits;
  std::string endless = "GET / HTTP/1.1\r\n";
  while (endless.size() < 2 * limits.max_head_size) endless += "X: " + std::string(1000, 'y') + "\r\n";
  for (const std::size_t size : {std::size_t{1}, std::size_t{700}, endless.size()}) {
    const std::size_t before = heap::held();
    parse_state state = parse_state::need_more;
    request_parser parser;
    const std::size_t at_first = heap::held();
    std::size_t most = before;
    for (std::size_t at = 0; state == parse_state::need_more; at += size) {
      const std::string_view piece = std::string_view(endless).substr(at, size);
      state = parser.feed(std::as_bytes(std::span(piece))).state;
      most = std::max(most, heap::held());
    }
    const std::size_t at_last = heap::held();
    CHECK(state == parse_state::failed);
    CHECK(at_first == before);
    CHECK(most - before <= limits.max_head_size + 4096);
    CHECK(at_last == before);
  }
}

TEST_CASE("an_idle_request_holds_little_more_than_its_head") {
  const std::size_t before = heap::held();
  request_parser parser;
  parser.feed(std::as_bytes(std::span(heads::upgrade)));
  const request head = parser.take();
  const std::size_t held = heap::held() - before;
  CHECK(held <= heads::upgrade.size() + head.fields().size() * sizeof(http_field) + 256);
}

// H02: growing by a constant would copy the head again and again.
TEST_CASE("a_head_in_single_bytes_allocates_in_proportion_to_its_size") {
  const std::string head = head_of_size(16 * 1024);
  head_limits limits = no_limits;
  limits.max_head_size = head.size();
  const std::size_t before = heap::allocated();
  request_parser parser(limits);
  for (const char& c : head) parser.feed(std::as_bytes(std::span(&c, 1)));
  const request parsed = parser.take();
  const std::size_t allocated = heap::allocated() - before;
  CHECK(allocated <= 4 * head.size() + parsed.fields().size() * sizeof(http_field));
}

// H02: quadratic work would cost thousands of times as much.
TEST_CASE("a_head_in_single_bytes_costs_about_what_it_costs_whole") {
  const std::string head = head_of_size(16 * 1024);
  const auto parse = [&](std::size_t size) {
    request_parser parser(no_limits);
    for (std::size_t at = 0; at < head.size(); at += size) {
      const std::string_view piece = std::string_view(head).substr(at, size);
      parser.feed(std::as_bytes(std::span(piece)));
    }
    REQUIRE(parser.take().fields().size() > 100);
  };
  const double whole = least_seconds([&] { parse(head.size()); });
  const double bytewise = least_seconds([&] { parse(1); });
  CHECK(bytewise <= 50 * whole);
}

TEST_CASE("a_response_may_have_each_limit_and_not_one_more") {
  const auto error_of = [](const std::string& head, const head_limits& limits) {
    const heads::outcome whole = heads::parse_whole<response_parser>(head, limits);
    CHECK(heads::parse_in_pieces<response_parser>(head, 1, 1, limits) == whole);
    return whole.result.error;
  };
  const std::string head =
      heads::with("HTTP/1.1 403 Forbidden", "A: b\r\nLonger: " + std::string(50, 'c') + "\r\n");
  for (const std::size_t less : {std::size_t{0}, std::size_t{1}}) {
    const errc expected = less == 0 ? errc::ok : errc::head_too_large;
    head_limits limits = no_limits;
    limits.max_head_size = head.size() - less;
    CHECK(error_of(head, limits) == expected);
    limits = no_limits;
    limits.max_line_size = 58 - less;
    CHECK(error_of(head, limits) == expected);
    limits = no_limits;
    limits.max_fields = 2 - less;
    CHECK(error_of(head, limits) == expected);
  }
}

// What is skipped counts by itself, or a server's hints could eat up the room of its answer.
TEST_CASE("limits_hold_for_each_head_of_an_interim_response") {
  const std::string hints = heads::with("HTTP/1.1 103 Early Hints", "X: y\r\nX: y\r\n");
  head_limits limits = no_limits;
  limits.max_head_size = std::max(hints.size(), heads::upgraded.size());
  limits.max_fields = 3;
  CHECK(heads::parse_whole<response_parser>(hints + hints + heads::upgraded, limits).result.state ==
        parse_state::done);
  limits.max_fields = 1;
  CHECK(heads::parse_whole<response_parser>(hints, limits).result.error == errc::head_too_large);
}

// H03: a 101 with 2000 fields.
TEST_CASE("a_response_with_two_thousand_fields_is_refused_wherever_the_important_ones_are") {
  const std::string important = heads::upgraded.substr(heads::upgraded.find("\r\n") + 2);
  const std::string core = important.substr(0, important.size() - 2);
  std::string half;
  for (int i = 0; i < 1000; ++i) half += "X: y\r\n";
  for (const std::string& lines : {core + half + half, half + core + half, half + half + core}) {
    const std::string head = heads::with("HTTP/1.1 101 Switching Protocols", lines);
    CHECK(heads::parse_whole<response_parser>(head).result.error == errc::head_too_large);
  }
}

// H01, as the client: an endless head, and interim responses without end.
TEST_CASE("an_unfinished_response_holds_no_more_than_its_limit") {
  const head_limits limits;
  std::string fields = "HTTP/1.1 101 Switching Protocols\r\n";
  while (fields.size() < 2 * limits.max_head_size) fields += "X: " + std::string(1000, 'y') + "\r\n";
  std::string hints;
  while (hints.size() < 8 * limits.max_head_size) {
    hints += heads::with("HTTP/1.1 103 Early Hints", "X: " + std::string(8000, 'y') + "\r\n");
  }
  for (const std::string& endless : {fields, hints}) {
    const std::size_t before = heap::held();
    parse_state state = parse_state::need_more;
    response_parser parser;
    std::size_t most = heap::held();
    CHECK(most == before);
    for (std::size_t at = 0; state == parse_state::need_more; at += 700) {
      const std::string_view piece = std::string_view(endless).substr(at, 700);
      state = parser.feed(std::as_bytes(std::span(piece))).state;
      most = std::max(most, heap::held());
    }
    const std::size_t at_last = heap::held();
    CHECK(state == parse_state::failed);
    CHECK(most - before <= limits.max_head_size + 4096);
    CHECK(at_last == before);
  }
}
