#!/usr/bin/env python3
"""What fairlead costs above the kernel, in a few minutes: fairlead and the raw floor, run in turns, and the gates.

Called by `./dev bench --quick`. The servers run on one core, the load generator on another. README.md in the folder
above explains the numbers.
"""

import argparse
import statistics
import sys

from common import (add_build_option, column, connections_possible, generate, positive, print_rows, programs_in,
                    run_and_time, server, server_and_client_core, spread)

SESSION_BYTES_LIMIT = 1024
TLS_BYTES_LIMIT = 15.5 * 1024  # of a session with TLS, above one without
TLS_CONNECTIONS = 2_000
IDLE_CONNECTIONS = 10_000


class Case:
    def __init__(self, name, connections, outstanding, kind="binary", size=256, limit=None):
        self.name = name
        self.connections = connections
        self.outstanding = outstanding
        self.kind = kind
        self.size = size
        self.limit = limit  # of the ratio to raw; None for a case that only informs

    @property
    def title(self):
        return f"{self.size} B {self.kind}, {self.connections} connections, {self.outstanding} outstanding"


CASES = [
    Case("echo-1", connections=100, outstanding=1, limit=1.10),
    Case("echo-16", connections=100, outstanding=16, limit=1.35),
    Case("text-1", connections=100, outstanding=1, kind="text"),
    Case("text-16", connections=100, outstanding=16, kind="text"),
    Case("few-1", connections=4, outstanding=1),
]
IDLE_CASES = ["idle", "idle-tls"]

# One thread and two on the same core: what it costs to have several event loops, with no second core to win.
THREADS_CASE = Case("threads-one-core", connections=100, outstanding=1)
THREADS_LIMIT = 1.05

CASE_NAMES = [case.name for case in CASES] + [THREADS_CASE.name] + IDLE_CASES


class Bench:
    def __init__(self, programs, seconds, pairs):
        self.programs = programs
        self.seconds = seconds
        self.pairs = pairs
        self.server_core, self.client_core = server_and_client_core()

    def generate(self, port, pid, **options):
        command = [self.programs["load_generator"], "--port", port, "--pid", pid]
        for name, value in options.items():
            command += [f"--{name}", value]
        return generate(command, self.client_core, patience=self.seconds * 2 + 120)

    def run_case(self, case):
        header = 2 if case.size < 126 else 4 if case.size < 65536 else 10
        sizes = ["--in", header + 4 + case.size, "--out", header + case.size]
        load = {"connections": case.connections, "outstanding": case.outstanding, "size": case.size,
                "type": case.kind, "seconds": self.seconds}
        raw, fairlead = [], []
        with server([self.programs["raw_echo"], *sizes], self.server_core) as raw_server, \
                server(self.fairlead_command(), self.server_core) as fairlead_server:
            for pair in range(1, self.pairs + 1):
                # Taken in turns, so that a machine that slows down slows both.
                raw.append(self.generate(*raw_server, mode="raw", **load))
                fairlead.append(self.generate(*fairlead_server, mode="ws", **load))
                costs = [runs[-1]["server_us_per_message"] for runs in (raw, fairlead)]
                print(f"  {pair}/{self.pairs}: raw {costs[0]:.3f} us, fairlead {costs[1]:.3f} us, "
                      f"ratio {costs[1] / costs[0]:.3f}", flush=True)
        return raw, fairlead

    def run_threads(self, case):
        """Runs of servers with one thread and with two."""
        load = {"connections": case.connections, "outstanding": case.outstanding, "size": case.size,
                "type": case.kind, "seconds": self.seconds, "mode": "ws"}
        one, two = [], []
        with server(self.fairlead_command(threads=1), self.server_core) as one_thread, \
                server(self.fairlead_command(threads=2), self.server_core) as two_threads:
            for pair in range(1, self.pairs + 1):
                # Each begins every other pair, so that neither always comes second.
                turns = [(one, one_thread), (two, two_threads)]
                for runs, watched in turns if pair % 2 else reversed(turns):
                    runs.append(self.generate(*watched, **load))
                costs = [runs[-1]["server_us_per_message"] for runs in (one, two)]
                print(f"  {pair}/{self.pairs}: one thread {costs[0]:.3f} us, two {costs[1]:.3f} us, "
                      f"ratio {costs[1] / costs[0]:.3f}", flush=True)
        return one, two

    def run_idle(self, connections, spoke):
        with server(self.fairlead_command(), self.server_core) as fairlead_server:
            return self.generate(*fairlead_server, mode="idle", connections=connections,
                                 outstanding=1 if spoke else 0, seconds=2)

    def run_idle_tls(self, spoke):
        """Bytes for a session without and with TLS, with the same client."""
        costs = []
        for tls in (0, 1):
            with server(self.fairlead_command() + ["--tls", tls], self.server_core) as (port, pid):
                command = [self.programs["idle_sessions"], "--port", port, "--pid", pid, "--tls", tls,
                           "--connections", TLS_CONNECTIONS, "--talk", int(spoke)]
                costs.append(generate(command, self.client_core, patience=120)["bytes_per_session"])
        return costs

    def fairlead_command(self, threads=1):
        return [self.programs["bench_server"], "--port", 0, "--threads", threads]


