// dashboard/desk.js – snapshot + events = truth: what the desk has told this agent.
// Knows neither socket nor page.
//
//   const desk = new Desk();
//   desk.apply(frame)         welcome, event or pong; anything else is left alone
//   desk.history(id, asked, ack)   the answer to a history.get
//   desk.said(id, message)    our own message, once the desk has acknowledged it
//   desk.mine desk.lines desk.offers desk.agents desk.queues desk.me    signals to draw from
//   desk.lacking()            [{conversation, after?}]: what to ask history.get for
//   desk.resume()             the `after` of a hello
//   desk.supervised desk.holders desk.still   what supervisors see besides: what colleagues hold, lines that stand still
//   desk.watched(ack)  desk.joins(ack)  desk.parts(id)   what a supervisor looks on at, and speaks in
//   desk.onNews = (news) => … something live happened that deserves a sound
//   desk.onStill = (queue) => … a line has begun to stand still

import { batch, computed, signal } from "../vendor/signals-core.js";
import { Talk, place } from "./talk.js";

/** @typedef {import("../chat/protocol.js").Conversation} Conversation */
/** @typedef {import("../chat/protocol.js").Frame} Frame */
/** @typedef {import("../chat/protocol.js").Message} Message */
/** @typedef {{id: string, name: string, avatar?: string, status: "online"|"away"|"offline", reason?: string,
 *   connected: boolean, active: boolean, load: number, capacity: number, queues?: string[],
 *   set_by?: {id: string, name: string}, wrap_up_until?: string}} Agent */
/** @typedef {{id: string, name: string, open: boolean, waiting: number, active: number,
 *   longest_wait_seconds: number, staffed: number, stands_still?: boolean}} Queue */
/** A conversation rings for this agent until its time is up.
 * @typedef {{id: string, talk: Talk, why: string, because?: import("./why.js").Because, seconds: number, until: number}} Offer */
/** @typedef {{kind: "assigned"|"message"|"lost"|"ended"|"offered"|"withdrawn", talk: Talk, message?: Message, why?: string}} News */

const HELLO_TALKS = 400; // a frame holds 64 KiB, an entry takes about 120 bytes

export class Desk {
  /** @type {Map<string, Talk>} */ #talks = new Map();
  #open = "";

