// chat/timeline.js – one conversation's messages in order of place, whatever order they came in.
//
//   const timeline = new Timeline({place: (m) => m.seq});            // customers
//   const timeline = new Timeline({place: (m) => m.seq + m.notes});  // staff
//   timeline.add(messages)    true when something new came; what it holds already is dropped
//   timeline.reset(messages)  forget everything, then hold these
//   timeline.messages         sorted array; a new array after every change, never mutated
//   timeline.last             the message up to which nothing is missing: say it in `hello`
//   timeline.hole             {after} where something is missing: ask history.get; else null
//   timeline.lacks(place)     true when the desk (a pong) knows of more than we hold without a hole

/** @typedef {import("./protocol.js").Message} Message */

export class Timeline {
  /** @type {(message: Message) => number} */ #place;
  /** @type {Message[]} */ #messages = [];

  /** @param {{place: (message: Message) => number}} how */
  constructor({ place }) {
    this.#place = place;
  }

  get messages() {
    return this.#messages;
  }

  /** @param {Message[]} messages */
  add(messages) {
    const held = new Set(this.#messages.map(this.#place));
    const fresh = messages.filter((message) => {
      const place = this.#place(message);
      return !held.has(place) && held.add(place);
    });
    if (fresh.length) {
      this.#messages = [...this.#messages, ...fresh].sort((a, b) => this.#place(a) - this.#place(b));
    }
    return fresh.length > 0;
  }

  /** @param {Message[]} [messages] */
  reset(messages = []) {
    this.#messages = [];
    this.add(messages);
  }

  /** Fresh copies (their file addresses have been renewed) take the place of old ones. @param {Message[]} messages */
  renew(messages) {
    const copies = new Map(messages.map((message) => [this.#place(message), message]));
    this.#messages = this.#messages.map((message) => copies.get(this.#place(message)) ?? message);
    this.add(messages);
  }

  /** @returns {Message|undefined} */
  get last() {
    return this.#messages[this.#unbroken() - 1];
  }

  /** @returns {{after: number}|null} */
  get hole() {
    const last = this.last;
    return last && last !== this.#messages.at(-1) ? { after: this.#place(last) } : null;
  }

  /** @param {number} place */
  lacks(place) {
    const last = this.last;
    return (last ? this.#place(last) : 0) < place;
  }

  /** How many messages from the first stand without a gap. The first need not be
   * number 1: earlier pages may not have been loaded. */
  #unbroken() {
    const gap = this.#messages.findIndex(
      (message, i) => i > 0 && this.#place(message) !== this.#place(this.#messages[i - 1]) + 1,
    );
    return gap < 0 ? this.#messages.length : gap;
  }
}