def ratios(base, other):
    return [o["server_us_per_message"] / b["server_us_per_message"] for b, o in zip(base, other)]


def print_table(results, names=("raw", "fairlead")):
    rows = [("case", "server", "us each message", f"ratio to {names[0]}", "messages/s", "p50 us", "p99 us", "busy")]
    for case, pair in results.items():
        for name, runs in zip(names, pair):
            rows.append((case.name, name,
                         spread(column(runs, "server_us_per_message"), 3),
                         spread(ratios(*pair), 3) if name == names[1] else "",
                         f"{statistics.median(column(runs, 'messages_per_second')):,.0f}",
                         f"{statistics.median(column(runs, 'latency_p50_us')):,.0f}",
                         f"{statistics.median(column(runs, 'latency_p99_us')):,.0f}",
                         f"{statistics.median(column(runs, 'server_busy')):.0%}"))
    print_rows(rows)


def print_disturbance(results):
    """With 100 connections the server always has work; a core that it does not get, something else has taken."""
    busy = [run["server_busy"] for case, pair in results.items() if case.connections >= 100 for runs in pair
            for run in runs]
    if busy and statistics.median(busy) < 0.8:
        print(f"note: the servers got {statistics.median(busy):.0%} of their core: other work disturbs these numbers")


def print_gate(text, value, limit, digits):
    """Says whether `value` keeps its limit, and answers the same."""
    kept = value <= limit
    print(f"gate  {text}: {value:.{digits}f}, at most {limit:.{digits}f}: {'kept' if kept else 'NOT KEPT'}")
    return kept


def run(arguments):
    programs = programs_in(arguments.build, "raw_echo", "bench_server", "load_generator", "idle_sessions")
    bench = Bench(programs, arguments.seconds, arguments.pairs)
    chosen = arguments.case or CASE_NAMES

    results = {}
    for case in CASES:
        if case.name in chosen:
            print(f"{case.name}: {case.title}; {arguments.pairs} pairs of {arguments.seconds:g} s", flush=True)
            results[case] = bench.run_case(case)
    threads = {}
    if THREADS_CASE.name in chosen:
        print(f"{THREADS_CASE.name}: {THREADS_CASE.title}; one thread and two on one core, {arguments.pairs} pairs of "
              f"{arguments.seconds:g} s", flush=True)
        threads[THREADS_CASE] = bench.run_threads(THREADS_CASE)
    idle = {}
    if "idle" in chosen:
        connections = connections_possible(IDLE_CONNECTIONS)
        for spoke in (False, True):
            talk = "after one message each" if spoke else "that never spoke"
            print(f"idle: {connections:,} connections {talk}", flush=True)
            idle[spoke] = bench.run_idle(connections, spoke)

    idle_tls = {}
    if "idle-tls" in chosen:
        for spoke in (False, True):
            talk = "after one message each" if spoke else "that never spoke"
            print(f"idle-tls: {TLS_CONNECTIONS:,} connections {talk}, without and with TLS", flush=True)
            idle_tls[spoke] = bench.run_idle_tls(spoke)

    if results:
        print()
        print_table(results)
        print_disturbance(results)
    if threads:
        print()
        print_table(threads, ("one thread", "two"))
        print_disturbance(threads)
    print()
    kept = True
    for case, (raw, fairlead) in results.items():
        if case.limit is not None:
            ratio = statistics.median(ratios(raw, fairlead))
            kept &= print_gate(f"{case.title}: fairlead / raw", ratio, case.limit, 3)
    for case, pair in threads.items():
        ratio = statistics.median(ratios(*pair))
        kept &= print_gate(f"{case.title}: two threads on one core / one", ratio, THREADS_LIMIT, 3)
    for spoke, result in idle.items():
        talk = "after one message" if spoke else "that never spoke"
        kept &= print_gate(f"bytes of private memory for an idle session {talk}", result["bytes_per_connection"],
                           SESSION_BYTES_LIMIT, 0)
    for spoke, (plain, tls) in idle_tls.items():
        talk = "after one message" if spoke else "that never spoke"
        print(f"      private memory for an idle session {talk}: {plain:.0f} bytes plain, {tls:.0f} with TLS")
        kept &= print_gate(f"bytes that TLS adds to an idle session {talk}", tls - plain, TLS_BYTES_LIMIT, 0)
    return 0 if kept else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_build_option(parser)
    parser.add_argument("--seconds", type=positive(float), default=2.0, help="measured time of each run (2)")
    parser.add_argument("--pairs", type=positive(int), default=5, help="runs of each server in a case (5)")
    parser.add_argument("--case", action="append", choices=CASE_NAMES,
                        help="only this case; may be given several times")
    return run_and_time(run, parser)


if __name__ == "__main__":
    sys.exit(main())
