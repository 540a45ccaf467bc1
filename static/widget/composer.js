// widget/composer.js – where one writes: text, files, emoji

import { bytes } from "../chat/format.js";
import { _ } from "../chat/words.js";
import { Component, html, icon, IconButton, signal } from "./ui.js";

/** @typedef {import("./chat.js").Chat} Chat */
/** @typedef {{key: number, name: string, size: number, part: number, attachment?: any, error?: string, cancel?: () => void}} Draft */

const EMOJI = "😀 😊 😂 😍 😉 😎 🤔 😕 😢 😮 😅 🙄 👍 👎 👋 🙏 👏 💪 ❤️ 🎉 🔥 ✅ ❌ ❓".split(" ");
const WARN = 0.9; // of the limit: time to tell how much is left

let keys = 0;

export class Composer extends Component {
  /** @type {import("../vendor/signals-core.js").Signal<Draft[]>} */ #files = signal([]);
  #length = signal(0);
  #emoji = signal(false);
  #notice = signal("");
  /** @type {HTMLTextAreaElement} */ #text = /** @type {any} */ (null);
  /** @type {HTMLInputElement} */ #picker = /** @type {any} */ (null);

  componentDidMount() {
    const { draft, pane } = this.props;
    if (draft) this.#write(draft);
    pane.addEventListener("dragover", this.#dragged);
    pane.addEventListener("drop", this.#dropped);
  }

  componentWillUnmount() {
    const { pane } = this.props;
    pane.removeEventListener("dragover", this.#dragged);
    pane.removeEventListener("drop", this.#dropped);
  }

  get #limits() {
    return this.props.chat.welcome.value?.limits ?? { text: 4000, attachments: 5, attachment_bytes: 0, types: [] };
  }

  #send = () => {
    const files = this.#files.value;
    const text = this.#text.value.trim();
    if (!this.#ready()) return;
    const sent = this.props.onSend(text, files.map(({ attachment }) => attachment));
    if (sent === false) return; // the form above wants something first
    this.#files.value = [];
    this.#emoji.value = false;
    this.#write("");
    this.#text.focus();
  };

  #ready() {
    const files = this.#files.value;
    const said = this.#text?.value.trim() || files.length;
    return said && this.#length.value <= this.#limits.text && files.every(({ attachment }) => attachment);
  }

  /** @param {string} text */
  #write(text) {
    this.#text.value = text;
    this.#grow();
  }

  #typed = () => {
    this.#grow();
    this.props.chat.typed(this.#text.value);
  };

  #grow() {
    this.#length.value = Array.from(this.#text.value).length;
    this.#text.style.blockSize = "auto";
    this.#text.style.blockSize = `${this.#text.scrollHeight}px`;
  }

