#include <fairlead/net/session/detail/outbox.hpp>

#include <support/catch.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

using namespace fairlead;
using namespace std::chrono_literals;
using detail::live_drop_counts;
using detail::outbox;

namespace {

using outcome = outbox::outcome;

constexpr outbox::watermarks wide{1'000'000, 2'000'000};

/// What a message of so many bytes counts.
constexpr std::size_t cost(std::size_t n) { return n + outbox::message_cost; }

/// What an outbox is to do, as plainly as it can be said: a list of all that waits.
class model {
 public:
  struct entry {
    std::string text;
    std::string key;
    fairlead::lane lane;
    slow_policy policy;
    time_point expires_at;
    fairlead::piece piece;
  };

  outcome push(const std::string& text, const message_class& c, outbox::watermarks limits, time_point now) {
    if (c.policy == slow_policy::conflate) {
      const auto same = std::ranges::find_if(
          waiting, [&](const entry& e) { return is(e, c) && e.key == std::string(c.key); });
      if (same != waiting.end()) return replace(*same, text, limits);
    }
    if (!fits(text, limits.high)) {
      if (c.policy == slow_policy::drop_newest) return drop(drop_reason::newest);
      if (c.policy == slow_policy::disconnect) return outcome::full;
      if (c.policy == slow_policy::expire) {
        for (auto first = front_of(c); first != waiting.end() && first->expires_at < now;
             first = front_of(c)) {
          waiting.erase(first);
          drops.add(drop_reason::expired);
        }
        if (!fits(text, limits.high)) return drop(drop_reason::newest);
      } else if (c.policy == slow_policy::drop_oldest) {
        model tried = *this;
        while (!tried.fits(text, limits.high)) {
          const auto first = tried.front_of(c);
          if (first == tried.waiting.end()) return drop(drop_reason::newest);
          tried.waiting.erase(first);
          tried.drops.add(drop_reason::oldest);
        }
        *this = std::move(tried);
      } else if (!fits(text, limits.hard)) {
        return outcome::full;
      }
    }
    waiting.push_back({text, std::string(c.policy == slow_policy::conflate ? c.key : ""), c.lane, c.policy,
                       c.policy == slow_policy::expire ? now + c.ttl : time_point::max(), piece::whole});
    max_size = std::max(max_size, size());
    return outcome::taken;
  }

  outcome push_piece(const std::string& text, piece p, outbox::watermarks limits) {
    if (!fits(text, limits.hard)) return outcome::full;
    const bool begins = p == piece::whole || p == piece::first;
    (begins ? waiting : pieces).push_back({text, "", lane::normal, slow_policy::queue, time_point::max(), p});
    max_size = std::max(max_size, size());
    return outcome::taken;
  }

  std::optional<entry> pop(time_point now) {
    if (between_pieces) {
      if (pieces.empty()) return std::nullopt;
      const entry e = pieces.front();
      pieces.erase(pieces.begin());
      between_pieces = e.piece != piece::last;
      return e;
    }
    while (!waiting.empty()) {
      const auto first = std::ranges::min_element(waiting, {}, &entry::lane);  // the first of the least
      const entry e = *first;
      waiting.erase(first);
      if (e.expires_at < now) {
        drops.add(drop_reason::expired);
        continue;
      }
      between_pieces = e.piece == piece::first;
      return e;
    }
    return std::nullopt;
  }

  std::size_t drop_expendable() {
    const std::size_t before = size();
    const auto gives_way = [](const entry& e) {
      return e.policy == slow_policy::drop_oldest || e.policy == slow_policy::expire;
    };
    drops.add(drop_reason::budget, std::erase_if(waiting, gives_way));
    return before - size();
  }

  std::size_t size() const {
    std::size_t sum = 0;
    for (const entry& e : waiting) sum += cost(e.text.size());
    for (const entry& e : pieces) sum += cost(e.text.size());
    for (const std::size_t n : reserved) sum += cost(n);
    return sum;
  }

