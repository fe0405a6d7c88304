// A page in a browser as a client of the table; see interop.py. The browser is Chromium, or with --firefox Firefox.
//
//   node browser_peer.mjs client --url ws[s]://HOST:PORT [--ca FILE] [--deflate] [--browser PATH | --firefox PATH]

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect as connectTls } from 'node:tls';
import { openPage, startChromium } from './browser.mjs';
import { startFirefox } from './firefox.mjs';
import { cell, cellSizes, closeCodes, expectAgreement, print } from './interop.mjs';
import { expectEqual, fail, option } from './support.mjs';

const deflate = process.argv.includes('--deflate');
const url = new URL(option('--url'));
const ca = option('--ca', '');

/// A browser takes authorities from its profile only. So the certificate is checked here: its key is named to Chromium,
/// and Firefox accepts any.
async function trustedKey() {
  const socket = connectTls({ host: url.hostname, port: Number(url.port), ca: readFileSync(ca) });
  await once(socket, 'secureConnect');
  const key = socket.getPeerX509Certificate().publicKey.export({ type: 'spki', format: 'der' });
  socket.destroy();
  return createHash('sha256').update(key).digest('base64');
}

const key = ca && await trustedKey();
const firefox = process.argv.includes('--firefox');
const browser = firefox
  ? await startFirefox()
  : await startChromium(key ? [`--ignore-certificate-errors-spki-list=${key}`] : []);
print({ peer: `${firefox ? 'Firefox' : 'Chromium'} ${browser.version()}` });

const call = await openPage(browser, `${url.protocol.replace('ws', 'http')}//${url.host}/`);

async function connect(path) {
  const opened = await call('open', path);
  if (opened.error) fail(opened.error);
  expectAgreement(opened.extensions, deflate); // both browsers always offer it
}

async function exchangeAll(path, names) {
  await connect(path);
  for (const name of names) {
    for (const size of cellSizes) {
      const wrong = await call(name, size);
      if (wrong) fail(`${name}(${size}): ${wrong}`);
    }
  }
  expectEqual((await call('close', 1000, '')).code, 1000, 'the close code');
}

function expectClosed(closed, code) {
  expectEqual(closed.code, code, 'the close code');
  expectEqual(closed.wasClean, true, 'wasClean');
}

await cell('text', () => exchangeAll('/echo', ['exchangeText']));
await cell('binary', () => exchangeAll('/echo', ['exchangeBytes']));
print({ cell: 'fragments_sent', cannot: 'A page cannot tell a browser to send a message in fragments.' });
await cell('fragments_received', () => exchangeAll('/fragments', ['exchangeText', 'exchangeBytes']));
const allowed = [1000, 3000, 4999];
await cell('client_closes', async () => {
  for (const code of allowed) {
    await connect('/echo');
    expectClosed(await call('close', code, 'a reason'), code);
  }
}, { codes: allowed, note: 'A page may close with 1000 and 3000 to 4999 only: run with 1000, 3000 and 4999.' });
await cell('server_closes', async () => {
  for (const code of closeCodes) {
    await connect(`/close/${code}`);
    const closed = await call('beClosed');
    expectClosed(closed, code);
    expectEqual(closed.reason, 'a reason', 'the reason');
  }
});
await browser.close();
