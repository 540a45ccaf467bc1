// dashboard/story.js – what happened in a conversation, said in the reader's language,
// and its messages in the shape in which they are drawn. Values in, values out.

import { _ } from "../chat/words.js";
import { place } from "./talk.js";

/** @typedef {import("../chat/protocol.js").Message} Message */
/** @typedef {import("../chat/protocol.js").Conversation} Conversation */
/** @typedef {{kind: "day", key: string, at: string}
 *   | {kind: "system", key: string, message: Message}
 *   | {kind: "group", key: string, messages: Message[]}} Item */

const PAUSE_MS = 5 * 60_000; // after it, the same person begins a new group

/** @type {Record<string, (data: Record<string, any>) => string>} */
const EVENTS = {
  agent_joined: ({ name }) => _("%(name)s joined.", { name }),
  agent_lost: ({ name }) => _("%(name)s lost connection. The customer reads that the place is kept.", { name }),
  agent_back: ({ name }) => _("%(name)s is back.", { name }),
  requeued: ({ name }) =>
    name ? _("%(name)s did not come back: to the front of the line.", { name }) : _("Back to the front of the line."),
  transferred: ({ name }) => _("%(name)s has taken over.", { name }),
  transfer_back: ({ name, why }) => {
    if (why === "declined") return _("%(name)s declined the transfer.", { name });
    if (why === "missed") return _("%(name)s went away before answering.", { name });
    return _("%(name)s did not answer the transfer.", { name });
  },
  idle_warning: ({ minutes }) => _("The customer is asked whether they are still there. This ends in %(minutes)s min.", { minutes }),
  left: () => _("The customer left a message instead of waiting."),
  ended: ({ by, name, outcome }) => {
    if (by === "customer") return _("The customer ended the conversation.");
    if (by === "agent") return _("%(name)s ended the conversation.", { name });
    if (outcome === "abandoned") return _("The customer left before anybody answered.");
    if (outcome === "expired") return _("Ended after a long silence.");
    return _("The conversation has ended.");
  },
};

/** A system line; one whose code is not known here says what the desk wrote. @param {Message} message */
export function told({ event, data, text }) {
  return (event && Object.hasOwn(EVENTS, event) && EVENTS[event](data ?? {})) || text;
}

/** @param {string|undefined} outcome */
export function outcomeName(outcome) {
  return (
    {
      resolved: _("Resolved"),
      abandoned: _("Abandoned"),
      missed: _("Missed"),
      expired: _("Expired"),
    }[outcome ?? ""] ?? ""
  );
}

/** Days, system lines, and groups of what one person said in a row.
 * @param {Message[]} messages @returns {Item[]} */
export function items(messages) {
  /** @type {Item[]} */
  const drawn = [];
  let day = "";
  /** @type {Extract<Item, {kind: "group"}>|null} */
  let group = null;
  for (const message of messages) {
    const key = String(place(message));
    const today = new Date(message.at).toDateString();
    if (today !== day) {
      drawn.push({ kind: "day", key: `day ${today}`, at: message.at });
      day = today;
      group = null;
    }
    if (message.kind === "system" || message.author.kind === "system") {
      drawn.push({ kind: "system", key, message });
      group = null;
    } else if (group && continues(group, message)) {
      group.messages.push(message);
    } else {
      group = { kind: "group", key, messages: [message] };
      drawn.push(group);
    }
  }
  return drawn;
}

/** @param {Extract<Item, {kind: "group"}>} group @param {Message} message */
function continues({ messages }, message) {
  const last = messages[messages.length - 1];
  return (
    last.kind === message.kind &&
    last.author.kind === message.author.kind &&
    last.author.id === message.author.id &&
    Date.parse(message.at) - Date.parse(last.at) < PAUSE_MS
  );
}

/** One line for a list. @param {Message|undefined} message */
export function gist(message) {
  if (!message) return "";
  const text = message.text.trim().replace(/\s+/g, " ").slice(0, 160);
  return text || message.attachments?.[0]?.name || "";
}

/** @param {{name?: string, email?: string|null}|undefined} customer */
export function nameOf(customer) {
  return customer?.name || customer?.email || _("Customer");
}

/** @param {string|undefined} url @returns {string} only what a browser may open safely */
export function safeLink(url) {
  try {
    const { protocol, href } = new URL(url ?? "");
    return protocol === "https:" || protocol === "http:" ? href : "";
  } catch {
    return "";
  }
}
