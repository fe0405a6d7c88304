#include <fairlead/guard/ip_network.hpp>

#include <support/catch.hpp>

#include <cstddef>
#include <cstdint>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>

using namespace fairlead;

namespace {

peer_address at(std::string_view text) {
  const auto a = parse_address(text);
  REQUIRE(a.has_value());
  return *a;
}

/// What the refusal says; empty if there is none.
std::string message_for(std::string_view text) {
  try {
    const ip_network network(text);
  } catch (const std::invalid_argument& refusal) {
    return refusal.what();
  }
  return {};
}

bool bit(const peer_address& a, unsigned i) {
  return (std::to_integer<unsigned>(a.bytes[i / 8]) >> (7 - i % 8) & 1U) != 0;
}

}  // namespace

TEST_CASE("a_block_has_its_first_and_last_address_and_not_those_beside") {
  const ip_network private_block("172.16.0.0/12");
  CHECK(private_block.contains(at("172.16.0.0")));
  CHECK(private_block.contains(at("172.31.255.255")));
  CHECK_FALSE(private_block.contains(at("172.15.255.255")));
  CHECK_FALSE(private_block.contains(at("172.32.0.0")));

  const ip_network documentation("2001:db8::/32");
  CHECK(documentation.contains(at("2001:db8::")));
  CHECK(documentation.contains(at("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff")));
  CHECK_FALSE(documentation.contains(at("2001:db7:ffff:ffff:ffff:ffff:ffff:ffff")));
  CHECK_FALSE(documentation.contains(at("2001:db9::")));
}

TEST_CASE("one_address_is_a_block_of_its_own") {
  CHECK(ip_network("192.0.2.1") == ip_network("192.0.2.1/32"));
  CHECK(ip_network("::1") == ip_network("::1/128"));
  CHECK(ip_network("192.0.2.1").contains(at("192.0.2.1")));
  CHECK_FALSE(ip_network("192.0.2.1").contains(at("192.0.2.0")));
  CHECK_FALSE(ip_network("::1").contains(at("::")));
}

TEST_CASE("the_port_of_an_address_does_not_matter") {
  CHECK(ip_network("192.0.2.0/24").contains(at("192.0.2.77:4711")));
  CHECK(ip_network("::1").contains(at("[::1]:4711")));
}

TEST_CASE("the_whole_of_one_family_has_nothing_of_the_other") {
  CHECK(ip_network("0.0.0.0/0").contains(at("255.255.255.255")));
  CHECK_FALSE(ip_network("0.0.0.0/0").contains(at("::1")));
  CHECK(ip_network("::/0").contains(at("ffff::1")));
  CHECK_FALSE(ip_network("::/0").contains(at("192.0.2.1")));
}

TEST_CASE("ipv4_inside_ipv6_is_ipv4") {
  peer_address mapped;
  mapped.family = peer_address::kind::ipv6;
  mapped.bytes[10] = mapped.bytes[11] = std::byte{0xFF};
  mapped.bytes[12] = std::byte{10};
  mapped.bytes[15] = std::byte{7};
  CHECK(ip_network("10.0.0.0/8").contains(mapped));
  CHECK_FALSE(ip_network("::/0").contains(mapped));
  CHECK(ip_network("::ffff:10.0.0.0/104") == ip_network("10.0.0.0/8"));
  CHECK(ip_network("::ffff:10.0.0.7") == ip_network("10.0.0.7"));
  CHECK(ip_network("::ffff:0.0.0.0/96") == ip_network("0.0.0.0/0"));
  CHECK_FALSE(ip_network::parse("::ffff:0.0.0.0/95").has_value());
}

TEST_CASE("local_and_unknown_addresses_are_in_no_block") {
  peer_address local;
  local.family = peer_address::kind::local;
  for (const std::string_view text : {"0.0.0.0/0", "::/0", "0.0.0.0", "::"}) {
    CHECK_FALSE(ip_network(text).contains(local));
    CHECK_FALSE(ip_network(text).contains(peer_address()));
  }
}

TEST_CASE("what_is_no_block_is_refused_and_named") {
  for (const std::string_view text : {"",
                                      "/",
                                      "/8",
                                      "10.0.0.0/",
                                      "10.0.0.0/33",
                                      "10.0.0.0/-1",
                                      "10.0.0.0/+8",
                                      "10.0.0.0/08",
                                      "10.0.0.0/8/8",
                                      "10.0.0.0/8 ",
                                      " 10.0.0.0/8",
                                      "10.0.0.0 /8",
                                      "10.0.0.0/255.0.0.0",
                                      "10/8",
                                      "10.0/16",
                                      "10.0.0.1/8",
                                      "10.0.0.0/6",
                                      "::/129",
                                      "::1/127",
                                      "2001:db8::1/64",
                                      "[::1]",
                                      "[::1]/128",
                                      "10.0.0.1:80",
                                      "10.0.0.1:0",
                                      "fe80::/10%eth0",
                                      "localhost",
                                      "*",
                                      "010.0.0.0/8",
                                      "10.0.0.0/99999999999"}) {
    CAPTURE(text);
    CHECK_FALSE(ip_network::parse(text).has_value());
    CHECK(message_for(text).find(std::string("'").append(text).append("'")) != std::string::npos);
  }
}

TEST_CASE("contains_agrees_with_a_comparison_of_bits") {
  std::mt19937_64 random(20260103);
  int inside = 0;
  for (int round = 0; round < 5000; ++round) {
    const bool is_ipv6 = random() % 2 == 0;
    const unsigned bits = is_ipv6 ? 128 : 32;
    const auto prefix = static_cast<unsigned>(random() % (bits + 1));
    peer_address base;
    base.family = is_ipv6 ? peer_address::kind::ipv6 : peer_address::kind::ipv4;
    for (unsigned i = 0; i < bits / 8; ++i) base.bytes[i] = static_cast<std::byte>(random());
    if (is_ipv6) base.bytes[0] |= std::byte{1};  // never mapped
    peer_address other = base;
    const auto flipped = static_cast<unsigned>(random() % bits);
    other.bytes[flipped / 8] ^= static_cast<std::byte>(0x80U >> flipped % 8);
    for (unsigned i = prefix; i < bits; ++i) {
      if (bit(base, i)) base.bytes[i / 8] ^= static_cast<std::byte>(0x80U >> i % 8);
    }
    std::string text = to_string(base);
    text = is_ipv6 ? text.substr(1, text.find(']') - 1) : text.substr(0, text.find(':'));
    if (unmapped(base) != base) continue;
    const ip_network network(text.append("/").append(std::to_string(prefix)));
    REQUIRE(network.contains(base));
    bool expected = unmapped(other) == other;
    for (unsigned i = 0; i < prefix; ++i) expected = expected && bit(base, i) == bit(other, i);
    REQUIRE(network.contains(other) == expected);
    inside += expected ? 1 : 0;
  }
  CHECK(inside > 1000);
}
