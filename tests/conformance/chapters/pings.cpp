#include "chapters.hpp"

namespace conformance {

using namespace std::string_view_literals;

void add_pings(suite& s) {
  const content largest("\xfe", 125);

  s.add("2.1", "A ping without payload.").send(ping()).expect({pong()});
  s.add("2.2", "A ping with text.").send(ping("Hello, world!")).expect({pong("Hello, world!")});
  s.add("2.3", "A ping with bytes that are not UTF-8.")
      .send(ping("\x00\xff\xfe\xfd\xfc\xfb\x00\xff"sv))
      .expect({pong("\x00\xff\xfe\xfd\xfc\xfb\x00\xff"sv)});
  s.add("2.4", "A ping of 125 bytes, the most there may be.").send(ping(largest)).expect({pong(largest)});
  s.add("2.5", "A ping of 126 bytes.").send(ping(content("\xfe", 126))).expect({}).fails_with(1002);
  s.add("2.6", "A ping of 125 bytes, byte by byte.").send_in_pieces(ping(largest), 1).expect({pong(largest)});
  s.add("2.7", "A pong that nobody asked for, then a close frame.")
      .send(pong())
      .send(close_with(1000))
      .expect({})
      .answers_close_with({1000});
  s.add("2.8", "A pong that nobody asked for, with payload, then a close frame.")
      .send(pong("unsolicited pong payload"))
      .send(close_with(1000))
      .expect({})
      .answers_close_with({1000});
  s.add("2.9", "A pong that nobody asked for, then a ping.")
      .send(pong("unsolicited pong payload"))
      .send(ping("ping payload"))
      .expect({pong("ping payload")});

  // RFC 6455 would allow one pong for all of them (section 5.5.3).
  auto& together = s.add("2.10", "Ten pings, each with a payload of its own.");
  auto& bytewise = s.add("2.11", "Ten pings, each with a payload of its own, byte by byte.");
  std::vector<frame> pongs;
  for (int i = 0; i < 10; ++i) {
    const std::string payload = "payload-" + std::to_string(i);
    together.send(ping(payload));
    bytewise.send_in_pieces(ping(payload), 1);
    pongs.push_back(pong(payload));
  }
  together.expect(pongs);
  bytewise.expect(pongs);
}

}  // namespace conformance
