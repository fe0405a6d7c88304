#include "simple_peer.hpp"

#include "deflate.hpp"
#include "frame.hpp"
#include "handshake.hpp"

#include <optional>
#include <utility>

namespace conformance {
namespace {

// What the peer asks for when it is the client, and grants when it is the server: anything.
const std::vector<deflate_wish> no_wish{{}};

std::string extensions_of(const http_head& head) {
  const auto field = head.fields.find("sec-websocket-extensions");
  return field == head.fields.end() ? std::string() : field->second;
}

class simple_peer_impl final : public peer {
 public:
  simple_peer_impl(side role, flaw f, delivery d) : role_(role), flaw_(f), delivery_(d) {
    if (role == side::client) sent_ = client_request(deflate_offer(no_wish));
  }

  void give(std::string_view bytes) override {
    const std::size_t size = delivery_ == delivery::bytewise ? 1 : bytes.size();
    for (std::size_t at = 0; at < bytes.size(); at += size) receive(bytes.substr(at, size));
  }

  void give_end() override { is_gone_ = flaw_ != flaw::keeps_the_link || role_ == side::server; }
  std::string take() override { return std::exchange(sent_, {}); }
  bool has_ended() const override { return is_gone_ || (has_ended_ && flaw_ != flaw::keeps_the_link); }
  bool is_gone() const override { return is_gone_; }

 private:
  void receive(std::string_view bytes) {
    if (!is_open_) {
      head_ += bytes;
      if (head_.find("\r\n\r\n") == std::string::npos) return;
      shake_hands();
      bytes = head_;
    }
    reader_.feed(bytes);
    while (!has_ended_) {
      const auto f = reader_.next();
      if (!f) return;
      accept(*f);
    }
  }

  void shake_hands() {
    const http_head head = take_head(head_);
    is_open_ = true;
    if (role_ == side::client) {
      check_response(head);
      return agree(read_deflate_answer(extensions_of(head), no_wish));
    }
    const auto answer = answer_deflate_offer(extensions_of(head), no_wish);
    sent_ += server_response(head, answer ? answer->field : std::string());
    if (answer) agree(answer->agreement);
  }

  void agree(const std::optional<deflate_agreement>& agreement) {
    if (!agreement) return;
    deflate_side ours = role_ == side::server ? agreement->server : agreement->client;
    if (flaw_ == flaw::keeps_the_context) ours.no_context_takeover = false;
    if (flaw_ == flaw::exceeds_the_window) ours.window_bits = 15;
    deflater_.emplace(ours);
    inflater_.emplace(role_ == side::server ? agreement->client : agreement->server);
  }

  void accept(const received_frame& f) {
    if (f.masked != (role_ == side::server) || !f.shortest) return fail(1002);
    const bool begins_message = f.opcode == opcodes::text || f.opcode == opcodes::binary;
    const bool may_be_compressed = f.rsv == 4 && inflater_ && begins_message;
    if (f.rsv != 0 && !may_be_compressed && flaw_ != flaw::accepts_reserved_bits) return fail(1002);
    if (begins_message || f.opcode == opcodes::continuation) return accept_data(f);
    if (!f.fin || f.payload.size() > 125) return fail(1002);
    switch (f.opcode) {
      case opcodes::ping: return accept_ping(f.payload);
      case opcodes::pong: return;
      case opcodes::close: return accept_close(f.payload);
      default: return fail(1002);
    }
  }

  void accept_ping(const std::string& payload) {
    if (flaw_ == flaw::no_pong) return;
    if (flaw_ != flaw::late_pong || !in_message_) return send(opcodes::pong, payload);
    late_pongs_.push_back(payload);
  }

  void accept_data(const received_frame& f) {
    if ((f.opcode == opcodes::continuation) != in_message_) return fail(1002);
    if (!in_message_) {
      opcode_ = f.opcode;
      is_compressed_ = f.rsv == 4;
    }
    in_message_ = !f.fin;
    message_ += f.payload;
    if (in_message_) return;
    if (is_compressed_ && inflater_) {
      const auto inflated = inflater_->inflate(message_);
      if (!inflated) return fail(1007);
      message_ = *inflated;
    }
    if (opcode_ == opcodes::text && flaw_ != flaw::accepts_any_text && !is_utf8(message_)) return fail(1007);
    echo(std::exchange(message_, {}));
  }

  void echo(std::string message) {
    if (flaw_ == flaw::drops_last_byte && !message.empty()) message.pop_back();
    const unsigned opcode = flaw_ == flaw::echoes_as_binary ? opcodes::binary : opcode_;
    if (deflater_) {
      send(opcode, deflater_->compress(message), 4);
    } else {
      send(opcode, message);
    }
    for (const std::string& payload : std::exchange(late_pongs_, {})) send(opcodes::pong, payload);
  }

  void accept_close(const std::string& payload) {
    if (payload.size() == 1 || (payload.size() > 2 && !is_utf8(std::string_view(payload).substr(2))))
      return fail(1002);
    if (!payload.empty()) {
      const unsigned code =
          static_cast<unsigned char>(payload[0]) * 256u + static_cast<unsigned char>(payload[1]);
      const bool is_good =
          (code >= 1000 && code <= 1011 && (code < 1004 || code > 1006)) || (code >= 3000 && code < 5000);
      if (!is_good && flaw_ != flaw::accepts_any_close_code) return fail(1002);
    }
    if (flaw_ != flaw::no_close_frame) send(opcodes::close, payload.substr(0, 2));
    if (flaw_ == flaw::talks_after_close) send(opcodes::ping, {});
    has_ended_ = true;
  }

  void fail(unsigned code) {
    append_frame(sent_, close_with(flaw_ == flaw::wrong_close_code ? 1011 : code), key());
    has_ended_ = true;
  }

  void send(unsigned opcode, std::string_view payload, unsigned rsv = 0) {
    append_frame(sent_, opcode, payload, true, rsv, key());
  }

  std::optional<mask_bytes> key() const {
    if ((role_ == side::client) == (flaw_ == flaw::masks_wrongly)) return std::nullopt;
    return mask_bytes{1, 2, 3, 4};
  }

  const side role_;
  const flaw flaw_;
  const delivery delivery_;
  std::string head_;
  std::string sent_;
  frame_reader reader_;
  std::optional<deflater> deflater_;
  std::optional<inflater> inflater_;
  std::string message_;
  std::vector<std::string> late_pongs_;
  unsigned opcode_ = 0;
  bool in_message_ = false;
  bool is_compressed_ = false;
  bool is_open_ = false;
  bool has_ended_ = false;
  bool is_gone_ = false;
};

}  // namespace

peer_kind simple_peer(side role, flaw f) {
  return {role, "", [role, f](delivery d) { return std::make_unique<simple_peer_impl>(role, f, d); }};
}

}  // namespace conformance
