#ifndef FAIRLEAD_IMPL_SHARED_BYTES_IPP
#define FAIRLEAD_IMPL_SHARED_BYTES_IPP

#include <fairlead/shared_bytes.hpp>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <utility>

namespace fairlead::inline FAIRLEAD_ABI {
namespace detail {

FAIRLEAD_DECL byte_block* byte_block::allocate(std::size_t capacity) {
  void* memory = std::malloc(sizeof(byte_block) + capacity);
  if (memory == nullptr) throw std::bad_alloc();
  return ::new (memory) byte_block{{1}};
}

// realloc rather than allocate and copy: large blocks are mapped, and the kernel moves their pages.
FAIRLEAD_DECL byte_block* byte_block::reallocate(byte_block* unshared, std::size_t capacity) {
  void* memory = std::realloc(static_cast<void*>(unshared), sizeof(byte_block) + capacity);
  if (memory == nullptr) throw std::bad_alloc();
  return ::new (memory) byte_block{{1}};
}

struct byte_form {
  std::uint32_t key;
  shared_bytes bytes;
  const byte_form* next;
};

FAIRLEAD_DECL void byte_block::release(byte_block* block) noexcept {
  if (block->references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  for (const byte_form* form = block->forms.load(std::memory_order_acquire); form != nullptr;) {
    delete std::exchange(form, form->next);
  }
  std::free(block);
}

}  // namespace detail

FAIRLEAD_DECL shared_bytes shared_bytes::copy_of(std::span<const std::byte> bytes) {
  growing_bytes copy;
  if (!bytes.empty()) {
    copy.reserve(bytes.size());
    copy.append(bytes);
  }
  return copy.freeze();
}

FAIRLEAD_DECL const shared_bytes* shared_bytes::form(std::uint32_t key) const noexcept {
  if (!is_whole()) return nullptr;
  for (auto form = block_->forms.load(std::memory_order_acquire); form != nullptr; form = form->next) {
    if (form->key == key) return &form->bytes;
  }
  return nullptr;
}

FAIRLEAD_DECL const shared_bytes* shared_bytes::keep_form(std::uint32_t key, shared_bytes made) const {
  if (!is_whole()) return nullptr;
  std::unique_ptr<detail::byte_form> added(new detail::byte_form{key, std::move(made), nullptr});
  const detail::byte_form* newest = block_->forms.load(std::memory_order_acquire);
  do {  // again when another thread added one meanwhile
    for (auto form = newest; form != nullptr; form = form->next) {
      if (form->key == key) return &form->bytes;
    }
    added->next = newest;
  } while (!block_->forms.compare_exchange_weak(newest, added.get(), std::memory_order_acq_rel,
                                                std::memory_order_acquire));
  return &added.release()->bytes;
}

FAIRLEAD_DECL void growing_bytes::reserve(std::size_t capacity) {
  if (capacity <= capacity_) return;
  block_ = block_ == nullptr ? detail::byte_block::allocate(capacity)
                             : detail::byte_block::reallocate(block_, capacity);
  capacity_ = capacity;
}

FAIRLEAD_DECL void growing_bytes::append(std::span<const std::byte> bytes) {
  if (bytes.empty()) return;
  if (bytes.size() > capacity_ - size_) reserve(std::max(size_ + bytes.size(), 2 * capacity_));
  std::memcpy(block_->bytes() + size_, bytes.data(), bytes.size());
  size_ += bytes.size();
}

FAIRLEAD_DECL shared_bytes growing_bytes::freeze() noexcept {
  shared_bytes frozen;
  frozen.block_ = std::exchange(block_, nullptr);
  frozen.size_ = std::exchange(size_, 0);
  frozen.data_ = frozen.block_ == nullptr ? nullptr : frozen.block_->bytes();
  capacity_ = 0;
  return frozen;
}

}  // namespace fairlead::inline FAIRLEAD_ABI

#endif
