// dashboard/parts/colleague.js – what is known of a colleague, and how a supervisor sets their status

import { _ } from "../../chat/words.js";
import { whyNot } from "../deciding.js";
import { html, useState } from "../ui.js";
import { useHere } from "../here.js";
import { STATUSES, reasonName, statusName } from "./status.js";
import { Icon, Modal } from "./small.js";

/** @typedef {import("../desk.js").Agent} Agent */

/** Three facts, which can contradict each other: what they chose, whether the desk sees
 * them, whether somebody is at the keyboard. @param {{agent: Agent}} props */
export function Facts({ agent }) {
  const { status, reason, connected } = agent;
  const waits = status === "online" && !connected ? "waits" : "";
  return html`<span class="facts">
    <span>${statusName(status)}</span>
    ${" · "}<span class=${waits}>${connected ? _("Connected") : _("Not connected")}</span>
    ${connected && html`${" · "}<${Activity} agent=${agent} />`}
    ${status !== "online" && reason && html`${" · "}<span>${reasonName(reason)}</span>`}
  </span>`;
}

/** @param {{agent: Agent}} props */
export function Activity({ agent: { active } }) {
  return html`<span title=${active ? _("Input in the last 10 min") : _("No input in the last 10 min")}>${active ? _("Active") : _("Quiet")}</span>`;
}

/** For supervisors of one of their queues. @param {{agent: Agent, words?: boolean}} props */
export function SetStatus({ agent, words = false }) {
  const { desk, view } = useHere();
  if (!agent.queues?.some((queue) => desk.supervises.value.includes(queue))) return null;
  const open = () => (view.dialog.value = { name: "status", id: agent.id });
  const name = _("Set the status of %(name)s", { name: agent.name });
  return words
    ? html`<button type="button" class="button set" aria-label=${name} onClick=${open}>${_("Set status")}</button>`
    : html`<button type="button" class="icon-button set" aria-label=${name} title=${name} onClick=${open}><${Icon} name="ellipsis" /></button>`;
}

/** @param {{agent: Agent, onClose: () => void}} props */
export function StatusOf({ agent, onClose }) {
  const { feed, view } = useHere();
  const { name } = agent;
  const [status, setStatus] = useState(/** @type {string} */ (agent.status));
  const [reason, setReason] = useState("");
  const set = async (/** @type {Event} */ event) => {
    event.preventDefault();
    onClose();
    try {
      await feed.setStatusOf(agent.id, status, status === "online" ? "" : reason.trim());
      view.say(_("%(name)s is set: %(status)s.", { name, status: statusName(status) }));
    } catch (refusal) {
      view.say(whyNot(/** @type {any} */ (refusal)));
    }
  };
  return html`<${Modal} label=${_("Set the status of %(name)s", { name })} onClose=${onClose}>
    <form onSubmit=${set}>
      <h2>${_("Set the status of %(name)s", { name })}</h2>
      <p class="hint">${_("%(name)s reads that it was you, and can change it back at once.", { name })}</p>
      <fieldset class="outcomes">
        <legend class="heard">${_("Status")}</legend>
        ${STATUSES.map(
          (one) => html`<label class="outcome" key=${one}>
            <input type="radio" name="status" value=${one} checked=${status === one} autofocus=${agent.status === one}
              onChange=${() => setStatus(one)} />
            <span class="who">${statusName(one)}</span><span class="hint">${meaning(one, name)}</span>
          </label>`,
        )}
      </fieldset>
      ${status !== "online" &&
      html`<label class="note-field plain">${_("Why (colleagues see it)")}
        <input value=${reason} maxlength="200" onInput=${(/** @type {any} */ event) => setReason(event.target.value)} /></label>`}
      <div class="buttons">
        <button type="button" class="button" onClick=${onClose}>${_("Cancel")}</button>
        <button type="submit" class="button primary">${_("Set status")}</button>
      </div>
    </form>
  <//>`;
}

/** @param {string} status @param {string} name */
function meaning(status, name) {
  return {
    online: _("New conversations come to %(name)s.", { name }),
    away: _("%(name)s keeps what is open; nothing new comes.", { name }),
    offline: _("%(name)s has gone home; nothing new comes.", { name }),
  }[status];
}
