// chat/connection.js – stays connected to the desk, by WebSocket or, where that is blocked, by long poll.
//
//   const connection = new Connection({url, hello, onFrame, onState, poll?, statusUrl?, …})
//     url                  "wss://host/ws/agent/"
//     hello() → object     what we hold now (token, after, …); asked anew at each connect; `type` and `batch` are added
//     onFrame(frame)       each frame, one by one, also welcome and pong; ping and beat are answered here
//     onState(state, code) "connecting" → "online" (after welcome was handed over) ⇄ "offline" (trying again by itself)
//                          → "closed" (trying again would not help: code 4401 not signed in, 4403, 4404, …; or close())
//     poll                 {url, holds: () => ({token, conversation, after, version})}: only customers have one
//     statusUrl            asked after two failed handshakes: 401, 403 or 404 there close with 4401, 4403, 4404
//   connection.open()      also after "closed", to start anew
//   connection.send(command) → boolean   false: not online; use an Outbox for what must arrive
//   connection.close()
//   connection.state, connection.transport ("socket" | "poll")
//
// The page tells us by its events when it is worth trying at once (online, visible, shown again).

import { Poll } from "./poll.js";
import { FORBIDDEN, NOT_SIGNED_IN, RETRY_AFTER, UNKNOWN_SITE } from "./protocol.js";

/** @typedef {import("./protocol.js").Frame} Frame */
/** @typedef {"connecting"|"online"|"offline"|"closed"} State */

const WELCOME_MS = 5_000; // a proxy that swallows frames looks like this
const SILENCE_MS = 40_000; // the desk beats after 20 s: two are missing
const WAKING_MS = 5_000; // the silence forgiven after a sleep or a change of network
const STABLE_MS = 10_000; // connected for so long: the next failure counts as the first
const LEAST_MS = 250;
const MOST_MS = 30_000;
const BLOCKED = { sockets: 3, ms: 30_000 }; // so many failed in so long: sockets seem to be blocked
const PROBE_MS = 300_000; // while polling, how often a socket is tried
const TICK_MS = 5_000;
const HEARTBEAT_S = 20;

const STATUS_CODES = new Map([[401, NOT_SIGNED_IN], [403, FORBIDDEN], [404, UNKNOWN_SITE]]);

export class Connection {
  #options;
  #clock;
  /** @type {State} */ #state = "closed";
  /** @type {WebSocket|null} The socket that is open or opening. */ #socket = null;
  /** @type {Poll|null} */ #poll = null;
  #welcomed = false;
  #tries = 0;
  /** @type {number[]} When sockets failed before their welcome. */ #failures = [];
  #retryMs = 0;
  #heard = 0;
  #pinged = 0;
  #heartbeat = HEARTBEAT_S * 1000;
  /** @type {Record<string, any>} Timers by purpose: a new one replaces the old. */ #timers = {};

