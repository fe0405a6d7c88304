#!/usr/bin/env python3
"""What a user's file costs to compile: fairlead's ten lines beside an echo server on Asio alone, and the gate.

Called by `./dev bench --compile`. Each file is compiled by itself, in turns with the others, without ccache. README.md
in this folder explains the numbers.
"""

import argparse
import json
import os
import re
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / "benchmarks/compile_time"
RATIO_LIMIT = 1.3

CASES = {
    "asio": "TCP echo, <asio.hpp>",
    "asio-needed": "TCP echo, only the headers it needs",
    "fairlead": "README.md's ten lines, compiled fairlead",
    "callbacks": "the same with callbacks",
    "header-only": "the ten lines, header-only fairlead",
    "beast": "WebSocket echo, Boost.Beast",
}
FLOORS = ("asio", "asio-needed")


class Failure(Exception):
    """Something that one line explains."""


class Compiler:
    """A compiler, and the definitions and include folders of a file that uses fairlead."""

    def __init__(self, program, flags, settings, boost):
        self.program = program
        self.flags = flags
        self.settings = settings
        self.boost = ["-isystem", str(boost)] if boost else []

    @classmethod
    def of_build(cls, build, program, flags, boost):
        try:
            commands = json.loads((build / "compile_commands.json").read_text())
        except OSError as error:
            raise Failure(f"{build} holds no build: ./dev bench --compile makes one") from error
        users = [entry for entry in commands if entry["file"].endswith("/bench_server.cpp")]
        if not users:
            raise Failure(f"the build in {build} has no benchmarks")
        words = shlex.split(users[0]["command"])
        while Path(words[0]).name == "ccache":
            words.pop(0)
        settings = [word for word in words if word.startswith(("-D", "-I")) and word != "-DNDEBUG"]
        for option, folder in zip(words, words[1:]):
            if option == "-isystem":
                settings += [option, folder]
        return cls(program or words[0], flags, settings, boost)

    def run(self, *arguments, text=None):
        return subprocess.run([self.program, *self.flags, *self.settings, *self.boost, *arguments], input=text,
                              capture_output=True, text=True, env=os.environ | {"CCACHE_DISABLE": "1"})

    def macro(self, header, name):
        """What a macro of a header stands for; nothing when there is no such header."""
        result = self.run("-E", "-P", "-x", "c++", "-", text=f"#include <{header}>\n{name}\n")
        return result.stdout.split("\n")[-2].strip('"') if result.returncode == 0 else None

    def version(self):
        return self.run("--version").stdout.split("\n")[0]

    def processor_time(self, source, settings, folder):
        """Compiles a file; the processor time of the compiler and what it starts, in seconds."""
        command = [self.program, *self.flags, *settings, "-c", str(source), "-o", str(folder / "out.o")]
        with open(folder / "messages", "w+") as messages:
            process = subprocess.Popen(command, stderr=messages, env=os.environ | {"CCACHE_DISABLE": "1"})
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode != 0:
                messages.seek(0)
                raise Failure(f"{source} does not compile:\n{messages.read()}")
        return used.ru_utime + used.ru_stime


