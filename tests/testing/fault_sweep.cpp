#include <fairlead/testing/fault_link.hpp>

#include <fairlead/net/session/detail/event_loop.hpp>

#include <net/session/session_support.hpp>
#include <support/catch.hpp>
#include <testing/scene.hpp>

#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

// TRUST 3.3: each operation of a link fails once, in each way that it can, and what follows is either success or the
// end of that one connection.

using namespace fairlead;
using namespace testing_test;
using net_test::client;
using net_test::frame;

namespace {

/// A scene with a client whose link has the faults, and others that have none.
struct stage final : scene {
  explicit stage(bool deflate, std::size_t capacity)
      : scene(deflate), compressed(deflate), capacity_(capacity) {
    neighbour = join_others();
    victim = connect(plan);
  }

  std::unique_ptr<client> connect(const std::shared_ptr<fault_plan>& with = nullptr) {
    auto [ours, theirs] = make_memory_pair(context.get_executor(), with == nullptr ? 256 * 1024 : capacity_);
    if (with != nullptr) ours = make_fault_link(context, std::move(ours), with);
    s.serve(std::move(ours));
    auto c = std::make_unique<client>(std::move(theirs));
    c->deflate.enabled = compressed;
    return c;
  }

  std::unique_ptr<client> join_others() {
    auto c = connect();
    c->upgrade("/others");
    time.advance(moment);
    REQUIRE(c->upgraded);
    return c;
  }

  /// True when the victim was let in.
  bool join(std::string_view target = "/") {
    victim->upgrade(target);
    time.advance(moment);
    return victim->upgraded && !victim->is_over();
  }

  /// True when the victim has all these messages, in order, and no others.
  bool got(const std::vector<std::string>& texts) {
    time.advance(moment);
    return victim->texts() == texts;
  }

  bool echoes(client& c, std::string_view text) {
    const std::size_t before = c.messages.size();
    c.send(text);
    time.advance(moment);
    return c.messages.size() == before + 1 && c.messages.back().text() == text;
  }

  std::shared_ptr<fault_plan> plan = std::make_shared<fault_plan>();
  const bool compressed;
  std::unique_ptr<client> neighbour;
  std::unique_ptr<client> victim;

