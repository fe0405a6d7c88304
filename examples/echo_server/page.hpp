// The page at /: it talks to the WebSocket at /echo of the server that it came from.
#pragma once

#include <string_view>

inline constexpr std::string_view page = R"html(<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>fairlead echo</title>
<style>
  :root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
  body { max-width: 36rem; margin: 2rem auto; padding: 0 1rem; }
  h1 { font-size: 1.3rem; margin-bottom: 0; }
  #state { margin-top: 0; opacity: .75; }
  #state.open::before { content: "\25cf  "; color: #2a9d4a; }
  #state.closed::before { content: "\25cf  "; color: #c0392b; }
  form { display: flex; gap: .5rem; }
  input { flex: 1; min-width: 0; font: inherit; padding: .5rem .7rem; border-radius: .4rem; border: 1px solid #8888; }
  button { font: inherit; padding: .5rem 1rem; border-radius: .4rem; border: 1px solid #8888; cursor: pointer; }
  ol { list-style: none; padding: 0; }
  li { display: flex; justify-content: space-between; gap: 1rem; padding: .4rem 0; border-bottom: 1px solid #8883; }
  li span { overflow-wrap: anywhere; }
  li time { white-space: nowrap; opacity: .6; font-variant-numeric: tabular-nums; }
</style>
<h1>fairlead echo</h1>
<p id="state" class="closed">connecting</p>
<form>
  <input id="text" autocomplete="off" placeholder="Say something" aria-label="Message" autofocus>
  <button>Send</button>
</form>
<ol id="log" aria-live="polite"></ol>
<script>
  const state = document.getElementById('state'), log = document.getElementById('log');
  const text = document.getElementById('text'), waiting = [];
  const ws = new WebSocket(location.origin.replace('http', 'ws') + '/echo');
  const show = (name, words) => { state.className = name; state.textContent = words; };
  ws.onopen = () => show('open', 'connected to ' + ws.url);
  ws.onclose = e => show('closed', 'closed with ' + e.code + (e.reason ? ': ' + e.reason : '') + '; reload to reconnect');
  ws.onmessage = e => {
    const line = document.createElement('li'), words = document.createElement('span'), time = document.createElement('time');
    words.textContent = e.data;
    time.textContent = (performance.now() - waiting.shift()).toFixed(2) + ' ms';
    line.append(words, time);
    log.prepend(line);
  };
  document.querySelector('form').onsubmit = e => {
    e.preventDefault();
    if (ws.readyState !== WebSocket.OPEN || !text.value) return;
    waiting.push(performance.now());
    ws.send(text.value);
    text.value = '';
  };
</script>
</html>
)html";
