// Browsers under test, and pages that can be told what to do.

import { fileURLToPath } from 'node:url';
import { expectEqual, need, programOf } from './support.mjs';

/// Starts the Chromium of `--browser`, with more arguments.
export async function startChromium(args = []) {
  const executablePath = programOf('--browser', '/usr/bin/chromium', 'chromium');
  const { chromium } = await need('playwright-core');
  return chromium.launch({
    executablePath,
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync',
      ...args,
    ],
  });
}

/// Opens an address in a page of its own, and resolves to what calls the functions of browser_page.js there.
export async function openPage(browser, url) {
  const page = await browser.newPage();
  await page.addInitScript({ path: fileURLToPath(new URL('browser_page.js', import.meta.url)) });
  await page.goto(url);
  const status = await page.evaluate(() => performance.getEntriesByType('navigation')[0].responseStatus);
  expectEqual(status, 200, 'the status of the page');
  return (name, ...args) => page.evaluate(([name, args]) => window.interop[name](...args), [name, args]);
}
