// A connection of ws, the WebSocket client of Node.js.

import { createRequire } from 'node:module';
import { fail, need } from './support.mjs';

const { default: WebSocket } = await need('ws');
export const { version } = createRequire(import.meta.url)('ws/package.json');

/// Messages wait until they are asked for.
export class WsClient {
  static async open(url, options = {}) {
    const client = new this();
    client.socket = new WebSocket(url, { perMessageDeflate: false, ...options });
    client.waiting = [];
    client.socket.on('upgrade', (response) => { client.response = response; });
    client.closed = new Promise((resolve) => {
      client.socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() }));
    });
    client.socket.on('error', (error) => { client.error = error; });
    client.closed.then(() => client.wake?.());
    client.socket.on('message', (data, isBinary) => {
      client.waiting.push({ data, isBinary });
      client.wake?.();
    });
    await Promise.race([new Promise((resolve) => client.socket.on('open', resolve)), client.closed]);
    if (client.socket.readyState !== WebSocket.OPEN) fail(`no connection: ${client.error?.message}`);
    return client;
  }

  async receive() {
    while (this.waiting.length === 0) {
      if (this.socket.readyState === WebSocket.CLOSED) {
        const { code, reason } = await this.closed;
        const why = [code, reason, this.error?.message].filter(Boolean).join(', ');
        fail(`the connection closed where a message was expected: ${why}`);
      }
      await new Promise((resolve) => { this.wake = resolve; });
    }
    return this.waiting.shift();
  }

  async close(code, reason) {
    this.socket.close(code, reason);
    return this.closed;
  }
}