  #pressed = (/** @type {KeyboardEvent} */ event) => {
    // While an input method composes (Chinese, Japanese), Enter picks a word.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    this.#send();
  };

  /** @param {string} face */
  #insert(face) {
    this.#text.setRangeText(face, this.#text.selectionStart, this.#text.selectionEnd, "end");
    this.#text.focus();
    this.#typed();
  }

  // --- files

  #picked = () => {
    this.#add([...(this.#picker.files ?? [])]);
    this.#picker.value = "";
  };

  #pasted = (/** @type {ClipboardEvent} */ event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length) return;
    event.preventDefault();
    this.#add(files);
  };

  #dragged = (/** @type {DragEvent} */ event) => event.preventDefault();

  #dropped = (/** @type {DragEvent} */ event) => {
    event.preventDefault();
    this.#add([...(event.dataTransfer?.files ?? [])]);
  };

  /** @param {File[]} files */
  #add(files) {
    this.#notice.value = "";
    for (const file of files) {
      const complaint = this.#complaint(file);
      if (complaint) this.#notice.value = complaint;
      else this.#upload(file);
    }
  }

  /** Said before the file travels, not after. @param {File} file */
  #complaint({ name, size, type }) {
    const { attachments, attachment_bytes: most, types } = this.#limits;
    if (this.#files.value.length >= attachments) return _("A message takes %(n)s files at most.", { n: attachments });
    if (most && size > most) return _("“%(name)s” is too big. %(size)s is the most.", { name, size: bytes(most) });
    if (type && types.length && !types.includes(type)) return _("“%(name)s” is of a kind that cannot be sent here.", { name });
    return "";
  }

  /** @param {File} file */
  #upload(file) {
    const key = ++keys;
    const change = (/** @type {Partial<Draft>} */ fields) => {
      this.#files.value = this.#files.value.map((one) => (one.key === key ? { ...one, ...fields } : one));
    };
    const { done, cancel } = this.props.chat.upload(file, (/** @type {number} */ part) => change({ part }));
    this.#files.value = [...this.#files.value, { key, name: file.name, size: file.size, part: 0, cancel }];
    done.then(
      (/** @type {any} */ attachment) => change({ part: 1, attachment }),
      (/** @type {any} */ { status }) => change({ error: !status ? _("No connection.") : _("It was not accepted.") }),
    );
  }

  /** @param {Draft} file */
  #remove({ key, cancel, attachment }) {
    if (!attachment) cancel?.();
    this.#files.value = this.#files.value.filter((one) => one.key !== key);
    this.#text.focus();
  }

  // --- drawing

  /** @param {any} props */
  render({ placeholder, note }) {
    const { text: limit, types } = this.#limits;
    const left = limit - this.#length.value;
    return html`<div class="composer">
      ${this.#notice.value && html`<p class="notice" role="alert">${this.#notice.value}</p>`}
      ${this.#files.value.length > 0 && html`<ul class="drafts">${this.#files.value.map((file) => this.#draft(file))}</ul>`}
      <div class="writing">
        <textarea
          rows="1"
          dir="auto"
          aria-label=${placeholder}
          placeholder=${placeholder}
          enterkeyhint="send"
          onInput=${this.#typed}
          onKeyDown=${this.#pressed}
          onPaste=${this.#pasted}
          ref=${(/** @type {HTMLTextAreaElement} */ text) => (this.#text = text ?? this.#text)}
        ></textarea>
        <div class="tools">
          <input
            type="file"
            hidden
            multiple
            accept=${types.join(",")}
            onChange=${this.#picked}
            ref=${(/** @type {HTMLInputElement} */ picker) => (this.#picker = picker ?? this.#picker)}
          />
          <${IconButton} name="paperclip" label=${_("Add files")} onClick=${() => this.#picker.click()} />
          <${IconButton}
            name="smile"
            label=${_("Emoji")}
            aria-expanded=${this.#emoji.value}
            onClick=${() => (this.#emoji.value = !this.#emoji.value)}
          />
          ${left < limit * (1 - WARN) && html`<span class=${left < 0 ? "left danger" : "left"} role="status">${left}</span>`}
          <button type="button" class="send" aria-label=${_("Send")} title=${_("Send")} disabled=${!this.#ready()} onClick=${this.#send}>
            ${icon("send")}
          </button>
        </div>
      </div>
      ${this.#emoji.value && this.#faces()} ${note && html`<p class="hint">${note}</p>`}
    </div>`;
  }

  #faces() {
    const away = (/** @type {KeyboardEvent} */ event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      this.#emoji.value = false;
      this.#text.focus();
    };
    return html`<div class="faces" role="group" aria-label=${_("Emoji")} onKeyDown=${away}>
      ${EMOJI.map((face) => html`<button type="button" onClick=${() => this.#insert(face)}>${face}</button>`)}
    </div>`;
  }

  /** @param {Draft} file */
  #draft(file) {
    const { name, size, part, attachment, error } = file;
    return html`<li key=${file.key} class=${error ? "failed" : ""}>
      ${icon(error ? "circle-alert" : "file")}
      <span><b>${name}</b><small>${error ?? bytes(size)}</small></span>
      ${!attachment && !error && html`<progress value=${part} max="1" aria-label=${_("Sending %(name)s", { name })}></progress>`}
      <${IconButton} name="x" label=${_("Remove %(name)s", { name })} onClick=${() => this.#remove(file)} />
    </li>`;
  }
}
