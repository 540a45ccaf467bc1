// dashboard/parts/dialogs.js – what asks for a moment: end, jump, shortcuts, settings

import { _, locale, n_ } from "../../chat/words.js";
import { allowNotifications } from "../alerts.js";
import { html, useId, useRef, useState } from "../ui.js";
import { useHere } from "../here.js";
import { whyNot } from "../deciding.js";
import { SHORTCUTS } from "../keys.js";
import { gist, nameOf } from "../story.js";
import { Block } from "./block.js";
import { StatusOf } from "./colleague.js";
import { statusName } from "./status.js";
import { Avatar, Icon, Modal, Span, Switch, keyName } from "./small.js";

/** @typedef {import("../talk.js").Talk} Talk */

export function Dialogs() {
  const { view, desk } = useHere();
  const dialog = view.dialog.value;
  // The browser tells of a closed dialog later: by then another one may be open.
  const close = () => {
    if (view.dialog.value === dialog) view.dialog.value = null;
  };
  if (dialog?.name === "keys") return html`<${Keys} onClose=${close} />`;
  if (dialog?.name === "jump") return html`<${Jump} onClose=${close} />`;
  if (dialog?.name === "settings") return html`<${Settings} onClose=${close} />`;
  if (!dialog || !("id" in dialog)) return null;
  const agent = dialog.name === "status" && desk.agents.value.get(dialog.id);
  if (agent) return html`<${StatusOf} key=${agent.id} agent=${agent} onClose=${close} />`;
  const talk = desk.talk(dialog.id);
  if (!talk || dialog.name === "status") return null;
  return html`<${{ end: End, transfer: Transfer, block: Block }[dialog.name]} talk=${talk} onClose=${close} />`;
}

/** @param {{talk: Talk, onClose: () => void}} props */
function End({ talk, onClose }) {
  const { feed, drafts } = useHere();
  const [outcome, setOutcome] = useState("resolved");
  const name = nameOf(talk.customer.value);
  const unsent = drafts.of(talk.id).reply.value.trim();
  const outcomes = [
    ["resolved", _("Resolved"), _("The question has its answer.")],
    ["missed", _("Missed"), _("Nobody could help this time.")],
    ["expired", _("Expired"), _("%(name)s stopped answering.", { name })],
  ];
  const end = (/** @type {Event} */ event) => {
    event.preventDefault();
    feed.end(talk.id, outcome);
    drafts.clear(talk.id);
    onClose();
  };
  return html`<${Modal} label=${_("End the conversation")} onClose=${onClose}>
    <form onSubmit=${end}>
      <h2>${_("End the conversation with %(name)s?", { name })}</h2>
      <p class="hint">${_("%(name)s can still read it, rate it and start a new one.", { name })}</p>
      ${unsent && html`<p class="caution"><${Icon} name="triangle-alert" />${_("Your unsent draft is discarded.")}</p>`}
      <fieldset class="outcomes">
        <legend class="heard">${_("Outcome")}</legend>
        ${outcomes.map(
          ([value, label, hint]) => html`<label class="outcome">
            <input type="radio" name="outcome" value=${value} checked=${outcome === value} autofocus=${value === "resolved"}
              onChange=${() => setOutcome(value)} />
            <span class="who">${label}</span><span class="hint">${hint}</span>
          </label>`,
        )}
      </fieldset>
      <div class="buttons">
        <button type="button" class="button" onClick=${onClose}>${_("Keep talking")}</button>
        <button type="submit" class="button primary">${_("End")}<kbd>⏎</kbd></button>
      </div>
    </form>
  <//>`;
}

