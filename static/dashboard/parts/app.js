// dashboard/parts/app.js – the screen: three columns, two, or one

import { _, n_ } from "../../chat/words.js";
import { html, useEffect, useState } from "../ui.js";
import { HereContext, useHere } from "../here.js";
import { About } from "./about.js";
import { Board } from "./board.js";
import { Conversation } from "./conversation.js";
import { Dialogs } from "./dialogs.js";
import { Rail } from "./rail.js";
import { Icon } from "./small.js";
import { Still } from "./still.js";

const PATIENCE_MS = 4_000; // shorter interruptions nobody needs to know of

/** @param {{here: import("../here.js").Here}} props */
export function App({ here }) {
  return html`<${HereContext.Provider} value=${here}><${Screen} /><//>`;
}

function Screen() {
  const { view } = useHere();
  const shows = view.board.value ? "board" : view.about.value ? "about" : view.open.value ? "talk" : "list";
  return html`<main class="screen" data-shows=${shows}>
    <h1 class="heard">${_("Desk")}</h1>
    <div class="strips"><${Banner} /><${Still} /></div>
    <${Rail} />
    <section class="middle" aria-label=${view.board.value ? _("Live board") : _("Conversation")}><${view.board.value ? Board : Conversation} /></section>
    <${About} />
    <${Dialogs} />
    <${Notice} />
    <${Unread} />
  </main>`;
}

function Banner() {
  const { feed } = useHere();
  const state = feed.state.value;
  const late = useLate(state === "offline" || state === "connecting");
  if (state === "closed" && feed.closedBy.value !== 1000) return html`<${Closed} code=${feed.closedBy.value} />`;
  if (!late) return html`<div role="status" class="heard"></div>`;
  return html`<div class="banner" role="status"><${Icon} name="wifi-off" />
    <span>${_("No connection to the desk. What you write is kept and goes out when it is back.")}</span></div>`;
}

/** @param {{code: number}} props */
function Closed({ code }) {
  const { places } = useHere();
  const login = `${places.login}?next=${encodeURIComponent(location.pathname)}`;
  if (code === 4401) {
    return html`<div class="banner" role="alert"><span>${_("You are signed out.")}</span><a class="button" href=${login}>${_("Sign in again")}</a></div>`;
  }
  const words = code === 4403 ? _("You have no seat at the desk any more.") : _("The desk has closed this connection.");
  return html`<div class="banner" role="alert"><span>${words}</span>
    <button type="button" class="button" onClick=${() => location.reload()}>${_("Reload")}</button></div>`;
}

/** True once `down` has lasted. @param {boolean} down */
function useLate(down) {
  const [late, setLate] = useState(false);
  useEffect(() => {
    setLate(false);
    if (!down) return undefined;
    const timer = setTimeout(() => setLate(true), PATIENCE_MS);
    return () => clearTimeout(timer);
  }, [down]);
  return down && late;
}

function Notice() {
  const { view } = useHere();
  const words = view.notice.value;
  return html`<div class="notices" role="status">
    ${words && html`<p class="notice"><span>${words}</span>
      <button type="button" class="icon-button" onClick=${() => view.say("")}><${Icon} name="x" /><span class="heard">${_("Close")}</span></button></p>`}
  </div>`;
}

/** For people who listen: what the bold rows say to people who look. */
function Unread() {
  const { desk } = useHere();
  const n = desk.unread.value;
  return html`<p class="heard" role="status">${n ? n_("%(n)s conversation waits for you.", "%(n)s conversations wait for you.", n) : ""}</p>`;
}
