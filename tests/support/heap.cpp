#include <support/heap.hpp>

#include <malloc.h>

#include <atomic>
#include <new>

namespace {

// Relaxed, so that a test with threads is given no order that it does not make itself. What such a test does counts
// too, but a peak is only right with one thread.
constexpr auto relaxed = std::memory_order_relaxed;
std::atomic<std::size_t> taken = 0;
std::atomic<std::ptrdiff_t> live = 0;
std::atomic<std::ptrdiff_t> most_live = 0;

std::atomic<bool> may_fail = false;
std::atomic<std::size_t> until_failure = 0;  // 0 for none any more

bool must_fail() noexcept {
  if (!may_fail.load(relaxed) || until_failure.load(relaxed) == 0) return false;
  return until_failure.fetch_sub(1, relaxed) == 1;
}

std::ptrdiff_t size_of(void* block) noexcept {
  return static_cast<std::ptrdiff_t>(malloc_usable_size(block));
}

void add(void* block) noexcept {
  taken.fetch_add(1, relaxed);
  const std::ptrdiff_t size = size_of(block);
  const std::ptrdiff_t now = live.fetch_add(size, relaxed) + size;
  if (now > most_live.load(relaxed)) most_live.store(now, relaxed);
}

void subtract(void* block) noexcept { live.fetch_sub(size_of(block), relaxed); }

}  // namespace

// The linker's --wrap=malloc sends calls of malloc here, and calls of __real_malloc to malloc.
extern "C" {
void* __real_malloc(std::size_t size);
void* __real_realloc(void* block, std::size_t size);
void* __real_aligned_alloc(std::size_t alignment, std::size_t size);
void __real_free(void* block);

void* __wrap_malloc(std::size_t size) {
  if (must_fail()) return nullptr;
  void* block = __real_malloc(size);
  add(block);
  return block;
}

void* __wrap_aligned_alloc(std::size_t alignment, std::size_t size) {
  if (must_fail()) return nullptr;
  void* block = __real_aligned_alloc(alignment, size);
  add(block);
  return block;
}

void* __wrap_realloc(void* block, std::size_t size) {
  if (must_fail()) return nullptr;
  subtract(block);
  void* moved = __real_realloc(block, size);
  add(moved);
  return moved;
}

void __wrap_free(void* block) {
  subtract(block);
  __real_free(block);
}
}

// All the forms but the aligned ones, since a sanitizer brings forms of its own that would not match these.
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return __wrap_malloc(size); }
void* operator new(std::size_t size) {
  void* block = __wrap_malloc(size);
  if (block == nullptr) throw std::bad_alloc();
  return block;
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return __wrap_malloc(size); }
void* operator new[](std::size_t size) { return operator new(size); }

void operator delete(void* block) noexcept { __wrap_free(block); }
void operator delete(void* block, std::size_t) noexcept { __wrap_free(block); }
void operator delete(void* block, const std::nothrow_t&) noexcept { __wrap_free(block); }
void operator delete[](void* block) noexcept { __wrap_free(block); }
void operator delete[](void* block, std::size_t) noexcept { __wrap_free(block); }
void operator delete[](void* block, const std::nothrow_t&) noexcept { __wrap_free(block); }

heap_watch::heap_watch() noexcept : allocations_before_(taken), live_before_(live) {
  most_live = live_before_;
}

std::size_t heap_watch::allocations() const noexcept { return taken - allocations_before_; }

std::ptrdiff_t heap_watch::growth() const noexcept { return live - live_before_; }

std::ptrdiff_t heap_watch::peak() const noexcept { return most_live - live_before_; }

heap_failure::heap_failure(std::size_t k) noexcept { until_failure = k; }

heap_failure::~heap_failure() { until_failure = 0; }

bool heap_failure::has_struck() const noexcept { return until_failure == 0; }

heap_failure::window::window() noexcept { may_fail = true; }

heap_failure::window::~window() { may_fail = false; }
