// What is demanded of the header of the PROXY protocol, for any bytes:
// - cut into any pieces it gives the same state, number of bytes and connection as whole;
// - no proper prefix of one that is accepted is accepted or refused;
// - one that is accepted is within the limits, ends where its version says, and a line reads as what the plainest
//   reading of it gives;
// - what it says of an address is one that can be written, and read again.
// An exception ends the program, and so does a read outside the piece given.
//
// Aims at: guard/impl/proxy_protocol.ipp impl/peer_address.ipp

#include <fairlead/guard/proxy_protocol.hpp>

#include <fuzz/support/input.hpp>

#include <cstdio>
#include <string>

using namespace fairlead;
using fuzz::demand;

namespace {

struct outcome {
  proxy_protocol_result result;  // with all that was consumed
  proxied_connection connection;

  friend bool operator==(const outcome&, const outcome&) = default;
};

template <class NextSize>
outcome read(std::span<const std::byte> in, NextSize next_size) {
  proxy_protocol_parser parser;
  outcome all;
  std::size_t at = 0;
  do {
    const std::size_t size = next_size(in.size() - at);
    const fuzz::exact_copy piece(in.subspan(at, size));
    const proxy_protocol_result result = parser.feed(piece.bytes());
    demand(result.consumed <= size, "no more is consumed than was given");
    demand(result.consumed == size || result.state != parse_state::need_more,
           "all is consumed while more is needed");
    all.result = {result.state, all.result.consumed + result.consumed};
    at += size;
  } while (all.result.state == parse_state::need_more && at != in.size());
  if (all.result.state != parse_state::need_more) {
    demand(parser.feed(in) == proxy_protocol_result{all.result.state, 0}, "the end says the same again");
  }
  all.connection = parser.connection();
  return all;
}

outcome read(std::span<const std::byte> in) {
  return read(in, [](std::size_t left) { return left; });
}

void check_address(const peer_address& a) {
  demand(unmapped(a) == a, "an IPv4 address is one");
  if (a.family != peer_address::kind::ipv4 && a.family != peer_address::kind::ipv6) return;
  demand(parse_address(to_string(a)) == a, "an address is read as it is written");
}

/// By scanf, which is more lenient, so it can only be compared where the line was accepted.
void check_line(std::string line, const proxied_connection& c) {
  demand(line.size() <= proxy_protocol_parser::max_line_size && line.ends_with("\r\n"), "a line has its end");
  char protocol[8] = {};
  char source[64] = {};
  char destination[64] = {};
  unsigned ports[2] = {};
  const int read = std::sscanf(line.c_str(), "PROXY %7s %63s %63s %u %u", protocol, source, destination,
                               &ports[0], &ports[1]);
  if (std::string_view(protocol) == "UNKNOWN")
    return demand(c == proxied_connection(), "what is not known is not said");
  demand(read == 5, "a line has five words");
  demand(parse_address(source)->bytes == c.source.bytes && ports[0] == c.source.port,
         "the source is as written");
  demand(parse_address(destination)->bytes == c.destination.bytes && ports[1] == c.destination.port,
         "the destination is as written");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::input in(data, size);
  fuzz::splits pieces(in);
  const auto bytes = in.rest();
  const outcome whole = read(bytes);
  const outcome cut = read(bytes, [&](std::size_t left) { return pieces.next(left); });
  demand(cut == whole, "pieces give the same result");
  demand(whole.result.state == parse_state::done || whole.connection == proxied_connection(),
         "nothing is said before the end, or after a failure");
  if (whole.result.state != parse_state::done) return 0;

  check_address(whole.connection.source);
  check_address(whole.connection.destination);
  const auto header = bytes.first(whole.result.consumed);
  demand(read(header) == whole, "what follows does not matter");
  demand(read(header.first(header.size() - 1)).result.state == parse_state::need_more, "a prefix needs more");
  if (header[0] == std::byte{'P'}) {
    check_line(std::string(fuzz::text_of(header)), whole.connection);
  } else {
    demand(header.size() == 16 + std::to_integer<std::size_t>(header[14]) * 256 +
                                std::to_integer<std::size_t>(header[15]) &&
               header.size() <= 16 + proxy_protocol_parser::max_block_size,
           "a block is as long as it says");
  }
  return 0;
}
