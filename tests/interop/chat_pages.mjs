// People at the chat's page, in a real browser: `node chat_pages.mjs --server PATH_TO_chat [--browser PATH]
// [--screenshots FOLDER]`. Each has a browser context, as if on a machine of their own.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { startChromium } from './browser.mjs';
import { endServer, expectEqual, fail, option, signalServer, startServer, step, stopServer } from './support.mjs';

const screenshots = option('--screenshots', '');
if (screenshots) mkdirSync(screenshots, { recursive: true });
const markup = '<script>window.caught = 1</script> <img src=x onerror="window.caught = 1"> <b>bold</b> &amp;';

const port = await startServer();
const site = `http://127.0.0.1:${port}/`;
const browser = await startChromium();
console.log(`Chromium ${browser.version()}`);

/// One person at the page. Waits of this class fail the step when they take too long.
class Person {
  static async arrive(name, { query = '', ...options } = {}) {
    const person = new Person();
    person.name = name;
    const context = await browser.newContext({ viewport: { width: 1100, height: 720 }, ...options });
    person.page = await context.newPage();
    person.page.setDefaultTimeout(30_000);
    person.page.on('pageerror', (error) => fail(`the page of ${name} threw ${error.stack}`));
    await person.page.goto(site + query);
    return person;
  }

  async enter(room) {
    await this.page.fill('#name', this.name);
    await this.page.fill('#room-name', room);
    await this.page.click('#entry-form button');
    await this.isOnline();
    return this;
  }

  isOnline() { return this.sees('#state', 'Online'); }
  isOffline() { return this.sees('#state', 'Offline'); }

  async say(text) {
    await this.page.fill('#text', text);
    await this.page.press('#text', 'Enter');
  }

  /// Waits for an element with exactly that text.
  async sees(selector, text) {
    await this.page.locator(selector).filter({ hasText: new RegExp(`^${escaped(text)}$`) }).first().waitFor();
  }

  /// Waits for a message, and checks that it is there once.
  async reads(text) {
    const found = this.page.locator('.message:not(.waiting) .body p').filter({ hasText: new RegExp(`^${escaped(text)}$`) });
    await found.first().waitFor();
    expectEqual(await found.count(), 1, `how often ${this.name} sees "${text}"`);
  }

  /// Waits for a notice that has these words in it.
  async isTold(words) {
    await this.page.locator('.notice').filter({ hasText: words }).last().waitFor();
  }

  async members() {
    return (await this.page.locator('#member-list bdi').allTextContents()).join(', ');
  }

  async picture(name) {
    if (screenshots) await this.page.screenshot({ path: join(screenshots, `${name}.png`) });
  }
}

const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
const isolated = (name) => `\u2068${name}\u2069`;

let ada, grace;

await step('two people enter a room and see each other', async () => {
  ada = await (await Person.arrive('Ada')).enter('harbour');
  await ada.isTold('You are the only one here.');
  grace = await Person.arrive('Grace', { query: '?room=harbour', colorScheme: 'dark' });
  expectEqual(await grace.page.inputValue('#room-name'), 'harbour', 'the room that the address names');
  await grace.enter('harbour');
  await ada.isTold(`${isolated('Grace')} joined. 2 are here.`);
  await grace.isTold('2 are here.');
  expectEqual(await ada.members(), 'Ada, Grace', 'the members that Ada sees');
  expectEqual(await grace.members(), 'Ada, Grace', 'the members that Grace sees');
});

await step('messages reach both, each once, with the sender\'s name', async () => {
  await ada.say('Is the pilot on board?');
  await grace.reads('Is the pilot on board?');
  await ada.reads('Is the pilot on board?');
  await grace.sees('.message .who', 'Ada');
  await grace.say('Since six. We cast off with the tide.');
  await ada.reads('Since six. We cast off with the tide.');
  await ada.say('Then:\n1. single up\n2. let go aft');
  await grace.reads('Then:\n1. single up\n2. let go aft');
});

await step('who writes is shown to the other, until the message comes', async () => {
  await grace.page.locator('#text').pressSequentially('Aye');
  await ada.sees('#typing', `${isolated('Grace')} is writing`);
  await ada.picture('chat-light');
  await grace.picture('chat-dark');
  expectEqual(await grace.page.textContent('#typing'), '', 'what Grace is told of her own writing');
  await grace.say('Aye aye');
  await ada.reads('Aye aye');
  await ada.sees('#typing', '');
});

