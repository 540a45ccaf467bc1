// dashboard/parts/messages.js – what was said, as it stands on the screen

import { clock, day, full, parts } from "../../chat/format.js";
import { _ } from "../../chat/words.js";
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../ui.js";
import { useHere } from "../here.js";
import { items, nameOf, told } from "../story.js";
import { lastOf, place } from "../talk.js";
import { Files } from "./files.js";
import { Avatar, Icon } from "./small.js";

/** @typedef {import("../talk.js").Talk} Talk */
/** @typedef {import("../../chat/protocol.js").Message} Message */
/** @typedef {import("../../chat/outbox.js").Entry} Entry */

const NEAR = 80; // px from the end that still count as being there

/** @param {{talk: Talk}} props */
export function Messages({ talk }) {
  const { desk, feed } = useHere();
  const box = useRef(/** @type {HTMLElement|null} */ (null));
  const messages = talk.messages.value;
  const unsent = feed.pending.value.filter(({ command }) => command.conversation === talk.id && command.type === "message.post");
  const drawn = useMemo(() => items(messages), [messages]);
  const { atEnd, onScroll, toEnd } = useScroll(box, messages, unsent.length, talk.typing.value);
  useRead(talk, atEnd);
  const newest = lastOwn(messages);
  return html`<div class="messages-frame">
    <div class="messages" ref=${box} onScroll=${onScroll} tabindex="0" role="log" aria-label=${_("Messages")}>
      ${talk.more.value && html`<${Earlier} talk=${talk} />`}
      ${!talk.loaded.value && html`<p class="system">${_("Fetching what was said …")}</p>`}
      ${drawn.map((item) => {
        if (item.kind === "day") return html`<p class="day" key=${item.key}><span title=${full(item.at)}>${day(item.at)}</span></p>`;
        if (item.kind === "system") return html`<${SystemLine} key=${item.key} message=${item.message} />`;
        return html`<${Group} key=${item.key} messages=${item.messages} me=${desk.me.value?.id}
          mark=${newest && item.messages.includes(newest) ? mark(newest, talk) : ""} />`;
      })}
      ${unsent.map((entry) => html`<${Unsent} key=${entry.id} entry=${entry} />`)}
      <${Typing} talk=${talk} />
    </div>
    ${!atEnd && html`<button type="button" class="to-end" onClick=${toEnd}><${Icon} name="arrow-down" />${_("Newest")}</button>`}
  </div>`;
}

/** Stays at the end while there; otherwise what comes leaves the reader where they are.
 * @param {{current: HTMLElement|null}} box @param {Message[]} messages @param {number} unsent @param {any} typing */
function useScroll(box, messages, unsent, typing) {
  const [atEnd, setAtEnd] = useState(true);
  const stick = useRef(true);
  const top = useRef(0);
  const before = useRef({ height: 0, first: 0, unsent: 0 });
  const first = messages.length ? place(messages[0]) : 0;
  const onScroll = () => {
    if (!box.current) return; // a last scroll of what is gone already
    const { scrollHeight, scrollTop, clientHeight } = box.current;
    // Only a person scrolls up. A picture that grows below moves the end away as well,
    // and is followed.
    const isNear = scrollHeight - scrollTop - clientHeight < NEAR;
    if (isNear || scrollTop < top.current) stick.current = isNear;
    top.current = scrollTop;
    setAtEnd(stick.current);
  };
  const toEnd = () => {
    if (box.current) box.current.scrollTop = box.current.scrollHeight;
  };
  useLayoutEffect(() => {
    const element = /** @type {HTMLElement} */ (box.current);
    const grewAbove = before.current.first > first;
    if (stick.current || unsent > before.current.unsent) toEnd();
    else if (grewAbove) element.scrollTop += element.scrollHeight - before.current.height;
    before.current = { height: element.scrollHeight, first, unsent };
  }, [messages, unsent, typing]);
  // Pictures that load, a composer that grows, a window that is turned.
  useEffect(() => {
    const watch = new ResizeObserver(() => stick.current && toEnd());
    const element = /** @type {HTMLElement} */ (box.current);
    watch.observe(element);
    const onLoad = () => stick.current && toEnd();
    element.addEventListener("load", onLoad, true);
    return () => {
      watch.disconnect();
      element.removeEventListener("load", onLoad, true);
    };
  }, []);
  return { atEnd, onScroll, toEnd };
}

/** Read is what somebody could see: the end of the conversation, in a window they look at.
 * @param {Talk} talk @param {boolean} atEnd */
function useRead(talk, atEnd) {
  const { desk, feed } = useHere();
  const unread = talk.unread.value;
  const mine = desk.holds(talk);
  const speaks = desk.speaks(talk);
  const online = feed.state.value === "online";
  useEffect(() => {
    const look = () => {
      if (!unread || !speaks || !atEnd || !online || document.hidden || !document.hasFocus()) return;
      const seq = talk.messages.value.at(-1)?.seq;
      if (seq && mine) feed.read(talk.id, seq);
      else if (seq) desk.read(talk.id, seq); // the holder's mark is the holder's
    };
    look();
    window.addEventListener("focus", look);
    document.addEventListener("visibilitychange", look);
    return () => {
      window.removeEventListener("focus", look);
      document.removeEventListener("visibilitychange", look);
    };
  }, [talk, unread, mine, speaks, atEnd, online]);
}

