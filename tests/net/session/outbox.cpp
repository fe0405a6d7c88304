#include <fairlead/net/session/detail/outbox.hpp>

#include <support/catch.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

using namespace fairlead;
using namespace std::chrono_literals;
using detail::live_drop_counts;
using detail::outbox;

// What becomes of messages that wait for a slow peer.

namespace {

using outcome = outbox::outcome;

constexpr time_point start{100s};
constexpr outbox::watermarks wide{1'000'000, 2'000'000};

constexpr message_class queued{};
constexpr message_class newest{.policy = slow_policy::drop_newest};
constexpr message_class oldest{.policy = slow_policy::drop_oldest};
constexpr message_class price{.policy = slow_policy::conflate};
constexpr message_class typing{.policy = slow_policy::expire, .ttl = 5s};
constexpr message_class strict{.policy = slow_policy::disconnect};
constexpr message_class relayed{.policy = slow_policy::pause_source};

constexpr message_class in(lane l, message_class c = queued) {
  c.lane = l;
  return c;
}

/// What a message of so many bytes counts.
constexpr std::size_t cost(std::size_t n) { return n + outbox::message_cost; }

/// An outbox with the drops of its thread.
struct counted_outbox {
  live_drop_counts total;
  outbox box{total};

  outcome push(std::string_view words, const message_class& c = queued, outbox::watermarks limits = wide,
               time_point now = start) {
    return box.push(words, c, limits, now);
  }

  outcome push_piece(std::string_view words, piece p, outbox::watermarks limits = wide) {
    return box.push_piece({message_view(words).keep(), p}, limits);
  }

  std::string pop(time_point now = start) {
    const auto next = box.pop(now);
    return next ? std::string(next->content.text()) : "nothing";
  }

  /// All that waits, in the order in which it leaves.
  std::vector<std::string> pop_all(time_point now = start) {
    std::vector<std::string> all;
    while (const auto next = box.pop(now)) all.emplace_back(next->content.text());
    return all;
  }

  /// That nothing was dropped but this.
  void check_drops(std::initializer_list<std::pair<drop_reason, std::uint64_t>> expected) const {
    drop_counts counts;
    for (const auto& [why, n] : expected) counts.add(why, n);
    CHECK(box.drops().by_reason == counts.by_reason);
    CHECK(total.read().by_reason == counts.by_reason);
  }
};

using words = std::vector<std::string>;

}  // namespace

// --- Order.

TEST_CASE("messages_of_one_lane_leave_in_the_order_of_their_calls") {
  // Whatever becomes of them when there are too many.
  counted_outbox o;
  const std::array classes{queued, oldest,  price.with_key("a"), typing, newest,
                           strict, relayed, price.with_key("b")};
  words sent;
  for (std::size_t i = 0; i < 32; ++i) {
    message_class c = classes[i * 5 % classes.size()];
    const std::string key = std::to_string(i);
    sent.push_back("message " + key);
    CHECK(o.push(sent.back(), c.with_key(key)) == outcome::taken);
  }
  CHECK(o.box.count() == 32);
  CHECK(o.pop_all() == sent);
  CHECK(o.box.empty());
  CHECK(o.box.size() == 0);
  o.check_drops({});
}

TEST_CASE("a_higher_lane_leaves_first") {
  counted_outbox o;
  for (const char* const round : {"1", "2"}) {
    o.push(std::string("bulk ") + round, in(lane::bulk));
    o.push(std::string("normal ") + round);
    o.push(std::string("control ") + round, in(lane::control));
    o.push(std::string("high ") + round, in(lane::high, oldest));
  }
  CHECK(o.pop() == "control 1");
  o.push("control 3", in(lane::control));
  CHECK(o.pop_all() ==
        words{"control 2", "control 3", "high 1", "high 2", "normal 1", "normal 2", "bulk 1", "bulk 2"});
}