  constructor() {
    this.me = signal(/** @type {Agent|null} */ (null));
    this.agents = signal(/** @type {Map<string, Agent>} */ (new Map()));
    this.queues = signal(/** @type {Queue[]} */ ([]));
    this.limits = signal({ text: 10_000, attachment_bytes: 10 * 2 ** 20, attachments: 5, types: /** @type {string[]} */ ([]) });
    this.welcomed = signal(false);
    /** Ids this agent holds, and those that ended but have not been put away. */
    this.held = signal(/** @type {string[]} */ ([]));
    this.waiting = signal(/** @type {string[]} */ ([]));
    this.offers = signal(/** @type {Offer[]} */ ([]));
    /** Ids of queues of which this agent is a supervisor. */
    this.supervises = signal(/** @type {string[]} */ ([]));
    /** Ids of what colleagues hold in those. */
    this.supervised = signal(/** @type {string[]} */ ([]));
    /** The one that is seen live and unseen, and those in which this agent speaks beside the holder. */
    this.watching = signal("");
    this.joined = signal(/** @type {string[]} */ ([]));

    /** Whoever waits for an answer longest comes first, then the newest. */
    this.mine = steady(() => this.#all(this.held.value).sort(byNeed));
    this.lines = computed(() => {
      const lines = new Map(this.queues.value.map((queue) => [queue.id, /** @type {Talk[]} */ ([])]));
      for (const talk of this.#all(this.waiting.value)) {
        if (!this.rings(talk.id)) lines.get(talk.line ?? "")?.push(talk);
      }
      for (const line of lines.values()) line.sort(byPosition);
      return lines;
    });
    /** Who has waited longest over all lines; left messages only when nobody stands there. */
    this.first = computed(() => {
      const heads = [...this.lines.value.values()].flatMap((line) => line[0] ?? []);
      return heads.sort((a, b) => Number(a.left) - Number(b.left) || compare(a.since, b.since))[0];
    });
    /** What each colleague holds, by their id; the longest first. */
    this.holders = steadyGroups(() => {
      /** @type {Map<string, Talk[]>} */
      const held = new Map();
      for (const talk of this.#all(this.supervised.value).sort(byStart)) {
        const id = talk.facts.value.agent?.id ?? "";
        held.set(id, held.get(id) ?? []);
        held.get(id)?.push(talk);
      }
      return held;
    });
    this.beside = steady(() => this.#all(this.joined.value));
    this.still = computed(() => this.queues.value.filter((queue) => this.#standsStill(queue)));
    this.unread = computed(() => this.#all(this.held.value).filter((talk) => talk.unread.value > 0).length);
    /** @type {(news: News) => void} */
    this.onNews = () => {};
    /** @type {(queue: Queue) => void} */
    this.onStill = () => {};
  }

  /** @param {string} id */
  talk(id) {
    return this.#talks.get(id);
  }

  /** @param {Frame} frame */
  apply(frame) {
    if (Object.hasOwn(this.#events, frame.type)) batch(() => this.#events[frame.type](frame));
  }

  #events = /** @type {Record<string, (frame: any) => void>} */ ({
    welcome: (frame) => this.#welcome(frame),
    "message.posted": (frame) => this.#posted(frame),
    "conversation.changed": (frame) => this.changed(frame.conversation),
    "agent.changed": (frame) => this.agent(frame.agent),
    "queue.changed": (frame) => this.#queue(frame.queue),
    "offer.made": (frame) => this.#offered(frame),
    "offer.withdrawn": (frame) => this.#withdrawn(frame),
    typing: (frame) => this.#typing(frame),
    pong: (frame) => this.#pong(frame),
  });

  /** @param {any} frame */
  #welcome(frame) {
    const before = this.#talks;
    this.#talks = new Map();
    const offered = frame.offers.map((/** @type {any} */ offer) => offer.conversation);
    const overseen = frame.supervised ?? [];
    for (const conversation of [...overseen, ...frame.conversations, ...frame.waiting, ...offered]) {
      const talk = before.get(conversation.id) ?? new Talk(conversation);
      talk.restart(conversation);
      this.#talks.set(talk.id, talk);
    }
    for (const { id } of frame.conversations) {
      this.#talks.get(id)?.resume(frame.messages[id] ?? [], frame.more[id] ?? false);
    }
    this.#keepWhatIsLookedAt(before);
    this.me.value = frame.agent;
    this.agents.value = new Map(frame.agents.map((/** @type {Agent} */ agent) => [agent.id, agent]));
    this.supervises.value = frame.supervises ?? [];
    this.supervised.value = overseen.map(idOf);
    this.watching.value = ""; // it lasted as long as the socket; feed.js asks anew
    this.joined.value = this.joined.value.filter((id) => this.supervised.value.includes(id));
    this.#setQueues(frame.queues);
    this.limits.value = frame.limits;
    this.held.value = frame.conversations.map(idOf);
    this.waiting.value = frame.waiting.map(idOf);
    this.offers.value = frame.offers.map((/** @type {any} */ offer) => this.#offer(offer));
    this.welcomed.value = true;
  }

  /** Nothing vanishes under somebody's eyes: what is open stays readable.
   * @param {Map<string, Talk>} before */
  #keepWhatIsLookedAt(before) {
    const talk = before.get(this.#open);
    if (!talk || this.#talks.has(talk.id)) return;
    talk.gone.value = true;
    this.#talks.set(talk.id, talk);
  }

  /** @param {{conversation: string, message: Message}} frame */
  #posted({ conversation, message }) {
    const talk = this.#talks.get(conversation);
    if (!talk) return;
    talk.knows(place(message));
    // Before the first page there is nothing to add to: the page will bring it.
    const isNew = talk.loaded.value ? talk.add([message]) : true;
    if (message.author.kind === "customer") talk.typing.value = null;
    if (isNew && message.author.kind === "customer" && this.speaks(talk)) {
      this.onNews({ kind: "message", talk, message });
    }
  }

  /** Also what a verb's ack brings. @param {Conversation} conversation */
  changed(conversation) {
    const talk = this.#talks.get(conversation.id) ?? new Talk(conversation);
    const heldBefore = this.holds(talk) && this.held.value.includes(talk.id);
    talk.change(conversation);
    const { state } = talk.facts.value;
    const mineNow = this.holds(talk);
    const waits = !mineNow && this.queues.value.some(({ id }) => id === talk.line);
    const finished = heldBefore && state === "ended";
    const overseen = this.oversees(talk);
    if (mineNow) this.#silence(talk.id);
    if (mineNow || waits || finished || overseen || this.rings(talk.id) || talk.id === this.#open) this.#talks.set(talk.id, talk);
    else this.#talks.delete(talk.id);
    this.held.value = listed(this.held.value, talk.id, mineNow || finished || (state === "ended" && this.held.value.includes(talk.id)));
    this.waiting.value = listed(this.waiting.value, talk.id, waits);
    this.supervised.value = listed(this.supervised.value, talk.id, overseen);
    if (!overseen) this.parts(talk.id);
    if (mineNow && !heldBefore) this.onNews({ kind: "assigned", talk });
    if (finished) this.onNews({ kind: "ended", talk });
    if (heldBefore && !mineNow && !finished) this.onNews({ kind: "lost", talk });
  }

  /** @param {any} frame */
  #offered(frame) {
    const { id } = frame.conversation;
    const talk = this.#talks.get(id) ?? new Talk(frame.conversation);
    talk.change(frame.conversation);
    this.#talks.set(id, talk);
    this.#silence(id);
    this.offers.value = [...this.offers.value, this.#offer(frame)];
    this.onNews({ kind: "offered", talk });
  }

  /** @param {any} offer @returns {Offer} */
  #offer({ conversation: { id }, seconds, why, because }) {
    const talk = /** @type {Talk} */ (this.#talks.get(id));
    return { id, talk, why, because, seconds, until: Date.now() + seconds * 1000 };
  }

  /** @param {{conversation: string, why: string}} frame */
  #withdrawn({ conversation, why }) {
    const talk = this.#talks.get(conversation);
    if (!talk || !this.rings(conversation)) return;
    this.#silence(conversation);
    this.#forget(talk);
    this.onNews({ kind: "withdrawn", talk, why });
  }

  /** Accepted, declined or withdrawn. @param {string} id */
  #silence(id) {
    if (this.rings(id)) this.offers.value = this.offers.value.filter((offer) => offer.id !== id);
  }

  /** @param {string} id */
  rings(id) {
    return this.offers.value.some((offer) => offer.id === id);
  }

  /** Unless it has a place on this screen. @param {Talk} talk */
  #forget(talk) {
    const { id } = talk;
    if (this.holds(talk) || this.oversees(talk) || this.waiting.value.includes(id) || this.rings(id) || id === this.#open) return;
    this.held.value = listed(this.held.value, id, false);
    this.#talks.delete(id);
  }

  /** @param {Agent} agent */
  agent(agent) {
    this.agents.value = new Map(this.agents.value).set(agent.id, agent);
    if (agent.id === this.me.value?.id) this.me.value = agent;
  }

  /** @param {Queue} queue */
  #queue(queue) {
    this.#setQueues(this.queues.value.map((one) => (one.id === queue.id ? queue : one)));
  }

  /** @param {Queue[]} queues */
  #setQueues(queues) {
    const before = this.still.value.map(idOf);
    this.queues.value = queues;
    for (const queue of queues) if (this.#standsStill(queue) && !before.includes(queue.id)) this.onStill(queue);
  }

  /** Everybody hears of it; it concerns supervisors. @param {Queue} queue */
  #standsStill({ id, stands_still: still }) {
    return !!still && this.supervises.value.includes(id);
  }

  /** @param {{conversation: string, author: {kind: string, name: string}, on: boolean, text?: string}} frame */
  #typing({ conversation, author, on, text }) {
    const talk = this.#talks.get(conversation);
    if (!talk || author.kind !== "customer") return;
    talk.typing.value = on ? { name: author.name, text: text ?? "" } : null;
  }

  /** @param {{conversations: Record<string, [number, number]>}} frame */
  #pong({ conversations }) {
    for (const [id, [newest]] of Object.entries(conversations)) this.#talks.get(id)?.knows(newest);
  }

