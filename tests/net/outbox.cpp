#include <fairlead/net/detail/outbox.hpp>

#include <support/catch.hpp>

#include <string>

using namespace fairlead;
using detail::outbox;

namespace {

outgoing text(std::string_view words, piece p = piece::whole) {
  return {{message_kind::text, shared_bytes::copy_of(std::as_bytes(std::span(words)))}, p};
}

// A message of so many bytes in all.
constexpr std::size_t costing(std::size_t n) { return n - outbox::message_cost; }

void put(outbox& box, std::string_view words, piece p = piece::whole) {
  REQUIRE(box.reserve(words.size(), 1'000));
  box.push(text(words, p));
}

std::string pop(outbox& box) { return std::string(box.empty() ? "" : box.pop()->content.text()); }

}  // namespace

TEST_CASE("an_outbox_gives_messages_back_in_order") {
  outbox box;
  for (const char* words : {"a", "bb", "ccc", "dddd"}) put(box, words);
  CHECK(pop(box) == "a");
  put(box, "eeeee");
  for (const char* words : {"bb", "ccc", "dddd", "eeeee"}) {
    CHECK_FALSE(box.empty());
    CHECK(pop(box) == words);
  }
  CHECK(box.empty());
  CHECK_FALSE(box.pop());
}

TEST_CASE("an_outbox_counts_what_is_reserved_until_it_is_popped") {
  outbox box;
  put(box, "abc");
  CHECK(box.reserve(7, 1'000));
  CHECK(box.size() == 10 + 2 * outbox::message_cost);
  box.release(7);
  CHECK(box.size() == 3 + outbox::message_cost);
  CHECK(box.pop());
  CHECK(box.size() == 0);
}

TEST_CASE("an_outbox_is_full_at_its_limit_and_not_one_byte_before") {
  outbox box;
  REQUIRE(box.reserve(costing(900), 1'000));
  CHECK_FALSE(box.reserve(costing(101), 1'000));
  CHECK(box.size() == 900);  // what was refused is not counted
  CHECK(box.reserve(costing(100), 1'000));
  CHECK_FALSE(box.reserve(0, 1'000));
}

TEST_CASE("an_empty_outbox_lets_in_a_message_above_its_limit") {
  outbox box;
  CHECK(box.reserve(101, 100));
  CHECK_FALSE(box.reserve(1, 100));
}

TEST_CASE("clear_drops_messages_but_not_what_is_still_on_its_way") {
  outbox box;
  put(box, "abc");
  put(box, "def");
  REQUIRE(box.reserve(4, 1'000));
  box.clear();
  CHECK(box.empty());
  CHECK(box.size() == 4 + outbox::message_cost);
}

TEST_CASE("between_the_pieces_of_a_message_everything_else_waits") {
  outbox box;
  put(box, "before");
  put(box, "1", piece::first);
  put(box, "behind");
  put(box, "2", piece::middle);
  CHECK(pop(box) == "before");
  CHECK_FALSE(box.between_pieces());
  CHECK(pop(box) == "1");
  CHECK(box.between_pieces());
  CHECK(pop(box) == "2");
  CHECK(box.empty());
  CHECK_FALSE(box.pop());
  put(box, "3", piece::last);
  CHECK(pop(box) == "3");
  CHECK_FALSE(box.between_pieces());
  CHECK(pop(box) == "behind");
  CHECK(box.size() == 0);
}

TEST_CASE("clear_drops_pieces_and_what_waits_for_them") {
  outbox box;
  put(box, "1", piece::first);
  put(box, "behind");
  CHECK(pop(box) == "1");
  put(box, "2", piece::middle);
  box.clear();
  CHECK(box.empty());
  CHECK(box.size() == 0);
}