TEST_CASE("an_outbox_can_be_filled_again_and_again") {
  counted_outbox o;
  for (int round = 0; round < 3; ++round) {
    CHECK(o.box.empty());
    CHECK(o.pop() == "nothing");
    o.push("one");
    CHECK_FALSE(o.box.empty());
    CHECK(o.pop_all() == words{"one"});
    o.push("two", in(lane::bulk));
    o.push("one");
    CHECK(o.pop_all() == words{"one", "two"});
    CHECK(o.box.size() == 0);
    CHECK(o.box.count() == 0);
  }
}

TEST_CASE("an_outbox_keeps_the_kind_and_the_bytes_of_a_message_without_a_copy_when_they_are_shared") {
  counted_outbox o;
  const message binary{message_kind::binary, shared_bytes::copy_of(std::as_bytes(std::span("\x01\x02", 2))),
                       compression::never};
  o.box.push(binary, queued, wide, start);
  o.push("text");
  const auto first = o.box.pop(start);
  REQUIRE(first);
  CHECK(first->content.kind() == message_kind::binary);
  CHECK(first->content.compression() == compression::never);
  CHECK(first->content.bytes().data() == binary.bytes().data());
  CHECK(first->piece == piece::whole);
  const auto second = o.box.pop(start);
  REQUIRE(second);
  CHECK(second->content.kind() == message_kind::text);
}

// --- Messages in pieces (RFC 6455 section 5.4).

TEST_CASE("between_the_pieces_of_a_message_everything_else_waits") {
  counted_outbox o;
  o.push("before");
  o.push_piece("1", piece::first);
  o.push("behind");
  o.push_piece("2", piece::middle);
  CHECK(o.pop() == "before");
  CHECK_FALSE(o.box.between_pieces());
  CHECK(o.pop() == "1");
  CHECK(o.box.between_pieces());
  o.push("higher", in(lane::control));
  CHECK(o.pop() == "2");
  CHECK(o.box.empty());
  CHECK(o.pop() == "nothing");
  CHECK(o.box.count() == 2);
  o.push_piece("3", piece::last);
  CHECK_FALSE(o.box.empty());
  CHECK(o.pop() == "3");
  CHECK_FALSE(o.box.between_pieces());
  CHECK(o.pop_all() == words{"higher", "behind"});
  CHECK(o.box.size() == 0);
}

TEST_CASE("a_higher_lane_passes_a_message_in_pieces_that_has_not_begun") {
  counted_outbox o;
  o.push_piece("1", piece::first);
  o.push_piece("2", piece::last);
  o.push("higher", in(lane::high));
  CHECK(o.pop_all() == words{"higher", "1", "2"});
}

TEST_CASE("messages_in_pieces_follow_each_other") {
  counted_outbox o;
  o.push_piece("a1", piece::first);
  o.push_piece("a2", piece::last);
  o.push_piece("b", piece::whole);
  o.push_piece("c1", piece::first);
  o.push_piece("c2", piece::middle);
  o.push_piece("c3", piece::last);
  for (const piece p : {piece::first, piece::last, piece::whole, piece::first, piece::middle, piece::last}) {
    const auto next = o.box.pop(start);
    REQUIRE(next);
    CHECK(next->piece == p);
  }
  CHECK(o.box.empty());
}

TEST_CASE("a_piece_is_taken_up_to_the_hard_limit_and_not_one_byte_above") {
  counted_outbox o;
  const outbox::watermarks limits{1, 2 * cost(10)};
  CHECK(o.push_piece("0123456789", piece::first, limits) == outcome::taken);
  CHECK(o.push_piece("0123456789+", piece::middle, limits) == outcome::full);
  CHECK(o.box.size() == cost(10));
  CHECK(o.push_piece("0123456789", piece::middle, limits) == outcome::taken);
  CHECK(o.push_piece("", piece::last, limits) == outcome::full);
  CHECK(o.box.max_size() == 2 * cost(10));
}

