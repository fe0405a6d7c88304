// Firefox as its package has it, over WebDriver BiDi (https://w3c.github.io/webdriver-bidi/): with the few functions of
// playwright-core that openPage() needs, for playwright-core itself drives only a Firefox that was changed for it.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fail, need, programOf } from './support.mjs';

const { default: WebSocket } = await need('ws');

// Milliseconds. Less than the patience of interop.py, at whose end Firefox would outlive this program.
const patience = 100_000;

class Page {
  constructor(firefox, context) {
    this.firefox = firefox;
    this.context = context;
  }

  addInitScript({ path }) {
    const functionDeclaration = `() => {${readFileSync(path, 'utf8')}}`;
    return this.firefox.command('script.addPreloadScript', { functionDeclaration, contexts: [this.context] });
  }

  goto(url) {
    return this.firefox.command('browsingContext.navigate', { context: this.context, url, wait: 'complete' });
  }

  /// Calls a function in the page. What it takes and what it returns travel as JSON.
  async evaluate(action, argument = null) {
    const { result, exceptionDetails } = await this.firefox.command('script.callFunction', {
      functionDeclaration: `async (argument) => JSON.stringify(await (${action})(JSON.parse(argument)))`,
      arguments: [{ type: 'string', value: JSON.stringify(argument) }],
      target: { context: this.context },
      awaitPromise: true,
    });
    if (exceptionDetails) fail(`the page threw ${exceptionDetails.text}`);
    return JSON.parse(result.value);
  }
}

class Firefox {
  constructor(program, socket) {
    this.program = program;
    this.socket = socket;
    this.sent = 0;
    this.waiting = new Map();
    socket.on('message', (data) => {
      const answer = JSON.parse(data);
      this.waiting.get(answer.id)?.(answer);
      this.waiting.delete(answer.id);
    });
    socket.on('close', () => { if (this.waiting.size > 0) fail('Firefox ended before it answered'); });
  }

  async command(method, params = {}) {
    const id = ++this.sent;
    this.socket.send(JSON.stringify({ id, method, params }));
    const answer = await new Promise((resolve) => this.waiting.set(id, resolve));
    if (answer.type !== 'success') fail(`${method}: ${answer.error}: ${answer.message}`);
    return answer.result;
  }

  /// Begins the one session that takes commands.
  async start() {
    const { capabilities } = await this.command('session.new', {
      capabilities: { alwaysMatch: { acceptInsecureCerts: true } },
    });
    this.capabilities = capabilities;
    return this;
  }

  version() {
    return this.capabilities.browserVersion;
  }

  async newPage() {
    const { context } = await this.command('browsingContext.create', { type: 'tab' });
    return new Page(this, context);
  }

  async close() {
    const ended = once(this.program, 'exit');
    await this.command('browser.close');
    await ended;
  }
}

/// The address where Firefox, once it has started, takes commands.
function addressOf(firefox, path) {
  const said = [];
  return new Promise((resolve) => {
    firefox.on('error', (error) => fail(`${path} does not start: ${error.message}`));
    firefox.on('exit', (status, signal) => fail(`${path} ended with ${signal ?? status}: ${said.join('\n')}`));
    createInterface(firefox.stderr).on('line', (line) => {
      const match = /^WebDriver BiDi listening on (ws:\S+)$/.exec(line);
      if (match) resolve(match[1]);
      else said.push(line);
    });
  });
}

/// Starts the Firefox of `--firefox` with a profile of its own, for as long as this program runs. It accepts any certificate.
export async function startFirefox() {
  const path = programOf('--firefox', '/usr/bin/firefox-esr', 'firefox-esr');
  const profile = mkdtempSync(join(tmpdir(), 'fairlead-firefox-'));
  const firefox = spawn(path, ['--headless', '--remote-debugging-port', '0', '--profile', profile], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, HOME: profile },
  });
  process.on('exit', () => {
    firefox.kill('SIGKILL');
    rmSync(profile, { recursive: true, force: true, maxRetries: 10 });
  });
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));
  setTimeout(() => fail(`no end after ${patience / 1000} seconds`), patience).unref();

  const socket = new WebSocket(`${await addressOf(firefox, path)}/session`, { perMessageDeflate: false });
  await once(socket, 'open');
  firefox.removeAllListeners('exit');
  return new Firefox(firefox, socket).start();
}
