"""permessage-deflate with websockets, the WebSocket client of Python, in every combination.

    /usr/bin/python3 deflate_python.py --server PATH_TO_deflate_server [--libdeflate]
"""

import argparse
import asyncio
import itertools
import random
import sys
from pathlib import Path

from support import MAX_MESSAGE, EchoServer, Mismatch, bytes_of, expect_equal, expect_payload, fail, text_of

import websockets
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

BOTH = [False, True]


def agreement(own, offer):
    """The answer that RFC 7692 section 7.1 and the rules of accept_deflate() demand; None when it is declined."""
    send_window, receive_window, send_takeover, receive_takeover = own
    server_no_takeover, client_no_takeover, offered_server_window, offered_client_window = offer
    params = []
    if server_no_takeover or not send_takeover:
        params.append("server_no_context_takeover")
    client_forgets = client_no_takeover or not receive_takeover
    if client_forgets:
        params.append("client_no_context_takeover")
    server_window = min(offered_server_window or 15, send_window)
    if server_window < 9:
        return None  # zlib has no such compressor
    if offered_server_window or server_window < 15:
        params.append(f"server_max_window_bits={server_window}")
    client_window = 15
    if offered_client_window is not None:
        client_window = min(15 if offered_client_window is True else offered_client_window, max(9, receive_window))
    if client_window > receive_window and not client_forgets:
        return None
    if client_window < 15:
        params.append(f"client_max_window_bits={client_window}")
    return "; ".join(["permessage-deflate", *params])


class Wire:
    """The payload bytes of the last message each way, as they were on the wire."""

    def __init__(self, extension):
        self.sent = self.received = 0
        self.compressed = False  # the last frame received
        encode, decode = extension.encode, extension.decode

        def count_sent(frame):
            frame = encode(frame)
            self.sent = len(frame.data)
            return frame

        def count_received(frame, **options):
            self.received = len(frame.data)
            self.compressed = frame.rsv1
            return decode(frame, **options)

        extension.encode, extension.decode = count_sent, count_received


class Client:
    """A connection to a route of the server; `wire` is None when compression was declined."""

    def __init__(self, port, path, offer=(False, False, None, True)):
        factory = ClientPerMessageDeflateFactory(*offer)
        self.close_code = 1000  # that is expected
        self.connecting = websockets.connect(f"ws://127.0.0.1:{port}{path}", compression=None, extensions=[factory],
                                             max_size=None, ping_interval=None)

    async def __aenter__(self):
        self.connection = await self.connecting
        self.agreed = self.connection.response_headers.get("Sec-WebSocket-Extensions")
        self.wire = Wire(self.connection.extensions[0]) if self.connection.extensions else None
        return self

    async def __aexit__(self, *_):
        await self.connection.close()
        expect_equal(self.connection.close_code, self.close_code, "the close code")

    async def exchange(self, payload, pieces=None):
        await self.connection.send(payload if pieces is None else pieces)
        expect_payload(await self.connection.recv(), payload)


def route(own):
    return "/" + "/".join(str(int(part)) for part in own)


def json_of(i, size):
    rows = (f'{{"type":"quote","seq":{n},"bid":{n * 7919 % 1000},"venue":"LD4"}}\n' for n in itertools.count(i * 100))
    text = ""
    while len(text) < size:
        text += next(rows)
    return text[:size]


SOURCE = random.Random(7692)


def windows():
    """All pairs of offered and own windows, each way, side by side."""
    server = list(itertools.product([None, *range(8, 16)], range(9, 16)))
    client = list(itertools.product([None, True, *range(9, 16)], range(8, 16)))
    for i in range(max(len(server), len(client))):
        yield *server[i % len(server)], *client[i % len(client)]


