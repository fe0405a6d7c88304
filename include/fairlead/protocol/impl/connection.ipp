#ifndef FAIRLEAD_PROTOCOL_IMPL_CONNECTION_IPP
#define FAIRLEAD_PROTOCOL_IMPL_CONNECTION_IPP

#include <fairlead/protocol/connection.hpp>
#include <fairlead/wire/mask.hpp>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <limits>
#include <utility>

namespace fairlead::inline FAIRLEAD_ABI {
namespace detail {

// An unfinished message begins with room for what was announced, but no more than this.
inline constexpr std::size_t first_assembly_size = 64 * 1024;

// What is inflated for a sink that takes parts may be 1,032 times as much, and the sink is asked only behind it
// whether it wants to pause: so little of the input is taken at a time.
inline constexpr std::size_t max_inflate_step = 256;

// From so many missing bytes on a message is read straight into its own buffer. Below, one read into the
// thread's buffer that also catches the frames behind it is cheaper.
inline constexpr std::size_t min_direct_read_size = 16 * 1024;

/// The close code that answers a peer's fault (RFC 6455 section 7.4.1).
constexpr close_code close_code_of(errc e) noexcept {
  switch (e) {
    case errc::bad_utf8:
    case errc::bad_compression: return close_code::invalid_payload;
    case errc::message_too_big: return close_code::message_too_big;
    case errc::too_many_fragments:
    case errc::fragment_rate_exceeded:
    case errc::too_many_control_frames: return close_code::policy_violation;
    case errc::connection_lost:
    case errc::close_timeout: return close_code::abnormal;
    default: return close_code::protocol_error;
  }
}

}  // namespace detail

FAIRLEAD_DECL connection::connection(role r, const connection_options& options, output_workspace& workspace,
                                     mask_key_source* mask_keys) noexcept
    : options_(&options), mask_keys_(mask_keys), out_(workspace), role_(r) {
  assert((r == role::client) == (mask_keys != nullptr));
}

FAIRLEAD_DECL connection::~connection() = default;

FAIRLEAD_DECL void connection::enable_deflate(const deflate_params& agreed, const deflate_options& options,
                                              compression_workspace& workspace) {
  compression_ = std::make_unique<detail::message_compression>(role_, agreed, options, workspace);
}

FAIRLEAD_DECL void connection::release() noexcept { compression_.reset(); }

FAIRLEAD_DECL std::size_t connection::receive(std::span<std::byte> in, time_point now, event_sink& sink) {
  lent_ = in;
  std::size_t used = 0;
  while (state_ != state::finished) {
    if (!in_payload_) {
      if (used == in.size()) return used;
      used += decode_header(in.subspan(used), now, sink);
      if (!in_payload_) continue;  // the input ended within the header, or the connection failed
    }
    const std::span<std::byte> rest = in.subspan(used);
    std::size_t size = static_cast<std::size_t>(std::min<std::uint64_t>(payload_left_, rest.size()));
    if (in_parts_ && message_compressed_) size = std::min(size, detail::max_inflate_step);
    used += size;
    if (size == 0 && payload_left_ != 0) return used;
    if (receive_payload(rest.first(size), sink) == flow::pause) return used;
  }
  return in.size();
}

FAIRLEAD_DECL std::size_t connection::decode_header(std::span<const std::byte> in, time_point now,
                                                    event_sink& sink) {
  const std::size_t before = header_size_;
  std::span<const std::byte> bytes = in;
  if (before != 0) {
    const std::size_t more = std::min(in.size(), header_.size() - before);
    std::memcpy(header_.data() + before, in.data(), more);
    bytes = std::span(header_).first(before + more);
  }
  const decoded_frame_header decoded = decode_frame_header(bytes);
  if (decoded.error != errc::ok) {
    fail(decoded.error, sink);
    return in.size();
  }
  if (decoded.size == 0) {
    if (before == 0) std::memcpy(header_.data(), in.data(), in.size());
    header_size_ = static_cast<std::uint8_t>(bytes.size());
    return in.size();
  }
  header_size_ = 0;
  if (const errc error = check_header(decoded.header, now); error != errc::ok) {
    fail(error, sink);
    return in.size();
  }
  const frame_header& h = decoded.header;
  frame_op_ = h.op;
  frame_fin_ = h.fin;
  payload_left_ = h.payload_size;
  key_ = h.mask.value_or(mask_key{});
  key_offset_ = 0;
  in_payload_ = true;
  return decoded.size - before;
}

FAIRLEAD_DECL errc connection::check_header(const frame_header& h, time_point now) noexcept {
  // "MUST be 0 unless an extension is negotiated that defines meanings for non-zero values." (section 5.2)
  // RSV1 says that the message is compressed, and stands in its first frame (RFC 7692 section 6).
  const bool begins_message = h.op == opcode::text || h.op == opcode::binary;
  const bool may_be_compressed = compression_ != nullptr && begins_message;
  if (h.rsv2 || h.rsv3 || (h.rsv1 && !may_be_compressed)) return errc::reserved_bits;
  // "a client MUST mask all frames that it sends", "A server MUST NOT mask any frames" (section 5.1)
  if (role_ == role::server && !h.mask) return errc::mask_missing;
  if (role_ == role::client && h.mask) return errc::mask_unexpected;
  if (is_control(h.op)) return count_control_frame(now);

  // After our close frame data is skipped, whatever it is.
  if (state_ != state::open) return errc::ok;

  if (h.op == opcode::continuation) {
    if (!in_message_) return errc::unexpected_continuation;  // section 5.4
  } else {
    // "The fragments of one message MUST NOT be interleaved between the fragments of another message"
    // (section 5.4)
    if (in_message_) return errc::message_interleaved;
    in_message_ = true;
    message_since_ = now;
    message_kind_ = h.op == opcode::text ? message_kind::text : message_kind::binary;
    message_compressed_ = h.rsv1;
    in_parts_ = wants_parts_;
    inflated_size_ = 0;
    message_size_ = 0;
    frames_ = 0;
    utf8_.reset();
  }
  // Not `message_size_ + payload_size`: the sum of two sizes that the peer chose may wrap.
  if (h.payload_size > max_announced_size() - std::min(message_size_, max_announced_size()))
    return errc::message_too_big;
  message_size_ += static_cast<std::size_t>(h.payload_size);
  if (++frames_ > options_->max_fragments) return errc::too_many_fragments;
  return h.fin && begins_message ? errc::ok : count_fragment(now);
}

// The limit holds for what a message inflates to. Compressed data of useless blocks may still be larger than
// that, and is bounded too.
FAIRLEAD_DECL std::size_t connection::max_announced_size() const noexcept {
  const std::size_t limit = max_message_size();
  if (!message_compressed_) return limit;
  constexpr std::size_t highest = std::numeric_limits<std::size_t>::max();
  return limit < highest / 2 - 1024 ? 2 * limit + 1024 : highest;
}

FAIRLEAD_DECL void connection::move_frame_window(time_point now) noexcept {
  if (now - frame_window_ < std::chrono::seconds(1)) return;
  frame_window_ = now;
  control_frames_ = 0;
  fragments_ = 0;
}

FAIRLEAD_DECL errc connection::count_fragment(time_point now) noexcept {
  move_frame_window(now);
  return ++fragments_ > options_->max_fragments_per_second ? errc::fragment_rate_exceeded : errc::ok;
}

FAIRLEAD_DECL errc connection::count_control_frame(time_point now) noexcept {
  move_frame_window(now);
  return ++control_frames_ > options_->max_control_frames_per_second ? errc::too_many_control_frames
                                                                     : errc::ok;
}

FAIRLEAD_DECL flow connection::receive_payload(std::span<std::byte> piece, event_sink& sink) {
  payload_left_ -= piece.size();
  const bool last_piece = payload_left_ == 0;
  in_payload_ = !last_piece;
  const bool control = is_control(frame_op_);
  if (!control && state_ != state::open) return flow::proceed;

  if (role_ == role::server) {
    apply_mask(piece, key_, key_offset_);
    key_offset_ = static_cast<std::uint8_t>((key_offset_ + piece.size()) % key_.size());
  }
  if (!control) return receive_data(piece, last_piece, sink);
  receive_control(piece, last_piece, sink);
  return flow::proceed;
}

FAIRLEAD_DECL flow connection::receive_data(std::span<std::byte> piece, bool last_piece, event_sink& sink) {
  const bool last_of_message = last_piece && frame_fin_;
  if (in_parts_) {
    return message_compressed_ ? receive_compressed_parts(piece, last_of_message, sink)
                               : receive_part(piece, last_of_message, sink);
  }
  if (message_compressed_) return receive_compressed(piece, last_of_message, sink);
  const bool is_text = message_kind_ == message_kind::text;

  const std::span<std::byte> room = assembly_.room();
  const bool read_in_place = !room.empty() && piece.data() == room.data();

  // The whole message lies in the link's buffer; frames before this one were empty.
  if (last_of_message && assembly_.empty() && !read_in_place) {
    if (is_text && !is_valid_utf8(piece)) {
      fail(errc::bad_utf8, sink);
      return flow::proceed;
    }
    in_message_ = false;
    assembly_.clear();  // room that was offered and not used
    return sink.on_message({message_kind_, piece});
  }

  // Text fails at the first impossible byte, not at the end of the message (section 8.1).
  if (is_text && !(utf8_.feed(piece) && (!last_of_message || utf8_.complete()))) {
    fail(errc::bad_utf8, sink);
    return flow::proceed;
  }
  if (read_in_place) {
    assembly_.commit(piece.size());
    lent_ = {};  // the bytes are the message's and end with it, unlike those in the link's buffer
  } else {
    if (assembly_.capacity() == 0 && !piece.empty()) {
      assembly_.reserve(std::min(message_size_, detail::first_assembly_size));
    }
    assembly_.append(piece);
  }
  if (!last_of_message) return flow::proceed;

  in_message_ = false;
  const shared_bytes whole = assembly_.freeze();
  return sink.on_message({message_kind_, whole});
}

FAIRLEAD_DECL flow connection::receive_part(std::span<const std::byte> bytes, bool last_of_message,
                                            event_sink& sink) {
  const bool is_text = message_kind_ == message_kind::text;
  if (is_text && !(utf8_.feed(bytes) && (!last_of_message || utf8_.complete()))) {
    fail(errc::bad_utf8, sink);
    return flow::proceed;
  }
  return hand_out_part(bytes, last_of_message, sink);
}

FAIRLEAD_DECL flow connection::hand_out_part(std::span<const std::byte> bytes, bool last_of_message,
                                             event_sink& sink) {
  if (last_of_message) in_message_ = false;
  if (bytes.empty() && !last_of_message) return flow::proceed;
  return sink.on_message_part({message_kind_, bytes, last_of_message});
}

// Of several faults the first in the message counts, so that it does not matter how the message was cut.
FAIRLEAD_DECL errc connection::check_inflated(const detail::message_compression::inflated& step,
                                              std::size_t left, bool ends_message) noexcept {
  const bool is_text = message_kind_ == message_kind::text;
  const std::size_t within_limit = std::min(step.bytes.size(), left);
  if (is_text && !utf8_.feed(step.bytes.first(within_limit))) return errc::bad_utf8;
  if (step.bytes.size() > left) return errc::message_too_big;
  if (step.result == detail::inflate_result::corrupt) return errc::bad_compression;
  return is_text && ends_message && !utf8_.complete() ? errc::bad_utf8 : errc::ok;
}

// Inflates from the front of `piece`, as message_compression::inflate() does, of a message of which `size_before`
// bytes are out. Nothing when the connection failed.
FAIRLEAD_DECL std::optional<connection::inflated_step> connection::inflate_step(
    std::span<const std::byte>& piece, bool last_of_message, std::size_t size_before, event_sink& sink) {
  const std::size_t left = max_message_size() - std::min(size_before, max_message_size());
  const auto step = compression_->inflate(piece, last_of_message, std::max<std::size_t>(left, left + 1));
  const bool is_done = step.result == detail::inflate_result::done;
  const bool ends_message = is_done && last_of_message;
  if (const errc error = check_inflated(step, left, ends_message); error != errc::ok) {
    fail(error, sink);
    return std::nullopt;
  }
  return inflated_step{step.bytes, is_done, ends_message};
}

FAIRLEAD_DECL flow connection::receive_compressed_parts(std::span<const std::byte> piece,
                                                        bool last_of_message, event_sink& sink) {
  flow wanted = flow::proceed;
  for (;;) {
    const auto step = inflate_step(piece, last_of_message, inflated_size_, sink);
    if (!step) return flow::proceed;
    inflated_size_ += step->bytes.size();
    if (hand_out_part(step->bytes, step->ends_message, sink) == flow::pause) wanted = flow::pause;
    if (step->is_done || state_ != state::open) return wanted;  // the sink may have closed the connection
  }
}

FAIRLEAD_DECL flow connection::receive_compressed(std::span<const std::byte> piece, bool last_of_message,
                                                  event_sink& sink) {
  for (;;) {
    const auto step = inflate_step(piece, last_of_message, assembly_.size(), sink);
    if (!step) return flow::proceed;
    if (step->ends_message && assembly_.empty()) {
      in_message_ = false;
      return sink.on_message({message_kind_, step->bytes});
    }
    assembly_.append(step->bytes);
    if (step->ends_message) {
      in_message_ = false;
      const shared_bytes whole = assembly_.freeze();
      return sink.on_message({message_kind_, whole});
    }
    if (step->is_done) return flow::proceed;
  }
}

FAIRLEAD_DECL std::span<std::byte> connection::payload_room() {
  if (!in_payload_ || is_control(frame_op_) || state_ != state::open) return {};
  if (in_parts_ || message_compressed_) return {};
  if (payload_left_ < detail::min_direct_read_size) return {};
  const std::size_t left = static_cast<std::size_t>(payload_left_);
  if (assembly_.room().empty()) {
    // Doubling, so that the room grows with what has arrived.
    const std::size_t grown = std::max(detail::first_assembly_size, 2 * assembly_.size());
    assembly_.reserve(std::min(assembly_.size() + left, grown));
  }
  const std::span<std::byte> room = assembly_.room();
  return room.first(std::min(left, room.size()));
}

FAIRLEAD_DECL void connection::receive_control(std::span<std::byte> piece, bool last_piece,
                                               event_sink& sink) {
  std::span<const std::byte> payload = piece;
  if (!last_piece || !control_.empty()) {
    control_.append(piece);
    if (!last_piece) return;
    payload = control_.bytes();
  }
  switch (frame_op_) {
    case opcode::ping:
      answer_ping(payload);
      if (state_ == state::open) sink.on_ping(payload);
      break;
    case opcode::pong:
      if (state_ == state::open) sink.on_pong(payload);
      break;
    default: on_close_frame(payload, sink); break;
  }
  control_.clear();
}

FAIRLEAD_DECL void connection::on_close_frame(std::span<const std::byte> payload, event_sink& sink) {
  close_code code = close_code::no_status;
  std::string_view reason;
  if (!payload.empty()) {
    // "the first two bytes of the body MUST be a 2-byte unsigned integer" (section 5.5.1)
    if (payload.size() == 1) return fail(errc::bad_close_payload, sink);
    code = static_cast<close_code>((std::to_integer<unsigned>(payload[0]) << 8) |
                                   std::to_integer<unsigned>(payload[1]));
    if (!may_be_sent(code)) return fail(errc::bad_close_code, sink);
    if (!is_valid_utf8(payload.subspan(2))) return fail(errc::bad_utf8, sink);
    reason = {reinterpret_cast<const char*>(payload.data()) + 2, payload.size() - 2};
  }
  // "If an endpoint receives a Close frame and did not previously send a Close frame, the endpoint MUST send
  // a Close frame in response." (section 5.5.1)
  if (state_ == state::open) append_close(code, {});
  state_ = state::finished;
  release();
  sink.on_close(code, reason);
}

FAIRLEAD_DECL void connection::fail(errc why, event_sink& sink) {
  const close_code code = detail::close_code_of(why);
  if (state_ == state::open && code != close_code::abnormal)
    append_close(code, make_error_code(why).message());
  state_ = state::finished;
  assembly_.clear();
  control_.clear();
  release();
  sink.on_failure(why, code);
}

FAIRLEAD_DECL void connection::receive_eof(event_sink& sink) {
  if (state_ != state::finished) fail(errc::connection_lost, sink);
}

FAIRLEAD_DECL void connection::on_deadline(event_sink& sink) {
  if (state_ != state::finished) fail(errc::close_timeout, sink);
}

FAIRLEAD_DECL void connection::answer_ping(std::span<const std::byte> payload) {
  if (state_ != state::open) return;
  if (queued_pongs_ == 0 || queued_pongs_ < options_->max_queued_pongs) return append_pong(payload);
  // "If an endpoint receives a Ping frame and has not yet sent Pong frame(s) in response to previous Ping
  // frame(s), the endpoint MAY elect to send a Pong frame for only the most recently processed Ping frame."
  // (section 5.5.3)
  newest_ping_.clear();
  newest_ping_.reserve(max_control_payload);
  newest_ping_.append(payload);
}

FAIRLEAD_DECL void connection::append_pong(std::span<const std::byte> payload) {
  append_control(opcode::pong, payload);
  ++queued_pongs_;
  pongs_end_ = out_.size();
}

FAIRLEAD_DECL std::error_code connection::ping(std::span<const std::byte> payload) {
  if (state_ != state::open) return errc::closed;
  if (payload.size() > max_control_payload) return errc::bad_argument;
  append_control(opcode::ping, payload);
  return {};
}

FAIRLEAD_DECL std::error_code connection::check_close(close_code code, std::string_view reason) noexcept {
  const bool has_code = code != close_code::no_status;
  if (has_code ? !may_be_sent(code) : !reason.empty()) return errc::bad_argument;
  if (reason.size() > max_close_reason_size) return errc::bad_argument;
  if (!is_valid_utf8(std::as_bytes(std::span(reason)))) return errc::bad_argument;
  return {};
}

FAIRLEAD_DECL std::error_code connection::close(close_code code, std::string_view reason, time_point now) {
  if (state_ != state::open) return errc::closed;
  if (const std::error_code error = check_close(code, reason)) return error;
  append_close(code, reason);
  state_ = state::closing;
  assembly_.clear();
  deadline_ = detail::deadline_after(now, options_->close_timeout);
  return {};
}

FAIRLEAD_DECL void connection::send_handshake(std::string_view head) {
  out_.append_shared(shared_bytes::copy_of(std::as_bytes(std::span(head))));
}

FAIRLEAD_DECL void connection::send(message_view m, piece p) {
  assert(writable());
  const bool begins = p == piece::whole || p == piece::first;
  assert(begins != sending_pieces_ && "pieces come in order, with no other message between them");
  frame_header h;
  h.op = begins ? opcode_of(m.kind()) : opcode::continuation;
  h.fin = p == piece::whole || p == piece::last;
  sending_pieces_ = !h.fin;
  if (compression_ != nullptr) {
    const auto compressed = p == piece::whole ? compression_->compress(m) : compression_->compress_part(m, p);
    if (compressed) {
      h.rsv1 = begins;  // the other frames do not have it (RFC 7692 section 6)
      return append_message(h, *compressed);
    }
  }
  append_message(h, m);
}

FAIRLEAD_DECL void connection::append_message(frame_header h, const message_view& m) {
  h.payload_size = m.size();
  if (m.size() <= output_workspace::copy_limit) return append_frame_of_copy(h, m.bytes());

  if (role_ == role::client) {  // the payload has to be masked, so it has to be copied
    std::array<std::byte, max_frame_header_size> header;
    h.mask = mask_keys_->next();
    const std::size_t header_size = encode_frame_header(h, header);
    growing_bytes frame;
    frame.reserve(header_size + m.size());
    frame.append(std::span(header).first(header_size));
    frame.append(m.bytes());
    apply_mask(frame.bytes().subspan(header_size), *h.mask);
    return out_.append_shared(frame.freeze());
  }
  append_frame_of_copy(h, {});
  if (m.owner() != nullptr) {
    out_.append_shared(*m.owner());
  } else if (is_lent(m.bytes())) {
    out_.append_lent(m.bytes());
  } else {
    out_.append_shared(shared_bytes::copy_of(m.bytes()));
  }
}

FAIRLEAD_DECL void connection::pull(message_source& source, std::size_t quantum) {
  while (state_ == state::open && out_.size() < quantum) {
    const std::optional<outgoing> next = source.next();
    if (!next) return;
    send(next->content, next->piece);
  }
}

// Appends the header of `h` and `payload`, which may be the front of a larger one.
FAIRLEAD_DECL void connection::append_frame_of_copy(const frame_header& header,
                                                    std::span<const std::byte> payload) {
  frame_header h = header;
  if (role_ == role::client) h.mask = mask_keys_->next();
  std::array<std::byte, max_frame_header_size> encoded;
  const std::size_t header_size = encode_frame_header(h, encoded);
  const std::span<std::byte> room = out_.append(header_size + payload.size());
  std::memcpy(room.data(), encoded.data(), header_size);
  if (payload.empty()) return;
  const std::span<std::byte> copy = room.subspan(header_size);
  std::memcpy(copy.data(), payload.data(), payload.size());
  if (h.mask) apply_mask(copy, *h.mask);
}

FAIRLEAD_DECL void connection::append_control(opcode op, std::span<const std::byte> payload) {
  frame_header h;
  h.op = op;
  h.payload_size = payload.size();
  append_frame_of_copy(h, payload);
}

FAIRLEAD_DECL void connection::append_close(close_code code, std::string_view reason) {
  std::array<std::byte, max_control_payload> payload;
  std::size_t size = 0;
  if (code != close_code::no_status) {
    const auto value = static_cast<std::uint16_t>(code);
    payload[0] = static_cast<std::byte>(value >> 8);
    payload[1] = static_cast<std::byte>(value & 0xff);
    std::ranges::copy(std::as_bytes(std::span(reason)), payload.begin() + 2);
    size = 2 + reason.size();
  }
  append_control(opcode::close, std::span(payload).first(size));
}

FAIRLEAD_DECL bool connection::is_lent(std::span<const std::byte> bytes) const noexcept {
  const std::less_equal<const std::byte*> not_after;
  return not_after(lent_.data(), bytes.data()) &&
         not_after(bytes.data() + bytes.size(), lent_.data() + lent_.size());
}

FAIRLEAD_DECL void connection::consume(std::size_t n) {
  out_.consume(n);
  pongs_end_ -= std::min(n, pongs_end_);
  if (pongs_end_ != 0) return;
  queued_pongs_ = 0;
  if (newest_ping_.capacity() == 0) return;
  if (state_ == state::open) append_pong(newest_ping_.bytes());
  newest_ping_.clear();
}

FAIRLEAD_DECL void connection::settle() {
  out_.settle();
  lent_ = {};
}

}  // namespace fairlead::inline FAIRLEAD_ABI

#endif
