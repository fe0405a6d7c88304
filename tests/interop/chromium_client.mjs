// Chromium against the echo server: `node chromium_client.mjs --server PATH_TO_echo_server [--browser PATH]`.
// The page comes from the server itself, so the handshake carries the Origin of a real page of its own site.

import { openPage, startChromium } from './browser.mjs';
import { expectEqual, fail, maxMessage, sizes, startServer, step, stopServer } from './support.mjs';

const port = await startServer({ args: ['--max-message', String(maxMessage)] });
const site = `http://127.0.0.1:${port}/`;
const browser = await startChromium();

async function connect(call) {
  const opened = await call('open');
  if (opened.error) fail(opened.error);
  return opened;
}

async function expectFine(call, name, ...args) {
  const wrong = await call(name, ...args);
  if (wrong) fail(`${name}(${args.join(', ')}): ${wrong}`);
}

const witness = await openPage(browser, site);
await connect(witness);
const page = await openPage(browser, site);
const check = (what, run) => step(what, run, () => expectFine(witness, 'exchangeText', 50));

console.log(`Chromium ${browser.version()}`);

await check('a page of the server connects; permessage-deflate, always offered, is declined', async () => {
  const { extensions, protocol } = await connect(page);
  expectEqual(extensions, '', 'the list of negotiated extensions');
  expectEqual(protocol, '', 'the sub-protocol');
});

await check(`text and binary of ${sizes.join(', ')} bytes`, async () => {
  for (const size of sizes) {
    await expectFine(page, 'exchangeText', size);
    await expectFine(page, 'exchangeBytes', size);
  }
  await expectFine(page, 'exchangeBlob', 1024 * 1024);
});

await check('200 messages sent at once come back in order', () => expectFine(page, 'exchangeMany', 200));

await check('close codes 1000, 3000, 4999 and none come back, cleanly', async () => {
  for (const code of [1000, 3000, 4999]) {
    await connect(page);
    const closed = await page('close', code, 'a reason');
    expectEqual(closed.code, code, 'the close code');
    expectEqual(closed.wasClean, true, 'wasClean');
  }
  await connect(page);
  expectEqual((await page('close')).code, 1005, 'the close code after a close frame without one');
});

await check('16 MiB + 1 is closed with 1009', async () => {
  await connect(page);
  expectEqual((await page('sendTooMuch', maxMessage + 1)).code, 1009, 'the close code');
});

await step('the second page stayed connected through all this', async () => {
  await expectFine(witness, 'exchangeBytes', 1000);
  expectEqual((await witness('close', 1000, '')).code, 1000, 'the close code');
});
await browser.close();
await stopServer();
