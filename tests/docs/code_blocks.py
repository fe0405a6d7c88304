#!/usr/bin/env python3
"""The C++ in README.md and docs/: made into units that the build compiles, and compared with the files it shows.

Every block of a Markdown file that begins with ```cpp is compiled:

- with an `#include` it is a unit of its own, maybe a whole program;
- without one it is a fragment: it stands behind prelude.hpp, which includes fairlead and declares the usual names, and
  at namespace scope unless the comment in front says otherwise.

A comment on a line of its own in front of the block, blank lines between them allowed, changes that:

    <!-- code: in a function -->                the fragment is statements; it may use co_await
    <!-- code: continues -->                    goes on where the block before it stopped, in the same unit
    <!-- code: continues in a function -->      the same, but its statements are a function of their own
    <!-- code: not compiled: REASON -->         left out, for a reason that is given
    <!-- code: the file PATH -->                not compiled here, but its lines stand in that file, one after another;
                                                in front of a block of any language, PATH from the project's root

    code_blocks.py extract --root . --out DIR FILE...   writes the units to DIR and prints their paths
    code_blocks.py check --root . FILE...               names each comment that is wrong and each block that has drifted

What `extract` cannot place it leaves out: `check` names it.
"""

import argparse
import re
import sys
from pathlib import Path

PRELUDE = Path(__file__).resolve().with_name("prelude.hpp")
FENCE = re.compile(r"^( *)(`{3,}|~{3,})[ \t]*([^\s`]*)")
COMMENT = re.compile(r"^\s*<!--\s*code\b")
DIRECTIVE = re.compile(r"^\s*<!--\s*code:\s*(.*?)\s*-->\s*$")
INCLUDE = re.compile(r"^\s*#\s*include\b", re.MULTILINE)

# A fragment may hide a usual name, and stop before it uses what it declares.
FRAGMENT_WARNINGS = ("-Wshadow", "-Wunused-variable", "-Wunused-but-set-variable")


class Block:
    def __init__(self, language, line, lines, directive):
        self.language = language
        self.line = line  # of its first line of code
        self.lines = lines
        self.directive = directive  # None without a comment

    @property
    def text(self):
        return "".join(line + "\n" for line in self.lines)


def read_blocks(lines, report):
    """The fenced blocks of a Markdown file, each with the directive in front of it."""
    blocks = []
    directive = None
    at = 0
    while at < len(lines):
        number, line = at + 1, lines[at]
        at += 1
        fence = FENCE.match(line)
        if fence is None:
            if COMMENT.match(line):
                if directive is not None:
                    report(directive[0], "no block follows this comment")
                stated = DIRECTIVE.match(line)
                if stated is None:
                    report(number, "this comment has to be <!-- code: ... -->, on one line")
                directive = (number, stated[1] if stated else None)
            elif line.strip() and directive is not None:
                report(directive[0], "no block follows this comment")
                directive = None
            continue
        indent, marks, language = fence.groups()
        closing = re.compile(rf"^ *{marks[0]}{{{len(marks)},}}\s*$")
        code = []
        while at < len(lines) and not closing.match(lines[at]):
            code.append(lines[at].removeprefix(indent))
            at += 1
        if at == len(lines):
            report(number, "this block does not end")
        at += 1
        blocks.append(Block(language, number + 1, code, directive))
        directive = None
    if directive is not None:
        report(directive[0], "no block follows this comment")
    return blocks


class Unit:
    """One translation unit, from one Markdown file."""

    def __init__(self, name, first, is_fragment):
        self.name = name
        self.first_line = first.line
        self.is_fragment = is_fragment
        self.parts = []
        self.in_function = False

    def add(self, block):
        self.parts.append(f'#line {block.line} "{self.name}"\n{block.text}')

    def begin_function(self):
        self.end_function()
        self.parts.append(f"asio::awaitable<void> statements_{len(self.parts)}() {{\n")
        self.in_function = True

    def end_function(self):
        if self.in_function:
            self.parts.append("co_return;\n}\n")
        self.in_function = False

    def source(self):
        self.end_function()
        body = "".join(self.parts)
        if not self.is_fragment:
            return body
        pragmas = "".join(f'#pragma GCC diagnostic ignored "{warning}"\n' for warning in FRAGMENT_WARNINGS)
        return f'#include "{PRELUDE}"\n{pragmas}namespace fragment {{\n{body}}}\n'


