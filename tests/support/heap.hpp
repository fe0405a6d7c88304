#ifndef FAIRLEAD_TESTS_SUPPORT_HEAP_HPP
#define FAIRLEAD_TESTS_SUPPORT_HEAP_HPP

#include <cstddef>

/// Counts what the program takes from the heap from its construction on; one watch at a time. The counts come
/// from malloc, realloc and free, wrapped by the linker, and from operator new on top of them.
class heap_watch {
 public:
  heap_watch() noexcept;

  /// Calls that took memory.
  std::size_t allocations() const noexcept;

  /// Bytes held now beyond those held at first, and the most that ever were. With the allocator's rounding.
  std::ptrdiff_t growth() const noexcept;
  std::ptrdiff_t peak() const noexcept;

 private:
  std::size_t allocations_before_;
  std::ptrdiff_t live_before_;
};

/// Refuses the `k`-th allocation, counted from 1, of those in its windows: malloc, realloc, aligned_alloc and operator
/// new say so as they always do. One at a time; what other threads take meanwhile counts too.
class heap_failure {
 public:
  explicit heap_failure(std::size_t k) noexcept;
  heap_failure(const heap_failure&) = delete;
  heap_failure& operator=(const heap_failure&) = delete;
  ~heap_failure();

  /// The k-th was asked for, and refused.
  bool has_struck() const noexcept;

  /// The time in which allocations are counted.
  class window {
   public:
    window() noexcept;
    window(const window&) = delete;
    window& operator=(const window&) = delete;
    ~window();
  };
};

#endif
