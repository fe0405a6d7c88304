#ifndef FAIRLEAD_BENCHMARKS_LOAD_SLOW_TRAFFIC_HPP
#define FAIRLEAD_BENCHMARKS_LOAD_SLOW_TRAFFIC_HPP

// What slow_server sends and slow_clients reads.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace load {

/// At the front of each payload.
struct stamp {
  std::uint64_t key = 0;
  std::uint64_t number = 0;  ///< Counts the messages of one kind, or of one key.
  std::int64_t due = 0;      ///< When it was to be published, on the clock that all processes share.

  std::chrono::steady_clock::time_point due_at() const {
    return std::chrono::steady_clock::time_point(std::chrono::steady_clock::duration(due));
  }

  void write(void* payload) const { std::memcpy(payload, this, sizeof *this); }

  static stamp read(std::string_view payload) {
    stamp s;
    if (payload.size() >= sizeof s) std::memcpy(&s, payload.data(), sizeof s);
    return s;
  }
};

// stopped-reader
inline constexpr std::size_t steady_size = 256;
inline constexpr std::uint64_t steady_key = 0;  // the volume has the keys from 1 on
inline constexpr std::uint64_t volume_keys = 8;
inline constexpr std::size_t volume_size = 16 * 1024;
inline constexpr std::uint64_t volume_messages = 1024 * 1024 * 1024 / volume_size;
inline constexpr std::uint64_t volume_a_tick = 16;
inline constexpr std::chrono::milliseconds volume_tick{2};

// conflation
inline constexpr std::size_t update_size = 256;
inline constexpr std::uint64_t update_keys = 100;

}  // namespace load

#endif
