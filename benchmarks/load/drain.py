#!/usr/bin/env python3
"""What clients notice of a server that is stopped, and of one that is restarted: two cases with limits.

Called by `./dev bench --drain`. The server runs on one core, the clients on another. README.md in the folder above
explains the numbers.
"""

import argparse
import json
import select
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

from common import (Checks, Failure, add_build_option, connections_possible, on_core, positive, print_rows, programs_in,
                    run_and_time, server_and_client_core)

CASES = ["drain", "restart"]
CONNECTIONS = 10_000
SLOW = 20
LOAD_SECONDS = 3  # before the signal
DRAIN_SECONDS = 30
PART_IN_100_MS = 20
RESTARTS = [2.5, 5.0, 7.5]  # seconds from the begin
RESTART_SECONDS = 10
RESTART_RATE = 300  # connections a second


@contextmanager
def started(command, core):
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, text=True,
                               preexec_fn=on_core(core))
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def line_of(process, name, seconds):
    ready, _, _ = select.select([process.stdout], [], [], seconds)
    line = process.stdout.readline() if ready else ""
    if not line:
        raise Failure(f"{name} " + ("ended" if ready else f"said nothing in {seconds} s"))
    return line


def ended(process, name, seconds):
    """What it printed; it has to end by itself."""
    try:
        out, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        raise Failure(f"{name} did not end in {seconds} s") from None
    if process.returncode != 0:
        raise Failure(f"{name} stopped with status {process.returncode}")
    return out


class Bench:
    def __init__(self, arguments):
        self.arguments = arguments
        self.programs = programs_in(arguments.build, "drain_server", "drain_clients")
        self.server_core, self.client_core = server_and_client_core()

    def server(self, *options):
        return started([self.programs["drain_server"], *options], self.server_core)

    def clients(self, port, mode, **options):
        command = [self.programs["drain_clients"], "--port", port, "--mode", mode]
        for name, value in options.items():
            command += [f"--{name}", value]
        return started(command, self.client_core)


def port_of(server):
    return int(line_of(server, "drain_server", 10).split()[-1])


def missing(sent, read):
    """Messages that the server took and the client did not get, or the other way round."""
    return sum(abs(a - b) for a, b in zip(sent, read)) + abs(len(sent) - len(read))


def run_drain(bench, checks):
    connections = connections_possible(CONNECTIONS + SLOW) - SLOW
    print(f"drain: {connections:,} sessions with a message a second each, and {SLOW} with a queue that takes them "
          "longer than the close timeout; then SIGTERM", flush=True)
    with bench.server() as server, ExitStack() as stack:
        port = port_of(server)
        clients = stack.enter_context(bench.clients(port, "drain", connections=connections, slow=SLOW))
        line_of(clients, "drain_clients", 120)
        time.sleep(bench.arguments.seconds)
        began = time.monotonic()
        server.terminate()
        seen = json.loads(ended(clients, "drain_clients", 90))
        said = json.loads(ended(server, "drain_server", 90))
        took = time.monotonic() - began
    part = connections // PART_IN_100_MS
    checks.equal("sessions told to leave", said["told"], connections + SLOW)
    checks.equal("cut at the deadline", said["cut"], 0)
    checks.equal("messages sent and not read", missing(said["feed"], seen["feed"]), 0)
    checks.equal("of those that were queued for slow ones", missing(said["slow"], seen["slow"]), 0)
    checks.equal("sessions with messages out of order", seen["out_of_order"], 0)
    checks.equal("close frames other than 1012 with retry-after-ms", seen["wrong_closes"], 0)
    checks.equal("sessions still open", seen["still_open"], 0)
    checks.at_most("close frames in the fullest 100 ms", seen["fullest"], part)
    checks.at_most("all done", said["took_ms"] / 1000, DRAIN_SECONDS, 1, " s")
    print_rows([("messages", "queued for slow ones", "first to last close frame", "the drain", "both processes"),
                (f"{sum(said['feed']) + sum(said['slow']):,}", f"{said['queued'] / 1024:,.0f} KiB",
                 f"{seen['spread_ms'] / 1000:.1f} s", f"{said['took_ms'] / 1000:.1f} s", f"{took:.1f} s")])


def run_restart(bench, checks):
    print(f"restart: {RESTART_RATE} new clients a second for {RESTART_SECONDS} s, and {len(RESTARTS)} servers one after "
          "the other that take the socket over", flush=True)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        handover = Path(folder) / "next"
        server = stack.enter_context(bench.server("--handover", handover))
        port = port_of(server)
        clients = stack.enter_context(bench.clients(port, "restart", rate=RESTART_RATE, seconds=RESTART_SECONDS))
        began = time.monotonic()
        handovers = []
        for due in RESTARTS:
            time.sleep(max(0, began + due - time.monotonic()))
            successor = stack.enter_context(bench.server("--handover", handover, "--port", port))
            asked = time.monotonic()
            port_of(successor)
            ended(server, "the server before", 40)
            handovers.append(time.monotonic() - asked)
            server = successor
        seen = json.loads(ended(clients, "drain_clients", 60))
    wanted = RESTART_RATE * RESTART_SECONDS
    checks.equal("connections refused", seen["refused"], 0)
    checks.equal("connections reset", seen["reset"], 0)
    checks.add("clients served, of those that came", f"{seen['served']:,}", f"at least 90 % of {wanted:,}",
               seen["served"] >= 0.9 * wanted)
    print_rows([("clients", "asked to come again", "slowest answer", "from start to the other's end"),
                (f"{sum(seen[k] for k in ('served', 'turned_away', 'refused', 'reset')):,}", f"{seen['turned_away']:,}",
                 f"{seen['slowest_ms']:.0f} ms", ", ".join(f"{t:.2f} s" for t in handovers))])


def run(arguments):
    bench = Bench(arguments)
    kept = True
    for name in CASES:
        if arguments.case and name not in arguments.case:
            continue
        checks = Checks()
        {"drain": run_drain, "restart": run_restart}[name](bench, checks)
        checks.print()
        print()
        kept = kept and checks.kept
    return 0 if kept else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_build_option(parser)
    parser.add_argument("--seconds", type=positive(float), default=LOAD_SECONDS,
                        help=f"of load before the drain ({LOAD_SECONDS})")
    parser.add_argument("--case", action="append", choices=CASES, help="only this case; may be given several times")
    return run_and_time(run, parser)


if __name__ == "__main__":
    sys.exit(main())
