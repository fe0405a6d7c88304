#include "chapters.hpp"

#include <initializer_list>

namespace conformance {

void add_closing(suite& s) {
  const frame hello = text("Hello World!");
  const frame normal = close_with(1000);

  s.add("7.1.1", "A text message, then the close handshake.").send(hello).expect({hello});
  s.add("7.1.2", "Two close frames.").send(normal).send(close_of({})).expect({}).answers_close_with({1000});
  s.add("7.1.3", "A ping behind a close frame.")
      .send(normal)
      .send(ping())
      .expect({})
      .answers_close_with({1000});
  s.add("7.1.4", "A text message behind a close frame.")
      .send(normal)
      .send(hello)
      .expect({})
      .answers_close_with({1000});
  s.add("7.1.5", "A close frame between the fragments of a message.")
      .send(text("fragment1").unfinished())
      .send(normal)
      .send(rest("fragment2"))
      .expect({})
      .answers_close_with({1000});
  s.add("7.1.6", "A text message of 256 KiB, a small one, a close frame and a ping, all at once.")
      .send(text(content("BAsd7&jh23", 256 * 1024)))
      .send(hello)
      .send(normal)
      .send(ping())
      .expect({hello})
      .or_non_strict({})
      .answers_close_with({1000})
      .informational();

  s.add("7.3.1", "A close frame without a code.").send(close_of({})).expect({}).answers_close_with({1000});
  s.add("7.3.2", "A close frame of one byte.").send(close_of("a")).expect({}).refuses_close_with({1002});
  s.add("7.3.3", "A close frame with a code.").send(normal).expect({}).answers_close_with({1000});
  s.add("7.3.4", "A close frame with a code and a reason.")
      .send(close_with(1000, "Hello World!"))
      .expect({})
      .answers_close_with({1000});
  s.add("7.3.5", "A close frame with a reason of 123 bytes, the most there may be.")
      .send(close_with(1000, std::string(123, '*')))
      .expect({})
      .answers_close_with({1000});
  s.add("7.3.6", "A close frame with a reason of 124 bytes.")
      .send(close_with(1000, std::string(124, '*')))
      .expect({})
      .refuses_close_with({1002});

  s.add("7.5.1", "A close frame whose reason is not UTF-8.")
      .send(close_with(1000,
                       "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80\x65\x64\x69\x74\x65\x64"))
      .expect({})
      .refuses_close_with({1002, 1007});

  int number = 0;
  for (const unsigned code : std::initializer_list<unsigned>{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010,
                                                             1011, 3000, 3999, 4000, 4999}) {
    s.add("7.7." + std::to_string(++number), "The close code " + std::to_string(code) + ", which is valid.")
        .send(close_with(code))
        .expect({})
        .answers_close_with({1000, code});
  }
  number = 0;
  for (const unsigned code :
       std::initializer_list<unsigned>{0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999}) {
    s.add("7.9." + std::to_string(++number),
          "The close code " + std::to_string(code) + ", which is not valid.")
        .send(close_with(code))
        .expect({})
        .refuses_close_with({1002});
  }
  number = 0;
  for (const unsigned code : std::initializer_list<unsigned>{5000, 65'535}) {
    s.add("7.13." + std::to_string(++number),
          "The close code " + std::to_string(code) + ", of which RFC 6455 says nothing.")
        .send(close_with(code))
        .expect({})
        .refuses_close_with({1000, 1002, code})
        .informational();
  }
}

}  // namespace conformance
