"""How the echo server starts and stops: a used port, and SIGTERM while clients are connected.

    /usr/bin/python3 server_faults.py --server PATH_TO_echo_server
"""

import asyncio
import base64
import os
import socket
import subprocess
import time

from support import EchoServer, Mismatch, expect_equal, fail, server_path

import websockets


def used_port(path):
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        try:
            result = subprocess.run([str(path), "--port", str(port)], capture_output=True, text=True, timeout=10)
        except subprocess.TimeoutExpired:
            raise Mismatch("a second server on a used port goes on running") from None
    expect_equal(result.returncode, 1, "the exit status on a used port")
    expect_equal(result.stdout, "", "standard output on a used port")
    lines = result.stderr.splitlines()
    if len(lines) != 1 or str(port) not in lines[0]:
        raise Mismatch(f"a used port is explained by {result.stderr!r}, not by one line that names it")
    print(f"ok  a used port ends with status 1 and one line: {lines[0]}")


async def stop(server):
    """SIGTERM, without keeping the clients from answering."""
    await asyncio.get_running_loop().run_in_executor(None, server.stop)


async def closes_clients(path):
    with EchoServer(path) as server:
        clients = [await websockets.connect(f"ws://127.0.0.1:{server.port}/echo", ping_interval=None)
                   for _ in range(20)]
        await clients[0].send("a message")
        await clients[0].recv()
        started = time.monotonic()
        await stop(server)
        took = time.monotonic() - started
        for client in clients:
            await client.wait_closed()
            expect_equal(client.close_code, 1012, "the close code after SIGTERM")
    print(f"ok  SIGTERM closed {len(clients)} clients with 1012 and ended with status 0 after {took:.1f} s")


def upgraded_socket(port):
    """A client that does its handshake and then never answers anything."""
    client = socket.create_connection(("127.0.0.1", port), 10)
    key = base64.b64encode(os.urandom(16)).decode()
    client.sendall((f"GET /echo HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n").encode())
    status = client.recv(4096).split(b"\r\n")[0]
    if b" 101 " not in status:
        raise Mismatch(f"the handshake was answered with {status!r}")
    return client


async def ends_despite_silent_clients(path):
    with EchoServer(path) as server:
        silent = upgraded_socket(server.port)
        half_a_handshake = socket.create_connection(("127.0.0.1", server.port), 10)
        half_a_handshake.sendall(b"GET /echo HTTP/1.1\r\n")
        started = time.monotonic()
        await stop(server)
        took = time.monotonic() - started
        silent.close()
        half_a_handshake.close()
    print(f"ok  SIGTERM ended the server after {took:.1f} s although two clients never answered")


def main():
    path = server_path()
    try:
        used_port(path)
        asyncio.run(closes_clients(path))
        asyncio.run(ends_despite_silent_clients(path))
    except (Mismatch, OSError, websockets.WebSocketException) as error:
        fail(error)


if __name__ == "__main__":
    main()
