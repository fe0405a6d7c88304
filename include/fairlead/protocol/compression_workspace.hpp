#ifndef FAIRLEAD_PROTOCOL_COMPRESSION_WORKSPACE_HPP
#define FAIRLEAD_PROTOCOL_COMPRESSION_WORKSPACE_HPP

#include <fairlead/config.hpp>
#include <fairlead/handshake/permessage_deflate.hpp>
#include <fairlead/protocol/detail/whole_deflater.hpp>
#include <fairlead/protocol/detail/zlib_stream.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace fairlead::inline FAIRLEAD_ABI {
namespace detail {
class message_compression;
}

/// The compressors, decompressors and buffers that the connections of one thread share: those without a
/// context of their own take theirs from here for the length of a message. Holds nothing until the first
/// message is compressed. Not thread-safe. Has to outlive its connections, or their release().
class compression_workspace {
 public:
  compression_workspace() = default;
  compression_workspace(const compression_workspace&) = delete;
  compression_workspace& operator=(const compression_workspace&) = delete;

  /// Bytes that zlib and libdeflate hold for the connections of this workspace, those of their own contexts
  /// included.
  std::size_t memory_size() const noexcept { return memory_size_; }

 private:
  friend class detail::message_compression;

  struct shared_deflater {
    std::uint8_t window_bits;
    int level;
    int memory_level;
    std::unique_ptr<detail::deflater> deflater;
  };

  // Unfinished messages each hold one; of those that come back so many are kept.
  static constexpr std::size_t max_idle_inflaters = 4;

  // Messages up to this size are inflated here, and need no memory of their own.
  static constexpr std::size_t inflate_room_size = 64 * 1024;

  FAIRLEAD_DECL detail::deflater& deflater_for(std::uint8_t window_bits, int level, int memory_level);
  FAIRLEAD_DECL detail::whole_deflater& whole_deflater_for(int level);
  FAIRLEAD_DECL std::unique_ptr<detail::inflater> take_inflater();
  FAIRLEAD_DECL void give_back(std::unique_ptr<detail::inflater> used) noexcept;

  std::size_t memory_size_ = 0;  // first, for it is counted in until the last context is gone
  std::vector<shared_deflater> deflaters_;
  std::array<std::unique_ptr<detail::whole_deflater>, 9> whole_deflaters_;  // by level, from 1 on
  std::vector<std::unique_ptr<detail::inflater>> idle_inflaters_;
  std::vector<std::byte> deflated_;
  std::unique_ptr<std::byte[]> inflated_;
};

}  // namespace fairlead::inline FAIRLEAD_ABI

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/protocol/impl/compression_workspace.ipp>
#endif

#endif
