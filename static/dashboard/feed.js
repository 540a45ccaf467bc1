// dashboard/feed.js – between the wire and the desk: every command the agent's screen gives.
//
//   const feed = new Feed(desk, {agent, socketUrl, statusUrl, …});
//   feed.open()
//   feed.state            signal: "connecting" | "online" | "offline" | "closed"
//   feed.closedBy         signal: the close code when state is "closed"
//   feed.pending          signal: what has been said and not yet stored; feed.failed: where something was refused
//   feed.onLost(command)  a message could not be stored and has no conversation to be shown in
//   feed.post end         kept in an outbox: they arrive, whatever the network does
//   feed.take setStatus   answered now or refused now: Promise, rejected with {code, detail}
//   feed.join onlyWatch takeOver setStatusOf block ready   a supervisor's; what is looked at is watched by itself
//   feed.read typing earlier

import { computed, signal } from "../vendor/signals-core.js";
import { Connection } from "../chat/connection.js";
import { Outbox } from "../chat/outbox.js";
import { newId } from "../chat/protocol.js";
import { TypingSignal } from "../chat/typing.js";

/** @typedef {import("./desk.js").Desk} Desk */
/** @typedef {import("../chat/protocol.js").Frame} Frame */
/** @typedef {import("../chat/protocol.js").Attachment} Attachment */

const ANSWER_MS = 8_000;
const SETTLE_MS = 150; // events overtake each other: look for holes when they have settled
const LINE_MS = 5_000; // how often a waiting conversation that is looked at is read again
const TYPING_MS = 8_000; // a customer who vanished while typing is not typing any more
const RENEW_MS = 50 * 60_000; // file addresses are valid for an hour

export class Feed {
  #desk;
  #connection;
  #outbox;
  /** @type {Map<string, {resolve: (frame: Frame) => void, reject: (refusal: Refusal) => void, timer: any}>} */ #asked = new Map();
  /** @type {Set<string>} Conversations whose history is under way. */ #fetching = new Set();
  /** @type {Map<string, TypingSignal>} */ #typing = new Map();
  /** @type {Map<string, any>} */ #typed = new Map();
  /** @type {any} */ #settling;
  #behind = 0;
  #watched = "";

