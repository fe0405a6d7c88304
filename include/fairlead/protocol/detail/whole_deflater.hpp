#ifndef FAIRLEAD_PROTOCOL_DETAIL_WHOLE_DEFLATER_HPP
#define FAIRLEAD_PROTOCOL_DETAIL_WHOLE_DEFLATER_HPP

#include <fairlead/config.hpp>

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

namespace fairlead::inline FAIRLEAD_ABI::detail {

/// Compresses messages one by one with libdeflate, which has no streams and needs less time than zlib. Each
/// ends in a block that says that it is the last one (RFC 7692 section 7.2.3.4). Not thread-safe.
class whole_deflater {
 public:
  /// Whether fairlead was built with libdeflate: there is a deflater then.
  FAIRLEAD_DECL static bool is_there() noexcept;

  /// A new one; null when there is none. Throws std::bad_alloc.
  /// \param level        1 to 9, as for a deflater.
  /// \param memory_size  Is told what libdeflate takes and gives back; has to outlive the deflater.
  FAIRLEAD_DECL static std::unique_ptr<whole_deflater> make(int level, std::size_t& memory_size);

  virtual ~whole_deflater() = default;

  /// The compressed form of a whole message, at the front of `room`, which grows as needed; empty when that
  /// does not become smaller. May throw std::bad_alloc.
  virtual std::span<const std::byte> deflate(std::span<const std::byte> whole,
                                             std::vector<std::byte>& room) = 0;
};

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/protocol/impl/whole_deflater.ipp>
#endif

#endif