 private:
  std::size_t capacity_;
};

struct scenario {
  const char* name;
  std::function<bool(stage&)> play;  ///< Whether all of it succeeded.
  bool compressed = false;
  std::size_t capacity = 256 * 1024;
};

bool closed_cleanly(stage& on, close_code code) {
  on.time.advance(moment);
  return on.victim->closed && on.victim->closed->code == code && on.victim->is_over() &&
         on.tried.closes == 1 && on.tried.code == code;
}

const std::string large = [] {
  std::string text;
  for (int i = 0; text.size() < 20'000; ++i) text += std::to_string(i) + ' ';
  return text;
}();

const std::array scenarios{
    scenario{"a request for a page",
             [](stage& on) {
               on.victim->write("GET /page HTTP/1.1\r\nHost: localhost\r\n\r\n");
               on.time.advance(moment);
               return on.victim->status() == 200 && on.victim->body == "a page\n" && on.victim->eof;
             }},
    scenario{"handshake", [](stage& on) { return on.join(); }},
    scenario{"handshake and a message in one piece",
             [](stage& on) {
               on.victim->write(net_test::upgrade_request_for("/") + net_test::text_frame("early"));
               return on.got({"early"});
             }},
    scenario{"echo",
             [](stage& on) {
               return on.join() && on.echoes(*on.victim, "one") && on.echoes(*on.victim, "two") &&
                      on.got({"one", "two"});
             }},
    scenario{"echo of a large message",
             [](stage& on) { return on.join() && on.echoes(*on.victim, large) && on.got({large}); }, false,
             4096},
    scenario{"echo in a coroutine",
             [](stage& on) {
               return on.join("/awaited") && on.echoes(*on.victim, "one") && on.echoes(*on.victim, "two");
             }},
    scenario{"large echo in a coroutine",
             [](stage& on) { return on.join("/awaited") && on.echoes(*on.victim, large); }, false, 4096},
    scenario{"fragmented message with a ping in it",
             [](stage& on) {
               if (!on.join()) return false;
               for (const auto& [first, payload] : {std::pair(0x01u, "frag"), std::pair(0x00u, "men"),
                                                    std::pair(0x89u, "ping"), std::pair(0x80u, "ted")}) {
                 on.victim->write(frame(first, payload));
                 on.time.advance(moment);
               }
               return on.got({"fragmented"}) && on.victim->pongs == std::vector<std::string>{"ping"};
             }},
    scenario{"compressed message",
             [](stage& on) {
               return on.join() && on.echoes(*on.victim, "one one one one") && on.echoes(*on.victim, large) &&
                      on.got({"one one one one", large});
             },
             true, 4096},
    scenario{"close by the client",
             [](stage& on) {
               if (!on.join()) return false;
               on.victim->close(close_code::normal, "done");
               return closed_cleanly(on, close_code::normal);
             }},
    scenario{"close by the server",
             [](stage& on) {
               if (!on.join()) return false;
               on.victim->send("bye");
               return closed_cleanly(on, close_code::normal);
             }},
    scenario{"broadcast",
             [](stage& on) {
               const bool joined = on.join();
               const auto first = on.join_others();
               const auto second = on.join_others();
               first->send("publish");
               on.time.advance(moment);
               for (client* each : {first.get(), second.get(), on.neighbour.get()}) {
                 CHECK(each->texts() == std::vector<std::string>{"published"});
                 each->messages.clear();
                 each->hang_up();
               }
               on.neighbour = on.join_others();
               return joined && on.got({"published"});
             }},
};

struct named_fault {
  const char* name;
  link_fault fault;
  bool loses_nothing;
};

// Offsets 0 and 1 of a frame are its kind and its size; further in it are its mask or its payload.
const std::array faults{
    named_fault{"reset", link_fault::fail(std::errc::connection_reset), false},
    named_fault{"broken pipe", link_fault::fail(std::errc::broken_pipe), false},
    named_fault{"end", link_fault::end(), false},
    named_fault{"takes nothing", link_fault::take(0), true},
    named_fault{"takes a byte", link_fault::take(1), true},
    named_fault{"takes half", link_fault::take_half(), true},
    named_fault{"byte by byte", link_fault::split(), true},
    named_fault{"in pieces", link_fault::split(7), true},
    named_fault{"byte 0 changed", link_fault::change(0), false},
    named_fault{"byte 0 changed at the top", link_fault::change(0, std::byte{0x80}), false},
    named_fault{"byte 1 changed", link_fault::change(1), false},
    named_fault{"byte 1 changed at the top", link_fault::change(1, std::byte{0x80}), false},
    named_fault{"byte 4 changed", link_fault::change(4, std::byte{0x20}), false},
    named_fault{"byte 40 changed at the top", link_fault::change(40, std::byte{0x80}), false},
    named_fault{"stall for a second", link_fault::stall(link_direction::both, 1s), true},
    named_fault{"receiving stalls for a second", link_fault::stall(link_direction::receiving, 1s), true},
    named_fault{"sending stalls for a second", link_fault::stall(link_direction::sending, 1s), true},
    named_fault{"stall", link_fault::stall(), false},
    named_fault{"receiving stalls", link_fault::stall(link_direction::receiving), false},
    named_fault{"sending stalls", link_fault::stall(link_direction::sending), false},
};

constexpr std::array operations{
    std::pair(link_operation::write, "write"), std::pair(link_operation::shutdown, "shutdown"),
    std::pair(link_operation::bytes, "bytes"), std::pair(link_operation::writable, "writable"),
    std::pair(link_operation::eof, "eof")};

// The application gives up a session that it still has; the client goes; nothing may be left.
void leave(stage& on) {
  const auto open = on.tried.sessions;
  for (const session& ws : open) static_cast<void>(ws.try_close());
  on.time.advance(all_timeouts);
  CHECK(on.tried.sessions.empty());
  on.victim->hang_up();
  on.time.advance(all_timeouts);
  CHECK(on.s.connection_count() == 1);
  CHECK(on.tried.opens == on.tried.closes);
  CHECK(on.tried.opens <= 1);
  CHECK(on.tried.wrong + on.others.wrong == 0);
  CHECK(on.errors == 0);
  CHECK(on.echoes(*on.neighbour, "still here"));
  on.neighbour->close();
  on.time.advance(all_timeouts);
  CHECK(on.s.connection_count() == 0);
  CHECK(on.others.opens == on.others.closes);
  CHECK(detail::event_loop::of(on.context).next_timer() == time_point::max());
}

std::array<std::size_t, link_operation_count> count_operations(const scenario& s) {
  stage on(s.compressed, s.capacity);
  CHECK(s.play(on));
  leave(on);
  std::array<std::size_t, link_operation_count> counts{};
  for (const auto& [op, name] : operations) counts[static_cast<std::size_t>(op)] = on.plan->count(op);
  return counts;
}

void try_fault(const scenario& s, const named_fault& f, link_operation op, std::size_t n) {
  stage on(s.compressed, s.capacity);
  on.plan->inject(op, n, f.fault);
  const bool succeeded = s.play(on);
  if (f.loses_nothing) CHECK(succeeded);
  leave(on);
  CHECK(on.plan->injected() == 1);
  // What broke is told as such, unless both had said all that there was to say.
  const bool breaks = f.fault.what == link_fault::kind::fail || f.fault.what == link_fault::kind::end;
  if (breaks && on.tried.code) {
    CHECK((on.tried.code == close_code::normal || on.tried.code == close_code::abnormal));
    CHECK((on.tried.code == close_code::abnormal) == bool(on.tried.error));
  }
}

}  // namespace

TEST_CASE("every_operation_of_a_link_may_fail_in_every_way") {
  const scenario& s = scenarios[GENERATE(range(std::size_t{0}, scenarios.size()))];
  CAPTURE(s.name);
  const auto counts = count_operations(s);
  std::size_t tried = 0;
  for (const auto& [op, op_name] : operations) {
    for (const named_fault& f : faults) {
      if (!f.fault.fits(op)) continue;
      for (std::size_t n = 1; n <= counts[static_cast<std::size_t>(op)]; ++n) {
        CAPTURE(op_name, n, f.name);
        try_fault(s, f, op, n);
        ++tried;
      }
    }
  }
  CHECK(tried >= 50);
}
