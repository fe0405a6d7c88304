#include <fairlead/peer_address.hpp>

#include <support/catch.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>

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