// --- At the high watermark, and at the hard limit.

TEST_CASE("below_the_high_watermark_every_message_is_taken") {
  for (const message_class& c : {queued, newest, oldest, price.with_key("new"), typing, strict, relayed}) {
    counted_outbox o;
    o.push("first");
    const outbox::watermarks limits{cost(5) + cost(10), cost(5) + cost(10)};
    CHECK(o.push("0123456789", c, limits) == outcome::taken);
    CHECK(o.pop_all() == words{"first", "0123456789"});
    o.check_drops({});
  }
}

TEST_CASE("a_byte_above_the_high_watermark_the_class_decides") {
  struct row {
    message_class c;
    outcome expected;
    words left;
    std::vector<drop_reason> dropped;
  };
  const row rows[] = {
      {queued, outcome::taken, {"first", "0123456789"}, {}},
      {newest, outcome::dropped, {"first"}, {drop_reason::newest}},
      {oldest, outcome::dropped, {"first"}, {drop_reason::newest}},  // nothing of its kind waits
      {price.with_key("new"), outcome::taken, {"first", "0123456789"}, {}},
      {typing, outcome::dropped, {"first"}, {drop_reason::newest}},  // nothing has expired
      {strict, outcome::full, {"first"}, {}},
      {relayed, outcome::taken, {"first", "0123456789"}, {}},
  };
  for (const row& r : rows) {
    CAPTURE(static_cast<int>(r.c.policy));
    counted_outbox o;
    o.push("first");
    const std::size_t high = cost(5) + cost(10) - 1;
    CHECK(o.push("0123456789", r.c, {high, high + 1}) == r.expected);
    CHECK(o.pop_all() == r.left);
    CHECK(o.box.size() == 0);
    CHECK(o.box.drops().lost() == r.dropped.size());
    for (const drop_reason why : r.dropped) CHECK(o.box.drops()[why] == 1);
  }
}

TEST_CASE("a_byte_above_the_hard_limit_what_has_to_be_kept_is_refused") {
  for (const message_class& c : {queued, price.with_key("new"), strict, relayed}) {
    CAPTURE(static_cast<int>(c.policy));
    counted_outbox o;
    o.push("first");
    const std::size_t size = cost(5) + cost(10);
    CHECK(o.push("0123456789", c, {1, size - 1}) == outcome::full);
    CHECK(o.box.size() == cost(5));
    CHECK(o.pop_all() == words{"first"});
    o.check_drops({});  // who disconnects counts it
  }
  for (const message_class& c : {newest, oldest, typing}) {
    counted_outbox o;
    o.push("first");
    CHECK(o.push("0123456789", c, {1, 1}) == outcome::dropped);
    CHECK(o.pop_all() == words{"first"});
    o.check_drops({{drop_reason::newest, 1}});
  }
}

TEST_CASE("a_single_message_is_let_into_an_empty_outbox_whatever_its_size") {
  for (const message_class& c : {queued, newest, oldest, price, typing, strict, relayed}) {
    counted_outbox o;
    CHECK(o.push("0123456789", c, {1, 1}) == outcome::taken);
    CHECK(o.push("0", in(lane::high), {1, 1}) == outcome::full);
    CHECK(o.pop_all() == words{"0123456789"});
  }
  counted_outbox o;
  CHECK(o.push_piece("0123456789", piece::first, {1, 1}) == outcome::taken);
  CHECK(o.push_piece("0", piece::last, {1, 1}) == outcome::full);
}

TEST_CASE("what_other_threads_have_reserved_counts_at_the_watermarks") {
  counted_outbox o;
  REQUIRE(o.box.reserve(10, wide.hard));
  CHECK(o.push("0123456789", newest, {2 * cost(10) - 1, wide.hard}) == outcome::dropped);
  CHECK(o.push("0123456789", newest, {2 * cost(10), wide.hard}) == outcome::taken);
}

// --- drop_oldest.

