// dashboard/why.js – why the desk decided so, in the reader's language
//
// `because` is a rule and its values; helpdesk/whys.py says the same words. A rule that is not known here says
// what the desk wrote.

import { _ } from "../chat/words.js";

/** @typedef {{rule: string} & Record<string, any>} Because */

/** @type {Record<string, (values: Record<string, any>) => string>} */
const RULES = {
  left: (values) => _("Stands in %(queue)s: left as a message.", values),
  waits: (values) => _("Stands in %(queue)s: waits for an agent with room.", values),
  chosen,
  took: (values) => _("%(agent)s took it from the line: %(load)s of %(capacity)s before.", values),
  gone: (values) => _("%(agent)s was gone for %(seconds)s s: back to the front of the line.", values),
  came_back: (values) => _("%(agent)s came back before anybody else took it.", values),
  declined: (values) => _("%(agent)s: the offer was declined.", values),
  lapsed: (values) => _("%(agent)s: the offer lapsed.", values),
  missed: (values) => _("%(agent)s went away while it rang.", values),
  transfers: (values) => _("%(by)s transfers it to %(to)s.", values),
  transfer_accepted: (values) => _("%(agent)s accepted the transfer.", values),
  transfer_declined: (values) => _("%(agent)s declined the transfer: it stays.", values),
  transfer_lapsed: (values) => _("%(agent)s did not answer: it stays.", values),
  transfer_missed: (values) => _("%(agent)s went away before answering: it stays.", values),
  took_over: (values) => _("%(agent)s took it over.", values),
};

/** @param {Because|null|undefined} because @param {string} [written] by the desk, in English */
export function whySaid(because, written = "") {
  return because && Object.hasOwn(RULES, because.rule) ? RULES[because.rule](because) : written;
}

/** @param {Record<string, any>} values */
function chosen({ agent, next, asked, ...seen }) {
  const facts = list(factsOf(seen));
  const sentence = next
    ? _("%(agent)s: %(facts)s; next would be %(next)s.", { agent, facts, next })
    : _("%(agent)s: %(facts)s.", { agent, facts });
  if (!asked?.length) return sentence;
  return _("%(sentence)s Asked before: %(names)s.", { sentence, names: list(asked.map(answered)) });
}

/** What decided comes first. @param {Record<string, any>} seen */
function factsOf({ load, capacity, idle_seconds, by, helping }) {
  const facts = [_("%(load)s of %(capacity)s", { load, capacity }), idle(idle_seconds)];
  if (by === "longest_idle") facts.reverse();
  if (by === "sticky") facts.unshift(_("talked with this customer last"));
  if (by === "round_robin") facts.unshift(_("next in turn"));
  if (helping) facts.push(_("helping out %(queue)s", { queue: helping }));
  return facts;
}

/** @param {number} seconds */
function idle(seconds) {
  if (seconds < 60) return _("idle %(seconds)s s", { seconds });
  return _("idle %(minutes)s min", { minutes: Math.floor(seconds / 60) });
}

/** @param {{agent: string, answer: string}} asked */
function answered({ agent, answer }) {
  return answer === "declined" ? _("%(name)s (declined)", { name: agent }) : _("%(name)s (lapsed)", { name: agent });
}

/** @param {string[]} parts */
function list(parts) {
  return parts.join(_(", "));
}