  /**
   * @param {Desk} desk
   * @param {{agent: string, socketUrl: string, statusUrl?: string, storage?: Storage, Connection?: typeof Connection}} options
   */
  constructor(desk, { agent, socketUrl, statusUrl, storage, Connection: Line = Connection }) {
    this.#desk = desk;
    this.state = signal(/** @type {import("../chat/connection.js").State} */ ("connecting"));
    this.closedBy = signal(0);
    this.pending = signal(/** @type {import("../chat/outbox.js").Entry[]} */ ([]));
    this.failed = computed(() => new Set(this.pending.value.filter(failed).map(({ command }) => command.conversation)));
    /** @type {(command: Frame) => void} */
    this.onLost = () => {};
    this.#connection = new Line({
      url: socketUrl,
      statusUrl,
      hello: () => ({ after: desk.resume() }),
      onFrame: (frame) => this.heard(frame),
      onState: (state, code) => this.#became(state, code),
    });
    this.#outbox = new Outbox({
      storageKey: `desk.outbox.${agent}`,
      send: (command) => this.#connection.send(command),
      onChange: () => (this.pending.value = this.#outbox.entries),
      ...(storage && { storage }),
    });
    this.pending.value = this.#outbox.entries;
  }

  open() {
    this.#connection.open();
    setInterval(() => this.#readLine(), LINE_MS);
    setInterval(() => this.#renewFiles(), RENEW_MS);
  }

  // --- what the agent does

  /** @param {string} conversation @param {string} text @param {{note?: boolean, attachments?: Attachment[]}} [more] */
  post(conversation, text, { note = false, attachments = [] } = {}) {
    this.stopTyping(conversation);
    this.#outbox.add({
      type: "message.post",
      conversation,
      text,
      ...(note && { note }),
      ...(attachments.length && { attachments: attachments.map(({ id }) => id), shown: attachments }),
    });
  }

  /** After what has been said before it. @param {string} conversation @param {string} outcome */
  end(conversation, outcome) {
    this.stopTyping(conversation);
    this.#outbox.add({ type: "conversation.end", conversation, outcome });
  }

  /** @param {string} id */
  retry(id) {
    this.#outbox.retry(id);
  }

  /** @param {string} id */
  drop(id) {
    this.#outbox.drop(id);
  }

  /** @param {string} conversation */
  async take(conversation) {
    const ack = await this.#ask({ type: "conversation.take", conversation });
    this.#desk.changed(ack.conversation);
    this.#look();
  }

  /** What rings for me. @param {string} conversation */
  async accept(conversation) {
    const ack = await this.#ask({ type: "offer.accept", conversation });
    this.#desk.changed(ack.conversation);
    this.#look();
  }

  /** @param {string} conversation */
  async decline(conversation) {
    await this.#ask({ type: "offer.decline", conversation });
    this.#desk.apply({ type: "offer.withdrawn", conversation, why: "declined" });
  }

  /** The conversation stays with me until somebody has accepted it.
   * @param {string} conversation @param {{queue?: string, agent?: string}} to @param {string} note */
  async transfer(conversation, to, note) {
    const ack = await this.#ask({ type: "conversation.transfer", conversation, to, ...(note && { note }) });
    this.#desk.changed(ack.conversation);
  }

  /** @param {string} conversation @param {string[]} tags all of them */
  async tag(conversation, tags) {
    const ack = await this.#ask({ type: "conversation.tag", conversation, tags });
    this.#desk.changed(ack.conversation);
  }

  /** @param {string} status @param {string} [reason] */
  async setStatus(status, reason) {
    const ack = await this.#ask({ type: "status.set", status, ...(reason && { reason }) });
    this.#desk.agent(ack.agent);
  }

  /** A colleague's; they read who it was. @param {string} agent @param {string} status @param {string} reason */
  async setStatusOf(agent, status, reason) {
    const ack = await this.#ask({ type: "status.set", agent, status, ...(reason && { reason }) });
    this.#desk.agent(ack.agent);
  }

  /** Ready before the wrap-up is over. */
  async ready() {
    const ack = await this.#ask({ type: "wrap_up.end" });
    this.#desk.agent(ack.agent);
  }

  /** Speak beside the holder; the customer reads so. @param {string} conversation */
  async join(conversation) {
    this.#desk.joins(await this.#ask({ type: "conversation.join", conversation }));
  }

  /** Silent again. @param {string} conversation */
  onlyWatch(conversation) {
    this.#desk.parts(conversation);
    this.#unwatch(conversation);
    this.#oversee();
  }

  /** From a colleague, who is not asked. @param {string} conversation */
  async takeOver(conversation) {
    const to = { agent: this.#desk.me.value?.id };
    const ack = await this.#ask({ type: "conversation.transfer", conversation, to });
    this.#desk.changed(ack.conversation);
    this.#oversee();
    this.#look();
  }

  /** The conversation ends. @param {string} conversation @param {string} reason @param {number} seconds */
  async block(conversation, reason, seconds) {
    const ack = await this.#ask({ type: "customer.block", conversation, reason, seconds });
    this.#desk.changed(ack.conversation);
  }

  /** @param {string} conversation @param {number} seq */
  read(conversation, seq) {
    this.#desk.read(conversation, seq);
    this.#connection.send({ type: "message.read", conversation, seq });
  }

  /** @param {string} conversation */
  touched(conversation) {
    let typing = this.#typing.get(conversation);
    if (!typing) {
      typing = new TypingSignal(({ on }) => this.#connection.send({ type: "typing", conversation, on }));
      this.#typing.set(conversation, typing);
    }
    typing.touched();
  }

  /** @param {string} conversation */
  stopTyping(conversation) {
    this.#typing.get(conversation)?.stopped();
  }

  /** @param {string} conversation @param {number} before */
  earlier(conversation, before) {
    return this.#fetch(conversation, { before });
  }

  /** @param {string} conversation */
  look(conversation) {
    this.#desk.look(conversation);
    for (const entry of this.#desk.welcomed.value ? this.pending.value.filter(failed) : []) {
      if (!this.#desk.talk(entry.command.conversation)) this.#outbox.drop(entry.id);
    }
    this.#oversee();
    this.#look();
  }

  // --- what the desk says

  /** @param {Frame} frame */
  heard(frame) {
    if (frame.type === "ack" || frame.type === "refused") this.#answered(frame);
    this.#desk.apply(frame);
    if (frame.type === "typing") this.#forgetTyping(frame.conversation);
    if (frame.type === "message.posted") this.#outbox.settle(frame);
    if (frame.type === "pong") this.#compare(frame);
    if (frame.type === "welcome") this.#welcomed();
    else this.#oversee();
    this.#look();
  }

  #welcomed() {
    this.#behind = 0;
    this.#fetching.clear();
    this.#watched = "";
    // The connection counts as online only after this frame: then the outbox may send,
    // and first what lets it into conversations of others.
    queueMicrotask(() => {
      for (const id of this.#desk.joined.value) this.join(id).catch(() => this.#desk.parts(id));
      this.#oversee();
      this.#outbox.resend();
    });
  }

  /** What a supervisor looks at is watched, unseen; what they have left is not. */
  #oversee() {
    const talk = this.#desk.looked;
    const wanted = talk && this.#desk.oversees(talk) && !this.#desk.speaks(talk) ? talk.id : "";
    if (wanted === this.#watched || this.state.value !== "online") return;
    if (this.#watched && !this.#desk.joined.value.includes(this.#watched)) this.#unwatch(this.#watched);
    this.#watched = wanted;
    if (wanted) void this.#watch(wanted);
  }

  /** @param {string} conversation */
  async #watch(conversation) {
    try {
      const ack = await this.#ask({ type: "conversation.watch", conversation });
      if (this.#watched === conversation) this.#desk.watched(ack);
    } catch {
      // Refused (no supervisor any more) or offline: the next welcome tells.
    }
  }

  /** @param {string} conversation */
  #unwatch(conversation) {
    if (this.#watched === conversation) this.#watched = "";
    if (this.#desk.watching.value === conversation) this.#desk.watching.value = "";
    this.#connection.send({ type: "conversation.unwatch", conversation, id: newId() });
  }

  /** @param {Frame} frame */
  #answered(frame) {
    const entry = this.#outbox.settle(frame);
    if (entry && frame.type === "ack") this.#stored(entry.command, frame);
    else if (entry) this.#refused(entry.id);
    const asked = this.#asked.get(frame.id ?? "");
    if (!asked) return;
    this.#asked.delete(frame.id ?? "");
    clearTimeout(asked.timer);
    if (frame.type === "ack") asked.resolve(frame);
    else asked.reject(new Refusal(frame.code, frame.detail));
  }

  /** @param {Frame} command @param {Frame} ack */
  #stored(command, ack) {
    if (command.type === "conversation.end") return this.#desk.changed(ack.conversation);
    const { id, name, avatar } = this.#desk.me.value ?? { id: "", name: "" };
    this.#desk.said(command.conversation, {
      seq: ack.seq,
      notes: ack.notes ?? 0,
      id: command.id ?? "",
      kind: command.note ? "note" : "text",
      author: { kind: "agent", id, name, ...(avatar && { avatar }) },
      text: command.text,
      attachments: command.shown ?? [],
      at: ack.at,
    });
  }

  /** A message stays to be seen and tried again, where there is a place to see it; who
   * wanted to end what has ended has it. @param {string} id */
  #refused(id) {
    const entry = this.#outbox.entries.find((one) => one.id === id);
    if (!entry || !failed(entry)) return;
    const { type, conversation } = entry.command;
    if (type === "message.post" && this.#desk.talk(conversation)) return;
    this.#outbox.drop(id);
    if (type === "message.post") this.onLost(entry.command);
  }

  /** One pong may overtake the event it tells of; two in a row mean that the event is lost.
   * @param {any} pong */
  #compare(pong) {
    this.#behind = this.#desk.missed(pong) ? this.#behind + 1 : 0;
    if (this.#behind < 2) return;
    this.#behind = 0;
    this.#connection.close();
    this.#connection.open();
  }

  /** @param {import("../chat/connection.js").State} state @param {number} [code] */
  #became(state, code) {
    this.state.value = state;
    this.closedBy.value = state === "closed" ? (code ?? 0) : 0;
    if (state === "online") return;
    for (const { reject, timer } of this.#asked.values()) {
      clearTimeout(timer);
      reject(new Refusal("offline", ""));
    }
    this.#asked.clear();
  }

  // --- asking

  /** @param {Frame} command @returns {Promise<Frame>} */
  #ask(command) {
    const id = newId();
    return new Promise((resolve, reject) => {
      if (!this.#connection.send({ ...command, id })) return reject(new Refusal("offline", ""));
      const timer = setTimeout(() => {
        this.#asked.delete(id);
        reject(new Refusal("offline", ""));
      }, ANSWER_MS);
      this.#asked.set(id, { resolve, reject, timer });
    });
  }

  /** @param {string} conversation @param {{before?: number, after?: number}} range */
  async #fetch(conversation, range) {
    if (this.#fetching.has(conversation)) return;
    this.#fetching.add(conversation);
    try {
      const ack = await this.#ask({ type: "history.get", conversation, ...range });
      this.#desk.history(conversation, range, ack);
      this.#look();
    } catch {
      // Refused (it is somebody else's by now) or offline: the next event or welcome asks again.
    } finally {
      this.#fetching.delete(conversation);
    }
  }

  /** Asks for what is missing, once events have settled. */
  #look() {
    clearTimeout(this.#settling);
    this.#settling = setTimeout(() => {
      for (const { conversation, ...range } of this.#desk.lacking()) void this.#fetch(conversation, range);
    }, SETTLE_MS);
  }

  /** The messages of the line go to nobody: whoever reads there has to ask. */
  #readLine() {
    const talk = this.#desk.looked;
    if (!talk || !this.#desk.readsAlong(talk) || document.hidden) return;
    const after = talk.held?.[0];
    if (after) void this.#fetch(talk.id, { after });
  }

  async #renewFiles() {
    const talk = this.#desk.looked;
    if (!talk?.messages.value.some(({ attachments }) => attachments.length)) return;
    const ack = await this.#ask({ type: "history.get", conversation: talk.id }).catch(() => null);
    if (ack) talk.renew(ack.messages);
  }

  /** @param {string} conversation */
  #forgetTyping(conversation) {
    clearTimeout(this.#typed.get(conversation));
    const timer = setTimeout(() => {
      const talk = this.#desk.talk(conversation);
      if (talk) talk.typing.value = null;
    }, TYPING_MS);
    this.#typed.set(conversation, timer);
  }
}

/** @param {import("../chat/outbox.js").Entry} entry */
const failed = ({ state }) => state === "failed";

/** What the desk, or the network, will not do now. */
export class Refusal extends Error {
  /** @param {string} code @param {string} detail */
  constructor(code, detail) {
    super(detail);
    this.code = code;
  }
}
