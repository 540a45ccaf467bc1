// dashboard/keys.js – what the keyboard does everywhere; parts have keys of their own

import { _ } from "../chat/words.js";

/** @typedef {import("./here.js").Here} Here */

/** What the sheet shows. A function: words are known only once the catalogue is. */
export const SHORTCUTS = () => [
  { keys: ["Mod+K"], does: _("Search or jump to a conversation") },
  { keys: ["Alt+N"], does: _("Next unread conversation") },
  { keys: ["Alt+↓", "Alt+↑"], does: _("Next or previous conversation") },
  { keys: ["Alt+T"], does: _("Take the first in line") },
  { keys: ["Alt+A", "Enter"], does: _("Accept what is offered") },
  { keys: ["Alt+D", "Esc"], does: _("Decline what is offered") },
  { keys: ["/"], does: _("Canned replies") },
  { keys: ["Alt+M"], does: _("Reply or note") },
  { keys: ["Enter"], does: _("Send") },
  { keys: ["Shift Enter"], does: _("New line") },
  { keys: ["Alt+G"], does: _("Give the conversation to somebody else") },
  { keys: ["Alt+E"], does: _("End the conversation") },
  { keys: ["Alt+B"], does: _("Live board, for supervisors") },
  { keys: ["Alt+J"], does: _("Join what you watch") },
  { keys: ["Alt+O"], does: _("Take over what you watch") },
  { keys: ["↓", "↑"], does: _("Walk the list") },
  { keys: ["Esc"], does: _("Close, or back to the list") },
  { keys: ["?"], does: _("This sheet") },
];

/** @typedef {{take: (talk: import("./talk.js").Talk) => void, accept: (id: string) => void, decline: (id: string) => void,
 *   join: (id: string) => void, takeOver: (id: string) => void}} Acts */

/** @param {Here} here @param {Acts} acts */
export function listen(here, acts) {
  document.addEventListener("keydown", (event) => {
    if (event.isComposing || event.defaultPrevented) return;
    const act = actions(here, acts)[chord(event)];
    if (!act || (here.view.dialog.value && chord(event) !== "Mod+KeyK")) return;
    if (["Enter", "Escape"].includes(event.key)) {
      // Only while nothing has the keyboard: elsewhere these have a meaning of their own.
      if (document.activeElement !== document.body) return;
    } else if (single(event) && (!here.prefs.singleKeys.value || writes(event.target))) return;
    event.preventDefault();
    act();
  });
}

/** By place on the keyboard: with Alt held down, a Mac types other letters. @param {KeyboardEvent} event */
function chord({ altKey, ctrlKey, metaKey, code, key }) {
  if ((ctrlKey || metaKey) && !altKey) return `Mod+${code}`;
  if (altKey && !ctrlKey && !metaKey) return `Alt+${code}`;
  return altKey || ctrlKey || metaKey ? "" : key;
}

/** @param {KeyboardEvent} event */
const single = ({ altKey, ctrlKey, metaKey }) => !altKey && !ctrlKey && !metaKey;

/** @param {EventTarget|null} target */
function writes(target) {
  return target instanceof HTMLElement && target.matches("input, textarea, select, [contenteditable]");
}

/** @param {Here} here @param {Acts} acts @returns {Record<string, () => void>} */
function actions({ desk, view, drafts }, { take, accept, decline, join, takeOver }) {
  const offer = desk.offers.value[0];
  const ringing = offer && {
    "Alt+KeyA": () => accept(offer.id),
    "Alt+KeyD": () => decline(offer.id),
    Enter: () => accept(offer.id),
    Escape: () => decline(offer.id),
  };
  const open = desk.talk(view.open.value);
  const held = open && desk.holds(open) ? open : undefined;
  const spoken = open && desk.speaks(open) ? open : undefined;
  const overseen = open && desk.oversees(open) ? open : undefined;
  return {
    ...ringing,
    "Mod+KeyK": () => (view.dialog.value = view.dialog.value?.name === "jump" ? null : { name: "jump" }),
    "Alt+KeyN": () => nextUnread(desk, view),
    "Alt+ArrowDown": () => neighbour(desk, view, 1),
    "Alt+ArrowUp": () => neighbour(desk, view, -1),
    "Alt+KeyT": () => {
      const first = desk.first.value;
      if (first) take(first);
    },
    "Alt+KeyE": () => {
      if (held) view.dialog.value = { name: "end", id: held.id };
    },
    "Alt+KeyG": () => {
      if (held) view.dialog.value = { name: "transfer", id: held.id };
    },
    "Alt+KeyM": () => {
      if (!spoken) return;
      const { isNote } = drafts.of(spoken.id);
      isNote.value = !isNote.value;
      view.wanted.value = spoken.id;
    },
    "/": () => {
      if (!spoken) return;
      if (!drafts.of(spoken.id).text.value) drafts.write(spoken.id, "/");
      view.wanted.value = spoken.id;
    },
    "Alt+KeyB": () => {
      if (desk.supervises.value.length) view.showBoard();
    },
    "Alt+KeyJ": () => {
      if (overseen && !spoken) join(overseen.id);
    },
    "Alt+KeyO": () => {
      if (overseen) takeOver(overseen.id);
    },
    "?": () => (view.dialog.value = { name: "keys" }),
  };
}

/** @param {import("./desk.js").Desk} desk @param {import("./view.js").View} view */
function nextUnread(desk, view) {
  const others = desk.mine.value.filter((talk) => talk.unread.value && talk.id !== view.open.value);
  if (others[0]) view.show(others[0].id);
}

/** @param {import("./desk.js").Desk} desk @param {import("./view.js").View} view @param {1|-1} step */
function neighbour(desk, view, step) {
  const talks = [...desk.mine.value, ...desk.beside.value, ...[...desk.lines.value.values()].flat()];
  if (talks.length === 0) return;
  const here = talks.findIndex(({ id }) => id === view.open.value);
  const next = here < 0 ? (step > 0 ? 0 : talks.length - 1) : (here + step + talks.length) % talks.length;
  view.show(talks[next].id);
}
