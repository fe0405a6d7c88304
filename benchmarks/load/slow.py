#!/usr/bin/env python3
"""What clients that do not read cost a server and its other clients, and what idle ones do: four cases with limits.

Called by `./dev bench --slow`. The server runs on one core, the clients on another. README.md in the folder above
explains the numbers.
"""

import argparse
import statistics
import sys

from common import (Checks, add_build_option, connections_possible, generate, positive, print_rows, programs_in,
                    run_and_time, server, server_and_client_core)

CASES = ["stopped-reader", "stalled-thousand", "conflation", "idle-heartbeat"]
POLICIES = ["queue", "drop_newest", "drop_oldest", "conflate", "expire", "disconnect", "pause_source"]

KIB, MIB = 1024, 1024 * 1024
QUANTUM = 64 * KIB  # framed ahead of the queue
ALLOCATOR = 512 * KIB  # what it rounds up and keeps, and what the kernel counts late
P99_RATIO_LIMIT = 2.0
MAX_PAUSE_MS = 3_000  # in slow_server
TTL_MS = 1_000  # there too
BUDGET = 64 * MIB
BUDGET_LIMIT = 1.10
UPDATE_KEYS = 100
IDLE_CONNECTIONS = 18_000
IDLE_SECONDS = 66  # two intervals of the heartbeat, and the end of idle_after
IDLE_BUSY_LIMIT = 0.05
IDLE_BYTES_LIMIT = 1024
PINGS_RATIO_LIMIT = 3.0


class Bench:
    def __init__(self, arguments):
        self.arguments = arguments
        self.programs = programs_in(arguments.build, "slow_server", "slow_clients", "bench_server", "load_generator")
        self.server_core, self.client_core = server_and_client_core()

    def slow_clients(self, case, **options):
        policy = ["--policy", options["policy"]] if "policy" in options else []
        with server([self.programs["slow_server"], "--case", case, *policy], self.server_core) as (port, pid):
            command = [self.programs["slow_clients"], "--port", port, "--pid", pid, "--case", case]
            for name, value in options.items():
                command += [f"--{name}", value]
            return generate(command, self.client_core, patience=240)

    def idle(self, connections):
        with server([self.programs["bench_server"], "--threads", 1], self.server_core) as (port, pid):
            command = [self.programs["load_generator"], "--port", port, "--pid", pid, "--mode", "idle",
                       "--connections", connections, "--outstanding", 0, "--seconds", IDLE_SECONDS]
            return generate(command, self.client_core, patience=240)


def drops_of(result):
    return {reason: count for reason, count in result["server"]["drops"].items() if count}


def check_policy(checks, policy, result):
    """What the policy's line in the table of slow_policy says."""
    said = result["server"]
    reasons = ", ".join(drops_of(result))
    last = result["volume_messages"] - 1
    high, hard = said["queue_high"], said["queue_hard"]
    closes = policy in ("queue", "disconnect", "pause_source")
    checks.equal("the close code that the slow one is sent", result["close_code"], 1013 if closes else 0)
    checks.at_most("most bytes in its queue", said["queue_size_max"],
                   hard if policy in ("queue", "pause_source") else high)
    if closes:
        checks.equal("reasons of drops", reasons, "closed")
    elif policy == "expire":  # what finds no room is dropped as the newest
        checks.equal("reasons of drops", reasons, "newest, expired")
        checks.at_most("age of the last that it read", result["last_age_ms"], TTL_MS * 1.1, 0, " ms")
    else:
        reason = {"drop_newest": "newest", "drop_oldest": "oldest", "conflate": "conflated"}[policy]
        checks.equal("reasons of drops", reasons, reason)
    if policy == "drop_newest":
        checks.equal("it read the last of the volume", result["last_read"] == last, False)
    if policy == "drop_oldest":
        checks.equal("it read the last of the volume", result["last_read"] == last, True)
    if policy == "conflate":
        checks.equal("keys whose last value it read", result["keys_with_last"], 8)
    if policy == "pause_source":
        checks.add("the source was held", f"{said['held_ms']:,} ms", f"{MAX_PAUSE_MS:,} to {MAX_PAUSE_MS + 1000:,} ms",
                   MAX_PAUSE_MS <= said["held_ms"] <= MAX_PAUSE_MS + 1000)
        checks.equal("the source was closed", said["source_closed"], False)


def p99_ratio(result):
    return result["p99_ms"] / result["p99_before_ms"]


def run_policy(bench, policy):
    """One run, or three when the first is too late for the others: their median counts, for machines that are busy."""
    runs = []
    while len(runs) < 3 and all(p99_ratio(run) >= P99_RATIO_LIMIT for run in runs[:1]):
        runs.append(bench.slow_clients("stopped-reader", policy=policy, seconds=bench.arguments.seconds))
        print(f"  {policy}: grew by {runs[-1]['growth'] / KIB:,.0f} KiB, p99 of the others "
              f"{runs[-1]['p99_before_ms']:.1f} ms before, {runs[-1]['p99_ms']:.1f} ms beside it", flush=True)
    return runs


