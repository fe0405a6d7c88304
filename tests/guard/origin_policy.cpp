#include <fairlead/guard/origin_policy.hpp>

#include <handshake/heads.hpp>
#include <support/catch.hpp>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <string_view>

using namespace fairlead;
using enum origin_verdict;

namespace {

request upgrade(std::string_view host, std::string_view lines) {
  return heads::must_parse(
      heads::with("GET /chat HTTP/1.1", std::string("Host: ").append(host).append("\r\n").append(lines)));
}

request from(std::string_view origin, std::string_view host = "good.com") {
  return upgrade(host, std::string("Origin: ").append(origin).append("\r\n"));
}

origin_verdict verdict(const origin_policy& policy, std::string_view origin,
                       std::string_view host = "good.com", bool secure = true) {
  return policy.check(from(origin, host), secure);
}

bool allows(const origin_policy& policy, std::string_view origin) {
  return verdict(policy, origin, "elsewhere.net") == allowed;
}

/// What refuses the entry; empty if it is taken.
std::string refusal_of(std::string_view entry) {
  try {
    origin_policy().allow(entry);
  } catch (const std::invalid_argument& refusal) {
    return refusal.what();
  }
  return {};
}

}  // namespace

TEST_CASE("S01: by_default_only_pages_of_the_same_origin_may_connect") {
  const origin_policy policy;
  CHECK(verdict(policy, "https://good.com") == allowed);
  CHECK(verdict(policy, "https://evil.com") == foreign);
  CHECK(verdict(policy, "http://good.com", "good.com", false) == allowed);
  CHECK(verdict(policy, "http://evil.com", "good.com", false) == foreign);
}

TEST_CASE("S01: who_sends_no_origin_is_no_browser_and_allowed_unless_one_is_demanded") {
  const request head = upgrade("good.com", "");
  CHECK(origin_policy().check(head, true) == allowed);
  CHECK(origin_policy().require_origin().check(head, true) == missing);
  CHECK(origin_policy().require_origin().check(from("https://good.com"), true) == allowed);
  CHECK(origin_policy::allow_any_origin().require_origin().check(head, true) == missing);
}

TEST_CASE("S01: any_origin_is_allowed_only_when_that_is_said") {
  const origin_policy any = origin_policy::allow_any_origin();
  for (const std::string_view origin : {"https://evil.com", "null", "junk", ""})
    CHECK(verdict(any, origin) == allowed);
  CHECK(any.check(upgrade("good.com", ""), false) == allowed);
  CHECK(any.check(upgrade("good.com", "Origin: https://a.com\r\nOrigin: https://b.com\r\n"), false) ==
        several);
}

// The whole table of S02, against https://good.com.
TEST_CASE("S02: an_origin_is_compared_as_a_whole") {
  struct row {
    std::string_view origin;
    origin_verdict expected;
  };
  const std::string too_long = "https://" + std::string(400, 'a') + ".com";
  for (const row& r : {
           row{"https://good.com", allowed},
           row{"null", foreign},
           row{"Null", malformed},
           row{"", malformed},
           row{"https://good.com.evil.com", foreign},
           row{"https://evilgood.com", foreign},
           row{"https://evil.com/good.com", malformed},
           row{"https://good.co", foreign},
           row{"https://www.good.com", foreign},
           row{"http://good.com", foreign},
           row{"wss://good.com", foreign},
           row{"ws://good.com", foreign},
           row{"http://good.com:443", foreign},
           row{"https://good.com:80", foreign},
           row{"https://good.com:8443", foreign},
           row{"https://good.com:443", allowed},
           row{"https://good.com:0443", allowed},
           row{"https://GOOD.com", allowed},
           row{"HTTPS://good.COM", allowed},
           row{"https://good.com.", allowed},
           row{"https://good.com.:443", allowed},
           row{"https://good.com..", malformed},
           row{"https://good..com", malformed},
           row{"https://.", malformed},
           row{"https://.good.com", malformed},
           row{"https://good.com/", malformed},
           row{"https://good.com/chat", malformed},
           row{"https://good.com?", malformed},
           row{"https://good.com#", malformed},
           row{"https://user@good.com", malformed},
           row{"https://good.com@evil.com", malformed},
           row{"https://good.com:443@evil.com", malformed},
           row{"https://good.com:", malformed},
           row{"https://good.com:0", malformed},
           row{"https://good.com:65536", malformed},
           row{"https://good.com:443x", malformed},
           row{"https://good.com:-443", malformed},
           row{"https://good.com evil.com", malformed},
           row{"https://good.com, https://good.com", malformed},
           row{"https://good.com https://good.com", malformed},
           row{"https://good%2ecom", malformed},
           row{"https://good.com\\", malformed},
           row{"https://good\xE3\x80\x82"
               "com",
               malformed},
           row{"https://g\xC3\xB6od.com", malformed},
           row{"https://xn--god-sna.com", foreign},
           row{"https://*.com", malformed},
           row{"*", malformed},
           row{"good.com", malformed},
           row{"//good.com", malformed},
           row{"://good.com", malformed},
           row{"https:good.com", malformed},
           row{"https:/good.com", malformed},
           row{"https:///good.com", malformed},
           row{"https://", malformed},
           row{"https", malformed},
           row{"1https://good.com", malformed},
           row{"ht tps://good.com", malformed},
           row{"file://", malformed},
           row{"chrome-extension://good.com", foreign},
           row{too_long, malformed},
       }) {
    CAPTURE(r.origin);
    CHECK(static_cast<int>(verdict(origin_policy(), r.origin)) == static_cast<int>(r.expected));
  }
}

