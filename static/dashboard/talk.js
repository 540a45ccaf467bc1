// dashboard/talk.js – one conversation as this agent knows it

import { computed, signal } from "../vendor/signals-core.js";
import { Timeline } from "../chat/timeline.js";

/** @typedef {import("../chat/protocol.js").Conversation} Conversation */
/** @typedef {import("../chat/protocol.js").Message} Message */
/** @typedef {{name: string, text: string}} Typing */

/** What orders messages for staff: without holes, notes included. @param {{seq: number, notes?: number}} counts */
export const place = ({ seq, notes }) => seq + (notes ?? 0);

export class Talk {
  #timeline = new Timeline({ place });
  /** The newest place the desk has spoken of. */
  #known = 0;

  /** @param {Conversation} conversation */
  constructor(conversation) {
    this.id = conversation.id;
    this.facts = signal(conversation);
    this.messages = signal(/** @type {Message[]} */ ([]));
    /** Earlier messages can still be fetched. */
    this.more = signal(false);
    this.loaded = signal(false);
    this.typing = signal(/** @type {Typing|null} */ (null));
    /** It left this agent while nobody told us how. */
    this.gone = signal(false);
    /** What this screen has read, ahead of the desk's answer. */
    this.readHere = signal(0);

    this.customer = computed(() => this.facts.value.customer);
    this.unread = computed(() => {
      const read = Math.max(this.facts.value.read.agent, this.readHere.value);
      return this.messages.value.filter(
        (message) => message.seq > read && message.author.kind === "customer" && message.kind === "text",
      ).length;
    });
    this.last = computed(() => lastOf(this.messages.value, ({ kind, author }) => kind !== "system" && author.kind !== "system"));
    /** When the customer began to wait for an answer, or null when it is the customer's turn. */
    this.owedSince = computed(() => firstUnanswered(this.messages.value)?.at ?? null);
    this.#known = place(conversation);
  }

  /** Ignores what is older than what it holds. Position and wait may change within
   * one version. @param {Conversation} conversation */
  change(conversation) {
    if (conversation.version < this.facts.value.version) return;
    this.facts.value = conversation;
    this.gone.value = false;
    this.knows(place(conversation));
    if (conversation.state === "ended") this.typing.value = null;
  }

  /** @param {Message[]} messages @returns {boolean} something new came */
  add(messages) {
    const news = this.#timeline.add(messages);
    this.messages.value = this.#timeline.messages;
    this.loaded.value = true;
    return news;
  }

  /** What a welcome brings: either it follows what is held, or it starts anew.
   * @param {Message[]} messages @param {boolean} more */
  resume(messages, more) {
    const held = this.#timeline.last;
    const newest = this.#known;
    const follows = messages.length
      ? held && place(messages[0]) === place(held) + 1
      : held && place(held) <= newest;
    if (follows) {
      this.add(messages);
      return;
    }
    this.#timeline.reset(messages);
    this.messages.value = this.#timeline.messages;
    this.more.value = more;
    this.loaded.value = messages.length > 0 || newest === 0;
  }

  /** Copies whose file addresses are fresh take the place of old ones. @param {Message[]} messages */
  renew(messages) {
    this.#timeline.renew(messages);
    this.messages.value = this.#timeline.messages;
  }

  /** @param {number} newest */
  knows(newest) {
    this.#known = Math.max(this.#known, newest);
  }

  /** Forgets what was known from before a lost connection. @param {Conversation} conversation */
  restart(conversation) {
    this.facts.value = conversation;
    this.gone.value = false;
    this.#known = place(conversation);
  }

  /** For `hello`: [place, id] up to which nothing is missing. @returns {[number, string]|null} */
  get held() {
    const last = this.#timeline.last;
    return last ? [place(last), last.id] : null;
  }

  /** A message left while nobody was there. */
  get left() {
    return !!this.facts.value.left;
  }

  /** The queue in whose line it stands, also while it is handed to another one. */
  get line() {
    const { state, queue, transfer } = this.facts.value;
    return transfer?.to.queue ?? (state === "waiting" ? queue.id : null);
  }

  /** Since when the customer has been here. */
  get since() {
    return this.facts.value.created_at;
  }

  /** What to ask `history.get` for, or null when nothing is missing. @returns {{after?: number}|null} */
  get wants() {
    if (!this.loaded.value) return {};
    if (this.#timeline.hole) return this.#timeline.hole;
    if (!this.#timeline.lacks(this.#known)) return null;
    const last = this.#timeline.last;
    return last ? { after: place(last) } : {};
  }
}

/** `findLast`, which the oldest browsers we serve lack. @param {Message[]} messages @param {(message: Message) => boolean} fits */
export function lastOf(messages, fits) {
  for (let i = messages.length - 1; i >= 0; i--) if (fits(messages[i])) return messages[i];
  return undefined;
}

/** @param {Message[]} messages */
function firstUnanswered(messages) {
  let first;
  for (let i = messages.length - 1; i >= 0; i--) {
    const { kind, author } = messages[i];
    if (kind !== "text") continue;
    if (author.kind !== "customer") break;
    first = messages[i];
  }
  return first;
}