def run_stopped_reader(bench, checks):
    print("stopped-reader: 1,000 subscribers, one stops and 1 GiB is published to it", flush=True)
    rows = [("policy", "growth KiB", "queue max", "drops", "to it: sent", "queued", "conflated", "dropped", "closed",
             "it read", "close", "source held", "p99 before ms", "beside it", "ratio")]
    for policy in POLICIES:
        runs = run_policy(bench, policy)
        worst = max(runs, key=lambda run: run["growth"])
        said = worst["server"]
        ratio = statistics.median(p99_ratio(run) for run in runs)
        rows.append((policy, f"{worst['growth'] / KIB:,.0f}", f"{said['queue_size_max']:,}",
                     ", ".join(f"{reason} {count:,}" for reason, count in drops_of(worst).items()),
                     *(f"{said['results'][name]:,}" for name in ("sent", "queued", "conflated", "dropped", "closed")),
                     f"{worst['read_at_the_end']:,}",
                     f"{worst['close_code']} {worst['close_reason']}" if worst["close_code"] else "none",
                     f"{said['held_ms'] / 1000:.1f} s, after {said['taken_before_held']}"
                     if policy == "pause_source" else "",
                     *(f"{statistics.median(run[name] for run in runs):.1f}" for name in ("p99_before_ms", "p99_ms")),
                     f"{ratio:.2f}"))
        checks.about = f"{policy}: "
        checks.at_most("growth of the server", worst["growth"] / KIB,
                       (said["queue_hard"] + QUANTUM + ALLOCATOR) / KIB, 0, " KiB")
        checks.at_most("p99 of the others, of what it was", ratio, P99_RATIO_LIMIT, 2)
        check_policy(checks, policy, worst)
    print()
    print_rows(rows)
    print()


def run_stalled_thousand(bench, checks):
    print("stalled-thousand: 1,000 sessions that read nothing, a budget of 64 MiB, and one that reads", flush=True)
    result = bench.slow_clients("stalled-thousand")
    said = result["server"]
    closed = said["closed_sizes"]
    print(f"  published {said['published'] / MIB:,.0f} MiB; the budget was charged with {said['queues_max']:,} bytes at "
          f"most; {len(closed)} sessions closed")
    if closed:
        print(f"  queues of those that were closed: {min(closed):,} to {max(closed):,} bytes; largest queue that stayed: "
              f"{said['largest_survivor']:,}\n")
    checks.at_most("growth of the server, of the budget", result["growth"] / BUDGET, BUDGET_LIMIT, 3)
    checks.add("sessions that were closed", str(len(closed)), "some, not all", 0 < len(closed) < 1000)
    # A round of messages that some have and others not yet, and what is framed already.
    checks.at_most("a queue that stayed was larger than one that paid by", said["largest_injustice"], 24 * KIB, 0,
                   " bytes")
    checks.equal("messages of the one that reads that are missing",
                 said["healthy_messages"] - result["healthy_read"] + result["healthy_out_of_order"], 0)


def run_conflation(bench, checks):
    print("conflation: 10,000 updates a second over 100 keys, and a client that reads 10 a second", flush=True)
    result = bench.slow_clients("conflation", seconds=20)
    said = result["server"]
    bound = result["bytes_in_kernel"] / result["bytes_a_second"] * 1000
    print(f"  {result['slow_reads']} slow reads of {said['updates']:,} updates; {said['drops']['conflated']:,} conflated; "
          f"caught up, p99 of the age is {result['caught_up_p99_ms']:.1f} ms\n"
          f"  at most {result['bytes_in_kernel']:,} bytes in both socket buffers, read at {result['bytes_a_second']:,} "
          f"bytes a second: {bound:,.0f} ms; the oldest value was {result['age_max_ms']:,.0f} ms old\n")
    expected = [(said["updates"] - 1 - key) // UPDATE_KEYS for key in range(UPDATE_KEYS)]
    checks.equal("values that were older than the one before of their key", result["went_back"], 0)
    # A read each 100 ms, an update of each key each 10 ms, and what the two processes are late.
    checks.at_most("age of a value above what the bytes in front account for", result["excess_ms"], 200, 0, " ms")
    checks.at_most("most messages that waited in the server", said["waiting_max"], UPDATE_KEYS)
    checks.equal("keys without their last value once it has caught up",
                 sum(last != wanted for last, wanted in zip(result["last_values"], expected)), 0)


def run_idle_heartbeat(bench, checks):
    print(f"idle-heartbeat: {IDLE_CONNECTIONS:,} sessions that only answer pings, for {IDLE_SECONDS} s", flush=True)
    connections = connections_possible(IDLE_CONNECTIONS)
    result = bench.idle(connections)
    print(f"  {result['pings']:,} pings; {result['pings_in_mean']:.1f} in 100 ms, {result['pings_in_fullest']} in the "
          f"fullest\n")
    checks.at_most("processor time of the server, of a core", result["server_busy"] * 100, IDLE_BUSY_LIMIT * 100, 2, " %")
    checks.at_most("bytes of private memory for a session", result["bytes_per_connection"], IDLE_BYTES_LIMIT)
    checks.at_most("pings in the fullest 100 ms, of the mean",
                   result["pings_in_fullest"] / max(result["pings_in_mean"], 0.01), PINGS_RATIO_LIMIT, 2)
    rounds = result["pings"] / connections
    checks.add("pings of a session", f"{rounds:.2f}", f"one each 30 s: {IDLE_SECONDS / 30:.1f}",
               abs(rounds - IDLE_SECONDS / 30) < 0.25)


RUNS = dict(zip(CASES, [run_stopped_reader, run_stalled_thousand, run_conflation, run_idle_heartbeat]))


def run(arguments):
    bench = Bench(arguments)
    kept = True
    for name in CASES:
        if arguments.case and name not in arguments.case:
            continue
        checks = Checks()
        RUNS[name](bench, checks)
        checks.print()
        print(f"{name}: {'ok' if checks.kept else 'FAILED'}\n", flush=True)
        kept &= checks.kept
    return 0 if kept else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_build_option(parser)
    parser.add_argument("--seconds", type=positive(float), default=4.0,
                        help="for which stopped-reader measures before the stop (4)")
    parser.add_argument("--case", action="append", choices=CASES, help="only this case; may be given several times")
    return run_and_time(run, parser)


if __name__ == "__main__":
    sys.exit(main())
