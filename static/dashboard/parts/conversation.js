// dashboard/parts/conversation.js – the middle column: one conversation, or why there is none

import { _, n_ } from "../../chat/words.js";
import { html, useEffect, useLayoutEffect, useRef } from "../ui.js";
import { useHere } from "../here.js";
import { deciding } from "../deciding.js";
import { nameOf, outcomeName } from "../story.js";
import { address } from "../view.js";
import { Composer } from "./composer.js";
import { Messages } from "./messages.js";
import { Avatar, Icon, Span, keyName } from "./small.js";
import { Answers } from "./offers.js";
import { Take } from "./rail.js";
import { reasonName } from "./status.js";
import { Beside, Watching } from "./watching.js";

/** @typedef {import("../talk.js").Talk} Talk */

export function Conversation() {
  const { desk, view, feed } = useHere();
  const id = view.open.value;
  useEffect(() => feed.look(id), [id, desk.welcomed.value]);
  if (!desk.welcomed.value) return html`<div class="talk">${id && html`<${Bones} />`}</div>`;
  // Reading the lists makes this part draw itself again when a conversation comes or goes.
  void [desk.held.value, desk.waiting.value, desk.supervised.value];
  const talk = desk.talk(id);
  if (!id) return html`<${Nothing} />`;
  return talk ? html`<${Open} key=${id} talk=${talk} />` : html`<${Missing} />`;
}

/** @param {{talk: Talk}} props */
function Open({ talk }) {
  const { desk, view } = useHere();
  const mine = desk.holds(talk);
  const speaks = desk.speaks(talk);
  const root = useRef(/** @type {HTMLElement|null} */ (null));
  // The composer goes when the conversation ends; whoever stood in it is not thrown to the top of the page.
  const stood = useRef(false);
  stood.current = !!root.current?.querySelector(".composer")?.contains(document.activeElement);
  useLayoutEffect(() => {
    if (!speaks && stood.current) root.current?.querySelector(/** @type {"div"} */ (".messages"))?.focus();
  }, [speaks]);
  useEffect(() => {
    // Nobody writes here; and should a frame make it mine later, the keyboard stays where it is.
    if (!speaks && view.wanted.value === talk.id) view.wanted.value = "";
  }, [view.wanted.value]);
  return html`<div class="talk" ref=${root}>
    <${Head} talk=${talk} mine=${mine} />
    <${Messages} talk=${talk} />
    ${speaks && !mine && html`<${Beside} talk=${talk} />`}
    ${speaks ? html`<${Composer} talk=${talk} />` : html`<${Instead} talk=${talk} />`}
  </div>`;
}

/** @param {{talk: Talk, mine: boolean}} props */
function Head({ talk, mine }) {
  const { desk, view } = useHere();
  const { id, queue, state, created_at: since, started_at: started, transfer, gone_since: gone } = talk.facts.value;
  const customer = talk.customer.value;
  return html`<header class="talk-head">
    <a class="icon-button back" href="#/"><${Icon} name="arrow-left" /><span class="heard">${_("Back to the list")}</span></a>
    <${Avatar} id=${customer.id} name=${nameOf(customer)} />
    <div class="title">
      <h2><a class="about-link" href=${view.about.value ? address(id) : `${address(id)}/about`}>
        <span dir="auto">${nameOf(customer)}</span><${Icon} name="chevron-right" /><span class="heard">${_("About the customer")}</span></a></h2>
      <p>
        ${desk.watching.value === id && html`<span class="watched"><${Icon} name="eye" />${_("Watching")}</span>`}
        <span>${queue.name}</span>
        ${state !== "ended" && html`<span><${Span} since=${started ?? since} /></span>`}
        ${state !== "ended" &&
        html`<span class=${customer.online ? "good" : ""}>${customer.online ? _("on the page") : _("not on the page")}${
          gone && !customer.online ? html`, <${Span} since=${gone} />` : ""
        }</span>`}
        ${transfer && mine && html`<span class="waits">${_("waits for %(name)s", { name: targetName(desk, transfer.to) })}</span>`}
      </p>
    </div>
    ${mine &&
    html`<button type="button" class="button give" onClick=${() => (view.dialog.value = { name: "transfer", id })}>
      <${Icon} name="arrow-right-left" />${_("Transfer")}
    </button>
    <button type="button" class="button end" onClick=${() => (view.dialog.value = { name: "end", id })}>
      <${Icon} name="circle-check" />${_("End")}
    </button>`}
  </header>`;
}

