"""websockets, the WebSocket client of Python, against the echo server, and handshakes that have to be refused.

    /usr/bin/python3 websockets_client.py --server PATH_TO_echo_server
"""

import asyncio
import sys

from support import (MAX_MESSAGE, EchoServer, Mismatch, bytes_of, expect_equal, expect_payload, fail, server_path,
                     text_of)

import websockets

SIZES = [0, 1, 125, 126, 127, 65535, 65536, 1024 * 1024, MAX_MESSAGE]

HANDSHAKE = {
    "Host": "127.0.0.1",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
}


def connect(port, **options):
    settings = {"compression": None, "max_size": None, "ping_interval": None, **options}
    return websockets.connect(f"ws://127.0.0.1:{port}/echo", **settings)


async def exchange(connection, payload):
    await connection.send(payload)
    expect_payload(await connection.recv(), payload)


def pieces(payload, *ends):
    """`payload` cut at the given places; websockets sends a list of pieces as the frames of one message."""
    starts = [0, *ends]
    return [payload[start:end] for start, end in zip(starts, [*ends, len(payload)])]


async def sizes(port):
    async with connect(port) as connection:
        for size in SIZES:
            await exchange(connection, text_of(size))
            await exchange(connection, bytes_of(size))


async def fragments(port):
    async with connect(port) as connection:
        for size, ends in ((126, [63]), (126, range(1, 126)), (1000, [0, 0, 500, 500]),
                           (MAX_MESSAGE, range(65536, MAX_MESSAGE, 65536))):
            for whole in (text_of(size), bytes_of(size)):
                await connection.send(pieces(whole, *(end for end in ends if end <= len(whole))))
                expect_payload(await connection.recv(), whole)


async def pings(port):
    async with connect(port) as connection:
        for size in (0, 1, 125):
            answered = await connection.ping(bytes_of(size))
            await asyncio.wait_for(answered, 10)
        await exchange(connection, "after the pings")


async def declined_deflate(port):
    async with connect(port, compression="deflate") as connection:
        # websockets 14 moved the headers of the answer.
        headers = connection.response.headers if hasattr(connection, "response") else connection.response_headers
        expect_equal(headers.get("Sec-WebSocket-Extensions"), None, "the extension accepted")
        await exchange(connection, text_of(65536))


async def close_codes(port):
    for code in (1000, 1001, 1002, 1003, 1007, 1008, 1011, 3000, 4000, 4999):
        connection = await connect(port)
        await connection.close(code, "a reason")
        expect_equal(connection.close_code, code, "the close code")


async def too_big(port):
    for whole in (text_of(MAX_MESSAGE + 1), bytes_of(MAX_MESSAGE + 1)):
        for message in (whole, pieces(whole, len(whole) // 2)):
            connection = await connect(port)
            try:
                await connection.send(message)
                await connection.recv()
                raise Mismatch("a message above the limit came back")
            except (websockets.ConnectionClosed, websockets.InvalidState):  # the latter between two fragments
                await connection.wait_closed()
                expect_equal(connection.close_code, 1009, "the close code")


async def answer(port, method="GET", **changes):
    """Sends a handshake with some headers changed (None: left out) and returns the status and the headers."""
    headers = {**HANDSHAKE, **{name.replace("_", "-"): value for name, value in changes.items()}}
    head = f"{method} /echo HTTP/1.1\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in headers.items() if value is not None)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write((head + "\r\n").encode())
    try:
        reply = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    except asyncio.IncompleteReadError:
        raise Mismatch(f"{method} with {changes} got no answer") from None
    finally:
        writer.close()
    status, *lines = reply.decode("latin-1").strip().split("\r\n")
    fields = dict(line.split(":", 1) for line in lines)
    return int(status.split()[1]), {name.lower(): value.strip() for name, value in fields.items()}


async def handshakes(port):
    status, headers = await answer(port)
    expect_equal(status, 101, "the status of a right handshake")
    expect_equal(headers.get("sec-websocket-accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "the accept key")

    status, headers = await answer(port, Sec_WebSocket_Version="8")
    expect_equal(status, 426, "the status for version 8")
    expect_equal(headers.get("sec-websocket-version"), "13", "Sec-WebSocket-Version in that answer")

    status, _ = await answer(port, Sec_WebSocket_Key=None)
    expect_equal(status, 400, "the status for a missing key")
    status, _ = await answer(port, Sec_WebSocket_Key="dG9vIHNob3J0")
    expect_equal(status, 400, "the status for a key of 9 bytes")
    status, _ = await answer(port, method="POST")
    expect_equal(status, 405, "the status for POST")


CHECKS = {
    f"text and binary of {', '.join(map(str, SIZES))} bytes": sizes,
    "fragments: halves, single characters, empty ones, 64 KiB of 16 MiB": fragments,
    "pings of 0, 1 and 125 bytes": pings,
    "permessage-deflate offered: declined, messages still pass": declined_deflate,
    "close codes 1000 to 4999 come back": close_codes,
    "16 MiB + 1 is closed with 1009, whole and in two frames": too_big,
    "wrong handshakes: version 426, key 400, POST 405": handshakes,
}


async def run(port):
    async with connect(port) as witness:
        for what, check in CHECKS.items():
            try:
                await asyncio.wait_for(check(port), 120)
                await exchange(witness, f"still there after: {what}")
            except (Mismatch, OSError, asyncio.TimeoutError, websockets.WebSocketException) as error:
                fail(f"{what}: {error or type(error).__name__}")
            print(f"ok  {what}", flush=True)
    expect_equal(witness.close_code, 1000, "the close code of the connection that stayed open")


def main():
    print(f"websockets {websockets.__version__}, Python {sys.version.split()[0]}", flush=True)
    with EchoServer(server_path()) as server:
        try:
            asyncio.run(run(server.port))
            server.stop()
        except Mismatch as mismatch:
            fail(mismatch)
    print("ok  a connection stayed open through all this, and the server stopped in order")


if __name__ == "__main__":
    main()
