#!/usr/bin/env python3
"""What compression costs a server, option by option: memory of a session, processor time and bytes of a message.

Called by `./dev bench --deflate`. The server runs on one core, the load on another. README.md in the folder above
explains the numbers.
"""

import argparse
import statistics
import sys

from common import (add_build_option, column, generate, positive, print_rows, programs_in, run_and_time, server,
                    server_and_client_core, spread)


class Option:
    """One way to set deflate_options: the defaults, and what is named here."""

    def __init__(self, title, **settings):
        self.title = title
        self.settings = settings

    def command_line(self):
        return [word for name, value in self.settings.items() for word in (f"--{name.replace('_', '-')}", int(value))]

    def documented_bytes(self):
        """What the comment of deflate_options says that zlib takes for one session."""
        window, memory_level, peer_window = (self.settings.get(name, default) for name, default in
                                             (("send_window", 15), ("memory_level", 8), ("receive_window", 15)))
        compressor = 2 ** (window + 2) + 2 ** (memory_level + 9) + 5952
        decompressor = 2 ** peer_window + 7160
        return (compressor if self.settings.get("send_takeover") else 0) + \
            (decompressor if self.settings.get("receive_takeover") else 0)


OFF = Option("off")
OPTIONS = [
    OFF,
    Option("no takeover, level 1", deflate=True, level=1),
    Option("no takeover, level 6: the default", deflate=True),
    Option("no takeover, level 1, libdeflate", deflate=True, level=1, use_libdeflate=True),
    Option("no takeover, level 6, libdeflate", deflate=True, use_libdeflate=True),
    Option("takeover, window 15", deflate=True, send_takeover=True),
    Option("takeover, window 12", deflate=True, send_takeover=True, send_window=12),
    Option("takeover, window 10", deflate=True, send_takeover=True, send_window=10),
    Option("takeover, window 9", deflate=True, send_takeover=True, send_window=9),
    Option("takeover, window 15, memory level 5", deflate=True, send_takeover=True, memory_level=5),
    Option("takeover, window 12, memory level 5", deflate=True, send_takeover=True, send_window=12, memory_level=5),
    Option("takeover, window 10, memory level 4", deflate=True, send_takeover=True, send_window=10, memory_level=4),
    Option("takeover both ways, window 15", deflate=True, send_takeover=True, receive_takeover=True),
    Option("takeover both ways, window 10, memory level 4", deflate=True, send_takeover=True, receive_takeover=True,
           send_window=10, receive_window=10, memory_level=4),
]
MODES = {"echo": OPTIONS, "broadcast": OPTIONS[:6]}


class Bench:
    def __init__(self, arguments):
        self.programs = programs_in(arguments.build, "bench_server", "deflate_load")
        self.arguments = arguments
        self.server_core, self.client_core = server_and_client_core()

    def measure(self, option, mode, connections):
        command = [self.programs["bench_server"], "--threads", 1, *option.command_line()]
        with server(command, self.server_core) as (port, pid):
            return generate([self.programs["deflate_load"], "--port", port, "--pid", pid, "--mode", mode,
                             "--connections", connections, "--size", self.arguments.size,
                             "--seconds", self.arguments.seconds],
                            self.client_core, patience=self.arguments.seconds * 2 + 120)

    def measure_memory(self):
        print(f"memory: {self.arguments.sessions} sessions", flush=True)
        return {option: self.measure(option, "memory", self.arguments.sessions) for option in OPTIONS}

    def measure_time(self, mode, connections):
        print(f"{mode}: {connections} connections, {self.arguments.rounds} rounds of {self.arguments.seconds:g} s",
              flush=True)
        runs = {option: [] for option in MODES[mode]}
        for number in range(1, self.arguments.rounds + 1):
            # Taken in turns, so that a machine that slows down slows all.
            for option, results in runs.items():
                results.append(self.measure(option, mode, connections))
            print(f"  {number}/{self.arguments.rounds}: " +
                  ", ".join(f"{results[-1]['server_us_per_message']:.2f}" for results in runs.values()) + " us",
                  flush=True)
        return runs


def time_columns(runs, option):
    cost, floor = (column(runs[each], "server_us_per_message") for each in (option, OFF))
    return (spread(cost, 2), "" if option is OFF else spread([ours / off for ours, off in zip(cost, floor)], 2),
            f"{statistics.median(column(runs[option], 'bytes_per_message')):,.0f}")


def print_echo(memory, runs):
    rows = [("echo", "bytes a session: after one message", "after many", "above off", "zlib's, documented",
             "us a message", "ratio to off", "bytes sent")]
    for option, results in memory.items():
        many = results["bytes_after_many"]
        rows.append((option.title, f"{results['bytes_after_one']:,}", f"{many:,}",
                     f"{many - memory[OFF]['bytes_after_many']:,}", f"{option.documented_bytes():,}",
                     *time_columns(runs, option)))
    print_rows(rows)


def print_broadcast(runs):
    print_rows([("broadcast", "us a delivery", "ratio to off", "bytes sent"),
                *((option.title, *time_columns(runs, option)) for option in runs)])


def run(arguments):
    bench = Bench(arguments)
    memory = bench.measure_memory()
    echo = bench.measure_time("echo", arguments.connections)
    broadcast = bench.measure_time("broadcast", arguments.sessions)
    print(f"\nJSON messages of {arguments.size:,} bytes\n")
    print_echo(memory, echo)
    print()
    print_broadcast(broadcast)
    print()
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_build_option(parser)
    parser.add_argument("--size", type=positive(int), default=1024, help="of each message, in bytes (1024)")
    parser.add_argument("--seconds", type=positive(float), default=1.0, help="measured time of each run (1)")
    parser.add_argument("--rounds", type=positive(int), default=5, help="runs of each option (5)")
    parser.add_argument("--connections", type=positive(int), default=50, help="that echo (50)")
    parser.add_argument("--sessions", type=positive(int), default=300,
                        help="whose memory is measured, and that get a broadcast (300)")
    return run_and_time(run, parser)


if __name__ == "__main__":
    sys.exit(main())
