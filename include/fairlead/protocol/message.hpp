#ifndef FAIRLEAD_PROTOCOL_MESSAGE_HPP
#define FAIRLEAD_PROTOCOL_MESSAGE_HPP

#include <fairlead/config.hpp>
#include <fairlead/shared_bytes.hpp>
#include <fairlead/wire/opcode.hpp>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace fairlead::inline FAIRLEAD_ABI {

/// What a message carries (RFC 6455 section 5.6). Received text is always valid UTF-8; text to be sent has to
/// be, and is not checked again.
enum class message_kind : unsigned char { text, binary };

/// The opcode of a message's first frame.
constexpr opcode opcode_of(message_kind kind) noexcept {
  return kind == message_kind::text ? opcode::text : opcode::binary;
}

/// Whether a message may be compressed where the peer has agreed to it. Keep what an attacker may mix with a
/// secret in one message, or in one session with takeover, from being compressed: the size tells the secret.
enum class compression : unsigned char { allowed, never };

/// Where a piece to send stands in its message: a frame of its own (RFC 6455 section 5.4).
enum class piece : unsigned char { whole, first, middle, last };

/// A part of a message that is received as it arrives.
struct message_part {
  message_kind kind;
  std::span<const std::byte> bytes;  ///< Text may be cut within a character. End with the call.
  bool last;                         ///< Ends its message; the next part begins another.
};

/// One whole message that owns its bytes: cheap to copy, since the bytes are shared and immutable.
class message {
 public:
  message(message_kind kind, shared_bytes payload,
          fairlead::compression compress = fairlead::compression::allowed) noexcept
      : payload_(std::move(payload)), kind_(kind), compression_(compress) {}

  message_kind kind() const noexcept { return kind_; }
  std::size_t size() const noexcept { return payload_.size(); }
  std::span<const std::byte> bytes() const noexcept { return payload_; }
  std::string_view text() const noexcept {
    return {reinterpret_cast<const char*>(payload_.data()), payload_.size()};
  }
  const shared_bytes& payload() const noexcept { return payload_; }
  fairlead::compression compression() const noexcept { return compression_; }

 private:
  shared_bytes payload_;
  message_kind kind_;
  fairlead::compression compression_;
};

/// A message that lives elsewhere: received, valid for the length of the callback that is given it; to be
/// sent, valid for the length of the call that takes it.
class message_view {
 public:
  /// Views text, which has to be UTF-8.
  message_view(std::string_view text) noexcept
      : bytes_(std::as_bytes(std::span(text))), kind_(message_kind::text) {}
  message_view(const char* text) noexcept : message_view(std::string_view(text)) {}
  message_view(const std::string& text) noexcept : message_view(std::string_view(text)) {}

  /// Views binary data.
  message_view(std::span<const std::byte> data) noexcept : bytes_(data), kind_(message_kind::binary) {}

  message_view(message_kind kind, std::span<const std::byte> payload) noexcept
      : bytes_(payload), kind_(kind) {}

  /// Views bytes that are shared, so that who keeps them needs no copy. `owner` has to outlive the view.
  message_view(message_kind kind, const shared_bytes& owner) noexcept
      : bytes_(owner), owner_(&owner), kind_(kind) {}
  message_view(const message& m) noexcept : message_view(m.kind(), m.payload()) {
    compression_ = m.compression();
  }

  /// The same message, not to be compressed. Of a message in parts only what the first one says counts.
  message_view uncompressed() const noexcept {
    message_view m = *this;
    m.compression_ = fairlead::compression::never;
    return m;
  }

  message_kind kind() const noexcept { return kind_; }
  std::size_t size() const noexcept { return bytes_.size(); }
  std::span<const std::byte> bytes() const noexcept { return bytes_; }
  std::string_view text() const noexcept {
    return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()};
  }

  fairlead::compression compression() const noexcept { return compression_; }

  /// The owner of the bytes, or null when they are merely lent.
  const shared_bytes* owner() const noexcept { return owner_; }

  /// A message that outlives the view: shares the bytes when they are shared already, copies them otherwise.
  /// Throws std::bad_alloc.
  message keep() const {
    return {kind_, owner_ != nullptr ? *owner_ : shared_bytes::copy_of(bytes_), compression_};
  }

 private:
  std::span<const std::byte> bytes_;
  const shared_bytes* owner_ = nullptr;
  message_kind kind_;
  fairlead::compression compression_ = fairlead::compression::allowed;
};

}  // namespace fairlead::inline FAIRLEAD_ABI

#endif
