#include <fairlead/net/session/memory_budget.hpp>

#include <fairlead/net/session/detail/lagging_sessions.hpp>

#include <support/catch.hpp>

#include <asio/io_context.hpp>

#include <cstddef>
#include <functional>
#include <initializer_list>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace fairlead;
using detail::charged_queue;
using detail::lagging_sessions;
using detail::mailbox;

namespace {

/// Of a limit of 1600 the largest pay down to 1500.
constexpr std::size_t limit = 1'600;
constexpr std::size_t after_paying = 1'500;

std::shared_ptr<memory_budget> budget_of(std::size_t queues, std::size_t input = 1'000'000) {
  return std::make_shared<memory_budget>(memory_budget::limits{.queues = queues, .input = input});
}

/// A thread with an event loop, as far as budgets see it.
struct loop {
  explicit loop(std::shared_ptr<memory_budget> budget) : sessions(std::move(budget), letters) {}

  void run() {
    context.restart();
    context.run();
  }

  asio::io_context context;
  std::shared_ptr<mailbox> letters = std::make_shared<mailbox>(context);
  lagging_sessions sessions;
};

/// A queue that writes down when it has to give way, and then holds as much as it is told: nothing by default.
class queue final : public charged_queue {
 public:
  queue(loop& on, std::string name, std::vector<std::string>& log)
      : on_(on), name_(std::move(name)), log_(log) {}
  ~queue() override { forget(); }

  void hold(std::size_t size) {
    size_ = size;
    on_.sessions.charge(*this, size);
  }
  void forget() {
    size_ = 0;
    on_.sessions.forget(*this);
  }
  void take_input(std::size_t size) { on_.sessions.charge_input(*this, size); }

  std::size_t size() const { return size_; }
  bool counts() const { return is_charged(); }

  std::function<void()> when_giving_way = [this] { hold(0); };

 private:
  void give_way() override {
    log_.push_back(name_);
    when_giving_way();
  }
  void give_up_input() override { log_.push_back(name_ + " input"); }

  loop& on_;
  std::string name_;
  std::vector<std::string>& log_;
  std::size_t size_ = 0;
};

using names = std::vector<std::string>;

}  // namespace

TEST_CASE("a_process_has_one_budget_of_its_own") {
  CHECK(memory_budget::of_process() != nullptr);
  CHECK(&memory_budget::of_process() == &memory_budget::of_process());
  CHECK(memory_budget::of_process()->queues() == 0);
  CHECK(memory_budget::of_process()->input() == 0);
  CHECK(memory_budget::limits().queues == 512 * 1024 * 1024);
  CHECK(memory_budget::limits().input == 256 * 1024 * 1024);
}

TEST_CASE("charges_sum_up_and_go_away") {
  const auto budget = budget_of(limit);
  loop on(budget);
  names log;
  {
    queue a(on, "a", log);
    queue b(on, "b", log);
    a.hold(100);
    b.hold(30);
    CHECK(budget->queues() == 130);
    a.hold(100);
    CHECK(budget->queues() == 130);
    a.hold(70);
    CHECK(budget->queues() == 100);
    CHECK(a.counts());
    a.hold(0);
    CHECK_FALSE(a.counts());
    CHECK(budget->queues() == 30);
    a.hold(5);
    CHECK(budget->queues() == 35);
  }
  CHECK(budget->queues() == 0);
  CHECK(log.empty());
}

