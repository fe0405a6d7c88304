#include <fairlead/handshake/detail/host.hpp>

#include <support/catch.hpp>

#include <string>

using namespace fairlead::detail;

// RFC 9110 section 7.2 and RFC 3986 section 3.2.2; TRUST H10, H27.

TEST_CASE("names_and_addresses_are_hosts_with_and_without_a_port") {
  for (const std::string host :
       {"a", "localhost", "example.com", "EXAMPLE.com.", "xn--bcher-kva.example", "my_service", "1.2.3.4",
        "[::1]", "[2001:db8::8:800:200c:417a]", "[::ffff:192.0.2.1]"}) {
    CAPTURE(host);
    CHECK(is_host(host));
    for (const char* port : {":0", ":80", ":00080", ":65535"}) CHECK(is_host(host + port));
    for (const char* port :
         {":", ":65536", ":99999", ":000080", ":-1", ":+1", ":8o", ": 80", ":80 ", ":80:80", "::"}) {
      CAPTURE(port);
      CHECK_FALSE(is_host(host + port));
    }
  }
}

TEST_CASE("what_is_no_host_is_refused") {
  for (const std::string_view host :
       {std::string_view(""),          std::string_view(":80"),       std::string_view("a b"),
        std::string_view("@"),         std::string_view("user@a"),    std::string_view("a,b"),
        std::string_view("a/b"),       std::string_view("http://a"),  std::string_view("a%41"),
        std::string_view("::1"),       std::string_view("["),         std::string_view("]"),
        std::string_view("[]"),        std::string_view("[::1"),      std::string_view("::1]"),
        std::string_view("[::1]a"),    std::string_view("[::1]880"),  std::string_view("[::1].80"),
        std::string_view("[[::1]]"),   std::string_view("[a]"),       std::string_view("[fe80::1%25eth0]"),
        std::string_view("[v1.a]"),    std::string_view("[1.2.3.4]"), std::string_view("a\0b", 3),
        std::string_view("b\xc3\xbc"), std::string_view("a[::1]")}) {
    CAPTURE(host);
    CHECK_FALSE(is_host(host));
  }
}

// RFC 4291 section 2.2.
TEST_CASE("ipv6_addresses_have_eight_groups_or_one_gap") {
  for (const char* address :
       {"::", "::1", "1::", "1::8", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8",
        "ABCD:ef01:2:3:4:5:6:7", "::1.2.3.4", "1:2:3:4:5:6:1.2.3.4", "1::1.2.3.4", "::255.255.255.255"}) {
    CAPTURE(address);
    CHECK(is_ipv6_address(address));
  }
  for (const char* address : {"",
                              ":",
                              ":::",
                              "1",
                              "1:",
                              ":1",
                              "1:2:3:4:5:6:7",
                              "1:2:3:4:5:6:7:8:9",
                              "1:2:3:4:5:6:7:8::",
                              "1:2:3:4::5:6:7:8",
                              "1::2::3",
                              "12345::",
                              "g::",
                              "1:2:3:4:5:6:7:8:",
                              ":1:2:3:4:5:6:7:8",
                              "::1:",
                              ":1::",
                              "1.2.3.4",
                              "1.2.3.4::",
                              "1:2:3:4:5:6:7:1.2.3.4",
                              "::1.2.3.4:5",
                              "::1.2.3",
                              "::1.2.3.4.5",
                              "::256.2.3.4",
                              "::01.2.3.4",
                              "::1..3.4",
                              "::1.2.3.a",
                              "::1.2.3.0004"}) {
    CAPTURE(address);
    CHECK_FALSE(is_ipv6_address(address));
  }
}

TEST_CASE("hosts_of_any_size_are_judged") {
  CHECK(is_host(std::string(8192, 'a')));
  CHECK_FALSE(is_host(std::string(8192, ' ')));
  CHECK_FALSE(is_host("[" + std::string(8192, ':') + "]"));
  CHECK_FALSE(is_host("a:" + std::string(8192, '0')));
}
