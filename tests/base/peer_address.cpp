#include <fairlead/peer_address.hpp>

#include <support/catch.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

using namespace fairlead;

namespace {

using kind = peer_address::kind;

peer_address address(kind family, std::initializer_list<unsigned> bytes, std::uint16_t port) {
  peer_address a;
  std::ranges::transform(bytes, a.bytes.begin(), [](unsigned b) { return static_cast<std::byte>(b); });
  a.port = port;
  a.family = family;
  return a;
}

/// Reads a copy of exactly its size, so that a sanitizer sees one byte too many.
std::optional<peer_address> parsed(std::string_view text) {
  const auto exact = std::make_unique<char[]>(text.size());
  std::ranges::copy(text, exact.get());
  return parse_address({exact.get(), text.size()});
}

}  // namespace

TEST_CASE("an_address_that_no_transport_tells_is_unknown") {
  CHECK(to_string(peer_address()) == "unknown");
  CHECK(to_string(address(kind::unknown, {192, 0, 2, 1}, 4711)) == "unknown");
}

TEST_CASE("a_local_socket_is_local") { CHECK(to_string(address(kind::local, {}, 0)) == "local"); }

TEST_CASE("an_ipv4_address_is_written_with_its_port") {
  CHECK(to_string(address(kind::ipv4, {192, 0, 2, 1}, 4711)) == "192.0.2.1:4711");
  CHECK(to_string(address(kind::ipv4, {0, 0, 0, 0}, 0)) == "0.0.0.0:0");
  CHECK(to_string(address(kind::ipv4, {255, 255, 255, 255}, 65535)) == "255.255.255.255:65535");
}

