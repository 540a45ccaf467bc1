// dashboard/parts/board.js – for supervisors: how the lines stand, and who does what

import { span } from "../../chat/format.js";
import { _, n_ } from "../../chat/words.js";
import { html, useState } from "../ui.js";
import { useHere } from "../here.js";
import { nameOf } from "../story.js";
import { address } from "../view.js";
import { Activity, SetStatus } from "./colleague.js";
import { plainly } from "./rail.js";
import { Avatar, Icon, Span } from "./small.js";
import { Load, reasonName, statusName } from "./status.js";

/** @typedef {import("../talk.js").Talk} Talk */
/** @typedef {import("../desk.js").Agent} Agent */
/** @typedef {import("../desk.js").Queue} Queue */

const FEW = 6; // conversations of one colleague that are shown at once

export function Board() {
  const { desk } = useHere();
  const queues = desk.queues.value.filter(({ id }) => desk.supervises.value.includes(id));
  if (queues.length === 0) return html`<${NotForYou} />`;
  return html`<div class="board">
    <header class="board-head">
      <a class="icon-button back" href="#/"><${Icon} name="arrow-left" /><span class="heard">${_("Back to the list")}</span></a>
      <h2>${_("Live board")}</h2>
    </header>
    <div class="board-parts">
      <section aria-label=${_("Lines")}>
        <table class="board-lines">
          <thead><tr>
            <th scope="col">${_("Queue")}</th><th scope="col">${_("Waiting")}</th><th scope="col">${_("Longest wait")}</th>
            <th scope="col">${_("In progress")}</th><th scope="col" title=${_("Connected and online")}>${_("Staffed")}</th>
          </tr></thead>
          <tbody>${queues.map((queue) => html`<${Line} key=${queue.id} queue=${queue} />`)}</tbody>
        </table>
      </section>
      <${People} queues=${queues.map(({ id }) => id)} />
    </div>
  </div>`;
}

function NotForYou() {
  return html`<div class="talk calm"><div><h2>${_("The live board is for supervisors")}</h2>
    <a class="button" href="#/">${_("Back to the list")}</a></div></div>`;
}

/** @param {{queue: Queue}} props */
function Line({ queue }) {
  const { name, open, waiting, active, staffed, longest_wait_seconds: longest, stands_still: still } = queue;
  const nobody = waiting > 0 && staffed === 0;
  return html`<tr class=${still ? "still" : ""}>
    <th scope="row"><span class="who">${name}</span>
      <span class="tags"><span class=${`tag ${open ? "open" : ""}`}>${open ? _("open") : _("closed")}</span>
        ${still && html`<span class="tag warn"><${Icon} name="triangle-alert" />${_("stands still")}</span>`}</span></th>
    <td class=${waiting ? "waits" : "none"}>${waiting}</td>
    <td class=${waiting ? "" : "none"}>${waiting ? (longest < 60 ? _("< 1 min") : span(longest)) : "–"}</td>
    <td class=${active ? "" : "none"}>${active}</td>
    <td class=${nobody ? "waits" : staffed ? "" : "none"}>${staffed}${nobody && html`<span class="heard"> ${_("Nobody takes new conversations.")}</span>`}</td>
  </tr>`;
}

/** @param {number} seconds */
export const lasting = (seconds) => (seconds < 60 ? _("less than a minute") : span(seconds));

/** @param {{queues: string[]}} props */
function People({ queues }) {
  const { desk } = useHere();
  const me = desk.me.value?.id;
  const people = [...desk.agents.value.values()].filter(({ id, queues: staffs }) => id !== me && staffs?.some((one) => queues.includes(one)));
  people.sort((a, b) => Number(b.connected) - Number(a.connected) || a.name.localeCompare(b.name));
  const here = people.filter(({ connected }) => connected).length;
  return html`<section aria-labelledby="board-people">
    <h3 id="board-people">${_("Colleagues")}<span class="count">${n_("%(n)s connected", "%(n)s connected", here)}</span></h3>
    ${people.length === 0 && html`<p class="quiet">${_("Nobody else staffs your queues.")}</p>`}
    <ul class="board-people">${people.map((agent) => html`<${Person} key=${agent.id} agent=${agent} />`)}</ul>
  </section>`;
}

/** @param {{agent: Agent}} props */
function Person({ agent }) {
  const { desk } = useHere();
  const { id, name, avatar, status, reason, connected, load, capacity, set_by: by, wrap_up_until: wraps } = agent;
  const talks = desk.holders.value.get(id) ?? [];
  const why = [by && _("set by %(name)s", { name: by.name }), status !== "online" && reason && reasonName(reason)].filter(Boolean).join(" · ");
  return html`<li>
    <${Avatar} id=${id} name=${name} avatar=${avatar} dot=${connected ? status : "lost"} />
    <span class="who">${name}</span>
    <ul class="three" aria-label=${_("What is known of %(name)s", { name })}>
      <li title=${why}><${Mark} on=${status === "online"} />${statusName(status)}${why && html`<span class="why"> · ${why}</span>`}</li>
      <li class=${status === "online" && !connected ? "waits" : ""}><${Mark} on=${connected} />${connected ? _("Connected") : _("Not connected")}</li>
      <li><${Mark} on=${agent.active} />${connected ? html`<${Activity} agent=${agent} />` : _("Not active")}</li>
    </ul>
    <span class="amount">${wraps && Date.parse(wraps) > Date.now() && html`<span class="tag">${_("Wrap-up")}</span> `}<${Load} load=${load} capacity=${capacity} /></span>
    <${SetStatus} agent=${agent} words />
    ${talks.length > 0 && html`<${Held} talks=${talks} name=${name} />`}
  </li>`;
}

/** Not by colour alone. @param {{on: boolean}} props */
const Mark = ({ on }) => html`<${Icon} name=${on ? "check" : "minus"} />`;

/** What a colleague holds; one click and it is watched. @param {{talks: Talk[], name: string}} props */
function Held({ talks, name }) {
  const { view } = useHere();
  const [all, setAll] = useState(false);
  const shown = all ? talks : talks.slice(0, FEW);
  return html`<ul class="held" aria-label=${_("What %(name)s holds", { name })}>
    ${shown.map((talk) => html`<li key=${talk.id}><a class="chip" href=${address(talk.id)} onClick=${plainly(() => view.show(talk.id))}>
      <span class="who" dir="auto">${nameOf(talk.customer.value)}</span><span class="hint"><${Span} since=${talk.facts.value.started_at ?? talk.since} /></span>
    </a></li>`)}
    ${talks.length > shown.length &&
    html`<li><button type="button" class="chip" onClick=${() => setAll(true)}>${n_("%(n)s more", "%(n)s more", talks.length - shown.length)}</button></li>`}
  </ul>`;
}
