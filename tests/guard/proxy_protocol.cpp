#include <fairlead/guard/proxy_protocol.hpp>

#include <support/catch.hpp>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>

using namespace fairlead;
using namespace std::string_literals;

namespace {

const std::string signature = "\r\n\r\n\0\r\nQUIT\n"s;

struct outcome {
  proxy_protocol_result result;  // with all that was consumed
  proxied_connection connection;

  friend bool operator==(const outcome&, const outcome&) = default;
};

outcome read_in_pieces(std::string_view input, std::size_t first, std::size_t size) {
  proxy_protocol_parser parser;
  outcome all;
  std::size_t at = 0;
  std::size_t end = std::min(first, input.size());
  while (true) {
    const auto exact = std::make_unique<std::byte[]>(end - at);
    std::copy_n(reinterpret_cast<const std::byte*>(input.data()) + at, end - at, exact.get());
    const proxy_protocol_result result = parser.feed({exact.get(), end - at});
    all.result.state = result.state;
    all.result.consumed += result.consumed;
    if (result.state != parse_state::need_more || end == input.size()) break;
    REQUIRE(result.consumed == end - at);
    at = end;
    end = std::min(end + size, input.size());
  }
  if (all.result.state != parse_state::need_more) {
    REQUIRE(parser.feed(std::as_bytes(std::span(input))) == proxy_protocol_result{all.result.state, 0});
  }
  all.connection = parser.connection();
  return all;
}

/// Whole, cut once at every place, and byte by byte: always the same.
outcome read(const std::string& input) {
  const outcome whole = read_in_pieces(input, input.size(), input.size());
  for (std::size_t at = 0; at <= input.size(); at += input.size() > 500 ? 97 : 1) {
    REQUIRE(read_in_pieces(input, at, input.size()) == whole);
  }
  REQUIRE(read_in_pieces(input, 1, 1) == whole);
  return whole;
}

/// What a header says that is complete, with the client's first bytes behind it.
proxied_connection accepted(const std::string& header) {
  for (std::size_t size = 0; size < header.size(); ++size) {
    REQUIRE(read_in_pieces(header.substr(0, size), size, size).result ==
            proxy_protocol_result{parse_state::need_more, size});
  }
  const outcome all = read(header + "GET /chat");
  CAPTURE(header);
  REQUIRE(all.result == proxy_protocol_result{parse_state::done, header.size()});
  return all.connection;
}

bool is_refused(const std::string& input) { return read(input).result.state == parse_state::failed; }

peer_address at(std::string_view text) { return parse_address(text).value(); }

std::string two_bytes(std::size_t n) { return {static_cast<char>(n >> 8), static_cast<char>(n & 0xFF)}; }

std::string block(char command, char family, const std::string& content) {
  return signature + command + family + two_bytes(content.size()) + content;
}

std::string part(char type, const std::string& value) { return type + two_bytes(value.size()) + value; }

const std::string tcp4 = "\xC0\x00\x02\x01\xC6\x33\x64\x02\x12\x67\x01\xBB"s;
const std::string tcp6 = "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"s +
                         "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02"s + "\x12\x67\x01\xBB";
const proxied_connection over_tcp4{at("192.0.2.1:4711"), at("198.51.100.2:443"), false};
const proxied_connection over_tcp6{at("[2001:db8::1]:4711"), at("[2001:db8::2]:443"), false};

}  // namespace

TEST_CASE("version_1_names_both_ends") {
  CHECK(accepted("PROXY TCP4 192.0.2.1 198.51.100.2 4711 443\r\n") == over_tcp4);
  CHECK(accepted("PROXY TCP6 2001:db8::1 2001:db8::2 4711 443\r\n") == over_tcp6);
  CHECK(accepted("PROXY TCP6 ::ffff:192.0.2.1 ::ffff:198.51.100.2 4711 443\r\n") == over_tcp4);
  CHECK(accepted("PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\n").destination.port == 65535);
}

TEST_CASE("version_1_may_not_know_and_the_rest_of_its_line_is_ignored") {
  CHECK(accepted("PROXY UNKNOWN\r\n") == proxied_connection());
  CHECK(accepted("PROXY UNKNOWN \r\n") == proxied_connection());
  CHECK(accepted("PROXY UNKNOWN ffff::1 whatever \xff 70000\r\n") == proxied_connection());
}

