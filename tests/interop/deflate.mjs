// What the JavaScript clients share about permessage-deflate: what has to be agreed on, and messages whose size on the
// wire tells what the compressor remembered.

import { randomBytes } from 'node:crypto';
import { fail } from './support.mjs';

/// For startServer(): deflate_server compresses with libdeflate where it may.
export const serverArgs = process.argv.includes('--libdeflate') ? ['--libdeflate'] : [];

const takeovers = [false, true].flatMap((send) => [false, true].map((receive) => ({ send, receive })));

/// Every configuration of the server with its route in deflate_server.
export function serverConfigs({ sendWindows = range(9, 15), receiveWindows = range(8, 15) } = {}) {
  return takeovers.flatMap((takeover) => sendWindows.flatMap((sendWindow) => receiveWindows.map((receiveWindow) => ({
    sendWindow, receiveWindow, sendTakeover: takeover.send, receiveTakeover: takeover.receive,
    path: `/${sendWindow}/${receiveWindow}/${Number(takeover.send)}/${Number(takeover.receive)}`,
  }))));
}

export function range(first, last) {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

/// What RFC 7692 section 7.1 and the rules of accept_deflate() make of one offer, or null when it is declined. In an
/// offer `serverWindow` is a number or undefined; `clientWindow` also `true`, for the parameter without a value.
export function agreementOf(server, offer) {
  const serverNoTakeover = Boolean(offer.serverNoTakeover) || !server.sendTakeover;
  const clientNoTakeover = Boolean(offer.clientNoTakeover) || !server.receiveTakeover;
  const serverWindow = Math.min(offer.serverWindow ?? 15, server.sendWindow);
  if (serverWindow < 9) return null; // zlib has no such compressor
  let clientWindow = 15;
  if (offer.clientWindow !== undefined) {
    // Only a client that names 8 itself is asked for it.
    clientWindow = Math.min(offer.clientWindow === true ? 15 : offer.clientWindow, Math.max(9, server.receiveWindow));
  }
  if (!clientNoTakeover && clientWindow > server.receiveWindow) return null;
  const params = [];
  if (serverNoTakeover) params.push('server_no_context_takeover');
  if (clientNoTakeover) params.push('client_no_context_takeover');
  if (offer.serverWindow !== undefined || serverWindow < 15) params.push(`server_max_window_bits=${serverWindow}`);
  if (clientWindow < 15) params.push(`client_max_window_bits=${clientWindow}`);
  const header = ['permessage-deflate', ...params].join('; ');
  return { header, serverNoTakeover, clientNoTakeover, serverWindow, clientWindow };
}

/// Three messages that cannot be compressed by themselves: one, then as many bytes as a window of `bits` surely reaches
/// across, or surely does not, then the first again.
export function probe(bits, reachable) {
  const size = 48;
  const first = randomBytes(size);
  // zlib keeps 262 bytes of its window free.
  return [first, randomBytes(reachable ? 2 ** bits - 262 - size - 64 : 2 ** bits), first];
}

/// Checks the bytes that the third message of a probe took.
export function expectRemembered(wireSize, remembered, what) {
  const size = 48;
  if (remembered ? wireSize > size / 2 : wireSize < size) {
    fail(`${what}: a repeated message of ${size} bytes took ${wireSize}, though ` +
      `the one before should ${remembered ? '' : 'not '}have been referred to`);
  }
}

/// Messages of a kind that is really sent: of one shape, with values that change.
export function jsonOf(i, size = 1024) {
  const event = (n) => JSON.stringify({
    type: 'quote', seq: n, symbol: ['EURUSD', 'USDJPY', 'GBPUSD'][n % 3], bid: 1.08 + (n * 7919 % 1000) / 1e5,
    ask: 1.081 + (n * 104729 % 1000) / 1e5, venue: 'LD4', at: 1700000000000 + n * 137,
  });
  let text = '';
  for (let n = i * 100; text.length < size; ++n) text += `${event(n)}\n`;
  return Buffer.from(text.slice(0, size));
}
