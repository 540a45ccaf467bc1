// widget/start.js – before the first message: a greeting, and the few things that the site asks for

import { _ } from "../chat/words.js";
import { EMAIL } from "./cards.js";
import { Composer } from "./composer.js";
import { Component, html, icon, signal } from "./ui.js";

/** @typedef {import("./chat.js").Chat} Chat */

export class Start extends Component {
  #queue = signal("");
  #wrong = signal("");
  /** @type {HTMLFormElement} */ #form = /** @type {any} */ (null);

  get #welcome() {
    return this.props.chat.welcome.value;
  }

  /** Closed: what is written now is answered by e-mail. */
  get #isClosed() {
    const { chat } = this.props;
    const { availability, queues } = this.#welcome;
    const chosen = queues.find((/** @type {any} */ { id }) => id === this.#queue.value) ?? queues[0];
    return !!chat.left.value || availability === "closed" || (chosen && !chosen.open);
  }

  /** @param {string} text @param {any[]} files */
  #start = (text, files) => {
    const fields = new FormData(this.#form);
    const said = (/** @type {string} */ name) => String(fields.get(name) ?? "").trim() || undefined;
    const email = said("email");
    const wrong = this.#complaint(email);
    this.#wrong.value = wrong;
    if (wrong) {
      /** @type {HTMLElement|null} */ (this.#form.querySelector(`[name=${wrong}]`))?.focus();
      return false;
    }
    const { chat, fields: told } = this.props;
    chat.start({ text, files, queue: this.#queue.value || undefined, name: said("name"), email, fields: told() });
    return true;
  };

  /** The name of the field that wants something, or "". @param {string} [email] */
  #complaint(email) {
    const known = email ?? this.#welcome.customer.email;
    if (email ? !EMAIL.test(email) : this.#isClosed && !known) return "email";
    const consent = /** @type {HTMLInputElement|null} */ (this.#form.querySelector("[name=consent]"));
    return consent && !consent.checked ? "consent" : "";
  }

  /** @param {any} props */
  render({ chat, pane }) {
    const { site } = this.#welcome;
    const isClosed = this.#isClosed;
    return html`<div class="start">
        <div class="greeting">
          <p class="hello" dir="auto">${site.greeting || _("Hello! How can we help?")}</p>
          <p class=${`standing ${isClosed ? "closed" : this.#welcome.availability}`}>${standing(this.#welcome.availability, isClosed)}</p>
        </div>
        <form novalidate onSubmit=${(/** @type {Event} */ event) => event.preventDefault()} ref=${(/** @type {any} */ form) => (this.#form = form ?? this.#form)}>
          ${this.#queues()} ${this.#fields(isClosed)} ${site.consent && this.#consent(site.consent)}
        </form>
        ${chat.conversation.value &&
        html`<button type="button" class="link" onClick=${() => (chat.again.value = false)}>${icon("history")}${_("Back to the earlier conversation")}</button>`}
      </div>
      <${Composer}
        chat=${chat}
        pane=${pane}
        key=${chat.left.value ? "left" : "start"}
        draft=${chat.left.value?.text}
        placeholder=${isClosed ? _("Leave a message …") : _("Write a message …")}
        onSend=${this.#start}
      />`;
  }

  #queues() {
    const { queues } = this.#welcome;
    if (queues.length < 2) return undefined;
    const chosen = this.#queue.value || queues[0].id;
    return html`<fieldset class="choice">
      <legend>${_("What is it about?")}</legend>
      ${queues.map(
        (/** @type {any} */ { id, name }) => html`<label key=${id}>
          <input type="radio" name="queue" value=${id} checked=${id === chosen} onChange=${() => (this.#queue.value = id)} />
          <span dir="auto">${name}</span>
        </label>`,
      )}
    </fieldset>`;
  }

  /** @param {boolean} isClosed */
  #fields(isClosed) {
    const { site, customer } = this.#welcome;
    const wrong = this.#wrong.value === "email";
    return html`${site.ask_name && !customer.name && html`<label class="field">${_("Your name")}<input name="name" autocomplete="name" maxlength="80" dir="auto" /></label>`}
    ${(site.ask_email || isClosed) &&
    !customer.email &&
    html`<label class="field">
      <span>${_("E-mail")} ${!isClosed && html`<i>${_("(optional)")}</i>`}</span>
      <input name="email" type="email" autocomplete="email" maxlength="254" required=${isClosed} aria-invalid=${wrong} aria-describedby=${wrong ? "email-wrong" : undefined} />
      ${wrong && html`<small class="danger" id="email-wrong" role="alert">${_("Please write your e-mail address, so that we can answer.")}</small>`}
    </label>`}`;
  }

  /** @param {string} text */
  #consent(text) {
    const wrong = this.#wrong.value === "consent";
    return html`<label class="consent">
      <input type="checkbox" name="consent" aria-invalid=${wrong} aria-describedby=${wrong ? "consent-wrong" : undefined} /><span dir="auto">${text}</span>
    </label>
    ${wrong && html`<small class="danger" id="consent-wrong" role="alert">${_("Please agree before you write.")}</small>`}`;
  }
}

/** @param {string} availability @param {boolean} isClosed */
function standing(availability, isClosed) {
  if (isClosed) return _("We are closed right now. Leave a message and we answer by e-mail.");
  if (availability === "busy") return _("There may be a short wait.");
  return _("We are here. You will have an answer in a moment.");
}
