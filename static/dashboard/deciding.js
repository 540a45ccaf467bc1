// dashboard/deciding.js – take, accept, decline: whatever was pressed, and what to say when it cannot be

import { _ } from "../chat/words.js";

/** @typedef {import("./talk.js").Talk} Talk */

/** @param {import("./here.js").Here} here */
export function deciding({ desk, feed, view }) {
  /** Does it and opens the conversation, or says why not.
   * @param {string} id @param {(id: string) => Promise<void>} act */
  const open = async (id, act) => {
    const talk = desk.talk(id);
    try {
      await act(id);
      view.show(id);
    } catch (refusal) {
      view.say(whyNot(/** @type {any} */ (refusal), talk));
    }
  };
  return {
    take: (/** @type {Talk} */ { id }) => open(id, (one) => feed.take(one)),
    accept: (/** @type {string} */ id) => open(id, (one) => feed.accept(one)),
    decline: (/** @type {string} */ id) =>
      feed.decline(id).catch((refusal) => view.say(whyNot(refusal, desk.talk(id)))),
    join: (/** @type {string} */ id) => open(id, (one) => feed.join(one)),
    takeOver: (/** @type {string} */ id) => open(id, (one) => feed.takeOver(one)),
    goOnline: () =>
      feed.setStatus("online").catch(() => view.say(_("Your status could not be changed. Try again in a moment."))),
    ready: () => feed.ready().catch((refusal) => view.say(whyNot(refusal))),
  };
}

/** @param {{code: string, message: string}} refusal @param {Talk} [talk] */
export function whyNot({ code, message }, talk) {
  const holder = talk?.facts.value.agent?.name;
  switch (code) {
    case "already_taken":
      return holder ? _("%(name)s was quicker.", { name: holder }) : _("Somebody else was quicker.");
    case "full":
      return _("You have no room for another conversation. End one first.");
    case "ended":
      return _("This conversation has ended.");
    case "offer_lapsed":
      return _("The offer has lapsed.");
    case "agent_unavailable":
      return _("This colleague is not available now.");
    case "not_yours":
      return _("A colleague has this conversation by now.");
    case "forbidden":
      return _("Only a supervisor of the queue can do that.");
    case "offline":
      return _("No connection to the desk just now. Try again in a moment.");
    default:
      return message;
  }
}