await step('a phone shows the messages, and the members when they are asked for', async () => {
  const linus = await Person.arrive('Linus', { viewport: { width: 390, height: 780 }, deviceScaleFactor: 2, hasTouch: true });
  await linus.picture('chat-entry');
  await linus.enter('harbour');
  await ada.say('Linus, can you take the bow line?');
  await linus.reads('Linus, can you take the bow line?');
  await linus.say('On my way.');
  await linus.picture('chat-phone');
  expectEqual(await linus.page.locator('#members').isVisible(), false, 'whether the members cover the messages');
  await linus.page.tap('#members-button');
  expectEqual(await linus.members(), 'Ada, Grace, Linus', 'the members that Linus sees');
  expectEqual(await linus.page.evaluate(() => document.documentElement.scrollWidth), 390, 'the width of the page');
  await linus.page.context().close();
});

await step('markup stays text, in messages and in names', async () => {
  await ada.say(markup);
  await grace.reads(markup);
  const mallory = await (await Person.arrive('<img src=x onerror=caught=1>')).enter('harbour');
  await mallory.say('<script>caught = 1</script>');
  for (const person of [ada, grace]) {
    await person.reads('<script>caught = 1</script>');
    await person.isTold(`${isolated('<img src=x onerror=caught=1>')} joined. 3 are here.`);
    expectEqual(await person.page.locator('#room script, #room img, #room b').count(), 0, 'elements made of text');
    expectEqual(await person.page.evaluate(() => window.caught), undefined, 'what a script would have set');
  }
  await mallory.page.context().close();
  await ada.isTold('left. 2 are here.');
});

await step('a reload comes back to the room, and keeps what the tab had read', async () => {
  await grace.page.reload();
  await grace.isOnline();
  await grace.reads('Is the pilot on board?');
  await ada.isTold(`${isolated('Grace')} left. You are the only one here.`);
  await ada.isTold(`${isolated('Grace')} joined. 2 are here.`);
  await grace.say('back from the reload');
  await ada.reads('back from the reload');
  await ada.say('welcome back');
  await grace.reads('welcome back');
});

await step('another room hears nothing of it', async () => {
  const eve = await (await Person.arrive('Eve')).enter('elsewhere');
  await ada.say('not for Eve');
  await grace.reads('not for Eve');
  await eve.say('alone');
  await eve.reads('alone');
  expectEqual(await eve.page.locator('.message').count(), 1, 'messages in the other room');
  await eve.page.click('#leave');
  await eve.page.locator('#entry').waitFor();
  await eve.page.context().close();
});

await step('a killed server: both see it, and what is written meanwhile waits', async () => {
  expectEqual(await endServer('SIGKILL'), 'SIGKILL', 'what ended the server');
  await Promise.all([ada.isOffline(), grace.isOffline()]);
  await ada.say('written while the server was down');
  await ada.sees('.message.waiting .body p', 'written while the server was down');
  await ada.picture('chat-offline');
});

await step('started again, both come back, and the waiting message arrives once', async () => {
  await startServer({ port });
  await Promise.all([ada.isOnline(), grace.isOnline()]);
  await grace.isTold('Connected again.');
  // Ada may have been back before Grace, who then could not get it.
  await ada.reads('written while the server was down');
  await ada.say('and we are back');
  await grace.say('so I see');
  await Promise.all([grace.reads('and we are back'), ada.reads('so I see')]);
});

await step('a message that was on its way when the server fell is sent again, and shown once', async () => {
  signalServer('SIGSTOP');
  await ada.say('into the void');
  await ada.sees('.message.waiting .body p', 'into the void');
  await endServer('SIGKILL');
  await ada.isOffline();
  await startServer({ port });
  await ada.isOnline();
  await ada.reads('into the void');
});

await step('a server that stops says so', async () => {
  expectEqual(await endServer('SIGTERM'), 0, 'the exit status');
  await ada.page.locator('#banner-text').filter({ hasText: 'The server is going down' }).waitFor();
  await startServer({ port });
  await Promise.all([ada.isOnline(), grace.isOnline()]);
});

await browser.close();
await stopServer();
