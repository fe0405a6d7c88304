#include "chapters.hpp"

namespace conformance {
namespace {

struct exchange_size {
  std::size_t message;
  std::size_t fragment;
};

constexpr exchange_size sizes[] = {
    {16, 0},       {64, 0},       {256, 0},       {1'024, 0},       {4'096, 0},       {8'192, 0},
    {16'384, 0},   {32'768, 0},   {65'536, 0},    {131'072, 0},     {8'192, 256},     {16'384, 256},
    {32'768, 256}, {65'536, 256}, {131'072, 256}, {131'072, 1'024}, {131'072, 4'096}, {131'072, 32'768},
};

void add_section(suite& s, const std::string& section, const sample& source,
                 const std::vector<deflate_wish>& wishes) {
  int number = 0;
  for (const exchange_size& size : sizes) {
    const std::string frames = size.fragment == 0 ? "" : " in frames of " + std::to_string(size.fragment);
    auto& c = s.add(section + "." + std::to_string(++number),
                    "1000 messages of " + std::to_string(size.message) +
                        (source.is_text() ? " characters" : " bytes") + frames + ", " + source.name() + "; " +
                        deflate_offer(wishes) + ".");
    c.exchange({.opcode = source.is_text() ? opcodes::text : opcodes::binary,
                .count = 1'000,
                .size = size.message,
                .source = &source,
                .fragment_size = size.fragment})
        .expect({});
    c.deflate = wishes;
  }
}

}  // namespace

void add_compression(suite& s) {
  const deflate_wish nothing;
  add_section(s, "12.1", json_sample(), {nothing});
  add_section(s, "12.2", bitmap_sample(), {nothing});
  add_section(s, "12.3", prose_sample(), {nothing});
  add_section(s, "12.4", page_sample(), {nothing});
  add_section(s, "12.5", packed_sample(), {nothing});

  const deflate_wish forget{.no_context_takeover = true};
  const deflate_wish small{.max_window_bits = 9};
  const deflate_wish large{.max_window_bits = 15};
  const deflate_wish small_forget{.no_context_takeover = true, .max_window_bits = 9};
  const deflate_wish large_forget{.no_context_takeover = true, .max_window_bits = 15};
  add_section(s, "13.1", json_sample(), {nothing});
  add_section(s, "13.2", json_sample(), {forget});
  add_section(s, "13.3", json_sample(), {small});
  add_section(s, "13.4", json_sample(), {large});
  add_section(s, "13.5", json_sample(), {small_forget});
  add_section(s, "13.6", json_sample(), {large_forget});
  add_section(s, "13.7", json_sample(), {small_forget, forget, nothing});
}

}  // namespace conformance
