// ws, the WebSocket library of Node.js, as either side of the table; see interop.py.
//
//   node ws_peer.mjs server [--certificate FILE --key FILE] [--deflate]
//   node ws_peer.mjs client --url ws[s]://HOST:PORT [--ca FILE] [--deflate]

import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { bytesOf, expectBytes, expectEqual, maxMessage, need, option, textOf } from './support.mjs';
import { cell, closeCodes, cellSizes, expectAgreement, pieces, print } from './interop.mjs';
import { version, WsClient } from './ws_connection.mjs';

const { WebSocketServer } = await need('ws');
const deflate = process.argv.includes('--deflate');
const peer = `ws ${version}, Node.js ${process.version}`;

function sendFragments(socket, data, binary) {
  const parts = pieces(data);
  parts.forEach((part, i) => socket.send(part, { binary, fin: i + 1 === parts.length }));
}

function serve() {
  const certificate = option('--certificate', '');
  const http = certificate === ''
    ? createServer()
    : createTlsServer({ cert: readFileSync(certificate), key: readFileSync(option('--key')) });
  const server = new WebSocketServer({ server: http, perMessageDeflate: deflate, maxPayload: maxMessage });
  server.on('connection', (socket, request) => {
    const [, route, code] = request.url.split('/');
    socket.on('message', (data, binary) => {
      if (route === 'close') socket.close(Number(code), 'a reason');
      else if (route === 'fragments') sendFragments(socket, data, binary);
      else socket.send(data, { binary });
    });
  });
  http.listen(0, '127.0.0.1', () => print({ peer, port: http.address().port }));
}

async function connect(path) {
  const ca = option('--ca', '');
  const client = await WsClient.open(option('--url') + path, {
    perMessageDeflate: deflate, maxPayload: maxMessage, ...(ca && { ca: readFileSync(ca) }),
  });
  expectAgreement(client.socket.extensions, deflate);
  return client;
}

async function exchangeAll(path, kinds, send) {
  const client = await connect(path);
  for (const binary of kinds) {
    for (const size of cellSizes) {
      const payload = binary ? bytesOf(size) : textOf(size);
      send(client.socket, payload, binary);
      const echo = await client.receive();
      expectEqual(echo.isBinary, binary, 'the kind of the echo (binary)');
      expectBytes(echo.data, payload, 'the echo');
    }
  }
  expectEqual((await client.close(1000)).code, 1000, 'the close code');
}

const sendWhole = (socket, payload, binary) => socket.send(payload, { binary });

async function test() {
  print({ peer });
  await cell('text', () => exchangeAll('/echo', [false], sendWhole));
  await cell('binary', () => exchangeAll('/echo', [true], sendWhole));
  await cell('fragments_sent', () => exchangeAll('/echo', [false, true], sendFragments));
  await cell('fragments_received', () => exchangeAll('/fragments', [false, true], sendWhole));
  await cell('client_closes', async () => {
    for (const code of closeCodes) {
      const client = await connect('/echo');
      expectEqual((await client.close(code, 'a reason')).code, code, 'the answer');
    }
  });
  await cell('server_closes', async () => {
    for (const code of closeCodes) {
      const client = await connect(`/close/${code}`);
      client.socket.send('close');
      const closed = await client.closed;
      expectEqual(closed.code, code, 'the close code');
      expectEqual(closed.reason, 'a reason', 'the reason');
    }
  });
}

if (process.argv[2] === 'server') serve();
else await test();
