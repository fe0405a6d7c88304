#ifndef FAIRLEAD_TESTS_CONFORMANCE_REPORT_HPP
#define FAIRLEAD_TESTS_CONFORMANCE_REPORT_HPP

#include "tester.hpp"

#include <iosfwd>
#include <string>
#include <vector>

namespace conformance {

struct case_result {
  const test_case* c;
  result r;
  verdict expected;

  bool is_as_expected() const { return r.v == expected; }
};

/// All cases against one role, delivered in one way.
struct pass {
  side role;
  std::string over;
  delivery how;
  std::vector<case_result> cases;
};

std::string title_of(const pass& p);

/// The table of a pass, a row for each chapter, then each case that is not as expected.
void print(std::ostream& out, const pass& p);

/// All passes as one self-contained page.
std::string html_of(const std::vector<pass>& passes);

}  // namespace conformance

#endif