  /** A pong that speaks of changes this screen never heard: only a new welcome tells
   * what they were. @param {{conversations: Record<string, [number, number]>}} pong */
  missed({ conversations }) {
    const held = this.#all(this.held.value).filter((talk) => this.holds(talk));
    return (
      held.some((talk) => !(talk.id in conversations)) ||
      Object.entries(conversations).some(([id, [, version]]) => {
        const talk = this.#talks.get(id);
        return !talk || !this.holds(talk) || talk.facts.value.version < version;
      })
    );
  }

  /** @param {string} id @param {{before?: number, after?: number}} asked @param {Frame} ack */
  history(id, asked, ack) {
    const talk = this.#talks.get(id);
    if (!talk) return;
    batch(() => {
      talk.add(ack.messages);
      if (asked.after === undefined) talk.more.value = ack.more;
    });
  }

  /** @param {string} id @param {Message} message */
  said(id, message) {
    const talk = this.#talks.get(id);
    if (!talk) return;
    if (talk.loaded.value) talk.add([message]);
  }

  /** @param {string} id @param {number} seq */
  read(id, seq) {
    const talk = this.#talks.get(id);
    if (talk) talk.readHere.value = Math.max(talk.readHere.value, seq);
  }

  /** What somebody looks at is kept; what has ended and is left goes. @param {string} id */
  look(id) {
    const left = this.#talks.get(this.#open);
    this.#open = id;
    if (left && left.id !== id) this.#forget(left);
  }

