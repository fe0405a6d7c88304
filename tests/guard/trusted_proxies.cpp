#include <fairlead/guard/trusted_proxies.hpp>

#include <handshake/heads.hpp>
#include <support/catch.hpp>

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

using namespace fairlead;

namespace {

peer_address at(std::string_view text) {
  const auto a = parse_address(text);
  REQUIRE(a.has_value());
  return *a;
}

constexpr peer_address local_socket{.bytes = {}, .port = 0, .family = peer_address::kind::local};

/// A proxy at 10.0.0.1, others in its network and on this machine.
trusted_proxies proxies(forwarded_header header = forwarded_header::x_forwarded_for) {
  return trusted_proxies(header).trust("10.0.0.0/8").trust("::1");
}

/// The client behind the proxy, with its port if that is known.
std::string client(const trusted_proxies& trusted, const std::vector<http_field>& fields,
                   std::string_view peer = "10.0.0.1:4711") {
  std::string text = to_string(trusted.client_of(at(peer), false, fields).address);
  return text.ends_with(":0") ? text.substr(0, text.size() - 2) : text;
}

std::string forwarded_for(std::string_view value, std::string_view peer = "10.0.0.1:4711") {
  return client(proxies(), {{"X-Forwarded-For", value}}, peer);
}

std::string forwarded(std::string_view value) {
  return client(proxies(forwarded_header::forwarded), {{"Forwarded", value}});
}

bool secure(const trusted_proxies& trusted, const std::vector<http_field>& fields, bool direct = false) {
  return trusted.client_of(at("10.0.0.1"), direct, fields).secure;
}

}  // namespace

TEST_CASE("H22: by_default_nobody_is_believed") {
  const std::vector<http_field> fields{{"X-Forwarded-For", "192.0.2.1"},
                                       {"Forwarded", "for=192.0.2.1;proto=https"},
                                       {"X-Real-IP", "192.0.2.1"},
                                       {"X-Forwarded-Proto", "https"}};
  for (const auto header :
       {forwarded_header::x_forwarded_for, forwarded_header::forwarded, forwarded_header::x_real_ip}) {
    const trusted_proxies nobody(header);
    for (const std::string_view peer : {"10.0.0.1:4711", "127.0.0.1:1", "[::1]:1"}) {
      CHECK(nobody.client_of(at(peer), false, fields) == client_side{at(peer), false});
      CHECK(nobody.client_of(at(peer), true, fields) == client_side{at(peer), true});
    }
    CHECK(nobody.client_of(local_socket, false, fields) == client_side{local_socket, false});
    CHECK(nobody.client_of({}, false, fields) == client_side{});
  }
}

TEST_CASE("H22: who_is_not_a_trusted_proxy_is_not_believed") {
  CHECK(forwarded_for("192.0.2.1", "203.0.113.5:99") == "203.0.113.5:99");
  CHECK(forwarded_for("192.0.2.1", "11.0.0.1:99") == "11.0.0.1:99");
}

TEST_CASE("H22: the_client_is_the_first_from_the_right_that_is_not_trusted") {
  CHECK(forwarded_for("192.0.2.1") == "192.0.2.1");
  CHECK(forwarded_for("192.0.2.1:50000") == "192.0.2.1:50000");
  CHECK(forwarded_for("[2001:db8::1]:50000") == "[2001:db8::1]:50000");
  CHECK(forwarded_for("2001:db8::1") == "[2001:db8::1]");
  CHECK(forwarded_for("192.0.2.1, 10.0.0.2") == "192.0.2.1");
  CHECK(forwarded_for("192.0.2.1,10.0.0.2,\t::1") == "192.0.2.1");
  // What the client itself sent is to the left of what the proxy knows.
  CHECK(forwarded_for("127.0.0.1, 192.0.2.1") == "192.0.2.1");
  CHECK(forwarded_for("10.0.0.9, 192.0.2.1, 10.0.0.2") == "192.0.2.1");
  CHECK(forwarded_for("198.51.100.7, 192.0.2.1") == "192.0.2.1");
  // A client on a trusted machine.
  CHECK(forwarded_for("10.0.0.9, 10.0.0.2") == "10.0.0.9");
}

