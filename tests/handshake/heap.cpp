#include <handshake/heap.hpp>

#include <support/catch.hpp>

#include <cstdlib>
#include <memory>
#include <new>

namespace {

std::size_t held_now = 0;
std::size_t allocated_ever = 0;

// Each block remembers its size in front of it, at a distance that keeps the alignment.
constexpr std::size_t prefix = alignof(std::max_align_t);

}  // namespace

std::size_t heap::held() noexcept { return held_now; }
std::size_t heap::allocated() noexcept { return allocated_ever; }

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
  {
    const auto memory = std::make_unique<char[]>(1000);
    CHECK(heap::held() >= before + 1000);
  }
  CHECK(heap::held() == before);
}