/** Colleagues who could take it now, then queues. @param {{talk: Talk, onClose: () => void}} props */
function Transfer({ talk, onClose }) {
  const { desk, feed, view } = useHere();
  const name = nameOf(talk.customer.value);
  const targets = transferTargets(desk, talk);
  const [to, setTo] = useState(targets.find(({ free }) => free)?.value ?? "");
  const [note, setNote] = useState("");
  const give = async (/** @type {Event} */ event) => {
    event.preventDefault();
    const target = targets.find(({ value }) => value === to);
    if (!target) return;
    onClose();
    try {
      await feed.transfer(talk.id, target.to, note.trim());
      view.say(_("%(target)s is asked. Until then %(name)s stays with you.", { target: target.name, name }));
    } catch (refusal) {
      view.say(whyNot(/** @type {any} */ (refusal), talk));
    }
  };
  return html`<${Modal} label=${_("Transfer")} onClose=${onClose}>
    <form onSubmit=${give}>
      <h2>${_("Give %(name)s to whom?", { name })}</h2>
      <fieldset class="outcomes">
        <legend class="heard">${_("To whom")}</legend>
        ${targets.map(
          ({ value, name: target, hint, free }) => html`<label class=${`outcome ${free ? "" : "unfree"}`} key=${value}>
            <input type="radio" name="to" value=${value} checked=${to === value} disabled=${!free} autofocus=${to === value}
              onChange=${() => setTo(value)} />
            <span class="who">${target}</span><span class="hint">${hint}</span>
          </label>`,
        )}
      </fieldset>
      <label class="note-field">${_("Note for whoever takes it")}
        <textarea rows="2" value=${note} maxlength=${desk.limits.value.text}
          onInput=${(/** @type {any} */ event) => setNote(event.target.value)}></textarea></label>
      <div class="buttons">
        <button type="button" class="button" onClick=${onClose}>${_("Keep talking")}</button>
        <button type="submit" class="button primary" disabled=${!to}>${_("Transfer")}</button>
      </div>
    </form>
  <//>`;
}

/** @param {import("../desk.js").Desk} desk @param {Talk} talk */
function transferTargets(desk, talk) {
  const agents = [...desk.agents.value.values()]
    .filter(({ id }) => id !== desk.me.value?.id)
    .map(({ id, name, status, connected, load, capacity }) => ({
      value: `agent ${id}`,
      to: /** @type {{agent?: string, queue?: string}} */ ({ agent: id }),
      name,
      free: connected && status === "online" && load < capacity,
      hint: `${connected ? statusName(status) : _("Not connected")} · ${load}/${capacity}`,
    }));
  const others = desk.queues.value.filter(({ id }) => id !== talk.facts.value.queue.id);
  const queues = others.map(({ id, name, waiting }) => ({
    value: `queue ${id}`,
    to: { queue: id },
    name,
    free: true,
    hint: n_("Queue, %(n)s person waits", "Queue, %(n)s people wait", waiting),
  }));
  return [...agents.sort((a, b) => Number(b.free) - Number(a.free)), ...queues];
}

/** @param {{onClose: () => void}} props */
function Jump({ onClose }) {
  const { desk, view } = useHere();
  const [wanted, setWanted] = useState("");
  const [at, setAt] = useState(0);
  const id = useId();
  const found = jumpTargets(desk, wanted).slice(0, 50);
  const chosen = Math.min(at, Math.max(0, found.length - 1));
  const list = useRef(/** @type {HTMLElement|null} */ (null));
  const go = (/** @type {Talk|undefined} */ talk) => {
    if (!talk) return;
    onClose();
    view.show(talk.id);
  };
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    if (event.isComposing) return;
    const move = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (move) {
      event.preventDefault();
      const next = (chosen + move + found.length) % Math.max(1, found.length);
      setAt(next);
      list.current?.children[next]?.scrollIntoView({ block: "nearest" });
    }
    if (event.key === "Enter") {
      event.preventDefault();
      go(found[chosen]);
    }
  };
  return html`<${Modal} label=${_("Jump to a conversation")} class="jumper" onClose=${onClose}>
    <label class="jump-field"><${Icon} name="search" /><span class="heard">${_("Name, e-mail or words")}</span>
      <input role="combobox" aria-expanded="true" aria-controls=${id} aria-autocomplete="list" autocomplete="off" autofocus
        aria-activedescendant=${found[chosen] ? `${id}-${chosen}` : undefined} placeholder=${_("Name, e-mail or words")}
        value=${wanted} onKeyDown=${onKeyDown}
        onInput=${(/** @type {any} */ event) => (setWanted(event.target.value), setAt(0))} /></label>
    <ul role="listbox" id=${id} ref=${list} aria-label=${_("Conversations")}>
      ${found.map(
        (talk, i) => html`<li key=${talk.id} id=${`${id}-${i}`} role="option" aria-selected=${i === chosen ? "true" : "false"}
          onClick=${() => go(talk)}>
          <${Avatar} id=${talk.customer.value.id} name=${nameOf(talk.customer.value)} />
          <span class="who">${nameOf(talk.customer.value)}</span>
          <span class="gist">${gist(talk.last.value) || talk.customer.value.page?.title || ""}</span>
          <span class="tag">${talk.facts.value.state === "waiting" ? html`${_("Line")} · <${Span} since=${talk.facts.value.created_at} />` : talk.facts.value.queue.name}</span>
        </li>`,
      )}
    </ul>
    ${found.length === 0 && html`<p class="quiet" role="status">${_("Nothing on your desk fits.")}</p>`}
  <//>`;
}

