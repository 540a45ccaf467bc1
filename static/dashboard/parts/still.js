// dashboard/parts/still.js – a line that stands still: supervisors are told until it moves

import { _, n_ } from "../../chat/words.js";
import { deciding } from "../deciding.js";
import { html, useMemo } from "../ui.js";
import { useHere } from "../here.js";
import { BOARD } from "../view.js";
import { lasting } from "./board.js";
import { Icon } from "./small.js";

/** @typedef {import("../desk.js").Queue} Queue */

export function Still() {
  const { desk } = useHere();
  const still = desk.still.value;
  // Said when a line begins to stand still, not whenever a number changes.
  const spoken = useMemo(() => still.map(stillWords).join(" "), [still.map(({ id }) => id).join()]);
  return html`<div role="alert" class="heard">${spoken}</div>
    ${still.map((queue) => html`<${Strip} key=${queue.id} queue=${queue} />`)}`;
}

/** @param {Queue} queue */
export function stillWords({ name, longest_wait_seconds: longest }) {
  return _("%(queue)s stands still: somebody has waited %(time)s and nobody was handed out.", { queue: name, time: lasting(longest) });
}

/** With what helps next: take the first, or, when nobody is there, be there or see who could be.
 * @param {{queue: Queue}} props */
function Strip({ queue }) {
  const { desk, view } = useHere();
  const { take, goOnline } = deciding(useHere());
  const first = desk.lines.value.get(queue.id)?.[0];
  const { name, waiting, staffed, longest_wait_seconds: longest } = queue;
  const away = desk.me.value?.status !== "online";
  return html`<div class="banner still">
    <span><${Icon} name="triangle-alert" /><strong>${_("%(queue)s stands still", { queue: name })}</strong> · ${lasting(longest)} · ${n_("%(n)s person waits", "%(n)s people wait", waiting)}${
      staffed === 0 ? html` · ${_("nobody is online")}` : ""
    }</span>
    ${staffed === 0 && away && html`<button type="button" class="button" onClick=${goOnline}>${_("Go online")}</button>`}
    ${!view.board.value && html`<a class=${`button ${staffed === 0 ? "primary" : ""}`} href=${BOARD}>${staffed === 0 ? _("See who could be online") : _("Open the board")}</a>`}
    ${first && html`<button type="button" class=${`button ${staffed === 0 ? "" : "primary"}`} onClick=${() => take(first)}>${_("Take the first")}</button>`}
  </div>`;
}
