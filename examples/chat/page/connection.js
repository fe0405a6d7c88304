// A WebSocket that comes back: after every loss it tries again, later each time, until close().

const firstDelay = 500; // milliseconds; doubled with each attempt
const longestDelay = 15_000;
const openTimeout = 10_000;

// After these the same attempt would end in the same way (RFC 6455 section 7.4.1).
const finalCodes = new Set([1002, 1003, 1007, 1008, 1009]);

/// Events: `open`; `message`, with the parsed JSON as its detail; `lost`, with {code, reason, delay} as its
/// detail, where delay is in milliseconds and absent when there will be no other attempt.
export class Connection extends EventTarget {
  #url;
  #socket = null;
  #attempts = 0; // since the last message
  #timer = 0;

  constructor(url) {
    super();
    this.#url = url;
    addEventListener('online', () => this.retry());
  }

  get isOpen() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  open() {
    clearTimeout(this.#timer);
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    this.#timer = setTimeout(() => socket.close(), openTimeout);
    socket.onopen = () => {
      clearTimeout(this.#timer);
      this.dispatchEvent(new Event('open'));
    };
    socket.onmessage = ({ data }) => {
      this.#attempts = 0; // not at open: a server that accepts only to close shall not be run down
      this.dispatchEvent(new CustomEvent('message', { detail: JSON.parse(data) }));
    };
    socket.onclose = ({ code, reason }) => this.#lost(code, reason);
  }

  /// False, and nothing is sent, while there is no connection.
  send(message) {
    if (!this.isOpen) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  /// Ends a wait for the next attempt.
  retry() {
    if (this.#socket?.readyState === WebSocket.CLOSED) this.open();
  }

  close() {
    clearTimeout(this.#timer);
    if (this.#socket === null) return;
    this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close(1000);
    this.#socket = null;
  }

  #lost(code, reason) {
    clearTimeout(this.#timer);
    let delay;
    if (!finalCodes.has(code)) {
      // Half of it is left to chance, so that all the clients of a server that fell do not come back at once. One that
      // drains says when each is to come.
      const told = code === 1012 && /^retry-after-ms=(\d{1,5})$/.exec(reason);
      delay = told
        ? Number(told[1])
        : Math.min(longestDelay, firstDelay * 2 ** this.#attempts) * (0.5 + Math.random() / 2);
      this.#attempts += 1;
      this.#timer = setTimeout(() => this.open(), delay);
    }
    this.dispatchEvent(new CustomEvent('lost', { detail: { code, reason, delay } }));
  }
}
