// ws, the WebSocket library of Node.js, as the server of deflate_client.cpp: a route for each way to compress.

import { createServer } from 'node:http';
import { maxMessage, need } from './support.mjs';
import { print } from './interop.mjs';
import { version } from './ws_connection.mjs';

const { WebSocketServer } = await need('ws');
const servers = new Map();

function serverOf(path) {
  if (!servers.has(path)) {
    const [server, client, serverNoTakeover, clientNoTakeover] = path.slice(1).split('/').map(Number);
    const perMessageDeflate = {
      threshold: 0,
      serverNoContextTakeover: serverNoTakeover === 1 || undefined,
      clientNoContextTakeover: clientNoTakeover === 1 || undefined,
      serverMaxWindowBits: server || undefined,
      clientMaxWindowBits: client || undefined,
    };
    const made = new WebSocketServer({ noServer: true, perMessageDeflate, maxPayload: maxMessage });
    made.on('connection', (socket) => socket.on('message', (data, binary) => socket.send(data, { binary })));
    servers.set(path, made);
  }
  return servers.get(path);
}

const http = createServer();
http.on('upgrade', (request, socket, head) => {
  const server = serverOf(request.url);
  server.handleUpgrade(request, socket, head, (ws) => server.emit('connection', ws, request));
});
http.listen(0, '127.0.0.1', () => print({ peer: `ws ${version}, Node.js ${process.version}`, port: http.address().port }));
