// ws, the WebSocket client of Node.js, against the echo server: `node ws_client.mjs --server PATH_TO_echo_server`.

import { once } from 'node:events';
import {
  bytesOf, expectBytes, expectEqual, fail, maxMessage, need, sizes, startServer, step, stopServer, textOf,
} from './support.mjs';
import { version, WsClient } from './ws_connection.mjs';

const port = await startServer({ args: ['--max-message', String(maxMessage)] });

class EchoClient extends WsClient {
  async expectEcho(payload, isBinary) {
    const message = await this.receive();
    expectEqual(message.isBinary, isBinary, 'the type of the echo (binary)');
    expectBytes(message.data, payload, 'the echo');
  }

  async exchange(payload, isBinary) {
    this.socket.send(payload, { binary: isBinary });
    await this.expectEcho(payload, isBinary);
  }

  /// Sends `payload` as one message in frames that end at the given offsets.
  sendFragments(payload, isBinary, ends, between = () => {}) {
    let start = 0;
    for (const end of ends) {
      this.socket.send(payload.subarray(start, end), { binary: isBinary, fin: false });
      between();
      start = end;
    }
    this.socket.send(payload.subarray(start), { binary: isBinary, fin: true });
  }

  async expectPong(payload) {
    const [data] = await once(this.socket, 'pong');
    expectBytes(data, payload, 'the pong');
  }
}

const open = (options) => EchoClient.open(`ws://127.0.0.1:${port}/echo`, options);

function every(size, length) {
  const ends = [];
  for (let end = size; end < length; end += size) ends.push(end);
  return ends;
}

const witness = await open();
let steps = 0;
const check = (what, run) =>
  step(what, run, () => witness.exchange(textOf(20 + (++steps)), false));

console.log(`ws ${version}, Node.js ${process.version}`);
const client = await open();

await check(`text and binary of ${sizes.join(', ')} bytes`, async () => {
  for (const size of sizes) {
    await client.exchange(textOf(size), false);
    await client.exchange(bytesOf(size), true);
  }
});

await check('200 messages sent at once come back in order', async () => {
  const payloads = Array.from({ length: 200 }, (_, i) => bytesOf(i * 7));
  for (const payload of payloads) client.socket.send(payload);
  for (const payload of payloads) await client.expectEcho(payload, true);
});

await check('fragments: halves, single bytes, empty ones, 64 KiB of 16 MiB', async () => {
  for (const [size, ends] of [
    [126, [63]],
    [126, every(1, 126)],
    [1000, [0, 0, 500, 500, 1000]],
    [65536, every(1024, 65536)],
    [maxMessage, every(65536, maxMessage)],
  ]) {
    for (const isBinary of [false, true]) {
      const payload = isBinary ? bytesOf(size) : textOf(size);
      client.sendFragments(payload, isBinary, ends);
      await client.expectEcho(payload, isBinary);
    }
  }
});

await check('a ping between fragments is answered before the message', async () => {
  const payload = textOf(300);
  let pongs = 0;
  const count = () => { ++pongs; };
  client.socket.on('pong', count);
  client.sendFragments(payload, false, [100, 200], () => client.socket.ping('between'));
  await client.expectEcho(payload, false);
  client.socket.off('pong', count);
  expectEqual(pongs, 2, 'the number of pongs');
});

await check('pings of 0 and 125 bytes', async () => {
  for (const size of [0, 125]) {
    client.socket.ping(bytesOf(size));
    await client.expectPong(bytesOf(size));
  }
});

await check('permessage-deflate offered: declined, messages still pass', async () => {
  const offering = await open({ perMessageDeflate: true });
  expectEqual(offering.socket.extensions, '', 'the list of negotiated extensions');
  await offering.exchange(textOf(65536), false);
  await offering.close(1000);
});

await check('close codes 1000 to 4999 and none come back', async () => {
  for (const code of [1000, 1001, 1002, 1003, 1007, 1008, 1011, 3000, 4000, 4999]) {
    const closing = await open();
    expectEqual((await closing.close(code, 'a reason')).code, code, 'the close code');
  }
  const closing = await open();
  expectEqual((await closing.close()).code, 1005, 'the close code after a close frame without one');
});

await check('16 MiB + 1 is closed with 1009, in one frame and in fragments', async () => {
  const payload = bytesOf(maxMessage + 1);
  for (const ends of [[], every(1024 * 1024, payload.length)]) {
    const sending = await open();
    sending.sendFragments(payload, true, ends);
    expectEqual((await sending.closed).code, 1009, `the close code (${sending.error?.message ?? 'no error'})`);
  }
});

await step('two connections stayed open through all this', async () => {
  await client.exchange(textOf(100), false);
  expectEqual((await client.close(1000)).code, 1000, 'the close code');
  expectEqual((await witness.close(1000)).code, 1000, 'the close code');
});
await stopServer();
