#include "report.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <sstream>

namespace conformance {
namespace {

constexpr std::string_view head = R"html(<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>fairlead: conformance</title>
<style>
:root {
  --page: #eef3f5; --surface: #ffffff; --raised: #f4f8f9; --line: #d5dfe3; --text: #14242b; --quiet: #5a6d76;
  --accent: #17788f; --accent-text: #ffffff;
  --ok: #21804a; --informational: #17788f; --non-strict: #8a5a00; --failed: #b3261e; --unimplemented: #75858d;
  color-scheme: light dark;
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #0e171b; --surface: #152127; --raised: #1c2b32; --line: #2b3d46; --text: #e4eef1; --quiet: #93a7b0;
    --accent: #4fb6cd; --accent-text: #06222a;
    --ok: #6fd08f; --informational: #4fb6cd; --non-strict: #f2c46d; --failed: #ff8a80; --unimplemented: #8496a0;
  }
}
* { box-sizing: border-box; }
[hidden] { display: none !important; }
body { margin: 0; background: var(--page); color: var(--text); }
main { max-width: 76rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
h1 { margin: 0; font-size: 1.9rem; letter-spacing: -.02em; }
h2 { margin: 0; font-size: 1rem; }
p { margin: .3rem 0 0; }
.quiet { color: var(--quiet); }
.passes { display: grid; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); gap: 1rem; margin: 1.75rem 0; }
.pass { background: var(--surface); border: 1px solid var(--line); border-radius: .9rem; padding: 1.1rem 1.25rem; }
.pass h2 { display: flex; justify-content: space-between; gap: 1rem; }
.pass h2 span { font-weight: 400; color: var(--quiet); white-space: nowrap; }
.bar { display: flex; gap: 2px; height: .6rem; margin: .8rem 0 .7rem; border-radius: .3rem; overflow: hidden; }
.bar i { background: var(--tone); min-width: 3px; }
.legend { display: flex; flex-wrap: wrap; gap: .1rem 1rem; margin: 0; padding: 0; list-style: none; font-size: .9rem; }
.legend li::before { content: ""; display: inline-block; width: .6rem; height: .6rem; border-radius: 50%; margin-right: .4rem; background: var(--tone); }
.ok { --tone: var(--ok); } .non-strict { --tone: var(--non-strict); } .informational { --tone: var(--informational); }
.failed { --tone: var(--failed); } .unimplemented { --tone: var(--unimplemented); }
.tools { position: sticky; top: 0; z-index: 1; background: var(--page); padding: .6rem 0; display: flex; flex-wrap: wrap; gap: .5rem; }
.tools button, .tools input { font: inherit; color: inherit; border: 1px solid var(--line); border-radius: 2rem; background: var(--surface); padding: .3rem .9rem; }
.tools button { cursor: pointer; }
.tools button:hover { border-color: var(--accent); }
.tools button[aria-pressed=true] { background: var(--accent); border-color: var(--accent); color: var(--accent-text); }
.tools input { flex: 1; min-width: 12rem; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.chapter { margin-top: 1rem; background: var(--surface); border: 1px solid var(--line); border-radius: .9rem; overflow: hidden; }
.chapter > header, summary { display: grid; grid-template-columns: 4.5rem minmax(0, 1fr) repeat(var(--passes), 7.6rem); gap: .75rem; padding: .4rem 1.25rem; align-items: baseline; }
.chapter > header { background: var(--raised); padding-block: .7rem; }
.chapter > header span { font-size: .8rem; color: var(--quiet); }
.case { border-top: 1px solid var(--line); }
summary { cursor: pointer; list-style: none; }
summary::-webkit-details-marker { display: none; }
summary:hover, .case[open] > summary { background: var(--raised); }
.words { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.case[open] .words { white-space: normal; }
code, .id, .wire { font-family: ui-monospace, "SF Mono", "DejaVu Sans Mono", monospace; font-size: .86em; }
.verdict { color: var(--tone); font-size: .85rem; white-space: nowrap; }
.verdict.unexpected { font-weight: 700; text-decoration: underline; }
.more { display: grid; grid-template-columns: minmax(0, 1fr); gap: 1rem; padding: .4rem 1.25rem 1.25rem 6.5rem; }
.more h3 { margin: 0 0 .2rem; font-size: .95rem; }
.more dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .1rem 1rem; margin: 0; }
.more dt { color: var(--quiet); }
.more dd { margin: 0; overflow-wrap: anywhere; }
.wire { display: block; width: fit-content; max-width: 100%; overflow-x: auto; border-collapse: collapse; margin-top: .5rem; background: var(--raised); border-radius: .5rem; }
.wire td { padding: .1rem .7rem; vertical-align: top; white-space: nowrap; }
.wire td:last-child { color: var(--quiet); }
.wire .sent td:first-child { color: var(--accent); }
.wire .neither { color: var(--quiet); }
@media (max-width: 50rem) {
  .chapter > header, summary { grid-template-columns: 3.5rem minmax(0, 1fr); row-gap: 0; padding-inline: .9rem; }
  .tools { position: static; }
  .chapter > header span { display: none; }
  .verdict { grid-column: 2; }
  .verdict::before { content: attr(data-pass) ": "; color: var(--quiet); }
  .words { white-space: normal; }
  .more { padding-left: .9rem; }
}
</style>
<main>
<h1>fairlead: conformance</h1>
)html";

constexpr std::string_view tail = R"html(</main>
<script>
const buttons = [...document.querySelectorAll('.tools button')];
const search = document.querySelector('.tools input');
function apply() {
  const wanted = buttons.find(b => b.getAttribute('aria-pressed') === 'true').value;
  const words = search.value.trim().toLowerCase();
  for (const chapter of document.querySelectorAll('.chapter')) {
    let shown = 0;
    for (const row of chapter.querySelectorAll('.case')) {
      const verdicts = row.dataset.verdicts.split(' ');
      const summary = row.querySelector('summary').textContent.toLowerCase();
      row.hidden = (wanted && !verdicts.includes(wanted)) || (words && !summary.includes(words));
      if (!row.hidden) ++shown;
    }
    chapter.hidden = shown === 0;
  }
}
for (const button of buttons) {
  button.onclick = () => {
    for (const b of buttons) b.setAttribute('aria-pressed', b === button);
    apply();
  };
}
search.oninput = apply;
</script>
</html>
)html";

