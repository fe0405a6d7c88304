#ifndef FAIRLEAD_TESTS_CONFORMANCE_TEST_CASE_HPP
#define FAIRLEAD_TESTS_CONFORMANCE_TEST_CASE_HPP

#include "deflate.hpp"
#include "frame.hpp"
#include "sample.hpp"

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

// A case as data: what the tester sends, and what the peer may do.
namespace conformance {

// --- What the tester does. Frames leave together, in one piece, unless a step says otherwise.

struct send_frame {
  frame f;
  std::size_t piece_size = 0;  ///< Bytes in a piece; 0 for together with its neighbours.
  bool alone = false;          ///< In a piece of its own.
};

/// A message in frames of one size. The last has what is left, which may be nothing.
struct send_fragments {
  frame f;
  std::size_t fragment_size;
};

/// The bytes of a frame from its payload's `begin` to `end`, with its header before the first, in a piece of
/// its own.
struct send_part {
  frame f;
  std::size_t begin;
  std::size_t end;
};

/// Gives the peer time. If the connection is open afterwards, and the pause has a name, that counts as an
/// event.
struct pause {
  std::string name;
};

/// Messages, each sent when the one before it came back.
struct volley {
  unsigned opcode;
  std::size_t count;
  std::size_t size;                ///< Of each message: bytes, or characters when a sample of text is cut up.
  content payload{};               ///< What each message is, or
  const sample* source = nullptr;  ///< where they are cut from, one behind the other and round again.
  std::size_t fragment_size = 0;   ///< Bytes in a frame, after compression; 0 for one frame.
};

using step = std::variant<send_frame, send_fragments, send_part, pause, volley>;

// --- What the peer does.

enum class event_kind { text, binary, ping, pong, pause };

/// A message, a control frame, or a pause that the connection survived.
struct event {
  event_kind kind;
  content payload;
};

enum class verdict { ok, non_strict, informational, failed, unimplemented };

struct outcome {
  verdict v;
  std::vector<event> events;
};

/// How the connection has to end. An empty close frame, or none where none is required, is as good as a code.
struct ending {
  enum class starter {
    tester,  ///< With 1000, once the script is done.
    script,  ///< A close frame of the script.
    peer,    ///< Which fails the connection.
  };
  starter by = starter::tester;
  std::vector<unsigned> codes{1000};
  bool needs_close_frame = true;
};

/// One case; its functions describe it piece by piece.
class test_case {
 public:
  test_case(std::string case_id, std::string words) : id(std::move(case_id)), description(std::move(words)) {}

  std::string id;
  std::string description;
  std::vector<step> script;
  std::vector<outcome> outcomes;
  ending end;
  bool is_informational = false;      ///< Whatever happens is worth knowing, and nothing is wrong.
  std::vector<deflate_wish> deflate;  ///< The case is about compression, agreed to one of these.

  /// Sends frames together with those around them.
  test_case& send(frame f) { return add(send_frame{std::move(f)}); }
  test_case& send_in_pieces(frame f, std::size_t size) { return add(send_frame{std::move(f), size}); }
  test_case& send_alone(frame f) { return add(send_frame{std::move(f), 0, true}); }
  test_case& send_fragmented(frame f, std::size_t size) { return add(send_fragments{std::move(f), size}); }
  test_case& send_from_to(frame f, std::size_t begin, std::size_t end_) {
    return add(send_part{std::move(f), begin, end_});
  }
  test_case& wait(std::string name = {}) { return add(pause{std::move(name)}); }
  test_case& exchange(volley v) { return add(std::move(v)); }

  /// What has to arrive, in this order, and nothing else.
  test_case& expect(const std::vector<frame>& frames) { return allow(verdict::ok, frames); }
  test_case& or_non_strict(const std::vector<frame>& frames) { return allow(verdict::non_strict, frames); }
  test_case& expect_pauses(const std::vector<std::string>& names) { return allow_pauses(verdict::ok, names); }
  test_case& or_non_strict_pauses(const std::vector<std::string>& names) {
    return allow_pauses(verdict::non_strict, names);
  }

  /// The peer has to fail the connection, with this code if it sends one.
  test_case& fails_with(unsigned code) {
    end = {ending::starter::peer, {code}, false};
    return *this;
  }
  /// The script has a close frame that the peer has to answer with one of these codes, or with none.
  test_case& answers_close_with(std::vector<unsigned> codes) {
    end = {ending::starter::script, std::move(codes), true};
    return *this;
  }
  /// The script has a bad close frame, for which the peer may also just go.
  test_case& refuses_close_with(std::vector<unsigned> codes) {
    end = {ending::starter::script, std::move(codes), false};
    return *this;
  }
  test_case& informational() {
    is_informational = true;
    return *this;
  }

 private:
  test_case& add(step s) {
    script.push_back(std::move(s));
    return *this;
  }
  test_case& allow(verdict v, const std::vector<frame>& frames);
  test_case& allow_pauses(verdict v, const std::vector<std::string>& names);
};

/// All cases, in the order of their numbers.
class suite {
 public:
  test_case& add(std::string id, std::string description) {
    return cases_.emplace_back(std::move(id), std::move(description));
  }
  const std::deque<test_case>& cases() const { return cases_; }

 private:
  std::deque<test_case> cases_;
};

std::string name_of(verdict v);

/// One line: "pong, 12 bytes: "ping payload"", or "the pause A".
std::string describe(const event& e);

/// The chapter of a case: "6" of "6.4.1".
std::string chapter_of(std::string_view id);
std::string title_of_chapter(std::string_view chapter);

/// Whether `id` is one of `pattern`: "6.4.1", "6.4.*", "6.*" or "*".
bool matches(std::string_view pattern, std::string_view id);

}  // namespace conformance

#endif
