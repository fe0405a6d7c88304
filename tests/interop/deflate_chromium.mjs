// permessage-deflate with Chromium:
// `node deflate_chromium.mjs --server PATH_TO_deflate_server [--browser PATH] [--libdeflate]`.
// Chromium makes one offer, always the same; it meets every configuration of the server.

import { connect as connectTo, createServer } from 'node:net';
import { once } from 'node:events';
import { openPage, startChromium } from './browser.mjs';
import { agreementOf, serverArgs, serverConfigs } from './deflate.mjs';
import { expectEqual, fail, maxMessage, startServer, step, stopServer } from './support.mjs';

const serverPort = await startServer({ args: serverArgs });
const browser = await startChromium();
console.log(`Chromium ${browser.version()}`);

// Between the two, to count what the page cannot see.
const wire = { sent: 0, received: 0 };
const counter = createServer((fromBrowser) => {
  const toServer = connectTo(serverPort, '127.0.0.1');
  fromBrowser.on('data', (data) => { wire.sent += data.length; });
  toServer.on('data', (data) => { wire.received += data.length; });
  for (const socket of [fromBrowser, toServer]) socket.setNoDelay().on('error', () => {});
  fromBrowser.pipe(toServer).pipe(fromBrowser);
}).listen(0, '127.0.0.1');
await once(counter, 'listening');

const call = await openPage(browser, `http://127.0.0.1:${counter.address().port}/`);

/// Connects to a route and resolves to the answer to Chromium's offer.
async function connect(path) {
  const { error, extensions } = await call('open', path);
  if (error) fail(`${path}: ${error}`);
  return extensions;
}

/// Exchanges messages, and resolves to the bytes that they were on the wire.
async function exchange(name, ...args) {
  const before = { ...wire };
  const wrong = await call(name, ...args);
  if (wrong) fail(`${name}(${args.join(', ')}): ${wrong}`);
  return { sent: wire.sent - before.sent, received: wire.received - before.received };
}

const close = async () => expectEqual((await call('close', 1000, '')).code, 1000, 'the close code');

await step('every configuration of the server', async () => {
  const counts = { agreed: 0, declined: 0 };
  for (const config of serverConfigs()) {
    const agreed = agreementOf(config, { clientWindow: true });
    expectEqual(await connect(config.path), agreed?.header ?? '', `the answer of ${config.path}`);
    const { received } = await exchange('exchangeText', 2000);
    expectEqual(received < 1000, agreed !== null, `${config.path}: 2000 bytes came back in ${received}; compressed`);
    if (agreed) {
      // Two messages of the same 200 bytes are 400 and their frame headers, or the second is next to nothing.
      const { sent, received } = await exchange('exchangeRandom', 200, 2);
      expectEqual(received < 300, !agreed.serverNoTakeover, `${config.path}: ${received} bytes received; takeover`);
      expectEqual(sent < 300, !agreed.clientNoTakeover, `${config.path}: ${sent} bytes sent; takeover`);
    }
    ++counts[agreed ? 'agreed' : 'declined'];
    await close();
  }
  console.log(`    ${counts.agreed} agreements, ${counts.declined} offers declined`);
});

await step('text and binary of 0 B to 16 MiB, and what cannot be compressed', async () => {
  for (const path of ['/15/15/1/1', '/15/15/0/0', '/9/9/1/1', '/default']) {
    await connect(path);
    for (const size of [0, 1, 125, 126, 255, 256, 257, 1024, 65535, 65536, 1024 * 1024]) {
      await exchange('exchangeText', size);
      await exchange('exchangeBytes', size);
      await exchange('exchangeRandom', size);
    }
    await close();
  }
  for (const path of ['/15/15/1/1', '/15/15/0/0']) {
    await connect(path);
    const { received } = await exchange('exchangeText', maxMessage);
    if (received > maxMessage / 50) fail(`${maxMessage} bytes of text came back in ${received}`);
    await exchange('exchangeRandom', maxMessage);
    await close();
  }
});

await step('200 messages sent at once come back in order', async () => {
  for (const path of ['/15/15/1/1', '/15/15/0/0', '/9/9/1/1']) {
    await connect(path);
    await exchange('exchangeMany', 200);
    await close();
  }
});

await step('16 MiB + 1 is closed with 1009, and the next connection works', async () => {
  await connect('/15/15/0/0');
  expectEqual((await call('sendTooMuch', maxMessage + 1)).code, 1009, 'the close code');
  await connect('/15/15/0/0');
  await exchange('exchangeText', 1000);
  await close();
});

await browser.close();
counter.close();
await stopServer();
