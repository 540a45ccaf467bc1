// dashboard/parts/composer.js – where the agent writes: a reply or a note, canned ones, files

import { bytes } from "../../chat/format.js";
import { _ } from "../../chat/words.js";
import { filled, matching } from "../canned.js";
import { html, useEffect, useId, useLayoutEffect, useRef, useState } from "../ui.js";
import { useHere } from "../here.js";
import { nameOf } from "../story.js";
import { Icon, keyName } from "./small.js";

/** @typedef {import("../talk.js").Talk} Talk */
/** @typedef {import("../canned.js").Reply} Reply */
/** @typedef {import("../drafts.js").Parcel} Parcel */

const ROOM = 500; // so many characters from the limit it is told

/** @param {{talk: Talk}} props */
export function Composer({ talk }) {
  const { desk, feed, drafts, replies, view } = useHere();
  const draft = drafts.of(talk.id);
  const text = draft.text.value;
  const isNote = draft.isNote.value;
  const parcels = draft.parcels.value;
  const field = useRef(/** @type {HTMLTextAreaElement|null} */ (null));
  const canned = useCanned(talk, text, (reply) => write(withReply(reply)));
  const [over, setOver] = useState(false);

  useFocus(field, talk.id);
  useLayoutEffect(() => grow(field.current), [text]);
  useEffect(() => void replies.refresh(), []);

  const write = (/** @type {string} */ value) => {
    drafts.write(talk.id, value);
    if (isNote || !value.trim() || value.startsWith("/")) feed.stopTyping(talk.id);
    else feed.touched(talk.id);
  };
  const withReply = (/** @type {Reply} */ reply) =>
    filled(reply.text, { name: talk.customer.value.name, agent: desk.me.value?.name ?? "" });
  const attach = (/** @type {Iterable<File>} */ files) => {
    const room = desk.limits.value.attachments - parcels.length;
    const chosen = [...files];
    if (chosen.length > room) view.say(_("At most %(n)s files in a message.", { n: desk.limits.value.attachments }));
    for (const file of chosen.slice(0, Math.max(0, room))) {
      if (file.size > desk.limits.value.attachment_bytes) {
        view.say(_("%(name)s is larger than %(size)s.", { name: file.name, size: bytes(desk.limits.value.attachment_bytes) }));
      } else drafts.attach(talk.id, file);
    }
  };
  const busy = parcels.some(({ attachment, problem }) => !attachment && problem === undefined);
  const ready = parcels.flatMap(({ attachment }) => attachment ?? []);
  const left = desk.limits.value.text - text.length;
  const canSend = !busy && left >= 0 && (text.trim() !== "" || ready.length > 0);
  const send = () => {
    if (!canSend) return;
    feed.post(talk.id, text.trim(), { note: isNote, attachments: ready });
    drafts.clear(talk.id);
    field.current?.focus();
  };
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    // While a word is being composed (Chinese, Japanese), Enter chooses and Esc discards it.
    if (event.isComposing || event.keyCode === 229) return;
    if (canned.onKey(event)) return;
    if (event.key === "Enter" && !event.shiftKey && !event.altKey) {
      event.preventDefault();
      send();
    }
    if (event.key === "Escape") leave(event);
  };
  const onPaste = (/** @type {ClipboardEvent} */ event) => {
    const files = event.clipboardData?.files;
    if (!files?.length) return;
    event.preventDefault();
    attach(files);
  };
  const onDrop = (/** @type {DragEvent} */ event) => {
    event.preventDefault();
    setOver(false);
    attach(event.dataTransfer?.files ?? []);
  };

  const who = nameOf(talk.customer.value);
  return html`<form class=${`composer ${isNote ? "note" : ""} ${over ? "over" : ""}`}
    onSubmit=${(/** @type {Event} */ event) => (event.preventDefault(), send())}
    onDragOver=${(/** @type {Event} */ event) => (event.preventDefault(), setOver(true))}
    onDragLeave=${() => setOver(false)} onDrop=${onDrop}>
    ${canned.open && html`<${CannedList} ...${canned} />`}
    <div class="modes" role="group" aria-label=${_("What you write")}>
      <button type="button" aria-pressed=${isNote ? "false" : "true"} onClick=${() => turn(false)}>${_("Reply")}</button>
      <button type="button" aria-pressed=${isNote ? "true" : "false"} onClick=${() => turn(true)} title=${keyName("Alt+M")}>${_("Note")}</button>
    </div>
    <textarea ref=${field} rows="1" dir="auto" value=${text} class="write"
      aria-label=${isNote ? _("Note for colleagues") : _("Reply to %(name)s", { name: who })}
      placeholder=${isNote ? _("Only colleagues will read this") : _("Write to %(name)s, or / for a canned reply", { name: who })}
      aria-autocomplete=${canned.open ? "list" : undefined} aria-controls=${canned.open ? canned.id : undefined}
      aria-activedescendant=${canned.open ? canned.active : undefined}
      onInput=${(/** @type {any} */ event) => write(event.target.value)}
      onKeyDown=${onKeyDown} onPaste=${onPaste} onBlur=${() => feed.stopTyping(talk.id)}></textarea>
    ${parcels.length > 0 && html`<ul class="parcels">${parcels.map((parcel) => html`<${Packed} key=${parcel.key} talk=${talk} parcel=${parcel} />`)}</ul>`}
    <div class="tools">
      <button type="button" class="tool" onClick=${() => (write("/"), field.current?.focus())}>
        <${Icon} name="zap" />${_("Canned")}<kbd>/</kbd>
      </button>
      <label class="tool"><${Icon} name="paperclip" />${_("File")}
        <input type="file" multiple class="heard" onChange=${(/** @type {any} */ event) => {
          attach(event.target.files);
          event.target.value = "";
        }} /></label>
      <span class="room" role="status">${left < ROOM ? roomLeft(left) : ""}</span>
      <button type="submit" class="button primary send" disabled=${!canSend}>
        ${isNote ? _("Add note") : _("Send")}<${Icon} name="corner-down-left" />
      </button>
    </div>
  </form>`;

  /** @param {boolean} toNote */
  function turn(toNote) {
    draft.isNote.value = toNote;
    feed.stopTyping(talk.id);
    field.current?.focus();
  }
}

