#ifndef FAIRLEAD_BENCHMARKS_LOAD_TRAFFIC_HPP
#define FAIRLEAD_BENCHMARKS_LOAD_TRAFFIC_HPP

// What the generator sends and what must come back, made once before the first byte moves.

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace load {

struct traffic {
  std::size_t request_size = 0;
  std::vector<char>
      requests;  ///< As many requests as may be in flight, back to back: any due part is one write.
  std::vector<char> reply;
  bool reply_known = false;  ///< Whether the content of a reply can be checked, or only its size.
};

inline void append_frame_header(std::vector<char>& out, char first_byte, std::size_t payload_size,
                                bool masked) {
  const auto put = [&](std::size_t value) { out.push_back(static_cast<char>(value)); };
  const std::size_t mask_bit = masked ? 0x80 : 0;
  out.push_back(first_byte);
  if (payload_size < 126) {
    put(mask_bit | payload_size);
  } else if (payload_size < 65536) {
    put(mask_bit | 126);
    for (int shift = 8; shift >= 0; shift -= 8) put(payload_size >> shift & 0xff);
  } else {
    put(mask_bit | 127);
    for (int shift = 56; shift >= 0; shift -= 8) put(payload_size >> shift & 0xff);
  }
}

/// One masked frame, as every client sends it (RFC 6455 section 5.3). The fixed key costs a server as much as
/// any.
inline void append_client_frame(std::vector<char>& out, char first_byte, const std::vector<char>& payload) {
  constexpr std::array<char, 4> key{0x37, 0x7a, 0x21, 0x5d};
  append_frame_header(out, first_byte, payload.size(), true);
  out.insert(out.end(), key.begin(), key.end());
  for (std::size_t i = 0; i < payload.size(); ++i) out.push_back(static_cast<char>(payload[i] ^ key[i % 4]));
}

/// Messages of `size` bytes and their echo. Text is ASCII; binary uses every byte value.
inline traffic websocket_traffic(std::size_t size, bool text, std::size_t outstanding) {
  std::vector<char> payload(size);
  for (std::size_t i = 0; i < size; ++i) {
    payload[i] = static_cast<char>(text ? 'a' + i % 26 : i * 131 + 7);
  }
  const char first_byte = static_cast<char>(text ? 0x81 : 0x82);  // FIN and the opcode

  std::vector<char> request;
  append_client_frame(request, first_byte, payload);

  traffic result;
  result.request_size = request.size();
  result.requests.reserve(request.size() * outstanding);
  for (std::size_t i = 0; i < outstanding; ++i) {
    result.requests.insert(result.requests.end(), request.begin(), request.end());
  }
  append_frame_header(result.reply, first_byte, size, false);
  result.reply.insert(result.reply.end(), payload.begin(), payload.end());
  result.reply_known = true;
  return result;
}

/// As many bytes both ways as websocket_traffic() of the same size, without meaning.
inline traffic raw_traffic(std::size_t size, std::size_t outstanding) {
  traffic result = websocket_traffic(size, false, outstanding);
  result.reply_known = false;
  return result;
}

}  // namespace load

#endif