TEST_CASE("S02: two_origin_fields_are_refused_even_when_they_agree") {
  const origin_policy policy = origin_policy().allow("https://good.com");
  CHECK(policy.check(upgrade("good.com", "Origin: https://good.com\r\norigin: https://good.com\r\n"), true) ==
        several);
  CHECK(policy.check(upgrade("good.com", "Origin: https://good.com\r\nOrigin: https://evil.com\r\n"), true) ==
        several);
}

TEST_CASE("S02: the_host_field_is_read_like_the_origin") {
  const origin_policy policy;
  for (const std::string_view host : {"good.com", "GOOD.com", "good.com.", "good.com:443", "Good.Com.:443"}) {
    CAPTURE(host);
    CHECK(verdict(policy, "https://good.com", host) == allowed);
    CHECK(verdict(policy, "https://good.com:8443", host) == foreign);
    CHECK(verdict(policy, "https://evil.com", host) == foreign);
  }
  CHECK(verdict(policy, "http://good.com:8000", "good.com:8000", false) == allowed);
  CHECK(verdict(policy, "http://good.com", "good.com:8000", false) == foreign);
  CHECK(verdict(policy, "http://good.com:8000", "good.com:8001", false) == foreign);
  CHECK(verdict(policy, "http://good.com", "good.com:443", false) == foreign);
  CHECK(verdict(policy, "https://good.com", "good.com", false) == foreign);
  CHECK(verdict(policy, "http://127.0.0.1:9001", "127.0.0.1:9001", false) == allowed);
  CHECK(verdict(policy, "http://localhost:9001", "127.0.0.1:9001", false) == foreign);
  CHECK(verdict(policy, "http://good.com", "good.com:0", false) == foreign);
  // A host with an empty label is no page's.
  for (const std::string_view host : {"good.com..", ".good.com", "good..com", "."}) {
    CAPTURE(host);
    CHECK(verdict(policy, "https://good.com", host) == foreign);
    CHECK(verdict(policy, std::string("https://").append(host), host) == malformed);
  }
}

TEST_CASE("S02: ipv6_hosts_are_equal_however_they_are_written") {
  const origin_policy policy;
  CHECK(verdict(policy, "http://[::1]:9001", "[::1]:9001", false) == allowed);
  CHECK(verdict(policy, "http://[0:0::1]", "[::1]", false) == allowed);
  CHECK(verdict(policy, "http://[2001:DB8::1]", "[2001:db8::1]:80", false) == allowed);
  CHECK(verdict(policy, "http://[::ffff:127.0.0.1]", "[::ffff:7f00:1]", false) == allowed);
  CHECK(verdict(policy, "http://[::2]", "[::1]", false) == foreign);
  CHECK(verdict(policy, "http://[::ffff:127.0.0.1]", "127.0.0.1", false) == foreign);
  CHECK(verdict(policy, "http://::1", "[::1]", false) == malformed);
  CHECK(verdict(policy, "http://[::1", "[::1]", false) == malformed);
  CHECK(verdict(policy, "http://[::1].", "[::1]", false) == malformed);
}

TEST_CASE("S02: listed_origins_are_allowed_and_those_beside_them_are_not") {
  const origin_policy policy = origin_policy()
                                   .allow("https://App.example.com.")
                                   .allow("http://localhost:3000")
                                   .allow("https://example.org:443");
  CHECK(allows(policy, "https://app.example.com"));
  CHECK(allows(policy, "https://app.example.com:443"));
  CHECK(allows(policy, "http://localhost:3000"));
  CHECK(allows(policy, "https://example.org"));
  CHECK(verdict(policy, "https://good.com") == allowed);
  for (const std::string_view origin :
       {"http://app.example.com", "https://app.example.com:8443", "https://example.com",
        "https://a.app.example.com", "http://localhost", "http://localhost:3001", "https://localhost:3000",
        "null", "https://app.example.com.evil.com"}) {
    CAPTURE(origin);
    CHECK_FALSE(allows(policy, origin));
  }
}

TEST_CASE("S02: the_same_host_listed_with_two_schemes_is_allowed_with_both") {
  const origin_policy policy = origin_policy().allow("https://a.com").allow("http://a.com");
  CHECK(allows(policy, "https://a.com"));
  CHECK(allows(policy, "http://a.com"));
  CHECK_FALSE(allows(policy, "http://a.com:443"));
}

