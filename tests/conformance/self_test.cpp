// Tests of the tester: a peer that is right passes, and each that is wrong is caught.

#include "chapters/chapters.hpp"
#include "expected.hpp"
#include "simple_peer.hpp"
#include "tester.hpp"

#include <support/catch.hpp>

#include <map>
#include <ostream>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace conformance {

static std::ostream& operator<<(std::ostream& out, side s) {
  return out << (s == side::server ? "server" : "client");
}
static std::ostream& operator<<(std::ostream& out, verdict v) { return out << name_of(v); }

}  // namespace conformance

namespace {

using namespace conformance;

const suite& cases() {
  static const suite s = whole_suite();
  return s;
}

const test_case& case_of(std::string_view id) {
  for (const test_case& c : cases().cases()) {
    if (c.id == id) return c;
  }
  throw std::out_of_range("there is no case " + std::string(id));
}

result run(std::string_view id, side role, flaw f) {
  return run_case(case_of(id), simple_peer(role, f), delivery::whole);
}

TEST_CASE("the suite has the 517 cases of the published list, each once") {
  std::map<std::string, int> counts;
  std::set<std::string> ids;
  for (const test_case& c : cases().cases()) {
    ++counts[chapter_of(c.id)];
    ids.insert(c.id);
    CHECK(!c.outcomes.empty());
  }
  CHECK(ids.size() == 517);
  CHECK(counts == std::map<std::string, int>{{"1", 16},
                                             {"2", 11},
                                             {"3", 7},
                                             {"4", 10},
                                             {"5", 20},
                                             {"6", 145},
                                             {"7", 37},
                                             {"9", 54},
                                             {"10", 1},
                                             {"12", 90},
                                             {"13", 126}});
}

TEST_CASE("a simple peer passes, but for text that it judges only as a whole") {
  const side role = GENERATE(side::server, side::client);
  const effort little{.compression_volume = 1};
  for (const test_case& c : cases().cases()) {
    const result r = run_case(c, simple_peer(role, flaw::none), delivery::whole, little);
    const verdict wanted = c.is_informational       ? verdict::informational
                           : matches("6.4.*", c.id) ? verdict::non_strict
                                                    : verdict::ok;
    INFO(role << ", case " << c.id << ": " << r.reason);
    CHECK(r.v == wanted);
  }
}

TEST_CASE("a simple peer passes byte by byte too") {
  const side role = GENERATE(side::server, side::client);
  for (const std::string_view id :
       {"1.1.8", "2.10", "5.19", "7.1.1", "7.7.1", "10.1.1", "12.1.3", "13.5.11"}) {
    const result r =
        run_case(case_of(id), simple_peer(role, flaw::none), delivery::bytewise, {.compression_volume = 1});
    INFO(role << ", case " << id << ": " << r.reason);
    CHECK(r.v == verdict::ok);
  }
}

TEST_CASE("each flaw is caught") {
  struct example {
    flaw f;
    std::string_view id;
    std::string_view reason;
  };
  const std::vector<example> examples{
      {flaw::wrong_close_code, "3.1", "the close code is 1011"},
      {flaw::wrong_close_code, "6.3.1", "the close code is 1011"},
      {flaw::wrong_close_code, "7.9.1", "the close code is 1011"},
      {flaw::accepts_any_text, "6.3.1", "its text is not UTF-8"},
      {flaw::accepts_any_text, "6.4.1", "its text is not UTF-8"},
      {flaw::accepts_any_close_code, "7.9.3", "its close code may not be sent"},
      {flaw::no_pong, "2.1", "what arrived is not what was expected"},
      {flaw::late_pong, "5.6", "what arrived is not what was expected"},
      {flaw::accepts_reserved_bits, "3.1", "the peer did not fail the connection"},
      {flaw::echoes_as_binary, "1.1.2", "what arrived is not what was expected"},
      {flaw::echoes_as_binary, "9.7.2", "message 1 of 1000 did not come back"},
      {flaw::drops_last_byte, "1.2.7", "what arrived is not what was expected"},
      {flaw::drops_last_byte, "9.2.6", "what arrived is not what was expected"},
      {flaw::no_close_frame, "7.3.3", "the peer sent no close frame"},
      {flaw::talks_after_close, "7.3.3", "it sent a frame behind its close frame"},
      {flaw::keeps_the_context, "13.2.3", "a message cannot be inflated with what was agreed"},
      {flaw::exceeds_the_window, "13.3.9", "a message cannot be inflated with what was agreed"},
  };
  const side role = GENERATE(side::server, side::client);
  for (const example& e : examples) {
    INFO(role << ", case " << e.id);
    const result r = run(e.id, role, e.f);
    CHECK(r.v == verdict::failed);
    CHECK(r.reason == e.reason);
  }
}

TEST_CASE("an informational case is one whatever the peer does") {
  const side role = GENERATE(side::server, side::client);
  CHECK(run("7.13.1", role, flaw::accepts_any_close_code).v == verdict::informational);
  CHECK(run("7.13.1", role, flaw::no_close_frame).v == verdict::informational);
  CHECK(run("7.1.6", role, flaw::echoes_as_binary).v == verdict::informational);
}

TEST_CASE("a client that does not mask is caught, and a server that does") {
  CHECK(run("1.1.1", side::client, flaw::masks_wrongly).reason == "a client's frame is not masked");
  CHECK(run("1.1.1", side::server, flaw::masks_wrongly).reason == "a server's frame is masked");
}

TEST_CASE("a peer that keeps the link is caught") {
  CHECK(run("1.1.1", side::client, flaw::keeps_the_link).reason == "the peer keeps the connection");
  CHECK(run("1.1.1", side::server, flaw::keeps_the_link).reason ==
        "the server left it to the client to end the link");
}

TEST_CASE("the last line that matches says what is expected") {
  const auto e = expectations::parse("* both OK\n7.1.* server FAILED  # why\n\n7.1.6 both INFORMATIONAL\n");
  CHECK(e.of("1.1.1", side::server) == verdict::ok);
  CHECK(e.of("7.1.5", side::server) == verdict::failed);
  CHECK(e.of("7.1.5", side::client) == verdict::ok);
  CHECK(e.of("7.1.6", side::server) == verdict::informational);
  CHECK_THROWS_WITH(expectations::parse("* both OK\n1.1 nobody OK"),
                    "line 2: 'nobody' is neither server, client nor both");
  CHECK_THROWS_WITH(expectations::parse("* both FINE"), "line 1: 'FINE' is no verdict");
  CHECK_THROWS_WITH(expectations::parse("* both"), "line 1: a line is a pattern, a role and a verdict");
  CHECK_THROWS(expectations::parse("").of("1.1.1", side::server));
}

TEST_CASE("the tester's UTF-8 knows the borders") {
  CHECK(is_utf8("\xf4\x8f\xbf\xbf"));
  CHECK(!is_utf8("\xf4\x90\x80\x80"));
  CHECK(is_utf8("\xed\x9f\xbf"));
  CHECK(!is_utf8("\xed\xa0\x80"));
  CHECK(!is_utf8("\xc1\xbf"));
  CHECK(!is_utf8("\xe2\x82"));
}

TEST_CASE("frames are read as they were written, however they arrive") {
  std::string bytes;
  append_frame(bytes, text(content("ab", 70'000)).with_rsv(4).unfinished(), mask_bytes{1, 2, 3, 4});
  append_frame(bytes, close_with(1000, "bye"), std::nullopt);
  frame_reader reader;
  std::vector<received_frame> frames;
  for (const char byte : bytes) {
    reader.feed({&byte, 1});
    while (auto f = reader.next()) frames.push_back(std::move(*f));
  }
  REQUIRE(frames.size() == 2);
  CHECK(content("ab", 70'000) == frames[0].payload);
  CHECK(describe(frames[0].opcode, frames[0].fin, frames[0].rsv, "") == "text, 0 bytes, no FIN, RSV 4");
  CHECK(frames[0].masked);
  CHECK(describe(frames[1].opcode, frames[1].fin, frames[1].rsv, frames[1].payload) ==
        "close 1000, 5 bytes: \"bye\"");
  CHECK(reader.empty());
}

}  // namespace