TEST_CASE("drop_oldest_drops_as_many_as_it_needs_and_no_more") {
  counted_outbox o;
  for (const char* const m : {"1st", "2nd", "3rd", "4th"}) o.push(m, oldest);
  const std::size_t full = 4 * cost(3);
  CHECK(o.push("5th", oldest, {full, full}) == outcome::taken);
  o.check_drops({{drop_reason::oldest, 1}});
  CHECK(o.box.size() == full);
  CHECK(o.push("6th+", oldest, {full, full}) == outcome::taken);  // one byte more than one of them
  o.check_drops({{drop_reason::oldest, 3}});
  CHECK(o.pop_all() == words{"4th", "5th", "6th+"});
}

TEST_CASE("drop_oldest_drops_a_single_message_too") {
  counted_outbox o;
  o.push("older", oldest);
  CHECK(o.push("newer", oldest, {cost(5), cost(5)}) == outcome::taken);
  CHECK(o.pop_all() == words{"newer"});
  CHECK(o.box.size() == 0);
  o.check_drops({{drop_reason::oldest, 1}});
}

TEST_CASE("drop_oldest_leaves_other_kinds_and_other_lanes_alone") {
  counted_outbox o;
  o.push("queued");
  o.push("price", price);
  o.push("typing", typing);
  o.push("other lane", in(lane::bulk, oldest));
  o.push("1", oldest);
  o.push("relayed", relayed);
  o.push("2", oldest);
  const outbox::watermarks now_full{o.box.size(), wide.hard};
  CHECK(o.push("3", oldest, now_full) == outcome::taken);
  CHECK(o.push("4", oldest, now_full) == outcome::taken);
  o.check_drops({{drop_reason::oldest, 2}});
  CHECK(o.pop_all() == words{"queued", "price", "typing", "relayed", "3", "4", "other lane"});
}

TEST_CASE("drop_oldest_drops_itself_when_others_of_its_kind_are_too_little_and_leaves_those") {
  // As many as would do, and a byte more.
  for (const std::size_t above : {0u, 1u}) {
    counted_outbox o;
    o.push("kept, and not dropped for it");
    o.push("1", oldest);
    o.push("2", oldest);
    const std::size_t full = o.box.size();
    const std::string large(cost(1) + 1 + above, 'x');
    CHECK(o.push(large, oldest, {full, full}) == (above == 0 ? outcome::taken : outcome::dropped));
    if (above == 0) {
      CHECK(o.box.size() == full);
      o.check_drops({{drop_reason::oldest, 2}});
      CHECK(o.pop_all() == words{"kept, and not dropped for it", large});
    } else {
      o.check_drops({{drop_reason::newest, 1}});
      CHECK(o.pop_all() == words{"kept, and not dropped for it", "1", "2"});
    }
  }
}

TEST_CASE("drop_oldest_drops_no_single_message_for_nothing") {
  counted_outbox o;
  o.push("older", oldest);
  REQUIRE(o.box.reserve(10, wide.hard));
  CHECK(o.push("newer+", oldest, {cost(10) + cost(5), wide.hard}) == outcome::dropped);
  o.check_drops({{drop_reason::newest, 1}});
  CHECK(o.push("newer", oldest, {cost(10) + cost(5), wide.hard}) == outcome::taken);
  o.check_drops({{drop_reason::newest, 1}, {drop_reason::oldest, 1}});
  CHECK(o.pop_all() == words{"newer"});
}

TEST_CASE("drop_oldest_lets_a_message_above_the_watermark_take_the_place_of_all_others") {
  // As it would be let into an empty outbox.
  for (const int others : {1, 2, 5}) {
    counted_outbox o;
    for (int i = 0; i < others; ++i) o.push("older", oldest);
    CHECK(o.push("larger than all that there may be", oldest, {1, 1}) == outcome::taken);
    CHECK(o.pop_all() == words{"larger than all that there may be"});
    o.check_drops({{drop_reason::oldest, static_cast<std::uint64_t>(others)}});
  }
}

