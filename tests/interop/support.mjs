// What the clients written in JavaScript share: the server under test, programs, payloads, steps that say what they check.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { basename } from 'node:path';
import { createInterface } from 'node:readline';

export const maxMessage = 16 * 1024 * 1024;
export const sizes = [0, 1, 125, 126, 127, 65535, 65536, 1024 * 1024, maxMessage];

const program = basename(process.argv[1], '.mjs');
const patience = 100_000; // milliseconds for one step
let doing = 'starting';
let server;

export function fail(message) {
  console.error(`${program}: FAILED at "${doing}": ${message}`);
  server?.kill('SIGKILL');
  process.exit(1);
}

process.on('uncaughtException', (error) => fail(error.stack ?? error.message));

/// Imports an npm package, or says how to get it.
export async function need(name) {
  try {
    return await import(name);
  } catch (error) {
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
    fail(`the npm package ${name} is missing: run "npm ci" in tests/interop, or ./dev setup`);
  }
}

export function option(name, fallback) {
  const at = process.argv.indexOf(name);
  const value = at < 0 ? fallback : process.argv[at + 1];
  if (value === undefined) fail(`${name} has to be given`);
  return value;
}

/// Starts the server that the option `--server` names, on a free port unless one is given, and resolves to its port.
export async function startServer({ port = 0, args = [], named = '--server' } = {}) {
  const path = option(named);
  server = spawn(path, ['--port', String(port), ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  server.on('error', (error) => fail(`${path} does not start: ${error.message}`));
  server.on('exit', (status, signal) => fail(`the server ended by itself: ${signal ?? `status ${status}`}`));
  const [line] = await once(createInterface(server.stdout), 'line');
  const match = /^\w+: listening on http:\/\/127\.0\.0\.1:(\d+)\/$/.exec(line);
  if (!match) fail(`the server's first line is "${line}"`);
  return Number(match[1]);
}

export const signalServer = (signal) => server.kill(signal);

/// Ends the server, and resolves to its exit status, or the signal that ended it.
export async function endServer(signal) {
  server.removeAllListeners('exit');
  const ended = once(server, 'exit');
  server.kill(signal);
  const [status, by] = await ended;
  return by ?? status;
}

export function stopServer() {
  return step('SIGTERM ends the server with status 0', async () => {
    expectEqual(await endServer('SIGTERM'), 0, 'the exit status');
  });
}

/// The program that an option names, or else that a package has.
export function programOf(name, ofPackage, packageName) {
  const path = option(name, ofPackage);
  try {
    accessSync(path, constants.X_OK);
  } catch {
    fail(`there is no program ${path}: install the package ${packageName}, or name one with ${name}`);
  }
  return path;
}

/// Runs one check, then `after`; a failure names the check, and so does one that never ends.
export async function step(what, check, after = async () => {}) {
  doing = what;
  const timer = setTimeout(() => fail(`no end after ${patience / 1000} seconds`), patience);
  await check();
  await after();
  clearTimeout(timer);
  console.log(`ok  ${what}`);
}

export function expectEqual(actual, expected, what) {
  if (actual !== expected) fail(`${what} is ${JSON.stringify(actual)}, expected ${JSON.stringify(expected)}`);
}

export function expectBytes(actual, expected, what) {
  if (actual.equals(expected)) return;
  const shorter = Math.min(actual.length, expected.length);
  let at = 0;
  while (at < shorter && actual[at] === expected[at]) ++at;
  fail(`${what}: ${actual.length} bytes came back for ${expected.length}; they differ from byte ${at}`);
}

/// Text of exactly `size` bytes, with characters of one to four bytes.
export function textOf(size) {
  const unit = Buffer.from('fairlead \u00e9 \u20ac \u{1f6a2} ');
  const text = Buffer.alloc(size, 'x');
  for (let at = 0; at + unit.length <= size; at += unit.length) unit.copy(text, at);
  return text;
}

export function bytesOf(size) {
  const bytes = Buffer.alloc(size);
  for (let i = 0; i < size; ++i) bytes[i] = (i * 31 + (i >> 8)) & 0xff;
  return bytes;
}
