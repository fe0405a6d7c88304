// Chromium against the echo server: `node chromium_client.mjs --server PATH_TO_echo_server [--browser PATH]`.
// The page comes from the server itself, so the handshake carries the Origin of a real page of its own site.

import { fileURLToPath } from 'node:url';
import { expectEqual, fail, maxMessage, sizes, startBrowser, startServer, step, stopServer } from './support.mjs';

const port = await startServer({ args: ['--max-message', String(maxMessage)] });
const browser = await startBrowser();

async function openPage() {
  const page = await browser.newPage();
  page.setDefaultTimeout(60_000);
  await page.addInitScript({ path: fileURLToPath(new URL('chromium_page.js', import.meta.url)) });
  const response = await page.goto(`http://127.0.0.1:${port}/`);
  expectEqual(response.status(), 200, 'the status of the page');
  return page;
}

const call = (page, name, ...args) =>
  page.evaluate(([name, args]) => window.interop[name](...args), [name, args]);

async function connect(page) {
  const opened = await call(page, 'open');
  if (opened.error) fail(opened.error);
  return opened;
}

async function expectFine(page, name, ...args) {
  const wrong = await call(page, name, ...args);
  if (wrong) fail(`${name}(${args.join(', ')}): ${wrong}`);
}

const witness = await openPage();
await connect(witness);
const page = await openPage();
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
    const closed = await call(page, 'close', code, 'a reason');
    expectEqual(closed.code, code, 'the close code');
    expectEqual(closed.wasClean, true, 'wasClean');
  }
  await connect(page);
  expectEqual((await call(page, 'close')).code, 1005, 'the close code after a close frame without one');
});

await check('16 MiB + 1 is closed with 1009', async () => {
  await connect(page);
  expectEqual((await call(page, 'sendTooMuch', maxMessage + 1)).code, 1009, 'the close code');
});

await step('the second page stayed connected through all this', async () => {
  await expectFine(witness, 'exchangeBytes', 1000);
  expectEqual((await call(witness, 'close', 1000, '')).code, 1000, 'the close code');
});
await browser.close();
await stopServer();