// --- conflate.

TEST_CASE("conflate_takes_the_place_of_the_message_with_its_key") {
  counted_outbox o;
  o.push("before");
  o.push("EUR 1", price.with_key("EUR"));
  o.push("between");
  o.push("USD 1", price.with_key("USD"));
  o.push("behind", in(lane::bulk));
  CHECK(o.push("EUR 2", price.with_key("EUR")) == outcome::conflated);
  CHECK(o.push("USD 2", price.with_key("USD")) == outcome::conflated);
  CHECK(o.push("EUR 3", price.with_key("EUR")) == outcome::conflated);
  CHECK(o.box.count() == 5);
  o.check_drops({{drop_reason::conflated, 3}});
  CHECK(o.box.drops().lost() == 0);
  CHECK(o.pop_all() == words{"before", "EUR 3", "between", "USD 2", "behind"});
}

TEST_CASE("conflate_replaces_a_single_message") {
  counted_outbox o;
  o.push("1", price.with_key("EUR"));
  CHECK(o.push("2", price.with_key("EUR")) == outcome::conflated);
  o.push("behind");
  CHECK(o.push("3", price.with_key("EUR")) == outcome::conflated);  // also when it is not alone any more
  CHECK(o.pop_all() == words{"3", "behind"});
}

TEST_CASE("conflate_begins_anew_when_the_message_with_its_key_has_left") {
  counted_outbox o;
  const std::string long_key(100, 'k');
  for (const std::string& key : {std::string("EUR"), std::string(), long_key}) {
    o.push("1", price.with_key(key));
    o.push("2");
    CHECK(o.pop() == "1");
    CHECK(o.push("3", price.with_key(key)) == outcome::taken);
    CHECK(o.push("4", price.with_key(key)) == outcome::conflated);
    CHECK(o.pop_all() == words{"2", "4"});
    CHECK(o.push("5", price.with_key(key)) == outcome::taken);
    CHECK(o.pop() == "5");
    CHECK(o.box.size() == 0);
  }
}

TEST_CASE("conflate_copies_its_key") {
  counted_outbox o;
  std::string key(100, 'a');
  o.push("a", price.with_key(key));
  o.push("other");
  key.assign(100, 'b');
  CHECK(o.push("b", price.with_key(key)) == outcome::taken);
  CHECK(o.push("a again", price.with_key(std::string(100, 'a'))) == outcome::conflated);
  CHECK(o.pop_all() == words{"a again", "other", "b"});
}

TEST_CASE("conflate_knows_a_key_in_its_own_lane_only_and_among_its_own_kind") {
  counted_outbox o;
  o.push("normal 1", price.with_key("EUR"));
  CHECK(o.push("high", in(lane::high, price).with_key("EUR")) == outcome::taken);
  CHECK(o.push("queued", queued.with_key("EUR")) == outcome::taken);
  CHECK(o.push("normal 2", price.with_key("EUR")) == outcome::conflated);
  CHECK(o.pop_all() == words{"high", "normal 2", "queued"});

  o.push("queued", queued.with_key("EUR"));
  CHECK(o.push("price", price.with_key("EUR")) == outcome::taken);
  CHECK(o.pop_all() == words{"queued", "price"});

  o.push("high", in(lane::high, price).with_key("EUR"));
  CHECK(o.push("normal", price.with_key("EUR")) == outcome::taken);
}

TEST_CASE("conflate_counts_the_size_of_what_is_there_now") {
  for (const bool alone : {true, false}) {
    counted_outbox o;
    const std::size_t others = alone ? 0 : cost(5);
    o.push("12345", price);
    if (!alone) o.push("other");
    o.push("1234567890", price);
    CHECK(o.box.size() == others + cost(10));
    CHECK(o.box.max_size() == others + cost(10));
    o.push("1", price);
    CHECK(o.box.size() == others + cost(1));
    CHECK(o.box.max_size() == others + cost(10));
    o.push("", price);
    CHECK(o.box.size() == others + cost(0));
    o.pop_all();
    CHECK(o.box.size() == 0);
  }
}

