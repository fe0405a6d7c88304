// The chat page. What is said on the wire stands in client_message.hpp and rooms.hpp.
//
// A message of one's own is shown at once, and counts as sent when the server brings it back. What was not
// sent when the connection was lost is sent again after the next one, with the same id, so that everybody
// shows it once. Others' messages of the time in between are not kept by this server, and the page says so.

import { Connection } from './connection.js';

const $ = (id) => document.getElementById(id);
const log = $('log');
const text = $('text');

const keptEntries = 200; // of the log, over a reload of this tab
const typingInterval = 2_000; // milliseconds between two notices of the same writer
const typingShown = 4_000;
const groupedWithin = 180_000;

let connection = null;
let me = null; // {name, room}, from entering to leaving
let myId = 0; // the server's number for this connection, 0 while not in the room
let members = []; // {id, name}
let entries = []; // what the log shows
let waiting = []; // {id, text}: sent, but not brought back yet
let typists = new Map(); // connection id -> {name, timer}
let lostAt = 0;
let unread = 0;
let countdown = 0;
let lastTyping = 0;

// --- Entering and leaving

function showEntry(error = '') {
  $('room').hidden = true;
  $('entry').hidden = false;
  $('entry-error').textContent = error;
  $('name').value ||= localStorage.getItem('name') ?? '';
  $('room-name').value ||= new URLSearchParams(location.search).get('room') ?? 'lobby';
  document.title = 'fairlead chat';
  ($('name').value ? $('room-name') : $('name')).focus();
}

function enter(name, room) {
  me = { name, room };
  localStorage.setItem('name', name);
  history.replaceState(null, '', '?room=' + encodeURIComponent(room));
  const kept = JSON.parse(sessionStorage.getItem('chat') ?? 'null');
  const returns = kept?.me.room === room;
  entries = [];
  waiting = returns ? kept.waiting : [];
  log.replaceChildren();
  if (returns) kept.entries.forEach(append);

  $('entry').hidden = true;
  $('room').hidden = false;
  $('title').textContent = room;
  showMembers([]);
  text.focus();

  connection = new Connection(location.origin.replace(/^http/, 'ws') + '/chat');
  connection.addEventListener('open', () => connection.send({ type: 'join_room', ...me }));
  connection.addEventListener('message', ({ detail }) => (handlers[detail.type] ?? ignore)(detail));
  connection.addEventListener('lost', ({ detail }) => onLost(detail));
  showState('connecting', 'Connecting');
  connection.open();
}

function leave(error) {
  connection.send({ type: 'leave_room' });
  connection.close();
  stopCountdown();
  me = null;
  myId = 0;
  sessionStorage.removeItem('chat');
  showEntry(error);
}

// --- What the server says

const ignore = () => {};
const handlers = {
  room_joined(m) {
    myId = m.id;
    stopCountdown();
    showState('online', 'Online');
    showMembers(m.members);
    const here = m.members.length === 1 ? 'You are the only one here.' : `${m.members.length} are here.`;
    if (lostAt) {
      append({ notice: `Connected again. What others wrote since ${clockTime(lostAt)} is not shown here. ${here}`, gap: true });
    } else {
      append({ notice: `You entered the room. ${here}` });
    }
    lostAt = 0;
    for (const { id, text } of waiting) connection.send({ type: 'room_message', id, text });
  },

  user_joined(m) {
    showMembers([...members, { id: m.id, name: m.name }]);
    append({ notice: `${isolated(m.name)} joined. ${m.count} are here.` });
  },

  user_left(m) {
    showMembers(members.filter(({ id }) => id !== m.id));
    stopTyping(m.id);
    append({ notice: `${isolated(m.name)} left. ${m.count === 1 ? 'You are the only one here.' : `${m.count} are here.`}` });
  },

  room_message(m) {
    stopTyping(m.from);
    const known = entries.find(({ id }) => id === m.id);
    if (known) {
      if (waiting.some(({ id }) => id === m.id)) onSent(known, m.at);
      return;
    }
    append({ id: m.id, name: m.name, text: m.text, at: m.at, mine: false });
    if (document.hidden) showUnread(unread + 1);
  },

  typing_indicator({ from, name }) {
    clearTimeout(typists.get(from)?.timer);
    typists.set(from, { name, timer: setTimeout(() => stopTyping(from), typingShown) });
    showTyping();
  },

  error({ code, text }) {
    if (code === 'bad_name' || code === 'bad_room') {
      leave(text);
    } else {
      append({ notice: `The server did not take that: ${text}` });
    }
  },
};

