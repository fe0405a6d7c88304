#ifndef FAIRLEAD_PROTOCOL_CONNECTION_HPP
#define FAIRLEAD_PROTOCOL_CONNECTION_HPP

#include <fairlead/config.hpp>
#include <fairlead/errc.hpp>
#include <fairlead/handshake/permessage_deflate.hpp>
#include <fairlead/protocol/compression_workspace.hpp>
#include <fairlead/protocol/connection_options.hpp>
#include <fairlead/protocol/detail/message_compression.hpp>
#include <fairlead/protocol/message.hpp>
#include <fairlead/protocol/output_queue.hpp>
#include <fairlead/protocol/role.hpp>
#include <fairlead/shared_bytes.hpp>
#include <fairlead/time.hpp>
#include <fairlead/wire/close_code.hpp>
#include <fairlead/wire/frame_header.hpp>
#include <fairlead/wire/utf8.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <system_error>

namespace fairlead::inline FAIRLEAD_ABI {

/// What a sink answers to a message: whether the next one may follow at once.
enum class flow : unsigned char { proceed, pause };

/// Is told what the peer's bytes mean, in order, during connection::receive(). No function may destroy the
/// connection; each may call any other of its functions.
class event_sink {
 public:
  /// A whole message. Its bytes live until the call returns.
  virtual flow on_message(message_view m) = 0;

  /// A part of a message, once receive_in_parts() was called: instead of on_message().
  virtual flow on_message_part(message_part) { return flow::proceed; }

  /// A ping, already answered, or a pong (RFC 6455 sections 5.5.2 and 5.5.3). The bytes live until the call
  /// returns.
  virtual void on_ping(std::span<const std::byte> payload) = 0;
  virtual void on_pong(std::span<const std::byte> payload) = 0;

  /// The peer's close frame, already answered: the connection is closed (section 7.1.4) and reports nothing
  /// more. `no_status` stands for a frame without a code.
  virtual void on_close(close_code code, std::string_view reason) = 0;

  /// The connection failed (section 7.1.7) and reports nothing more; if a close frame can still be sent, it
  /// is in the output, with `code`. `abnormal` when there is nobody to send it to.
  virtual void on_failure(errc why, close_code code) = 0;

 protected:
  ~event_sink() = default;
};

/// What a message_source gives: a message, or a piece of one.
struct outgoing {
  message content;
  fairlead::piece piece = fairlead::piece::whole;
};

/// Gives the messages to send, one whenever the connection has room for one.
class message_source {
 public:
  /// The next message to send, or the next piece of one, with no other message between its pieces; nothing
  /// when none waits.
  virtual std::optional<outgoing> next() = 0;

 protected:
  ~message_source() = default;
};

/// Gives a fresh unpredictable key for each frame that a client sends (RFC 6455 section 10.3).
class mask_key_source {
 public:
  /// A key that nobody can predict, and that was not given before but by chance.
  virtual mask_key next() = 0;

 protected:
  ~mask_key_source() = default;
};

/// One WebSocket connection after its handshake, without I/O (RFC 6455 sections 5 to 7).
///
/// Bytes from the peer go in through receive(), which tells a sink what they mean; messages are pulled from a
/// source and leave as the bytes of output(). Pings and closes are answered by the connection itself. A
/// peer's fault never throws: the connection fails, with its close frame in the output.
///
/// Not thread-safe; call from one executor. Never blocks, reads a clock, or draws a random number.
class connection {
 public:
  /// A connection whose handshake is done.
  ///
  /// \param options    Has to outlive the connection, as have `workspace` and `mask_keys`.
  /// \param workspace  Shared by the connections of one thread; see settle().
  /// \param mask_keys  For the client; null for the server, which never masks (section 5.1).
  FAIRLEAD_DECL connection(role r, const connection_options& options, output_workspace& workspace,
                           mask_key_source* mask_keys = nullptr) noexcept;

  FAIRLEAD_DECL ~connection();

  /// Compresses messages as the handshake agreed (RFC 7692). Before anything is sent or received. Throws
  /// std::bad_alloc.
  ///
  /// \param options    Those that the agreement was made with; must be valid. Has to outlive the connection, as
  ///                   has `workspace`, or its release().
  /// \param workspace  Shared by the connections of one thread.
  FAIRLEAD_DECL void enable_deflate(const deflate_params& agreed, const deflate_options& options,
                                    compression_workspace& workspace);

  /// Gives back what compression holds, so that the connection may be destroyed on another thread or after the
  /// workspace. Nothing may be sent or received any more.
  FAIRLEAD_DECL void release() noexcept;

  /// Reports messages in parts, as they arrive, and holds none of them: whatever their size, they need no
  /// memory. The limits hold as before. From the next message on.
  void receive_in_parts() noexcept { wants_parts_ = true; }

