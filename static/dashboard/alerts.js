// dashboard/alerts.js – what reaches an agent who looks elsewhere: a sound, a notification, the title

import { effect } from "../vendor/signals-core.js";
import { chime } from "../chat/sound.js";
import { _ } from "../chat/words.js";
import { setBy } from "./parts/status.js";
import { stillWords } from "./parts/still.js";
import { gist, nameOf } from "./story.js";

/** @typedef {import("./here.js").Here} Here */
/** @typedef {import("./desk.js").News} News */

const RING_MS = 4_000;
const SOUND_GAP_MS = 1_500; // five messages at once are one sound

/** @param {Here} here */
export function watch(here) {
  let heard = 0;
  const loudest = oneTabOnly();
  here.desk.onNews = (news) => {
    const looking = document.hasFocus() && here.view.open.value === news.talk.id;
    if (news.kind === "lost") here.view.say(lostWords(news));
    if (news.kind === "withdrawn") here.view.say(withdrawnWords(news));
    if (["ended", "lost", "withdrawn"].includes(news.kind) || looking || !loudest()) return;
    sound();
    const { talk, message } = news;
    notify(here, { title: title(news), body: gist(message), tag: talk.id, show: () => here.view.show(talk.id) });
  };
  here.desk.onStill = (queue) => {
    if (!loudest()) return;
    sound();
    notify(here, { title: _("%(queue)s stands still", { queue: queue.name }), body: stillWords(queue), tag: `still ${queue.id}`, show: () => here.view.showBoard() });
  };
  function sound() {
    if (!here.prefs.sound.value || Date.now() - heard <= SOUND_GAP_MS) return;
    heard = Date.now();
    chime();
  }
  // What rings, rings until it is handled.
  setInterval(() => {
    if (here.desk.offers.value.length && here.prefs.sound.value && loudest()) chime();
  }, RING_MS);
  here.feed.onLost = ({ text }) => here.view.say(_("Not sent, for the conversation is not yours any more: %(text)s", { text: text.slice(0, 80) }));
  let status = "";
  effect(() => {
    const me = here.desk.me.value;
    const changed = status && me && status !== me.status;
    status = me?.status ?? "";
    if (changed && me.set_by) here.view.say(setBy(me));
  });
  effect(() => {
    const unread = here.desk.unread.value;
    document.title = `${unread ? `(${unread}) ` : ""}${_("Desk")} · Helpdesk`;
  });
}

/** Asked for only when somebody has switched it on. */
export async function allowNotifications() {
  if (!("Notification" in window)) return false;
  return (await Notification.requestPermission()) === "granted";
}

/** To who looks elsewhere. @param {Here} here @param {{title: string, body: string, tag: string, show: () => void}} what */
function notify({ prefs }, { title, body, tag, show }) {
  if (!prefs.notifications.value || document.hasFocus()) return;
  if (!("Notification" in window) || Notification.permission !== "granted") return;
  const shown = new Notification(title, { body, tag });
  shown.onclick = () => {
    window.focus();
    show();
    shown.close();
  };
}

/** @param {News} news */
function title({ kind, talk }) {
  const name = nameOf(talk.customer.value);
  const titles = { assigned: _("%(name)s has come to you", { name }), offered: _("%(name)s is offered to you", { name }) };
  return titles[/** @type {"assigned"} */ (kind)] ?? name;
}

/** @param {News} news */
function lostWords({ talk }) {
  const name = nameOf(talk.customer.value);
  const { state, agent } = talk.facts.value;
  if (state === "waiting") return _("%(name)s is back in the line.", { name });
  return _("%(agent)s has the conversation with %(name)s now.", { agent: agent?.name ?? "", name });
}

/** @param {News} news */
function withdrawnWords({ talk, why }) {
  const name = nameOf(talk.customer.value);
  switch (why) {
    case "lapsed":
      return _("You did not answer in time: %(name)s is offered to somebody else.", { name });
    case "taken":
      return _("A colleague has taken %(name)s.", { name });
    case "customer_left":
      return _("%(name)s has left.", { name });
    default:
      return "";
  }
}

/** Several tabs of one agent make one sound: the first that opened. Where locks are
 * missing, each does. @returns {() => boolean} */
function oneTabOnly() {
  let ours = !navigator.locks;
  void navigator.locks?.request("desk.alerts", () => {
    ours = true;
    return new Promise(() => {}); // held until the tab closes
  });
  return () => ours;
}