TEST_CASE("H22: a_peer_on_a_socket_for_both_families_is_its_ipv4_address") {
  peer_address mapped;
  mapped.family = peer_address::kind::ipv6;
  mapped.bytes[10] = mapped.bytes[11] = std::byte{0xFF};
  mapped.bytes[12] = std::byte{10};
  mapped.bytes[15] = std::byte{1};
  const std::vector<http_field> fields{{"X-Forwarded-For", "::ffff:192.0.2.1"}};
  CHECK(proxies().client_of(mapped, false, fields).address == at("192.0.2.1"));
}

TEST_CASE("H22: junk_ends_the_search_at_the_last_who_could_be_believed") {
  for (const std::string_view junk :
       {"", " ", ",", "unknown", "_hidden", "localhost", "192.0.2.1 192.0.2.2", "192.0.2.1;192.0.2.2",
        "999.1.1.1", "192.0.2.1:99999", "\"192.0.2.1\"", "for=192.0.2.1", "[", "]", "::1%lo", "\xff\xfe"}) {
    CAPTURE(junk);
    CHECK(forwarded_for(junk) == "10.0.0.1:4711");
    const std::string behind = std::string("192.0.2.1, ").append(junk).append(", 10.0.0.2");
    CHECK(forwarded_for(behind) == "10.0.0.2");
    const std::string left = std::string(junk).append(", 192.0.2.1");
    CHECK(forwarded_for(left) == "192.0.2.1");
  }
  const std::string oversized(100'000, '1');
  CHECK(forwarded_for(oversized) == "10.0.0.1:4711");
  const std::string commas(100'000, ',');
  CHECK(forwarded_for(commas) == "10.0.0.1:4711");
}

TEST_CASE("H22: several_fields_are_one_list") {
  CHECK(client(proxies(), {{"X-Forwarded-For", "198.51.100.7"}, {"x-forwarded-FOR", "192.0.2.1"}}) ==
        "192.0.2.1");
  CHECK(client(proxies(), {{"X-Forwarded-For", "198.51.100.7, 192.0.2.1"},
                           {"Host", "a"},
                           {"X-Forwarded-For", "10.0.0.3,10.0.0.2"}}) == "192.0.2.1");
  CHECK(client(proxies(), {{"X-Forwarded-For", "192.0.2.1"}, {"X-Forwarded-For", ""}}) == "10.0.0.1:4711");
}

TEST_CASE("H22: only_so_many_hops_are_looked_at") {
  std::string list = "192.0.2.1";
  for (std::size_t i = 1; i < trusted_proxies::max_hops; ++i) list.append(", 10.0.0.2");
  std::string elements = "for=192.0.2.1";
  for (std::size_t i = 1; i < trusted_proxies::max_hops; ++i) elements.append(", for=10.0.0.2");
  CHECK(forwarded_for(list) == "192.0.2.1");
  CHECK(forwarded(elements) == "192.0.2.1");
  CHECK(forwarded_for(list + ", 10.0.0.2") == "10.0.0.2");
  CHECK(forwarded(elements + ", for=10.0.0.2") == "10.0.0.2");
  const std::vector<http_field> fields(trusted_proxies::max_hops, {"X-Forwarded-For", "10.0.0.3"});
  CHECK(client(proxies(), fields) == "10.0.0.3");
}

TEST_CASE("H22: only_the_chosen_field_is_read") {
  const std::vector<http_field> fields{
      {"X-Forwarded-For", "192.0.2.1"}, {"Forwarded", "for=192.0.2.2"}, {"X-Real-IP", "192.0.2.3"}};
  CHECK(client(proxies(forwarded_header::x_forwarded_for), fields) == "192.0.2.1");
  CHECK(client(proxies(forwarded_header::forwarded), fields) == "192.0.2.2");
  CHECK(client(proxies(forwarded_header::x_real_ip), fields) == "192.0.2.3");
  for (const auto header :
       {forwarded_header::x_forwarded_for, forwarded_header::forwarded, forwarded_header::x_real_ip}) {
    CHECK(client(proxies(header), {{"Host", "a"}}) == "10.0.0.1:4711");
  }
}

TEST_CASE("H22: x_real_ip_is_one_address") {
  const trusted_proxies trusted = proxies(forwarded_header::x_real_ip);
  CHECK(client(trusted, {{"X-Real-IP", "2001:db8::1"}}) == "[2001:db8::1]");
  CHECK(client(trusted, {{"X-Real-IP", "10.0.0.9"}}) == "10.0.0.9");
  CHECK(client(trusted, {{"X-Real-IP", "192.0.2.1, 192.0.2.2"}}) == "10.0.0.1:4711");
  CHECK(client(trusted, {{"X-Real-IP", "192.0.2.1"}, {"X-Real-IP", "192.0.2.1"}}) == "10.0.0.1:4711");
  CHECK(client(trusted, {{"X-Real-IP", ""}}) == "10.0.0.1:4711");
}

// RFC 7239 sections 4, 6 and 7.
TEST_CASE("H22: forwarded_is_read_with_its_quoted_strings") {
  CHECK(forwarded("for=192.0.2.1") == "192.0.2.1");
  CHECK(forwarded("For=192.0.2.1;Proto=http;by=203.0.113.43") == "192.0.2.1");
  CHECK(forwarded("by=203.0.113.43; for=192.0.2.1 ; proto=http") == "192.0.2.1");
  CHECK(forwarded("for=\"192.0.2.1:50000\"") == "192.0.2.1:50000");
  CHECK(forwarded("For=\"[2001:db8:cafe::17]:4711\"") == "[2001:db8:cafe::17]:4711");
  CHECK(forwarded("for=198.51.100.7, for=192.0.2.1, for=10.0.0.2") == "192.0.2.1");
  CHECK(forwarded("for=198.51.100.7,for=192.0.2.1;ext=\"a,b;for=10.0.0.7\",for=\"10.0.0.2:1\"") ==
        "192.0.2.1");
  CHECK(forwarded("for=192.0.2.1;by=\"a\\\"b\"") == "192.0.2.1");
  CHECK(forwarded(";for=192.0.2.1;") == "192.0.2.1");
}

TEST_CASE("H22: what_forwarded_hides_ends_the_search") {
  for (const std::string_view hidden :
       {"for=unknown", "for=_hidden", "for=\"_hidden:_port\"", "for=\"192.0.2.1:_port\"", "by=192.0.2.1", "",
        "proto=https", "for=\"\"", "for=\"1\\92.0.2.1\""}) {
    CAPTURE(hidden);
    CHECK(forwarded(hidden) == "10.0.0.1:4711");
    CHECK(forwarded(std::string("for=192.0.2.1, ").append(hidden).append(", for=10.0.0.2")) == "10.0.0.2");
    CHECK(forwarded(std::string(hidden).append(", for=192.0.2.1")) == "192.0.2.1");
  }
}

TEST_CASE("H22: a_forwarded_field_that_breaks_the_grammar_is_not_believed_at_all") {
  for (const std::string_view broken :
       {"192.0.2.1", "for", "for=", "for=,for=192.0.2.1", "for =192.0.2.1", "for= 192.0.2.1", "=192.0.2.1",
        "for=[2001:db8::1]", "for=192.0.2.1:80", "for=192.0.2.1 proto=http", "for=192.0.2.1;for=192.0.2.2",
        "for=\"\";for=192.0.2.1", "for=192.0.2.1;proto=http;proto=https", "for=\"192.0.2.1",
        "for=192.0.2.1\"", "for=\"192.0.2.1\"x", "for=\"192.0.2.1\\", "for=\"192.0.2.1\\\"",
        "for=192.0.2.1;\"", "\xff=\xff",
        // A quote that the client left open swallows what the proxy appends.
        "for=198.51.100.7;by=\"x, for=192.0.2.1", "for=198.51.100.7;by=\"x, for=\"[2001:db8::1]\""}) {
    CAPTURE(broken);
    CHECK(forwarded(broken) == "10.0.0.1:4711");
  }
  const std::vector<http_field> fields{{"Forwarded", "for=\"198.51.100.7"}, {"Forwarded", "for=10.0.0.2"}};
  CHECK(client(proxies(forwarded_header::forwarded), fields) == "10.0.0.2");
}

TEST_CASE("the_client_is_secure_when_the_one_who_spoke_to_it_says_so") {
  const trusted_proxies list = proxies();
  CHECK(secure(list, {{"X-Forwarded-Proto", "https"}}));
  CHECK(secure(list, {{"x-forwarded-proto", "WSS"}}));
  CHECK(secure(list, {{"X-Forwarded-Proto", "https, https"}}));
  CHECK_FALSE(secure(list, {{"X-Forwarded-Proto", "http"}}, true));
  CHECK_FALSE(secure(list, {{"X-Forwarded-Proto", "https, http"}}));
  CHECK_FALSE(secure(list, {{"X-Forwarded-Proto", "http, https"}}));
  CHECK_FALSE(secure(list, {{"X-Forwarded-Proto", "https"}, {"X-Forwarded-Proto", "http"}}));
  CHECK_FALSE(secure(list, {{"X-Forwarded-Proto", ""}}, true));
  CHECK_FALSE(secure(list, {{"X-Forwarded-Proto", "httpsx"}}));
  CHECK_FALSE(secure(list, {{"Forwarded", "for=192.0.2.1;proto=https"}}));

  const trusted_proxies elements = proxies(forwarded_header::forwarded);
  CHECK(secure(elements, {{"Forwarded", "for=192.0.2.1;proto=https"}}));
  CHECK(secure(elements, {{"Forwarded", "for=192.0.2.1;proto=\"https\", for=10.0.0.2;proto=http"}}));
  CHECK(secure(elements, {{"Forwarded", "for=unknown;proto=https"}}));
  CHECK_FALSE(secure(elements, {{"Forwarded", "for=192.0.2.1;proto=http, for=10.0.0.2;proto=https"}}));
  CHECK_FALSE(secure(elements, {{"Forwarded", "proto=https, for=192.0.2.1;proto=http"}}));
  CHECK_FALSE(secure(elements, {{"X-Forwarded-Proto", "https"}}));
}

TEST_CASE("where_no_proxy_says_the_client_is_as_secure_as_the_peer") {
  for (const auto header :
       {forwarded_header::x_forwarded_for, forwarded_header::forwarded, forwarded_header::x_real_ip}) {
    CHECK(secure(proxies(header), {}, true));
    CHECK_FALSE(secure(proxies(header), {}, false));
  }
}

TEST_CASE("local_sockets_are_trusted_when_that_is_said") {
  const std::vector<http_field> fields{{"X-Forwarded-For", "192.0.2.1"}};
  trusted_proxies trusted = proxies();
  CHECK(trusted.client_of(local_socket, false, fields).address == local_socket);
  trusted.trust_local_sockets();
  CHECK(trusted.client_of(local_socket, false, fields).address == at("192.0.2.1"));
  CHECK_FALSE(trusted.trusts({}));
}

TEST_CASE("a_network_that_is_none_is_refused") {
  CHECK_THROWS_AS(trusted_proxies().trust("10.0.0.1/8"), std::invalid_argument);
  CHECK_THROWS_AS(trusted_proxies().trust("proxy.internal"), std::invalid_argument);
}

TEST_CASE("H22: the_fields_of_a_parsed_request_are_read") {
  const request head = heads::must_parse(heads::with(
      "GET / HTTP/1.1", "Host: a\r\nX-Forwarded-For: 198.51.100.7\r\nX-Forwarded-For:192.0.2.1\r\n"));
  CHECK(proxies().client_of(at("10.0.0.1"), false, head.fields()).address == at("192.0.2.1"));
}