TEST_CASE("conflate_replaces_between_the_watermarks_and_not_one_byte_above_the_hard_limit") {
  counted_outbox o;
  o.push("12345", price);
  o.push("other");
  const outbox::watermarks limits{1, 2 * cost(5)};
  CHECK(o.push("67890", price, limits) == outcome::conflated);
  CHECK(o.push("67890+", price, limits) == outcome::full);
  CHECK(o.box.size() == 2 * cost(5));
  o.check_drops({{drop_reason::conflated, 1}});
  // What does not make it larger is no burden, even beyond the limit.
  CHECK(o.push("abcde", price, {1, 1}) == outcome::conflated);
  CHECK(o.push("abcd", price, {1, 1}) == outcome::conflated);
  CHECK(o.pop_all() == words{"abcd", "other"});

  o.push("small", price);
  CHECK(o.push("a single message may have any size", price, {1, 1}) == outcome::conflated);
}

// --- expire.

TEST_CASE("an_expiring_message_leaves_when_its_time_is_reached_and_not_a_tick_later") {
  for (const bool alone : {true, false}) {
    for (const duration late : {duration(0), duration(1)}) {
      counted_outbox o;
      o.push("typing", typing);
      if (!alone) o.push("other");
      words expected;
      if (late == duration(0)) expected.emplace_back("typing");
      if (!alone) expected.emplace_back("other");
      CHECK(o.pop_all(start + 5s + late) == expected);
      CHECK(o.box.size() == 0);
      CHECK(o.box.count() == 0);
      CHECK(o.box.drops()[drop_reason::expired] == (late == duration(0) ? 0 : 1));
      CHECK(o.total.read()[drop_reason::expired] == (late == duration(0) ? 0 : 1));
    }
  }
}

TEST_CASE("a_message_may_wait_for_ever_when_its_time_is_longer_than_the_clock_reaches") {
  counted_outbox o;
  message_class c = typing;
  c.ttl = duration::max();
  o.push("typing", c);
  CHECK(o.pop(time_point::max()) == "typing");
}

TEST_CASE("each_expiring_message_has_its_own_time") {
  counted_outbox o;
  message_class patient = typing;
  patient.ttl = 60s;
  o.push("1", patient);
  o.push("2", typing);
  o.push("3", typing, wide, start + 3s);
  CHECK(o.pop_all(start + 6s) == words{"1", "3"});
  o.check_drops({{drop_reason::expired, 1}});
}

TEST_CASE("at_the_high_watermark_what_has_expired_makes_room") {
  for (const int older : {1, 2}) {
    for (const duration late : {duration(0), duration(1)}) {
      CAPTURE(older, late.count());
      counted_outbox o;
      for (int i = 0; i < older; ++i) o.push("older", typing);
      const outbox::watermarks limits{o.box.size(), wide.hard};
      const time_point now = start + 5s + late;
      CHECK(o.push("newer", typing, limits, now) ==
            (late == duration(0) ? outcome::dropped : outcome::taken));
      if (late == duration(0)) {
        o.check_drops({{drop_reason::newest, 1}});
      } else {
        o.check_drops({{drop_reason::expired, static_cast<std::uint64_t>(older)}});
        CHECK(o.pop_all(now) == words{"newer"});
      }
    }
  }
}

TEST_CASE("at_the_high_watermark_expiring_messages_leave_others_alone") {
  counted_outbox o;
  o.push("oldest", oldest);
  o.push("other lane", in(lane::bulk, typing));
  o.push("1", typing);
  o.push("2", typing);
  const outbox::watermarks now_full{o.box.size(), wide.hard};
  // In front of those that have expired is one that does not.
  CHECK(o.push("3", typing, now_full, start + 6s) == outcome::taken);
  o.check_drops({{drop_reason::expired, 2}});
  CHECK(o.push("4+", typing, {now_full.high - cost(1), wide.hard}, start + 6s) == outcome::dropped);
  CHECK(o.pop_all(start) == words{"oldest", "3", "other lane"});
}

