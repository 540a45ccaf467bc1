// chat/outbox.js – commands that must reach the desk exactly once, in order, even over a reload.
//
//   const outbox = new Outbox({storageKey, send, onChange, storage?, clock?, lane?})
//     send(command) → boolean   usually connection.send; false means "not now"
//     onChange()                entries changed: draw again
//   outbox.add({type: "message.post", conversation?, text, attachments?, note?}) → its entry (any command with an id works)
//   outbox.settle(frame) → the entry that this ack, refusal or own message was about, or undefined
//   outbox.resend()       after each welcome: what was under way goes out again, same ids
//   outbox.retry(id)      after a refusal; outbox.change(id, fields) the same with another command
//   outbox.drop(id)       the person gave it up
//   outbox.entries        [{id, command, state: "sending"|"failed", code?, detail?, at}] in order, a new array per change
//
// Of each lane (a conversation, unless `lane` says otherwise) one entry is unanswered at
// a time, which keeps a sender's order. No answer in 10 s: sent again, for ever.

import { LATER, newId } from "./protocol.js";

/** @typedef {import("./protocol.js").Frame} Frame */
/** @typedef {{id: string, command: Frame, state: "sending"|"failed", code?: string, detail?: string, at: string, order: number}} Entry */

const ACK_MS = 10_000;
const LATER_MS = 1_000; // a refusal that names no retry_ms

export class Outbox {
  #prefix;
  #storage;
  #send;
  #lane;
  #clock;
  #onChange;
  /** @type {Entry[]} */ #entries = [];
  /** What each lane waits for: an answer, or the time to try again. @type {Map<string, {id: string, timer: any}>} */
  #waiting = new Map();

  /**
   * @param {{storageKey: string, send: (command: Frame) => boolean, onChange?: () => void, storage?: Storage,
   *   lane?: (command: Frame) => string, clock?: {now(): number, setTimeout: Function, clearTimeout: Function}}} options
   */
  constructor({ storageKey, send, onChange = () => {}, storage = localStorageOrNone(), lane, clock = system }) {
    this.#prefix = `${storageKey}:`;
    this.#storage = storage;
    this.#send = send;
    this.#onChange = onChange;
    this.#lane = lane ?? ((command) => command.conversation ?? "");
    this.#clock = clock;
    this.#entries = this.#stored();
  }

  get entries() {
    return this.#entries;
  }

  /** @param {Frame} command @returns {Entry} */
  add(command) {
    const id = command.id ?? newId();
    const order = Math.max(this.#clock.now(), (this.#entries.at(-1)?.order ?? 0) + 1);
    /** @type {Entry} */
    const entry = { id, command: { ...command, id }, state: "sending", at: new Date(order).toISOString(), order };
    this.#keep(entry);
    this.#pump();
    return entry;
  }

  /** @param {Frame} frame */
  settle(frame) {
    const id = frame.type === "message.posted" ? frame.message.id : frame.id;
    const entry = this.#entries.find((one) => one.id === id);
    if (!entry) return undefined;
    this.#answered(entry);
    if (frame.type !== "refused") this.#forget(entry);
    else if (LATER.has(frame.code)) this.#wait(entry, frame.retry_ms ?? LATER_MS);
    else this.#keep({ ...entry, state: "failed", code: frame.code, detail: frame.detail });
    this.#pump();
    return entry;
  }

  resend() {
    for (const { timer } of this.#waiting.values()) this.#clock.clearTimeout(timer);
    this.#waiting.clear();
    this.#pump();
  }

  /** @param {string} id */
  retry(id) {
    this.change(id, {});
  }

  /** @param {string} id @param {Partial<Frame>} fields */
  change(id, fields) {
    const entry = this.#entries.find((one) => one.id === id);
    if (!entry) return;
    this.#answered(entry);
    const { code: _code, detail: _detail, ...rest } = entry;
    this.#keep({ ...rest, command: { ...entry.command, ...fields }, state: "sending" });
    this.#pump();
  }

  /** @param {string} id */
  drop(id) {
    const entry = this.#entries.find((one) => one.id === id);
    if (!entry) return;
    this.#answered(entry);
    this.#forget(entry);
    this.#pump();
  }

  /** Sends the first of every lane that waits for nothing. */
  #pump() {
    for (const entry of this.#entries) {
      const lane = this.#lane(entry.command);
      if (entry.state !== "sending" || this.#waiting.has(lane)) continue;
      if (this.#send(entry.command)) this.#wait(entry, ACK_MS);
    }
  }

  /** @param {Entry} entry @param {number} ms */
  #wait(entry, ms) {
    const lane = this.#lane(entry.command);
    const timer = this.#clock.setTimeout(() => {
      this.#waiting.delete(lane);
      this.#pump();
    }, ms);
    this.#waiting.set(lane, { id: entry.id, timer });
  }

  /** @param {Entry} entry */
  #answered(entry) {
    const lane = this.#lane(entry.command);
    const waiting = this.#waiting.get(lane);
    if (waiting?.id !== entry.id) return;
    this.#clock.clearTimeout(waiting.timer);
    this.#waiting.delete(lane);
  }

  /** @param {Entry} entry */
  #keep(entry) {
    const others = this.#entries.filter((one) => one.id !== entry.id);
    this.#entries = [...others, entry].sort((a, b) => a.order - b.order);
    try {
      this.#storage?.setItem(this.#prefix + entry.id, JSON.stringify(entry));
    } catch {
      // Full or forbidden: the entry lives as long as the page does.
    }
    this.#onChange();
  }

  /** @param {Entry} entry */
  #forget(entry) {
    this.#entries = this.#entries.filter((one) => one.id !== entry.id);
    try {
      this.#storage?.removeItem(this.#prefix + entry.id);
    } catch {
      // What cannot be removed was never stored.
    }
    this.#onChange();
  }

  /** One key an entry, so that two tabs never write over each other's. @returns {Entry[]} */
  #stored() {
    try {
      return keysOf(this.#storage)
        .filter((key) => key.startsWith(this.#prefix))
        .map((key) => JSON.parse(/** @type {Storage} */ (this.#storage).getItem(key) ?? ""))
        .sort((a, b) => a.order - b.order);
    } catch {
      return [];
    }
  }
}

/** A browser's storage, or one that tells its keys. @param {any} storage @returns {string[]} */
const keysOf = (storage) => storage?.keys?.() ?? Object.keys(storage ?? {});

function localStorageOrNone() {
  try {
    return globalThis.localStorage;
  } catch {
    return undefined; // blocked by the browser: reading the name alone throws
  }
}

const system = {
  now: () => Date.now(),
  setTimeout: (/** @type {() => void} */ then, /** @type {number} */ ms) => setTimeout(then, ms),
  clearTimeout: (/** @type {any} */ timer) => clearTimeout(timer),
};
