#ifndef FAIRLEAD_NET_LINK_DETAIL_HANDLER_MEMORY_HPP
#define FAIRLEAD_NET_LINK_DETAIL_HANDLER_MEMORY_HPP

#include <fairlead/config.hpp>

#include <cstddef>
#include <new>
#include <utility>

namespace fairlead::inline FAIRLEAD_ABI::detail {

/// Where Asio keeps a handler that must not be lost for want of memory: there is one at a time. Has to outlive it.
class handler_memory {
 public:
  handler_memory() noexcept = default;
  handler_memory(const handler_memory&) = delete;
  handler_memory& operator=(const handler_memory&) = delete;

  /// The allocator to associate with the handler. Takes from the heap what is too large, or a second handler.
  template <class T = std::byte>
  class allocator {
   public:
    using value_type = T;

    explicit allocator(handler_memory& m) noexcept : memory_(&m) {}
    template <class U>
    allocator(const allocator<U>& other) noexcept : memory_(other.memory_) {}

    T* allocate(std::size_t n) {
      static_assert(alignof(T) <= alignof(std::max_align_t));
      if (n * sizeof(T) > sizeof memory_->bytes_ || std::exchange(memory_->is_used_, true)) {
        return static_cast<T*>(::operator new(n * sizeof(T)));
      }
      return reinterpret_cast<T*>(memory_->bytes_);
    }
    void deallocate(T* freed, std::size_t) noexcept {
      if (reinterpret_cast<std::byte*>(freed) != memory_->bytes_) return ::operator delete(freed);
      memory_->is_used_ = false;
    }

    template <class U>
    bool operator==(const allocator<U>& other) const noexcept {
      return memory_ == other.memory_;
    }

   private:
    template <class U>
    friend class allocator;

    handler_memory* memory_;
  };

 private:
  alignas(std::max_align_t) std::byte bytes_[256];
  bool is_used_ = false;
};

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#endif
