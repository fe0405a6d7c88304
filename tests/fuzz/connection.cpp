// What is demanded of a connection in either role, for any bytes of the peer, any commands between them and out of its
// callbacks, and small and large limits:
// - how the bytes come, whole, in pieces, or read in place, changes neither the events nor the output;
// - messages that are reported in parts are the same, put together, as those that are reported whole;
// - nothing is reported after the end, no message or ping after our close, none after `pause` in the same call, but
//   that a part which pauses may be followed by others of its message;
// - output() neither moves nor changes before consume() or settle(), and settle() changes none of its bytes;
// - all that is written are frames that the RFC allows to the role: just the messages, pieces and pings commanded,
//   answers to pings in their order, at most one close frame, which is the last and has the code that was reported;
// - messages are compressed, whole or in pieces, only where that was agreed on and is allowed, and inflate to what was
//   commanded;
// - the heap holds no more than twice the largest message, or none of it in parts, what waits to be written, and what
//   compression asks for, which is nothing after the end;
// - close(), ping(), deadline(), wants_shutdown() say what their contracts say.
//
// Aims at: protocol/impl/connection.ipp protocol/impl/output_queue.ipp impl/shared_bytes.ipp

#include <fairlead/protocol/connection.hpp>

#include <fuzz/support/connection_setup.hpp>
#include <fuzz/support/input.hpp>
#include <fuzz/support/peer_frames.hpp>
#include <fuzz/support/sent_frames.hpp>
#include <support/heap.hpp>

#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using namespace fairlead;
using namespace std::chrono_literals;
using fuzz::demand;
using fuzz::largest_message;

namespace {

constexpr std::size_t max_script_size = 4 * 1024;
constexpr std::size_t max_filled = 68 * 1024;
constexpr std::size_t max_commanded = 160 * 1024;
constexpr std::size_t max_commanded_to_deflate = 40 * 1024;
constexpr std::size_t max_reactions = 100;

// Texts and lists that are filled while the heap is watched have their room from the start.
std::string with_room() {
  std::string text;
  text.reserve(fuzz::frame_list::room);
  return text;
}

/// What came of a script.
struct transcript {
  std::string events = with_room();
  std::string written = with_room();
};

/// One script, run to its end.
class run final : event_sink, message_source {
 public:
  run(fuzz::input script, bool in_pieces, transcript& result)
      : result_(result),
        setup_(script.byte()),
        options_(fuzz::read_options(script)),
        pieces_(script),
        script_(script),
        in_pieces_(in_pieces),
        in_parts_(in_pieces ? setup_.pieces_in_parts : setup_.whole_in_parts),
        max_commanded_(setup_.has_deflate ? max_commanded_to_deflate : max_commanded),
        ws_(setup_.own, options_, workspace_, setup_.own == role::client ? &keys_ : nullptr) {
    result_.events.clear();
    result_.written.clear();
    expected_.clear();
    pending_.clear();
    text_.clear();
    parts_.clear();
    peer_.reset();
    for (std::uint8_t& reaction : reactions_) reaction = script_.byte();
    if (in_parts_) ws_.receive_in_parts();
    if (!setup_.has_deflate) return;
    agreed_.emplace(script_);
    compression_.emplace();
    ws_.enable_deflate(agreed_->params, agreed_->options, *compression_);
    expected_.compression = {.window_bits = agreed_->options.send_window_bits,
                             .takeover = agreed_->sends_takeover(setup_.own),
                             .min_size = agreed_->options.min_size};
  }

  void to_its_end() {
    if (script_.flag()) ws_.send_handshake(handshake);
    while (!script_.empty()) {
      step();
      check();
    }
    while (ws_.output_size() != 0) consume(ws_.output_size());
    demand(ws_.wants_shutdown() == has_ended_, "the link is closed once all is said");
    if (commands_ % 2 == 0) settle();  // else it goes while it uses the workspace
    if (commands_ % 4 < 2) {
      ws_.release();
      compression_.reset();  // else it goes behind the connection
    }
    std::string_view stream = result_.written;
    if (stream.starts_with(handshake)) stream.remove_prefix(handshake.size());
    expected_.check(setup_.own, stream, ws_.is_open());
  }

 private:
  static constexpr std::string_view handshake = "HTTP/1.1 101 Switching Protocols\r\n\r\n";

