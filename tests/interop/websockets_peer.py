"""websockets, the WebSocket library of Python, as either side of the table; see interop.py.

    /usr/bin/python3 websockets_peer.py server [--certificate FILE --key FILE] [--deflate]
    /usr/bin/python3 websockets_peer.py client --url ws[s]://HOST:PORT [--ca FILE] [--deflate]
"""

import argparse
import asyncio
import json
import signal
import ssl
import sys

from support import MAX_MESSAGE, Mismatch, bytes_of, expect_equal, expect_payload, text_of

import websockets

SIZES = [0, 1, 125, 126, 65535, 65536, 1024 * 1024, MAX_MESSAGE]
CLOSE_CODES = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 4999]
PEER = f"websockets {websockets.__version__}, Python {sys.version.split()[0]}"


def show(**line):
    print(json.dumps(line), flush=True)


def pieces(payload):
    """`payload` in four; websockets sends a list of pieces as the frames of one message."""
    at = [len(payload) * i // 4 for i in range(5)]
    return [payload[start:end] for start, end in zip(at, at[1:])]


def settings(arguments):
    return {"compression": "deflate" if arguments.deflate else None, "max_size": MAX_MESSAGE, "ping_interval": None}


async def serve(arguments):
    async def handle(connection):
        path = connection.path if hasattr(connection, "path") else connection.request.path
        try:
            async for message in connection:
                if path.startswith("/close/"):
                    await connection.close(int(path.removeprefix("/close/")), "a reason")
                else:
                    await connection.send(pieces(message) if path == "/fragments" else message)
        except websockets.ConnectionClosed:
            pass  # with another code than 1000 or 1001

    context = None
    if arguments.certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(arguments.certificate, arguments.key)
    stop = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set_result, None)
    async with websockets.serve(handle, "127.0.0.1", 0, ssl=context, **settings(arguments)) as server:
        show(peer=PEER, port=server.sockets[0].getsockname()[1])
        await stop


class Client:
    def __init__(self, arguments):
        self.arguments = arguments
        self.context = ssl.create_default_context(cafile=arguments.ca) if arguments.ca else None

    async def open(self, path):
        connection = await websockets.connect(self.arguments.url + path, ssl=self.context, **settings(self.arguments))
        # websockets 14 moved the headers of the answer.
        headers = connection.response.headers if hasattr(connection, "response") else connection.response_headers
        agreed = "permessage-deflate" in headers.get("Sec-WebSocket-Extensions", "")
        expect_equal(agreed, self.arguments.deflate, "the agreement to permessage-deflate")
        return connection

    async def exchange(self, path, makers, prepare=lambda payload: payload):
        connection = await self.open(path)
        for make in makers:
            for size in SIZES:
                payload = make(size)
                await connection.send(prepare(payload))
                expect_payload(await connection.recv(), payload)
        await connection.close()
        expect_equal(connection.close_code, 1000, "the close code")

    async def close_with_all(self):
        for code in CLOSE_CODES:
            connection = await self.open("/echo")
            await connection.close(code, "a reason")
            expect_equal(connection.close_code, code, "the answer")

    async def be_closed_with_all(self):
        for code in CLOSE_CODES:
            connection = await self.open(f"/close/{code}")
            await connection.send("close")
            await connection.wait_closed()
            expect_equal((connection.close_code, connection.close_reason), (code, "a reason"), "the close")


async def cell(name, check):
    try:
        await check
        show(cell=name)
    except (Mismatch, OSError, websockets.WebSocketException) as error:
        show(cell=name, error=f"{type(error).__name__}: {error}")


async def test(arguments):
    show(peer=PEER)
    client = Client(arguments)
    await cell("text", client.exchange("/echo", [text_of]))
    await cell("binary", client.exchange("/echo", [bytes_of]))
    await cell("fragments_sent", client.exchange("/echo", [text_of, bytes_of], pieces))
    await cell("fragments_received", client.exchange("/fragments", [text_of, bytes_of]))
    await cell("client_closes", client.close_with_all())
    await cell("server_closes", client.be_closed_with_all())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=["server", "client"])
    parser.add_argument("--url")
    parser.add_argument("--ca")
    parser.add_argument("--certificate")
    parser.add_argument("--key")
    parser.add_argument("--deflate", action="store_true")
    arguments = parser.parse_args()
    asyncio.run(serve(arguments) if arguments.role == "server" else test(arguments))


if __name__ == "__main__":
    main()
