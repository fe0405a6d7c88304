#ifndef FAIRLEAD_BENCHMARKS_LOAD_WATCHED_PROCESS_HPP
#define FAIRLEAD_BENCHMARKS_LOAD_WATCHED_PROCESS_HPP

#include "program.hpp"

#include <sys/types.h>
#include <time.h>

#include <chrono>
#include <cstdint>
#include <fstream>
#include <limits>
#include <string>

namespace load {

/// What the kernel says about another process of this user: the processor time and the memory of the whole
/// process.
class watched_process {
 public:
  explicit watched_process(pid_t pid) : pid_(pid) {
    if (clock_getcpuclockid(pid, &clock_) != 0) fail("there is no process " + std::to_string(pid));
  }

  /// Of all threads, user and system together; exact but for the slice that a thread is in right now.
  std::chrono::nanoseconds processor_time() const { return read(clock_); }

  static std::chrono::nanoseconds own_processor_time() { return read(CLOCK_PROCESS_CPUTIME_ID); }

  /// User and system time in clock ticks (10 ms): good for their proportion, not for their sum.
  struct ticks {
    std::uint64_t user = 0;
    std::uint64_t system = 0;
  };

  ticks processor_ticks() const {
    std::ifstream file("/proc/" + std::to_string(pid_) + "/stat");
    file.ignore(std::numeric_limits<std::streamsize>::max(), ')');  // the name may hold spaces
    std::string skipped;
    for (int field = 3; field < 14; ++field) file >> skipped;
    ticks result;
    file >> result.user >> result.system;
    return result;
  }

  /// Bytes that belong to this process alone and would be freed with it. The kernel's own share is not in it.
  std::uint64_t private_memory() const {
    if (const std::uint64_t size = kilobytes_of("smaps_rollup", "Private_Dirty:")) return size * 1024;
    if (const std::uint64_t size = kilobytes_of("status", "RssAnon:")) return size * 1024;
    fail("the memory of process " + std::to_string(pid_) + " cannot be read");
  }

  /// From now on memory_peak() means what comes; answers what it is now.
  std::uint64_t forget_peak() const {
    std::ofstream("/proc/" + std::to_string(pid_) + "/clear_refs") << "5" << std::flush;  // proc(5)
    return memory_peak();
  }

  /// The most bytes that were resident at once. The kernel counts pages for each processor and adds them up late, so
  /// it is exact within some hundred kilobytes.
  std::uint64_t memory_peak() const {
    if (const std::uint64_t size = kilobytes_of("status", "VmHWM:")) return size * 1024;
    fail("the memory of process " + std::to_string(pid_) + " cannot be read");
  }

 private:
  static std::chrono::nanoseconds read(clockid_t clock) {
    timespec time{};
    check(clock_gettime(clock, &time), "the processor time of the server");
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
  }

  std::uint64_t kilobytes_of(const char* file_name, const std::string& field) const {
    std::ifstream file("/proc/" + std::to_string(pid_) + "/" + file_name);
    for (std::string word; file >> word;) {
      std::uint64_t size = 0;
      if (word == field && file >> size) return size;
    }
    return 0;
  }

  pid_t pid_;
  clockid_t clock_{};
};

}  // namespace load

#endif
