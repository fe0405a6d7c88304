#include "chapters.hpp"

namespace conformance {

void add_opcodes(suite& s) {
  const frame hello = text("Hello, world!");
  const auto add = [&](const std::string& section, unsigned first, const std::string& kind) {
    const auto words = [&](unsigned opcode) { return kind + " opcode " + std::to_string(opcode); };
    s.add(section + ".1", "A frame with the reserved " + words(first) + ".")
        .send({first})
        .expect({})
        .fails_with(1002);
    s.add(section + ".2", "A frame with the reserved " + words(first + 1) + " and payload.")
        .send({first + 1, "reserved opcode payload"})
        .expect({})
        .fails_with(1002);
    s.add(section + ".3", "A text message, a frame with the reserved " + words(first + 2) + ", then a ping.")
        .send(hello)
        .send({first + 2})
        .send(ping())
        .expect({hello})
        .or_non_strict({})
        .fails_with(1002);
    s.add(section + ".4",
          "A text message, a frame with the reserved " + words(first + 3) + " and payload, then a ping.")
        .send(hello)
        .send({first + 3, hello.payload})
        .send(ping())
        .expect({hello})
        .or_non_strict({})
        .fails_with(1002);
    s.add(section + ".5", "A text message, a frame with the reserved " + words(first + 4) +
                              " and payload, then a ping, byte by byte.")
        .send_in_pieces(hello, 1)
        .send_in_pieces({first + 4, hello.payload}, 1)
        .send_in_pieces(ping(), 1)
        .expect({hello})
        .or_non_strict({})
        .fails_with(1002);
  };
  add("4.1", 3, "data");
  add("4.2", 11, "control");
}

}  // namespace conformance
