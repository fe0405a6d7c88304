#ifndef FAIRLEAD_TESTS_HANDSHAKE_HEAP_HPP
#define FAIRLEAD_TESTS_HANDSHAKE_HEAP_HPP

#include <cstddef>

// What this program's operator new has handed out; always 0 under a sanitizer.
namespace heap {

/// Bytes that are allocated now.
std::size_t held() noexcept;

/// Bytes that were ever allocated.
std::size_t allocated() noexcept;

}  // namespace heap

#endif
