#ifndef FAIRLEAD_PROTOCOL_DETAIL_ZLIB_STREAM_HPP
#define FAIRLEAD_PROTOCOL_DETAIL_ZLIB_STREAM_HPP

#include <fairlead/config.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

struct z_stream_s;

namespace fairlead::inline FAIRLEAD_ABI::detail {

/// Compresses messages to raw deflate data (RFC 7692 section 7.2.1). Not thread-safe.
class deflater {
 public:
  /// \param window_bits   9 to 15: the LZ77 window, as the base-2 logarithm of bytes.
  /// \param memory_size   Is told what zlib allocates and frees; has to outlive the deflater.
  /// Throws std::bad_alloc.
  FAIRLEAD_DECL deflater(int window_bits, int level, int memory_level, std::size_t& memory_size);
  deflater(const deflater&) = delete;
  deflater& operator=(const deflater&) = delete;
  FAIRLEAD_DECL ~deflater();

  /// Puts the compressed form of a message, or of its next part, into `out`, in place of what is there. All of
  /// the part can be inflated without those that follow. May throw std::bad_alloc.
  /// \param last  `part` ends the message.
  FAIRLEAD_DECL void deflate(std::span<const std::byte> part, bool last, std::vector<std::byte>& out);

  /// Forgets the messages before: the next one does not refer to them. Between messages.
  FAIRLEAD_DECL void reset() noexcept;

 private:
  std::unique_ptr<z_stream_s> stream_;
};

/// What one step of an inflater came to.
enum class inflate_result : std::uint8_t {
  done,     ///< All that was given is inflated.
  full,     ///< The room is full; there may be more.
  corrupt,  ///< No deflate data, or not all of a message; for ever after, up to reset().
};

/// Inflates the payloads of messages (RFC 7692 section 7.2.2), piece by piece. Not thread-safe.
class inflater {
 public:
  /// \param window_bits  8 to 15: the largest window that the data may use. What reaches further back is read
  ///                     or corrupt, depending on how it is cut.
  /// Otherwise as for a deflater.
  FAIRLEAD_DECL inflater(int window_bits, std::size_t& memory_size);
  inflater(const inflater&) = delete;
  inflater& operator=(const inflater&) = delete;
  FAIRLEAD_DECL ~inflater();

  /// Inflates from the front of `in`, which loses what was taken, to the front of `room`, which becomes what
  /// was written. Call it again after `full`, with what is left.
  /// \param last  `in` ends the message.
  FAIRLEAD_DECL inflate_result inflate(std::span<const std::byte>& in, bool last, std::span<std::byte>& room);

  /// Forgets the messages before: the next one may not refer to them. Between messages, or after `corrupt`.
  FAIRLEAD_DECL void reset() noexcept;

 private:
  FAIRLEAD_DECL bool ends_in_empty_block(std::span<std::byte> room) noexcept;

  std::unique_ptr<z_stream_s> stream_;
  bool behind_last_block_ = false;
  bool is_cut_short_ = false;
};

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/protocol/impl/zlib_stream.ipp>
#endif

#endif
