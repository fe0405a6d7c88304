#ifndef FAIRLEAD_TESTS_CONFORMANCE_EXPECTED_HPP
#define FAIRLEAD_TESTS_CONFORMANCE_EXPECTED_HPP

#include "peer.hpp"
#include "test_case.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace conformance {

/// The verdict that each case has to reach, read from a file: a line for each pattern of cases, the last that
/// matches counts.
class expectations {
 public:
  /// Throws std::runtime_error, which names the line, when the text is not understood.
  static expectations parse(std::string_view text);
  static expectations load(const std::string& path);

  /// Throws std::runtime_error when no line matches.
  verdict of(std::string_view id, side role) const;

 private:
  struct rule {
    std::string pattern;
    std::vector<side> roles;
    verdict v;
  };
  std::vector<rule> rules_;
};

}  // namespace conformance

#endif
