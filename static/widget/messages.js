// widget/messages.js – the log: days, bubbles, system lines, files, marks

import { bytes, clock, day, full, parts } from "../chat/format.js";
import { _ } from "../chat/words.js";
import { Avatar, Component, html, icon } from "./ui.js";

/** @typedef {import("../chat/protocol.js").Message} Message */
/** @typedef {import("../chat/protocol.js").Attachment} Attachment */
/** @typedef {import("./chat.js").Chat} Chat */

const GROUP_MS = 5 * 60_000; // of one author, so close together: one group
const NEAR = 80; // pixels from an end that count as being there

/** Keeps its place: at the end it follows what comes; elsewhere nothing moves under the reader. */
export class Log extends Component {
  /** @type {HTMLElement} */ #box = /** @type {any} */ (null);
  #atEnd = true;
  #first = 0;
  #top = 0;

  getSnapshotBeforeUpdate() {
    return this.#box.scrollHeight - this.#box.scrollTop;
  }

  componentDidMount() {
    this.#toEnd();
    new ResizeObserver(() => this.#atEnd && this.#toEnd()).observe(this.#box.firstElementChild ?? this.#box);
    new ResizeObserver(() => this.#atEnd && this.#toEnd()).observe(this.#box);
  }

  componentDidUpdate(/** @type {any} */ _props, /** @type {any} */ _state, /** @type {number} */ fromEnd) {
    const first = this.props.chat.messages.value[0]?.seq ?? 0;
    if (this.#atEnd) this.#toEnd();
    else if (first < this.#first) this.#box.scrollTop = this.#box.scrollHeight - fromEnd;
    this.#first = first;
  }

  #toEnd() {
    this.#box.scrollTop = this.#box.scrollHeight;
    this.props.chat.seen();
  }

  #scrolled = () => {
    const { scrollTop, scrollHeight, clientHeight } = this.#box;
    const wasAtEnd = this.#atEnd;
    // Only who scrolls up leaves the end: what grows below (a picture that arrives) does not take it away.
    if (scrollHeight - scrollTop - clientHeight < NEAR) this.#atEnd = true;
    else if (scrollTop < this.#top) this.#atEnd = false;
    this.#top = scrollTop;
    if (scrollTop < NEAR) void this.props.chat.loadEarlier();
    if (this.#atEnd) this.props.chat.seen();
    if (this.#atEnd !== wasAtEnd) this.forceUpdate();
  };

  /** @param {{chat: Chat, children?: any}} props */
  render({ chat, children }) {
    const behind = !this.#atEnd && chat.unread.value > 0;
    return html`<div class="log-frame">
      <div
        class="log"
        role="log"
        aria-label=${_("Messages")}
        tabindex="0"
        onScroll=${this.#scrolled}
        ref=${(/** @type {HTMLElement} */ box) => (this.#box = box ?? this.#box)}
      >
        <div class="log-inner">
          ${chat.earlier.value && html`<p class="system">${_("Earlier messages are loading.")}</p>`}
          ${items(chat)} ${children} ${typing(chat)}
        </div>
      </div>
      ${behind &&
      html`<button type="button" class="to-end" onClick=${() => this.#toEnd()}>${icon("arrow-down")}${_("New messages")}</button>`}
    </div>`;
  }
}

/** @param {Chat} chat */
function items(chat) {
  const all = [...chat.messages.value, ...chat.pending.value.map((entry) => onItsWay(entry, chat))];
  const read = chat.conversation.value?.read.agent ?? 0;
  const newest = all.findLastIndex((message) => isOwn(message) && message.kind === "text");
  return all.flatMap((message, i) => {
    const [before, after] = [all[i - 1], all[i + 1]];
    const newDay = !before || day(before.at) !== day(message.at);
    const mark = i === newest || message.state ? markOf(message, read) : "";
    return [
      newDay && html`<p class="day" key=${`day ${message.at}`}><span>${day(message.at)}</span></p>`,
      message.kind === "system"
        ? html`<p class="system" key=${message.id} title=${full(message.at)}>${told(message)}</p>`
        : html`<${Bubble}
            key=${message.id}
            chat=${chat}
            message=${message}
            first=${newDay || !together(before, message)}
            last=${!together(message, after)}
            mark=${mark}
          />`,
    ];
  });
}

/** @param {any} message */
const isOwn = (message) => message.author.kind === "customer";

/** @param {any} [a] @param {any} [b] */
const together = (a, b) =>
  a && b && a.kind === b.kind && a.author.id === b.author.id && !a.state === !b.state && Date.parse(b.at) - Date.parse(a.at) < GROUP_MS;

/** What waits in the outbox, in the shape of a message. @param {any} entry @param {Chat} chat @returns {any} */
function onItsWay({ id, command, state, code, at }, chat) {
  const author = { kind: "customer", id: chat.welcome.value?.customer.id ?? "", name: "" };
  const attachments = (command.attachments ?? []).map((/** @type {string} */ file) => chat.file(file)).filter(Boolean);
  return { id, kind: "text", author, text: command.text, attachments, at, state, code };
}

/** @param {any} message @param {number} read */
function markOf({ state, seq }, read) {
  return state ?? (seq <= read ? "read" : "sent");
}

/** A system line in the reader's language; one of an unknown kind as the desk says it. @param {Message} message */
function told({ event, data = {}, text }) {
  const name = data.name;
  switch (event) {
    case "agent_joined":
      return _("%(name)s joined.", { name });
    case "agent_lost":
      return _("%(name)s lost connection. We keep your place.", { name });
    case "agent_back":
      return _("%(name)s is back.", { name });
    case "requeued":
      return _("You are back at the front of the line.");
    case "left":
      return _("You left a message instead of waiting.");
    case "ended":
      if (data.by === "customer") return _("You ended the conversation.");
      if (data.by === "agent" && name) return _("%(name)s ended the conversation.", { name });
      return _("The conversation has ended.");
    default:
      return text;
  }
}

/** Drawn again only when something about it changed: a log may be long. */
class Bubble extends Component {
  shouldComponentUpdate(/** @type {any} */ next) {
    return ["message", "first", "last", "mark"].some((name) => next[name] !== this.props[name]);
  }

  /** @param {any} props */
  render({ chat, message, first, last, mark }) {
    const own = isOwn(message);
    const classes = ["message", own ? "own" : "theirs", first && "first", last && "last", mark].filter(Boolean).join(" ");
    return html`<div class=${classes}>
      ${!own && first && html`<p class="author"><${Avatar} of=${message.author} />${message.author.name}</p>`}
      <span class="heard">${own ? _("You") : message.author.name}:</span>
      ${message.attachments.map((/** @type {Attachment} */ file) => html`<${File} key=${file.id} file=${file} onStale=${() => chat.renew(message)} />`)}
      ${message.text && html`<p class=${`bubble ${isFace(message.text) ? "face" : ""}`} dir="auto" title=${full(message.at)}>${linked(message.text)}</p>`}
      ${(last || mark) && html`<p class="meta">${meta(message, mark, chat)}</p>`}
    </div>`;
  }
}

const FACE = /^(?:\p{Extended_Pictographic}(?:[\u{1f3fb}-\u{1f3ff}]|\ufe0f|\u200d)*\s?){1,3}$/u;

/** Up to three emoji alone are shown large. @param {string} text */
const isFace = (text) => text.length < 24 && FACE.test(text);

/** @param {string} text */
function linked(text) {
  return parts(text).map((part) =>
    typeof part === "string" ? part : html`<a href=${part.href} target="_blank" rel="noopener noreferrer nofollow">${part.text}</a>`,
  );
}

/** @param {any} message @param {string} mark @param {Chat} chat */
function meta({ at, id, code }, mark, chat) {
  if (mark === "sending") return _("Sending …");
  if (mark === "failed") {
    return html`<span class="danger">${icon("circle-alert")}${why(code)}</span>
      <button type="button" class="link" onClick=${() => chat.retry(id)}>${_("Try again")}</button>
      <button type="button" class="link" onClick=${() => chat.drop(id)}>${_("Delete")}</button>`;
  }
  const time = html`<time datetime=${at} title=${full(at)}>${clock(at)}</time>`;
  if (mark === "read") return html`${time} · ${_("Read")}${icon("check-check")}`;
  if (mark === "sent") return html`${time} · ${_("Sent")}${icon("check")}`;
  return time;
}

/** @param {string} code */
function why(code) {
  switch (code) {
    case "too_long":
      return _("Too long.");
    case "ended":
      return _("The conversation had ended.");
    case "attachment_unknown":
      return _("The file is gone. Add it once more.");
    case "blocked":
      return _("You cannot write here at the moment.");
    default:
      return _("Not sent.");
  }
}

/** @param {{file: Attachment, onStale: () => void}} props */
function File({ file, onStale }) {
  const [kind] = file.type.split("/");
  // An address lasts an hour; the first failure asks for a new one, a second is believed.
  const stale = (/** @type {any} */ event) => {
    if (event.target.dataset.renewed) return;
    event.target.dataset.renewed = "1";
    onStale();
  };
  if (kind === "image") {
    return html`<a class="picture" href=${file.url} target="_blank" rel="noopener">
      <img src=${file.url} alt=${file.name} width=${file.width} height=${file.height} onError=${stale} />
    </a>`;
  }
  if (kind === "video") return html`<video class="picture" controls preload="metadata" src=${file.url} aria-label=${file.name} onError=${stale} />`;
  if (kind === "audio") return html`<audio controls preload="metadata" src=${file.url} aria-label=${file.name} onError=${stale} />`;
  return html`<a class="file" href=${file.url} target="_blank" rel="noopener" download=${file.name}>
    ${icon("file-text")}<span><b>${file.name}</b><small>${bytes(file.size)}</small></span>${icon("download")}
  </a>`;
}

/** @param {Chat} chat */
function typing({ typing }) {
  const people = typing.value;
  if (!people.length) return undefined;
  return html`<div class="typing" key="typing">
    <span class="dots" aria-hidden="true"><i></i><i></i><i></i></span>${_("%(name)s is typing …", { name: people[0].name })}
  </div>`;
}
