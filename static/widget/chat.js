// widget/chat.js – one customer's conversation: what the page shows, as signals, and what the customer can do

import { Connection } from "../chat/connection.js";
import { Outbox } from "../chat/outbox.js";
import { newId, NOT_SIGNED_IN } from "../chat/protocol.js";
import { Timeline } from "../chat/timeline.js";
import { TypingHeard, TypingSignal } from "../chat/typing.js";
import { keep, kept, shelf } from "./kept.js";
import { batch, computed, signal } from "./ui.js";

/** @typedef {import("../chat/protocol.js").Frame} Frame */
/** @typedef {import("../chat/protocol.js").Message} Message */
/** @typedef {import("../chat/protocol.js").Conversation} Conversation */
/** @typedef {import("../chat/protocol.js").Attachment} Attachment */

const LATE_MS = 4_000; // a shorter interruption is nobody's business
const NOTHING = { conversation: null, messages: [], more: false, reset: false };
const MESSAGES = new Set(["conversation.start", "message.post"]);

export class Chat {
  state = signal("connecting");
  /** The close code after which the chat gave up. */ closed = signal(0);
  late = signal(false);
  /** @type {import("../vendor/signals-core.js").Signal<any>} */ welcome = signal(null);
  /** @type {import("../vendor/signals-core.js").Signal<Conversation|null>} */ conversation = signal(null);
  /** @type {import("../vendor/signals-core.js").Signal<Message[]>} */ messages = signal([]);
  earlier = signal(false);
  /** @type {import("../vendor/signals-core.js").Signal<any[]>} */ entries = signal([]);
  /** @type {import("../vendor/signals-core.js").Signal<any[]>} */ typing = signal([]);
  /** The customer asked for a new conversation; the ended one stays readable. */ again = signal(false);
  /** A start was refused because the queue is closed: its words, to be left as a message. @type {import("../vendor/signals-core.js").Signal<any>} */
  left = signal(null);
  seenTo = signal(0);
  shown = signal(false);
  sound = signal(true);

