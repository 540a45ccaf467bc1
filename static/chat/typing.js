// chat/typing.js – "is typing", said and heard.
//
//   const typing = new TypingSignal(({on, text}) => connection.send({type: "typing", on, text}))
//   typing.touched(text?)  at each input; says `on` at most every 3 s, `off` 5 s after the last one
//   typing.stopped()       sent, or emptied
//
//   const heard = new TypingHeard((names) => …)   heard.take(frame) on typing; heard.clear(id) on a message
//   A sender that vanished while typing is forgotten after 8 s.

const AGAIN_MS = 3_000;
const IDLE_MS = 5_000;
const FORGET_MS = 8_000;

export class TypingSignal {
  #say;
  #said = 0;
  /** @type {any} */ #idle;

  /** @param {(typing: {on: boolean, text?: string}) => void} say */
  constructor(say) {
    this.#say = say;
  }

  /** @param {string} [text] */
  touched(text) {
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.stopped(), IDLE_MS);
    if (Date.now() - this.#said < AGAIN_MS) return;
    this.#said = Date.now();
    this.#say({ on: true, text });
  }

  stopped() {
    clearTimeout(this.#idle);
    if (this.#said) this.#say({ on: false });
    this.#said = 0;
  }
}

export class TypingHeard {
  #onChange;
  /** @type {Map<string, {name: string, text?: string, timer: any}>} */ #people = new Map();

  /** @param {(people: {id: string, name: string, text?: string}[]) => void} onChange */
  constructor(onChange) {
    this.#onChange = onChange;
  }

  /** @param {{author: {id: string, name: string}, on: boolean, text?: string}} frame */
  take({ author, on, text }) {
    clearTimeout(this.#people.get(author.id)?.timer);
    this.#people.delete(author.id);
    if (on) {
      const timer = setTimeout(() => this.clear(author.id), FORGET_MS);
      this.#people.set(author.id, { name: author.name, text, timer });
    }
    this.#tell();
  }

  /** @param {string} [id] nobody in particular: all */
  clear(id) {
    for (const one of id ? [id] : [...this.#people.keys()]) {
      clearTimeout(this.#people.get(one)?.timer);
      this.#people.delete(one);
    }
    this.#tell();
  }

  #tell() {
    this.#onChange([...this.#people].map(([id, { name, text }]) => ({ id, name, text })));
  }
}