/** @param {import("../desk.js").Desk} desk @param {{queue?: string, agent?: string}} to */
function targetName(desk, { queue, agent }) {
  const target = agent ? desk.agents.value.get(agent) : desk.queues.value.find(({ id }) => id === queue);
  return target?.name ?? _("an answer");
}

/** Where the composer would stand. @param {{talk: Talk}} props */
function Instead({ talk }) {
  const { desk } = useHere();
  const { state, outcome, agent } = talk.facts.value;
  const name = nameOf(talk.customer.value);
  if (talk.gone.value) return html`<p class="instead">${_("This conversation left you while you were away.")}</p>`;
  if (state === "ended") {
    return html`<p class="instead"><span>${_("This conversation has ended.")}</span><span class="tag">${outcomeName(outcome)}</span></p>`;
  }
  if (desk.rings(talk.id)) {
    return html`<div class="instead"><span>${_("%(name)s is offered to you. You are reading along unseen.", { name })}</span>
      <${Answers} id=${talk.id} name=${name} /></div>`;
  }
  if (talk.line !== null) {
    return html`<div class="instead"><span>${_("%(name)s waits in line. You are reading along unseen.", { name })}</span>
      <${Take} talk=${talk} class="primary" /></div>`;
  }
  if (desk.oversees(talk)) return html`<${Watching} talk=${talk} />`;
  return html`<p class="instead">${_("%(agent)s has this conversation.", { agent: agent?.name ?? "" })}</p>`;
}

/** Nothing is open: say what waits, or that all is quiet. */
function Nothing() {
  const { desk, view } = useHere();
  const { take } = deciding(useHere());
  const me = desk.me.value;
  const first = desk.first.value;
  const waiting = desk.waiting.value.length;
  const unread = desk.mine.value.find((talk) => talk.unread.value > 0);
  if (unread) {
    return html`<${Calm} title=${_("%(name)s waits for your answer", { name: nameOf(unread.customer.value) })}>
      <button type="button" class="button primary" onClick=${() => view.show(unread.id)}>${_("Answer")}</button>
      <p class="hint">${_("%(keys)s opens the next unread one.", { keys: keyName("Alt+N") })}</p>
    <//>`;
  }
  if (first) {
    return html`<${Calm} title=${n_("%(n)s person waits in line", "%(n)s people wait in line", waiting)}>
      <p>${_("Longest:")} <${Span} since=${first.since} little=${_("less than a minute")} /></p>
      <button type="button" class="button primary" onClick=${() => take(first)}>${_("Take the first")}</button>
      <p class="hint">${_("%(keys)s does the same.", { keys: keyName("Alt+T") })}</p>
    <//>`;
  }
  if (me && me.status !== "online") {
    return html`<${Calm} title=${me.status === "away" ? _("You are away") : _("You are offline")}><p>${me.reason ? reasonName(me.reason) : ""}</p><//>`;
  }
  if (desk.mine.value.length) {
    return html`<${Calm} title=${_("Everybody has an answer")}><p>${_("Open a conversation on the left.")}</p><//>`;
  }
  return html`<${Calm} title=${_("All quiet")}><p>${_("When somebody comes, they appear on the left, with a sound.")}</p><//>`;
}

/** @param {{title: string, children?: any}} props */
function Calm({ title, children }) {
  return html`<div class="talk calm"><div><h2>${title}</h2>${children}</div></div>`;
}

function Missing() {
  return html`<${Calm} title=${_("This conversation is not on your desk")}>
    <p>${_("It has ended, or a colleague has it.")}</p>
    <a class="button" href="#/">${_("Back to the list")}</a>
  <//>`;
}

function Bones() {
  return html`<div class="bones" aria-hidden="true">
    ${["them", "them", "me", "them", "me"].map((side) => html`<span class=${`bone bubble-bone ${side}`}></span>`)}
  </div>`;
}
