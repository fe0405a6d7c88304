// What the chat server does with what it is sent, right or wrong: `node chat_protocol.mjs --server PATH_TO_chat`.

import { expectEqual, startServer, step, stopServer } from './support.mjs';
import { WsClient } from './ws_connection.mjs';

const port = await startServer();

class Visitor extends WsClient {
  static arrive(query = '') { return Visitor.open(`ws://127.0.0.1:${port}/chat${query}`); }

  static async enter(room, name) {
    const visitor = await Visitor.arrive();
    visitor.say({ type: 'join_room', room, name });
    visitor.joined = await visitor.expect({ type: 'room_joined', room });
    return visitor;
  }

  say(message) { this.socket.send(JSON.stringify(message)); }

  /// The next message has to be text, JSON, and to have these members.
  async expect(members) {
    const { data, isBinary } = await this.receive();
    expectEqual(isBinary, false, 'the type of the message (binary)');
    const message = JSON.parse(data.toString());
    for (const [name, value] of Object.entries(members)) {
      expectEqual(JSON.stringify(message[name]), JSON.stringify(value), `"${name}" of ${data}`);
    }
    return message;
  }

  /// Nothing but these has come: what the visitor says now is what comes next.
  async expectNothingElse() {
    const id = `probe-${Math.random()}`;
    this.say({ type: 'room_message', id, text: 'probe' });
    await this.expect({ type: 'room_message', id });
  }

  async expectRefused(message, code) {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
    await this.expect({ type: 'error', code });
  }
}

const witness = await Visitor.enter('watched', 'Witness');
const check = (what, run) => step(what, run, () => witness.expectNothingElse());

await check('a room tells who is in it, who comes and who goes, with their number', async () => {
  const ada = await Visitor.enter('harbour', 'Ada');
  expectEqual(ada.joined.members.map(({ name }) => name).join(), 'Ada', 'the members');
  const other = await Visitor.enter('harbour', 'Ada');
  expectEqual(other.joined.members.length, 2, 'the number of members');
  if (other.joined.id === ada.joined.id) throw new Error('two people of one name have one id');
  await ada.expect({ type: 'user_joined', id: other.joined.id, name: 'Ada', count: 2 });

  other.say({ type: 'leave_room' });
  await other.expect({ type: 'room_left', room: 'harbour' });
  await ada.expect({ type: 'user_left', id: other.joined.id, name: 'Ada', count: 1 });

  other.say({ type: 'join_room', room: 'harbour', name: 'Grace' });
  await ada.expect({ type: 'user_joined', name: 'Grace', count: 2 });
  other.socket.terminate(); // without a word
  await ada.expect({ type: 'user_left', name: 'Grace', count: 1 });
  await ada.expectNothingElse();
  await ada.close(1000);
});

await check('the query names room and name as well', async () => {
  const ada = await Visitor.arrive('?room=harbour&name=Ada+%E2%82%AC');
  await ada.expect({ type: 'room_joined', room: 'harbour' });
  const grace = await Visitor.enter('harbour', 'Grace');
  expectEqual(grace.joined.members.map(({ name }) => name).join(), 'Ada \u20ac,Grace', 'the members');
  await Promise.all([ada.close(1000), grace.close(1000)]);
});

await check('a query that cannot be is refused with words, and a join message still can be sent', async () => {
  for (const [query, code] of [
    ['?room=harbour', 'bad_name'],
    ['?room=harbour&name=%FF', 'bad_name'], // not UTF-8: it would end the connections of all who were told
    ['?room=har%2Fbour&name=Ada', 'bad_room'],
    ['?room=&name=Ada', 'bad_room'],
  ]) {
    const visitor = await Visitor.arrive(query);
    await visitor.expect({ type: 'error', code });
    visitor.say({ type: 'join_room', room: 'harbour', name: 'Ada' });
    await visitor.expect({ type: 'room_joined' });
    await visitor.close(1000);
  }
});

await check('who enters another room leaves the one before', async () => {
  const ada = await Visitor.enter('one', 'Ada');
  const grace = await Visitor.enter('one', 'Grace');
  await ada.expect({ type: 'user_joined' });
  grace.say({ type: 'join_room', room: 'two', name: 'Grace' });
  await grace.expect({ type: 'room_joined', room: 'two', members: [{ id: grace.joined.id + 1, name: 'Grace' }] });
  await ada.expect({ type: 'user_left', id: grace.joined.id, count: 1 });
  ada.say({ type: 'room_message', id: '1', text: 'anybody?' });
  await ada.expect({ type: 'room_message', id: '1' });
  await grace.expectNothingElse();
  await Promise.all([ada.close(1000), grace.close(1000)]);
});

