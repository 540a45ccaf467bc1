// dashboard/parts/about.js – the right column: who the customer is, and how they came here

import { clock, full, span } from "../../chat/format.js";
import { _, locale } from "../../chat/words.js";
import { whyNot } from "../deciding.js";
import { html, useState } from "../ui.js";
import { useHere } from "../here.js";
import { nameOf, outcomeName, safeLink, told } from "../story.js";
import { now } from "../now.js";
import { place } from "../talk.js";
import { address } from "../view.js";
import { whySaid } from "../why.js";
import { Blocking } from "./block.js";
import { Avatar, Icon } from "./small.js";

/** @typedef {import("../talk.js").Talk} Talk */

export function About() {
  const { desk, view } = useHere();
  void [desk.held.value, desk.waiting.value, desk.supervised.value];
  const talk = desk.welcomed.value ? desk.talk(view.open.value) : undefined;
  if (!talk) return html`<section class="about empty" aria-label=${_("Customer")}></section>`;
  return html`<section class="about" aria-label=${_("Customer")} key=${talk.id}>
    <a class="icon-button shut" href=${address(talk.id)}><${Icon} name="x" /><span class="heard">${_("Close")}</span></a>
    <${Who} customer=${talk.customer.value} />
    <${Page} page=${talk.customer.value.page} />
    <${Fields} fields=${talk.customer.value.fields} />
    <${Facts} talk=${talk} />
    <${Story} talk=${talk} />
    <${Blocking} talk=${talk} />
  </section>`;
}

