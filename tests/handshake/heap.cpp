#include <handshake/heap.hpp>

#include <support/catch.hpp>

#include <cstddef>
#include <cstdlib>
#include <new>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FAIRLEAD_TESTS_SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define FAIRLEAD_TESTS_SANITIZED
#endif
#endif

namespace {

std::size_t held_now = 0;
std::size_t allocated_ever = 0;

}  // namespace

std::size_t heap::held() noexcept { return held_now; }
std::size_t heap::allocated() noexcept { return allocated_ever; }

// A sanitizer brings an operator new of its own, which sees what this one would hide: nothing is counted
// then, and every bound holds.
#if !defined(FAIRLEAD_TESTS_SANITIZED)

// Each block remembers its size in front of it, at a distance that keeps the alignment.
static constexpr std::size_t prefix = alignof(std::max_align_t);

void* operator new(std::size_t size) {
  auto* const block = static_cast<std::byte*>(std::malloc(prefix + size));
  if (block == nullptr) throw std::bad_alloc();
  ::new (block) std::size_t(size);
  held_now += size;
  allocated_ever += size;
  return block + prefix;
}

void operator delete(void* memory) noexcept {
  if (memory == nullptr) return;
  auto* const block = static_cast<std::byte*>(memory) - prefix;
  held_now -= *reinterpret_cast<const std::size_t*>(block);
  std::free(block);
}

void operator delete(void* memory, std::size_t) noexcept { operator delete(memory); }

TEST_CASE("the_heap_is_counted") {
  const std::size_t before = heap::held();
  // Called by name, for a compiler may leave out a new-expression that nobody reads.
  void* const memory = ::operator new(1000);
  const std::size_t with_memory = heap::held();
  ::operator delete(memory);
  const std::size_t after = heap::held();
  CHECK(with_memory == before + 1000);
  CHECK(after == before);
}

#endif
