// dashboard/canned.js – replies kept at hand: find one, fill it in.

import { signal } from "../vendor/signals-core.js";

/** @typedef {{shortcut: string, text: string, queues: string[]}} Reply */

const FRESH_MS = 5 * 60_000;

export class Replies {
  #url;
  #loaded = -Infinity;

  /** @param {string} url */
  constructor(url) {
    this.#url = url;
    this.all = signal(/** @type {Reply[]} */ ([]));
  }

  /** Fetches them when they may have changed. Without a network the known ones stay. */
  async refresh() {
    if (performance.now() - this.#loaded < FRESH_MS) return;
    this.#loaded = performance.now();
    const answer = await fetch(this.#url).catch(() => null);
    if (answer?.ok) this.all.value = (await answer.json()).replies;
    else this.#loaded = -Infinity;
  }
}

/** Those of the queue that fit: shortcuts that begin so, then contain it, then texts.
 * @param {Reply[]} replies @param {string} wanted @param {string} queue */
export function matching(replies, wanted, queue) {
  const sought = wanted.trim().toLowerCase();
  const ranked = replies
    .filter((reply) => reply.queues.length === 0 || reply.queues.includes(queue))
    .map((reply) => ({ reply, rank: rank(reply, sought) }))
    .filter(({ rank }) => rank < 3);
  return ranked.sort((a, b) => a.rank - b.rank).map(({ reply }) => reply);
}

/** @param {Reply} reply @param {string} sought */
function rank({ shortcut, text }, sought) {
  const name = shortcut.toLowerCase();
  if (name.startsWith(sought)) return 0;
  if (name.includes(sought)) return 1;
  return text.toLowerCase().includes(sought) ? 2 : 3;
}

/** Only {name} and {agent} are filled in; nothing in a reply is evaluated. Of somebody
 * without a name the word goes together with its space: "Hi {name}," is then "Hi,".
 * @param {string} text @param {{name: string, agent: string}} values */
export function filled(text, values) {
  return text.replace(/( ?)\{(name|agent)\}/g, (_all, space, key) => {
    const value = values[/** @type {"name"|"agent"} */ (key)];
    return value ? space + value : "";
  });
}
