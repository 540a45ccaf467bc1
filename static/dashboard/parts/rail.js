// dashboard/parts/rail.js – the left column: me, mine, the line, colleagues

import { _, n_ } from "../../chat/words.js";
import { html, useComputed, useRef } from "../ui.js";
import { useHere } from "../here.js";
import { deciding } from "../deciding.js";
import { gist, nameOf } from "../story.js";
import { BOARD, address } from "../view.js";
import { Offers } from "./offers.js";
import { Absence, Status, WrapUp } from "./status.js";
import { Facts, SetStatus } from "./colleague.js";
import { Age, Avatar, Icon, Span, keyName } from "./small.js";
import { Windowed } from "./windowed.js";

/** @typedef {import("../talk.js").Talk} Talk */
/** @typedef {import("./windowed.js").Place} Place */
/** @typedef {import("../desk.js").Queue} Queue */
/** @typedef {import("../desk.js").Agent} Agent */

export function Rail() {
  const { desk, view } = useHere();
  return html`<nav class="rail" aria-label=${_("Conversations")} onKeyDown=${walk}>
    <div class="rail-head">
      <${Status} />
      <${WrapUp} />
      <${Absence} />
      <button type="button" class="jump" onClick=${() => (view.dialog.value = { name: "jump" })}>
        <${Icon} name="search" /><span>${_("Search or jump to")}</span><kbd>${keyName("Mod+K")}</kbd>
      </button>
      <${ToBoard} />
    </div>
    <div class="rail-lists" data-scrolls>
      ${desk.welcomed.value ? html`<${Offers} /><${Mine} /><${Beside} /><${Lines} /><${Colleagues} />` : html`<${Skeleton} />`}
    </div>
    <div class="rail-foot">
      <button type="button" onClick=${() => (view.dialog.value = { name: "settings" })}>
        <${Icon} name="settings" />${_("Settings")}
      </button>
      <button type="button" onClick=${() => (view.dialog.value = { name: "keys" })}>
        <${Icon} name="keyboard" />${_("Shortcuts")}
      </button>
    </div>
  </nav>`;
}

/** For supervisors. */
function ToBoard() {
  const { desk, view } = useHere();
  if (desk.supervises.value.length === 0) return null;
  const still = desk.still.value.length > 0;
  return html`<a class="jump" href=${BOARD} aria-current=${view.board.value ? "page" : undefined} onClick=${plainly(() => view.showBoard())}>
    <${Icon} name="layout-dashboard" /><span>${_("Live board")}</span>
    ${still && html`<span class="waits"><${Icon} name="triangle-alert" /><span class="heard">${_("stands still")}</span></span>`}
    <kbd>${keyName("Alt+B")}</kbd>
  </a>`;
}

function Mine() {
  const { desk, view } = useHere();
  const over = useRef(/** @type {string[]|null} */ (null));
  const talks = steady(desk.mine.value, over);
  return html`<section aria-labelledby="mine">
    <h2 id="mine">${_("Mine")}<span class="count">${talks.length || ""}</span></h2>
    ${talks.length === 0 && html`<p class="quiet">${_("You hold no conversation.")}</p>`}
    <${Windowed} items=${talks} open=${talks.findIndex(({ id }) => id === view.open.value)}
      onPointerEnter=${() => (over.current = talks.map(({ id }) => id))} onPointerLeave=${() => (over.current = null)}
      draw=${(/** @type {Talk} */ talk, /** @type {number} */ _i, /** @type {Place} */ place) => html`<${MyRow} key=${talk.id} talk=${talk} place=${place} />`} />
  </section>`;
}

/** Where a supervisor speaks beside the holder. */
function Beside() {
  const { desk } = useHere();
  const talks = desk.beside.value;
  if (talks.length === 0) return null;
  return html`<section aria-labelledby="beside">
    <h2 id="beside">${_("Joined")}<span class="count">${talks.length}</span></h2>
    <ul>${talks.map((talk) => html`<${MyRow} key=${talk.id} talk=${talk} />`)}</ul>
  </section>`;
}

/** Nothing moves under the pointer: while it is over the list, the order of then
 * holds and what is new comes last. @param {Talk[]} talks @param {{current: string[]|null}} over */
function steady(talks, over) {
  const kept = over.current;
  if (!kept) return talks;
  const rank = (/** @type {Talk} */ { id }) => (kept.indexOf(id) + 1 || kept.length + 1);
  return [...talks].sort((a, b) => rank(a) - rank(b));
}

/** @param {{talk: Talk, place?: Place}} props */
function MyRow({ talk, place }) {
  const { view, feed } = useHere();
  const { id, state, created_at: since } = talk.facts.value;
  const open = useComputed(() => view.open.value === id).value;
  const unsent = useComputed(() => feed.failed.value.has(id)).value;
  const customer = talk.customer.value;
  const unread = talk.unread.value;
  const last = talk.last.value;
  return html`<li ...${place} class=${`row ${unread ? "unread" : ""} ${state === "ended" ? "over" : ""}`}>
    <a href=${address(id)} data-row aria-current=${open ? "true" : undefined} onClick=${plainly(() => view.show(id))}>
      <${Avatar} id=${customer.id} name=${nameOf(customer)} dot=${customer.online ? "here" : "away"} />
      <span class="who">${nameOf(customer)}</span>
      <span class="when"><${Age} at=${last?.at ?? since} /></span>
      <span class="gist"><${Gist} talk=${talk} /></span>
      ${unsent && html`<span class="tag danger">${_("Not sent")}</span>`}
      ${unread > 0 && html`<span class="badge">${unread}<span class="heard"> ${_("unread")}</span></span>`}
    </a>
  </li>`;
}

