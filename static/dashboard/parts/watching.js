// dashboard/parts/watching.js – a supervisor in a colleague's conversation: unseen, or beside the holder

import { _ } from "../../chat/words.js";
import { deciding } from "../deciding.js";
import { html } from "../ui.js";
import { useHere } from "../here.js";
import { nameOf } from "../story.js";
import { Icon, keyName } from "./small.js";

/** @typedef {import("../talk.js").Talk} Talk */

/** Where the composer would stand. @param {{talk: Talk}} props */
export function Watching({ talk }) {
  const { desk } = useHere();
  const { join, takeOver } = deciding(useHere());
  const { name, agent } = whose(talk);
  const live = desk.watching.value === talk.id;
  return html`<div class="instead watching" role="group" aria-label=${_("Watching")}>
    <p role="status"><${Icon} name="eye" />${
      live ? _("You are watching. %(name)s and %(agent)s do not see you.", { name, agent }) : _("Opening it unseen …")
    }</p>
    <div class="ways">
      <button type="button" class="button" onClick=${() => join(talk.id)} title=${_("%(name)s reads that you have joined.", { name })}>
        ${_("Join")}<kbd>${keyName("Alt+J")}</kbd></button>
      <button type="button" class="button primary" onClick=${() => takeOver(talk.id)} title=${_("It becomes yours; %(agent)s is not asked.", { agent })}>
        ${_("Take over")}<kbd>${keyName("Alt+O")}</kbd></button>
    </div>
    <p class="hint">${_("Join: %(name)s reads that you have joined. Take over: it becomes yours, %(agent)s is not asked.", { name, agent })}</p>
  </div>`;
}

/** Over the composer. @param {{talk: Talk}} props */
export function Beside({ talk }) {
  const { feed } = useHere();
  const { takeOver } = deciding(useHere());
  const { name, agent } = whose(talk);
  return html`<div class="beside" role="group" aria-label=${_("Joined")}>
    <p><${Icon} name="users" />${_("You have joined; %(agent)s still has the conversation.", { agent })}</p>
    <div class="ways">
      <button type="button" class="button" onClick=${() => feed.onlyWatch(talk.id)}>${_("Only watch")}</button>
      <button type="button" class="button" onClick=${() => takeOver(talk.id)} title=${_("It becomes yours; %(agent)s is not asked.", { agent })}>
        ${_("Take over")}<kbd>${keyName("Alt+O")}</kbd></button>
    </div>
    <span class="heard">${_("What you write, %(name)s reads.", { name })}</span>
  </div>`;
}

/** @param {Talk} talk */
function whose(talk) {
  return { name: nameOf(talk.customer.value), agent: talk.facts.value.agent?.name ?? "" };
}