function onSent(entry, at) {
  waiting = waiting.filter(({ id }) => id !== entry.id);
  entry.at = at;
  entry.element.classList.remove('waiting');
  entry.element.querySelector('time').textContent = clockTime(at);
  keep();
}

function onLost({ code, reason, delay }) {
  if (myId) lostAt = Date.now();
  myId = 0;
  typists.forEach(({ timer }) => clearTimeout(timer));
  typists.clear();
  showTyping();
  const why = code === 1001 || code === 1012 ? 'The server is going down' : reason ? `Disconnected: ${reason}` : 'No connection';
  stopCountdown();
  $('banner').hidden = false;
  if (delay === undefined) {
    showState('offline', 'Disconnected');
    $('banner-text').textContent = `${why} (${code}).`;
    return;
  }
  showState('offline', 'Offline');
  const due = Date.now() + delay;
  const show = () => {
    const seconds = Math.ceil((due - Date.now()) / 1000);
    $('banner-text').textContent = seconds > 0 ? `${why}. Trying again in ${seconds} s.` : `${why}. Trying again.`;
  };
  show();
  countdown = setInterval(show, 500);
}

function stopCountdown() {
  clearInterval(countdown);
  $('banner').hidden = true;
}

// --- What is shown. Everything from others goes in as text, never as markup.

function element(tag, className, content = '') {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = content;
  return made;
}

/// Within a sentence, a name that is written from right to left turns nothing else around.
function isolated(name) {
  return `\u2068${name}\u2069`;
}

