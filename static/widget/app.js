// widget/app.js – the frame's whole screen: head, messages or greeting, foot

import { FORBIDDEN, UNKNOWN_SITE } from "../chat/protocol.js";
import { _ } from "../chat/words.js";
import { download, Ending, Line } from "./cards.js";
import { Composer } from "./composer.js";
import { Log } from "./messages.js";
import { Start } from "./start.js";
import { Avatar, html, icon, IconButton, signal } from "./ui.js";

/** @typedef {import("./chat.js").Chat} Chat */
/** @typedef {{chat: Chat, pane: HTMLElement, fields: () => object, onClose?: () => void}} Props */

const menu = signal(false);
const ending = signal(false);

/** @param {Props} props */
export function App(props) {
  const { chat } = props;
  return html`<${Head} ...${props} />
    ${chat.late.value && !chat.closed.value && html`<p class="banner" role="status">${icon("wifi-off")}${_("No connection. Trying again …")}</p>`}
    <main aria-busy=${!chat.welcome.value}>${screen(props)}</main>`;
}

/** @param {Props} props */
function screen(props) {
  const { chat } = props;
  if (chat.closed.value) return html`<${GaveUp} chat=${chat} />`;
  if (!chat.welcome.value) return html`<${Skeleton} />`;
  return chat.started.value ? html`<${Talk} ...${props} />` : html`<${Start} ...${props} />`;
}

/** @param {Props} props */
function Talk({ chat, pane }) {
  const preview = chat.welcome.value.site.typing_preview ? _("The agent sees what you write before you send it.") : undefined;
  return html`<${Log} chat=${chat}><${Line} chat=${chat} /><//>
    ${chat.open.value
      ? html`<${Composer}
          key="talk"
          chat=${chat}
          pane=${pane}
          placeholder=${_("Write a message …")}
          note=${preview}
          onSend=${(/** @type {string} */ text, /** @type {any[]} */ files) => chat.post(text, files)}
        />`
      : html`<${Ending} chat=${chat} />`}`;
}

// --- head

/** @param {Props} props */
function Head({ chat, onClose }) {
  const { site } = chat.welcome.value ?? {};
  const agent = chat.open.value ? chat.conversation.value?.agent : null;
  return html`<header>
    ${agent ? html`<${Avatar} of=${agent} />` : html`<span class="avatar site" aria-hidden="true">${icon("message-circle")}</span>`}
    <div class="who">
      <h1 dir="auto">${agent?.name ?? site?.name ?? _("Chat")}</h1>
      <p dir="auto">${under(chat)}</p>
    </div>
    <div class="head-tools" onKeyDown=${shut}>
      <${IconButton} name="ellipsis" label=${_("Menu")} id="menu-button" aria-expanded=${menu.value} onClick=${() => ((menu.value = !menu.value), (ending.value = false))} />
      ${onClose && html`<${IconButton} name="minus" label=${_("Minimise")} onClick=${onClose} />`}
      ${menu.value && html`<${Menu} chat=${chat} />`}
    </div>
  </header>`;
}

/** @type {Record<string, () => string>} */
const STANDING = { open: () => _("Online"), busy: () => _("Busy right now"), closed: () => _("Closed right now") };

/** The line below the name. @param {Chat} chat */
function under(chat) {
  const { welcome, conversation, open, messages } = chat;
  if (!welcome.value) return _("Connecting …");
  const { site, availability } = welcome.value;
  if (!open.value || !conversation.value?.agent) return STANDING[availability]();
  const news = messages.value.findLast(({ event }) => event?.startsWith("agent_"));
  return news?.event === "agent_lost" ? _("Reconnecting …") : site.name;
}

/** @param {KeyboardEvent} event */
function shut(event) {
  if (event.key !== "Escape" || !menu.value) return;
  event.stopPropagation();
  menu.value = false;
  document.getElementById("menu-button")?.focus();
}

/** @param {{chat: Chat}} props */
function Menu({ chat }) {
  const sound = chat.sound.value;
  const done = (/** @type {() => void} */ act) => () => {
    menu.value = false;
    document.getElementById("menu-button")?.focus();
    act();
  };
  if (ending.value) {
    return html`<div class="menu">
      <p>${_("End this conversation?")}</p>
      <div class="row">
        <button type="button" class="button danger" onClick=${done(() => chat.end())}>${_("End it")}</button>
        <button type="button" class="button quiet" onClick=${done(() => {})}>${_("Keep talking")}</button>
      </div>
    </div>`;
  }
  return html`<div class="menu">
    <button type="button" aria-pressed=${sound} onClick=${() => chat.hush(sound)}>
      ${icon(sound ? "volume-2" : "volume-x")}${sound ? _("Sound is on") : _("Sound is off")}
    </button>
    ${chat.conversation.value && html`<button type="button" onClick=${done(() => download(chat))}>${icon("download")}${_("Download transcript")}</button>`}
    ${chat.open.value && chat.conversation.value && html`<button type="button" onClick=${() => (ending.value = true)}>${icon("circle-x")}${_("End conversation")}</button>`}
  </div>`;
}

// --- instead of a conversation

function Skeleton() {
  return html`<div class="skeleton" role="status"><span class="heard">${_("Connecting …")}</span><i></i><i></i><i></i></div>`;
}

/** @param {{chat: Chat}} props */
function GaveUp({ chat }) {
  const code = chat.closed.value;
  const isOurs = code === FORBIDDEN || code === UNKNOWN_SITE;
  return html`<div class="gave-up" role="alert">
    ${icon("message-circle")}
    <p>${isOurs ? _("The chat is not available on this page.") : _("The chat was interrupted.")}</p>
    ${!isOurs && html`<button type="button" class="button" onClick=${() => chat.retryNow()}>${_("Try again")}</button>`}
  </div>`;
}
