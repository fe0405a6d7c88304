#include "chapters.hpp"

namespace conformance {
namespace {

// How the frames of a case reach the peer.
enum class manner { together, frame_by_frame, byte_by_byte };

std::string words(manner m) {
  switch (m) {
    case manner::together: return ".";
    case manner::frame_by_frame: return ", frame by frame.";
    default: return ", byte by byte.";
  }
}

test_case& send_all(test_case& c, manner m, const std::vector<frame>& frames) {
  for (const frame& f : frames) {
    switch (m) {
      case manner::together: c.send(f); break;
      case manner::frame_by_frame: c.send_alone(f); break;
      case manner::byte_by_byte: c.send_in_pieces(f, 1); break;
    }
  }
  return c;
}

}  // namespace

void add_fragmentation(suite& s) {
  constexpr manner manners[] = {manner::together, manner::frame_by_frame, manner::byte_by_byte};
  const frame first = text("fragment1").unfinished();
  const frame last = rest("fragment2");
  const frame whole = text("fragment1fragment2");

  s.add("5.1", "A ping in two fragments.")
      .send(ping("fragment1").unfinished())
      .send(last)
      .expect({})
      .fails_with(1002);
  s.add("5.2", "A pong in two fragments.")
      .send(pong("fragment1").unfinished())
      .send(last)
      .expect({})
      .fails_with(1002);

  int number = 3;
  const auto id = [&] { return "5." + std::to_string(number++); };
  for (const manner m : manners) {
    send_all(s.add(id(), "A text message in two fragments" + words(m)), m, {first, last}).expect({whole});
  }
  for (const manner m : manners) {
    send_all(s.add(id(), "A text message in two fragments with a ping between them" + words(m)), m,
             {first, ping("ping payload"), last})
        .expect({pong("ping payload"), whole});
  }

  const frame stray = rest("non-continuation payload");
  for (const manner m : manners) {
    send_all(s.add(id(), "A continuation frame with nothing to continue, then a text message" + words(m)), m,
             {stray, text("Hello, world!")})
        .expect({})
        .fails_with(1002);
  }
  for (const manner m : manners) {
    send_all(s.add(id(), "An unfinished continuation frame with nothing to continue, then a text message" +
                             words(m)),
             m, {stray.unfinished(), text("Hello, world!")})
        .expect({})
        .fails_with(1002);
  }

  s.add("5.15",
        "A text message in two fragments, an unfinished continuation frame with nothing to continue, then a "
        "text "
        "message.")
      .send(first)
      .send(last)
      .send(rest("fragment3").unfinished())
      .send(text("fragment4"))
      .expect({whole})
      .or_non_strict({})
      .fails_with(1002);

  auto& unfinished =
      s.add("5.16",
            "Twice: an unfinished continuation frame with nothing to continue, then a text message "
            "in two fragments.");
  auto& finished = s.add("5.17",
                         "Twice: a continuation frame with nothing to continue, then a text message in two "
                         "fragments.");
  for (int i = 0; i < 2; ++i) {
    unfinished.send(rest("fragment1").unfinished())
        .send(text("fragment2").unfinished())
        .send(rest("fragment3"));
    finished.send(rest("fragment1")).send(text("fragment2").unfinished()).send(rest("fragment3"));
  }
  unfinished.expect({}).fails_with(1002);
  finished.expect({}).fails_with(1002);

  s.add("5.18", "A text message in two fragments that both have the opcode for text.")
      .send(first)
      .send(text("fragment2"))
      .expect({})
      .fails_with(1002);

  for (const manner m : {manner::together, manner::frame_by_frame}) {
    auto& c = s.add(m == manner::together ? "5.19" : "5.20",
                    "A text message in five fragments with two pings between them, and a pause" + words(m));
    send_all(c, m, {first, rest("fragment2").unfinished(), ping("pongme 1!")}).wait();
    send_all(c, m,
             {rest("fragment3").unfinished(), rest("fragment4").unfinished(), ping("pongme 2!"),
              rest("fragment5")})
        .expect(
            {pong("pongme 1!"), pong("pongme 2!"), text("fragment1fragment2fragment3fragment4fragment5")});
  }
}

}  // namespace conformance