  /** What somebody looks at. */
  get looked() {
    return this.#talks.get(this.#open);
  }

  /** @param {Talk} talk */
  holds(talk) {
    const { state, agent } = talk.facts.value;
    return !talk.gone.value && state === "active" && agent?.id === this.me.value?.id;
  }

  /** A colleague holds it, in a queue that this agent supervises. @param {Talk} talk */
  oversees(talk) {
    const { state, queue } = talk.facts.value;
    return state === "active" && !this.holds(talk) && this.supervises.value.includes(queue.id);
  }

  /** Holds it, or has joined. @param {Talk} talk */
  speaks(talk) {
    return this.holds(talk) || this.joined.value.includes(talk.id);
  }

  /** From now on every word of it arrives. @param {Frame} ack */
  watched(ack) {
    batch(() => {
      this.#shown(ack);
      this.watching.value = ack.conversation.id;
    });
  }

  /** @param {Frame} ack */
  joins(ack) {
    batch(() => {
      this.#shown(ack);
      this.watching.value = "";
      this.joined.value = listed(this.joined.value, ack.conversation.id, true);
    });
  }

  /** Neither watches nor speaks in it any more. @param {string} id */
  parts(id) {
    if (this.watching.value === id) this.watching.value = "";
    this.joined.value = listed(this.joined.value, id, false);
  }

