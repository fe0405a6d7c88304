#include "chapters.hpp"

#include <array>

namespace conformance {

void add_framing(suite& s) {
  constexpr std::array<std::size_t, 7> sizes{0, 125, 126, 127, 128, 65'535, 65'536};
  const auto add = [&](const std::string& section, auto make, std::string_view pattern,
                       const std::string& kind) {
    int number = 0;
    const auto id = [&] { return section + "." + std::to_string(++number); };
    for (const std::size_t size : sizes) {
      const frame f = make(content(pattern, size));
      s.add(id(), "A " + kind + " message of " + std::to_string(size) + " bytes.").send(f).expect({f});
    }
    const frame f = make(content(pattern, 65'536));
    s.add(id(), "A " + kind + " message of 65536 bytes, in pieces of 997.")
        .send_in_pieces(f, 997)
        .expect({f});
  };
  add("1.1", text, "*", "text");
  add("1.2", binary, "\xfe", "binary");
}

}  // namespace conformance
