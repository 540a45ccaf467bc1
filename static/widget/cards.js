// widget/cards.js – what stands below the messages: the place in line, a left message, the end

import { clock } from "../chat/format.js";
import { _ } from "../chat/words.js";
import { Component, html, icon, signal } from "./ui.js";

/** @typedef {import("./chat.js").Chat} Chat */

export const EMAIL = /^[^\s@]+@[^\s@]+\.[^\s@]+$/;

/** @param {{chat: Chat}} props */
export function Line({ chat }) {
  const conversation = chat.conversation.value;
  if (conversation?.state !== "waiting") return undefined;
  if (conversation.left) {
    return html`<div class="card" role="status">
      ${icon("mail")}
      <p><b>${_("We have your message.")}</b><br />${_("We answer by e-mail as soon as we are back.")}</p>
    </div>`;
  }
  const { position, wait_seconds: wait } = conversation;
  return html`<div class="card line">
    ${position && html`<span class="place" key=${position} aria-hidden="true">${position}</span>`}
    <p role="status"><b>${placeInWords(position)}</b><br />${wait ? about(wait) : _("We will be with you soon.")}</p>
    <${Leave} chat=${chat} />
  </div>`;
}

const focus = (/** @type {HTMLElement|null} */ input) => input?.focus();

/** A message instead of a place in line, for whoever will not wait. */
class Leave extends Component {
  #asks = signal(false);
  #wrong = signal(false);

  #click = () => {
    if (this.props.chat.welcome.value.customer.email) this.props.chat.leave();
    else this.#asks.value = true;
  };

  #submit = (/** @type {any} */ event) => {
    event.preventDefault();
    const email = event.target.elements.email.value.trim();
    this.#wrong.value = !EMAIL.test(email);
    if (!this.#wrong.value) this.props.chat.leave(email);
  };

  render() {
    if (!this.#asks.value) return html`<button type="button" class="link" onClick=${this.#click}>${_("Leave a message instead")}</button>`;
    const wrong = this.#wrong.value;
    return html`<form class="leave" onSubmit=${this.#submit} noValidate>
      <label class="field">
        ${_("E-mail")}
        <input name="email" type="email" autocomplete="email" maxlength="254" required aria-invalid=${wrong} aria-describedby=${wrong ? "leave-wrong" : undefined}
          ref=${focus} />
        ${wrong && html`<small class="danger" id="leave-wrong" role="alert">${_("Please write your e-mail address, so that we can answer.")}</small>`}
      </label>
      <button class="button">${_("Leave the message")}</button>
    </form>`;
  }
}

/** @param {number} [position] */
function placeInWords(position) {
  if (!position) return _("You are in line.");
  return position === 1 ? _("You are next in line.") : _("You are number %(n)s in line.", { n: position });
}

/** @param {[number, number]} wait seconds */
function about([low, high]) {
  if (high < 60) return _("Less than a minute.");
  const [from, to] = [Math.max(1, Math.floor(low / 60)), Math.ceil(high / 60)];
  return from === to ? _("About %(n)s min.", { n: to }) : _("About %(low)s–%(high)s min.", { low: from, high: to });
}

/** Rate it, keep it, begin again. */
export class Ending extends Component {
  #score = signal(0);
  #comment = "";

  #rate = (/** @type {Event} */ event) => {
    event.preventDefault();
    this.props.chat.rate(this.#score.value, this.#comment.trim());
  };

  /** @param {{chat: Chat}} props */
  render({ chat }) {
    const { rating } = /** @type {any} */ (chat.conversation.value);
    const sent = chat.entries.value.some(({ command }) => command.type === "conversation.rate");
    return html`<div class="ending">
      ${rating || sent ? html`<p class="thanks" role="status">${icon("circle-check")}${_("Thank you for your rating.")}</p>` : this.#form()}
      <div class="row">
        <button type="button" class="button" onClick=${() => (chat.again.value = true)}>${_("New conversation")}</button>
        <button type="button" class="button quiet" onClick=${() => download(chat)}>${icon("download")}${_("Transcript")}</button>
      </div>
    </div>`;
  }

  #form() {
    return html`<form onSubmit=${this.#rate}>
      <fieldset class="stars">
        <legend>${_("How did we do?")}</legend>
        <div>
          ${[1, 2, 3, 4, 5].map(
            (score) => html`<label key=${score} class=${score <= this.#score.value ? "lit" : ""}>
              <input type="radio" name="score" value=${score} checked=${score === this.#score.value} onChange=${() => (this.#score.value = score)} />
              <span class="heard">${_("%(n)s of 5", { n: score })}</span>${icon("star")}
            </label>`,
          )}
        </div>
      </fieldset>
      ${this.#score.value > 0 &&
      html`<label class="field">
          ${_("Anything to add?")}
          <textarea rows="2" maxlength="1000" dir="auto" onInput=${(/** @type {any} */ { target }) => (this.#comment = target.value)}></textarea>
        </label>
        <button class="button">${_("Send rating")}</button>`}
    </form>`;
  }
}

/** The conversation as a text file, made here. @param {Chat} chat */
export async function download(chat) {
  const messages = await chat.whole();
  const lines = messages.map(({ at, author, text, attachments }) => {
    const files = attachments.map(({ name }) => `[${name}]`);
    return `${new Date(at).toLocaleDateString()} ${clock(at)}  ${author.name || "–"}: ${[text, ...files].filter(Boolean).join(" ")}`;
  });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([`\ufeff${lines.join("\n")}\n`], { type: "text/plain;charset=utf-8" }));
  link.download = `${chat.welcome.value.site.name}.txt`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
