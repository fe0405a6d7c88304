// Runs in the pages that openPage() of browser.mjs opens, before the page's own scripts: one WebSocket at a time, from page code.

window.interop = (() => {
  let socket;
  const waiting = [];
  let wake = () => {};
  let closing;

  const textUnit = 'fairlead \u00e9 \u20ac \u{1f6a2} ';
  const encoder = new TextEncoder();

  function textOf(size) {
    const unitSize = encoder.encode(textUnit).length;
    return textUnit.repeat(Math.floor(size / unitSize)) + 'x'.repeat(size % unitSize);
  }

  function bytesOf(size) {
    const bytes = new Uint8Array(size);
    for (let i = 0; i < size; ++i) bytes[i] = (i * 31 + (i >> 8)) & 0xff;
    return bytes;
  }

  function difference(actual, expected) {
    const shorter = Math.min(actual.length, expected.length);
    let at = 0;
    while (at < shorter && actual[at] === expected[at]) ++at;
    if (at === actual.length && at === expected.length) return '';
    return `${actual.length} bytes came back for ${expected.length}; they differ from byte ${at}`;
  }

  async function receive() {
    while (waiting.length === 0) {
      if (socket.readyState === WebSocket.CLOSED) throw new Error('the connection closed where a message was expected');
      await new Promise((resolve) => { wake = resolve; });
    }
    return waiting.shift();
  }

  async function expectText(text) {
    const message = await receive();
    if (typeof message !== 'string') return 'binary came back for text';
    return message === text ? '' : difference(encoder.encode(message), encoder.encode(text));
  }

  async function expectBytes(bytes) {
    const message = await receive();
    if (typeof message === 'string') return 'text came back for binary';
    return difference(new Uint8Array(message), bytes);
  }

  return {
    open(path = '/echo') {
      socket = new WebSocket(`${location.origin.replace('http', 'ws')}${path}`);
      socket.binaryType = 'arraybuffer';
      socket.onmessage = ({ data }) => { waiting.push(data); wake(); };
      closing = new Promise((resolve) => {
        socket.onclose = ({ code, reason, wasClean }) => { resolve({ code, reason, wasClean }); wake(); };
      });
      return new Promise((resolve) => {
        socket.onopen = () => resolve({ extensions: socket.extensions, protocol: socket.protocol });
        closing.then(({ code }) => resolve({ error: `not opened, closed with ${code}` }));
      });
    },

    /// Each of these answers with what is wrong, or an empty string.
    exchangeText(size) {
      const text = textOf(size);
      socket.send(text);
      return expectText(text);
    },
    exchangeBytes(size) {
      const bytes = bytesOf(size);
      socket.send(bytes);
      return expectBytes(bytes);
    },
    exchangeBlob(size) {
      const bytes = bytesOf(size);
      socket.send(new Blob([bytes]));
      return expectBytes(bytes);
    },
    /// Bytes that cannot be compressed, `times` in a row: only what refers to the message before is smaller.
    async exchangeRandom(size, times = 1) {
      const bytes = new Uint8Array(size);
      for (let at = 0; at < size; at += 65536) crypto.getRandomValues(bytes.subarray(at, at + 65536));
      let wrong = '';
      for (let i = 0; i < times && !wrong; ++i) {
        socket.send(bytes);
        wrong = await expectBytes(bytes);
      }
      return wrong;
    },
    async exchangeMany(count) {
      for (let i = 0; i < count; ++i) socket.send(i % 2 ? bytesOf(i * 7) : textOf(i * 7));
      for (let i = 0; i < count; ++i) {
        const wrong = await (i % 2 ? expectBytes(bytesOf(i * 7)) : expectText(textOf(i * 7)));
        if (wrong) return `message ${i}: ${wrong}`;
      }
      return '';
    },

    /// Sends a message at which the server closes.
    beClosed() {
      socket.send('close');
      return closing;
    },
    close(code, reason) {
      if (code === undefined) socket.close();
      else socket.close(code, reason);
      return closing;
    },
    sendTooMuch(size) {
      socket.send(bytesOf(size));
      return closing;
    },
  };
})();