  bool fits(const std::string& text, std::size_t limit) const {
    return size() == 0 || size() + cost(text.size()) <= limit;
  }

  std::vector<entry> waiting;  // in the order of the calls
  std::vector<entry> pieces;
  std::vector<std::size_t> reserved;
  drop_counts drops;
  std::size_t max_size = 0;
  bool between_pieces = false;

 private:
  static bool is(const entry& e, const message_class& c) { return e.lane == c.lane && e.policy == c.policy; }

  std::vector<entry>::iterator front_of(const message_class& c) {
    return std::ranges::find_if(waiting, [&](const entry& e) { return is(e, c); });
  }

  outcome replace(entry& e, const std::string& text, outbox::watermarks limits) {
    const std::size_t rest = size() - cost(e.text.size());
    if (text.size() > e.text.size() && rest != 0 && rest + cost(text.size()) > limits.hard)
      return outcome::full;
    e.text = text;
    drops.add(drop_reason::conflated);
    max_size = std::max(max_size, size());
    return outcome::conflated;
  }

  outcome drop(drop_reason why) {
    drops.add(why);
    return outcome::dropped;
  }
};

/// An outbox and its model, that have to agree on everything after each step.
class pair_under_test {
 public:
  explicit pair_under_test(std::uint32_t seed) : random_(seed) {}

  void step() {
    now_ += up_to(3) == 0 ? duration(up_to(300)) : duration(0);
    // The peer reads for a while, and then hardly for a while.
    const bool is_slow = ++steps_ / 256 % 2 == 0;
    const std::size_t what = up_to(99);
    if (what < (is_slow ? 75 : 25))
      push();
    else if (what < (is_slow ? 83 : 40))
      push_piece();
    else if (what < 92)
      pop();
    else if (what < 95)
      reserve();
    else if (what < 98)
      release();
    else if (what < 99)
      drop_expendable();
    else if (up_to(2) == 0)
      clear();
    check();
  }

  void finish() {
    if (open_) end_pieces();
    while (!model_.waiting.empty() || !model_.pieces.empty()) pop();
    check();
    while (!model_.reserved.empty()) release();
    CHECK(box_.size() == 0);
    CHECK(box_.empty());
  }

  const drop_counts& drops() const { return model_.drops; }
  std::size_t count_of(outcome o) const { return outcomes_[static_cast<std::size_t>(o)]; }

 private:
  static constexpr outbox::watermarks limits{12 * cost(100), 16 * cost(100)};

  std::size_t up_to(std::size_t most) { return std::uniform_int_distribution<std::size_t>(0, most)(random_); }

