#!/usr/bin/env python3
"""Tests code_blocks.py on pages of a few lines."""

import tempfile
import unittest
from pathlib import Path

import code_blocks


def fenced(code, comment=None, language="cpp"):
    return (f"<!-- {comment} -->\n" if comment else "") + f"```{language}\n{code}\n```\n"


class CodeBlocks(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = Path(self.folder.name)
        self.addCleanup(self.folder.cleanup)

    def read(self, *parts):
        """The sources that a page becomes, and what is reported of it."""
        page = self.root / "page.md"
        page.write_text("".join(parts))
        faults = []
        units = code_blocks.read_units(page, self.root, lambda line, text: faults.append((line, text)))
        return [unit.source() for unit in units], faults

    def assert_fault(self, line, words, *parts):
        units, faults = self.read(*parts)
        self.assertEqual([line], [at for at, _ in faults], faults)
        self.assertIn(words, faults[0][1])
        return units

    def test_a_block_with_an_include_is_a_unit_of_its_own(self):
        units, faults = self.read("Text.\n\n", fenced("#include <string>\nint main() {}"))
        self.assertEqual(['#line 4 "page.md"\n#include <string>\nint main() {}\n'], units)
        self.assertEqual([], faults)

    def test_a_fragment_stands_behind_the_prelude(self):
        units, faults = self.read(fenced("int f();"), fenced("int f();"))
        self.assertEqual(2, len(units))
        self.assertEqual([], faults)
        self.assertTrue(units[0].startswith(f'#include "{code_blocks.PRELUDE}"\n'))
        self.assertIn('namespace fragment {\n#line 2 "page.md"\nint f();\n}\n', units[0])

    def test_statements_are_put_in_a_function(self):
        (unit,), faults = self.read(fenced("f();", "code: in a function"))
        self.assertEqual([], faults)
        self.assertIn('() {\n#line 3 "page.md"\nf();\nco_return;\n}\n}\n', unit)

    def test_a_block_continues_the_one_before_where_it_stopped(self):
        units, faults = self.read(fenced("f();", "code: in a function"), "And:\n\n", fenced("g();", "code: continues"))
        self.assertEqual([], faults)
        self.assertEqual(1, len(units))
        self.assertIn('f();\n#line 9 "page.md"\ng();\nco_return;\n}\n}\n', units[0])

    def test_a_block_continues_in_a_function_of_its_own(self):
        (unit,), faults = self.read(fenced("#include <fairlead.hpp>\nint f();"),
                                    fenced("f();", "code: continues in a function"))
        self.assertEqual([], faults)
        self.assertRegex(unit, r'int f\(\);\nasio::awaitable<void> \w+\(\) {\n#line 7 "page.md"\nf\(\);\nco_return;\n}$')

    def test_nothing_can_be_continued_at_the_beginning(self):
        self.assert_fault(1, "no block", fenced("f();", "code: continues"))

    def test_a_block_is_left_out_for_a_reason(self):
        self.assertEqual(([], []), self.read(fenced("f(", "code: not compiled: it is meant to be wrong")))

    def test_a_block_is_not_left_out_without_a_reason(self):
        self.assert_fault(1, "say why", fenced("f(", "code: not compiled"))
        self.assert_fault(1, "say why", fenced("f(", "code: not compiled: "))

    def test_an_unknown_directive_is_an_error(self):
        units = self.assert_fault(3, "'in a class'", "Text.\n\n", fenced("f();", "code: in a class"))
        self.assertEqual([], units)

    def test_a_comment_that_is_no_directive_is_an_error(self):
        self.assert_fault(1, "on one line", "<!-- code in a function -->\n", fenced("f();"))
        self.assert_fault(1, "on one line", "<!-- code: not compiled:\n", fenced("f();"))

    def test_a_directive_without_a_block_is_an_error(self):
        self.assert_fault(1, "no block", "<!-- code: continues -->\n", "Text.\n", fenced("int f();"))
        self.assert_fault(1, "no block", "<!-- code: continues -->\n")

    def test_other_languages_are_left(self):
        self.assertEqual(([], []), self.read(fenced("f(", language="sh"), fenced("f(", language="")))
        self.assert_fault(1, "is for ```cpp", fenced("ls", "code: in a function", language="sh"))

    def test_there_is_one_name_for_the_language(self):
        self.assert_fault(1, "write ```cpp", fenced("int f();", language="c++"))

    def test_a_block_that_does_not_end_is_an_error(self):
        self.assert_fault(1, "does not end", "```cpp\nint f();\n")

    def test_a_block_in_a_list_loses_its_indentation(self):
        (unit,), faults = self.read("- Text:\n\n  ```cpp\n  struct s {\n    int i;\n  };\n  ```\n")
        self.assertEqual([], faults)
        self.assertIn('#line 4 "page.md"\nstruct s {\n  int i;\n};\n', unit)

    def test_an_excerpt_stands_in_its_file(self):
        (self.root / "a.cpp").write_text("one\n\ntwo\nthree\n")
        for excerpt in ("one", "\ntwo", "two\nthree", "one\n\ntwo\nthree"):
            for language in ("cpp", "html"):
                self.assertEqual(([], []), self.read(fenced(excerpt, "code: the file a.cpp", language)))

    def test_an_excerpt_that_has_drifted_is_named_by_its_line(self):
        (self.root / "a.cpp").write_text("one\n\ntwo\nthree\n")
        self.assert_fault(4, "a.cpp", fenced("two\n3", "code: the file a.cpp"))
        self.assert_fault(4, "a.cpp", fenced("one\ntwo", "code: the file a.cpp"))  # a line is left out
        self.assert_fault(3, "a.cpp", fenced(" two", "code: the file a.cpp"))
        self.assert_fault(5, "a.cpp", fenced("two\nthree\nfour", "code: the file a.cpp"))  # behind the end

    def test_an_excerpt_of_no_file_or_no_lines_is_an_error(self):
        self.assert_fault(1, "cannot be read", fenced("one", "code: the file b.cpp"))
        (self.root / "a.cpp").write_text("one\n")
        self.assert_fault(3, "is empty", "<!-- code: the file a.cpp -->\n```cpp\n```\n")

    def test_extract_writes_each_unit_once_and_removes_what_is_stale(self):
        page, out = self.root / "page.md", self.root / "out"
        page.write_text(fenced("int f();"))
        code_blocks.extract([page], self.root, out)
        (source,) = out.iterdir()
        self.assertEqual("page_line_2.cpp", source.name)
        written = source.stat().st_mtime_ns
        code_blocks.extract([page], self.root, out)
        self.assertEqual(written, source.stat().st_mtime_ns)
        page.write_text("Text.\n" + fenced("int f();"))
        code_blocks.extract([page], self.root, out)
        self.assertEqual(["page_line_3.cpp"], [file.name for file in out.iterdir()])


if __name__ == "__main__":
    unittest.main()