constexpr std::array verdicts{verdict::ok, verdict::non_strict, verdict::informational, verdict::failed,
                              verdict::unimplemented};

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      default: out += c;
    }
  }
  return out;
}

std::string_view class_of(verdict v) {
  constexpr std::array names{"ok", "non-strict", "informational", "failed", "unimplemented"};
  return names[static_cast<std::size_t>(v)];
}

std::string_view words_of(verdict v) {
  constexpr std::array words{"OK", "Non-strict", "Informational", "Failed", "Unimplemented"};
  return words[static_cast<std::size_t>(v)];
}

std::string words_of(std::chrono::duration<double> time) {
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(time).count();
  if (us < 10'000) return std::to_string(us) + " µs";
  if (us < 1'000'000) return std::to_string(us / 1'000) + " ms";
  return std::to_string(us / 1'000'000) + "." + std::to_string(us / 100'000 % 10) + " s";
}

void write_pass(std::ostream& out, const pass& p) {
  std::array<std::size_t, verdicts.size()> counts{};
  std::chrono::duration<double> time{};
  for (const case_result& r : p.cases) {
    ++counts[static_cast<std::size_t>(r.r.v)];
    time += r.r.time;
  }
  std::ostringstream bar, legend;
  for (const verdict v : verdicts) {
    const std::size_t count = counts[static_cast<std::size_t>(v)];
    if (count == 0) continue;
    bar << "<i class=\"" << class_of(v) << "\" style=\"flex:" << count << "\"></i>";
    legend << "<li class=\"" << class_of(v) << "\">" << count << ' ' << words_of(v) << "</li>";
  }
  out << "<section class=\"pass\"><h2>" << title_of(p) << " <span>" << words_of(time)
      << "</span></h2><div class=\"bar\">" << bar.str() << "</div><ul class=\"legend\">" << legend.str()
      << "</ul></section>\n";
}

// A filter for each verdict, with the number of cases that have it in any pass.
void write_tools(std::ostream& out, const std::vector<pass>& passes) {
  const std::size_t total = passes.front().cases.size();
  out << "<div class=\"tools\"><button value=\"\" aria-pressed=\"true\">All " << total << "</button>";
  const auto count_if = [&](auto predicate) {
    std::size_t count = 0;
    for (std::size_t i = 0; i < total; ++i) {
      if (std::ranges::any_of(passes, [&](const pass& p) { return predicate(p.cases[i]); })) ++count;
    }
    return count;
  };
  for (const verdict v : verdicts) {
    out << "<button value=\"" << class_of(v) << "\" aria-pressed=\"false\">" << words_of(v) << ' '
        << count_if([v](const case_result& r) { return r.r.v == v; }) << "</button>";
  }
  out << "<button value=\"unexpected\" aria-pressed=\"false\">Not as expected "
      << count_if([](const case_result& r) { return !r.is_as_expected(); })
      << "</button><input type=\"search\" placeholder=\"Number or words\" aria-label=\"Search\"></div>\n";
}

void write_wire(std::ostream& out, const wire_log& log) {
  constexpr std::array arrows{"→", "←", ""};
  constexpr std::array classes{"sent", "received", "neither"};
  out << "<table class=\"wire\">";
  for (std::size_t i = 0; i < log.lines().size(); ++i) {
    const wire_log::line& l = log.lines()[i];
    if (i == wire_log::max_lines)
      out << "<tr class=\"neither\"><td><td>" << log.skipped() << " frames more<td>";
    const auto way = static_cast<std::size_t>(l.way);
    out << "<tr class=\"" << classes[way] << "\"><td>" << arrows[way] << "<td>" << escaped(l.words) << "<td>"
        << l.bytes;
  }
  out << "</table>";
}

void write_result(std::ostream& out, const pass& p, const case_result& r) {
  out << "<section><h3>" << title_of(p) << " <span class=\"" << class_of(r.r.v) << " verdict\">"
      << words_of(r.r.v) << "</span></h3><dl>";
  if (!r.is_as_expected()) out << "<dt>instead of<dd>" << words_of(r.expected);
  if (!r.r.reason.empty()) out << "<dt>why<dd>" << escaped(r.r.reason);
  out << "<dt>received<dd>" << escaped(r.r.received) << "<dt>close code<dd>"
      << (r.r.close_code ? std::to_string(*r.r.close_code) : "no close frame");
  if (r.r.messages != 0) out << "<dt>came back<dd>" << r.r.messages << " messages";
  out << "<dt>time<dd>" << words_of(r.r.time) << "</dl>";
  write_wire(out, r.r.log);
  out << "</section>";
}

// Byte by byte the same goes over the wire: it is shown where it stands alone or went another way.
bool is_shown(const std::vector<pass>& passes, const pass& p, std::size_t i) {
  if (p.how == delivery::whole || !p.cases[i].is_as_expected()) return true;
  return std::ranges::none_of(passes, [&](const pass& other) {
    return other.role == p.role && other.over == p.over && other.how == delivery::whole;
  });
}

void write_case(std::ostream& out, const std::vector<pass>& passes, std::size_t i) {
  std::set<std::string_view> classes;
  std::ostringstream columns;
  for (const pass& p : passes) {
    const case_result& r = p.cases[i];
    classes.insert(class_of(r.r.v));
    if (!r.is_as_expected()) classes.insert("unexpected");
    columns << "<span class=\"verdict " << class_of(r.r.v) << (r.is_as_expected() ? "" : " unexpected")
            << "\" data-pass=\"" << title_of(p) << "\">" << words_of(r.r.v) << "</span>";
  }
  const test_case& c = *passes.front().cases[i].c;
  out << "<details class=\"case\" data-verdicts=\"";
  for (const std::string_view name : classes) out << name << ' ';
  out << "\"><summary><span class=\"id\">" << c.id << "</span><span class=\"words\">"
      << escaped(c.description) << "</span>" << columns.str()
      << "</summary><div class=\"more\"><dl><dt>expected<dd>" << escaped(describe_expected(c)) << "</dl>";
  for (const pass& p : passes) {
    if (is_shown(passes, p, i)) write_result(out, p, p.cases[i]);
  }
  out << "</div></details>\n";
}

}  // namespace

std::string html_of(const std::vector<pass>& passes) {
  const auto& cases = passes.front().cases;
  std::ostringstream out;
  out << head << "<p class=\"quiet\">" << cases.size()
      << " cases of RFC 6455 and RFC 7692, after the list of the Autobahn test suite. Open one to see what "
         "went over the wire.</p>\n<div "
         "class=\"passes\">\n";
  for (const pass& p : passes) write_pass(out, p);
  out << "</div>\n";
  write_tools(out, passes);
  out << "<div style=\"--passes:" << passes.size() << "\">\n";
  std::string chapter;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    if (chapter_of(cases[i].c->id) != chapter) {
      if (!chapter.empty()) out << "</section>\n";
      chapter = chapter_of(cases[i].c->id);
      out << "<section class=\"chapter\"><header><h2>" << chapter << "</h2><h2>" << title_of_chapter(chapter)
          << "</h2>";
      for (const pass& p : passes) out << "<span>" << title_of(p) << "</span>";
      out << "</header>\n";
    }
    write_case(out, passes, i);
  }
  out << "</section>\n</div>\n" << tail;
  return std::move(out).str();
}

}  // namespace conformance
