#include "chapters.hpp"

#include <array>

namespace conformance {
namespace {

constexpr std::size_t kib = 1024;
constexpr std::size_t mib = 1024 * kib;

std::string words(std::size_t size) {
  if (size >= mib) return std::to_string(size / mib) + " MiB";
  return size >= kib ? std::to_string(size / kib) + " KiB" : std::to_string(size) + " bytes";
}

}  // namespace

void add_limits(suite& s) {
  struct section_pair {
    std::string text_section;
    std::string binary_section;
  };
  // Each size once with text and once with binary data.
  const auto add_both = [&](const section_pair& sections, const auto& sizes, auto add) {
    for (const bool is_text : {true, false}) {
      int number = 0;
      for (const std::size_t size : sizes) {
        const std::string id =
            (is_text ? sections.text_section : sections.binary_section) + "." + std::to_string(++number);
        add(id, is_text ? "text" : "binary", is_text, size);
      }
    }
  };
  const auto payload = [](bool is_text, std::size_t size) {
    return is_text ? text(content("BAsd7&jh23", size)) : binary(content({"\x00\xfe\x23\xfa\xf0", 5}, size));
  };

  add_both({"9.1", "9.2"}, std::array{64 * kib, 256 * kib, mib, 4 * mib, 8 * mib, 16 * mib},
           [&](const std::string& id, const std::string& kind, bool is_text, std::size_t size) {
             const frame f = payload(is_text, size);
             s.add(id, "A " + kind + " message of " + words(size) + ".").send(f).expect({f});
           });

  add_both({"9.3", "9.4"},
           std::array<std::size_t, 9>{64, 256, kib, 4 * kib, 16 * kib, 64 * kib, 256 * kib, mib, 4 * mib},
           [&](const std::string& id, const std::string& kind, bool is_text, std::size_t size) {
             const frame f = is_text ? text(content("*", 4 * mib)) : binary(content("\xfe", 4 * mib));
             s.add(id, "A " + kind + " message of 4 MiB in frames of " + words(size) + ".")
                 .send_fragmented(f, size)
                 .expect({f});
           });

  add_both({"9.5", "9.6"}, std::array<std::size_t, 6>{64, 128, 256, 512, 1'024, 2'048},
           [&](const std::string& id, const std::string& kind, bool is_text, std::size_t size) {
             const frame f = payload(is_text, mib);
             s.add(id, "A " + kind + " message of 1 MiB, in pieces of " + std::to_string(size) + " bytes.")
                 .send_in_pieces(f, size)
                 .expect({f});
           });

  add_both({"9.7", "9.8"}, std::array<std::size_t, 6>{0, 16, 64, 256, 1'024, 4'096},
           [&](const std::string& id, const std::string& kind, bool is_text, std::size_t size) {
             s.add(id,
                   "1000 " + kind + " messages of " + std::to_string(size) + " bytes, one after the other.")
                 .exchange({.opcode = is_text ? opcodes::text : opcodes::binary,
                            .count = 1'000,
                            .size = size,
                            .payload = content(is_text ? "*" : "\xfe", size)})
                 .expect({});
           });
}

void add_auto_fragmentation(suite& s) {
  const frame f = text(content("*", 65'536));
  s.add("10.1.1", "A text message of 65536 bytes in frames of 1300.").send_fragmented(f, 1'300).expect({f});
}

}  // namespace conformance