// RFC 5952 section 4 for the address, section 6 for the brackets.
TEST_CASE("an_ipv6_address_is_written_in_brackets_with_its_port") {
  CHECK(to_string(address(kind::ipv6, {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 4711)) ==
        "[2001:db8::1]:4711");
  CHECK(to_string(address(kind::ipv6, {}, 0)) == "[::]:0");
  CHECK(to_string(address(kind::ipv6, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1}, 80)) ==
        "[::ffff:192.0.2.1]:80");
  CHECK(to_string(address(
            kind::ipv6,
            {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
            65535)) == "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");
}

TEST_CASE("addresses_are_equal_when_all_of_them_is") {
  const peer_address a = address(kind::ipv4, {192, 0, 2, 1}, 4711);
  CHECK(a == address(kind::ipv4, {192, 0, 2, 1}, 4711));
  CHECK(a != address(kind::ipv4, {192, 0, 2, 1}, 4712));
  CHECK(a != address(kind::ipv4, {192, 0, 2, 2}, 4711));
  CHECK(a != address(kind::ipv6, {192, 0, 2, 1}, 4711));
}

TEST_CASE("addresses_are_read_in_the_forms_of_proxies") {
  const peer_address v4 = address(kind::ipv4, {192, 0, 2, 1}, 0);
  const peer_address v6 =
      address(kind::ipv6, {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 0);
  const auto with_port = [](peer_address a, std::uint16_t port) {
    a.port = port;
    return a;
  };
  CHECK(parsed("192.0.2.1") == v4);
  CHECK(parsed("192.0.2.1:4711") == with_port(v4, 4711));
  CHECK(parsed("2001:db8::1") == v6);
  CHECK(parsed("2001:DB8:0:0:0:0:0:1") == v6);
  CHECK(parsed("[2001:db8::1]") == v6);
  CHECK(parsed("[2001:db8::1]:4711") == with_port(v6, 4711));
  CHECK(parsed("[2001:db8::1]:0") == v6);
  CHECK(parsed("[2001:db8::1]:65535") == with_port(v6, 65535));
  CHECK(parsed("::") == address(kind::ipv6, {}, 0));
  CHECK(parsed("0.0.0.0") == address(kind::ipv4, {}, 0));
  CHECK(parsed("255.255.255.255") == address(kind::ipv4, {255, 255, 255, 255}, 0));
}

TEST_CASE("what_is_written_is_read_again") {
  for (const std::string_view text : {"192.0.2.1:4711", "[2001:db8::1]:4711", "[::]:0", "0.0.0.0:0",
                                      "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"}) {
    const auto a = parsed(text);
    REQUIRE(a.has_value());
    CHECK(to_string(*a) == text);
  }
}

TEST_CASE("an_ipv4_address_inside_ipv6_is_read_as_the_ipv4_address") {
  CHECK(parsed("::ffff:192.0.2.1") == address(kind::ipv4, {192, 0, 2, 1}, 0));
  CHECK(parsed("::ffff:c000:201") == address(kind::ipv4, {192, 0, 2, 1}, 0));
  CHECK(parsed("[::ffff:192.0.2.1]:80") == address(kind::ipv4, {192, 0, 2, 1}, 80));
  // Neither of these is one.
  CHECK(parsed("::192.0.2.1")->family == kind::ipv6);
  CHECK(parsed("::fffe:192.0.2.1")->family == kind::ipv6);
  CHECK(parsed("1::ffff:192.0.2.1")->family == kind::ipv6);
}

TEST_CASE("unmapped_changes_no_other_address") {
  const peer_address mapped =
      address(kind::ipv6, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1}, 80);
  CHECK(unmapped(mapped) == address(kind::ipv4, {192, 0, 2, 1}, 80));
  for (const kind family : {kind::unknown, kind::local, kind::ipv4}) {
    peer_address same = mapped;
    same.family = family;
    CHECK(unmapped(same) == same);
  }
  CHECK(unmapped(address(kind::ipv6, {}, 80)) == address(kind::ipv6, {}, 80));
}

TEST_CASE("H22: what_is_not_exactly_an_address_is_none") {
  const std::string long_text(100'000, '1');
  for (const std::string_view text : {std::string_view(),
                                      std::string_view(" "),
                                      std::string_view("unknown"),
                                      std::string_view("localhost"),
                                      std::string_view("192.0.2"),
                                      std::string_view("192.0.2.1.5"),
                                      std::string_view("192.0.2.256"),
                                      std::string_view("192.0.2.01"),
                                      std::string_view("0192.0.2.1"),
                                      std::string_view("0xc0.0.2.1"),
                                      std::string_view("3221225985"),
                                      std::string_view("192.0.2.+1"),
                                      std::string_view("-1.0.2.1"),
                                      std::string_view("192.0.2."),
                                      std::string_view(".192.0.2.1"),
                                      std::string_view("192..2.1"),
                                      std::string_view(" 192.0.2.1"),
                                      std::string_view("192.0.2.1 "),
                                      std::string_view("192.0.2.1\t"),
                                      std::string_view("192.0.2.1\0", 10),
                                      std::string_view("192.0.2.1\0:80", 13),
                                      std::string_view("192.0.2.1:"),
                                      std::string_view("192.0.2.1:x"),
                                      std::string_view("192.0.2.1:65536"),
                                      std::string_view("192.0.2.1:080"),
                                      std::string_view("192.0.2.1:00"),
                                      std::string_view("192.0.2.1:+80"),
                                      std::string_view("192.0.2.1:-1"),
                                      std::string_view("192.0.2.1:99999999999999999999"),
                                      std::string_view("192.0.2.1: 80"),
                                      std::string_view("192.0.2.1:80:80"),
                                      std::string_view(":80"),
                                      std::string_view("[192.0.2.1]"),
                                      std::string_view("[192.0.2.1]:80"),
                                      std::string_view("192.0.2.1/32"),
                                      std::string_view("["),
                                      std::string_view("[]"),
                                      std::string_view("[]:80"),
                                      std::string_view("[::1"),
                                      std::string_view("::1]"),
                                      std::string_view("[::1]80"),
                                      std::string_view("[::1]:"),
                                      std::string_view("[::1]x80"),
                                      std::string_view("[::1]:65536"),
                                      std::string_view("[[::1]]"),
                                      std::string_view("[::1] :80"),
                                      std::string_view(":"),
                                      std::string_view(":::"),
                                      std::string_view("1::2::3"),
                                      std::string_view("1:2:3:4:5:6:7"),
                                      std::string_view("1:2:3:4:5:6:7:8:9"),
                                      std::string_view("1:2:3:4::5:6:7:8"),
                                      std::string_view("12345::"),
                                      std::string_view("g::"),
                                      std::string_view("fe80::1%eth0"),
                                      std::string_view("[fe80::1%25eth0]:80"),
                                      std::string_view("::1 "),
                                      std::string_view("::1.2.3"),
                                      std::string_view("::1.2.3.4.5"),
                                      std::string_view("1.2.3.4::"),
                                      std::string_view("::ffff:192.0.2.01"),
                                      std::string_view("\xff\xfe"),
                                      std::string_view(long_text)}) {
    CAPTURE(text.substr(0, 100));
    CHECK_FALSE(parsed(text).has_value());
  }
}
