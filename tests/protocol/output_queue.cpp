#include <fairlead/protocol/output_queue.hpp>

#include <support/catch.hpp>

#include <cstring>
#include <string>
#include <string_view>

using namespace fairlead;

namespace {

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string text_of(output_queue& queue) {
  std::string all;
  for (const auto piece : queue.output()) all += text_of(piece);
  return all;
}

void append(output_queue& queue, std::string_view text) {
  const std::span<std::byte> room = queue.append(text.size());
  REQUIRE(room.size() == text.size());
  std::memcpy(room.data(), text.data(), text.size());
}

shared_bytes shared(std::string_view text) { return shared_bytes::copy_of(bytes_of(text)); }

}  // namespace

TEST_CASE("a_new_queue_has_no_output") {
  output_workspace workspace;
  output_queue queue(workspace);
  CHECK(queue.empty());
  CHECK(queue.size() == 0);
  CHECK(queue.output().empty());
  queue.consume(0);
  queue.settle();
  CHECK(queue.empty());
}

TEST_CASE("what_is_appended_in_three_ways_leaves_in_order") {
  output_workspace workspace;
  output_queue queue(workspace);
  const std::string lent = "lent ";
  append(queue, "copied ");
  queue.append_shared(shared("shared "));
  queue.append_lent(bytes_of(lent));
  append(queue, "copied");
  CHECK(text_of(queue) == "copied shared lent copied");
  CHECK(queue.size() == 25);
}

TEST_CASE("copies_that_follow_each_other_are_one_entry_of_the_gather_list") {
  output_workspace workspace;
  output_queue queue(workspace);
  append(queue, "one ");
  append(queue, "two ");
  CHECK(queue.output().size() == 1);
  queue.append_shared(shared("three "));
  append(queue, "four");
  CHECK(queue.output().size() == 3);
  CHECK(text_of(queue) == "one two three four");
}

TEST_CASE("shared_and_lent_bytes_are_gathered_from_where_they_are") {
  output_workspace workspace;
  output_queue queue(workspace);
  const shared_bytes owner = shared("shared");
  const std::string lent = "lent";
  queue.append_shared(owner);
  queue.append_lent(bytes_of(lent));
  const auto output = queue.output();
  REQUIRE(output.size() == 2);
  CHECK(output[0].data() == owner.data());
  CHECK(output[1].data() == bytes_of(lent).data());
}

TEST_CASE("consuming_removes_from_the_front_across_entries") {
  const std::string lent = "lent ";
  const std::string all = "copied shared lent copied";
  for (std::size_t first = 0; first <= all.size(); ++first) {
    for (std::size_t second = 0; first + second <= all.size(); ++second) {
      output_workspace workspace;
      output_queue queue(workspace);
      append(queue, "copied ");
      queue.append_shared(shared("shared "));
      queue.append_lent(bytes_of(lent));
      append(queue, "copied");
      queue.consume(first);
      queue.consume(second);
      REQUIRE(text_of(queue) == all.substr(first + second));
      REQUIRE(queue.size() == all.size() - first - second);
      for (const auto piece : queue.output()) REQUIRE(!piece.empty());
    }
  }
}

TEST_CASE("settling_keeps_the_bytes_and_forgets_what_was_lent") {
  output_workspace workspace;
  output_queue queue(workspace);
  std::string lent = "lent ";
  append(queue, "copied ");
  queue.append_shared(shared("shared "));
  queue.append_lent(bytes_of(lent));
  append(queue, "copied");
  queue.consume(10);
  queue.settle();
  lent = "spoilt";
  CHECK(queue.size() == 15);
  CHECK(text_of(queue) == "red lent copied");
  append(queue, " more");
  CHECK(text_of(queue) == "red lent copied more");
}

TEST_CASE("settling_shares_what_is_shared_already") {
  output_workspace workspace;
  output_queue queue(workspace);
  const shared_bytes owner = shared("shared");
  queue.append_shared(owner);
  queue.consume(2);
  queue.settle();
  REQUIRE(queue.output().size() == 1);
  CHECK(queue.output()[0].data() == owner.data() + 2);
  CHECK(text_of(queue) == "ared");
}

TEST_CASE("settling_twice_copies_nothing_again") {
  output_workspace workspace;
  output_queue queue(workspace);
  append(queue, "copied");
  queue.settle();
  const std::byte* kept = queue.output()[0].data();
  queue.settle();
  CHECK(queue.output()[0].data() == kept);
}

TEST_CASE("consuming_after_settling_consumes_the_own_bytes") {
  output_workspace workspace;
  output_queue queue(workspace);
  append(queue, "ahoy");
  queue.settle();
  {
    output_queue next(workspace);
    append(next, "next");
    next.settle();
    queue.consume(2);
    CHECK(text_of(queue) == "oy");
    queue.consume(2);
    CHECK(queue.empty());
    queue.settle();
    CHECK(text_of(next) == "next");
  }
  append(queue, "again");
  CHECK(text_of(queue) == "again");
}

TEST_CASE("queues_of_one_workspace_alternate_by_settling") {
  output_workspace workspace;
  output_queue one(workspace);
  output_queue two(workspace);
  std::string expected_of_one;
  std::string expected_of_two;
  for (int i = 0; i < 100; ++i) {
    const std::string number = std::to_string(i) + ' ';
    append(one, number);
    one.settle();
    append(two, number + number);
    two.settle();
    expected_of_one += number;
    expected_of_two += number + number;
    if (i % 3 != 0) continue;
    REQUIRE(text_of(one) == expected_of_one);
    one.consume(2);
    expected_of_one.erase(0, 2);
    one.settle();
  }
  CHECK(text_of(one) == expected_of_one);
  one.settle();
  CHECK(text_of(two) == expected_of_two);
}

TEST_CASE("a_queue_that_ends_gives_its_workspace_back") {
  output_workspace workspace;
  {
    output_queue queue(workspace);
    append(queue, "never written");
  }
  output_queue next(workspace);
  append(next, "ahoy");
  CHECK(text_of(next) == "ahoy");
}

TEST_CASE("output_neither_moves_nor_changes_while_more_is_appended") {
  output_workspace workspace;
  output_queue queue(workspace);
  std::string expected = "first";
  append(queue, expected);
  const std::span<const std::byte> first = queue.output()[0];
  const std::string more(output_workspace::copy_limit, 'x');
  // Well over the memory that the workspace has.
  while (queue.size() < 3 * output_workspace::write_quantum) {
    append(queue, more);
    expected += more;
  }
  CHECK(queue.output()[0].data() == first.data());
  CHECK(text_of(first) == "first");
  CHECK(text_of(queue) == expected);
  queue.consume(3);
  CHECK(text_of(queue) == expected.substr(3));
  queue.settle();
  CHECK(text_of(queue) == expected.substr(3));
}

TEST_CASE("the_workspace_is_whole_again_after_settling") {
  output_workspace workspace;
  output_queue queue(workspace);
  append(queue, "ahoy");
  const std::byte* front = queue.output()[0].data();
  queue.settle();
  output_queue next(workspace);
  append(next, "next");
  CHECK(next.output()[0].data() == front);
}

TEST_CASE("the_workspace_is_whole_again_when_all_is_consumed") {
  output_workspace workspace;
  output_queue queue(workspace);
  append(queue, "ahoy");
  const std::byte* front = queue.output()[0].data();
  queue.consume(4);
  append(queue, "again");
  CHECK(queue.output()[0].data() == front);
  queue.consume(2);
  append(queue, " and again");
  CHECK(text_of(queue) == "ain and again");
  CHECK(queue.output()[0].data() == front + 2);
}