TEST_CASE("S02: a_star_is_exactly_one_label") {
  const origin_policy policy =
      origin_policy().allow("https://*.example.com").allow("http://*.localhost:3000");
  CHECK(allows(policy, "https://a.example.com"));
  CHECK(allows(policy, "https://XN--A-b.EXAMPLE.com.:443"));
  CHECK(allows(policy, "http://a.localhost:3000"));
  for (const std::string_view origin :
       {"https://example.com", "https://a.b.example.com", "https://.example.com", "https://..example.com",
        "https://aexample.com", "https://a.example.com.evil.com", "http://a.example.com",
        "https://a.example.com:8443", "http://a.localhost", "https://*.example.com", "https://evil.com"}) {
    CAPTURE(origin);
    CHECK_FALSE(allows(policy, origin));
  }
}

TEST_CASE("S02: null_is_allowed_only_by_its_name") {
  CHECK(allows(origin_policy().allow("null"), "null"));
  CHECK_FALSE(allows(origin_policy().allow("null"), "https://evil.com"));
  CHECK_FALSE(allows(origin_policy().allow("https://null"), "null"));
}

TEST_CASE("S02: an_entry_that_is_no_origin_is_refused_and_named") {
  for (const std::string_view entry : {"",
                                       "*",
                                       "https://*",
                                       "https://*.",
                                       "example.com",
                                       "https://example.com/",
                                       "https://example.com/path",
                                       "https://user@example.com",
                                       "https://example.com:0",
                                       "https://example.com:x",
                                       "https://example.com:",
                                       "https://a.*.example.com",
                                       "https://a*.example.com",
                                       "https://*example.com",
                                       "https://*.*.example.com",
                                       "*://example.com",
                                       "https://*.127.0.0.1",
                                       "https://*.0.0.1",
                                       "https://*.[::1]",
                                       "https://*.example.com/",
                                       "https://b\xC3\xBC"
                                       "cher.de",
                                       "NULL",
                                       "https://",
                                       "https:// example.com",
                                       "https://a..b",
                                       "https://.example.com",
                                       "https://example.com..",
                                       "https://a.com,https://b.com"}) {
    CAPTURE(entry);
    CHECK(refusal_of(entry).find(std::string("'").append(entry).append("'")) != std::string::npos);
  }
  CHECK(refusal_of("https://example.com").empty());
}

TEST_CASE("S02: the_policy_of_one_route_says_nothing_of_another") {
  const origin_policy shared = origin_policy().allow("https://a.com");
  origin_policy copy = shared;
  copy.allow("https://b.com");
  CHECK(allows(copy, "https://b.com"));
  CHECK_FALSE(allows(shared, "https://b.com"));
}

TEST_CASE("a_name_that_was_pointed_at_this_server_is_refused_when_only_listed_ones_are_allowed") {
  const origin_policy policy = origin_policy().allow("http://localhost:3000").listed_only();
  CHECK(verdict(policy, "http://rebound.evil.com:3000", "rebound.evil.com:3000", false) == foreign);
  CHECK(verdict(policy, "http://localhost:3000", "localhost:3000", false) == allowed);
  CHECK(policy.check(upgrade("localhost:3000", ""), false) == allowed);
}

TEST_CASE("an_empty_request_is_refused_or_allowed_without_harm") {
  CHECK(origin_policy().check(request(), true) == allowed);
  CHECK(origin_policy().require_origin().check(request(), true) == missing);
  CHECK_FALSE(origin_policy::explain(foreign, request(), true).empty());
}

TEST_CASE("a_refusal_says_why") {
  CHECK(origin_policy::explain(foreign, from("https://X.evil.com:443", "Good.com:8000"), false) ==
        "The page's origin 'https://x.evil.com' is not that of this server, 'http://good.com:8000', and not "
        "one that it "
        "allows.");
  CHECK(
      origin_policy::explain(foreign, from("null"), true) ==
      "The page's origin 'null' is not that of this server, 'https://good.com', and not one that it allows.");
  CHECK(origin_policy::explain(allowed, from("null"), true).empty());
  for (const origin_verdict v : {missing, several, malformed}) {
    CHECK_FALSE(origin_policy::explain(v, from("https://evil.com"), true).empty());
  }
}

TEST_CASE("a_refusal_repeats_nothing_that_could_do_harm") {
  const std::string host(300, 'h');
  for (const std::string& origin :
       {std::string("https://<script>alert(1)</script>"), std::string("https://a'b"),
        "https://" + std::string(312, 'a'), std::string("\xff\xfe"), "https://" + std::string(5000, 'a')}) {
    const request head = from(origin, host);
    const origin_verdict v = origin_policy().check(head, true);
    REQUIRE(v != allowed);
    const std::string text = origin_policy::explain(v, head, true);
    CAPTURE(text);
    CHECK(text.size() < 1024);
    CHECK(text.find_first_of("<>&\"\\\r\n") == std::string::npos);
    CHECK(std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; }));
    CHECK((v == malformed) == (text.find(origin) == std::string::npos));
  }
}
