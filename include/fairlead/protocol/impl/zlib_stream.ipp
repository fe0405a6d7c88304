#ifndef FAIRLEAD_PROTOCOL_IMPL_ZLIB_STREAM_IPP
#define FAIRLEAD_PROTOCOL_IMPL_ZLIB_STREAM_IPP

#include <fairlead/protocol/detail/zlib_stream.hpp>

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cstdlib>
#include <limits>
#include <new>
#include <utility>

// CVE-2018-25032 and CVE-2022-37434 are mended in it.
static_assert(ZLIB_VERNUM >= 0x12d0, "fairlead needs zlib 1.2.13 or newer");

namespace fairlead::inline FAIRLEAD_ABI::detail {

// "If the resulting data does not end with an empty DEFLATE block with no compression, append one. Remove 4
// octets (that are 0x00 0x00 0xff 0xff) from the tail end." (RFC 7692 section 7.2.1) The receiver appends them
// again (section 7.2.2).
inline constexpr std::array deflate_tail{std::byte{0x00}, std::byte{0x00}, std::byte{0xff}, std::byte{0xff}};

// Each allocation begins with its size, so that it can be taken off again.
inline constexpr std::size_t zlib_block_head = alignof(std::max_align_t);

inline voidpf zlib_allocate(voidpf opaque, uInt items, uInt size) noexcept {
  const std::size_t total = zlib_block_head + std::size_t{items} * size;
  void* const block = std::malloc(total);
  if (block == nullptr) return nullptr;
  *static_cast<std::size_t*>(block) = total;
  *static_cast<std::size_t*>(opaque) += total;
  return static_cast<std::byte*>(block) + zlib_block_head;
}

inline void zlib_free(voidpf opaque, voidpf memory) noexcept {
  void* const block = static_cast<std::byte*>(memory) - zlib_block_head;
  *static_cast<std::size_t*>(opaque) -= *static_cast<std::size_t*>(block);
  std::free(block);
}

inline std::unique_ptr<z_stream_s> make_zlib_stream(std::size_t& memory_size) {
  auto stream = std::make_unique<z_stream_s>();
  stream->zalloc = zlib_allocate;
  stream->zfree = zlib_free;
  stream->opaque = &memory_size;
  return stream;
}

inline Bytef* zlib_bytes(std::span<const std::byte> bytes) noexcept {
  // zlib reads them only, whatever its declarations say without ZLIB_CONST.
  return reinterpret_cast<Bytef*>(const_cast<std::byte*>(bytes.data()));
}

inline uInt zlib_size(std::size_t n) noexcept {
  return static_cast<uInt>(std::min<std::size_t>(n, std::numeric_limits<uInt>::max()));
}

FAIRLEAD_DECL deflater::deflater(int window_bits, int level, int memory_level, std::size_t& memory_size)
    : stream_(make_zlib_stream(memory_size)) {
  // A negative window stands for raw deflate data, without zlib's header and checksum.
  const int result =
      deflateInit2(stream_.get(), level, Z_DEFLATED, -window_bits, memory_level, Z_DEFAULT_STRATEGY);
  if (result != Z_OK) throw std::bad_alloc();
}

FAIRLEAD_DECL deflater::~deflater() { deflateEnd(stream_.get()); }

FAIRLEAD_DECL void deflater::reset() noexcept { deflateReset(stream_.get()); }

FAIRLEAD_DECL void deflater::deflate(std::span<const std::byte> part, bool last,
                                     std::vector<std::byte>& out) {
  if (part.empty()) {
    // zlib flushes nothing twice. What came before ends with a block, so that all is there already, or the
    // message ends with another empty block, of which the tail is removed (RFC 7692 section 7.2.3.6).
    out.assign(last ? 1 : 0, std::byte{0x00});
    return;
  }
  out.resize(deflateBound(stream_.get(), static_cast<uLong>(part.size())) + deflate_tail.size() + 1);
  std::size_t size = 0;
  std::span<const std::byte> rest = part;
  do {
    const uInt taken = zlib_size(rest.size());
    stream_->next_in = zlib_bytes(rest);
    stream_->avail_in = taken;
    rest = rest.subspan(taken);
    do {  // until zlib leaves room: then everything is out
      if (size == out.size()) out.resize(2 * size);
      const std::span<std::byte> room = std::span(out).subspan(size);
      const uInt room_size = zlib_size(room.size());
      stream_->next_out = zlib_bytes(room);
      stream_->avail_out = room_size;
      ::deflate(stream_.get(), rest.empty() ? Z_SYNC_FLUSH : Z_NO_FLUSH);
      size += room_size - stream_->avail_out;
    } while (stream_->avail_out == 0);
  } while (!rest.empty());
  assert(size > deflate_tail.size());
  out.resize(last ? size - deflate_tail.size() : size);
}

FAIRLEAD_DECL inflater::inflater(int window_bits, std::size_t& memory_size)
    : stream_(make_zlib_stream(memory_size)) {
  if (inflateInit2(stream_.get(), -window_bits) != Z_OK) throw std::bad_alloc();
}

FAIRLEAD_DECL inflater::~inflater() { inflateEnd(stream_.get()); }

FAIRLEAD_DECL void inflater::reset() noexcept {
  inflateReset(stream_.get());
  behind_last_block_ = false;
  is_cut_short_ = false;
}

FAIRLEAD_DECL inflate_result inflater::inflate(std::span<const std::byte>& in, bool last,
                                               std::span<std::byte>& room) {
  const std::span<std::byte> all = room;
  room = all.first(0);
  if (is_cut_short_) return inflate_result::corrupt;  // of other faults zlib knows itself
  for (;;) {
    const std::span<std::byte> to = all.subspan(room.size());
    if (to.empty()) return inflate_result::full;
    const uInt from_size = zlib_size(in.size());
    const uInt to_size = zlib_size(to.size());
    stream_->next_in = zlib_bytes(in);  // even with no input: output may still be inside
    stream_->avail_in = from_size;
    stream_->next_out = zlib_bytes(to);
    stream_->avail_out = to_size;
    const int result = ::inflate(stream_.get(), Z_SYNC_FLUSH);
    const std::size_t taken = from_size - stream_->avail_in;
    const std::size_t written = to_size - stream_->avail_out;
    in = in.subspan(taken);
    room = all.first(room.size() + written);
    if (result == Z_STREAM_END) {
      // A block that says it is the last one of its stream; others may follow (RFC 7692 section 7.2.3.4).
      inflateResetKeep(stream_.get());
      behind_last_block_ = true;
    } else if (result == Z_OK) {
      if (taken != 0) behind_last_block_ = false;
    } else if (result != Z_BUF_ERROR) {  // which says that there was nothing to be done
      return inflate_result::corrupt;
    }
    if (stream_->avail_out == 0 || !in.empty()) continue;
    if (!last) return inflate_result::done;
    // A message that ends right behind a last block lacks the empty block that should follow, but nothing of
    // its content.
    if (std::exchange(behind_last_block_, false)) return inflate_result::done;
    is_cut_short_ = !ends_in_empty_block(to.subspan(written));
    return is_cut_short_ ? inflate_result::corrupt : inflate_result::done;
  }
}

// Gives zlib the tail. A message that was cut short may take its bytes for content, or for the end of a block:
// then there is output, or a block that goes on.
FAIRLEAD_DECL bool inflater::ends_in_empty_block(std::span<std::byte> room) noexcept {
  const uInt room_size = zlib_size(room.size());
  stream_->next_in = zlib_bytes(deflate_tail);
  stream_->avail_in = deflate_tail.size();
  stream_->next_out = zlib_bytes(room);
  stream_->avail_out = room_size;
  const int result = ::inflate(stream_.get(), Z_SYNC_FLUSH);
  const bool is_last_block = result == Z_STREAM_END;
  const bool between_blocks = result == Z_OK && (stream_->data_type & 128) != 0;
  if (is_last_block) inflateResetKeep(stream_.get());
  return (is_last_block || between_blocks) && stream_->avail_in == 0 && stream_->avail_out == room_size;
}

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#endif