def readme_programs():
    """README.md's first program, and the same with the callbacks that follow it there."""
    blocks = re.findall(r"^```cpp\n(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    programs = [block for block in blocks if "int main()" in block]
    callbacks = [block for block in blocks if "on_message" in block and "int main()" not in block]
    if not programs or not callbacks:
        raise Failure("README.md does not begin with a program and the same as callbacks")
    head, body = programs[0].split("int main()")
    include = "".join(line + "\n" for line in head.splitlines() if line.startswith("#include"))
    body, replaced = re.subn(r"^ *server\.route\(.*\n", lambda _: callbacks[0], body, flags=re.MULTILINE)
    if replaced != 1:
        raise Failure("README.md's first program does not have one route")
    return programs[0], f"{include}\nint main(){body}"


def write_sources(compiler, folder):
    """Each case's file and the settings that it is compiled with."""
    coroutine, callbacks = folder / "coroutine.cpp", folder / "callbacks.cpp"
    for path, text in zip((coroutine, callbacks), readme_programs()):
        path.write_text(text)
    inline = [setting for setting in compiler.settings if setting != "-DFAIRLEAD_SEPARATE_COMPILATION"]
    return {
        "asio": (SOURCES / "asio_whole.cpp", compiler.settings),
        "asio-needed": (SOURCES / "asio_needed.cpp", compiler.settings),
        "fairlead": (coroutine, compiler.settings),
        "callbacks": (callbacks, compiler.settings),
        "header-only": (coroutine, inline),
        "beast": (SOURCES / "beast.cpp", [*compiler.settings, *compiler.boost]),
    }


def measure(compiler, cases, rounds):
    seconds = {case: [] for case in cases}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sources = write_sources(compiler, folder)
        for number in range(1, rounds + 1):
            # Taken in turns, so that a machine that slows down slows all.
            for case in cases:
                seconds[case].append(compiler.processor_time(*sources[case], folder))
            print(f"  {number}/{rounds}: " + ", ".join(f"{case} {seconds[case][-1]:.2f} s" for case in cases),
                  flush=True)
    return seconds


def spread(values):
    return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


def ratios(seconds, case, floor):
    return [ours / theirs for ours, theirs in zip(seconds[case], seconds[floor])]


def print_table(seconds):
    floors = [floor for floor in FLOORS if floor in seconds]
    rows = [("case", "what", "processor s", *(f"ratio to {floor}" for floor in floors))]
    for case, values in seconds.items():
        rows.append((case, CASES[case], spread(values),
                     *("" if case == floor else spread(ratios(seconds, case, floor)) for floor in floors)))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


def print_gate(seconds):
    """Compares the ten lines with the cheaper of the servers on Asio alone. Without either there is no gate."""
    floors = [floor for floor in FLOORS if floor in seconds]
    if "fairlead" not in seconds or not floors:
        return True
    floor = min(floors, key=lambda each: statistics.median(seconds[each]))
    ratio = statistics.median(ratios(seconds, "fairlead", floor))
    kept = ratio <= RATIO_LIMIT
    print(f"gate  fairlead / Asio-only echo server ({floor}): {ratio:.2f}, at most {RATIO_LIMIT:.1f}: "
          f"{'kept' if kept else 'missed'}")
    return kept


def run(arguments):
    compiler = Compiler.of_build(arguments.build, arguments.compiler, shlex.split(arguments.flags), arguments.boost)
    cases = [case for case in CASES if case in (arguments.case or CASES)]
    asio = int(compiler.macro("asio/version.hpp", "ASIO_VERSION"))
    libraries = f"Asio {asio // 100000}.{asio // 100 % 1000}.{asio % 100}"
    if "beast" in cases:
        if compiler.macro("boost/beast/version.hpp", "BOOST_BEAST_VERSION"):
            libraries += f", Boost {compiler.macro('boost/version.hpp', 'BOOST_LIB_VERSION').replace('_', '.')}"
        else:
            print("beast: Boost.Beast is not installed; --boost DIR takes headers from elsewhere")
            cases.remove("beast")
    if not cases:
        return 0
    print(f"{compiler.version()}, {arguments.flags}, {libraries}; {arguments.rounds} rounds", flush=True)
    seconds = measure(compiler, cases, arguments.rounds)
    print()
    print_table(seconds)
    print()
    return 0 if print_gate(seconds) else 1


def positive(text):
    value = int(text)
    if value <= 0:
        raise ValueError
    return value


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, default=ROOT / "build/release",
                        help="whose compile_commands.json says how a user of fairlead is compiled")
    parser.add_argument("--compiler", help="instead of the build's")
    parser.add_argument("--flags", default="-std=c++20 -O2", help="for every file (-std=c++20 -O2)")
    parser.add_argument("--boost", type=Path, help="folder with Boost's headers, where they are not installed")
    parser.add_argument("--rounds", type=positive, default=5, help="how often each file is compiled (5)")
    parser.add_argument("--case", action="append", choices=list(CASES),
                        help="only this case; may be given several times")
    started = time.monotonic()
    try:
        status = run(parser.parse_args())
    except Failure as failure:
        print(f"compile_time.py: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(f"{time.monotonic() - started:.0f} seconds in all")
    return status


if __name__ == "__main__":
    sys.exit(main())
