#ifndef FAIRLEAD_BENCHMARKS_LOAD_PROGRAM_HPP
#define FAIRLEAD_BENCHMARKS_LOAD_PROGRAM_HPP

// What the load programs share: ending with one clear line, and options of the form `--name value`.

#include <sys/resource.h>

#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace load {

inline std::string program_name;  // set by options

[[noreturn]] inline void fail(const std::string& message) {
  std::fprintf(stderr, "%s: %s\n", program_name.c_str(), message.c_str());
  std::exit(1);
}

/// Passes the result of a system call through, or ends the program with `what` and the reason.
inline int check(int result, const char* what) {
  if (result < 0) fail(std::string(what) + ": " + std::strerror(errno));
  return result;
}

/// Every connection is a descriptor, and the usual soft limit is 1,024.
inline void raise_descriptor_limit(std::uint64_t connections) {
  rlimit limit{};
  check(getrlimit(RLIMIT_NOFILE, &limit), "getrlimit");
  limit.rlim_cur = limit.rlim_max;
  check(setrlimit(RLIMIT_NOFILE, &limit), "setrlimit");
  if (connections + 16 > limit.rlim_max) {
    fail("this process may open " + std::to_string(limit.rlim_max) + " descriptors: too few for " +
         std::to_string(connections) + " connections");
  }
}

class options {
 public:
  /// Reads the command line. `defaults` lists every option there is; one without a default has to be given.
  options(int argc, char** argv, std::map<std::string, std::string> defaults) : values_(std::move(defaults)) {
    const std::string path = argv[0];
    program_name = path.substr(path.find_last_of('/') + 1);
    for (int i = 1; i < argc; i += 2) {
      const std::string_view name = argv[i];
      const auto found = name.starts_with("--") ? values_.find(std::string(name.substr(2))) : values_.end();
      if (found == values_.end()) fail("there is no option '" + std::string(name) + "'; there are" + names());
      if (i + 1 == argc) fail(std::string(name) + " needs a value");
      found->second = argv[i + 1];
    }
    for (const auto& [name, value] : values_) {
      if (value.empty()) fail("--" + name + " has to be given; the options are" + names());
    }
  }

  const std::string& text(const std::string& name) const { return values_.at(name); }

  template <class Number = std::uint64_t>
  Number number(const std::string& name) const {
    return parse<Number>(name);
  }
  double seconds(const std::string& name) const { return parse<double>(name); }

 private:
  template <class Number>
  Number parse(const std::string& name) const {
    const std::string& value = values_.at(name);
    Number result{};
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), result);
    if (error != std::errc() || end != value.data() + value.size() || result < Number{}) {
      fail("--" + name + " is no number, or out of range: '" + value + "'");
    }
    return result;
  }

  std::string names() const {
    std::string result;
    for (const auto& [name, value] : values_) result += " --" + name;
    return result;
  }

  std::map<std::string, std::string> values_;
};

}  // namespace load

#endif