  /**
   * @param {{url: string, hello: () => object, onFrame: (frame: Frame) => void, onState?: (state: State, code?: number) => void,
   *   poll?: {url: string, holds: () => object}, statusUrl?: string, WebSocket?: any, fetch?: typeof fetch,
   *   clock?: any, random?: () => number, page?: EventTarget, document?: any}} options
   */
  constructor(options) {
    this.#options = {
      WebSocket: globalThis.WebSocket,
      fetch: globalThis.fetch?.bind(globalThis),
      random: Math.random,
      page: globalThis.window,
      document: globalThis.document,
      onState: () => {},
      ...options,
    };
    this.#clock = options.clock ?? system;
  }

  get state() {
    return this.#state;
  }

  get transport() {
    return this.#poll ? "poll" : "socket";
  }

  open() {
    if (this.#state !== "closed") return;
    this.#tries = 0;
    this.#failures = [];
    this.#listen("addEventListener");
    this.#become("connecting");
    this.#dial();
    this.#tick();
  }

  close(code = 1000) {
    if (this.#state === "closed") return;
    this.#listen("removeEventListener");
    this.#hangUp();
    for (const purpose of Object.keys(this.#timers)) this.#cancel(purpose);
    this.#become("closed", code);
  }

  /** @param {object} command */
  send(command) {
    if (!this.#welcomed) return false;
    if (this.#poll) return this.#poll.send(command);
    if (this.#socket?.readyState !== 1) return false;
    this.#socket.send(JSON.stringify(command));
    return true;
  }

  // --- connecting

  #dial() {
    const socket = new this.#options.WebSocket(this.#options.url);
    this.#socket = socket;
    this.#heard = this.#clock.now();
    socket.onopen = () => socket.send(JSON.stringify(this.#hello()));
    socket.onmessage = (/** @type {MessageEvent} */ event) => this.#receive(event.data, socket);
    socket.onclose = (/** @type {CloseEvent} */ event) => this.#lost(socket, event.code);
    this.#after("welcome", WELCOME_MS, () => this.#noWelcome(socket));
  }

  #hello() {
    return { ...this.#options.hello(), type: "hello", batch: true };
  }

  /** @param {WebSocket} socket */
  #noWelcome(socket) {
    this.#failures = this.#failures.concat(Array(BLOCKED.sockets).fill(this.#clock.now()));
    this.#lost(socket, 1006);
  }

  /** @param {string} text @param {WebSocket} socket */
  #receive(text, socket) {
    if (socket !== this.#socket) return;
    this.#heard = this.#clock.now();
    const content = JSON.parse(text);
    for (const frame of Array.isArray(content) ? content : [content]) this.#take(frame);
    // From here, not only from a timer: hidden tabs' timers are slowed.
    if (this.#heard - this.#pinged >= this.#heartbeat) this.#ping();
  }

  /** @param {Frame} frame */
  #take(frame) {
    if (frame.type === "beat") this.#ping();
    if (frame.type === "bye") this.#retryMs = frame.retry_ms;
    if (frame.type !== "welcome") return this.#options.onFrame(frame);
    this.#cancel("welcome");
    if (this.#poll && this.#socket) this.#stopPolling();
    this.#welcomed = true;
    this.#pinged = this.#clock.now();
    this.#heartbeat = (frame.heartbeat ?? HEARTBEAT_S) * 1000;
    this.#after("stable", STABLE_MS, () => (this.#tries = 0));
    this.#options.onFrame(frame);
    this.#become("online");
  }

  #ping() {
    this.#pinged = this.#clock.now();
    if (this.#welcomed && this.#socket?.readyState === 1) this.#socket.send('{"type":"ping"}');
  }

  /** Every few seconds: time for a ping, or too long a silence? */
  #tick() {
    const now = this.#clock.now();
    if (this.#welcomed && this.#socket && !this.#poll) {
      if (now - this.#heard > SILENCE_MS) this.#lost(this.#socket, 1006);
      else if (now - this.#pinged >= this.#heartbeat) this.#ping();
    }
    this.#after("tick", TICK_MS, () => this.#tick());
  }

  // --- losing

  /** @param {WebSocket} socket @param {number} code */
  #lost(socket, code) {
    if (socket !== this.#socket) return;
    const failed = !this.#welcomed || !!this.#poll;
    this.#drop();
    if (!RETRY_AFTER.has(code)) return this.close(code);
    if (this.#poll) return this.#probeLater(); // the poll goes on, nothing is lost
    this.#welcomed = false;
    if (failed) this.#failures.push(this.#clock.now());
    this.#become(this.#state === "connecting" && failed ? "connecting" : "offline");
    if (this.#blocked()) this.#startPolling();
    else this.#again();
    if (this.#tries === 2) void this.#askStatus();
  }

  #drop() {
    this.#cancel("welcome");
    this.#cancel("stable");
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  #hangUp() {
    this.#drop();
    this.#stopPolling();
    this.#welcomed = false;
  }

  #again() {
    const most = Math.min(MOST_MS, 500 * 2 ** this.#tries++);
    const ms = this.#retryMs || Math.max(LEAST_MS, this.#options.random() * most);
    this.#retryMs = 0;
    this.#after("again", ms, () => this.#dial());
  }

  /** A handshake that is refused looks like a network that is down; this tells which. */
  async #askStatus() {
    const { statusUrl, fetch } = this.#options;
    if (!statusUrl) return;
    const answer = await fetch(statusUrl, { credentials: "same-origin" }).catch(() => null);
    const code = STATUS_CODES.get(answer?.status ?? 0);
    if (code && this.#state !== "online") this.close(code);
  }

  // --- without a socket

  #blocked() {
    const since = this.#clock.now() - BLOCKED.ms;
    this.#failures = this.#failures.filter((at) => at >= since);
    return !!this.#options.poll && this.#failures.length >= BLOCKED.sockets;
  }

  #startPolling() {
    this.#failures = [];
    this.#cancel("again");
    const poll = new Poll({
      ...this.#options.poll,
      hello: () => this.#hello(),
      onFrame: (frame) => this.#take(frame),
      onLost: (code, retryMs) => this.#pollLost(code, retryMs),
      fetch: this.#options.fetch,
      clock: this.#clock,
    });
    this.#poll = poll;
    poll.open();
    this.#probeLater();
  }

  #probeLater() {
    this.#after("probe", PROBE_MS, () => this.#dial());
  }

  #stopPolling() {
    this.#cancel("probe");
    this.#poll?.close();
    this.#poll = null;
  }

  /** Polls fail as well: the desk is away, not the socket blocked. Begin again with sockets.
   * @param {number} code @param {number} [retryMs] */
  #pollLost(code, retryMs) {
    this.#hangUp();
    if (!RETRY_AFTER.has(code)) return this.close(code);
    this.#retryMs = retryMs ?? 0;
    this.#become("offline");
    this.#again();
  }

  // --- the page wakes

  /** @param {"addEventListener"|"removeEventListener"} verb */
  #listen(verb) {
    const { page, document } = this.#options;
    page?.[verb]?.("online", this.#wake);
    page?.[verb]?.("pageshow", this.#wake);
    document?.[verb]?.("visibilitychange", this.#wake);
  }

  #wake = (/** @type {Event} */ event) => {
    if (event.type === "visibilitychange" && this.#options.document.visibilityState === "hidden") return;
    if (this.#timers.again) {
      this.#cancel("again");
      this.#dial();
    } else if (this.#poll) {
      if (event.type === "online" && !this.#socket) this.#dial();
    } else if (this.#welcomed) {
      this.#heard = Math.min(this.#heard, this.#clock.now() - SILENCE_MS + WAKING_MS);
      this.#ping();
    }
  };

  // --- small things

  /** @param {State} state @param {number} [code] */
  #become(state, code) {
    if (state === this.#state) return;
    this.#state = state;
    this.#options.onState(state, code);
  }

  /** @param {string} purpose @param {number} ms @param {() => void} then */
  #after(purpose, ms, then) {
    this.#cancel(purpose);
    this.#timers[purpose] = this.#clock.setTimeout(() => {
      delete this.#timers[purpose];
      then();
    }, ms);
  }

  /** @param {string} purpose */
  #cancel(purpose) {
    this.#clock.clearTimeout(this.#timers[purpose]);
    delete this.#timers[purpose];
  }
}

const system = {
  now: () => Date.now(),
  setTimeout: (/** @type {() => void} */ then, /** @type {number} */ ms) => setTimeout(then, ms),
  clearTimeout: (/** @type {any} */ timer) => clearTimeout(timer),
};
