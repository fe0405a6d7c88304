"""fairlead-cli against the echo server: lines, files, pipes, both schemes, and what it says of each failure.

    /usr/bin/python3 fairlead_cli.py --cli PROGRAM --server PATH_TO_echo_server --certificates PROGRAM
"""

import argparse
import json
import os
import pty
import re
import signal
import socket
import subprocess
import tempfile
import threading
from pathlib import Path

from support import EchoServer, Mismatch, bytes_of, expect_equal, fail, text_of


class Cli:
    """Runs the program; each function gives its status, what it printed, and what it said of errors."""

    def __init__(self, program):
        self.program = program

    def run(self, *arguments, given=b""):
        done = subprocess.run([self.program, *map(str, arguments)], input=given, capture_output=True, timeout=60)
        return done.returncode, done.stdout, done.stderr.decode()

    def expect_output(self, output, *arguments, given=b""):
        status, printed, errors = self.run(*arguments, given=given)
        expect_equal((status, errors), (0, ""), f"what {arguments} ended with")
        if printed != output:
            raise Mismatch(f"{arguments} printed {printed[:100]!r}, expected {output[:100]!r}")

    def expect_failure(self, stage, words, *arguments, given=b"hello\n"):
        status, printed, errors = self.run(*arguments, given=given)
        expect_equal((status, printed), (1, b""), f"what {arguments} ended with and printed")
        if not errors.startswith(f"fairlead-cli: {stage}: ") or words not in errors or errors.count("\n") != 1:
            raise Mismatch(f"{arguments} says {errors!r}, expected {stage} and {words!r} in one line")


def sends_lines(cli, url):
    cli.expect_output("hello\n\u20ac\n\nend\n".encode(), url, given="hello\n\u20ac\n\nend".encode())
    cli.expect_output(b"1\n2\n", "--count", 2, "--wait", 30, url, given=b"1\n2\n")
    cli.expect_output(b"1\n", "--count", 1, url, given=b"1\n2\n3\n")
    many = b"".join(b"line %d\n" % i for i in range(5000))
    cli.expect_output(many, "--count", 5000, url, given=many)
    cli.expect_output(b"", "--wait", 0.1, url)


def sends_files(cli, url, folder):
    data, text = folder / "data", folder / "text"
    data.write_bytes(bytes_of(1_000_000))
    text.write_text(text_of(1000))
    cli.expect_output(data.read_bytes(), "--file", data, "--count", 1, url)
    cli.expect_output(text.read_bytes() + b"\n", "--file", text, "--text", "--count", 1, url)
    cli.expect_output(text.read_bytes() + data.read_bytes(), "--file", text, "--file", data, "--count", 2, url)
    cli.expect_output(data.read_bytes(), "--deflate", "--file", data, "--count", 1, url)
    status, _, errors = cli.run("--file", folder / "nothing", "--wait", 0.1, url)
    expect_equal((status, errors), (1, f"fairlead-cli: cannot read {folder / 'nothing'}\n"), "what a missing file leads to")