TEST_CASE("below_the_high_watermark_nothing_is_looked_through") {
  counted_outbox o;
  o.push("older", typing);
  o.push("newer", typing, {2 * cost(5), wide.hard}, start + 6s);
  CHECK(o.box.count() == 2);
  o.check_drops({});
}

// --- Dropping on demand.

TEST_CASE("drop_expendable_drops_what_gives_way_and_tells_its_size") {
  counted_outbox o;
  CHECK(o.box.drop_expendable(drop_reason::budget) == 0);
  o.push("kept");
  o.push("12345", oldest);
  o.push("price", price);
  o.push("1234567", in(lane::bulk, typing));
  o.push("also kept", newest);
  CHECK(o.box.drop_expendable(drop_reason::budget) == cost(5) + cost(7));
  o.check_drops({{drop_reason::budget, 2}});
  CHECK(o.box.drop_expendable(drop_reason::budget) == 0);
  CHECK(o.box.count() == 3);
  CHECK(o.pop_all() == words{"kept", "price", "also kept"});
  CHECK(o.box.size() == 0);
}

TEST_CASE("drop_expendable_drops_a_single_message_too") {
  for (const message_class& c : {oldest, typing}) {
    counted_outbox o;
    o.push("12345", c);
    CHECK(o.box.drop_expendable(drop_reason::budget) == cost(5));
    CHECK(o.box.empty());
    CHECK(o.box.size() == 0);
    o.push("next", c);
    CHECK(o.pop() == "next");
  }
  counted_outbox o;
  o.push("12345", price);
  CHECK(o.box.drop_expendable(drop_reason::budget) == 0);
  CHECK(o.pop() == "12345");
}

TEST_CASE("after_all_was_dropped_an_outbox_goes_on") {
  counted_outbox o;
  o.push("1", oldest);
  o.push("2", typing);
  CHECK(o.box.drop_expendable(drop_reason::budget) == 2 * cost(1));
  CHECK(o.box.empty());
  o.push("3", price);
  CHECK(o.push("4", price) == outcome::conflated);
  o.push("5", in(lane::high));
  CHECK(o.push("6", price) == outcome::conflated);
  CHECK(o.pop_all() == words{"5", "6"});
}

TEST_CASE("clear_drops_everything_but_what_is_still_on_its_way") {
  counted_outbox o;
  o.box.clear(drop_reason::closed);
  o.push("abc");
  o.push("def", in(lane::bulk, oldest));
  o.push("ghi", price.with_key("EUR"));
  REQUIRE(o.box.reserve(4, wide.hard));
  o.box.clear(drop_reason::closed);
  o.check_drops({{drop_reason::closed, 3}});
  CHECK(o.box.empty());
  CHECK(o.box.count() == 0);
  CHECK(o.box.size() == cost(4));
  CHECK(o.push("anew", price.with_key("EUR")) == outcome::taken);
  CHECK(o.pop_all() == words{"anew"});
}

TEST_CASE("clear_drops_a_single_message") {
  counted_outbox o;
  o.push("abc");
  o.box.clear(drop_reason::budget);
  o.check_drops({{drop_reason::budget, 1}});
  CHECK(o.box.empty());
  CHECK(o.box.size() == 0);
}

TEST_CASE("clear_drops_pieces_and_what_waits_for_them") {
  counted_outbox o;
  o.push_piece("1", piece::first);
  o.push("behind");
  CHECK(o.pop() == "1");
  o.push_piece("2", piece::middle);
  o.box.clear(drop_reason::closed);
  CHECK(o.box.empty());
  CHECK(o.box.size() == 0);
}

