// chat/poll.js – the wire without a WebSocket (docs/protocol.md §5). Used by connection.js alone.
//
// One request waits for news. Commands go beside it in short requests, one at a time, so that
// a message need not wait until the long one returns; both bring frames, whoever gets them drops
// what it holds.

import { FORBIDDEN, NOT_SIGNED_IN, UNKNOWN_SITE } from "./protocol.js";

/** @typedef {import("./protocol.js").Frame} Frame */

const WAIT_SECONDS = 25;
const LIMIT_MS = 40_000; // no answer after the wait and this much: the network is gone
const PAUSE_MS = 1_000; // an answer that came at once with nothing must not become a storm

const CODES = new Map([[400, 4400], [401, NOT_SIGNED_IN], [403, FORBIDDEN], [404, UNKNOWN_SITE], [413, 4413]]);

export class Poll {
  #options;
  #closed = false;
  #sending = false;
  /** @type {object[]} */ #queue = [];
  /** @type {Set<AbortController>} */ #underWay = new Set();

  /**
   * @param {{url?: string, holds?: () => object, hello: () => object, onFrame: (frame: Frame) => void,
   *   onLost: (code: number, retryMs?: number) => void, fetch: any, clock: any}} options
   */
  constructor(options) {
    this.#options = options;
  }

  async open() {
    let answer = await this.#ask({ hello: this.#options.hello(), wait: 0 });
    while (answer && !this.#closed) {
      const asked = this.#options.clock.now();
      answer = await this.#ask({ wait: WAIT_SECONDS });
      const took = this.#options.clock.now() - asked;
      if (answer?.frames.length === 0 && took < PAUSE_MS) await this.#pause();
    }
  }

  /** @param {any} command */
  send(command) {
    if (this.#closed) return false;
    if (command.type !== "ping") this.#queue.push(command);
    if (!this.#sending) void this.#flush();
    return true;
  }

  close() {
    this.#closed = true;
    for (const request of this.#underWay) request.abort();
  }

  async #flush() {
    this.#sending = true;
    while (this.#queue.length && !this.#closed) {
      await this.#ask({ frames: this.#queue.splice(0), wait: 0 });
    }
    this.#sending = false;
  }

  /** The answer, its frames handed over; or nothing when the poll is over. @param {object} fields */
  async #ask(fields) {
    const { url, holds, fetch, clock, onFrame } = this.#options;
    const request = new AbortController();
    this.#underWay.add(request);
    const limit = clock.setTimeout(() => request.abort(), LIMIT_MS);
    const body = JSON.stringify({ frames: [], ...holds?.(), ...fields });
    const headers = { "Content-Type": "application/json" };
    try {
      const response = await fetch(url, { method: "POST", headers, body, credentials: "omit", signal: request.signal });
      const answer = await response.json().catch(() => ({}));
      if (this.#closed) return undefined;
      if (!response.ok) return this.#lose(CODES.get(response.status) ?? 1006, answer.retry_ms);
      answer.frames ??= [];
      answer.frames.forEach(onFrame);
      return answer;
    } catch {
      return this.#lose(1006);
    } finally {
      clock.clearTimeout(limit);
      this.#underWay.delete(request);
    }
  }

  /** @param {number} code @param {number} [retryMs] @returns {undefined} */
  #lose(code, retryMs) {
    if (!this.#closed) this.#options.onLost(code, retryMs);
    return undefined;
  }

  #pause() {
    return new Promise((resolve) => this.#options.clock.setTimeout(resolve, PAUSE_MS));
  }
}
