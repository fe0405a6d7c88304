#include "tester.hpp"

#include "handshake.hpp"

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <utility>

namespace conformance {
namespace {

// The case is over, for this reason.
struct case_failed : std::runtime_error {
  using std::runtime_error::runtime_error;
};

unsigned code_in(std::string_view close_payload) {
  return (static_cast<unsigned char>(close_payload[0]) * 256u) + static_cast<unsigned char>(close_payload[1]);
}

// The codes that may stand in a close frame (RFC 6455 section 7.4 and IANA's registry).
bool is_sendable(unsigned code) {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

// "text, 13 bytes: "Hello, world!"; pong, 0 bytes", or "nothing".
std::string in_words(const std::vector<event>& events) {
  std::string text;
  for (const event& e : events) text += (text.empty() ? "" : "; ") + describe(e);
  return text.empty() ? "nothing" : text;
}

// The other end of the connection.
class tester {
 public:
  tester(const test_case& c, const peer_kind& kind, delivery d, effort e, result& r)
      : case_(c), role_(kind.role), effort_(e), result_(r), peer_(kind.make(d)) {}

  void run() {
    try {
      play();
    } catch (const std::runtime_error& failure) {
      result_.v = verdict::failed;
      result_.reason = failure.what();
    }
    result_.received = in_words(events_);
  }

 private:
  void play() {
    shake_hands();
    if (!case_.deflate.empty() && !deflater_) {
      result_.reason = "the peer does not speak permessage-deflate";
      result_.v = verdict::unimplemented;
      close_connection();
      return;
    }
    for (const step& s : case_.script) {
      if (!std::visit([this](const auto& what) { return perform(what); }, s)) break;
    }
    flush();
    const std::string fault = end_connection();
    judge(fault);
  }

  // --- The opening handshake.

  void shake_hands() {
    if (role_ == side::server) {
      const std::string offer = deflate_offer(case_.deflate);
      peer_->give(client_request(offer));
      unread_ += peer_->take();
      const http_head response = take_head(unread_);
      check_response(response);
      agree(extensions_of(response), read_deflate_answer(extensions_of(response), case_.deflate));
    } else {
      unread_ += peer_->take();
      const http_head request = take_head(unread_);
      const auto answer = answer_deflate_offer(extensions_of(request), case_.deflate);
      peer_->give(server_response(request, answer ? answer->field : std::string()));
      if (answer) agree(answer->field, answer->agreement);
    }
    result_.log.add({wire_log::direction::neither,
                     "open" + (result_.extensions.empty() ? std::string() : ", " + result_.extensions)});
    reader_.feed(std::exchange(unread_, {}));
    read();
  }

  static std::string extensions_of(const http_head& head) {
    const auto field = head.fields.find("sec-websocket-extensions");
    return field == head.fields.end() ? std::string() : field->second;
  }

  void agree(std::string extensions, const std::optional<deflate_agreement>& agreement) {
    if (!agreement) return;
    result_.extensions = std::move(extensions);
    deflater_.emplace(role_ == side::server ? agreement->client : agreement->server);
    inflater_.emplace(role_ == side::server ? agreement->server : agreement->client);
  }

  // --- The script. False when the rest of it is not wanted any more.

  bool perform(const send_frame& s) {
    if (s.piece_size == 0 && !s.alone) {
      append(s.f);
      return true;
    }
    flush();
    append(s.f);
    flush(s.piece_size);
    return true;
  }

  bool perform(const send_fragments& s) {
    append_fragments(s.f.opcode, s.f.payload.bytes(), s.fragment_size, 0);
    return true;
  }

  bool perform(const send_part& s) {
    std::string whole;
    append_frame(whole, s.f, key_for_parts());
    const std::size_t head_size = whole.size() - s.f.payload.size();
    const std::size_t begin = s.begin == 0 ? 0 : head_size + s.begin;
    unsent_ += whole.substr(begin, head_size + s.end - begin);
    result_.log.add({wire_log::direction::sent,
                     "bytes " + std::to_string(s.begin) + " to " + std::to_string(s.end) + " of " +
                         describe(s.f.opcode, s.f.fin, s.f.rsv, s.f.payload.bytes()),
                     hexadecimal(unsent_, 24)});
    flush();
    return true;
  }

  bool perform(const pause& p) {
    flush();
    if (!is_open()) return false;
    result_.log.add({wire_log::direction::neither, "pause " + p.name});
    if (!p.name.empty()) events_.push_back({event_kind::pause, p.name});
    return true;
  }

  bool perform(const volley& v) {
    std::size_t cursor = 0;
    const std::size_t count = count_of(v);
    for (std::size_t i = 0; i < count; ++i) {
      std::string message = v.payload.bytes();
      if (v.source != nullptr) {
        message = v.source->cut(cursor, v.size);
        cursor = (cursor + v.size) % v.source->size();
      }
      append_message(v, message);
      flush();
      const event_kind kind = v.opcode == opcodes::text ? event_kind::text : event_kind::binary;
      if (events_.size() != 1 || events_.front().kind != kind || !(events_.front().payload == message)) {
        throw case_failed("message " + std::to_string(i + 1) + " of " + std::to_string(count) +
                          " did not come back");
      }
      events_.clear();
      ++result_.messages;
    }
    return true;
  }

  std::size_t count_of(const volley& v) const {
    if (v.source == nullptr || effort_.compression_volume == 0) return v.count;
    return std::clamp<std::size_t>(effort_.compression_volume / v.size, 16, v.count);
  }

  // --- Sending.

  void append(const frame& f) { append(f.opcode, f.payload.bytes(), f.fin, f.rsv); }

  void append(unsigned opcode, std::string_view payload, bool fin, unsigned rsv) {
    const std::size_t begin = unsent_.size();
    append_frame(unsent_, opcode, payload, fin, rsv, next_key());
    if (opcode == opcodes::close) close_sent_ = true;
    log(wire_log::direction::sent, opcode, fin, rsv, payload, std::string_view(unsent_).substr(begin));
  }

  void append_message(const volley& v, const std::string& message) {
    if (deflater_) {
      append_fragments(v.opcode, deflater_->compress(message), v.fragment_size, 4);
    } else {
      append_fragments(v.opcode, message, v.fragment_size, 0);
    }
  }

  // Full frames, and a last one with what is left, which may be nothing.
  void append_fragments(unsigned opcode, std::string_view payload, std::size_t size, unsigned rsv) {
    if (size == 0 || payload.size() <= size) return append(opcode, payload, true, rsv);
    append(opcode, payload.substr(0, size), false, rsv);
    payload.remove_prefix(size);
    for (; payload.size() >= size; payload.remove_prefix(size)) {
      append(opcodes::continuation, payload.substr(0, size), false, 0);
    }
    append(opcodes::continuation, payload, true, 0);
  }

  void flush(std::size_t piece_size = 0) {
    const std::string bytes = std::exchange(unsent_, {});
    const std::size_t size = piece_size == 0 ? bytes.size() : piece_size;
    for (std::size_t at = 0; at < bytes.size(); at += size) {
      peer_->give(std::string_view(bytes).substr(at, size));
      receive();
    }
    receive();
  }

  std::optional<mask_bytes> next_key() {
    if (role_ == side::client) return std::nullopt;
    key_ = key_ * 1'103'515'245 + 12'345;
    return mask_bytes{static_cast<unsigned char>(key_ >> 24), static_cast<unsigned char>(key_ >> 16),
                      static_cast<unsigned char>(key_ >> 8), static_cast<unsigned char>(key_)};
  }

  // The parts of one frame need one key.
  std::optional<mask_bytes> key_for_parts() const {
    if (role_ == side::client) return std::nullopt;
    return mask_bytes{0x37, 0xfa, 0x21, 0x3d};
  }

  // --- Receiving.

  void receive() {
    const std::string bytes = peer_->take();
    if (bytes.empty()) return;
    reader_.feed(bytes);
    read();
  }

  void read() {
    while (auto f = reader_.next()) {
      log(wire_log::direction::received, f->opcode, f->fin, f->rsv, f->payload,
          f->head + f->payload.substr(0, 24));
      accept(*f);
    }
  }

  void accept(const received_frame& f) {
    demand(!close_received_, "it sent a frame behind its close frame");
    demand(f.masked == (role_ == side::client),
           f.masked ? "a server's frame is masked" : "a client's frame is not masked");
    demand(f.shortest, "a length is not in its shortest form");
    const bool begins_message = f.opcode == opcodes::text || f.opcode == opcodes::binary;
    demand(f.rsv == 0 || (f.rsv == 4 && inflater_ && begins_message), "it set a reserved bit");
    if (begins_message || f.opcode == opcodes::continuation) return accept_data(f);
    demand(f.fin, "a control frame is fragmented");
    demand(f.payload.size() <= 125, "a control frame is longer than 125 bytes");
    switch (f.opcode) {
      case opcodes::ping:
        append(opcodes::pong, f.payload, true, 0);
        events_.push_back({event_kind::ping, f.payload});
        break;
      case opcodes::pong: events_.push_back({event_kind::pong, f.payload}); break;
      case opcodes::close: accept_close(f.payload); break;
      default: throw case_failed("it sent a reserved opcode");
    }
  }

  void accept_data(const received_frame& f) {
    demand((f.opcode == opcodes::continuation) == in_message_, "its fragments are out of order");
    if (!in_message_) {
      message_.clear();
      message_opcode_ = f.opcode;
      is_compressed_ = f.rsv != 0;
    }
    in_message_ = !f.fin;
    message_ += f.payload;
    if (in_message_) return;
    if (is_compressed_) {
      auto inflated = inflater_->inflate(message_);
      demand(inflated.has_value(), "a message cannot be inflated with what was agreed");
      message_ = std::move(*inflated);
    }
    const bool is_text = message_opcode_ == opcodes::text;
    demand(!is_text || is_utf8(message_), "its text is not UTF-8");
    events_.push_back({is_text ? event_kind::text : event_kind::binary, std::exchange(message_, {})});
  }

  void accept_close(const std::string& payload) {
    close_received_ = true;
    result_.close_code = 1005;
    if (payload.empty()) return;
    demand(payload.size() != 1, "its close frame has one byte");
    result_.close_code = code_in(payload);
    const bool is_allowed = std::ranges::count(case_.end.codes, *result_.close_code) != 0;
    demand(is_allowed || is_sendable(*result_.close_code), "its close code may not be sent");
    demand(is_utf8(std::string_view(payload).substr(2)), "the reason in its close frame is not UTF-8");
  }

  static void demand(bool condition, const char* words) {
    if (!condition) throw case_failed(words);
  }

  bool is_open() const { return !close_received_ && !peer_->has_ended(); }

  // --- The end.

  // What is wrong with the way the connection ends; empty when nothing is.
  std::string end_connection() {
    const bool ended_by_peer = !is_open();
    if (!close_sent_) append(close_received_ ? answer_to_close() : close_with(1000));
    flush();
    std::string fault = fault_of_close(ended_by_peer);
    const std::string late = end_link();
    return fault.empty() ? late : fault;
  }

  frame answer_to_close() const {
    return result_.close_code == 1005u ? close_of({}) : close_with(*result_.close_code);
  }

  std::string fault_of_close(bool ended_by_peer) const {
    const ending& e = case_.end;
    if (e.by == ending::starter::peer && !ended_by_peer) return "the peer did not fail the connection";
    if (e.by == ending::starter::tester && ended_by_peer) return "the peer ended the connection";
    if (e.needs_close_frame && !close_received_) return "the peer sent no close frame";
    if (!close_received_ && !peer_->has_ended())
      return "the peer neither sent a close frame nor ended the connection";
    if (!result_.close_code || *result_.close_code == 1005) return {};
    if (std::ranges::find(e.codes, *result_.close_code) != e.codes.end()) return {};
    return "the close code is " + std::to_string(*result_.close_code);
  }

  // "The server MUST close the TCP connection immediately" (section 7.1.1); a client waits for that.
  std::string end_link() {
    if (role_ == side::server && !peer_->has_ended())
      return "the server left it to the client to end the link";
    peer_->give_end();
    receive();
    demand(reader_.empty(), "its last frame is not whole");
    return peer_->is_gone() ? "" : "the peer keeps the connection";
  }

  void close_connection() {
    append(close_with(1000));
    flush();
    peer_->give_end();
  }

  void judge(const std::string& fault) {
    if (case_.is_informational) {
      result_.v = verdict::informational;
      return;
    }
    if (!fault.empty()) throw case_failed(fault);
    for (const outcome& o : case_.outcomes) {
      if (!is_same(o.events)) continue;
      result_.v = o.v;
      if (o.v != verdict::ok) result_.reason = "allowed, but not strict";
      return;
    }
    throw case_failed("what arrived is not what was expected");
  }

  bool is_same(const std::vector<event>& expected) const {
    return std::ranges::equal(events_, expected, [](const event& a, const event& b) {
      return a.kind == b.kind && b.payload == a.payload.bytes();
    });
  }

  void log(wire_log::direction way, unsigned opcode, bool fin, unsigned rsv, std::string_view payload,
           std::string_view bytes) {
    // A close frame is always worth its line.
    if (!result_.log.has_room() && opcode != opcodes::close) return result_.log.skip();
    result_.log.add({way, describe(opcode, fin, rsv, payload), hexadecimal(bytes, 24)});
  }

  const test_case& case_;
  const side role_;
  const effort effort_;
  result& result_;
  std::unique_ptr<peer> peer_;

  std::vector<event> events_;
  std::string unsent_;
  std::string unread_;  // before the handshake is done
  frame_reader reader_;
  std::optional<deflater> deflater_;
  std::optional<inflater> inflater_;

  std::string message_;
  unsigned message_opcode_ = 0;
  bool in_message_ = false;
  bool is_compressed_ = false;
  bool close_sent_ = false;
  bool close_received_ = false;
  unsigned key_ = 0x1234567;
};

std::string list_of(const std::vector<unsigned>& codes) {
  std::string text;
  for (const unsigned code : codes) text += (text.empty() ? "" : " or ") + std::to_string(code);
  return text;
}

}  // namespace

result run_case(const test_case& c, const peer_kind& kind, delivery d, effort e) {
  result r;
  const auto begin = std::chrono::steady_clock::now();
  tester(c, kind, d, e, r).run();
  r.time = std::chrono::steady_clock::now() - begin;
  return r;
}

std::string describe_expected(const test_case& c) {
  std::string words;
  for (const outcome& o : c.outcomes) {
    words += (words.empty() ? "" : ", or not strictly ") + in_words(o.events);
  }
  const std::string codes = list_of(c.end.codes);
  switch (c.end.by) {
    case ending::starter::peer:
      return words + "; then the peer fails the connection, with " + codes + " if it says why";
    case ending::starter::script:
      return words + "; a close frame with " + codes + (c.end.needs_close_frame ? "" : ", or none");
    default: return words + "; close handshake with " + codes;
  }
}

}  // namespace conformance
