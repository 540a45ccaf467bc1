// dashboard/main.js – the dashboard's entry: put the parts together and begin

import { setWords } from "../chat/words.js";
import { watch } from "./alerts.js";
import { Replies } from "./canned.js";
import { Desk } from "./desk.js";
import { Drafts } from "./drafts.js";
import { Feed } from "./feed.js";
import { listen } from "./keys.js";
import { tick } from "./now.js";
import { App } from "./parts/app.js";
import { deciding } from "./deciding.js";
import { Prefs } from "./prefs.js";
import { html, render } from "./ui.js";
import { View } from "./view.js";

const root = /** @type {HTMLElement} */ (document.getElementById("desk"));
const places = /** @type {Record<string, string>} */ ({ ...root.dataset });
setWords(JSON.parse(document.getElementById("words")?.textContent ?? '{"locale": "en"}'));

const desk = new Desk();
const socketUrl = `${location.origin.replace(/^http/, "ws")}${places.socket}`;
const here = {
  desk,
  places,
  feed: new Feed(desk, { agent: places.agent, socketUrl, statusUrl: places.canned }),
  view: new View(),
  drafts: new Drafts({ uploads: places.uploads, csrf: places.csrf }),
  replies: new Replies(places.canned),
  prefs: new Prefs(),
};
tick();
watch(here);
listen(here, deciding(here));
render(html`<${App} here=${here} />`, root);
here.feed.open();
