#!/usr/bin/env python3
"""The chat server under fifteen kinds of attack at once, within 256 MiB: does it live, are its honest clients served,
and is every refusal counted by its reason?

Called by `./dev bench --attack`. The server runs on one core, attackers and honest clients on another. README.md in the
folder above explains the numbers.
"""

import argparse
import json
import os
import sys
import urllib.request
from pathlib import Path

from common import (Checks, Failure, add_build_option, before_others, generate, positive, print_rows, run_and_time,
                    server, server_and_client_core)
from memory_limit import memory_limit

MIB = 1024 * 1024
MEMORY = 256 * MIB
PER_ADDRESS = 100
P99_LIMIT_MS = 500
RECOVERY_LIMIT_S = 30
# Shorter runs may see none yet.
NEEDS_S = {"slow_handshake": 15, "message_timeout": 35, "queue_full": 15, "address_rate": 10}

PROTOCOL_ERRORS = ["reserved_opcode", "reserved_bits", "fragmented_control", "oversized_control", "length_not_minimal",
                   "length_out_of_range", "mask_missing", "mask_unexpected", "unexpected_continuation",
                   "message_interleaved", "bad_close_payload", "bad_close_code"]

# What an attacker is answered, and the counters that have to name it. What the server may have answered and did not
# reach the attacker, who was reset or had left, is the room between the two.
ANSWERS = {
    "400": ["bad_request"],
    "405": ["bad_request"],
    "505": ["bad_request"],
    "431": ["head_too_large"],
    "404": ["not_found"],
    "403": ["origin"],
    "429": ["address_count", "address_rate"],
    "503": ["server_full"],
    "1002": PROTOCOL_ERRORS,
    "1007": ["bad_utf8", "bad_compression"],
    "1008": ["too_many_fragments", "fragment_rate_exceeded", "too_many_control_frames", "message_timeout"],
    "1009": ["message_too_big"],
    "1013": ["queue_full", "out_of_budget", "write_timeout"],
}
SILENT = ["end", "reset"]  # the server's end, of which nothing was read
OWN = ["left", "unconnected"]

# For the table: the counters that a kind of attack has to move.
COUNTERS_OF = {
    "slow handshakes": ["slow_handshake"],
    "connection flood": ["address_count", "address_rate"],
    "oversized heads": ["head_too_large"],
    "ping floods": ["too_many_control_frames"],
    "fragment floods": ["too_many_fragments"],
    "message floods": ["out_of_budget"],
    "talkers of a busy room": [],
    "never read, in that room": ["queue_full", "out_of_budget", "write_timeout"],
    "unfinished messages": ["message_timeout", "out_of_budget"],
    "announced, a TiB": ["message_too_big"],
    "decompression bombs": ["message_too_big"],
    "bombs below the limit": ["out_of_budget"],
    "half-closed and reset": ["connection_lost"],
    "wrong doors and junk": ["bad_request", "not_found", "origin"],
    "broken frames": ["mask_missing", "reserved_opcode", "reserved_bits", "unexpected_continuation", "bad_utf8"],
}


class Processor:
    """How long a process ran, and how long it could have and did not, since something else did."""

    def __init__(self, pid):
        self.pid = pid
        self.before = self.read()

    def read(self):
        return [int(number) / 1e9 for number in Path(f"/proc/{self.pid}/schedstat").read_text().split()[:2]]

    def text(self):
        ran, waited = (after - before for after, before in zip(self.read(), self.before))
        return f"the server ran for {ran:.1f} s and waited for its core for {waited:.1f} s"


