#ifndef FAIRLEAD_PROTOCOL_DETAIL_MESSAGE_COMPRESSION_HPP
#define FAIRLEAD_PROTOCOL_DETAIL_MESSAGE_COMPRESSION_HPP

#include <fairlead/config.hpp>
#include <fairlead/handshake/permessage_deflate.hpp>
#include <fairlead/protocol/compression_workspace.hpp>
#include <fairlead/protocol/message.hpp>
#include <fairlead/protocol/role.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

namespace fairlead::inline FAIRLEAD_ABI::detail {

/// permessage-deflate on one connection (RFC 7692 section 7): which messages are compressed, by whose
/// compressor, and what the peer's are inflated with.
class message_compression {
 public:
  FAIRLEAD_DECL message_compression(role r, const deflate_params& agreed, const deflate_options& options,
                                    compression_workspace& workspace) noexcept;
  FAIRLEAD_DECL ~message_compression();

  /// A message with the compressed payload of `m`, valid until the next call, on any connection of the
  /// workspace, and while `m` is; nothing when `m` is to be sent as it is: it is too small, or asked not to be
  /// compressed, or did not become smaller. What several sessions share is compressed once for all that have
  /// equal parameters and no takeover. May throw std::bad_alloc.
  FAIRLEAD_DECL std::optional<message_view> compress(const message_view& m);

  /// The same for the next part of a message, with `p` not piece::whole. What the first part is decides for all
  /// of them: they are compressed when it may be, and is not too small. Then each part is flushed, and can be
  /// read at once; without takeover the message has a compressor of its own up to its last part.
  FAIRLEAD_DECL std::optional<message_view> compress_part(const message_view& part, piece p);

  /// What one step of inflate() came to. `bytes` are valid until the next call, on any connection of the
  /// workspace.
  struct inflated {
    inflate_result result;
    std::span<std::byte> bytes;
  };

  /// Inflates from the front of `in`, which loses what was taken. Call it again after `full`, with what is
  /// left. After `done` with `last`, the next call begins the next message. May throw std::bad_alloc.
  ///
  /// \param last      `in` ends the message.
  /// \param max_size  Most bytes that this step shall give, at least one.
  FAIRLEAD_DECL inflated inflate(std::span<const std::byte>& in, bool last, std::size_t max_size);

 private:
  deflater& own_deflater();
  bool is_for_libdeflate(std::size_t message_size) const noexcept;
  std::span<const std::byte> compress_alone(std::span<const std::byte> bytes);
  std::uint32_t form_key(std::size_t message_size) const noexcept;

  compression_workspace& workspace_;
  const deflate_options& options_;
  std::unique_ptr<deflater> deflater_;  // while send_takeover_, from the first message on; or between parts
  std::unique_ptr<inflater> inflater_;  // while receive_takeover_, from the first message on; or within one
  std::uint8_t send_window_bits_;
  std::uint8_t receive_window_bits_;
  bool send_takeover_;
  bool use_libdeflate_;
  bool receive_takeover_;
  bool compresses_parts_ = false;  // of the message that is being sent in parts
};

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/protocol/impl/message_compression.ipp>
#endif

#endif
