#include <fairlead/shared_bytes.hpp>

#include <support/catch.hpp>

#include <array>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

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

// What is made once for many, such as a compressed message, is kept with the bytes that they share.
TEST_CASE("a_form_is_kept_with_the_bytes_for_all_who_share_them") {
  const shared_bytes first = shared_bytes::copy_of(bytes_of("ahoy"));
  CHECK_FALSE(first.is_shared());
  const shared_bytes second = first;
  CHECK(first.is_shared());
  CHECK(first.form(1) == nullptr);

  const shared_bytes* const kept = first.keep_form(1, shared_bytes::copy_of(bytes_of("a")));
  REQUIRE(kept != nullptr);
  CHECK(text_of(*kept) == "a");
  CHECK(second.form(1) == kept);
  CHECK(second.form(2) == nullptr);
  CHECK(second.keep_form(1, shared_bytes::copy_of(bytes_of("b"))) == kept);  // the first one stays
  CHECK(text_of(*second.keep_form(2, {})).empty());
  CHECK(second.form(2)->empty());
  CHECK(first.form(1) == kept);
}

TEST_CASE("a_form_is_of_whole_bytes_only") {
  shared_bytes rest = shared_bytes::copy_of(bytes_of("ahoy"));
  REQUIRE(rest.keep_form(1, {}) != nullptr);
  rest.remove_prefix(1);
  CHECK(rest.form(1) == nullptr);
  CHECK(rest.keep_form(1, {}) == nullptr);
  CHECK(shared_bytes().keep_form(1, {}) == nullptr);
  CHECK_FALSE(shared_bytes().is_shared());
}

TEST_CASE("threads_that_make_the_same_form_agree_on_one", "[threads]") {
  for (int round = 0; round < 200; ++round) {
    const shared_bytes bytes = shared_bytes::copy_of(bytes_of("ahoy"));
    std::array<const shared_bytes*, 4> kept{};
    std::vector<std::thread> threads;
    for (std::size_t t = 0; t < kept.size(); ++t) {
      threads.emplace_back([&bytes, &kept, t] {
        const shared_bytes mine = bytes;
        mine.keep_form(static_cast<std::uint32_t>(t), shared_bytes::copy_of(bytes_of("own")));
        kept[t] = mine.keep_form(100, shared_bytes::copy_of(bytes_of("same")));
      });
    }
    for (std::thread& t : threads) t.join();
    for (const shared_bytes* const each : kept) CHECK(each == bytes.form(100));
    for (std::uint32_t t = 0; t < kept.size(); ++t) CHECK(text_of(*bytes.form(t)) == "own");
  }
}