  /** @param {Frame} ack with the newest page */
  #shown({ conversation, messages, more }) {
    this.changed(conversation);
    this.#talks.get(conversation.id)?.resume(messages, more);
  }

  /** Only of what is held or looked at: the line's messages are nobody's to load. */
  lacking() {
    const lacks = [];
    for (const talk of this.#talks.values()) {
      if (talk.gone.value || !(this.speaks(talk) || talk.id === this.watching.value || this.readsAlong(talk))) continue;
      const wants = talk.wants;
      if (wants) lacks.push({ conversation: talk.id, ...wants });
    }
    return lacks;
  }

  /** Looks at what is not theirs, and may. @param {Talk} talk */
  readsAlong(talk) {
    return talk.id === this.#open && !this.holds(talk) && (talk.line !== null || this.rings(talk.id));
  }

  resume() {
    /** @type {Record<string, [number, string]>} */
    const after = {};
    for (const talk of this.mine.value.slice(0, HELLO_TALKS)) {
      if (talk.held) after[talk.id] = talk.held;
    }
    return after;
  }

  /** @param {string[]} ids @returns {Talk[]} */
  #all(ids) {
    return ids.map((id) => this.#talks.get(id)).filter((talk) => talk !== undefined);
  }
}

const idOf = (/** @type {{id: string}} */ { id }) => id;

/** The array of before while the same stand in it in the same order: most messages
 * move nobody, and then no list is drawn again.
 * @param {() => Talk[]} from */
function steady(from) {
  /** @type {Talk[]} */
  let last = [];
  return computed(() => {
    const talks = from();
    if (!same(talks, last)) last = talks;
    return last;
  });
}

/** As `steady`, for each group and for all of them. @param {() => Map<string, Talk[]>} from */
function steadyGroups(from) {
  /** @type {Map<string, Talk[]>} */
  let last = new Map();
  return computed(() => {
    const groups = from();
    let changed = groups.size !== last.size;
    for (const [id, talks] of groups) {
      const before = last.get(id);
      if (before && same(talks, before)) groups.set(id, before);
      else changed = true;
    }
    if (changed) last = groups;
    return last;
  });
}

/** @param {Talk[]} talks @param {Talk[]} others */
const same = (talks, others) => talks.length === others.length && talks.every((talk, i) => talk === others[i]);

/** The same array when nothing changes, so that nothing is drawn again.
 * @param {string[]} ids @param {string} id @param {boolean} belongs */
function listed(ids, id, belongs) {
  if (ids.includes(id) === belongs) return ids;
  return belongs ? [...ids, id] : ids.filter((one) => one !== id);
}

/** @param {Talk} a @param {Talk} b */
function byNeed(a, b) {
  return rank(a) - rank(b) || (rank(a) === 0 ? compare(a.owedSince.value, b.owedSince.value) : compare(lastAt(b), lastAt(a)));
}

/** Waits for me, waits for the customer, has ended. @param {Talk} talk */
function rank(talk) {
  if (talk.facts.value.state === "ended") return 2;
  return talk.owedSince.value ? 0 : 1;
}

/** @param {Talk} a @param {Talk} b */
function byStart(a, b) {
  return compare(a.facts.value.started_at, b.facts.value.started_at);
}

/** @param {Talk} talk */
function lastAt(talk) {
  return talk.last.value?.at ?? talk.facts.value.started_at ?? talk.facts.value.created_at;
}

/** @param {Talk} a @param {Talk} b */
function byPosition(a, b) {
  const [first, second] = [a.facts.value, b.facts.value];
  return (
    Number(a.left) - Number(b.left) ||
    (first.position ?? Infinity) - (second.position ?? Infinity) ||
    compare(a.since, b.since)
  );
}

/** @param {string|null|undefined} a @param {string|null|undefined} b */
function compare(a, b) {
  return (a ?? "") < (b ?? "") ? -1 : (a ?? "") > (b ?? "") ? 1 : 0;
}
