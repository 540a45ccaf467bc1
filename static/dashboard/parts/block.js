// dashboard/parts/block.js – keep a customer out for a while: what happens is said before the click

import { clock, full } from "../../chat/format.js";
import { _, locale } from "../../chat/words.js";
import { whyNot } from "../deciding.js";
import { html, useState } from "../ui.js";
import { useHere } from "../here.js";
import { nameOf } from "../story.js";
import { now } from "../now.js";
import { Icon, Modal } from "./small.js";

/** @typedef {import("../talk.js").Talk} Talk */

const HOUR = 3600;
const REASON_CHARS = 200;

const TIMES = () => [
  { seconds: HOUR, label: _("1 hour") },
  { seconds: 24 * HOUR, label: _("1 day") },
  { seconds: 7 * 24 * HOUR, label: _("1 week") },
  { seconds: 365 * 24 * HOUR, label: _("1 year (the longest)") },
];

/** For whoever speaks in it, supervises its queue, or has it in line. @param {{talk: Talk}} props */
export function Blocking({ talk }) {
  const { desk, view } = useHere();
  const waits = desk.waiting.value.includes(talk.id);
  if (!waits && !desk.holds(talk) && !desk.oversees(talk)) return null;
  return html`<section class="blocking"><button type="button" class="quiet-danger"
    onClick=${() => (view.dialog.value = { name: "block", id: talk.id })}><${Icon} name="ban" />${_("Block this customer …")}</button></section>`;
}

/** @param {{talk: Talk, onClose: () => void}} props */
export function Block({ talk, onClose }) {
  const { feed, view } = useHere();
  const [seconds, setSeconds] = useState(24 * HOUR);
  const [reason, setReason] = useState("");
  const name = nameOf(talk.customer.value);
  const until = (/** @type {number} */ lasts) => new Date(now.value + lasts * 1000).toISOString();
  const block = async (/** @type {Event} */ event) => {
    event.preventDefault();
    if (!reason.trim()) return;
    onClose();
    try {
      await feed.block(talk.id, reason.trim(), seconds);
      view.say(_("%(name)s is blocked until %(time)s.", { name, time: moment(until(seconds)) }));
    } catch (refusal) {
      view.say(whyNot(/** @type {any} */ (refusal), talk));
    }
  };
  return html`<${Modal} label=${_("Block %(name)s", { name })} onClose=${onClose}>
    <form onSubmit=${block}>
      <h2>${_("Block %(name)s?", { name })}</h2>
      <ul class="what-happens">
        <li>${_("This conversation ends now.")}</li>
        <li>${_("Until the time is over, %(name)s can neither write nor start a new conversation.", { name })}</li>
        <li>${_("They read only that they cannot write at the moment. Your reason is for colleagues.")}</li>
      </ul>
      <label class="note-field plain">${_("Why")}
        <input required autofocus maxlength=${REASON_CHARS} value=${reason} onInput=${(/** @type {any} */ event) => setReason(event.target.value)} /></label>
      <fieldset class="outcomes times">
        <legend>${_("For how long")}</legend>
        ${TIMES().map(
          ({ seconds: lasts, label }) => html`<label class="outcome" key=${lasts}>
            <input type="radio" name="seconds" value=${lasts} checked=${seconds === lasts} onChange=${() => setSeconds(lasts)} />
            <span class="who">${label}</span><span class="hint"><time datetime=${until(lasts)} title=${full(until(lasts))}>${_("until %(time)s", { time: moment(until(lasts)) })}</time></span>
          </label>`,
        )}
      </fieldset>
      <div class="buttons">
        <button type="button" class="button" onClick=${onClose}>${_("Keep talking")}</button>
        <button type="submit" class="button danger-button" disabled=${!reason.trim()}>${_("Block until %(time)s", { time: moment(until(seconds)) })}</button>
      </div>
    </form>
  <//>`;
}

/** "14:05" today, else with the day and, in another year, the year. @param {string} at */
function moment(at) {
  const [then, today] = [new Date(at), new Date(now.value)];
  if (then.toDateString() === today.toDateString()) return clock(at);
  const year = then.getFullYear() === today.getFullYear() ? undefined : "numeric";
  return new Intl.DateTimeFormat(locale(), { weekday: year ? undefined : "short", day: "numeric", month: "short", year, hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(then);
}
