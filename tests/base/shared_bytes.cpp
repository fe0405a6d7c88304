#include <fairlead/shared_bytes.hpp>

#include <support/catch.hpp>

#include <cstring>
#include <string>

using namespace fairlead;

namespace {

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

}  // namespace

TEST_CASE("shared_bytes_live_as_long_as_a_reference") {
  shared_bytes second;
  {
    const shared_bytes first = shared_bytes::copy_of(bytes_of("ahoy"));
    second = first;
    CHECK(second.data() == first.data());
  }
  CHECK(text_of(second) == "ahoy");
}

TEST_CASE("a_prefix_is_removed_from_one_reference_only") {
  const shared_bytes first = shared_bytes::copy_of(bytes_of("ahoy"));
  shared_bytes second = first;
  second.remove_prefix(2);
  CHECK(text_of(second) == "oy");
  CHECK(text_of(first) == "ahoy");
  second.remove_prefix(2);
  CHECK(second.empty());
}

TEST_CASE("an_empty_copy_is_empty") {
  CHECK(shared_bytes::copy_of({}).empty());
  CHECK(growing_bytes().freeze().empty());
}

TEST_CASE("growing_bytes_freeze_without_a_copy") {
  growing_bytes growing;
  std::string expected;
  for (int i = 0; i < 1000; ++i) {
    growing.append(bytes_of("0123456789"));
    expected += "0123456789";
  }
  const std::byte* before = growing.bytes().data();
  const shared_bytes frozen = growing.freeze();
  CHECK(frozen.data() == before);
  CHECK(text_of(frozen) == expected);
  CHECK(growing.empty());
  CHECK(growing.capacity() == 0);
}

TEST_CASE("room_is_committed_piecewise") {
  growing_bytes growing;
  growing.reserve(8);
  REQUIRE(growing.room().size() == 8);
  std::memcpy(growing.room().data(), "abc", 3);
  growing.commit(3);
  CHECK(growing.room().size() == 5);
  std::memcpy(growing.room().data(), "def", 3);
  growing.commit(3);
  CHECK(text_of(growing.bytes()) == "abcdef");
}