function clockTime(at) {
  return new Date(at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
}

function face(name) {
  const made = element('span', 'face', [...name.trim()][0]?.toUpperCase() ?? '?');
  let hash = 0;
  for (const c of name) hash = (hash * 31 + c.codePointAt(0)) % 65_536;
  made.style.setProperty('--hue', Math.round((hash * 137.5) % 360)); // neighbours in the hash are far apart
  made.setAttribute('aria-hidden', 'true');
  return made;
}

function messageElement({ id, name, text, at, mine }) {
  const last = entries.at(-1);
  const follows = last && !last.notice && last.mine === mine && last.name === name && at - last.at < groupedWithin;
  const made = element('li', 'message');
  made.classList.toggle('mine', mine);
  made.classList.toggle('follows', Boolean(follows));
  const isWaiting = waiting.some((w) => w.id === id);
  made.classList.toggle('waiting', isWaiting);
  const who = element('span', 'who');
  who.append(element('bdi', '', mine ? 'You' : name));
  const words = element('p', '', text);
  words.dir = 'auto';
  const body = element('div', 'body');
  body.append(words, element('time', '', isWaiting ? 'not sent yet' : clockTime(at)));
  made.append(face(name), who, body);
  return made;
}

/// Adds a line to the log: {notice, gap?} or {id, name, text, at, mine}.
function append(entry) {
  const wasAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  const made = entry.notice ? element('li', entry.gap ? 'notice gap' : 'notice', entry.notice) : messageElement(entry);
  entries.push({ ...entry, element: made });
  log.append(made);
  while (entries.length > keptEntries) entries.shift().element.remove();
  keep();
  if (wasAtEnd || entry.mine) {
    log.scrollTop = log.scrollHeight;
  } else if (!entry.notice) {
    $('jump').hidden = false;
  }
}

/// For a reload of this tab.
function keep() {
  const lines = entries.map(({ element, ...entry }) => entry);
  sessionStorage.setItem('chat', JSON.stringify({ me, waiting, entries: lines }));
}

function showState(name, words) {
  $('state').className = `state ${name}`;
  $('state').textContent = words;
  $('members').classList.toggle('stale', name !== 'online');
}

function showMembers(list) {
  members = list;
  $('members-button').textContent = `${members.length} here`;
  $('member-list').replaceChildren(
    ...members.map(({ id, name }) => {
      const item = element('li', '');
      item.append(face(name), element('bdi', '', name));
      if (id === myId) item.append(element('span', 'quiet', '(you)'));
      return item;
    }),
  );
}

function showTyping() {
  const names = [...typists.values()].map(({ name }) => isolated(name));
  const shown = names.length > 3 ? `${names.length} people are writing` :
    names.length > 1 ? `${names.slice(0, -1).join(', ')} and ${names.at(-1)} are writing` :
    names.length === 1 ? `${names[0]} is writing` : '';
  $('typing').textContent = shown;
  $('typing').classList.toggle('shown', names.length > 0);
}

function stopTyping(id) {
  clearTimeout(typists.get(id)?.timer);
  if (typists.delete(id)) showTyping();
}

function showUnread(count) {
  unread = count;
  document.title = (unread ? `(${unread}) ` : '') + `#${me.room} · fairlead chat`;
}

// --- What the user does

function newId() {
  // randomUUID() is there only on https and localhost.
  return [...crypto.getRandomValues(new Uint8Array(12))].map((b) => b.toString(16).padStart(2, '0')).join('');
}

function say() {
  // What is no whole character, half of a pair, JSON could not carry.
  const words = (text.value.toWellFormed?.() ?? text.value).trim();
  if (!words) return;
  const message = { id: newId(), text: words };
  waiting.push(message);
  append({ ...message, name: me.name, at: Date.now(), mine: true });
  if (myId) connection.send({ type: 'room_message', ...message });
  text.value = '';
  lastTyping = 0;
  fitText();
}

function fitText() {
  text.style.height = 'auto';
  text.style.height = `${text.scrollHeight + 2}px`;
}

$('entry-form').addEventListener('submit', (event) => {
  event.preventDefault();
  const name = $('name').value.trim();
  if (!name) return showEntry('Please say who you are.');
  sessionStorage.removeItem('chat');
  enter(name, $('room-name').value);
  showUnread(0);
});
$('leave').addEventListener('click', () => leave(''));
$('retry').addEventListener('click', () => connection.retry());
$('members-button').addEventListener('click', () => {
  const isOpen = $('members').classList.toggle('open');
  $('members-button').setAttribute('aria-expanded', isOpen);
});
$('composer').addEventListener('submit', (event) => {
  event.preventDefault();
  say();
  text.focus();
});
text.addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    say();
  }
});
text.addEventListener('input', () => {
  fitText();
  if (!myId || !text.value.trim() || Date.now() - lastTyping < typingInterval) return;
  lastTyping = Date.now();
  connection.send({ type: 'typing_indicator' });
});
log.addEventListener('scroll', () => {
  if (log.scrollHeight - log.scrollTop - log.clientHeight < 40) $('jump').hidden = true;
});
$('jump').addEventListener('click', () => (log.scrollTop = log.scrollHeight));
document.addEventListener('visibilitychange', () => {
  if (!document.hidden && me) showUnread(0);
});

const before = JSON.parse(sessionStorage.getItem('chat') ?? 'null');
const asked = new URLSearchParams(location.search).get('room');
if (before && before.me.room === asked) {
  enter(before.me.name, before.me.room);
  showUnread(0);
} else {
  showEntry();
}
