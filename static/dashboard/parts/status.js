// dashboard/parts/status.js – who I am, what I chose, how much I hold

import { _ } from "../../chat/words.js";
import { deciding } from "../deciding.js";
import { html, useEffect, useState } from "../ui.js";
import { useHere } from "../here.js";
import { Avatar, Disclosure, Icon } from "./small.js";

export const STATUSES = /** @type {const} */ (["online", "away", "offline"]);

/** @param {string} status */
export function statusName(status) {
  return { online: _("Online"), away: _("Away"), offline: _("Offline") }[status] ?? status;
}

/** What the desk gives as a reason, in the reader's words; what people wrote as they wrote it.
 * @param {string} reason */
export function reasonName(reason) {
  return reason === "Two offers in a row went unanswered." ? _("Two offers in a row went unanswered.") : reason;
}

/** @param {string} status */
function meaning(status) {
  return {
    online: _("New conversations come to you"),
    away: _("You keep yours, nothing new comes"),
    offline: _("You have gone home"),
  }[status];
}

export function Status() {
  const { desk, feed, places } = useHere();
  const closed = feed.state.value === "closed";
  const me = desk.me.value ?? { id: places.agent, name: places.name, status: "offline", load: 0, capacity: 0, reason: "" };
  const label = html`<${Avatar} ...${me} dot=${desk.welcomed.value ? me.status : "lost"} />
    <span class="me">
      <span class="who">${me.name}</span>
      <span class="state">${desk.welcomed.value ? statusName(me.status) : closed ? _("Not connected") : _("Connecting …")}${
        me.status !== "online" && me.reason ? ` · ${reasonName(me.reason)}` : ""
      }</span>
    </span>
    ${desk.welcomed.value && html`<${Load} load=${me.load} capacity=${me.capacity} />`}
    <${Icon} name="chevron-down" />`;
  return html`<${Disclosure} class="status" label=${label}>${(/** @type {() => void} */ close) => html`<${Picker} close=${close} />`}<//>`;
}

/** One press and one is back. */
export function Absence() {
  const { desk } = useHere();
  const { goOnline } = deciding(useHere());
  const me = desk.me.value;
  if (!me || me.status === "online") return null;
  const set = setBy(me);
  return html`<div class="absence"><span>${set && html`<strong>${set}</strong> `}${_("New conversations do not come to you.")}</span>
    <button type="button" class="button" onClick=${goOnline}>${_("Go online")}</button></div>`;
}

/** Who set the status, when it was somebody else. @param {import("../desk.js").Agent} me */
export function setBy({ status, set_by: by }) {
  if (!by) return "";
  const { name } = by;
  return { online: _("%(name)s set you online.", { name }), away: _("%(name)s set you away.", { name }), offline: _("%(name)s set you offline.", { name }) }[status];
}

/** After an end: what is left of the time that the queue gives. */
export function WrapUp() {
  const { desk } = useHere();
  const { ready } = deciding(useHere());
  const me = desk.me.value;
  const seconds = useSecondsUntil(me?.wrap_up_until);
  if (!me || seconds <= 0) return null;
  const full = me.load >= me.capacity;
  return html`<div class="absence wrap-up">
    <span><strong>${_("Wrap-up")} · <span role="timer">${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}</span></strong>
      ${full ? _("No new conversations until then.") : _("One of your places stays taken until then.")}</span>
    <button type="button" class="button" onClick=${ready}>${_("I am ready")}</button></div>`;
}

/** Counts down. @param {string|undefined} at */
function useSecondsUntil(at) {
  const left = () => (at ? Math.max(0, Math.ceil((Date.parse(at) - Date.now()) / 1000)) : 0);
  const [, tick] = useState(0);
  const counts = left() > 0;
  useEffect(() => {
    if (!counts) return undefined;
    const timer = setInterval(() => tick((n) => n + 1), 1000);
    return () => clearInterval(timer);
  }, [at, counts]);
  return left();
}

/** @param {{load: number, capacity: number}} props */
export function Load({ load, capacity }) {
  const words = _("%(load)s of %(capacity)s conversations", { load, capacity });
  return html`<span class=${`load ${load >= capacity ? "full" : ""}`} title=${words}>
    <span aria-hidden="true">${load}/${capacity}</span><span class="heard">${words}</span>
  </span>`;
}

/** @param {{close: () => void}} props */
function Picker({ close }) {
  const { desk, feed, view } = useHere();
  const me = desk.me.value;
  const [reason, setReason] = useState(me?.reason ?? "");
  const choose = async (/** @type {string} */ status) => {
    close();
    try {
      await feed.setStatus(status, status === "online" ? "" : reason.trim());
    } catch {
      view.say(_("Your status could not be changed. Try again in a moment."));
    }
  };
  return html`<div class="choices" role="group" aria-label=${_("Status")}>
    ${STATUSES.map(
      (status) => html`<button type="button" class="choice" aria-pressed=${me?.status === status ? "true" : "false"}
        onClick=${() => choose(status)}>
        <span class=${`dot ${status}`} aria-hidden="true"></span>
        <span class="who">${statusName(status)}</span>
        <span class="hint">${meaning(status)}</span>
        ${me?.status === status && html`<${Icon} name="check" />`}
      </button>`,
    )}
    <label class="field">${_("Why you are away (colleagues see it)")}
      <input value=${reason} maxlength="200" placeholder=${_("Lunch, back at two")}
        onInput=${(/** @type {any} */ event) => setReason(event.target.value)}
        onKeyDown=${(/** @type {KeyboardEvent} */ event) => event.key === "Enter" && choose(me?.status === "offline" ? "offline" : "away")} />
    </label>
  </div>`;
}
