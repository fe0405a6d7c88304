// permessage-deflate with ws, the WebSocket client of Node.js:
// `node deflate_ws.mjs --server PATH_TO_deflate_server --echo PATH_TO_echo_server [--libdeflate]`.

import { randomBytes } from 'node:crypto';
import { agreementOf, expectRemembered, jsonOf, probe, range, serverArgs, serverConfigs } from './deflate.mjs';
import { bytesOf, expectBytes, expectEqual, fail, startServer, step, stopServer, textOf } from './support.mjs';
import { version, WsClient } from './ws_connection.mjs';

let port = await startServer({ args: serverArgs });
console.log(`ws ${version}, Node.js ${process.version}`);

class DeflateClient extends WsClient {
  /// Connects to the route `path` with `offer`, in the words of agreementOf().
  static async connect(path, offer) {
    return this.open(`ws://127.0.0.1:${port}${path}`, {
      perMessageDeflate: {
        threshold: 0,
        serverNoContextTakeover: offer.serverNoTakeover,
        clientNoContextTakeover: offer.clientNoTakeover || undefined,
        serverMaxWindowBits: offer.serverWindow,
        clientMaxWindowBits: offer.clientWindow ?? false,
      },
    });
  }

  /// What the server agreed to: the whole header.
  get agreed() { return this.response.headers['sec-websocket-extensions']; }

  /// Sends a message, checks its echo, and resolves to the bytes that each was on the wire, without frame headers.
  async exchange(payload, isBinary = true, fragments = []) {
    const { _socket: socket } = this.socket;
    const before = { read: socket.bytesRead, written: socket.bytesWritten };
    let start = 0;
    for (const end of fragments) {
      this.socket.send(payload.subarray(start, end), { binary: isBinary, fin: false });
      start = end;
    }
    this.socket.send(payload.subarray(start), { binary: isBinary, fin: true });
    const message = await this.receive();
    expectEqual(message.isBinary, isBinary, 'the type of the echo (binary)');
    expectBytes(message.data, payload, 'the echo');
    return {
      sent: withoutHeader(socket.bytesWritten - before.written, 4),
      received: withoutHeader(socket.bytesRead - before.read, 0),
    };
  }

  async end() {
    expectEqual((await this.close(1000)).code, 1000, `the close code (${this.error?.message ?? 'no error'})`);
  }
}

function withoutHeader(size, mask) {
  const header = size - mask - 2 < 126 ? 2 : size - mask - 4 < 65536 ? 4 : 10;
  return size - mask - header;
}

function describe(config, offer) {
  return `${config.path} with ${JSON.stringify(offer)}`;
}

/// The messages that show on this connection what was agreed on.
async function exercise(client, agreed, what) {
  for (const isBinary of [false, true]) {
    await client.exchange(textOf(0), isBinary);
    await client.exchange(textOf(1), isBinary);
  }
  const json = jsonOf(1);
  const { received } = await client.exchange(json, false, [1, 500, 500]);
  if (received > json.length / 2) fail(`${what}: ${json.length} bytes of JSON came back in ${received}`);
  await expectMemory(client, 'received', agreed.serverWindow, !agreed.serverNoTakeover, `${what}, from the server`);
  await expectMemory(client, 'sent', Math.max(9, agreed.clientWindow), !agreed.clientNoTakeover, `${what}, from ws`);
}

/// Checks that the compressor of one way refers to as much of the messages before as it may, and to no more.
async function expectMemory(client, way, window, takeover, what) {
  for (const reachable of [true, false]) {
    let size;
    for (const message of probe(window, reachable)) ({ [way]: size } = await client.exchange(message));
    expectRemembered(size, reachable && takeover, what);
  }
}

const offeredTakeovers = [false, true].flatMap((serverNoTakeover) =>
  [false, true].map((clientNoTakeover) => ({ serverNoTakeover, clientNoTakeover })));

/// All pairs of the two lists' elements for the server's window, and all for the client's, side by side.
function windowPairs(offers, wishes) {
  const server = offers.server.flatMap((offered) => wishes.send.map((wished) => [offered, wished]));
  const client = offers.client.flatMap((offered) => wishes.receive.map((wished) => [offered, wished]));
  return Array.from({ length: Math.max(server.length, client.length) }, (_, i) => ({
    serverWindow: server[i % server.length][0], sendWindow: server[i % server.length][1],
    clientWindow: client[i % client.length][0], receiveWindow: client[i % client.length][1],
  }));
}

await step('all pairs of offered and own windows, each way, with all takeovers', async () => {
  const pairs = windowPairs(
    { server: [undefined, ...range(8, 15)], client: [undefined, true, ...range(8, 15)] },
    { send: range(9, 15), receive: range(8, 15) });
  let agreements = 0;
  let declined = 0;
  for (const { sendTakeover, receiveTakeover } of serverConfigs({ sendWindows: [15], receiveWindows: [15] })) {
    for (const takeover of offeredTakeovers) {
      for (const { serverWindow, sendWindow, clientWindow, receiveWindow } of pairs) {
        const [config] = serverConfigs({ sendWindows: [sendWindow], receiveWindows: [receiveWindow] })
          .filter((c) => c.sendTakeover === sendTakeover && c.receiveTakeover === receiveTakeover);
        const offer = { ...takeover, serverWindow, clientWindow };
        const expected = agreementOf(config, offer);
        const client = await DeflateClient.connect(config.path, offer);
        expectEqual(client.agreed, expected?.header, `the answer of ${describe(config, offer)}`);
        if (expected) {
          ++agreements;
          await exercise(client, expected, describe(config, offer));
        } else {
          ++declined;
          expectEqual((await client.exchange(jsonOf(1), false)).received, 1024, 'the size of a message not compressed');
        }
        await client.end();
      }
    }
  }
  console.log(`    ${agreements} agreements, ${declined} offers declined`);
});

