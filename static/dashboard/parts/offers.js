// dashboard/parts/offers.js – what rings: it stands at the top until it is answered

import { _ } from "../../chat/words.js";
import { deciding } from "../deciding.js";
import { html, useEffect, useState } from "../ui.js";
import { useHere } from "../here.js";
import { nameOf } from "../story.js";
import { address } from "../view.js";
import { whySaid } from "../why.js";
import { keyName } from "./small.js";

/** @typedef {import("../desk.js").Offer} Offer */

export function Offers() {
  const { desk } = useHere();
  const offers = desk.offers.value;
  return html`<section class="offers" aria-label=${_("Offers")}>
    <p class="heard" role="alert">${offers.length ? _("%(name)s is offered to you", { name: nameOf(offers[0].talk.customer.value) }) : ""}</p>
    ${offers.map((offer, i) => html`<${Card} key=${offer.id + offer.until} offer=${offer} first=${i === 0} />`)}
  </section>`;
}

/** @param {{offer: Offer, first: boolean}} props */
function Card({ offer, first }) {
  const { queue, transfer } = offer.talk.facts.value;
  const name = nameOf(offer.talk.customer.value);
  return html`<div class="offer">
    <${Ring} offer=${offer} />
    <a href=${address(offer.id)} data-row class="who">${name}</a>
    <p class="hint">${transfer ? _("%(agent)s transfers it to you", { agent: transfer.by.name }) : queue.name}</p>
    ${!transfer && html`<p class="hint">${whySaid(offer.because, offer.why)}</p>`}
    ${transfer?.note && html`<p class="said">${transfer.note}</p>`}
    <${Answers} id=${offer.id} name=${name} keys=${first} />
  </div>`;
}

/** @param {{id: string, name: string, keys?: boolean}} props */
export function Answers({ id, name, keys }) {
  const { accept, decline } = deciding(useHere());
  return html`<div class="answers">
    <button type="button" class="button primary" onClick=${() => accept(id)} aria-label=${_("Accept %(name)s", { name })}>
      ${_("Accept")}${keys && html`<kbd>${keyName("Alt+A")}</kbd>`}</button>
    <button type="button" class="button" onClick=${() => decline(id)} aria-label=${_("Decline %(name)s", { name })}>${_("Decline")}</button>
  </div>`;
}

/** Empties with the time that is left, and says it in seconds. @param {{offer: Offer}} props */
function Ring({ offer }) {
  const left = () => Math.max(0, Math.ceil((offer.until - Date.now()) / 1000));
  const [seconds, setSeconds] = useState(left);
  useEffect(() => {
    const timer = setInterval(() => setSeconds(left()), 1000);
    return () => clearInterval(timer);
  }, []);
  return html`<span class="ring" aria-hidden="true" style=${{ "--seconds": `${offer.seconds}s` }}>
    <svg viewBox="0 0 36 36"><circle cx="18" cy="18" r="16" /><circle class="left" cx="18" cy="18" r="16" pathLength="100" /></svg>
    <span>${seconds}</span>
  </span>`;
}
