"""websockets, the WebSocket library of Python, as the server of deflate_client.cpp: a route for each way to compress."""

import asyncio
import signal

from support import MAX_MESSAGE
from websockets_peer import PEER, show

import websockets
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.legacy.server import WebSocketServerProtocol


class ByPath(WebSocketServerProtocol):
    """Negotiates as the path says."""

    def process_extensions(self, headers, available_extensions):
        server, client, server_no_takeover, client_no_takeover = map(int, self.path[1:].split("/"))
        factory = ServerPerMessageDeflateFactory(
            server_no_context_takeover=bool(server_no_takeover), client_no_context_takeover=bool(client_no_takeover),
            server_max_window_bits=server or None, client_max_window_bits=client or None)
        return WebSocketServerProtocol.process_extensions(headers, [factory])


async def echo(connection):
    async for message in connection:
        await connection.send(message)


async def main():
    stop = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set_result, None)
    serve = websockets.legacy.server.serve
    async with serve(echo, "127.0.0.1", 0, create_protocol=ByPath, max_size=MAX_MESSAGE, ping_interval=None) as server:
        show(peer=PEER, port=server.sockets[0].getsockname()[1])
        await stop


asyncio.run(main())