def check_excerpt(block, path, root, report):
    """The block's lines have to stand in the file, one after another."""
    try:
        whole = (root / path).read_text().splitlines()
    except OSError as error:
        return report(block.directive[0], f"{path} cannot be read: {error.strerror}")
    size = len(block.lines)
    if size == 0:
        return report(block.line, "this block is empty")
    if any(whole[i:i + size] == block.lines for i in range(len(whole) - size + 1)):
        return None
    # The longest beginning that is there says where the two part.
    common = max((prefix_size(whole[i:], block.lines) for i in range(len(whole))), default=0)
    return report(block.line + common, f"this line is not in {path}, behind those before it")


def prefix_size(whole, lines):
    size = 0
    while size < min(len(whole), len(lines)) and whole[size] == lines[size]:
        size += 1
    return size


def read_units(path, root, report):
    """The units of a Markdown file. `report(line, text)` is told what is wrong with it."""
    units = []
    for block in read_blocks(path.read_text().splitlines(), report):
        line, directive = block.directive or (block.line, "")
        if directive is None:  # reported already
            continue
        if directive.startswith("the file "):
            check_excerpt(block, directive.removeprefix("the file ").strip(), root, report)
            continue
        if block.language.lower() in ("c++", "cxx", "cc"):
            report(block.line - 1, f"write ```cpp, not {block.language}")
            continue
        if block.language != "cpp":
            if directive:
                report(line, f"'{directive}' is for ```cpp blocks")
            continue
        has_include = INCLUDE.search(block.text) is not None
        match re.sub(r"\s+", " ", directive):
            case "":
                units.append(Unit(str(path.relative_to(root)), block, not has_include))
                units[-1].add(block)
            case "in a function":
                units.append(Unit(str(path.relative_to(root)), block, True))
                units[-1].begin_function()
                units[-1].add(block)
            case "continues" | "continues in a function" if not units:
                report(line, "there is no block that this one could continue")
            case "continues":
                units[-1].add(block)
            case "continues in a function":
                units[-1].begin_function()
                units[-1].add(block)
            case stated if stated.startswith("not compiled"):
                if not stated.removeprefix("not compiled").lstrip(": "):
                    report(line, "say why: <!-- code: not compiled: REASON -->")
            case stated:
                report(line, f"there is no '{stated}'; tests/docs/code_blocks.py lists what there is")
    return units


def extract(files, root, out):
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for path in files:
        for unit in read_units(path, root, lambda line, text: None):
            name = re.sub(r"\W", "_", unit.name.removesuffix(".md"))
            source = out / f"{name}_line_{unit.first_line}.cpp"
            text = unit.source()
            if not source.exists() or source.read_text() != text:
                source.write_text(text)
            written.append(source)
    for stale in set(out.glob("*.cpp")) - set(written):
        stale.unlink()
    print("\n".join(str(source) for source in written))
    return 0


def check(files, root):
    faults = []
    units = 0
    for path in files:
        name = path.relative_to(root)
        units += len(read_units(path, root, lambda line, text: faults.append(f"{name}:{line}: {text}")))
    print("\n".join(faults) or f"{len(files)} files, {units} units of C++")
    return 1 if faults else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=["extract", "check"])
    parser.add_argument("--root", type=Path, required=True, help="the project")
    parser.add_argument("--out", type=Path, help="where the units go")
    parser.add_argument("files", type=Path, nargs="+", help="Markdown files below the root")
    arguments = parser.parse_args()
    root = arguments.root.resolve()
    files = [path.resolve() for path in arguments.files]
    if arguments.command == "check":
        return check(files, root)
    if arguments.out is None:
        parser.error("extract needs --out")
    return extract(files, root, arguments.out)


if __name__ == "__main__":
    sys.exit(main())
