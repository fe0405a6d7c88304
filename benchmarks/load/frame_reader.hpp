#ifndef FAIRLEAD_BENCHMARKS_LOAD_FRAME_READER_HPP
#define FAIRLEAD_BENCHMARKS_LOAD_FRAME_READER_HPP

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace load {

/// Splits what a server sends into its frames (RFC 6455 section 5.2), which have no mask.
class frame_reader {
 public:
  static constexpr unsigned text = 1, binary = 2, close = 8, ping = 9;

  /// Calls `take(opcode, payload)` for each frame that is whole with `bytes`.
  template <class Take>
  void feed(std::string_view bytes, Take take) {
    waiting_ += bytes;
    std::size_t used = 0;
    for (;;) {
      const std::string_view rest = std::string_view(waiting_).substr(used);
      const std::size_t header = header_size(rest);
      if (header == 0) break;
      const std::uint64_t payload = payload_size(rest, header);
      if (rest.size() - header < payload) break;
      take(static_cast<unsigned>(rest[0]) & 0xf, rest.substr(header, payload));
      used += header + payload;
    }
    waiting_.erase(0, used);
  }

 private:
  /// 0 when it is not whole.
  static std::size_t header_size(std::string_view bytes) {
    if (bytes.size() < 2) return 0;
    const unsigned length = static_cast<unsigned char>(bytes[1]) & 0x7f;
    const std::size_t size = length == 127 ? 10 : length == 126 ? 4 : 2;
    return bytes.size() < size ? 0 : size;
  }

  static std::uint64_t payload_size(std::string_view bytes, std::size_t header) {
    if (header == 2) return static_cast<unsigned char>(bytes[1]);
    std::uint64_t size = 0;
    for (std::size_t i = 2; i < header; ++i) size = size << 8 | static_cast<unsigned char>(bytes[i]);
    return size;
  }

  std::string waiting_;
};

}  // namespace load

#endif