  void step() {
    switch (script_.number(16)) {
      case 0:
      case 1:
      case 2: return receive(fuzz::text_of(script_.bytes(script_.byte())));
      case 3: {  // many of one byte, for what is large
        const std::size_t size = std::min(script_.number(40'000), max_filled - filled_);
        filled_ += size;
        pending_.append(size, static_cast<char>(script_.byte()));
        return receive({});
      }
      case 4: return send(script_.number(largest_message));
      case 5: return send(script_.byte());
      case 6: {
        left_to_pull_ = script_.number(40);
        pull_size_ = script_.number(5'000);
        return ws_.pull(*this);
      }
      case 7: return ping(fuzz::text_of(script_.bytes(script_.byte())));
      case 8: {
        const auto code = static_cast<close_code>(script_.number(5'000));
        return close(code, fuzz::text_of(script_.bytes(script_.byte())));
      }
      case 9: return consume(script_.number(100'000) % (ws_.output_size() + 1));
      case 10: return settle();
      case 11: now_ += std::chrono::milliseconds(script_.number(1'500)); return;
      case 12: return ws_.receive_eof(*this);
      case 13:
        if (ws_.deadline() == time_point::max()) return;
        now_ = std::max(now_, ws_.deadline());
        return ws_.on_deadline(*this);
      case 14: return receive_message();
      case 15: return send_piece(script_.number(20'000));
      default: return send_to_two(script_.number(10'000));
    }
  }

  // --- In ---

  void receive(std::string_view bytes) {
    pending_ += bytes;
    do {
      const std::span<std::byte> room = in_pieces_ ? ws_.payload_room() : std::span<std::byte>{};
      demand(room.empty() || !in_parts_, "parts need no room");
      std::size_t size = pending_.size();
      // Not so small that a large message takes long.
      if (in_pieces_) size = std::max(pieces_.next(size), size / 64);
      if (!room.empty()) size = std::min(size, room.size());
      const auto piece = fuzz::bytes_of(pending_).first(size);
      std::size_t used = 0;
      if (room.empty()) {
        const fuzz::exact_copy block(piece);
        block_size_ = size;
        used = give(block.bytes());
        settle();
        block_size_ = 0;
      } else {
        std::ranges::copy(piece, room.begin());
        used = give(room.first(size));
      }
      pending_.erase(0, used);
      check();
    } while (!pending_.empty());
  }

  /// A message of a peer that does all as it should.
  void receive_message() {
    const std::uint8_t flags = script_.byte();
    const std::size_t times = 1 + script_.number(300);
    const std::string_view part = fuzz::text_of(script_.bytes(script_.byte()));
    message_.clear();
    for (std::size_t i = 0; i < times && filled_ + part.size() <= max_filled; ++i) {
      message_ += part;
      filled_ += part.size();
    }
    const bool is_compressed = (flags & 2) != 0;
    if (is_compressed && !(agreed_ && agreed_->receives_takeover(setup_.own))) peer_.reset();
    fuzz::append_peer_message(pending_, (flags & 1) != 0 ? 1 : 2, is_compressed,
                              is_compressed ? peer_.message(message_) : message_, 1 + flags / 4 % 4,
                              setup_.own == role::server);
    receive({});
  }

  std::size_t give(std::span<std::byte> block) {
    is_paused_ = false;
    is_paused_within_ = false;
    const bool had_ended = has_ended_;
    const std::size_t used = ws_.receive(block, now_, *this);
    demand(used <= block.size() && (used != 0 || block.empty()),
           "some bytes are used, and no more than given");
    demand(used == block.size() || ((is_paused_ || is_paused_within_) && !had_ended),
           "all are used unless a message paused");
    is_paused_ = false;
    is_paused_within_ = false;
    return used;
  }

  flow on_message(message_view m) override {
    demand(!in_parts_, "messages are whole unless they are wanted in parts");
    return on_whole_message(m);
  }
  flow on_message_part(message_part p) override {
    demand(in_parts_, "messages are in parts only if they are wanted so");
    demand(!is_paused_, "no message begins after a pause");
    demand(!has_ended_ && !is_closing_, "no part is reported after the end");
    demand(p.last || !p.bytes.empty(), "only the last part may be empty");
    demand(parts_.empty() || p.kind == part_kind_, "the parts of a message are of one kind");
    demand(parts_.size() + p.bytes.size() <= options_.max_message_size, "a message is within its limit");
    part_kind_ = p.kind;
    parts_ += fuzz::text_of(p.bytes);
    if (p.last) {
      const bool was_paused = std::exchange(is_paused_within_, false);
      message_.assign(parts_);
      parts_.clear();
      const flow answer = on_whole_message({p.kind, fuzz::bytes_of(message_)});
      is_paused_ = is_paused_ || was_paused;
      return answer;
    }
    const std::uint8_t reaction = setup_.acts_on_parts ? note('p', p.bytes) : reactions_[0];
    if ((reaction & 8) == 0) return flow::proceed;
    is_paused_within_ = true;
    return flow::pause;
  }
  flow on_whole_message(message_view m) {
    demand(m.size() <= options_.max_message_size, "a message is within its limit");
    demand(m.kind() == message_kind::binary || is_valid_utf8(m.bytes()), "text is UTF-8");
    const std::uint8_t reaction = note(m.kind() == message_kind::text ? 'T' : 'B', m.bytes());
    if ((reaction & 16) != 0 && may_send() && commanded_ + m.size() <= max_commanded_) {
      command(m);
      ws_.send(m);
    }
    is_paused_ = (reaction & 8) != 0;
    return is_paused_ ? flow::pause : flow::proceed;
  }
  void on_ping(std::span<const std::byte> payload) override {
    expected_.pings.add(9, fuzz::text_of(payload));
    note('i', payload);
  }
  void on_pong(std::span<const std::byte> payload) override { note('o', payload); }

  void on_close(close_code code, std::string_view reason) override {
    demand(code == close_code::no_status ? reason.empty() : may_be_sent(code),
           "a close code is one for the wire");
    demand(is_valid_utf8(fuzz::bytes_of(reason)), "a reason is UTF-8");
    end(code == close_code::no_status ? std::string() : encoded(code));
    note_end('c', code, reason);
  }
  void on_failure(errc why, close_code code) override {
    demand(why != errc::ok, "a failure has a reason");
    if (code == close_code::abnormal) {
      is_closing_ = true;  // nobody is left to send a close frame to
      end({});
    } else {
      end(encoded(code));
    }
    note_end('f', code, make_error_code(why).message());
  }

  /// Notes an event and acts on it; returns the reaction, for what a message alone can do.
  std::uint8_t note(char kind, std::span<const std::byte> payload) {
    demand(!has_ended_, "nothing is reported after the end");
    demand(!is_closing_, "nothing is reported after our close");
    demand(!is_paused_, "nothing is reported after a pause");
    demand(!is_paused_within_ || kind == 'p', "amid a message nothing but its rest");
    // Not for ever: a large message's bytes may be thousands of small frames.
    const std::uint8_t reaction =
        noted_ < max_reactions ? reactions_[noted_ % reactions_.size()] : std::uint8_t{0};
    ++noted_;
    result_.events.append(1, kind).append(fuzz::text_of(payload)).append(1, '\n');
    if (reaction != 0) check();
    if ((reaction & 1) != 0) ping("from a callback");
    if ((reaction & 2) != 0) consume(ws_.output_size() / 2);
    if ((reaction & 4) != 0) settle();
    if ((reaction & 96) == 96) close(close_code::going_away, "from a callback");
    if ((reaction & 160) == 160 && !has_ended_) ws_.receive_eof(*this);
    return reaction;
  }
  void note_end(char kind, close_code code, std::string_view text) {
    result_.events.append(1, kind).append(encoded(code)).append(text);
    demand(!ws_.is_open() && !ws_.writable() && ws_.ping({}) == errc::closed, "the end is the end");
  }
  void end(std::string closed) {
    demand(!has_ended_ && !is_paused_, "there is one end, and none after a pause");
    if (!is_closing_) expected_.closed = std::move(closed);
    has_ended_ = true;
  }

  // --- Out ---

  bool may_send() const { return ws_.writable() && !sends_pieces_; }

  void command(message_view m, piece p = piece::whole) {
    const bool begins = p == piece::whole || p == piece::first;
    sends_pieces_ = p == piece::first || p == piece::middle;
    commanded_ += m.size();
    ++commands_;
    const unsigned opcode = !begins ? 0 : m.kind() == message_kind::text ? 1 : 2;
    const bool may_be_compressed = m.compression() == compression::allowed;
    expected_.commanded.add(opcode | (sends_pieces_ ? fuzz::sent_frames::goes_on : 0) |
                                (may_be_compressed ? 0 : fuzz::sent_frames::never_compressed),
                            fuzz::text_of(m.bytes()));
  }

  std::span<const std::byte> payload_of(std::size_t size) const {
    return fuzz::bytes_of(pattern).first(std::min({size, largest_message, max_commanded_ - commanded_}));
  }

  void send(std::size_t size) {
    const bool shared = script_.flag();
    if (!may_send()) return;
    const auto payload = payload_of(size);
    const message m(message_kind::binary, shared ? shared_bytes::copy_of(payload) : shared_bytes());
    const message_view view = shared ? message_view(m) : message_view(message_kind::text, payload);
    command(view);
    ws_.send(view);
  }

  void send_piece(std::size_t size) {
    const bool is_last = script_.flag();
    if (!ws_.writable()) return;
    const piece p = !sends_pieces_ ? piece::first : is_last ? piece::last : piece::middle;
    const message_view view(message_kind::text, payload_of(size));
    command(view, p);
    ws_.send(view, p);
  }

  /// As a hub sends one message to two sessions: compressed once if at all.
  void send_to_two(std::size_t size) {
    const bool may_be_compressed = script_.flag();
    const shared_bytes payload =
        shared_bytes::copy_of(payload_of(std::min(size, (max_commanded_ - commanded_) / 2)));
    const message m(message_kind::text, payload,
                    may_be_compressed ? compression::allowed : compression::never);
    for (int i = 0; i < 2 && may_send(); ++i) {
      command(m);
      ws_.send(m);
    }
  }

  /// Messages, or, where one is being sent in pieces, the rest of it.
  std::optional<outgoing> next() override {
    demand(ws_.writable(), "a message is asked for when there is room");
    if (left_to_pull_ == 0 || commanded_ + pull_size_ > max_commanded_) return std::nullopt;
    --left_to_pull_;
    const piece p = !sends_pieces_ ? piece::whole : left_to_pull_ == 0 ? piece::last : piece::middle;
    const message m(message_kind::text, shared_bytes::copy_of(fuzz::bytes_of(pattern).first(pull_size_)));
    command(m, p);
    return outgoing{m, p};
  }

  void ping(std::string_view payload) {
    const std::error_code error = ws_.ping(fuzz::bytes_of(payload));
    if (!ws_.is_open()) return demand(error == errc::closed, "no ping follows the close");
    if (payload.size() > 125) return demand(error == errc::bad_argument, "a ping has up to 125 bytes");
    demand(!error, "a ping of up to 125 bytes is sent");
    ++commands_;
    expected_.commanded.add(9, payload);
  }

  void close(close_code code, std::string_view reason) {
    const bool was_open = ws_.is_open();
    const std::error_code error = ws_.close(code, reason, now_);
    if (!was_open) return demand(error == errc::closed, "there is one close");
    const auto number = static_cast<unsigned>(code);
    const bool no_code = number == 1005;
    const bool for_the_wire = (number >= 1000 && number <= 1003) || (number >= 1007 && number <= 1014) ||
                              (number >= 3000 && number <= 4999);
    const bool valid = (no_code ? reason.empty() : for_the_wire) && reason.size() <= 123 &&
                       is_valid_utf8(fuzz::bytes_of(reason));
    if (!valid)
      return demand(error == errc::bad_argument && ws_.is_open(), "close() refuses what must not be sent");
    demand(!error && !ws_.is_open(), "and takes what may be");
    is_closing_ = true;
    closed_at_ = now_;
    expected_.closed = no_code ? std::string() : encoded(code).append(reason);
  }

  void consume(std::size_t n) {
    check();
    look();
    result_.written.append(text_, 0, n);
    text_.erase(0, n);
    ws_.consume(n);
    pieces_seen_.clear();
    check();
  }
  void settle() {
    check();
    ws_.settle();
    pieces_seen_.clear();
  }

  /// What holds after every call. Sees the output after settle() only when it is asked for again.
  void check() {
    const auto holds_behind = [](std::size_t& at, std::span<const std::byte> piece) {
      if (text_.compare(at, piece.size(), fuzz::text_of(piece)) != 0) return false;
      at += piece.size();
      return true;
    };
    std::size_t at = 0;
    for (const auto piece : pieces_seen_) demand(holds_behind(at, piece), "output() is stable");
    demand(pieces_seen_.empty() || at == text_.size(), "all of output() is stable");
    if (!pieces_seen_.empty() || ws_.output_size() != text_.size()) look();

    const time_point deadline =
        is_closing_ && !has_ended_ ? closed_at_ + options_.close_timeout : time_point::max();
    demand(ws_.deadline() == deadline, "there is a deadline while the close handshake runs");
    demand(ws_.is_open() == !(is_closing_ || has_ended_), "it is open until it closes or ends");
    demand(ws_.wants_shutdown() == (has_ended_ && ws_.output_size() == 0), "shutdown waits for the output");
    const std::size_t received = in_parts_ ? 0 : 2 * options_.max_message_size;
    const std::size_t sent = 2 * std::min(commanded_, largest_message);
    const std::size_t allowed = received + check_compression() + 2 * ws_.output_size() + sent + block_size_ +
                                256 * (commands_ + options_.max_queued_pongs);
    demand(heap_.growth() <= static_cast<std::ptrdiff_t>(allowed), "the heap holds what the limits allow");
  }

  /// What compression may hold.
  std::size_t check_compression() const {
    if (!compression_) return 0;
    const std::size_t zlib = compression_->memory_size();
    // As the table in permessage_deflate.hpp has it, and a quarter more for other versions of zlib.
    const std::size_t compressor = (std::size_t{4} << agreed_->options.send_window_bits) +
                                   (std::size_t{512} << agreed_->options.memory_level) + 5'952;
    demand(zlib <= (compressor + 39'928) * 5 / 4, "zlib holds what was agreed on");
    const bool is_own = agreed_->sends_takeover(setup_.own) && agreed_->receives_takeover(setup_.own);
    demand(!(has_ended_ && is_own) || zlib == 0, "and nothing after the end");
    constexpr std::size_t rooms = 64 * 1024 + 3 * max_commanded_to_deflate;
    return zlib + rooms;
  }

  /// Notes the output, which begins as it was.
  void look() {
    pieces_seen_.clear();
    std::size_t at = 0;
    for (const auto piece : ws_.output()) {
      const std::size_t known = std::min(piece.size(), text_.size() - std::min(at, text_.size()));
      demand(text_.compare(at, known, fuzz::text_of(piece.first(known))) == 0, "output() goes on as it was");
      text_ += fuzz::text_of(piece.subspan(known));
      at += piece.size();
      pieces_seen_.push_back(piece);
    }
    demand(at == text_.size() && at == ws_.output_size(), "output() is as large as it says");
  }

  static std::string encoded(close_code code) {
    const auto number = static_cast<std::uint16_t>(code);
    return {static_cast<char>(number >> 8), static_cast<char>(number & 255)};
  }
  static std::string made_pattern() {
    std::string text(largest_message, '\0');
    for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(' ' + (i * i + i / 95) % 95);
    return text;
  }
  static std::vector<std::span<const std::byte>> with_pieces() {
    std::vector<std::span<const std::byte>> pieces;
    pieces.reserve(64 * 1024);
    return pieces;
  }

  inline static const std::string pattern = made_pattern();
  inline static std::string pending_ = with_room();  // received from the peer and not yet used
  inline static std::string text_ = with_room();     // the output, as it was seen last
  inline static std::vector<std::span<const std::byte>> pieces_seen_ = with_pieces();
  inline static std::string parts_ = with_room();    // of the message that is being received
  inline static std::string message_ = with_room();  // the last one, received in parts or made for the peer
  inline static fuzz::sent_frames expected_;
  inline static fuzz::peer_deflater peer_;

  transcript& result_;
  const fuzz::setup setup_;
  const connection_options options_;
  fuzz::splits pieces_;
  fuzz::input script_;
  const bool in_pieces_;
  const bool in_parts_;
  const std::size_t max_commanded_;
  std::array<std::uint8_t, 4> reactions_{};
  std::size_t noted_ = 0;
  std::size_t filled_ = 0;
  std::size_t block_size_ = 0;  // the target's own, which the connection reads
  std::size_t commanded_ = 0;
  std::size_t commands_ = 0;
  std::size_t left_to_pull_ = 0;
  std::size_t pull_size_ = 0;
  time_point now_{1h};
  time_point closed_at_ = now_;
  bool is_paused_ = false;
  bool is_paused_within_ = false;  // by a part that was not the last of its message
  message_kind part_kind_ = message_kind::text;
  bool sends_pieces_ = false;
  bool is_closing_ = false;
  bool has_ended_ = false;
  fuzz::numbered_keys keys_;
  output_workspace workspace_;
  const heap_watch heap_;
  std::optional<fuzz::agreement> agreed_;
  std::optional<compression_workspace> compression_;
  connection ws_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static transcript whole;
  static transcript in_pieces;
  const fuzz::input script(data, std::min(size, max_script_size));
  run(script, false, whole).to_its_end();
  run(script, true, in_pieces).to_its_end();
  if (size != 0 && fuzz::setup(data[0]).acts_on_parts) return 0;
  demand(in_pieces.events == whole.events, "pieces give the same events");
  demand(in_pieces.written == whole.written, "pieces give the same output");
  return 0;
}
