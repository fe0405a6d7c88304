// What is demanded of compressed payloads, for any bytes, any texts, any parameters that can be agreed on, and any cuts
// of the input and of the room for the output:
// - whether they are messages, and what they inflate to, is what a decoder says that reads RFC 1951 bit by bit; only
//   what refers further back than the agreed window may also be corrupt, and not in every cut;
// - nothing is written behind the room, and no more handed out than was asked for;
// - what is corrupt stays corrupt; after reset(), and back from the workspace, an inflater reads as a new one;
// - what our compressor makes of a text inflates to that text and keeps to its window; without takeover it is smaller
//   than the text, and the same for all who share it;
// - zlib holds no more than the parameters ask for, and nothing is left at the end.
//
// Aims at: protocol/impl/zlib_stream.ipp protocol/impl/message_compression.ipp protocol/impl/compression_workspace.ipp

#include <fairlead/protocol/detail/message_compression.hpp>

#include <fuzz/support/input.hpp>
#include <fuzz/support/plain_inflate.hpp>
#include <support/heap.hpp>

#include <zlib.h>

#include <cstring>
#include <optional>
#include <string>
#include <vector>

using namespace fairlead;
using detail::inflate_result;
using fuzz::demand;
using fuzz::inflated_as;

namespace {

constexpr std::size_t max_script_size = 4 * 1024;
constexpr std::size_t max_text = 70'000;
constexpr std::size_t max_texts = 200'000;
constexpr std::size_t max_room = 5'000;

// Strings that are filled while the heap is watched have their room from the start.
std::string with_room() {
  std::string text;
  text.reserve(fuzz::plain_inflater::most_text);
  return text;
}

/// What a message inflated to, up to where it ended, failed, or became too large.
struct reading {
  inflated_as end = inflated_as::whole;
  std::string text = with_room();

  /// Takes a step's bytes, of which the message may have `limit` and one more; false where it is over.
  bool take(inflate_result step, std::span<const std::byte> bytes, std::size_t limit) {
    text += fuzz::text_of(bytes);
    demand(text.size() <= limit + 1, "no more is handed out than was asked for");
    if (step == inflate_result::corrupt) end = inflated_as::corrupt;
    if (text.size() > limit) end = inflated_as::too_large;
    return end == inflated_as::whole;
  }
};

/// Inflates for a message of up to `limit` bytes, in cuts of the input and of the room.
void inflate(detail::inflater& z, std::string_view payload, std::size_t limit, std::size_t most_room,
             fuzz::splits cuts, reading& result) {
  constexpr auto untouched = std::byte{0xa5};
  static std::vector<std::byte> block(max_room + 1);
  result.end = inflated_as::whole;
  result.text.clear();
  bool is_last = false;
  while (!is_last) {
    // Not so small that a long message takes long.
    const std::size_t size =
        std::min(std::max(cuts.next(payload.size()), payload.size() / 64), payload.size());
    is_last = size == payload.size();
    const fuzz::exact_copy piece(fuzz::bytes_of(payload).first(size));
    payload.remove_prefix(size);
    std::span<const std::byte> in = piece.bytes();
    for (inflate_result step = inflate_result::full; step == inflate_result::full;) {
      const std::size_t room_size = std::min(most_room, limit + 1 - result.text.size());
      block[room_size] = untouched;
      std::span<std::byte> room = std::span(block).first(room_size);
      step = z.inflate(in, is_last, room);
      demand(room.data() == block.data() && room.size() <= room_size,
             "what is written is the front of the room");
      demand(block[room_size] == untouched, "nothing is written behind the room");
      demand(step != inflate_result::full || room.size() == room_size, "a full room is full");
      demand(step != inflate_result::done || in.empty(), "all that was given is inflated");
      if (!result.take(step, room, limit)) return;
    }
  }
}

/// The same by a connection's compression, which has room of its own.
void inflate(detail::message_compression& z, std::string_view payload, std::size_t limit, reading& result) {
  result.end = inflated_as::whole;
  result.text.clear();
  std::span<const std::byte> in = fuzz::bytes_of(payload);
  for (inflate_result step = inflate_result::full; step == inflate_result::full;) {
    const auto [next, bytes] = z.inflate(in, true, limit + 1 - result.text.size());
    if (!result.take(next, bytes, limit)) return;
    step = next;
  }
}

struct parameters {
  explicit parameters(fuzz::input& in) {
    const std::uint8_t flags = in.byte();
    own = (flags & 1) != 0 ? role::client : role::server;
    const bool takeover = (flags & 2) != 0;
    const auto window = static_cast<std::uint8_t>(min_window_bits + in.number(7));
    const auto peers_window = static_cast<std::uint8_t>(min_send_window_bits + in.number(6));
    agreed.server_no_context_takeover = agreed.client_no_context_takeover = !takeover;
    agreed.server_max_window_bits = own == role::server ? max_window_bits : window;
    agreed.client_max_window_bits = own == role::server ? window : max_window_bits;
    peer.enabled = true;
    peer.send_takeover = (flags & 4) == 0;
    // Where the peer's compressor has no such small window, it breaks the agreement.
    peer.send_window_bits = std::min(peers_window, std::max(window, min_send_window_bits));
    peer.min_size = (flags & 8) == 0 ? 0 : 100;
    peer.level = 1 + static_cast<int>(in.number(8));
    peer.memory_level = 1 + static_cast<int>(in.number(8));
    agreed_with_peer = agreed;
    agreed_with_peer.server_max_window_bits = agreed_with_peer.client_max_window_bits = max_window_bits;
  }