  /// Takes bytes from the peer and reports what they mean to `sink`, in order, during the call. Throws only
  /// std::bad_alloc and what `sink` throws.
  ///
  /// \param in   Unmasked in place. Has to stay as it is until settle(), since replies may refer to it.
  /// \param now  Never earlier than in the calls before; control frames and fragments are counted by it.
  /// \return     Bytes consumed; fewer than given when the sink answered `pause`: give the rest again later.
  FAIRLEAD_DECL std::size_t receive(std::span<std::byte> in, time_point now, event_sink& sink);

  /// The peer will send no more: unless both close frames were sent, the connection fails with
  /// errc::connection_lost.
  FAIRLEAD_DECL void receive_eof(event_sink& sink);

  /// Where the rest of a large message wants to be read; empty when any buffer serves. Bytes read there have
  /// to be the next that are given to receive(), from its front. Valid until the next call of a function that
  /// is not const.
  FAIRLEAD_DECL std::span<std::byte> payload_room();

  /// When the message that is being received began to arrive; nothing when there is none, or it is handed out in
  /// parts.
  std::optional<time_point> unfinished_since() const noexcept {
    return in_message_ && !in_parts_ ? std::optional(message_since_) : std::nullopt;
  }

  /// The message has not been read from for some time: it counts as begun at `now`.
  void restart_unfinished(time_point now) noexcept { message_since_ = now; }

  /// True between two of the peer's messages, where another connection could go on: with the bytes of a frame that
  /// may have begun, which unfinished_header() has.
  bool is_between_messages() const noexcept { return !in_message_ && !in_payload_; }
  std::span<const std::byte> unfinished_header() const noexcept {
    return std::span(header_).first(header_size_);
  }

  role side() const noexcept { return role_; }

  /// Whether enable_deflate() was called.
  bool has_deflate() const noexcept { return compression_ != nullptr; }

  /// Bytes of memory that it holds.
  std::size_t unfinished_size() const noexcept { return assembly_.capacity() + control_.capacity(); }

  /// From the next frame on messages may be so large, where connection_options::max_message_size allows more.
  void limit_messages(std::size_t max_size) noexcept { message_limit_ = max_size; }

  /// True when a message can be framed now: the connection is open and less than one write quantum is framed.
  bool writable() const noexcept {
    return state_ == state::open && out_.size() < output_workspace::write_quantum;
  }

  /// Appends the head that ends the handshake; to be called before anything else is sent.
  FAIRLEAD_DECL void send_handshake(std::string_view head);

  /// Frames one message, in one frame, or the next piece of one. Requires writable(), and that the pieces of a
  /// message come in order with no other between them. The bytes are copied, shared, or, when they lie in what
  /// receive() was given last, referred to until settle(). Text has to be UTF-8, and is not checked.
  ///
  /// Where compression was agreed on, a message in pieces is compressed when its first piece may be, and has
  /// deflate_options::min_size bytes; what the others say of it does not count. Each piece can be read as soon
  /// as it arrives, for about five bytes more. Without takeover a compressor is held from the first piece to the
  /// last, or to the end of the connection.
  FAIRLEAD_DECL void send(message_view m, piece p = piece::whole);

  /// Frames messages from `source` while the connection is open and less than `quantum` bytes are framed.
  FAIRLEAD_DECL void pull(message_source& source, std::size_t quantum = output_workspace::write_quantum);

  /// Sends a ping (section 5.5.2); the peer's answer is event_sink::on_pong().
  ///
  /// \param payload  At most max_control_payload bytes; copied.
  /// \return         errc::closed once a close frame was sent; errc::bad_argument for a larger payload.
  [[nodiscard]] FAIRLEAD_DECL std::error_code ping(std::span<const std::byte> payload);

  /// Sends a close frame (section 7.1.2); what arrives afterwards is discarded, up to the peer's close frame.
  ///
  /// \param code    `no_status` for a frame without one; otherwise one that may_be_sent().
  /// \param reason  UTF-8, at most max_close_reason_size bytes; empty with `no_status`.
  /// \param now     The peer has connection_options::close_timeout from here; see deadline().
  /// \return        errc::closed once a close frame was sent; errc::bad_argument.
  [[nodiscard]] FAIRLEAD_DECL std::error_code close(close_code code, std::string_view reason, time_point now);

  /// What close() would say of its arguments: no error, or errc::bad_argument.
  [[nodiscard]] FAIRLEAD_DECL static std::error_code check_close(close_code code,
                                                                 std::string_view reason) noexcept;

  /// Write these, in order; stable until consume() or settle().
  std::span<const std::span<const std::byte>> output() { return out_.output(); }
  /// Bytes in output().
  std::size_t output_size() const noexcept { return out_.size(); }

  /// Bytes of memory that output() keeps after settle(): a message that was written in part is kept whole.
  std::size_t held_output_size() const noexcept { return out_.held_size(); }

  /// `n` bytes of output() were written, at most output_size().
  FAIRLEAD_DECL void consume(std::size_t n);

  /// Ends the use of the workspace and of the bytes given to receive(): what was not written is copied. Call
  /// it after each turn, before another connection of the workspace, or the receive buffer, is used.
  FAIRLEAD_DECL void settle();

