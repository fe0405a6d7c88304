"""What the clients written in Python share: the echo server under test, and steps that say what they check."""

import argparse
import select
import subprocess
import sys
from pathlib import Path

MAX_MESSAGE = 16 * 1024 * 1024
PROGRAM = Path(sys.argv[0]).stem


class Mismatch(Exception):
    """The server did something else than it should have."""


def fail(message):
    print(f"{PROGRAM}: FAILED: {message}", file=sys.stderr)
    sys.exit(1)


try:
    import websockets  # noqa: F401, the clients' own import; here for one clear line when it is missing
except ImportError:
    fail(f"the Python package websockets is missing for {sys.executable}: install python3-websockets, or ./dev setup")


def expect_equal(actual, expected, what):
    if actual != expected:
        raise Mismatch(f"{what} is {actual!r}, expected {expected!r}")


def expect_payload(actual, expected):
    """Compares an echo with what was sent, type and every byte."""
    if type(actual) is not type(expected):
        raise Mismatch(f"{type(actual).__name__} came back for {type(expected).__name__}")
    if actual == expected:
        return
    shorter = min(len(actual), len(expected))
    at = next((i for i in range(shorter) if actual[i] != expected[i]), shorter)
    raise Mismatch(f"{len(actual)} came back for {len(expected)}; they differ from {at}")


def text_of(size):
    """Text of exactly `size` bytes, with characters of one to four bytes."""
    unit = "fairlead \u00e9 \u20ac \U0001f6a2 "
    unit_size = len(unit.encode())
    return unit * (size // unit_size) + "x" * (size % unit_size)


def bytes_of(size):
    block = bytes((i * 31 + (i >> 8)) & 0xFF for i in range(min(size, 65536)))
    return (block * (size // 65536 + 1))[:size]


def server_path():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True, type=Path, help="the program echo_server")
    return parser.parse_args().server


class EchoServer:
    """The echo server on a free port, for the length of a `with` block."""

    def __init__(self, path, options=("--max-message", str(MAX_MESSAGE))):
        self.path = path
        self.options = options

    def __enter__(self):
        command = [str(self.path), "--port", "0", *self.options]
        try:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        except OSError as error:
            fail(f"{self.path} does not start: {error}")
        ready, _, _ = select.select([self.process.stdout], [], [], 20)
        line = self.process.stdout.readline() if ready else ""
        start, _, rest = line.replace("https:", "http:").partition("http://127.0.0.1:")
        if start != f"{self.path.name}: listening on " or not rest.endswith("/\n"):
            self.kill()
            fail(f"the server's first line is {line!r}")
        self.port = int(rest[:-2])
        return self

    def __exit__(self, *_):
        self.kill()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def stop(self, seconds=8):
        """Ends the server with SIGTERM, in time and with status 0.

        A client that never answers a close frame has 5 seconds for it, then one that has not asked yet has one more.
        """
        self.process.terminate()
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Mismatch(f"the server still runs {seconds} seconds after SIGTERM") from None
        expect_equal(status, 0, "the exit status after SIGTERM")
