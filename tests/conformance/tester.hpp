#ifndef FAIRLEAD_TESTS_CONFORMANCE_TESTER_HPP
#define FAIRLEAD_TESTS_CONFORMANCE_TESTER_HPP

#include "peer.hpp"
#include "test_case.hpp"

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace conformance {

/// What went over the wire, in words: the first frames and the last ones of a long case.
class wire_log {
 public:
  /// Frames behind so many are only counted, but for close frames.
  static constexpr std::size_t max_lines = 24;

  enum class direction { sent, received, neither };
  struct line {
    direction way;
    std::string words;
    std::string bytes{};  ///< The front of what stood on the wire, in hexadecimal.
  };

  bool has_room() const { return lines_.size() < max_lines; }
  void add(line l) { lines_.push_back(std::move(l)); }
  void skip() { ++skipped_; }
  const std::vector<line>& lines() const { return lines_; }
  std::size_t skipped() const { return skipped_; }

 private:
  std::vector<line> lines_;
  std::size_t skipped_ = 0;
};

struct result {
  verdict v = verdict::failed;
  std::string reason;    ///< Why it is not OK.
  std::string received;  ///< Events in words.
  std::optional<unsigned>
      close_code;  ///< In the peer's close frame; 1005 for an empty one, nothing without one.
  std::chrono::duration<double> time{};
  std::size_t messages = 0;  ///< That a volley exchanged.
  std::string extensions;    ///< As they were agreed.
  wire_log log;
};

/// How much of the cases about compression is done: each wants 1000 messages, together 11 GB.
struct effort {
  /// Bytes of messages in each such case, but no fewer than 16 messages; 0 for all of them.
  std::size_t compression_volume = 2 * 1024 * 1024;
};

/// Runs one case against a fresh peer.
result run_case(const test_case& c, const peer_kind& kind, delivery d, effort e = {});

/// What the case allows, for people.
std::string describe_expected(const test_case& c);

}  // namespace conformance

#endif
