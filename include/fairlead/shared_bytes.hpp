#ifndef FAIRLEAD_SHARED_BYTES_HPP
#define FAIRLEAD_SHARED_BYTES_HPP

#include <fairlead/config.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace fairlead::inline FAIRLEAD_ABI {
namespace detail {

struct byte_form;

/// The allocation behind shared_bytes and growing_bytes: this header, then `capacity` bytes.
struct alignas(16) byte_block {
  std::atomic<std::uint32_t> references;
  std::atomic<const byte_form*> forms = nullptr;  // newest first; only ever added to

  std::byte* bytes() noexcept { return reinterpret_cast<std::byte*>(this + 1); }

  FAIRLEAD_DECL static byte_block* allocate(std::size_t capacity);
  FAIRLEAD_DECL static byte_block* reallocate(byte_block* unshared, std::size_t capacity);
  FAIRLEAD_DECL static void release(byte_block* block) noexcept;
};

}  // namespace detail

/// A reference to immutable bytes that live as long as any reference does. Copying costs one atomic
/// increment. One object may be read from several threads; different objects are independent even when they
/// share bytes.
class shared_bytes {
 public:
  shared_bytes() noexcept = default;

  /// Copies `bytes` into a new allocation; an empty span needs none. Throws std::bad_alloc.
  FAIRLEAD_DECL static shared_bytes copy_of(std::span<const std::byte> bytes);

  shared_bytes(const shared_bytes& other) noexcept
      : block_(other.block_), data_(other.data_), size_(other.size_) {
    if (block_ != nullptr) block_->references.fetch_add(1, std::memory_order_relaxed);
  }
  shared_bytes(shared_bytes&& other) noexcept
      : block_(std::exchange(other.block_, nullptr)),
        data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)) {}
  shared_bytes& operator=(shared_bytes other) noexcept {
    std::swap(block_, other.block_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~shared_bytes() {
    if (block_ != nullptr) detail::byte_block::release(block_);
  }

  const std::byte* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  operator std::span<const std::byte>() const noexcept { return {data_, size_}; }

  /// Whether another reference exists now, so that work done once for these bytes may serve more than one.
  bool is_shared() const noexcept {
    return block_ != nullptr && block_->references.load(std::memory_order_relaxed) > 1;
  }

  /// Another form of these bytes, such as a compressed one, that keep_form() put beside them under that key;
  /// null when there is none. Lives as long as the bytes. Any thread.
  FAIRLEAD_DECL const shared_bytes* form(std::uint32_t key) const noexcept;

  /// Keeps another form of these bytes for all who share them, and returns the one that is kept: the first
  /// under each key stays. Nothing is kept, and null returned, for empty bytes or where a prefix was removed.
  /// Any thread. Throws std::bad_alloc.
  FAIRLEAD_DECL const shared_bytes* keep_form(std::uint32_t key, shared_bytes made) const;

  /// Drops the first `n` bytes (at most size()) from this reference; other references keep them.
  void remove_prefix(std::size_t n) noexcept {
    data_ += n;
    size_ -= n;
  }

 private:
  friend class growing_bytes;

  bool is_whole() const noexcept { return block_ != nullptr && data_ == block_->bytes(); }

  detail::byte_block* block_ = nullptr;
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

/// Bytes that arrive piece by piece and become a shared_bytes without another copy. Not thread-safe.
class growing_bytes {
 public:
  growing_bytes() noexcept = default;
  growing_bytes(growing_bytes&& other) noexcept
      : block_(std::exchange(other.block_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        capacity_(std::exchange(other.capacity_, 0)) {}
  growing_bytes& operator=(growing_bytes other) noexcept {
    std::swap(block_, other.block_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
    return *this;
  }
  ~growing_bytes() {
    if (block_ != nullptr) detail::byte_block::release(block_);
  }

  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  std::size_t capacity() const noexcept { return capacity_; }
  std::span<std::byte> bytes() noexcept {
    return block_ == nullptr ? std::span<std::byte>{} : std::span{block_->bytes(), size_};
  }

  /// Makes room for `capacity` bytes in all. Invalidates views. Throws std::bad_alloc.
  FAIRLEAD_DECL void reserve(std::size_t capacity);

  /// Appends a copy, growing by doubling. Invalidates views. Throws std::bad_alloc.
  FAIRLEAD_DECL void append(std::span<const std::byte> bytes);

  /// The room behind the bytes: write there, then commit(). Valid until the next call that grows.
  std::span<std::byte> room() noexcept {
    return block_ == nullptr ? std::span<std::byte>{} : std::span{block_->bytes() + size_, capacity_ - size_};
  }
  /// `n` bytes of room() were written, and belong to the bytes now.
  void commit(std::size_t n) noexcept { size_ += n; }

  /// Forgets the bytes and the allocation.
  void clear() noexcept { *this = growing_bytes(); }

  /// Hands the bytes over without a copy and leaves this object empty.
  FAIRLEAD_DECL shared_bytes freeze() noexcept;

 private:
  detail::byte_block* block_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace fairlead::inline FAIRLEAD_ABI

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/impl/shared_bytes.ipp>
#endif

#endif
