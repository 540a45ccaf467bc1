// dashboard/parts/small.js – the smallest parts

import { ago, full, hue, initials, span } from "../../chat/format.js";
import { _ } from "../../chat/words.js";
import { now } from "../now.js";
import { html, useEffect, useId, useLayoutEffect, useRef, useState } from "../ui.js";
import { useHere } from "../here.js";

/** @param {{name: string}} props */
export function Icon({ name }) {
  const { places } = useHere();
  return html`<svg class="icon" aria-hidden="true"><use href=${`${places.icons}#${name}`} /></svg>`;
}

/** Decoration: the name always stands beside it. @param {{id: string, name: string, avatar?: string, dot?: string}} props */
export function Avatar({ id, name, avatar, dot }) {
  return html`<span class="avatar" style=${{ "--hue": hue(id) }} aria-hidden="true">
    ${avatar ? html`<img src=${avatar} alt="" />` : initials(name)}
    ${dot && html`<span class=${`dot ${dot}`}></span>`}
  </span>`;
}

/** "now", "2 min", "14:05"; the whole date on hover. @param {{at: string}} props */
export function Age({ at }) {
  return html`<time datetime=${at} title=${full(at)}>${ago(at, now.value)}</time>`;
}

/** How long something lasts by now. @param {{since: string, little?: string}} props */
export function Span({ since, little = _("now") }) {
  const seconds = Math.max(0, (now.value - Date.parse(since)) / 1000);
  return html`<time datetime=${since} title=${full(since)}>${seconds < 60 ? little : span(seconds)}</time>`;
}

/** A button that opens a small panel; Esc and a click elsewhere close it.
 * @param {{label: any, class?: string, name?: string, children: (close: () => void) => any}} props */
export function Disclosure({ label, class: kind = "", name, children }) {
  const [open, setOpen] = useState(false);
  const root = useRef(/** @type {HTMLElement|null} */ (null));
  const id = useId();
  const close = () => {
    setOpen(false);
    if (root.current?.contains(document.activeElement)) root.current.querySelector("button")?.focus();
  };
  useEffect(() => {
    if (!open) return undefined;
    const outside = (/** @type {Event} */ event) => {
      if (!root.current?.contains(/** @type {Node} */ (event.target))) setOpen(false);
    };
    document.addEventListener("pointerdown", outside);
    document.addEventListener("focusin", outside);
    return () => {
      document.removeEventListener("pointerdown", outside);
      document.removeEventListener("focusin", outside);
    };
  }, [open]);
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Escape" || !open) return;
    event.stopPropagation();
    close();
  };
  return html`<div class=${`disclosure ${kind}`} ref=${root} onKeyDown=${onKeyDown}>
    <button type="button" aria-expanded=${open ? "true" : "false"} aria-controls=${open ? id : undefined}
      aria-label=${name} onClick=${() => setOpen(!open)}>${label}</button>
    ${open && html`<div class="panel" id=${id}>${children(close)}</div>`}
  </div>`;
}

/** A modal dialog: the browser keeps the focus inside and gives it back.
 * @param {{label: string, class?: string, onClose: () => void, children: any}} props */
export function Modal({ label, class: kind = "", onClose, children }) {
  const dialog = useRef(/** @type {HTMLDialogElement|null} */ (null));
  // Before the next key arrives: it belongs to the dialog.
  useLayoutEffect(() => {
    const before = /** @type {HTMLElement|null} */ (document.activeElement);
    dialog.current?.showModal();
    return () => before?.isConnected && before.focus();
  }, []);
  const onBackdrop = (/** @type {MouseEvent} */ event) => event.target === dialog.current && onClose();
  const onCancel = (/** @type {Event} */ event) => (event.preventDefault(), onClose());
  return html`<dialog class=${`modal ${kind}`} aria-label=${label} ref=${dialog}
    onCancel=${onCancel} onClose=${onClose} onPointerDown=${onBackdrop}>${children}</dialog>`;
}

/** @param {{value: {value: boolean}, children: any, onChange?: (on: boolean) => void}} props */
export function Switch({ value, children, onChange }) {
  const on = value.value;
  const flip = () => (onChange ? onChange(!on) : (value.value = !on));
  return html`<label class="switch"><span>${children}</span>
    <input type="checkbox" role="switch" checked=${on} onChange=${flip} /></label>`;
}

/** @param {string} keys such as "Mod+K" @returns {string} as this machine writes them */
export function keyName(keys) {
  const mac = /Mac|iPhone|iPad/.test(navigator.platform);
  return keys.replace("Mod+", mac ? "⌘" : "Ctrl ").replace("Alt+", mac ? "⌥" : "Alt ");
}
