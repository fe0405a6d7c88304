#include <fairlead/protocol/detail/whole_deflater.hpp>
#include <fairlead/protocol/detail/zlib_stream.hpp>

#include "deflate_support.hpp"

#if defined(FAIRLEAD_LIBDEFLATE)
#include <libdeflate.h>
#endif

#include <cstdlib>

using namespace protocol_tests;

// RFC 7692 section 7.2.3.4. The macro is what the build says; fairlead's headers do not look at it here.

using detail::whole_deflater;

#if defined(FAIRLEAD_LIBDEFLATE)

namespace {

constexpr std::size_t sizes[] = {1,   2,    7,     50,     100,    257,    258,      259,
                                 511, 4095, 9'999, 32'767, 32'769, 70'000, 1'000'000};

std::string deflated_by(whole_deflater& z, std::string_view text) {
  std::vector<std::byte> room{std::byte{1}};  // what was there is replaced
  return text_of(z.deflate(bytes_of(text), room));
}

std::size_t asked_for = 0;

void* counting_malloc(std::size_t size) {
  asked_for += size;
  return std::malloc(size);
}

}  // namespace

TEST_CASE("built_with_libdeflate_there_are_whole_deflaters") {
  std::size_t memory_size = 0;
  CHECK(whole_deflater::is_there());
  CHECK(whole_deflater::make(6, memory_size) != nullptr);
}

TEST_CASE("what_is_deflated_whole_is_smaller_ends_in_a_last_block_and_inflates_to_the_same") {
  const int level = GENERATE(range(1, 10));
  CAPTURE(level);
  std::size_t memory_size = 0;
  const auto z = whole_deflater::make(level, memory_size);
  detail::inflater ours(15, memory_size);
  peer_inflater peer;
  std::size_t smaller = 0;
  for (const std::size_t size : sizes) {
    for (const std::string& text : {prose(size, size), pattern(size, size), std::string(size, '\0')}) {
      CAPTURE(size);
      const std::string payload = deflated_by(*z, text);
      if (payload.empty()) continue;
      ++smaller;
      REQUIRE(payload.size() < size);
      REQUIRE(ends_in_last_block(payload));
      REQUIRE((peer.message(payload) == text));
      std::string inflated(size + 1, 'x');
      std::span<const std::byte> in = bytes_of(payload);
      std::span<std::byte> room = std::as_writable_bytes(std::span(inflated));
      REQUIRE(ours.inflate(in, true, room) == detail::inflate_result::done);
      REQUIRE((text_of(room) == text));
    }
  }
  CHECK(smaller > 20);
}

TEST_CASE("what_is_deflated_whole_refers_no_further_back_than_to_its_front") {
  const int window_bits = GENERATE(range(9, 16));
  std::size_t memory_size = 0;
  const auto z = whole_deflater::make(9, memory_size);
  const std::size_t size = std::size_t{1} << window_bits;
  // The end repeats the front, as far back as there is.
  const std::string text = pattern(size - 100) + pattern(100);
  const std::string payload = deflated_by(*z, text);
  REQUIRE(payload.size() < size);
  CHECK((peer_inflater(window_bits).message(payload) == text));
}

TEST_CASE("what_does_not_become_smaller_is_not_deflated_whole") {
  std::size_t memory_size = 0;
  const auto z = whole_deflater::make(GENERATE(range(1, 10)), memory_size);
  const std::string random = peer_deflater().message(pattern(90'000));
  for (std::size_t size = 1; size < random.size(); size += 1 + size / 3) {
    CHECK(deflated_by(*z, random.substr(0, size)).empty());
  }
}

TEST_CASE("what_libdeflate_takes_is_counted_until_it_is_given_back") {
  const int level = GENERATE(range(1, 10));
  CAPTURE(level);
  std::size_t memory_size = 0;
  asked_for = 0;
  libdeflate_set_memory_allocator(counting_malloc, std::free);
  auto z = whole_deflater::make(level, memory_size);
  libdeflate_set_memory_allocator(std::malloc, std::free);
  CHECK(memory_size == asked_for);
  deflated_by(*z, prose(100'000));
  CHECK(memory_size == asked_for);
  z.reset();
  CHECK(memory_size == 0);
}

#else

TEST_CASE("built_without_libdeflate_there_is_no_whole_deflater") {
  std::size_t memory_size = 0;
  CHECK_FALSE(whole_deflater::is_there());
  CHECK(whole_deflater::make(6, memory_size) == nullptr);
}

#endif
