// Runs the cases against fairlead and compares the verdicts with those that are expected.

#include "chapters/chapters.hpp"
#include "expected.hpp"
#include "report.hpp"

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace conformance;

constexpr std::string_view usage = R"(fairlead_conformance [options]
  --role server|client|both   which role of fairlead is tested (both)
  --over memory|tcp|tls|all   what carries the bytes (memory); over TCP only the client is tested
  --bytewise                  deliver everything byte by byte, instead of as it was sent (memory only)
  --all                       everything: both roles, over all, in both ways
  --case PATTERN              only these cases: 6.4.1, 6.4.* or 6.*; may be given more than once
  --full                      all 1000 messages of each case of the chapters 12 and 13; takes long
  --html FILE                 writes a page with every case
  --expected FILE             what each case has to reach (the project's)
The exit status is 1 when a case is not as expected.
)";

struct options {
  std::string role = "both";
  std::string over = "memory";
  std::vector<delivery> deliveries{delivery::whole};
  std::vector<std::string> patterns;
  effort work;
  std::string html;
  std::string expected = FAIRLEAD_CONFORMANCE_EXPECTED;
};

std::vector<peer_kind> peers_of(const options& o) {
  if (o.role != "server" && o.role != "client" && o.role != "both") {
    throw std::invalid_argument("--role is server, client or both");
  }
  if (o.over != "memory" && o.over != "tcp" && o.over != "tls" && o.over != "all") {
    throw std::invalid_argument("--over is memory, tcp, tls or all");
  }
  std::vector<peer_kind> kinds;
  for (const peer_kind& kind : {fairlead_server(), fairlead_client(), fairlead_server_over_tls(),
                                fairlead_client_over_tcp(), fairlead_client_over_tls()}) {
    const bool has_role = o.role == "both" || (o.role == "server") == (kind.role == side::server);
    const std::string over = kind.over.empty() ? "memory" : kind.over == "over TCP" ? "tcp" : "tls";
    if (has_role && (o.over == "all" || o.over == over)) kinds.push_back(kind);
  }
  if (kinds.empty()) throw std::invalid_argument("nothing is tested in that role over that");
  return kinds;
}

options parse(const std::vector<std::string>& words) {
  options o;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& name = words[i];
    const auto value = [&]() -> const std::string& {
      if (++i == words.size()) throw std::invalid_argument(name + " needs a value");
      return words[i];
    };
    if (name == "--role") {
      o.role = value();
    } else if (name == "--over") {
      o.over = value();
    } else if (name == "--bytewise") {
      o.deliveries = {delivery::bytewise};
    } else if (name == "--all") {
      o.deliveries = {delivery::whole, delivery::bytewise};
      o.over = "all";
    } else if (name == "--case") {
      o.patterns.push_back(value());
    } else if (name == "--full") {
      o.work.compression_volume = 0;
    } else if (name == "--html") {
      o.html = value();
    } else if (name == "--expected") {
      o.expected = value();
    } else {
      throw std::invalid_argument("there is no option " + name);
    }
  }
  return o;
}

bool is_wanted(const std::vector<std::string>& patterns, const test_case& c) {
  if (patterns.empty()) return true;
  for (const std::string& pattern : patterns) {
    if (matches(pattern, c.id)) return true;
  }
  return false;
}

// True when every case is as expected.
bool run(const options& o) {
  const suite cases = whole_suite();
  const expectations expected = expectations::load(o.expected);
  std::vector<pass> passes;
  bool is_as_expected = true;
  for (const peer_kind& kind : peers_of(o)) {
    for (const delivery d : o.deliveries) {
      if (d == delivery::bytewise && !kind.over.empty()) continue;
      pass& p = passes.emplace_back(pass{kind.role, kind.over, d, {}});
      for (const test_case& c : cases.cases()) {
        if (!is_wanted(o.patterns, c)) continue;
        p.cases.push_back({&c, run_case(c, kind, d, o.work), expected.of(c.id, kind.role)});
        is_as_expected = is_as_expected && p.cases.back().is_as_expected();
      }
      if (p.cases.empty()) throw std::invalid_argument("there is no such case");
      print(std::cout, p);
    }
  }
  if (!o.html.empty()) {
    std::ofstream file(o.html);
    if (!(file << html_of(passes) << std::flush)) throw std::runtime_error(o.html + " cannot be written");
  }
  if (passes.empty()) throw std::invalid_argument("byte by byte is for memory only");
  std::cout << (is_as_expected ? "Every case is as expected." : "Not every case is as expected.")
            << std::endl;
  return is_as_expected;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words == std::vector<std::string>{"--help"}) {
    std::cout << usage;
    return EXIT_SUCCESS;
  }
  try {
    return run(parse(words)) ? EXIT_SUCCESS : EXIT_FAILURE;
  } catch (const std::invalid_argument& e) {
    std::cerr << e.what() << '\n' << usage;
  } catch (const std::exception& e) {
    std::cerr << e.what() << '\n';
  }
  return 2;
}