/** The keyboard goes to the composer when the person opened this, never when a frame
 * did; and not where it is drawn on the screen, over what was said.
 * @param {{current: HTMLElement|null}} field @param {string} id */
function useFocus(field, id) {
  const { view } = useHere();
  const wanted = view.wanted.value === id;
  useLayoutEffect(() => {
    if (!wanted) return;
    view.wanted.value = "";
    if (matchMedia("(pointer: fine), (any-hover: hover)").matches) field.current?.focus();
  }, [wanted]);
}

/** @param {HTMLTextAreaElement|null} field */
function grow(field) {
  if (!field) return;
  field.style.height = "auto";
  field.style.height = `${field.scrollHeight}px`;
}

/** @param {KeyboardEvent} event */
function leave(event) {
  event.preventDefault();
  /** @type {HTMLElement|null} */ (document.querySelector("[data-row][aria-current]"))?.focus();
}

/** @param {number} left */
function roomLeft(left) {
  return left < 0 ? _("%(n)s characters too many", { n: -left }) : _("%(n)s characters left", { n: left });
}

// --- canned replies

/** While the draft is a slash and a word, the replies that fit stand above it.
 * @param {Talk} talk @param {string} text @param {(reply: Reply) => void} put */
function useCanned(talk, text, put) {
  const { replies } = useHere();
  const id = useId();
  const [at, setAt] = useState(0);
  const [shut, setShut] = useState("");
  const wanted = /^\/([^\n]{0,60})$/.exec(text)?.[1];
  const open = wanted !== undefined && shut !== text;
  const found = open ? matching(replies.all.value, wanted, talk.facts.value.queue.id) : [];
  const chosen = Math.min(at, Math.max(0, found.length - 1));
  useEffect(() => setAt(0), [wanted]);
  const onKey = (/** @type {KeyboardEvent} */ event) => {
    if (!open) return false;
    const move = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (move) setAt((chosen + move + found.length) % Math.max(1, found.length));
    else if (event.key === "Escape") setShut(text);
    else if ((event.key === "Enter" || event.key === "Tab") && found[chosen]) put(found[chosen]);
    else return false;
    event.preventDefault();
    event.stopPropagation();
    return true;
  };
  return { open, id, found, chosen, put, onKey, active: found[chosen] && `${id}-${chosen}` };
}

/** @param {{id: string, found: Reply[], chosen: number, put: (reply: Reply) => void}} props */
function CannedList({ id, found, chosen, put }) {
  const list = useRef(/** @type {HTMLElement|null} */ (null));
  useEffect(() => list.current?.children[chosen]?.scrollIntoView({ block: "nearest" }), [chosen]);
  return html`<div class="canned">
    ${found.length === 0 && html`<p class="quiet" role="status">${_("No canned reply fits. Esc keeps the slash as text.")}</p>`}
    <ul role="listbox" id=${id} aria-label=${_("Canned replies")} ref=${list}>
      ${found.map(
        (reply, i) => html`<li key=${reply.shortcut + i} id=${`${id}-${i}`} role="option"
          aria-selected=${i === chosen ? "true" : "false"}
          onPointerDown=${(/** @type {Event} */ event) => (event.preventDefault(), put(reply))}>
          <b>/${reply.shortcut}</b><span>${reply.text}</span>
        </li>`,
      )}
    </ul>
  </div>`;
}

// --- files

/** @param {{talk: Talk, parcel: Parcel}} props */
function Packed({ talk, parcel }) {
  const { drafts } = useHere();
  const { key, name, size, part, picture, attachment, problem } = parcel;
  const failed = problem !== undefined;
  return html`<li class=${failed ? "failed" : ""}>
    ${picture ? html`<img src=${picture} alt="" />` : html`<${Icon} name="file-text" />`}
    <span class="name">${name}</span>
    ${failed
      ? html`<span class="hint danger" role="alert">${problem || _("could not be sent")}</span>`
      : attachment
        ? html`<span class="hint">${bytes(size)}</span>`
        : html`<progress max="1" value=${part} aria-label=${_("%(name)s is on its way", { name })}></progress>`}
    <button type="button" class="icon-button" onClick=${() => drafts.detach(talk.id, key)}>
      <${Icon} name="x" /><span class="heard">${attachment || failed ? _("Remove %(name)s", { name }) : _("Cancel %(name)s", { name })}</span>
    </button>
  </li>`;
}