/** Mine before the line. @param {import("../desk.js").Desk} desk @param {string} wanted */
function jumpTargets(desk, wanted) {
  const sought = wanted.trim().toLowerCase();
  const all = [...desk.mine.value, ...[...desk.lines.value.values()].flat(), ...[...desk.holders.value.values()].flat()];
  return all.filter((talk) => {
    const { name, email, page } = talk.customer.value;
    const words = [name, email, page?.title, talk.facts.value.queue.name, ...talk.messages.value.map(({ text }) => text)];
    return words.some((text) => text?.toLowerCase().includes(sought));
  });
}

/** @param {{onClose: () => void}} props */
function Keys({ onClose }) {
  return html`<${Modal} label=${_("Shortcuts")} class="keys" onClose=${onClose}>
    <h2>${_("Shortcuts")}</h2>
    <dl>${SHORTCUTS().map(
      ({ keys, does }) => html`<div key=${does}><dt>${does}</dt><dd>${keys.map((one) => html`<kbd>${keyName(one)}</kbd>`)}</dd></div>`,
    )}</dl>
    <div class="buttons"><button type="button" class="button" autofocus onClick=${onClose}>${_("Close")}</button></div>
  <//>`;
}

/** @param {{onClose: () => void}} props */
function Settings({ onClose }) {
  const { prefs, places, view } = useHere();
  const turnNotifications = async (/** @type {boolean} */ on) => {
    prefs.notifications.value = on && (await allowNotifications());
    if (on && !prefs.notifications.value) view.say(_("The browser does not allow notifications for this page."));
  };
  return html`<${Modal} label=${_("Settings")} class="settings" onClose=${onClose}>
    <h2>${_("Settings")}</h2>
    <${Switch} value=${prefs.sound}>${_("Sound for new conversations and messages")}<//>
    <${Switch} value=${prefs.notifications} onChange=${turnNotifications}>${_("Desktop notifications when you look elsewhere")}<//>
    <${Switch} value=${prefs.singleKeys}>${_("Shortcuts of a single key (? and /)")}<//>
    <form method="post" action=${places.languageUrl} class="language">
      <input type="hidden" name="csrfmiddlewaretoken" value=${places.csrf} />
      <input type="hidden" name="next" value=${location.pathname} />
      <span id="language-label">${_("Language")}</span>
      <div role="group" aria-labelledby="language-label">
        ${LANGUAGES.map(
          ([code, name]) => html`<button class="button" name="language" value=${code} lang=${code}
            aria-pressed=${locale().toLowerCase() === code ? "true" : "false"}>${name}</button>`,
        )}
      </div>
    </form>
    <div class="buttons">
      ${places.admin && html`<a class="button" href=${places.admin}>${_("Administration")}</a>`}
      <form method="post" action=${places.logout}>
        <input type="hidden" name="csrfmiddlewaretoken" value=${places.csrf} />
        <button class="button"><${Icon} name="log-out" />${_("Sign out")}</button>
      </form>
      <button type="button" class="button primary" autofocus onClick=${onClose}>${_("Done")}</button>
    </div>
  <//>`;
}

// Each in its own words: who reads the wrong one must find theirs.
const LANGUAGES = [
  ["en", "English"],
  ["zh-hans", "简体中文"],
];
