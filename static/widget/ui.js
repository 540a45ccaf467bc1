// widget/ui.js – what every part needs to draw itself

import { createElement, render } from "../vendor/preact.js";
import htm from "../vendor/htm.js";
import { hue, initials } from "../chat/format.js";

export const html = htm.bind(createElement);
export { render };
export { Component } from "../vendor/preact.js";
export { signal, computed, effect, batch } from "../vendor/signals-core.js";

const icons = document.documentElement.dataset.icons;

/** @param {string} name */
export const icon = (name) => html`<svg class="icon" aria-hidden="true"><use href=${`${icons}#${name}`} /></svg>`;

/** A photo, or initials on a colour of their own. @param {{of: {id: string, name: string, avatar?: string}}} props */
export function Avatar({ of }) {
  if (of.avatar) return html`<img class="avatar" src=${of.avatar} alt="" />`;
  const paint = (/** @type {HTMLElement|null} */ el) => el?.style.setProperty("--hue", String(hue(of.id)));
  return html`<span class="avatar" aria-hidden="true" ref=${paint}>${initials(of.name)}</span>`;
}

/** @param {{name: string, label: string, onClick: (event: MouseEvent) => void, [attribute: string]: any}} props */
export function IconButton({ name, label, ...rest }) {
  return html`<button type="button" class="icon-button" aria-label=${label} title=${label} ...${rest}>${icon(name)}</button>`;
}