async def combinations(port):
    for server_no, client_no, send_takeover, receive_takeover in itertools.product(BOTH, repeat=4):
        for offered_server, send_window, offered_client, receive_window in windows():
            own = (send_window, receive_window, send_takeover, receive_takeover)
            offer = (server_no, client_no, offered_server, offered_client)
            expected = agreement(own, offer)
            what = f"{route(own)} with {offer}"
            async with Client(port, route(own), offer) as client:
                expect_equal(client.agreed, expected, f"the answer of {what}")
                for payload in ("", "x", b"", b"\x00", json_of(1, 1024)):
                    await client.exchange(payload)
                if expected is None:
                    continue
                expect_equal(client.wire.compressed, True, f"compression of {what}")
                if client.wire.received > 512:
                    raise Mismatch(f"{what}: 1024 bytes of JSON came back in {client.wire.received}")
                repeated = SOURCE.randbytes(100)
                for _ in range(2):
                    await client.exchange(repeated)
                for size, forgets in ((client.wire.received, "server_no" in expected),
                                      (client.wire.sent, "client_no" in expected)):
                    expect_equal(size < 50, not forgets, f"{what}: {size} bytes for a repeated message; few")


async def refusals(port):
    for own in itertools.product([9, 15], [8, 9, 15], BOTH, BOTH):
        async with Client(port, route(own), (False, False, 8, True)) as client:
            expect_equal(client.agreed, None, "the answer to an offer of 256 bytes for the server")
            await client.exchange(json_of(1, 1024))
    # What the client names itself it gets; Python's zlib then has no such compressor.
    try:
        async with Client(port, "/15/15/1/1", (False, False, None, 8)):
            raise Mismatch("websockets compresses with a window of 256 bytes")
    except ValueError as error:
        expect_equal(str(error), "Invalid initialization option", "what zlib says")


async def sizes(port):
    for path in ("/15/15/1/1", "/15/15/0/0", "/9/9/1/1", "/default"):
        async with Client(port, path) as client:
            for size in (0, 1, 125, 126, 127, 255, 256, 257, 1024, 65535, 65536, 1024 * 1024):
                for payload in (text_of(size), json_of(size, size), bytes_of(size), SOURCE.randbytes(size)):
                    await client.exchange(payload)


async def largest(port):
    for path in ("/15/15/1/1", "/15/15/0/0"):
        async with Client(port, path) as client:
            await client.exchange(text_of(MAX_MESSAGE))
            await client.exchange(bytes_of(MAX_MESSAGE))
            whole = SOURCE.randbytes(MAX_MESSAGE)
            await client.exchange(whole, [whole[at:at + 65536] for at in range(0, MAX_MESSAGE, 65536)])
        async with Client(port, path) as client:
            await client.connection.send(bytes(MAX_MESSAGE + 1))
            await client.connection.wait_closed()
            client.close_code = 1009
        async with Client(port, path) as client:
            await client.exchange("the next one is well")


async def fragments(port):
    for path in ("/15/15/1/1", "/15/15/0/0", "/9/9/1/1"):
        async with Client(port, path) as client:
            for whole in (text_of(126), bytes_of(126), SOURCE.randbytes(1000), json_of(3, 5000)):
                for step in (1, 63, 500):
                    empty = whole[:0]
                    await client.exchange(whole, [empty, *(whole[at:at + step] for at in range(0, len(whole), step)),
                                                  empty])


async def in_a_row(port):
    for path in ("/15/15/1/1", "/10/10/1/1", "/15/15/0/0"):
        async with Client(port, path) as client:
            for i in range(1000):
                await client.exchange(json_of(i, 300))


CHECKS = {
    "all pairs of offered and own windows, each way, with all takeovers": combinations,
    "windows of 256 bytes": refusals,
    "text and binary of 0 to 1 MiB, and what cannot be compressed": sizes,
    "16 MiB; one byte more is closed with 1009, and harms no other connection": largest,
    "fragments, empty ones included": fragments,
    "1,000 messages in a row": in_a_row,
}


async def run(port):
    for what, check in CHECKS.items():
        try:
            await asyncio.wait_for(check(port), 100)
        except (Mismatch, OSError, asyncio.TimeoutError, websockets.WebSocketException) as error:
            fail(f"{what}: {error or type(error).__name__}")
        print(f"ok  {what}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True, type=Path)
    parser.add_argument("--libdeflate", action="store_true", help="the server compresses with it where it may")
    arguments = parser.parse_args()
    print(f"websockets {websockets.__version__}, Python {sys.version.split()[0]}", flush=True)
    with EchoServer(arguments.server, ["--libdeflate"] if arguments.libdeflate else []) as server:
        try:
            asyncio.run(run(server.port))
            server.stop()
        except Mismatch as mismatch:
            fail(mismatch)


if __name__ == "__main__":
    main()