/** @param {{talk: Talk}} props */
function Earlier({ talk }) {
  const { feed } = useHere();
  const [busy, setBusy] = useState(false);
  const fetchEarlier = async () => {
    setBusy(true);
    await feed.earlier(talk.id, place(talk.messages.value[0]));
    setBusy(false);
  };
  return html`<button type="button" class="earlier" disabled=${busy} onClick=${fetchEarlier}>${_("Earlier messages")}</button>`;
}

/** @param {{messages: Message[], me?: string, mark: string}} props */
function Group({ messages, me, mark }) {
  const { author, kind } = messages[0];
  const side = author.kind === "customer" ? "them" : "us";
  const own = author.id === me;
  const newest = messages[messages.length - 1];
  const name = own ? _("You") : nameOf(author);
  const noteBy = own ? _("Your note, for colleagues only") : _("Note by %(name)s, for colleagues only", { name });
  return html`<div class=${`group ${side} ${kind} ${own ? "own" : ""}`}>
    ${side === "them" && html`<${Avatar} ...${author} name=${name} />`}
    <div class="stack">
      ${kind === "note" ? html`<p class="author"><${Icon} name="lock" />${noteBy}</p>` : ""}
      ${kind !== "note" && side === "us" && !own && html`<p class="author">${name}</p>`}
      <span class="heard">${name}:</span>
      ${messages.map((message) => html`<${Bubble} key=${place(message)} message=${message} />`)}
      <p class="meta"><time datetime=${newest.at} title=${full(newest.at)}>${clock(newest.at)}</time>${mark && html`<span>${mark}</span>`}</p>
    </div>
  </div>`;
}

/** @param {{message: Message}} props */
function Bubble({ message }) {
  return html`${message.text.trim() && html`<div class="bubble" dir="auto" title=${full(message.at)}><${Text} text=${message.text} /></div>`}
    ${message.attachments.length > 0 && html`<${Files} files=${message.attachments} />`}`;
}

/** @param {{text: string}} props */
export function Text({ text }) {
  return parts(text).map((part) =>
    typeof part === "string" ? part : html`<a href=${part.href} target="_blank" rel="noopener noreferrer nofollow">${part.text}</a>`,
  );
}

/** @param {{message: Message}} props */
function SystemLine({ message }) {
  return html`<p class="system"><span>${told(message)}</span> <time datetime=${message.at} title=${full(message.at)}>${clock(message.at)}</time></p>`;
}

/** @param {{entry: Entry}} props */
function Unsent({ entry }) {
  const { feed, drafts } = useHere();
  const { command, state, code, detail } = entry;
  const offline = feed.state.value !== "online";
  const back = () => {
    const draft = drafts.of(command.conversation);
    draft.isNote.value = !!command.note;
    drafts.write(command.conversation, [command.text, draft.text.value].filter(Boolean).join("\n"));
    feed.drop(entry.id);
  };
  return html`<div class=${`group us own ${command.note ? "note" : "text"} ${state}`}>
    <div class="stack">
      ${command.text.trim() && html`<div class="bubble" dir="auto"><${Text} text=${command.text} /></div>`}
      ${command.shown && html`<${Files} files=${command.shown} />`}
      ${state === "sending" && html`<p class="meta"><${Icon} name="clock" />${offline ? _("Waits for the connection") : _("Sending …")}</p>`}
      ${state === "failed" &&
      html`<p class="meta danger"><${Icon} name="circle-alert" /><span>${_("Not sent:")} ${whyFailed(code, detail)}</span>
        <button type="button" class="link" onClick=${() => feed.retry(entry.id)}>${_("Try again")}</button>
        <button type="button" class="link" onClick=${back}>${_("Back to the draft")}</button></p>`}
    </div>
  </div>`;
}

/** @param {string|undefined} code @param {string|undefined} detail */
function whyFailed(code, detail) {
  return (
    {
      ended: _("this conversation has ended."),
      too_long: _("it is too long."),
      not_yours: _("this conversation is not yours any more."),
      attachment_unknown: _("a file is not there any more."),
      empty: _("there is nothing in it."),
    }[code ?? ""] ?? detail ?? ""
  );
}

/** @param {{talk: Talk}} props */
function Typing({ talk }) {
  const typing = talk.typing.value;
  if (!typing) return null;
  const customer = talk.customer.value;
  return html`<div class="group them typing">
    <${Avatar} id=${customer.id} name=${nameOf(customer)} />
    <div class="stack">
      ${typing.text && html`<div class="bubble" dir="auto">${typing.text}</div>`}
      <p class="meta">${_("%(name)s is typing …", { name: nameOf(customer) })}</p>
    </div>
  </div>`;
}

/** @param {Message[]} messages */
const lastOwn = (messages) => lastOf(messages, ({ kind, author }) => kind === "text" && author.kind !== "customer");

/** @param {Message} message @param {Talk} talk */
const mark = ({ seq }, talk) => (talk.facts.value.read.customer >= seq ? _("Read") : _("Sent"));
