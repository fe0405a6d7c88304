#ifndef FAIRLEAD_TESTS_HANDSHAKE_LEAST_SECONDS_HPP
#define FAIRLEAD_TESTS_HANDSHAKE_LEAST_SECONDS_HPP

#include <algorithm>
#include <ctime>
#include <limits>

/// Processor time of `work()`, the least of five runs; never 0, so that ratios can be taken.
inline double least_seconds(const auto& work) {
  double least = std::numeric_limits<double>::max();
  for (int run = 0; run < 5; ++run) {
    const std::clock_t begin = std::clock();
    work();
    least = std::min(least, static_cast<double>(std::clock() - begin + 1) / CLOCKS_PER_SEC);
  }
  return least;
}

#endif