TEST_CASE("an_outbox_counts_drops_by_reason_and_those_of_all_together") {
  live_drop_counts total;
  outbox one(total);
  outbox other(total);
  one.count_drop(drop_reason::closed);
  one.count_drop(drop_reason::newest, 3);
  other.count_drop(drop_reason::newest, 4);
  CHECK(one.drops()[drop_reason::closed] == 1);
  CHECK(one.drops()[drop_reason::newest] == 3);
  CHECK(one.drops().lost() == 4);
  CHECK(other.drops()[drop_reason::newest] == 4);
  CHECK(total.read()[drop_reason::newest] == 7);
  CHECK(total.read().lost() == 8);
}

// --- Messages on their way from other threads.

TEST_CASE("an_outbox_counts_what_is_reserved_until_it_is_released") {
  counted_outbox o;
  CHECK(o.box.reserve(7, 1'000));
  CHECK(o.box.size() == cost(7));
  CHECK(o.box.empty());
  o.box.release(7);
  CHECK(o.box.size() == 0);
}

TEST_CASE("an_outbox_reserves_up_to_the_limit_and_not_one_byte_above") {
  counted_outbox o;
  const std::size_t limit = cost(900) + cost(100);
  REQUIRE(o.box.reserve(900, limit));
  CHECK_FALSE(o.box.reserve(101, limit));
  CHECK(o.box.size() == cost(900));  // what was refused is not counted
  CHECK(o.box.reserve(100, limit));
  CHECK_FALSE(o.box.reserve(0, limit));
}

TEST_CASE("an_empty_outbox_reserves_for_a_message_above_its_limit") {
  counted_outbox o;
  CHECK(o.box.reserve(101, 100));
  CHECK_FALSE(o.box.reserve(0, 100));
}

TEST_CASE("max_size_is_the_most_that_has_waited") {
  counted_outbox o;
  CHECK(o.box.max_size() == 0);
  o.push("12345");
  o.push("12345");
  o.pop_all();
  CHECK(o.box.max_size() == 2 * cost(5));
  o.push("1234567");
  CHECK(o.box.max_size() == 2 * cost(5));
  REQUIRE(o.box.reserve(10, wide.hard));
  o.push("1");
  CHECK(o.box.max_size() == cost(7) + cost(10) + cost(1));
}

TEST_CASE("reservations_of_many_threads_stay_within_the_limit_and_sum_up", "[threads]") {
  counted_outbox o;
  constexpr std::size_t limit = 3 * cost(10);
  std::atomic<bool> exceeded = false;
  const auto work = [&] {
    for (int i = 0; i < 20'000; ++i) {
      if (!o.box.reserve(10, limit)) continue;
      if (o.box.size() > limit) exceeded = true;
      if (i % 16 == 0) o.box.count_drop(drop_reason::newest);
      o.box.release(10);
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back(work);
  for (std::thread& t : threads) t.join();
  CHECK_FALSE(exceeded);
  CHECK(o.box.size() == 0);
  CHECK(o.box.drops().by_reason == o.total.read().by_reason);
}

TEST_CASE("what_is_refused_takes_no_room_from_other_threads", "[threads]") {
  counted_outbox o;
  constexpr std::size_t limit = 2 * cost(10);
  REQUIRE(o.box.reserve(10, limit));
  std::atomic<bool> done = false;
  std::atomic<bool> let_in = false;
  std::thread refused([&] {
    for (int i = 0; i < 1'000'000; ++i) {
      if (o.box.reserve(1'000, limit)) let_in = true;
    }
    done = true;
  });
  bool kept_out = false;
  while (!done) {
    if (o.box.reserve(10, limit)) {
      o.box.release(10);
    } else {
      kept_out = true;
    }
  }
  refused.join();
  CHECK_FALSE(kept_out);
  CHECK_FALSE(let_in);
}
