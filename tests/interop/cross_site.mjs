// Pages of other origins, in Chromium, try to speak to the chat server in the name of who visits them:
// `node cross_site.mjs --server PATH_TO_chat [--browser PATH]`. Browsers let them try, and send the server's cookies with it
// (TRUST S01); the server has to refuse, as it is, without any option.

import { once } from 'node:events';
import { createServer } from 'node:http';
import { startChromium } from './browser.mjs';
import { expectEqual, fail, startServer, step, stopServer } from './support.mjs';

const port = await startServer();
const other = createServer((_, answer) => answer.end('<!doctype html><title>another site</title>')).listen(0, '127.0.0.1');
await once(other, 'listening');
const browser = await startChromium();
const context = await browser.newContext();
await context.addCookies([{ name: 'session', value: 'of-the-victim', url: `http://127.0.0.1:${port}/` }]);

/// What becomes of a WebSocket to the chat server that a page at `site` opens, in the page or in a sandbox within it.
async function tryFrom(site, { sandboxed = false } = {}) {
  const page = await context.newPage();
  const errors = [];
  page.on('console', (line) => errors.push(line.text()));
  const sent = [];
  const devtools = await context.newCDPSession(page);
  await devtools.send('Network.enable');
  devtools.on('Network.webSocketWillSendHandshakeRequest', ({ request }) => sent.push(request.headers));
  await page.goto(site);
  const open = (address) => new Promise((resolve) => {
    const socket = new WebSocket(address);
    socket.onopen = () => resolve('open');
    socket.onclose = ({ code }) => resolve(`closed with ${code}`);
  });
  const address = `ws://127.0.0.1:${port}/chat`;
  let outcome;
  if (sandboxed) {
    const script = `(${open})('${address}').then((outcome) => parent.postMessage(outcome, '*'))`;
    outcome = await page.evaluate((source) => new Promise((resolve) => {
      onmessage = ({ data }) => resolve(data);
      const frame = document.createElement('iframe');
      frame.sandbox = 'allow-scripts';
      frame.srcdoc = `<script>${source}</${'script'}>`;
      document.body.append(frame);
    }), script);
  } else {
    outcome = await page.evaluate(open, address);
  }
  await page.close();
  return { outcome, errors: errors.join('\n'), origin: sent[0]?.Origin };
}

function expectRefused({ outcome, errors, origin }, expectedOrigin) {
  expectEqual(outcome, 'closed with 1006', 'what became of the WebSocket');
  if (origin !== undefined) expectEqual(origin, expectedOrigin, 'the Origin that the browser sent');
  if (!errors.includes('403')) fail(`the browser does not speak of a 403 but says: ${errors}`);
}

console.log(`Chromium ${browser.version()}`);
await step('the chat\'s own page connects', async () => {
  expectEqual((await tryFrom(`http://127.0.0.1:${port}/`)).outcome, 'open', 'what became of the WebSocket');
});
await step('a page of another port is refused with 403, cookies or not', async () => {
  const origin = `http://127.0.0.1:${other.address().port}`;
  expectRefused(await tryFrom(`${origin}/`), origin);
});
await step('a page of another name of the same machine is refused', async () => {
  expectRefused(await tryFrom(`http://localhost:${port}/`), `http://localhost:${port}`);
});
await step('a sandboxed frame, whose origin is null, is refused', async () => {
  expectRefused(await tryFrom(`http://127.0.0.1:${other.address().port}/`, { sandboxed: true }), 'null');
});
await browser.close();
other.close();
await stopServer();
