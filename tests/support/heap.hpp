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

#endif