TEST_CASE("a_line_of_107_bytes_is_read_and_one_of_108_is_not") {
  const std::string start = "PROXY UNKNOWN ";
  CHECK(accepted(start + std::string(107 - 2 - start.size(), 'x') + "\r\n") == proxied_connection());
  CHECK(is_refused(start + std::string(108 - 2 - start.size(), 'x') + "\r\n"));
  CHECK(is_refused(start + std::string(10'000, 'x')));
}

TEST_CASE("H22: what_is_not_exactly_version_1_is_refused") {
  for (const std::string line : {"",
                                 " ",
                                 "TCP4",
                                 "TCP4 192.0.2.1",
                                 "TCP4 192.0.2.1 198.51.100.2",
                                 "TCP4 192.0.2.1 198.51.100.2 4711",
                                 "TCP4 192.0.2.1 198.51.100.2 4711 443 ",
                                 "TCP4 192.0.2.1 198.51.100.2 4711 443 1",
                                 "TCP4  192.0.2.1 198.51.100.2 4711 443",
                                 "TCP4 192.0.2.1  198.51.100.2 4711 443",
                                 " TCP4 192.0.2.1 198.51.100.2 4711 443",
                                 "TCP4\t192.0.2.1 198.51.100.2 4711 443",
                                 "tcp4 192.0.2.1 198.51.100.2 4711 443",
                                 "TCP 192.0.2.1 198.51.100.2 4711 443",
                                 "UDP4 192.0.2.1 198.51.100.2 4711 443",
                                 "TCP44 192.0.2.1 198.51.100.2 4711 443",
                                 "TCP4 192.0.2.01 198.51.100.2 4711 443",
                                 "TCP4 192.0.2.256 198.51.100.2 4711 443",
                                 "TCP4 192.0.2.1 host 4711 443",
                                 "TCP4 2001:db8::1 2001:db8::2 4711 443",
                                 "TCP4 192.0.2.1 2001:db8::2 4711 443",
                                 "TCP6 192.0.2.1 198.51.100.2 4711 443",
                                 "TCP6 [2001:db8::1] [2001:db8::2] 4711 443",
                                 "TCP6 fe80::1%lo ::1 4711 443",
                                 "TCP4 192.0.2.1 198.51.100.2 65536 443",
                                 "TCP4 192.0.2.1 198.51.100.2 4711 65536",
                                 "TCP4 192.0.2.1 198.51.100.2 04711 443",
                                 "TCP4 192.0.2.1 198.51.100.2 -1 443",
                                 "TCP4 192.0.2.1 198.51.100.2 +1 443",
                                 "TCP4 192.0.2.1 198.51.100.2 4711 ",
                                 "TCP4 192.0.2.1 198.51.100.2  443",
                                 "UNKNOWNX",
                                 "unknown"}) {
    CAPTURE(line);
    CHECK(is_refused("PROXY " + line + "\r\n"));
  }
  CHECK(is_refused("PROXY UNKNOWN\n"));
  CHECK(is_refused("PROXY UNKNOWN\r\r\n"));
  CHECK(is_refused("PROXY UNKNOWN\rX\r\n"));
  CHECK(is_refused("PROXY TCP4 192.0.2.1\0 198.51.100.2 4711 443\r\n"s));
}

TEST_CASE("the_first_byte_that_belongs_to_no_header_is_refused") {
  CHECK(read("GET / HTTP/1.1\r\n").result == proxy_protocol_result{parse_state::failed, 1});
  CHECK(read("POST / HTTP/1.1\r\n").result == proxy_protocol_result{parse_state::failed, 2});
  CHECK(read("PROXY\r\n").result == proxy_protocol_result{parse_state::failed, 6});
  CHECK(read("\r\n\r\nGET").result == proxy_protocol_result{parse_state::failed, 5});
  CHECK(read("\x16\x03\x01").result == proxy_protocol_result{parse_state::failed, 1});
  CHECK(read("").result == proxy_protocol_result{parse_state::need_more, 0});
}

TEST_CASE("version_2_names_both_ends") {
  CHECK(accepted(block('\x21', '\x11', tcp4)) == over_tcp4);
  CHECK(accepted(block('\x21', '\x21', tcp6)) == over_tcp6);
  const std::string mapped = std::string(10, '\0') + "\xFF\xFF\xC0\x00\x02\x01"s + std::string(10, '\0') +
                             "\xFF\xFF\xC6\x33\x64\x02\x12\x67\x01\xBB"s;
  CHECK(accepted(block('\x21', '\x21', mapped)) == over_tcp4);
}

TEST_CASE("version_2_may_speak_of_local_sockets_or_of_nothing") {
  const proxied_connection local = accepted(block('\x21', '\x31', std::string(216, 'x')));
  CHECK(local.source.family == peer_address::kind::local);
  CHECK(local.destination.family == peer_address::kind::local);
  CHECK(accepted(block('\x21', '\x00', "")) == proxied_connection());
  CHECK(accepted(block('\x21', '\x00', "whatever")) == proxied_connection());
}

TEST_CASE("a_proxy_that_speaks_for_itself_leaves_the_connection_as_it_is") {
  CHECK(accepted(block('\x20', '\x00', "")) == proxied_connection());
  CHECK(accepted(block('\x20', '\x11', tcp4)) == proxied_connection());
  // "The receiver must ... discard the protocol block including the family which is ignored."
  CHECK(accepted(block('\x20', '\x77', "junk")) == proxied_connection());
}

TEST_CASE("version_2_says_whether_the_client_came_over_tls") {
  const std::string ssl = "\x01\0\0\0\0"s;
  const std::string plain = "\x06\0\0\0\0"s;
  CHECK(accepted(block('\x21', '\x11', tcp4 + part('\x20', ssl))).secure);
  CHECK(accepted(block('\x21', '\x11', tcp4 + part('\x20', ssl + part('\x21', "TLSv1.3")))).secure);
  CHECK(accepted(block('\x21', '\x21', tcp6 + part('\x04', "noop") + part('\x20', ssl))).secure);
  CHECK_FALSE(accepted(block('\x21', '\x11', tcp4 + part('\x20', plain))).secure);
  CHECK_FALSE(accepted(block('\x21', '\x11', tcp4 + part('\x02', ssl))).secure);
  CHECK_FALSE(accepted(block('\x20', '\x11', tcp4 + part('\x20', ssl))).secure);
}

TEST_CASE("H22: what_is_not_exactly_version_2_is_refused") {
  for (const char command : {'\x00', '\x11', '\x1F', '\x22', '\x2F', '\x31', '\xF1'}) {
    CHECK(is_refused(block(command, '\x11', tcp4)));
  }
  // Datagrams, and families and protocols that do not exist.
  for (const char family :
       {'\x01', '\x02', '\x10', '\x12', '\x13', '\x20', '\x22', '\x30', '\x32', '\x41', '\xFF'}) {
    CHECK(is_refused(block('\x21', family, std::string(216, '\0'))));
  }
  CHECK(is_refused(block('\x21', '\x11', tcp4.substr(1))));
  CHECK(is_refused(block('\x21', '\x21', tcp6.substr(1))));
  CHECK(is_refused(block('\x21', '\x31', std::string(215, 'x'))));
  CHECK(is_refused(block('\x21', '\x11', "")));
}

TEST_CASE("parts_that_do_not_end_with_the_block_are_refused") {
  for (const std::string& parts :
       {"\x04"s, "\x04\x00"s, "\x04\x00\x01"s, "\x04\xFF\xFFxx"s, part('\x04', "x") + "\x04"s,
        part('\x20', "\x01\0\0\0"s), part('\x20', "")}) {
    CHECK(is_refused(block('\x21', '\x11', tcp4 + parts)));
  }
  CHECK(accepted(block('\x21', '\x11', tcp4 + part('\x04', ""))) == over_tcp4);
}

TEST_CASE("a_block_of_4096_bytes_is_read_and_a_longer_one_is_refused_before_it_comes") {
  const std::string largest = tcp4 + part('\x04', std::string(4096 - tcp4.size() - 3, 'x'));
  const std::string header = block('\x21', '\x11', largest);
  CHECK(read(header + "GET").result == proxy_protocol_result{parse_state::done, 16 + 4096});
  for (const std::size_t size : {4097U, 65535U}) {
    CHECK(read(signature + "\x21\x11" + two_bytes(size) + "x").result ==
          proxy_protocol_result{parse_state::failed, 16});
    CHECK(read(signature + "\x20" + '\0' + two_bytes(size)).result ==
          proxy_protocol_result{parse_state::failed, 16});
  }
}
