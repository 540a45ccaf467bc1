// widget/main.js – where the frame begins

import { App } from "./app.js";
import { Chat } from "./chat.js";
import { Host } from "./host.js";
import { computed, effect, html, render } from "./ui.js";

const pane = /** @type {HTMLElement} */ (document.getElementById("chat"));
const { site, place, origins, locale, day, night } = /** @type {Record<string, string>} */ (pane.dataset);
const dark = matchMedia("(prefers-color-scheme: dark)");
const socket = `${location.protocol.replace("http", "ws")}//${location.host}/ws/customer/${site}/`;

const host = new Host(origins.split(" "), told);
const chat = new Chat({ key: site, locale, place, socket, host });
let fields = {};

/** What the host page's loader says. @param {any} message */
function told(message) {
  if (message.do === "init") {
    fields = message.fields;
    chat.connect({ page: message.page, identity: message.identity });
    show(message.open);
    look();
  }
  if (message.do === "show") show(message.open);
  if (message.do === "identify") chat.identify(message.identity);
  if (message.do === "fields") fields = message.fields;
  if (message.do === "forget") chat.forget();
}

/** @param {boolean} open */
function show(open) {
  chat.shown.value = open;
  chat.seen();
}

/** Whoever opens the chat, or comes to its next screen, may write at once. */
const screen = computed(() => chat.shown.value && chat.welcome.value && (chat.started.value ? "talk" : "start"));

function focus() {
  if (!document.hasFocus()) return; // never away from the host's page
  /** @type {HTMLElement|null} */ (pane.querySelector("[name=name], .writing textarea, .ending button"))?.focus();
}

const onClose = host.framed ? () => host.tell({ on: "close" }) : undefined;
pane.addEventListener("keydown", (event) => event.key === "Escape" && onClose?.());
document.addEventListener("visibilitychange", () => chat.seen());
addEventListener("focus", () => document.activeElement === document.body && screen.value && focus());

effect(() => {
  render(html`<${App} chat=${chat} pane=${pane} fields=${() => fields} onClose=${onClose} />`, pane);
});
effect(() => host.tell({ on: "unread", count: chat.shown.value ? 0 : chat.unread.value }));
effect(() => {
  const open = chat.conversation.value && chat.conversation.value.state !== "ended";
  if (chat.welcome.value) host.tell({ on: "marked", marked: !!open });
});
look();
effect(() => {
  if (screen.value) queueMicrotask(focus); // when it has been drawn
});
dark.addEventListener("change", look);

/** The site's accent, which the page brings in a readable form for day and night. */
function look() {
  const [accent, onAccent, text] = (dark.matches ? night : day).split(" ");
  const { style } = document.documentElement;
  style.setProperty("--accent", accent);
  style.setProperty("--on-accent", onAccent);
  style.setProperty("--away", onAccent === "#ffffff" ? "#000" : "#fff");
  style.setProperty("--accent-text", text);
  host.tell({ on: "look", accent, onAccent });
}

if (!host.framed) {
  chat.connect();
  show(true);
}