  unread = computed(() => this.messages.value.filter((message) => this.#isNews(message)).length);
  /** Messages of ours that the desk has not stored yet. */
  pending = computed(() => this.entries.value.filter(({ command }) => MESSAGES.has(command.type)));
  started = computed(() => !this.again.value && !!(this.conversation.value || this.pending.value.length));
  open = computed(() => this.started.value && this.conversation.value?.state !== "ended");

  #key;
  #place;
  #host;
  #hello;
  #timeline = new Timeline({ place: ({ seq }) => seq });
  #connection;
  #outbox;
  #signal;
  #heard = new TypingHeard((people) => (this.typing.value = people));
  /** @type {string|null} */ #token;
  /** @type {Map<string, Attachment>} Files of messages that are on their way. */ #files = new Map();
  /** @type {Map<string, (frame: Frame) => void>} */ #asked = new Map();
  #toldSeen = 0;
  /** @type {any} */ #lateTimer;

  /** @param {{key: string, locale: string, place: string, socket: string, host: import("./host.js").Host}} options */
  constructor({ key, locale, place, socket, host }) {
    this.#key = `helpdesk:${key}`;
    this.#place = place;
    this.#host = host;
    this.#hello = { locale };
    this.#token = kept(`${this.#key}:token`);
    this.sound.value = kept(`${this.#key}:sound`) !== "off";
    this.#connection = new Connection({
      url: socket,
      statusUrl: `${place}status/`,
      poll: { url: `${place}poll/`, holds: () => ({ ...this.#holds(), after: this.#timeline.last?.seq ?? 0, version: this.#version }) },
      hello: () => ({ ...this.#hello, ...this.#holds(), last: this.#timeline.last?.id }),
      onFrame: (frame) => batch(() => this.#take(frame)),
      onState: (state, code) => batch(() => this.#turned(state, code)),
    });
    this.#outbox = new Outbox({
      storageKey: `${this.#key}:outbox`,
      storage: /** @type {Storage} */ (shelf),
      send: (command) => this.#connection.send(command),
      onChange: () => (this.entries.value = this.#outbox.entries),
      lane: () => "", // a start comes before the posts that need it
    });
    this.entries.value = this.#outbox.entries;
    this.#signal = new TypingSignal((typing) => this.#connection.send({ type: "typing", ...typing }));
  }

  // --- what the customer does

  /** @param {object} about page, identity, fields: what the host tells */
  connect(about = {}) {
    Object.assign(this.#hello, about);
    this.#awaitPatiently();
    this.#connection.open();
  }

  /** @param {object} identity */
  identify(identity) {
    Object.assign(this.#hello, { identity });
    this.#reconnect();
  }

  /** @param {{text: string, files?: Attachment[], queue?: string, name?: string, email?: string, fields?: object}} first */
  start({ files = [], ...first }) {
    this.#shareToken();
    this.again.value = false;
    this.left.value = this.conversation.value = null;
    this.#show([]);
    this.#add({ type: "conversation.start", ...first }, files);
    this.#host.event("start");
  }

  /** Kept before anything can be stored, so that a resend comes from the same customer. If another tab was first, we
   * are who it is. */
  #shareToken() {
    const first = this.conversation.value ? null : kept(`${this.#key}:token`);
    if (first && first !== this.#token) {
      this.#token = first;
      this.#reconnect();
    }
    keep(`${this.#key}:token`, this.#token);
  }

  /** @param {string} text @param {Attachment[]} files */
  post(text, files = []) {
    this.#signal.stopped();
    this.#add({ type: "message.post", text, conversation: this.conversation.value?.id }, files);
  }

  /** @param {object} command @param {Attachment[]} files */
  #add(command, files) {
    for (const file of files) this.#files.set(file.id, file);
    const attachments = files.length ? files.map(({ id }) => id) : undefined;
    this.#outbox.add({ type: "", ...command, attachments });
  }

  /** @param {string} id */
  retry(id) {
    this.#outbox.retry(id);
  }

  /** @param {string} id */
  drop(id) {
    this.#outbox.drop(id);
  }

  end() {
    this.#outbox.add({ type: "conversation.end", conversation: this.conversation.value?.id });
  }

  /** Leaves the line: what was written is answered by e-mail. @param {string} [email] */
  leave(email) {
    this.#outbox.add({ type: "conversation.leave", email });
  }

  /** @param {number} score @param {string} comment */
  rate(score, comment) {
    this.#outbox.add({ type: "conversation.rate", score, comment: comment || undefined });
  }

  /** @param {string} text */
  typed(text) {
    if (!this.conversation.value || this.conversation.value.state === "ended") return;
    if (text) this.#signal.touched(this.welcome.value.site.typing_preview ? text : undefined);
    else this.#signal.stopped();
  }

  /** @param {File} file @param {(part: number) => void} onProgress */
  upload(file, onProgress) {
    const headers = { Authorization: `Bearer ${this.#token}` };
    // Loaded when there is something to send.
    const upload = import("../chat/upload.js").then(({ send }) => send(`${this.#place}uploads/`, file, { headers, onProgress }));
    return { done: upload.then(({ done }) => done), cancel: () => void upload.then(({ cancel }) => cancel()) };
  }

  /** @param {string} id */
  file(id) {
    return this.#files.get(id);
  }

  /** The customer has the newest message before their eyes. */
  seen() {
    if (!this.shown.peek() || document.hidden) return;
    const theirs = this.#timeline.messages.findLast(({ kind, author }) => kind === "text" && author.kind !== "customer");
    const seq = theirs?.seq ?? 0;
    this.seenTo.value = Math.max(this.seenTo.peek(), seq);
    if (seq > this.#toldSeen && this.#connection.send({ type: "message.read", seq })) this.#toldSeen = seq;
  }

  /** @param {boolean} on */
  hush(on) {
    this.sound.value = !on;
    keep(`${this.#key}:sound`, on ? "off" : "on");
  }

  /** The page above the first message that is held. */
  async loadEarlier() {
    const first = this.#timeline.messages[0];
    if (!first || !this.earlier.value) return;
    this.earlier.value = false; // asked once at a time
    const { messages, more } = await this.#ask({ before: first.seq });
    batch(() => {
      this.#hold(messages);
      this.earlier.value = more;
    });
  }

  /** Everything that was said, for keeping. */
  async whole() {
    while (this.earlier.value) await this.loadEarlier();
    return this.messages.value;
  }

  /** File addresses last an hour; the desk gives new ones. @param {Message} message */
  async renew({ seq }) {
    const { messages } = await this.#ask({ after: seq - 1, limit: 1 });
    this.#timeline.renew(messages);
    this.messages.value = this.#timeline.messages;
  }

  retryNow() {
    this.closed.value = 0;
    this.#connection.open();
  }

  /** A customer signs out of the host's page: nobody who comes next may read on. */
  forget() {
    keep(`${this.#key}:token`, null);
    for (const { id } of this.#outbox.entries) this.#outbox.drop(id);
    this.#connection.close();
  }

  // --- what the desk says

  get #version() {
    return this.conversation.value?.version;
  }

  #holds() {
    // Who holds nothing names no `after`: from 0 on would bring the oldest page.
    return { token: this.#token, conversation: this.conversation.value?.id, after: this.#timeline.last?.seq };
  }

  /** @param {Frame} frame */
  #take(frame) {
    switch (frame.type) {
      case "welcome":
        return this.#welcomed(frame);
      case "message.posted":
        return this.#posted(frame);
      case "conversation.changed":
        this.#changed(frame.conversation);
        return this.#fillTo(this.conversation.value?.seq ?? 0);
      case "typing":
        if (frame.author.kind !== "customer") this.#heard.take(/** @type {any} */ (frame));
        return;
      case "ack":
      case "refused":
        return this.#answered(frame);
      case "pong":
        return this.#compare(frame);
    }
  }

  /** @param {Frame} frame */
  #welcomed(frame) {
    this.#token = frame.token;
    this.welcome.value = frame;
    this.#asked.clear();
    const { conversation, messages, reset, more } = this.#starting(frame) ? NOTHING : frame;
    const another = conversation?.id !== this.conversation.value?.id;
    const resumed = !another && !reset && !!this.#timeline.last;
    if (another || reset) this.#timeline.reset();
    if (another || (conversation && conversation.version >= (this.#version ?? 0))) this.#holdOf(conversation);
    this.#hold(messages);
    if (!resumed) this.earlier.value = more;
    else if (more) void this.#fill();
    this.#toldSeen = conversation?.read.customer ?? 0;
    if (conversation) keep(`${this.#key}:token`, this.#token);
  }

  /** A start is still on its way: the conversation before it, which has ended, is not the one to show. @param {Frame} welcome */
  #starting({ conversation, messages }) {
    const start = this.pending.value.find(({ command }) => command.type === "conversation.start");
    return start && conversation?.state === "ended" && !messages.some((/** @type {Message} */ { id }) => id === start.id);
  }

  /** @param {Conversation|null} conversation */
  #holdOf(conversation) {
    const before = this.conversation.value;
    this.conversation.value = conversation;
    this.seenTo.value = Math.max(conversation?.read.customer ?? 0, before?.id === conversation?.id ? this.seenTo.value : 0);
    if (conversation?.state !== "active") this.#heard.clear();
    if (before?.id === conversation?.id && before?.state !== "ended" && conversation?.state === "ended") this.#host.event("end");
  }

  /** @param {Conversation} changed */
  #changed(changed) {
    const held = this.conversation.value;
    if (held && held.id !== changed.id && held.created_at > changed.created_at) return;
    if (held?.id === changed.id && held.version > changed.version) return;
    if (held?.id !== changed.id) this.#show([]);
    this.#holdOf(changed);
  }

  /** @param {Frame} frame */
  #posted({ conversation, message }) {
    if (conversation !== this.conversation.value?.id) return;
    const isNew = this.#hold([message]);
    this.#heard.clear(message.author.id);
    if (this.#timeline.hole) void this.#fill();
    if (!isNew || !this.#isNews(message)) return;
    this.#host.event("message", { author: message.author.name, text: message.text });
    if (this.sound.value && (!this.shown.value || document.hidden)) void ring();
  }

  /** @param {Frame} frame */
  #answered(frame) {
    const answer = this.#asked.get(frame.id ?? "");
    if (answer) {
      this.#asked.delete(frame.id ?? "");
      return answer(frame);
    }
    const entry = this.#outbox.settle(frame);
    if (!entry) return;
    if (frame.type === "refused") return this.#refused(frame, entry);
    if (typeof frame.conversation === "object") this.#changed(frame.conversation);
    if (MESSAGES.has(entry.command.type)) this.#stored(frame, entry);
  }

  /** Our own message comes back as an ack alone. @param {Frame} frame @param {any} entry */
  #stored({ conversation, seq, at }, { id, command }) {
    if ((conversation.id ?? conversation) !== this.conversation.value?.id) return;
    const { customer } = this.welcome.value;
    const named = command.attachments ?? [];
    const attachments = named.map((/** @type {string} */ file) => this.#files.get(file)).filter(Boolean);
    const author = { kind: /** @type {const} */ ("customer"), id: customer.id, name: command.name ?? customer.name };
    const message = { seq, id, kind: /** @type {const} */ ("text"), author, text: command.text, attachments, at };
    this.#hold([message]);
    if (attachments.length < named.length) void this.renew(message); // added before a reload: the desk knows them
    this.#fillTo(conversation.seq ?? seq);
  }

  /** @param {Frame} frame @param {any} entry */
  #refused({ code }, { id, command }) {
    if (!MESSAGES.has(command.type)) return this.#outbox.drop(id);
    if (code === "already_open") {
      this.#outbox.change(id, { type: "message.post" }); // begun in another tab
      this.#reconnect();
    }
    if (code === "queue_closed") {
      this.left.value = command;
      this.#outbox.drop(id);
    }
  }

  /** What a pong knows and we do not was lost on the way. @param {Frame} frame */
  #compare({ seq = 0, version = 0 }) {
    if (!this.conversation.value) return;
    if (version > (this.#version ?? 0)) this.#reconnect();
    else this.#fillTo(seq);
  }

  /** @param {number} seq */
  #fillTo(seq) {
    if (this.#timeline.hole || this.#timeline.lacks(seq)) void this.#fill();
  }

  /** Asks for what comes after the unbroken part, page by page. */
  async #fill() {
    const { messages, more } = await this.#ask({ after: this.#timeline.last?.seq ?? 0 });
    this.#hold(messages);
    if (more) void this.#fill();
  }

  /** @param {object} which @returns {Promise<{messages: Message[], more: boolean}>} */
  #ask(which) {
    const id = newId();
    const conversation = this.conversation.value?.id;
    return new Promise((resolve) => {
      this.#asked.set(id, ({ messages = [], more = false }) => {
        if (conversation === this.conversation.value?.id) resolve({ messages, more });
      });
      this.#connection.send({ type: "history.get", id, conversation, ...which });
    });
  }

  /** @param {Message[]} messages @returns {boolean} whether something new came */
  #hold(messages) {
    for (const message of messages) {
      if (message.author.kind === "customer") this.#outbox.settle({ type: "message.posted", message });
    }
    const isNew = this.#timeline.add(messages);
    this.messages.value = this.#timeline.messages;
    return isNew;
  }

  /** @param {Message[]} messages */
  #show(messages) {
    this.#timeline.reset(messages);
    this.messages.value = this.#timeline.messages;
    this.earlier.value = false;
    this.seenTo.value = 0;
  }

  /** @param {Message} message */
  #isNews({ seq, kind, author }) {
    return kind === "text" && author.kind !== "customer" && seq > this.seenTo.value;
  }

  // --- the line to the desk

  /** @param {string} state @param {number} [code] */
  #turned(state, code) {
    this.state.value = state;
    if (state === "online") {
      clearTimeout(this.#lateTimer);
      this.late.value = false;
      this.#outbox.resend();
      this.seen();
    } else this.#awaitPatiently();
    if (state !== "closed" || code === 1000) return;
    if (code === NOT_SIGNED_IN && this.#token) this.#startAnew();
    else this.closed.value = code ?? 0;
  }

  #awaitPatiently() {
    clearTimeout(this.#lateTimer);
    this.#lateTimer = setTimeout(() => (this.late.value = true), LATE_MS);
  }

  /** The token opens nothing any more: a new customer begins. */
  #startAnew() {
    this.#token = null;
    keep(`${this.#key}:token`, null);
    this.conversation.value = null;
    this.#show([]);
    this.#connection.open();
  }

  #reconnect() {
    if (this.#connection.state === "closed") return;
    this.#connection.close();
    this.#connection.open();
  }
}

/** Loaded when there is something to hear. */
async function ring() {
  const { chime } = await import("../chat/sound.js");
  chime();
}
