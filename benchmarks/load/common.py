"""What the programs here that measure a server share: starting it, loading it, tables, and the command line."""

import json
import os
import resource
import select
import signal
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path


class Failure(Exception):
    """Something that one line explains."""


def on_core(core):
    return lambda: os.sched_setaffinity(0, {core})


def before_others():
    """Other work on the machine waits for this process and those it starts, as far as the system lets it."""
    try:
        os.setsid()  # a group of its own for sched(7), "The autogroup feature"
        Path("/proc/self/autogroup").write_text("-15")
        os.setpriority(os.PRIO_PROCESS, 0, -15)
    except OSError:
        pass


@contextmanager
def server(command, core, prepare=lambda: None):
    """Starts a server, gives its port and process id, and ends it. `prepare` is called in its process before."""
    def begin():
        on_core(core)()
        prepare()

    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, text=True, preexec_fn=begin)
    try:
        ready, _, _ = select.select([process.stdout], [], [], 10)
        words = process.stdout.readline().split() if ready else []
        if not words:
            raise Failure(f"{command[0].name} " + ("ended before it listened" if ready else "did not start in 10 s"))
        yield int(words[-1].rstrip("/").rsplit(":", 1)[-1]), process.pid  # a port, or an address with one
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def generate(command, core, patience, prepare=lambda: None):
    """Runs a load program and reads the line of JSON that it prints. `prepare` is called in its process before."""
    def begin():
        on_core(core)()
        prepare()

    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, text=True, preexec_fn=begin)
    try:
        out, _ = process.communicate(timeout=patience)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    if process.returncode != 0:
        raise Failure(f"{command[0].name} stopped with status {process.returncode}")
    return json.loads(out)


def server_and_client_core():
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise Failure("this machine has one core, and server and load need one each")
    return cores[:2]


def connections_possible(wanted):
    """How many idle connections, at most `wanted`, the descriptor limit leaves, after raising it as far as it goes."""
    descriptors_to_spare = 200
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard == resource.RLIM_INFINITY or hard >= wanted + descriptors_to_spare:
        return wanted
    print(f"  note: the descriptor limit allows {hard - descriptors_to_spare:,} connections, not {wanted:,}")
    return hard - descriptors_to_spare


def programs_in(folder, *names):
    programs = {name: folder / name for name in names}
    for name, path in programs.items():
        if not os.access(path, os.X_OK):
            raise Failure(f"{name} is missing at {path}: ./dev bench builds it")
    return programs


def spread(values, digits):
    low, high = min(values), max(values)
    return f"{statistics.median(values):.{digits}f} ({low:.{digits}f}-{high:.{digits}f})"


def column(runs, key):
    return [run[key] for run in runs]


def print_rows(rows):
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


class Checks:
    """What has to be kept, with its number and limit, for the table at the end."""

    def __init__(self):
        self.rows = []
        self.about = ""  # in front of what follows

    def at_most(self, what, value, limit, digits=0, unit=""):
        self.add(what, f"{value:,.{digits}f}{unit}", f"at most {limit:,.{digits}f}{unit}", value <= limit)

    def equal(self, what, value, wanted):
        self.add(what, str(value), str(wanted), value == wanted)

    def add(self, what, value, limit, kept):
        self.rows.append((self.about + what, value, limit, "ok" if kept else "FAILED"))

    def print(self):
        print_rows([("", "measured", "has to be", ""), *self.rows])

    @property
    def kept(self):
        return all(row[-1] == "ok" for row in self.rows)


def positive(kind):
    def parse(text):
        value = kind(text)
        if value <= 0:
            raise ValueError
        return value
    parse.__name__ = f"positive {kind.__name__}"
    return parse


def add_build_option(parser):
    root = Path(__file__).resolve().parents[2]
    parser.add_argument("--build", type=Path, default=root / "build/release/benchmarks", help="where the programs are")


def run_and_time(run, parser):
    """Calls `run` with the command line; the status that the program ends with."""
    # A terminated run ends its servers too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    started = time.monotonic()
    try:
        status = run(parser.parse_args())
    except Failure as failure:
        print(f"{parser.prog}: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(f"{time.monotonic() - started:.0f} seconds in all")
    return status