/** @param {{customer: any}} props */
function Who({ customer }) {
  const { id, name, email, verified, locale: spoken, browser, fields } = customer;
  const there = localTime(fields?.timezone ?? fields?.time_zone);
  return html`<section>
    <div class="who-card">
      <${Avatar} id=${id} name=${nameOf(customer)} dot=${customer.online ? "here" : "away"} />
      <div>
        <h2>${nameOf(customer)}</h2>
        ${verified
          ? html`<p class="proven"><${Icon} name="user-check" />${_("Proven")}<span class="hint">${_("by your own site")}</span></p>`
          : html`<p class="hint">${_("Not proven: anybody can type a name.")}</p>`}
      </div>
    </div>
    <dl>
      ${email && name && html`<${Fact} name=${_("E-mail")}><a href=${`mailto:${email}`}>${email}</a><//>`}
      ${spoken && html`<${Fact} name=${_("Language")}>${languageName(spoken)}<//>`}
      ${there && html`<${Fact} name=${_("Local time")}>${there}<//>`}
      ${browser && html`<${Fact} name=${_("Browser")}><span title=${browser}>${browserName(browser)}</span><//>`}
    </dl>
  </section>`;
}

/** @param {{page: any}} props */
function Page({ page }) {
  if (!page?.url && !page?.title) return null;
  const link = safeLink(page.url);
  const from = safeLink(page.referrer);
  return html`<section>
    <h3>${_("On the page")}</h3>
    ${link
      ? html`<a class="page" href=${link} target="_blank" rel="noopener noreferrer nofollow">
          <span dir="auto">${page.title || page.url}</span><${Icon} name="external-link" /></a>
          <p class="hint url">${page.url}</p>`
      : html`<p dir="auto">${page.title || page.url}</p>`}
    ${from && html`<p class="hint url">${_("Came from %(url)s", { url: new URL(from).host })}</p>`}
  </section>`;
}

/** @param {{fields: any}} props */
function Fields({ fields }) {
  const entries = Object.entries(fields ?? {}).filter(([, value]) => value !== null && value !== "");
  if (entries.length === 0) return null;
  return html`<section>
    <h3>${_("Fields")}</h3>
    <dl>${entries.map(([name, value]) => html`<${Fact} key=${name} name=${name}>${String(value)}<//>`)}</dl>
  </section>`;
}

/** @param {{talk: Talk}} props */
function Facts({ talk }) {
  const { queue, created_at: created, started_at: started, ended_at: ended, outcome, rating, tags = [] } = talk.facts.value;
  const waited = started && (Date.parse(started) - Date.parse(created)) / 1000;
  return html`<section>
    <h3>${_("Conversation")}</h3>
    <dl>
      <${Fact} name=${_("Queue")}>${queue.name}<//>
      <${Fact} name=${_("Came")}><time datetime=${created} title=${full(created)}>${clock(created)}</time><//>
      ${waited !== undefined && html`<${Fact} name=${_("Waited")}>${Number(waited) < 60 ? _("less than a minute") : span(Number(waited))}<//>`}
      ${ended && html`<${Fact} name=${_("Ended")}><time datetime=${ended} title=${full(ended)}>${clock(ended)}</time>${outcome && ` · ${outcomeName(outcome)}`}<//>`}
      ${rating && html`<${Fact} name=${_("Rating")}><${Stars} rating=${rating} /><//>`}
    </dl>
    <${Tags} talk=${talk} tags=${tags} />
  </section>`;
}

/** @param {{talk: Talk, tags: string[]}} props */
function Tags({ talk, tags }) {
  const { desk, feed, view } = useHere();
  const [text, setText] = useState("");
  const mine = desk.holds(talk);
  const change = (/** @type {string[]} */ wanted) =>
    feed.tag(talk.id, wanted).catch((refusal) => view.say(whyNot(refusal, talk)));
  const add = (/** @type {Event} */ event) => {
    event.preventDefault();
    if (text.trim()) void change([...tags, text.trim()]);
    setText("");
  };
  if (!mine && tags.length === 0) return null;
  return html`<div class="tags">
    ${tags.map(
      (tag) => html`<span class="tag" key=${tag}>${tag}${
        mine &&
        html`<button type="button" onClick=${() => change(tags.filter((one) => one !== tag))}>
          <${Icon} name="x" /><span class="heard">${_("Remove %(name)s", { name: tag })}</span></button>`
      }</span>`,
    )}
    ${mine &&
    html`<form onSubmit=${add}><input value=${text} maxlength="40" aria-label=${_("Add a tag")} placeholder=${_("Add a tag")}
      onInput=${(/** @type {any} */ event) => setText(event.target.value)} /></form>`}
  </div>`;
}

/** @param {{rating: number}} props */
function Stars({ rating }) {
  const words = _("%(rating)s of 5", { rating });
  return html`<span class="stars" role="img" aria-label=${words}>${"★".repeat(rating)}<i>${"★".repeat(5 - rating)}</i></span>`;
}

/** @param {{talk: Talk}} props */
function Story({ talk }) {
  const why = whySaid(talk.facts.value.because, talk.facts.value.why);
  const lines = talk.messages.value.filter(({ kind, author }) => kind === "system" || author.kind === "system");
  return html`<section>
    <h3>${_("How it came here")}</h3>
    ${why && html`<p class="why" dir="auto">${why}</p>`}
    ${lines.length > 0 &&
    html`<ol class="story">${lines.map(
      (message) => html`<li key=${place(message)}><time datetime=${message.at} title=${full(message.at)}>${clock(message.at)}</time><span>${told(message)}${
        message.data?.because && html`<br /><small dir="auto">${whySaid(message.data.because, message.data.why)}</small>`
      }</span></li>`,
    )}</ol>`}
  </section>`;
}

/** @param {{name: string, children?: any}} props */
function Fact({ name, children }) {
  return html`<div><dt>${name}</dt><dd dir="auto">${children}</dd></div>`;
}

/** @param {string} code */
function languageName(code) {
  try {
    return new Intl.DisplayNames(locale(), { type: "language" }).of(code) ?? code;
  } catch {
    return code;
  }
}

/** @param {unknown} zone such as Europe/Berlin */
function localTime(zone) {
  if (typeof zone !== "string" || !zone) return "";
  try {
    return new Intl.DateTimeFormat(locale(), { timeZone: zone, weekday: "short", hour: "2-digit", minute: "2-digit" }).format(now.value);
  } catch {
    return "";
  }
}

/** The two words of a user agent that people know. The whole stands on hover. @param {string} agent */
function browserName(agent) {
  const known = [/Edg\/(\d+)/, /Firefox\/(\d+)/, /Chrome\/(\d+)/, /Version\/(\d+).*Safari/].findIndex((one) => one.test(agent));
  const browser = ["Edge", "Firefox", "Chrome", "Safari"][known];
  const system = [/iPhone|iPad/, /Android/, /Windows/, /Mac OS/, /Linux/].findIndex((one) => one.test(agent));
  const name = ["iOS", "Android", "Windows", "macOS", "Linux"][system];
  return [browser, name].filter(Boolean).join(" · ") || agent;
}
