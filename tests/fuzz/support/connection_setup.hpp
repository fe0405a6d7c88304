#ifndef FAIRLEAD_TESTS_FUZZ_SUPPORT_CONNECTION_SETUP_HPP
#define FAIRLEAD_TESTS_FUZZ_SUPPORT_CONNECTION_SETUP_HPP

#include <fairlead/protocol/connection.hpp>

#include <fuzz/support/input.hpp>

#include <cstddef>
#include <cstdint>
#include <iterator>

// What a script has a connection made with.

namespace fuzz {

inline constexpr std::size_t largest_message = 70'000;

inline fairlead::connection_options read_options(input& in) {
  constexpr std::size_t message_sizes[] = {64 * 1024, 0, 1, 125, 1000, 20'000, largest_message};
  constexpr std::size_t fragments[] = {16'384, 1, 2, 3, 0};
  constexpr std::size_t controls[] = {200, 1, 2, 0};
  fairlead::connection_options options;
  options.max_message_size = message_sizes[in.number(std::size(message_sizes) - 1)];
  options.max_fragments = fragments[in.number(std::size(fragments) - 1)];
  const std::size_t rest = in.byte();
  options.max_control_frames_per_second = controls[rest % std::size(controls)];
  options.max_queued_pongs = 1 + rest / 16;
  return options;
}

/// The first byte of a script.
struct setup {
  explicit setup(std::uint8_t byte)
      : own((byte & 1) != 0 ? fairlead::role::client : fairlead::role::server),
        has_deflate((byte & 2) != 0),
        whole_in_parts((byte & 4) != 0),
        pieces_in_parts((byte & 8) != 0),
        acts_on_parts((byte & 16) != 0) {}

  fairlead::role own;
  bool has_deflate;
  bool whole_in_parts;   ///< Messages are reported in parts where the bytes come whole,
  bool pieces_in_parts;  ///< and where they come in pieces.
  bool acts_on_parts;    ///< The sink acts on each part; no two runs have the same, so none are compared.
};

/// What was agreed on, and what we want ourselves.
struct agreement {
  explicit agreement(input& in) {
    const std::uint8_t flags = in.byte();
    params.server_no_context_takeover = (flags & 1) != 0;
    params.client_no_context_takeover = (flags & 2) != 0;
    options.enabled = true;
    options.send_takeover = (flags & 4) == 0;
    options.min_size = flags / 8;
    options.send_window_bits = static_cast<std::uint8_t>(fairlead::min_send_window_bits + in.number(6));
    options.level = 1 + static_cast<int>(in.number(8));
    options.memory_level = 1 + static_cast<int>(in.number(8));
  }

  bool sends_takeover(fairlead::role own) const noexcept {
    return options.send_takeover && !(own == fairlead::role::server ? params.server_no_context_takeover
                                                                    : params.client_no_context_takeover);
  }
  bool receives_takeover(fairlead::role own) const noexcept {
    return !(own == fairlead::role::server ? params.client_no_context_takeover
                                           : params.server_no_context_takeover);
  }

  // Windows of the largest size only: how much further back than a smaller one zlib reads depends on the cuts.
  fairlead::deflate_params params;
  fairlead::deflate_options options;
};

/// The mask keys of a client: the same in every run.
class numbered_keys final : public fairlead::mask_key_source {
  fairlead::mask_key next() override {
    ++drawn_;
    return {std::byte{drawn_}, std::byte{0x5a}, std::byte(255 - drawn_), std::byte{0x01}};
  }
  std::uint8_t drawn_ = 0;
};

}  // namespace fuzz

#endif