  // Different each time, so that a wrong one is seen.
  std::string text() {
    std::string s = std::to_string(++number_) + ' ';
    s.resize(up_to(60) == 0 ? 6'000 : std::max(s.size(), up_to(250)), 'x');
    return s;
  }

  void push() {
    message_class c;
    c.lane = up_to(1) == 0 ? lane::normal : static_cast<lane>(up_to(lane_count - 1));
    c.policy = up_to(1) == 0 ? slow_policy::drop_oldest : static_cast<slow_policy>(up_to(6));
    c.ttl = duration(up_to(2'000));
    const std::string key(up_to(3), 'k');
    const std::string t = text();
    const outcome expected = model_.push(t, c.with_key(key), limits, now_);
    ++outcomes_[static_cast<std::size_t>(expected)];
    REQUIRE(box_.push(t, c.with_key(key), limits, now_) == expected);
  }

  void push_piece() {
    const piece p =
        open_ ? (up_to(2) == 0 ? piece::last : piece::middle) : (up_to(2) == 0 ? piece::whole : piece::first);
    const std::string t = text();
    const outcome expected = model_.push_piece(t, p, limits);
    REQUIRE(box_.push_piece({message_view(t).keep(), p}, limits) == expected);
    if (expected == outcome::taken) {
      open_ = p == piece::first || p == piece::middle;
    } else if (open_) {
      end_pieces();  // a session would end
    }
  }

  void end_pieces() {
    model_.push_piece("end", piece::last, wide);
    REQUIRE(box_.push_piece({message_view("end").keep(), piece::last}, wide) == outcome::taken);
    open_ = false;
  }

  void pop() {
    const auto expected = model_.pop(now_);
    const auto popped = box_.pop(now_);
    REQUIRE(popped.has_value() == expected.has_value());
    if (!popped) return;
    REQUIRE(popped->content.text() == expected->text);
    REQUIRE(popped->piece == expected->piece);
  }

  void reserve() {
    const std::size_t n = up_to(300);
    const bool expected = model_.fits(std::string(n, 'x'), limits.hard);
    REQUIRE(box_.reserve(n, limits.hard) == expected);
    if (expected) model_.reserved.push_back(n);
  }

  void release() {
    if (model_.reserved.empty()) return;
    box_.release(model_.reserved.back());
    model_.reserved.pop_back();
  }

  void drop_expendable() { REQUIRE(box_.drop_expendable(drop_reason::budget) == model_.drop_expendable()); }

  // Of a session that ends: a new one begins, with the drops so far.
  void clear() {
    if (open_ || model_.between_pieces || !model_.pieces.empty()) return;
    model_.drops.add(drop_reason::closed, model_.waiting.size());
    model_.waiting.clear();
    box_.clear(drop_reason::closed);
  }

  void check() const {
    const bool nothing = model_.between_pieces ? model_.pieces.empty() : model_.waiting.empty();
    const bool same = box_.size() == model_.size() && box_.count() == model_.waiting.size() &&
                      box_.max_size() == model_.max_size && box_.empty() == nothing &&
                      box_.between_pieces() == model_.between_pieces &&
                      box_.drops().by_reason == model_.drops.by_reason &&
                      total_.read().by_reason == model_.drops.by_reason;
    if (same) return;
    CHECK(box_.size() == model_.size());
    CHECK(box_.count() == model_.waiting.size());
    CHECK(box_.max_size() == model_.max_size);
    CHECK(box_.empty() == nothing);
    CHECK(box_.between_pieces() == model_.between_pieces);
    CHECK(box_.drops().by_reason == model_.drops.by_reason);
    REQUIRE(total_.read().by_reason == model_.drops.by_reason);
    FAIL("the outbox and its model disagree");
  }

  std::mt19937 random_;
  live_drop_counts total_;
  outbox box_{total_};
  model model_;
  time_point now_{100s};
  std::size_t steps_ = 0;
  std::size_t number_ = 0;
  std::array<std::size_t, 4> outcomes_{};
  bool open_ = false;  // a message in pieces was begun, and is not finished
};

}  // namespace

TEST_CASE("an_outbox_agrees_with_a_plain_model_after_a_hundred_thousand_random_steps") {
  drop_counts drops;
  std::array<std::size_t, 4> outcomes{};
  for (std::uint32_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    pair_under_test pair(seed);
    for (int i = 0; i < 5'000; ++i) pair.step();
    pair.finish();
    for (std::size_t i = 0; i < drop_reason_count; ++i) drops.by_reason[i] += pair.drops().by_reason[i];
    for (std::size_t i = 0; i < outcomes.size(); ++i) outcomes[i] += pair.count_of(static_cast<outcome>(i));
  }
  // Every branch was taken, and often; that a thread is busy no outbox knows.
  for (std::size_t i = 0; i < drop_reason_count; ++i) {
    const auto reason = static_cast<drop_reason>(i);
    CAPTURE(name_of(reason));
    CHECK((drops[reason] > 100) == (reason != drop_reason::thread_busy));
  }
  for (const std::size_t n : outcomes) CHECK(n > 100);
}
