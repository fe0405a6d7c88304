#include "chapters.hpp"

namespace conformance {

using namespace std::string_view_literals;

void add_reserved_bits(suite& s) {
  const frame hello = text("Hello, world!");

  s.add("3.1", "A text message with RSV = 1.").send(hello.with_rsv(1)).expect({}).fails_with(1002);
  s.add("3.2", "A text message, one with RSV = 2, then a ping.")
      .send(hello)
      .send(hello.with_rsv(2))
      .send(ping())
      .expect({hello})
      .or_non_strict({})
      .fails_with(1002);
  s.add("3.3", "A text message, one with RSV = 3, then a ping, frame by frame.")
      .send_alone(hello)
      .send_alone(hello.with_rsv(3))
      .send_alone(ping())
      .expect({hello})
      .or_non_strict({})
      .fails_with(1002);
  s.add("3.4", "A text message, one with RSV = 4, then a ping, byte by byte.")
      .send_in_pieces(hello, 1)
      .send_in_pieces(hello.with_rsv(4), 1)
      .send_in_pieces(ping(), 1)
      .expect({hello})
      .or_non_strict({})
      .fails_with(1002);
  s.add("3.5", "A binary message with RSV = 5.")
      .send(binary("\x00\xff\xfe\xfd\xfc\xfb\x00\xff"sv).with_rsv(5))
      .expect({})
      .fails_with(1002);
  s.add("3.6", "A ping with RSV = 6.").send(ping("Hello, world!").with_rsv(6)).expect({}).fails_with(1002);
  s.add("3.7", "A close frame with RSV = 7.").send(close_of({}).with_rsv(7)).expect({}).fails_with(1002);
}

}  // namespace conformance