const withTakeover = '/15/15/1/1';
const withoutTakeover = '/15/15/0/0';
const smallWindows = '/9/9/1/1';

await step('text and binary of 0 to 1 MiB, and what cannot be compressed', async () => {
  for (const path of [withTakeover, withoutTakeover, smallWindows, '/default']) {
    const client = await DeflateClient.connect(path, { clientWindow: true });
    for (const size of [0, 1, 125, 126, 127, 255, 256, 257, 1024, 65535, 65536, 1024 * 1024]) {
      await client.exchange(jsonOf(size, size), false);
      await client.exchange(textOf(size), false);
      await client.exchange(bytesOf(size));
      await client.exchange(randomBytes(size));
    }
    await client.end();
  }
});

await step('16 MiB; one byte more is closed with 1009', async () => {
  const limit = 16 * 1024 * 1024;
  for (const path of [withTakeover, withoutTakeover]) {
    const client = await DeflateClient.connect(path, { clientWindow: true });
    const { received } = await client.exchange(textOf(limit), false);
    if (received > limit / 50) fail(`${limit} bytes of text came back in ${received}`);
    await client.exchange(randomBytes(limit));
    client.socket.send(textOf(limit + 1));
    expectEqual((await client.closed).code, 1009, 'the close code');
  }
});

await step('fragments of compressed messages: halves, single bytes, empty ones, 64 KiB of 1 MiB', async () => {
  for (const path of [withTakeover, withoutTakeover, smallWindows]) {
    const client = await DeflateClient.connect(path, { clientWindow: true });
    for (const [size, ends] of [
      [126, [63]], [126, range(1, 125)], [1000, [0, 0, 500, 500, 1000]],
      [1024 * 1024, range(1, 15).map((i) => i * 65536)],
    ]) {
      for (const payload of [textOf(size), randomBytes(size)]) await client.exchange(payload, true, ends);
    }
    await client.end();
  }
});

await step('1,000 messages in a row, each much smaller with takeover than without', async () => {
  const wire = {};
  for (const path of [withTakeover, withoutTakeover]) {
    const client = await DeflateClient.connect(path, { clientWindow: true });
    wire[path] = { sent: 0, received: 0 };
    for (let i = 0; i < 1000; ++i) {
      const { sent, received } = await client.exchange(jsonOf(i), false);
      wire[path].sent += sent;
      wire[path].received += received;
    }
    await client.end();
  }
  for (const way of ['sent', 'received']) {
    if (wire[withTakeover][way] > wire[withoutTakeover][way] * 0.8) fail(`${way}: ${JSON.stringify(wire)}`);
  }
});

await step('200 messages sent at once come back in order', async () => {
  for (const path of [withTakeover, withoutTakeover, smallWindows]) {
    const client = await DeflateClient.connect(path, { clientWindow: true });
    const payloads = Array.from({ length: 200 }, (_, i) => (i % 2 ? bytesOf(i * 7) : jsonOf(i, i * 7)));
    for (const payload of payloads) client.socket.send(payload);
    for (const payload of payloads) expectBytes((await client.receive()).data, payload, 'the echo');
    await client.end();
  }
});

await step('every level and memory level', async () => {
  for (const level of range(1, 9)) {
    for (const memoryLevel of range(1, 9)) {
      const client = await DeflateClient.connect(`/level/${level}/${memoryLevel}`, { clientWindow: true });
      let last;
      for (let i = 0; i < 5; ++i) last = await client.exchange(jsonOf(i), false);
      if (last.received > 400) fail(`level ${level}, memory level ${memoryLevel}: 1024 bytes in ${last.received}`);
      await client.exchange(jsonOf(7, 100_000), false);
      await client.end();
    }
  }
});

await step('a ping between compressed fragments, and 16 connections at once', async () => {
  await Promise.all(Array.from({ length: 16 }, async (_, n) => {
    const client = await DeflateClient.connect([withTakeover, withoutTakeover][n % 2], { clientWindow: true });
    for (let i = 0; i < 20; ++i) {
      const payload = jsonOf(n * 100 + i, 3000);
      client.socket.send(payload.subarray(0, 1000), { binary: false, fin: false });
      client.socket.ping('between');
      client.socket.send(payload.subarray(1000), { binary: false, fin: true });
      expectBytes((await client.receive()).data, payload, 'the echo');
    }
    await client.end();
  }));
});

/// What is smaller than min_size, 256 bytes, and what does not become smaller, comes as it is.
async function expectDefaults(path) {
  const client = await DeflateClient.connect(path, { clientWindow: true });
  expectEqual(client.agreed, 'permessage-deflate; server_no_context_takeover; client_no_context_takeover', 'the answer');
  expectEqual((await client.exchange(jsonOf(1, 255), false)).received, 255, 'the size of a message below min_size');
  const { received } = await client.exchange(jsonOf(1, 256), false);
  if (received > 220) fail(`256 bytes of JSON came back in ${received}`);
  expectEqual((await client.exchange(randomBytes(1024))).received, 1024, 'the size of what cannot be compressed');
  await client.end();
}

await step('the defaults: nothing kept, nothing below 256 bytes compressed', () => expectDefaults('/default'));
await stopServer();

port = await startServer({ args: ['--deflate'], named: '--echo' });
await step('echo_server --deflate has the defaults', () => expectDefaults('/echo'));
await stopServer();
