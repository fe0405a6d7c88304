#ifndef FAIRLEAD_PROTOCOL_IMPL_WHOLE_DEFLATER_IPP
#define FAIRLEAD_PROTOCOL_IMPL_WHOLE_DEFLATER_IPP

#include <fairlead/protocol/detail/libdeflate_configuration.hpp>
#include <fairlead/protocol/detail/whole_deflater.hpp>

#if defined(FAIRLEAD_LIBDEFLATE)

#include <libdeflate.h>

#include <new>

static_assert(LIBDEFLATE_VERSION_MAJOR == 1 && LIBDEFLATE_VERSION_MINOR >= 14,
              "fairlead needs libdeflate 1.14 or newer");

namespace fairlead::inline FAIRLEAD_ABI::detail {

// libdeflate's allocator is the whole process's, so it is not ours to replace. This is what the versions 1.14
// to 1.23 ask it for on a 64 bit machine.
constexpr std::size_t libdeflate_compressor_size(int level) noexcept {
  return level == 1 ? 202'759 : 668'295;
}

class libdeflate_deflater final : public whole_deflater {
 public:
  libdeflate_deflater(int level, std::size_t& memory_size)
      : compressor_(libdeflate_alloc_compressor(level)), level_(level), memory_size_(memory_size) {
    if (compressor_ == nullptr) throw std::bad_alloc();
    memory_size_ += libdeflate_compressor_size(level);
  }
  libdeflate_deflater(const libdeflate_deflater&) = delete;
  libdeflate_deflater& operator=(const libdeflate_deflater&) = delete;
  ~libdeflate_deflater() override {
    libdeflate_free_compressor(compressor_);
    memory_size_ -= libdeflate_compressor_size(level_);
  }

  std::span<const std::byte> deflate(std::span<const std::byte> whole,
                                     std::vector<std::byte>& room) override {
    // All of the empty block behind the last one but the tail, which is removed: "This octet is necessary to
    // allow the payload to be decompressed in the same manner as messages flushed using DEFLATE blocks with
    // BFINAL unset" (RFC 7692 section 7.2.3.4).
    constexpr std::byte empty_block{0x00};
    if (room.size() < whole.size()) room.resize(whole.size());
    const std::size_t size =
        libdeflate_deflate_compress(compressor_, whole.data(), whole.size(), room.data(), whole.size());
    if (size == 0 || size + 1 >= whole.size()) return {};  // 0: there was no room for all
    room[size] = empty_block;
    return std::span(room).first(size + 1);
  }

 private:
  libdeflate_compressor* compressor_;
  int level_;
  std::size_t& memory_size_;
};

FAIRLEAD_DECL bool whole_deflater::is_there() noexcept { return true; }

FAIRLEAD_DECL std::unique_ptr<whole_deflater> whole_deflater::make(int level, std::size_t& memory_size) {
  return std::make_unique<libdeflate_deflater>(level, memory_size);
}

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#else

namespace fairlead::inline FAIRLEAD_ABI::detail {

FAIRLEAD_DECL bool whole_deflater::is_there() noexcept { return false; }

FAIRLEAD_DECL std::unique_ptr<whole_deflater> whole_deflater::make(int, std::size_t&) { return nullptr; }

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#endif

#endif