await check('a message comes to all with name, id and time; that somebody writes, to the others', async () => {
  const ada = await Visitor.enter('harbour', 'Ada');
  const grace = await Visitor.enter('harbour', 'Grace');
  await ada.expect({ type: 'user_joined' });
  ada.say({ type: 'typing_indicator' });
  await grace.expect({ type: 'typing_indicator', from: ada.joined.id, name: 'Ada' });
  const text = '<b>"quoted" \\ \u0000 \u{1f6a2}\n</b>';
  const before = Date.now();
  ada.say({ type: 'room_message', id: 'x1', text });
  for (const visitor of [ada, grace]) {
    const { at } = await visitor.expect({ type: 'room_message', from: ada.joined.id, name: 'Ada', id: 'x1', text });
    if (at < before - 1000 || at > Date.now() + 1000) throw new Error(`the time is ${at}`);
  }
  await Promise.all([ada.close(1000), grace.close(1000)]);
});

await check('limits: as long as allowed, and one more', async () => {
  const visitor = await Visitor.arrive();
  const join = (room, name) => ({ type: 'join_room', room, name });
  await visitor.expectRefused(join('r'.repeat(101), 'Ada'), 'bad_room');
  await visitor.expectRefused(join('', 'Ada'), 'bad_room');
  await visitor.expectRefused(join('a b', 'Ada'), 'bad_room');
  await visitor.expectRefused(join('r', '\u{1f6a2}'.repeat(41)), 'bad_name');
  await visitor.expectRefused(join('r', ''), 'bad_name');
  await visitor.expectRefused(join('r', 'line\nbreak'), 'bad_name');
  visitor.say(join('r'.repeat(100), '\u{1f6a2}'.repeat(40)));
  await visitor.expect({ type: 'room_joined', room: 'r'.repeat(100) });

  const message = (id, text) => ({ type: 'room_message', id, text });
  await visitor.expectRefused(message('1', ''), 'bad_text');
  await visitor.expectRefused(message('1', '\u{1f6a2}'.repeat(10_001)), 'bad_text');
  await visitor.expectRefused(message('', 'text'), 'bad_id');
  await visitor.expectRefused(message('i'.repeat(65), 'text'), 'bad_id');
  const longest = message('i'.repeat(64), '\u{1f6a2}'.repeat(10_000));
  visitor.say(longest);
  await visitor.expect(longest);
  await visitor.close(1000);
});

await check('what is no message is answered, and the connection goes on', async () => {
  const visitor = await Visitor.arrive();
  for (const wrong of ['', '{', 'hello', '[]', '"text"', '{}', '{"type":7}', '{"type":"room_message"}', '{"type":"room_message","id":1,"text":"t"}',
    '{"type":"join_room","room":"r"}', '{"type":"leave_room"} trailing', '{"type":"room_message","id":"1","text":"\\ud800"}',
    '['.repeat(20_000)]) {
    await visitor.expectRefused(wrong, 'bad_message');
  }
  await visitor.expectRefused({ type: 'dance' }, 'unknown_type');
  await visitor.expectRefused({ type: 'room_message', id: '1', text: 'to whom?' }, 'not_in_a_room');
  await visitor.expectRefused({ type: 'typing_indicator' }, 'not_in_a_room');
  visitor.say({ type: 'join_room', room: 'harbour', name: 'Ada' });
  await visitor.expect({ type: 'room_joined' });
  await visitor.close(1000);
});

await check('binary closes with 1003, more than 64 KiB with 1009; the room hears that they went', async () => {
  const ada = await Visitor.enter('harbour', 'Ada');
  for (const [wrong, code] of [[Buffer.from('{}'), 1003], ['x'.repeat(65_537), 1009]]) {
    const sender = await Visitor.enter('harbour', 'Sender');
    await ada.expect({ type: 'user_joined', count: 2 });
    sender.socket.send(wrong);
    expectEqual((await sender.closed).code, code, 'the close code');
    await ada.expect({ type: 'user_left', count: 1 });
  }
  await ada.close(1000);
});

await step('what was closed and refused is at /counters, by name', async () => {
  const counters = await (await fetch(`http://127.0.0.1:${port}/counters`)).json();
  expectEqual(counters.closed.message_too_big, 1, 'sessions closed for a message too big');
  expectEqual(counters.refused.head_too_large, 0, 'heads too large');
});

await stopServer();