def counters_of(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/counters", timeout=10) as answer:
        return json.load(answer)


def counted(counters, name):
    """The counter of that name, of refusals or else of closes."""
    return counters["refused"][name] if name in counters["refused"] else counters["closed"][name]


def seen(attacks, *outcomes):
    return sum(attack["outcomes"].get(outcome, 0) for attack in attacks for outcome in outcomes)


def print_attacks(attacks, counters):
    rows = [("attack", "addresses", "most at once", "attempts", "upgraded", "what became of them", "counted as")]
    for attack in attacks:
        outcomes = sorted(attack["outcomes"].items(), key=lambda item: -item[1])
        names = COUNTERS_OF[attack["name"]]
        rows.append((attack["name"], str(attack["addresses"]), f"{attack['most']:,}", f"{attack['attempts']:,}",
                     f"{attack['upgraded']:,}", ", ".join(f"{name} {count:,}" for name, count in outcomes),
                     ", ".join(f"{name} {counted(counters, name):,}" for name in names)))
    print_rows(rows)
    print()


def check_answers(checks, attacks, counters):
    """Each answer that was read is counted under its reason, and no more than could have been sent."""
    groups = {}
    for answer, names in ANSWERS.items():
        groups.setdefault(tuple(names), []).append(answer)
    for names, answers in groups.items():
        read = seen(attacks, *answers)
        # Who could have got such an answer, and read none.
        concerned = [a for a in attacks if set(COUNTERS_OF[a["name"]]) & set(names) or seen([a], *answers)]
        unread = seen(concerned, *SILENT, *OWN)
        total = sum(counted(counters, name) for name in names)
        checks.add(f"{' and '.join(answers)}: counted as {shortened(names)}", f"{total:,}",
                   f"{read:,} read" + (f", {unread:,} unread" if unread else ""), read <= total <= read + unread)


    known = {*ANSWERS, *SILENT, *OWN}
    others = {outcome for attack in attacks for outcome in attack["outcomes"]} - known
    checks.equal("answers of other kinds", ", ".join(sorted(others)) or "none", "none")


def shortened(names):
    return ", ".join(names) if len(names) <= 3 else f"{names[0]} and {len(names) - 1} more"


def check_kinds(checks, attacks, counters, seconds):
    for attack in attacks:
        for name in COUNTERS_OF[attack["name"]]:
            if name in ("out_of_budget", "write_timeout"):  # other limits may come first
                continue
            if seconds < NEEDS_S.get(name, 0):
                continue
            checks.add(f"{attack['name']}: counted as {name}", f"{counted(counters, name):,}", "some",
                       counted(counters, name) > 0)


def check_sums(checks, result, counters):
    attacks = result["attacks"]
    refused, closed = sum(counters["refused"].values()), sum(counters["closed"].values())
    alive = sum(counters["sessions"].values())
    checks.equal("sessions opened, less closed, less there", counters["opened"] - closed - alive, 0)
    upgraded = sum(attack["upgraded"] for attack in attacks)
    checks.add("sessions opened", f"{counters['opened']:,}", f"at least {upgraded + result['honest']:,}",
               counters["opened"] >= upgraded + result["honest"])
    # Who leaves in the middle of a handshake is not refused, so a bound and no equation.
    attempts = sum(attack["attempts"] for attack in attacks)
    checks.at_most("refused and opened, of all attempts", refused + counters["opened"] - result["honest"], attempts)
    slow = seen([a for a in attacks if a["name"] == "slow handshakes"], *SILENT)
    checks.add("slow_handshake", f"{counters['refused']['slow_handshake']:,}", f"about {slow:,} ended so",
               abs(counters["refused"]["slow_handshake"] - slow) <= 0.1 * slow + 100)


def run(arguments):
    chat = arguments.build.parent / "examples" / "chat"
    attackers = arguments.build / "attackers"
    for program in (chat, attackers):
        if not os.access(program, os.X_OK):
            raise Failure(f"{program.name} is missing at {program}: ./dev bench builds it")
    server_core, client_core = server_and_client_core()
    checks = Checks()
    with memory_limit(MEMORY) as limit:
        command = [chat, "--port", 0, "--per-address", PER_ADDRESS, "--deflate"]

        def prepare():
            limit.enter()
            before_others()

        with server(command, server_core, prepare) as (port, pid):
            print(f"{chat.name} on port {port}, {MEMORY // MIB} MiB by {limit.name}; attacked for "
                  f"{arguments.seconds:g} s", flush=True)
            processor = Processor(pid)
            try:
                result = generate([attackers, "--port", port, "--seconds", arguments.seconds, "--recovery",
                                   RECOVERY_LIMIT_S], client_core, arguments.seconds + 120, before_others)
                share = processor.text()
                counters = counters_of(port)
            except (Failure, OSError) as failure:
                raise Failure(f"{failure}; killed by the memory limit: {limit.kills()}") from failure
            alive = os.path.exists(f"/proc/{pid}/exe")
            peak, kills, sockets = limit.peak(pid), limit.kills(), limit.sockets()
    print()
    print_attacks(result["attacks"], counters)
    pauses = counters["rate_pauses"]["messages"]
    print(f"those who sent messages too fast were made to wait {pauses:,} times\n"
          f"honest clients: {result['honest']}, p50 {result['p50_ms']:.1f} ms, p99 {result['p99_ms']:.1f} ms, max "
          f"{result['max_ms']:.1f} ms; p99 before {result['calm_p99_ms']:.1f} ms\n{share}"
          + (f"\nbuffers of its sockets in the kernel: at most {sockets / MIB:,.0f} MiB" if sockets else "") + "\n")
    checks.equal("the server is alive", alive, True)
    checks.equal("processes killed by the memory limit", kills, 0)
    checks.at_most(f"peak memory, {limit.name}", peak / MIB, MEMORY / MIB, 1, " MiB")
    checks.add("p99 of the honest clients", f"{result['p99_ms']:.1f} ms", f"below {P99_LIMIT_MS} ms",
               result["p99_ms"] < P99_LIMIT_MS)
    checks.equal("honest clients lost", result["lost"], 0)
    checks.equal("their messages missing", result["expected"] - result["delivered"], 0)
    checks.at_most("until only they are there", result["recovered_s"], RECOVERY_LIMIT_S, 1, " s")
    check_kinds(checks, result["attacks"], counters, arguments.seconds)
    check_answers(checks, result["attacks"], counters)
    check_sums(checks, result, counters)
    checks.print()
    print()
    return 0 if checks.kept else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_build_option(parser)
    parser.add_argument("--seconds", type=positive(float), default=60.0, help="for which it is attacked (60)")
    return run_and_time(run, parser)


if __name__ == "__main__":
    sys.exit(main())
