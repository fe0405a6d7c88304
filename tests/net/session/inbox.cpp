#include <fairlead/net/session/detail/inbox.hpp>

#include <support/catch.hpp>

#include <asio/error.hpp>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

using namespace fairlead;
using detail::inbox;

// docs/design/net.md, receiving without loss: a message leaves only when the completion runs and no
// cancellation came first.

namespace {

constexpr std::size_t cost_of_one = sizeof(message);

message text(std::string_view s) {
  return {message_kind::text, shared_bytes::copy_of(std::as_bytes(std::span(s)))};
}

/// What the waiters of a test were told, in order; nothing completes by itself.
struct schedule_log {
  std::vector<std::error_code> scheduled;
};

class waiter final : public detail::receive_waiter {
 public:
  explicit waiter(schedule_log& log) : log_(log) {}
  void schedule(std::unique_ptr<detail::receive_waiter>, std::error_code refused) override {
    log_.scheduled.push_back(refused);
  }

 private:
  schedule_log& log_;
};

void wait(inbox& box, schedule_log& log, std::uint64_t number) {
  box.wait(std::make_unique<waiter>(log), number);
}

std::string taken_text(inbox& box) {
  const auto taken = box.take();
  return taken.outcome.whole ? std::string(taken.outcome.whole->text()) : std::string();
}

}  // namespace

TEST_CASE("inbox_hands_messages_out_in_order") {
  inbox box(1000);
  schedule_log log;
  box.put(text("a"));
  box.put(text("b"));
  wait(box, log, 1);
  CHECK(log.scheduled.size() == 1);
  CHECK(taken_text(box) == "a");
  wait(box, log, 2);
  CHECK(taken_text(box) == "b");
  wait(box, log, 3);
  CHECK(log.scheduled.size() == 2);
  box.put(text("c"));
  CHECK(log.scheduled.size() == 3);
  CHECK(taken_text(box) == "c");
}

TEST_CASE("inbox_keeps_a_message_whose_completion_was_posted_but_cancelled_before_it_ran") {
  inbox box(1000);
  schedule_log log;
  wait(box, log, 1);
  box.put(text("a"));
  REQUIRE(log.scheduled.size() == 1);  // posted, not yet run
  box.cancel(1);
  CHECK(log.scheduled.size() == 1);
  const auto cancelled = box.take();
  CHECK(cancelled.outcome.error == asio::error::operation_aborted);
  CHECK_FALSE(cancelled.outcome.whole);
  wait(box, log, 2);
  CHECK(taken_text(box) == "a");
}

TEST_CASE("inbox_ends_a_wait_that_is_cancelled_before_a_message_came") {
  inbox box(1000);
  schedule_log log;
  wait(box, log, 1);
  box.cancel(1);
  REQUIRE(log.scheduled.size() == 1);
  box.put(text("a"));
  CHECK(log.scheduled.size() == 1);
  CHECK(box.take().outcome.error == asio::error::operation_aborted);
  wait(box, log, 2);
  CHECK(taken_text(box) == "a");
}

TEST_CASE("inbox_does_not_let_an_old_cancellation_end_a_newer_wait") {
  inbox box(1000);
  schedule_log log;
  box.cancel(1);
  wait(box, log, 1);
  box.put(text("a"));
  CHECK(taken_text(box) == "a");
  box.cancel(1);
  wait(box, log, 2);
  box.cancel(1);
  CHECK(log.scheduled.size() == 1);
  box.put(text("b"));
  CHECK(taken_text(box) == "b");
}

TEST_CASE("inbox_refuses_a_second_waiter_and_keeps_the_first") {
  inbox box(1000);
  schedule_log first;
  schedule_log second;
  wait(box, first, 1);
  wait(box, second, 2);
  REQUIRE(second.scheduled.size() == 1);
  CHECK(second.scheduled.front() == errc::busy);
  box.put(text("a"));
  CHECK(first.scheduled == std::vector<std::error_code>{{}});
  // The first is scheduled, but not done before it takes.
  wait(box, second, 3);
  CHECK(second.scheduled.size() == 2);
  CHECK(taken_text(box) == "a");
}

TEST_CASE("inbox_asks_for_a_pause_from_its_limit_on_and_not_a_byte_below") {
  const std::string ten(10, 'x');
  const std::size_t size = 10 + cost_of_one;
  CHECK(inbox(size + 1).put(text(ten)));
  CHECK_FALSE(inbox(size).put(text(ten)));
  CHECK_FALSE(inbox(size - 1).put(text(ten)));  // a single larger message is let in
}

TEST_CASE("inbox_ends_the_pause_at_half_and_not_a_byte_above") {
  schedule_log log;
  for (const int above : {0, 1}) {
    // Full with two; taking the first leaves the second, which is half of the limit, or a byte more.
    const std::string second(10 + static_cast<std::size_t>(above), 'x');
    inbox box(2 * (10 + cost_of_one));
    CHECK(box.put(text(std::string(10, 'x'))));
    CHECK_FALSE(box.put(text(second)));
    wait(box, log, 1);
    CHECK(box.take().has_room == (above == 0));
    wait(box, log, 2);
    CHECK(box.take().has_room == (above == 1));  // empty: once, and then no more
  }
}

TEST_CASE("inbox_is_filled_by_empty_messages_too") {
  inbox box(3 * cost_of_one);
  CHECK(box.put(text("")));
  CHECK(box.put(text("")));
  CHECK_FALSE(box.put(text("")));
}

TEST_CASE("inbox_tells_the_end_after_the_last_message_and_every_time_from_then_on") {
  inbox box(1000);
  schedule_log log;
  box.put(text("a"));
  box.end(errc::connection_lost);
  wait(box, log, 1);
  CHECK(taken_text(box) == "a");
  for (const std::uint64_t number : {2u, 3u}) {
    wait(box, log, number);
    const auto end = box.take();
    CHECK(end.outcome.error == errc::connection_lost);
    CHECK_FALSE(end.outcome.whole);
  }
}

TEST_CASE("inbox_drops_a_waiter_without_a_completion") {
  inbox box(1000);
  schedule_log log;
  wait(box, log, 1);
  box.drop();
  box.put(text("a"));
  CHECK(log.scheduled.empty());
}