  /// True until a close frame was sent or the connection failed.
  bool is_open() const noexcept { return state_ == state::open; }

  /// True when all is said on both sides: half-close the link, discard what still arrives, and close it at
  /// EOF or after the close timeout (section 7.1.1).
  bool wants_shutdown() const noexcept { return state_ == state::finished && out_.empty(); }

  /// Until when the peer may finish the close handshake that close() began; time_point::max() when it does
  /// not run.
  time_point deadline() const noexcept { return state_ == state::closing ? deadline_ : time_point::max(); }

  /// The deadline has passed: fails the connection. Give up the link after this call.
  FAIRLEAD_DECL void on_deadline(event_sink& sink);

 private:
  enum class state : unsigned char {
    open,
    closing,   // our close frame is sent, the peer's is awaited
    finished,  // both were sent, or the connection failed: input is discarded
  };

  // What inflate_step() gave of the message being received.
  struct inflated_step {
    std::span<const std::byte> bytes;
    bool is_done;  // with the input
    bool ends_message;
  };

  std::size_t decode_header(std::span<const std::byte> in, time_point now, event_sink& sink);
  errc check_header(const frame_header& h, time_point now) noexcept;
  void move_frame_window(time_point now) noexcept;
  errc count_control_frame(time_point now) noexcept;
  errc count_fragment(time_point now) noexcept;
  flow receive_payload(std::span<std::byte> piece, event_sink& sink);
  flow receive_data(std::span<std::byte> piece, bool last_piece, event_sink& sink);
  flow receive_part(std::span<const std::byte> bytes, bool last_of_message, event_sink& sink);
  flow hand_out_part(std::span<const std::byte> bytes, bool last_of_message, event_sink& sink);
  std::optional<inflated_step> inflate_step(std::span<const std::byte>& piece, bool last_of_message,
                                            std::size_t size_before, event_sink& sink);
  errc check_inflated(const detail::message_compression::inflated& step, std::size_t left,
                      bool ends_message) noexcept;
  flow receive_compressed_parts(std::span<const std::byte> piece, bool last_of_message, event_sink& sink);
  flow receive_compressed(std::span<const std::byte> piece, bool last_of_message, event_sink& sink);
  void receive_control(std::span<std::byte> piece, bool last_piece, event_sink& sink);
  std::size_t max_message_size() const noexcept {
    return std::min(options_->max_message_size, message_limit_);
  }
  std::size_t max_announced_size() const noexcept;
  void on_close_frame(std::span<const std::byte> payload, event_sink& sink);
  void fail(errc why, event_sink& sink);
  void answer_ping(std::span<const std::byte> payload);
  void append_pong(std::span<const std::byte> payload);
  void append_control(opcode op, std::span<const std::byte> payload);
  void append_close(close_code code, std::string_view reason);
  std::size_t encode_header(frame_header h, std::span<std::byte, max_frame_header_size> out);
  void append_message(frame_header h, const message_view& m);
  void append_frame_of_copy(const frame_header& h, std::span<const std::byte> payload);
  bool is_lent(std::span<const std::byte> bytes) const noexcept;

  const connection_options* options_;
  mask_key_source* mask_keys_;
  output_queue out_;
  std::unique_ptr<detail::message_compression> compression_;  // null when the handshake did not agree to it
  growing_bytes assembly_;                                    // the payload of an unfinished message
  growing_bytes control_;                                     // the payload of an unfinished control frame
  growing_bytes newest_ping_;                                 // answered when the pongs before it are written
  std::size_t pongs_end_ = 0;  // bytes of output up to the end of the last pong that waits
  std::span<const std::byte> lent_;
  time_point deadline_ = time_point::max();
  time_point frame_window_{};  // the begin of the second in which frames are counted

  // The frame being received.
  std::uint64_t payload_left_ = 0;
  mask_key key_{};
  std::array<std::byte, max_frame_header_size> header_;
  std::uint8_t header_size_ = 0;  // bytes of an unfinished header
  std::uint8_t key_offset_ = 0;
  opcode frame_op_ = opcode::continuation;
  bool frame_fin_ = false;
  bool in_payload_ = false;

  // The message being received.
  bool in_message_ = false;
  bool message_compressed_ = false;
  bool in_parts_ = false;
  bool wants_parts_ = false;  // from the next message on
  message_kind message_kind_ = message_kind::text;
  utf8_validator utf8_;
  std::size_t message_size_ = 0;   // announced by its frames so far
  std::size_t inflated_size_ = 0;  // of a compressed message that is handed out in parts
  std::uint32_t frames_ = 0;
  time_point message_since_{};

  std::size_t message_limit_ = std::numeric_limits<std::size_t>::max();
  std::uint32_t control_frames_ = 0;  // in the current second
  std::uint32_t fragments_ = 0;       // in the current second
  std::uint32_t queued_pongs_ = 0;
  role role_;
  state state_ = state::open;
  bool sending_pieces_ = false;
};

}  // namespace fairlead::inline FAIRLEAD_ABI

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/protocol/impl/connection.ipp>
#endif

#endif
