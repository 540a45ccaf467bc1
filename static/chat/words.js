// chat/words.js – the page's catalogue: text in the reader's language.
//
//   _("You are number %(n)s in line.", {n})       n_("%(n)s file", "%(n)s files", n)
//
// Catalogues are gettext's (djangojs.po). The page carries its own as JSON, <script id="words" type="application/json">,
// made by helpdesk.words: {locale, words: {msgid: msgstr | [forms]}, plural: "0100…"}. It is read when this module is,
// so that words may be used anywhere. `plural` lists the form for each count below 200 (gettext's rules repeat
// after that), so no rule is evaluated here. setWords(catalogue) puts another in its place.

/** @typedef {{locale: string, words?: Record<string, string|string[]>, plural?: string}} Catalogue */

/** @type {Required<Catalogue>} */
let catalogue;
setWords(JSON.parse(globalThis.document?.getElementById("words")?.textContent || '{"locale": "en"}'));

/** @param {Catalogue} loaded */
export function setWords(loaded) {
  catalogue = { words: {}, plural: "", ...loaded };
}

export function locale() {
  return catalogue.locale;
}

/** @param {string} text @param {Record<string, any>} [values] */
export function _(text, values) {
  const found = catalogue.words[text];
  return fill((Array.isArray(found) ? found[0] : found) ?? text, values);
}

/** @param {string} one @param {string} many @param {number} n @param {Record<string, any>} [values] */
export function n_(one, many, n, values) {
  const forms = catalogue.words[one];
  const form = Array.isArray(forms) ? forms[form_(n)] : n === 1 ? one : many;
  return fill(form, { n, ...values });
}

/** @param {number} n */
function form_(n) {
  return Number(catalogue.plural[n < 200 ? n : 100 + (n % 100)] ?? 0);
}

/** @param {string} text @param {Record<string, any>} [values] */
function fill(text, values) {
  return values ? text.replace(/%\((\w+)\)s/g, (_all, name) => String(values[name])) : text;
}
