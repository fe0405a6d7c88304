#ifndef FAIRLEAD_BENCHMARKS_LOAD_LATENCY_HISTOGRAM_HPP
#define FAIRLEAD_BENCHMARKS_LOAD_LATENCY_HISTOGRAM_HPP

#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace load {

/// Latencies in buckets whose width grows with the value: 32 to each power of two, so within 3 percent.
class latency_histogram {
 public:
  void add(std::chrono::nanoseconds latency) {
    ++counts_[bucket(static_cast<std::uint64_t>(latency.count()))];
    ++total_;
  }

  void clear() { *this = latency_histogram(); }

  /// The latency in microseconds that `share` (0 to 1) of the samples do not exceed; 0 without samples.
  double percentile(double share) const {
    const auto rank = static_cast<std::uint64_t>(share * static_cast<double>(total_));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (seen > rank) return middle(i) / 1000.0;
    }
    return 0;
  }

 private:
  static constexpr unsigned fine_bits = 5;
  static constexpr std::uint64_t fine = 1u << fine_bits;

  static std::size_t bucket(std::uint64_t value) {
    if (value < fine) return value;
    const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - fine_bits - 1;
    return (shift + 1) * fine + (value >> shift) - fine;
  }

  static double middle(std::size_t index) {
    if (index < fine) return static_cast<double>(index);
    const std::uint64_t lowest = (index % fine + fine) << (index / fine - 1);
    const std::uint64_t width = std::uint64_t{1} << (index / fine - 1);
    return static_cast<double>(lowest) + static_cast<double>(width) / 2;
  }

  std::array<std::uint64_t, (64 - fine_bits + 1) * fine> counts_{};
  std::uint64_t total_ = 0;
};

}  // namespace load

#endif