  role peers() const noexcept { return own == role::server ? role::client : role::server; }
  bool takeover() const noexcept { return !agreed.server_no_context_takeover; }
  std::uint8_t window_bits() const noexcept {
    return own == role::server ? agreed.client_max_window_bits : agreed.server_max_window_bits;
  }

  role own;
  deflate_params agreed;            ///< By the side that receives.
  deflate_params agreed_with_peer;  ///< By the side that sends, whose windows are then its options' only.
  deflate_options peer;
  deflate_options receives;
};

/// One script, run to its end: the messages that a side receives from a peer that is ours, or hostile.
class run {
 public:
  explicit run(fuzz::input script)
      : parameters_(script),
        limit_(script.number(100'000)),
        most_room_(1 + script.number(max_room - 1)),
        cuts_(script),
        script_(script) {
    plain_.forget();
    begin_again();
    sender_.emplace(parameters_.peers(), parameters_.agreed_with_peer, parameters_.peer, workspace_);
  }

  void to_its_end() {
    while (!script_.empty() && texts_ < max_texts) step();
    receiver_.reset();
    sender_.reset();
    direct_.reset();
    demand(memory_size_ == 0, "zlib has given back all that it took");
  }

 private:
  void step() {
    switch (script_.number(6)) {
      case 0:
      case 1: return receive(fuzz::text_of(script_.bytes(script_.number(1'000))), false);
      case 2: return receive_ours(false);
      case 3: return receive_ours(true);
      case 4: return receive_of_zlib();
      case 5: return refuse_to_compress();
      default: return begin_many();
    }
  }

  /// A text that repeats itself.
  std::string_view read_text() {
    const std::size_t times = 1 + script_.number(300);
    const std::string_view part = fuzz::text_of(script_.bytes(script_.byte()));
    text_.clear();
    for (std::size_t i = 0; i < times && text_.size() + part.size() <= max_text; ++i) text_ += part;
    texts_ += text_.size();
    return text_;
  }

  // --- What the peer sends ---

  void receive_ours(bool damaged) {
    const bool is_shared = script_.flag();
    const std::string_view text = read_text();
    const shared_bytes first = shared_bytes::copy_of(fuzz::bytes_of(text));
    const shared_bytes second = is_shared ? first : shared_bytes();
    has_compressor_ = true;
    const auto compressed = sender_->compress(message_view(message_kind::text, first));
    if (!compressed) {
      demand(text.empty() || text.size() < parameters_.peer.min_size || !sends_takeover(),
             "with takeover all is compressed that is large enough");
      demand(!sender_->compress(message_view(message_kind::text, second)), "what is sent as it is stays so");
      return;
    }
    demand(compressed->kind() == message_kind::text, "a compressed message is of the same kind");
    demand(text.size() >= parameters_.peer.min_size, "what is too small is not compressed");
    demand(sends_takeover() || compressed->size() < text.size(),
           "what does not become smaller is sent as it is");
    payload_.assign(compressed->text());
    if (is_shared && !sends_takeover()) {
      const auto again = sender_->compress(message_view(message_kind::text, second));
      demand(again && again->owner() != nullptr && again->text() == payload_,
             "all who share it share its form");
    }
    if (damaged) {
      const std::size_t at = script_.number(1'000) % payload_.size();
      const std::uint8_t how = script_.byte();
      if (how == 0) payload_.resize(at);
      if (how != 0) payload_[at] = static_cast<char>(std::byte(payload_[at]) ^ std::byte{how});
    }
    receive(payload_, !damaged);
  }

  bool sends_takeover() const noexcept { return parameters_.takeover() && parameters_.peer.send_takeover; }

  /// By zlib alone, in one or more blocks of any kind, the last of which may say so.
  void receive_of_zlib() {
    const int level = static_cast<int>(script_.number(9));
    const int strategy = static_cast<int>(script_.number(4));
    const bool finishes = script_.flag();
    const std::string_view text = read_text();
    z_stream stream{};
    demand(deflateInit2(&stream, level, Z_DEFLATED, -max_window_bits, 1, strategy) == Z_OK,
           "zlib has memory");
    payload_.resize(text.size() + text.size() / 8 + 1'024);
    stream.next_in = reinterpret_cast<Bytef*>(text_.data());
    stream.avail_in = static_cast<uInt>(text.size());
    stream.next_out = reinterpret_cast<Bytef*>(payload_.data());
    stream.avail_out = static_cast<uInt>(payload_.size());
    deflate(&stream, finishes ? Z_FINISH : Z_SYNC_FLUSH);
    payload_.resize(payload_.size() - stream.avail_out);
    deflateEnd(&stream);
    if (!finishes && payload_.ends_with(std::string_view("\0\0\xff\xff", 4)))
      payload_.resize(payload_.size() - 4);
    receive(payload_, false);
  }

  void refuse_to_compress() {
    const std::string_view text = read_text();
    demand(!sender_->compress(message_view(text).uncompressed()), "what must not be compressed is not");
  }

  // --- What we make of it ---

  /// \param is_ours  Compressed by our sender, and as it was.
  void receive(std::string_view payload, bool is_ours) {
    const inflated_as end = plain_.message(payload, limit_);
    inflate(*direct_, payload, limit_, most_room_, cuts_, in_cuts_);
    inflate(*receiver_, payload, limit_, by_connection_);
    texts_ += plain_.text().size() + payload.size();
    check_memory();

    in_step_ = in_step_ && is_ours;
    if (is_ours && (in_step_ || !parameters_.takeover())) {
      demand(plain_.farthest() <= std::size_t{1} << parameters_.peer.send_window_bits,
             "our window is kept to");
      demand(plain_.text() == std::string_view(text_).substr(0, limit_ + 1),
             "our messages inflate to what was sent");
      demand(end == (text_.size() <= limit_ ? inflated_as::whole : inflated_as::too_large), "and are whole");
    }
    const bool direct_agrees = check(in_cuts_, end, parameters_.window_bits());
    // Without takeover the workspace's inflater reads every window.
    const bool receiver_agrees =
        check(by_connection_, end, parameters_.takeover() ? parameters_.window_bits() : max_window_bits);
    if (end != inflated_as::whole || !direct_agrees || !receiver_agrees) return recover(payload, in_cuts_);
    if (parameters_.takeover()) return;
    plain_.forget();
    direct_->reset();
  }

  /// Whether it is what plain_ says; if not, a window was left.
  bool check(const reading& result, inflated_as end, std::size_t window_bits) {
    if (result.end == end && result.text == plain_.text()) return true;
    demand(plain_.farthest() > std::size_t{1} << window_bits, "it is what the RFC says");
    demand(result.end == inflated_as::corrupt && plain_.text().starts_with(result.text),
           "what leaves the window is what the RFC says, or corrupt");
    return false;
  }

  /// After a message that cannot be read, or was too large: the next ones are another connection's.
  void recover(std::string_view payload, reading& result) {
    if (result.end == inflated_as::corrupt) {
      for (int i = 0; i < 2; ++i) {
        inflate(*direct_, hello, limit_, most_room_, cuts_, result);
        demand(result.end == inflated_as::corrupt && result.text.empty(), "what is corrupt stays corrupt");
      }
    }
    std::size_t memory_size = 0;
    {
      detail::inflater new_one(parameters_.window_bits(), memory_size);
      inflate(new_one, payload, limit_, most_room_, cuts_, fresh_);
    }
    demand(memory_size == 0, "an inflater gives back what it took");
    direct_->reset();
    inflate(*direct_, payload, limit_, most_room_, cuts_, result);
    demand(result.end == fresh_.end && result.text == fresh_.text, "after a reset it reads as a new one");
    begin_again();
    plain_.forget();
    const inflated_as end = plain_.message(payload, limit_);
    inflate(*receiver_, payload, limit_, result);
    check(result, end, parameters_.takeover() ? parameters_.window_bits() : max_window_bits);
    begin_again();
    plain_.forget();
    in_step_ = false;
  }

  void begin_again() {
    if (!direct_) direct_.emplace(parameters_.window_bits(), memory_size_);
    direct_->reset();
    receiver_.reset();
    receiver_.emplace(parameters_.own, parameters_.agreed, parameters_.receives, workspace_);
  }

  /// More connections in the midst of a message than the workspace has use for afterwards.
  void begin_many() {
    std::vector<std::unique_ptr<detail::message_compression>> many(script_.number(6));
    for (auto& each : many) {
      each = std::make_unique<detail::message_compression>(parameters_.own, parameters_.agreed,
                                                           parameters_.receives, workspace_);
      std::span<const std::byte> in = fuzz::bytes_of(hello).first(3);
      const auto [step, bytes] = each->inflate(in, false, 100);
      demand(step == inflate_result::done, "a part of a message is inflated");
      demand(std::string_view("Hello").starts_with(fuzz::text_of(bytes)), "as far as it goes");
    }
    many.clear();
    check_memory();
  }

  /// As the table in permessage_deflate.hpp has it, and a fifth more for other versions of zlib.
  void check_memory() const {
    const std::size_t compressor = (std::size_t{4} << parameters_.peer.send_window_bits) +
                                   (std::size_t{512} << parameters_.peer.memory_level) + 5'952;
    const std::size_t window = std::size_t{1}
                               << (parameters_.takeover() ? parameters_.window_bits() : max_window_bits);
    const std::size_t inflaters = parameters_.takeover() ? 1 : 4;
    const std::size_t expected = (has_compressor_ ? compressor : 0) + inflaters * (window + 7'160);
    demand(workspace_.memory_size() <= expected + expected / 5, "zlib holds no more than was asked for");
    // One for what is inflated, one for what is compressed, which is twice what it was for the text before; and the
    // target's own, a text and its compressed form.
    constexpr std::size_t rooms = 64 * 1024 + 3 * max_text + 2 * max_text;
    const std::size_t most = workspace_.memory_size() + memory_size_ + rooms;
    demand(heap_.growth() <= static_cast<std::ptrdiff_t>(most), "and nothing else holds much");
  }

  inline static const std::string hello{"\xf2\x48\xcd\xc9\xc9\x07\0", 7};  // RFC 7692 section 7.2.3.1
  inline static std::string text_ = with_room();
  inline static std::string payload_ = with_room();
  inline static fuzz::plain_inflater plain_;
  inline static reading in_cuts_;
  inline static reading by_connection_;
  inline static reading fresh_;

  const parameters parameters_;
  const std::size_t limit_;
  const std::size_t most_room_;
  const fuzz::splits cuts_;
  fuzz::input script_;
  std::size_t texts_ = 0;
  bool has_compressor_ = false;
  bool in_step_ = true;  // all that came is what our sender sent
  std::size_t memory_size_ = 0;
  const heap_watch heap_;
  compression_workspace workspace_;
  std::optional<detail::inflater> direct_;
  std::optional<detail::message_compression> receiver_;
  std::optional<detail::message_compression> sender_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  run(fuzz::input(data, std::min(size, max_script_size))).to_its_end();
  return 0;
}