def takes_the_input_of_a_pipe_that_stays_open(cli, url):
    with subprocess.Popen([cli.program, "--count", "1", url], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdin.write(b"hello\n")
        process.stdin.flush()
        expect_equal(process.stdout.read(), b"hello\n", "the output")
        expect_equal(process.wait(10), 0, "the status")


def measures_round_trips(cli, url):
    status, printed, errors = cli.run("--ping", "--count", 2, url)
    expect_equal((status, errors), (0, ""), "what --ping ended with")
    if not re.fullmatch(rb"pong 1: \d+\.\d{3} ms\npong 2: \d+\.\d{3} ms\n", printed):
        raise Mismatch(f"--ping printed {printed!r}")


def closes_at_a_signal(cli, url):
    for number in (signal.SIGINT, signal.SIGTERM):
        with subprocess.Popen([cli.program, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            process.stdin.write(b"hello\n")
            process.stdin.flush()
            expect_equal(process.stdout.readline(), b"hello\n", "the output")
            process.send_signal(number)
            expect_equal(process.wait(10), 0, f"the status after {number.name}")


def on_a_terminal(cli, url, environment):
    """What it writes to a terminal."""
    inherited = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    master, slave = pty.openpty()
    try:
        process = subprocess.Popen([cli.program, "--count", "1", url], stdin=subprocess.PIPE, stdout=slave,
                                   env={**inherited, **environment})
        process.communicate(b"a\x1b[2Jb\n", timeout=20)
        return os.read(master, 1000)
    finally:
        os.close(slave)
        os.close(master)


def has_colours_on_a_terminal_only(cli, url):
    expect_equal(on_a_terminal(cli, url, {}), b"\x1b[32m<\x1b[0m a?[2Jb\r\n", "what a terminal gets")
    expect_equal(on_a_terminal(cli, url, {"NO_COLOR": "1"}), b"< a?[2Jb\r\n", "what a terminal gets with NO_COLOR")


def names_what_failed(cli, url, folder):
    large = folder / "large"
    large.write_bytes(bytes_of(1_000_001))
    free = socket.create_server(("127.0.0.1", 0))
    closed_port = free.getsockname()[1]
    free.close()
    cli.expect_failure("arguments", "not one of a WebSocket", url.replace("ws:", "http:"))
    cli.expect_failure("arguments", "no option '--nothing'", "--nothing", url)
    cli.expect_failure("arguments", "the URL is missing")
    cli.expect_failure("arguments", "wants a number", "--count", "many", url)
    cli.expect_failure("resolve", "name of the host", "ws://fairlead.invalid/")
    cli.expect_failure("connect", "refused", f"ws://127.0.0.1:{closed_port}/")
    cli.expect_failure("connect", "proxy", "--proxy", f"127.0.0.1:{closed_port}", url)
    cli.expect_failure("handshake", "404", url.replace("/echo", "/nothing"))
    cli.expect_failure("TLS", "a port for wss", url.replace("ws:", "wss:"))
    cli.expect_failure("session", "1009", "--file", large, url)


def sends_the_request_as_told(cli):
    """What a server sees of the options; it answers with 403."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        heads = []

        def answer():
            connection, _ = listening.accept()
            with connection:
                heads.append(connection.recv(10_000).decode())
                connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        cli.expect_failure("handshake", "--header", "--header", "Authorization: Bearer abc", "--subprotocol", "a",
                           "--subprotocol", "b", "--deflate", f"ws://127.0.0.1:{listening.getsockname()[1]}/x?y")
        thread.join()
    for line in ("GET /x?y HTTP/1.1", "Authorization: Bearer abc", "Sec-WebSocket-Protocol: a, b",
                 "Sec-WebSocket-Extensions: permessage-deflate"):
        if line not in heads[0]:
            raise Mismatch(f"there is no {line!r} in {heads[0]!r}")


def gives_up_in_time(cli):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        cli.expect_failure("handshake", "took too long", "--timeout", 0.2, f"ws://127.0.0.1:{silent.getsockname()[1]}/")


def trusts_whom_it_is_told_to(cli, url, certificates):
    trusted = ("--ca", certificates["authority"])
    cli.expect_output(b"hello\n", *trusted, "--count", 1, url, given=b"hello\n")
    cli.expect_output(b"hello\n", "--insecure", "--count", 1, url, given=b"hello\n")
    cli.expect_output(b"hello\n", *trusted, "--pin", certificates["pin"], "--count", 1, url, given=b"hello\n")
    cli.expect_failure("TLS", "--ca", url)
    cli.expect_failure("TLS", "key has changed", "--insecure", "--pin", "A" * 43 + "=", url)
    cli.expect_failure("arguments", "/nothing/there: No such file", "--ca", "/nothing/there", url)


def check(what, run, *arguments):
    try:
        run(*arguments)
    except (Mismatch, OSError, subprocess.TimeoutExpired) as error:
        fail(f"{what}: {error}")
    print(f"ok  {what}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    for name in ("cli", "server", "certificates"):
        parser.add_argument(f"--{name}", required=True, type=Path)
    arguments = parser.parse_args()
    cli = Cli(arguments.cli)
    with tempfile.TemporaryDirectory() as folder:
        made = subprocess.run([arguments.certificates, folder], check=True, capture_output=True, text=True)
        certificates = json.loads(made.stdout)
        with EchoServer(arguments.server, ("--max-message", "1000000", "--deflate")) as server:
            url = f"ws://127.0.0.1:{server.port}/echo"
            check("sends lines, and prints what comes back", sends_lines, cli, url)
            check("sends files", sends_files, cli, url, Path(folder))
            check("takes the input of a pipe that stays open", takes_the_input_of_a_pipe_that_stays_open, cli, url)
            check("measures round trips", measures_round_trips, cli, url)
            check("closes at SIGINT and SIGTERM", closes_at_a_signal, cli, url)
            check("has colours on a terminal only", has_colours_on_a_terminal_only, cli, url)
            check("names what failed", names_what_failed, cli, url, Path(folder))
        check("sends the request as told", sends_the_request_as_told, cli)
        check("gives up in time", gives_up_in_time, cli)
        with EchoServer(arguments.server, ("--certificate", certificates["certificate"],
                                           "--key", certificates["key"])) as server:
            check("trusts whom it is told to", trusts_whom_it_is_told_to, cli, f"wss://localhost:{server.port}/echo",
                  certificates)


if __name__ == "__main__":
    main()
