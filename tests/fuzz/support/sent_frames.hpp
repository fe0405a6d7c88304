#ifndef FAIRLEAD_TESTS_FUZZ_SUPPORT_SENT_FRAMES_HPP
#define FAIRLEAD_TESTS_FUZZ_SUPPORT_SENT_FRAMES_HPP

#include <fairlead/protocol/connection.hpp>

#include <fuzz/support/input.hpp>
#include <fuzz/support/plain_frame.hpp>
#include <fuzz/support/plain_inflate.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace fuzz {

/// A list of frames in one text, so that room for it can be taken before the heap is watched.
class frame_list {
 public:
  static constexpr std::size_t room = 4 * 1024 * 1024;

  frame_list() { text_.reserve(room); }

  void clear() noexcept { text_.clear(); }
  void add(unsigned opcode, std::string_view payload) {
    const std::size_t size = payload.size();
    demand(text_.size() + size + 8 < room, "the target asks for no more than it has room for");
    for (const std::size_t part : {std::size_t{opcode}, size & 255, size >> 8 & 255, size >> 16}) {
      text_ += static_cast<char>(part);
    }
    text_ += payload;
  }

  struct frame {
    unsigned opcode;
    std::string_view payload;
  };

  /// Takes the next frame off `rest`, which began as text().
  static frame take(std::string_view& rest) noexcept {
    const auto at = [rest](std::size_t i) { return std::size_t{static_cast<unsigned char>(rest[i])}; };
    const std::string_view payload = rest.substr(4, at(1) | at(2) << 8 | at(3) << 16);
    const frame taken{static_cast<unsigned>(at(0)), payload};
    rest.remove_prefix(4 + payload.size());
    return taken;
  }
  std::string_view text() const noexcept { return text_; }

 private:
  std::string text_;
};

/// How messages may be compressed.
struct sent_compression {
  std::size_t window_bits;
  bool takeover;
  std::size_t min_size;
};

/// What a connection has to send, noted while it is told to, and compared with what it has sent.
struct sent_frames {
  // Beside the opcode of a frame that is commanded:
  static constexpr unsigned goes_on = 16;           ///< It is not the last one of its message.
  static constexpr unsigned never_compressed = 32;  ///< It has to be sent as it is.

  frame_list commanded;                         ///< Messages and pings, in order.
  frame_list pings;                             ///< Those received, while open.
  std::optional<std::string> closed;            ///< The payload of the close frame, as far as it is known.
  std::optional<sent_compression> compression;  ///< As agreed on.

  void clear() noexcept {
    commanded.clear();
    pings.clear();
    closed.reset();
    compression.reset();
  }

  /// `stream` is all that was written, to the last byte that there was to write; `is_open` says whether the
  /// connection is.
  void check(fairlead::role own, std::string_view stream, bool is_open) {
    std::string_view to_come = commanded.text();
    std::string_view unanswered = pings.text();
    newest_pong_.clear();
    is_compressed_ = false;
    inflater_.forget();
    bool is_closed = false;
    while (!stream.empty()) {
      demand(!is_closed, "nothing follows the close frame");
      const plain_header h = read_plain_header(bytes_of(stream));
      demand(h.valid, "a frame is one that the RFC allows");
      demand(h.masked == (own == fairlead::role::client), "a client masks, a server does not");
      demand(stream.size() - h.size >= h.payload_size, "a frame is whole");
      payload_.assign(stream.substr(h.size, static_cast<std::size_t>(h.payload_size)));
      stream.remove_prefix(h.size + payload_.size());
      for (std::size_t i = 0; h.masked && i < payload_.size(); ++i) {
        payload_[i] = static_cast<char>(std::byte(payload_[i]) ^ h.key[i % 4]);
      }
      if (h.opcode == 8) {
        demand(h.rsv == 0, "a close frame has no reserved bits");
        is_closed = true;
        demand(closed.has_value() && payload_.starts_with(*closed), "the close frame says why");
        demand(payload_.size() >= 2 || closed->empty(), "without a code it is empty");
      } else if (h.opcode == 10) {
        demand(h.rsv == 0, "a pong has no reserved bits");
        demand(!unanswered.empty(), "a pong answers a ping");
        while (frame_list::take(unanswered).payload != payload_) {
          demand(!unanswered.empty(), "a pong has the payload of a ping that is not answered yet");
        }
        newest_pong_ = payload_;
      } else {
        demand(!to_come.empty(), "no more is sent than was commanded");
        check_commanded(h, frame_list::take(to_come));
      }
    }
    demand(to_come.empty(), "all that was commanded is sent");
    demand(is_closed == closed.has_value(), "a close frame is sent if it has to be");
    if (!is_open || unanswered.empty()) return;
    std::string_view newest_ping;
    while (!unanswered.empty()) newest_ping = frame_list::take(unanswered).payload;
    demand(newest_ping == newest_pong_, "the newest ping is answered");
  }

 private:
  void check_commanded(const plain_header& h, const frame_list::frame& f) {
    demand(h.opcode == (f.opcode & 15) && h.fin == ((f.opcode & goes_on) == 0),
           "just what was commanded is sent, in order");
    const bool begins = h.opcode == 1 || h.opcode == 2;
    demand(h.rsv == 0 || (h.rsv == 4 && begins),
           "only the first frame of a message says that it is compressed");
    if (begins) begin_message(h, f);
    if (h.opcode == 9 || !is_compressed_) return demand(payload_ == f.payload, "as it was commanded");
    compressed_ += payload_;
    text_ += f.payload;
    if (!h.fin) return;
    demand(compression->takeover || !begins || compressed_.size() < text_.size(),
           "without takeover a whole message becomes smaller");
    if (!compression->takeover) inflater_.forget();
    demand(inflater_.message(compressed_, text_.size()) == inflated_as::whole, "it can be inflated");
    demand(inflater_.text() == text_, "and is what was commanded");
    demand(inflater_.farthest() <= std::size_t{1} << compression->window_bits,
           "the agreed window is kept to");
  }

  void begin_message(const plain_header& h, const frame_list::frame& f) {
    is_compressed_ = h.rsv != 0;
    compressed_.clear();
    text_.clear();
    demand(!is_compressed_ || (compression && (f.opcode & never_compressed) == 0 &&
                               f.payload.size() >= compression->min_size),
           "only what may be is compressed");
  }

  std::string payload_;
  bool is_compressed_ = false;  // the message that the last frame was of
  std::string compressed_;      // of it so far,
  std::string text_;            // and what that stands for
  std::string newest_pong_;
  plain_inflater inflater_;
};

}  // namespace fuzz

#endif
