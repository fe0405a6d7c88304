#include "report.hpp"

#include <algorithm>
#include <array>
#include <iomanip>
#include <ostream>
#include <sstream>

namespace conformance {
namespace {

constexpr std::array verdicts{verdict::ok, verdict::non_strict, verdict::informational, verdict::failed,
                              verdict::unimplemented};

using row = std::vector<std::string>;

std::string seconds(std::chrono::duration<double> time) {
  std::ostringstream out;
  out << std::fixed << std::setprecision(2) << time.count() << " s";
  return out.str();
}

// The counts and the time of the cases that `belongs` takes.
template <class Predicate>
row counted(std::string title, const pass& p, Predicate belongs) {
  std::array<std::size_t, verdicts.size()> counts{};
  std::size_t total = 0;
  std::chrono::duration<double> time{};
  for (const case_result& r : p.cases) {
    if (!belongs(*r.c)) continue;
    ++total;
    ++counts[static_cast<std::size_t>(r.r.v)];
    time += r.r.time;
  }
  row columns{std::move(title), std::to_string(total)};
  for (const std::size_t count : counts) columns.push_back(count == 0 ? "-" : std::to_string(count));
  columns.push_back(seconds(time));
  return columns;
}

void print_rows(std::ostream& out, const std::vector<row>& rows) {
  std::vector<std::size_t> widths(rows.front().size());
  for (const row& r : rows) {
    for (std::size_t i = 0; i < r.size(); ++i) widths[i] = std::max(widths[i], r[i].size());
  }
  for (const row& r : rows) {
    out << "  " << std::left << std::setw(static_cast<int>(widths[0])) << r[0] << std::right;
    for (std::size_t i = 1; i < r.size(); ++i) out << "  " << std::setw(static_cast<int>(widths[i])) << r[i];
    out << '\n';
  }
}

void print_case(std::ostream& out, const case_result& r) {
  out << "\ncase " << r.c->id << ": " << name_of(r.r.v) << " instead of " << name_of(r.expected) << "\n  "
      << r.c->description << '\n';
  if (!r.r.reason.empty()) out << "  why       " << r.r.reason << '\n';
  out << "  expected  " << describe_expected(*r.c) << "\n  received  " << r.r.received << "; "
      << (r.r.close_code ? "a close frame with " + std::to_string(*r.r.close_code) : "no close frame")
      << '\n';
  const auto& lines = r.r.log.lines();
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (i == wire_log::max_lines) out << "      ... " << r.r.log.skipped() << " frames\n";
    constexpr std::array arrows{"->", "<-", "  "};
    out << "    " << arrows[static_cast<std::size_t>(lines[i].way)] << ' ' << lines[i].words << '\n';
    if (!lines[i].bytes.empty()) out << "         " << lines[i].bytes << '\n';
  }
}

}  // namespace

std::string title_of(const pass& p) {
  return std::string(p.role == side::server ? "server" : "client") + (p.over.empty() ? "" : ", " + p.over) +
         (p.how == delivery::whole ? "" : ", byte by byte");
}

void print(std::ostream& out, const pass& p) {
  std::vector<row> rows{
      {"chapter", "cases", "OK", "non-strict", "informational", "failed", "unimplemented", "time"}};
  for (const case_result& r : p.cases) {
    const std::string chapter = chapter_of(r.c->id);
    const std::string title = (chapter.size() == 1 ? " " : "") + chapter + "  " + title_of_chapter(chapter);
    if (rows.back().front() == title) continue;
    rows.push_back(counted(title, p, [&](const test_case& c) { return chapter_of(c.id) == chapter; }));
  }
  rows.push_back(counted("    all", p, [](const test_case&) { return true; }));
  out << title_of(p) << '\n';
  print_rows(out, rows);
  for (const case_result& r : p.cases) {
    if (!r.is_as_expected()) print_case(out, r);
  }
  out << std::endl;
}

}  // namespace conformance