TEST_CASE("charges_sum_up_whatever_comes_and_goes") {
  const auto budget = budget_of(1'000'000'000);
  loop on(budget);
  names log;
  std::mt19937 random(11);
  std::vector<std::unique_ptr<queue>> queues;
  for (int i = 0; i < 50; ++i) queues.push_back(std::make_unique<queue>(on, "q", log));
  bool exact = true;
  for (int i = 0; i < 20'000; ++i) {
    auto& q = queues[random() % queues.size()];
    switch (random() % 4) {
      case 0: q->hold(0); break;
      case 1: q = std::make_unique<queue>(on, "q", log); break;
      default: q->hold(random() % 10'000); break;
    }
    std::size_t sum = 0;
    for (const auto& each : queues) sum += each->size();
    exact = exact && budget->queues() == sum;
  }
  CHECK(exact);
  queues.clear();
  CHECK(budget->queues() == 0);
  CHECK(log.empty());
}

TEST_CASE("at_the_limit_nobody_pays_and_one_byte_above_somebody_does") {
  const auto budget = budget_of(limit);
  loop on(budget);
  names log;
  queue small(on, "small", log);
  queue large(on, "large", log);
  large.hold(1'000);
  small.hold(600);
  CHECK(log.empty());
  small.hold(601);
  CHECK(log == names{"large"});
  CHECK(budget->queues() == 601);
}

TEST_CASE("the_largest_pay_first_until_a_sixteenth_of_the_limit_is_free") {
  const auto budget = budget_of(limit);
  loop on(budget);
  names log;
  std::vector<std::unique_ptr<queue>> queues;
  for (const std::size_t size : {200u, 500u, 100u, 400u, 300u}) {
    queues.push_back(std::make_unique<queue>(on, std::to_string(size), log));
    queue& q = *queues.back();
    q.when_giving_way = [&q] { q.hold(q.size() - 40); };
    q.hold(size);
  }
  queue last(on, "last", log);
  last.hold(100);
  REQUIRE(budget->queues() == limit);
  REQUIRE(log.empty());
  last.hold(101);
  CHECK(log == names{"500", "400", "300"});
  CHECK(budget->queues() == limit + 1 - 3 * 40);
  CHECK(budget->queues() <= after_paying);
}

TEST_CASE("the_largest_pay_down_to_fifteen_sixteenths_exactly_and_no_further") {
  for (const std::size_t above : {0u, 1u}) {
    const auto budget = budget_of(limit);
    loop on(budget);
    names log;
    queue large(on, "large", log);
    queue second(on, "second", log);
    queue third(on, "third", log);
    second.hold(500);
    third.hold(300);
    large.when_giving_way = [&] { large.hold(after_paying - 800 + above); };
    large.hold(limit - 800 + 1);
    CHECK(log == (above == 0 ? names{"large"} : names{"large", "second"}));
  }
}

TEST_CASE("each_is_asked_once_when_all_of_them_do_not_suffice") {
  const auto budget = budget_of(limit);
  loop on(budget);
  names log;
  queue a(on, "a", log);
  queue b(on, "b", log);
  a.when_giving_way = b.when_giving_way = [] {};
  a.hold(limit);
  b.hold(1);
  CHECK(log == names{"a", "b"});
  CHECK(budget->queues() == limit + 1);
  b.hold(2);  // and again with the next charge
  CHECK(log == names{"a", "b", "a", "b"});
}

TEST_CASE("the_one_that_is_charged_may_pay_itself") {
  const auto budget = budget_of(limit);
  loop on(budget);
  names log;
  queue small(on, "small", log);
  queue large(on, "large", log);
  small.hold(100);
  large.hold(limit);
  CHECK(log == names{"large"});
  CHECK(large.size() == 0);
  CHECK(budget->queues() == 100);
}

TEST_CASE("who_gives_way_may_charge_itself_and_others") {
  const auto budget = budget_of(limit);
  loop on(budget);
  names log;
  queue a(on, "a", log);
  queue b(on, "b", log);
  queue fresh(on, "fresh", log);
  a.hold(900);
  b.hold(700);
  a.when_giving_way = [&] {
    a.hold(3'000);  // above the limit, and nobody is asked within
    CHECK(log == names{"a"});
    a.hold(890);
    fresh.hold(10);
    b.hold(710);
  };
  b.hold(701);
  CHECK(log == names{"a", "b"});
  CHECK(budget->queues() == 900);
}

TEST_CASE("who_gives_way_may_be_over_by_that") {
  const auto budget = budget_of(limit);
  loop on(budget);
  names log;
  queue a(on, "a", log);
  queue b(on, "b", log);
  queue c(on, "c", log);
  a.hold(1'000);
  b.hold(400);
  c.hold(200);
  a.when_giving_way = [&] {
    a.forget();
    c.hold(3'000);  // above the limit, and nobody is asked within
    CHECK(log == names{"a"});
  };
  b.when_giving_way = [&] { b.hold(300); };
  c.hold(201);
  CHECK(log == names{"a", "b", "c"});
  CHECK(budget->queues() == 300);
}

TEST_CASE("who_gives_way_may_end_others_or_leave_nothing_to_them") {
  const auto budget = budget_of(limit);
  loop on(budget);
  names log;
  queue a(on, "a", log);
  auto b = std::make_unique<queue>(on, "b", log);
  queue c(on, "c", log);
  queue d(on, "d", log);
  a.hold(900);
  b->hold(300);
  c.hold(250);
  d.hold(150);
  a.when_giving_way = [&] {
    b.reset();
    c.hold(0);
    a.hold(1'500);
  };
  d.hold(151);
  CHECK(log == names{"a", "d"});
  CHECK(budget->queues() == 1'500);
}

TEST_CASE("who_is_over_does_not_pay") {
  const auto budget = budget_of(limit);
  loop on(budget);
  names log;
  queue a(on, "a", log);
  queue b(on, "b", log);
  queue c(on, "c", log);
  a.hold(900);
  b.hold(600);
  a.forget();
  a.forget();  // nothing to do
  CHECK(budget->queues() == 600);
  c.hold(1'000);
  CHECK(log.empty());
  c.hold(1'001);
  CHECK(log == names{"c"});
}

// --- Several threads.

TEST_CASE("the_thread_with_the_largest_queue_is_called") {
  const auto budget = budget_of(limit);
  loop one(budget);
  loop other(budget);
  names log;
  queue large(one, "large", log);
  queue small(other, "small", log);
  large.hold(1'000);
  small.hold(601);
  CHECK(log.empty());  // another thread's queue must not be touched from here
  CHECK(budget->queues() == limit + 1);
  other.run();
  CHECK(log.empty());
  one.run();
  CHECK(log == names{"large"});
  CHECK(budget->queues() == 601);
}

TEST_CASE("a_thread_is_called_once_until_it_comes_and_then_again") {
  const auto budget = budget_of(limit);
  loop one(budget);
  loop other(budget);
  names log;
  queue large(one, "large", log);
  large.when_giving_way = [] {};
  queue small(other, "small", log);
  large.hold(1'200);
  for (std::size_t n = 401; n < 450; ++n) small.hold(n);
  one.run();
  CHECK(log == names{"large"});
  small.hold(450);
  one.run();
  CHECK(log == names{"large", "large"});
}

TEST_CASE("a_thread_that_comes_when_the_sum_is_low_again_lets_nobody_pay") {
  const auto budget = budget_of(limit);
  loop one(budget);
  loop other(budget);
  names log;
  queue large(one, "large", log);
  queue small(other, "small", log);
  large.hold(1'000);
  small.hold(601);
  small.hold(600);
  one.run();
  CHECK(log.empty());
}

TEST_CASE("a_thread_that_is_called_lets_a_larger_one_pay") {
  const auto budget = budget_of(limit);
  loop one(budget);
  loop two(budget);
  loop three(budget);
  names log;
  queue former(one, "former", log);
  queue large(two, "large", log);
  queue small(three, "small", log);
  former.hold(1'500);
  former.hold(10);  // the thread still looks as if it held much
  large.hold(1'000);
  small.hold(591);
  one.run();
  CHECK(log.empty());
  two.run();
  CHECK(log == names{"large"});
}

TEST_CASE("who_does_not_come_lets_others_pay_at_a_sixteenth_above_the_limit") {
  const auto budget = budget_of(limit);
  loop busy(budget);
  loop other(budget);
  names log;
  queue large(busy, "large", log);
  queue small(other, "small", log);
  large.hold(1'000);
  small.hold(600 + limit / 16);
  CHECK(log.empty());
  small.hold(600 + limit / 16 + 1);
  CHECK(log == names{"small"});
  CHECK(budget->queues() == 1'000);
  busy.run();
  CHECK(log == names{"small"});
}

TEST_CASE("a_thread_that_ends_is_not_called_any_more") {
  const auto budget = budget_of(limit);
  names log;
  loop stays(budget);
  {
    loop ends(budget);
    queue large(ends, "large", log);
    large.hold(1'500);
  }
  queue a(stays, "a", log);
  a.hold(limit + 1);
  CHECK(log == names{"a"});
}

TEST_CASE("budgets_do_not_pay_for_each_other") {
  const auto one = budget_of(limit);
  const auto other = budget_of(limit);
  loop on_one(one);
  loop on_other(other);
  CHECK(on_one.sessions.budget() == one.get());
  names log;
  queue a(on_one, "a", log);
  queue b(on_other, "b", log);
  a.hold(limit);
  b.hold(limit);
  CHECK(log.empty());
  b.hold(limit + 1);
  CHECK(log == names{"b"});
}

TEST_CASE("charges_of_several_threads_sum_up_and_stay_near_the_limit", "[threads]") {
  constexpr std::size_t queues_limit = 160'000;
  const auto budget = budget_of(queues_limit);
  std::vector<std::unique_ptr<loop>> loops;
  for (int i = 0; i < 3; ++i) loops.push_back(std::make_unique<loop>(budget));
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < 3; ++i) {
    threads.emplace_back([&on = *loops[i], i] {
      names log;
      std::mt19937 random(i);
      std::vector<std::unique_ptr<queue>> queues;
      for (int q = 0; q < 20; ++q) queues.push_back(std::make_unique<queue>(on, "q", log));
      for (int round = 0; round < 3'000; ++round) {
        queues[random() % queues.size()]->hold(random() % 10'000);
        on.context.restart();
        on.context.poll();
      }
      queues.clear();
      on.run();
    });
  }
  for (std::thread& t : threads) t.join();
  CHECK(budget->queues() == 0);
}

// --- Input.

TEST_CASE("input_is_given_up_one_byte_above_the_limit_and_not_at_it") {
  const auto budget = budget_of(limit, 1'000);
  loop on(budget);
  names log;
  queue a(on, "a", log);
  queue b(on, "b", log);
  a.take_input(400);
  b.take_input(600);
  CHECK(budget->input() == 1'000);
  CHECK(log.empty());
  b.take_input(601);
  CHECK(log == names{"b input"});
  CHECK(budget->input() == 400);  // what is given up is not counted
  CHECK(budget->queues() == 0);
}

TEST_CASE("M04: who holds little input stays, and who holds most of it pays, whoever came last") {
  const auto budget = budget_of(limit, 1'000);
  loop on(budget);
  names log;
  queue honest(on, "honest", log);
  queue first(on, "first", log);
  queue second(on, "second", log);
  first.take_input(450);
  second.take_input(500);
  honest.take_input(50);
  CHECK(log.empty());
  honest.take_input(51);
  CHECK(log == names{"second input"});
  CHECK(budget->input() == 501);
  // Again and again, as messages come and are taken.
  honest.take_input(0);
  second.take_input(550);
  honest.take_input(1);
  CHECK(log == names{"second input", "second input"});
  CHECK(budget->input() == 451);
}

TEST_CASE("of_inputs_that_are_equal_the_newest_is_given_up") {
  const auto budget = budget_of(limit, 1'000);
  loop on(budget);
  names log;
  queue a(on, "a", log);
  queue b(on, "b", log);
  queue c(on, "c", log);
  a.take_input(400);
  b.take_input(400);
  c.take_input(400);
  CHECK(log == names{"c input"});
  CHECK(budget->input() == 800);
}

TEST_CASE("as_many_give_their_input_up_as_it_takes") {
  const auto budget = budget_of(limit, 1'000);
  loop on(budget);
  names log;
  queue a(on, "a", log);
  queue b(on, "b", log);
  queue c(on, "c", log);
  a.take_input(500);
  b.take_input(499);
  c.take_input(2'000);
  CHECK(log == names{"c input"});
  c.take_input(1'000);
  CHECK(log == names{"c input", "c input"});
  CHECK(budget->input() == 999);
}

TEST_CASE("input_of_another_thread_is_given_up_there_when_that_holds_most") {
  const auto budget = budget_of(limit, 1'000);
  loop here(budget);
  loop there(budget);
  names log;
  queue honest(here, "honest", log);
  queue large(there, "large", log);
  large.take_input(990);
  honest.take_input(11);
  CHECK(log.empty());  // it is for the other thread to do
  honest.take_input(12);
  there.run();
  CHECK(log == names{"large input"});
  CHECK(budget->input() == 12);
}

TEST_CASE("input_that_does_not_grow_makes_nobody_pay") {
  const auto budget = budget_of(limit, 1'000);
  loop here(budget);
  loop there(budget);
  names log;
  queue a(here, "a", log);
  queue b(there, "b", log);
  b.take_input(900);
  a.take_input(400);  // an equal share is 500
  CHECK(log.empty());
  CHECK(budget->input() == 1'300);
  a.take_input(399);
  CHECK(log.empty());
  there.run();
  CHECK(log == names{"b input"});
}

TEST_CASE("input_goes_away_with_its_session") {
  const auto budget = budget_of(limit, 1'000);
  loop on(budget);
  names log;
  {
    queue a(on, "a", log);
    queue b(on, "b", log);
    queue c(on, "c", log);
    a.take_input(500);
    b.take_input(200);
    c.take_input(100);
    b.hold(50);
    b.take_input(0);  // out of the middle
    b.take_input(300);
    a.forget();
    CHECK(budget->input() == 400);
    CHECK(budget->queues() == 50);
  }
  CHECK(budget->input() == 0);
  CHECK(budget->queues() == 0);
  CHECK(log.empty());
}