/** @param {{talk: Talk}} props */
function Gist({ talk }) {
  const { desk, view, drafts } = useHere();
  const open = useComputed(() => view.open.value === talk.id).value;
  const last = talk.last.value;
  if (talk.facts.value.state === "ended") return html`<em>${_("Ended")}</em>`;
  if (talk.typing.value) return html`<em>${_("is typing …")}</em>`;
  const draft = !open && drafts.of(talk.id).reply.value;
  if (draft) return html`<em>${_("Draft:")}</em> ${draft}`;
  if (!last) return talk.loaded.value ? _("Has just come to you") : "";
  const mine = last.author.id === desk.me.value?.id;
  return html`${mine && html`<span class="by">${last.kind === "note" ? _("Note:") : _("You:")}</span> `}${gist(last)}`;
}

function Lines() {
  const { desk } = useHere();
  return desk.queues.value.map((queue) => html`<${Line} key=${queue.id} queue=${queue} />`);
}

/** @param {{queue: Queue}} props */
function Line({ queue }) {
  const { desk, view } = useHere();
  const talks = desk.lines.value.get(queue.id) ?? [];
  const heading = `line-${queue.id}`;
  return html`<section aria-labelledby=${heading}>
    <h2 id=${heading}>
      <span>${_("Line")} · ${queue.name}</span>
      ${!queue.open && html`<span class="tag">${_("closed")}</span>`}
      <span class="count">${talks.length || ""}</span>
    </h2>
    ${talks.length === 0 && html`<p class="quiet">${_("Nobody waits.")}</p>`}
    <${Windowed} as="ol" items=${talks} open=${talks.findIndex(({ id }) => id === view.open.value)}
      draw=${(/** @type {Talk} */ talk, /** @type {number} */ i, /** @type {Place} */ place) =>
        html`<${LineRow} key=${talk.id} talk=${talk} position=${i + 1} place=${place} />`} />
  </section>`;
}

/** @param {{talk: Talk, position: number, place?: Place}} props */
function LineRow({ talk, position, place }) {
  const { view } = useHere();
  const { id, left, created_at: since, agent } = talk.facts.value;
  const open = useComputed(() => view.open.value === id).value;
  const customer = talk.customer.value;
  return html`<li ...${place} class="row in-line">
    <a href=${address(id)} data-row aria-current=${open ? "true" : undefined} onClick=${plainly(() => view.show(id))}>
      <span class="place" aria-hidden="true">${left ? html`<${Icon} name="mail" />` : position}</span>
      <span class="who">${nameOf(customer)}</span>
      <span class="gist"><span class="waits"><${Span} since=${since} /></span> · ${left ? _("Left a message") : agent ? _("from %(agent)s", { agent: agent.name }) : pageOf(customer) || _("Waits for an answer")}</span>
    </a>
    <${Take} talk=${talk} />
  </li>`;
}

/** A click that asks for a new tab is the browser's. @param {() => void} act */
export const plainly = (act) => (/** @type {MouseEvent} */ { ctrlKey, metaKey, shiftKey }) => {
  if (!ctrlKey && !metaKey && !shiftKey) act();
};

/** @param {any} customer */
const pageOf = ({ page }) => page?.title || page?.url || "";

/** @param {{talk: Talk, class?: string}} props */
export function Take({ talk, class: kind = "" }) {
  const { take } = deciding(useHere());
  return html`<button type="button" class=${`button take ${kind}`} data-take=${talk.id} onClick=${() => take(talk)}
    aria-label=${_("Take %(name)s", { name: nameOf(talk.customer.value) })}>${_("Take")}</button>`;
}

function Colleagues() {
  const { desk } = useHere();
  const others = [...desk.agents.value.values()].filter(({ id }) => id !== desk.me.value?.id);
  others.sort((a, b) => Number(b.connected) - Number(a.connected) || a.name.localeCompare(b.name));
  const here = others.filter(({ connected }) => connected).length;
  return html`<section aria-labelledby="colleagues">
    <h2 id="colleagues">${_("Colleagues")}<span class="count">${here || ""}</span></h2>
    ${others.length === 0 && html`<p class="quiet">${_("Nobody else staffs your queues.")}</p>`}
    <ul class="colleagues">${others.map((agent) => html`<${Colleague} key=${agent.id} agent=${agent} />`)}</ul>
  </section>`;
}

/** @param {{agent: Agent}} props */
function Colleague({ agent }) {
  const { name, id, avatar, connected, status, load, capacity } = agent;
  return html`<li>
    <${Avatar} id=${id} name=${name} avatar=${avatar} dot=${connected ? status : "lost"} />
    <span class="who">${name}</span>
    <span class="state"><${Facts} agent=${agent} /></span>
    <${SetStatus} agent=${agent} />
    <span class="load" title=${n_("%(n)s conversation", "%(n)s conversations", load)}>${load}/${capacity}</span>
  </li>`;
}

function Skeleton() {
  return html`<div class="skeleton" role="status">
    <span class="heard">${_("Opening the desk …")}</span>
    ${[0, 1, 2, 3, 4].map(() => html`<div class="bone-row"><span class="bone round"></span><span class="bone"></span></div>`)}
  </div>`;
}

/** Arrow keys go from row to row; Home and End to the first and the last. @param {KeyboardEvent} event */
function walk(event) {
  const rows = /** @type {HTMLElement[]} */ ([...(/** @type {Element} */ (event.currentTarget).querySelectorAll("[data-row]"))]);
  const here = rows.indexOf(/** @type {any} */ (document.activeElement));
  const to = { ArrowDown: here + 1, ArrowUp: here - 1, Home: 0, End: rows.length - 1 }[event.key];
  if (to === undefined || here < 0 || event.altKey || event.metaKey || event.ctrlKey) return;
  event.preventDefault();
  rows[to]?.focus();
}
