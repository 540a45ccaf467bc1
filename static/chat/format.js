// chat/format.js – times, sizes, initials, colours, links: values in, values out.
//
//   clock(at) "14:05"   full(at) whole date and time, for titles   day(at) "Today", "Yesterday", "Tue 3 Mar"
//   ago(at, now) "now", "2 min", "14:05", "Tue 14:05"   span(seconds) "2 min", "1 h 5 min"
//   bytes(n) "1.2 MB"   initials(name) "CL"   hue(id) 0–359, the same for the same id
//   parts(text) → [string | {href, text}]: links found, http and https only

import { _, locale } from "./words.js";

/** Made once each: that takes longer than to draw a row. @type {Map<string, Intl.DateTimeFormat>} */
const formats = new Map();

/** @param {string} at @param {Intl.DateTimeFormatOptions} options */
function written(at, options) {
  const key = locale() + JSON.stringify(options);
  const format = formats.get(key) ?? new Intl.DateTimeFormat(locale(), options);
  formats.set(key, format);
  return format.format(new Date(at));
}

/** @type {Intl.DateTimeFormatOptions} The same width all day: nothing beside it jumps. */
const TIME = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };

/** @param {string} at */
export const clock = (at) => written(at, TIME);

/** @param {string} at */
export const full = (at) => written(at, { dateStyle: "full", timeStyle: "short" });

/** @param {string} at @param {Date} [now] */
export function day(at, now = new Date()) {
  const days = Math.round((midnight(now) - midnight(new Date(at))) / 86_400_000);
  if (days === 0) return _("Today");
  if (days === 1) return _("Yesterday");
  return written(at, { weekday: "short", day: "numeric", month: "short" });
}

/** @param {Date} date */
const midnight = (date) => new Date(date).setHours(0, 0, 0, 0);

/** @param {string} at @param {number} [now] milliseconds */
export function ago(at, now = Date.now()) {
  const minutes = Math.floor((now - Date.parse(at)) / 60_000);
  if (minutes < 1) return _("now");
  if (minutes < 60) return span(minutes * 60);
  if (midnight(new Date(now)) === midnight(new Date(at))) return clock(at);
  return written(at, { weekday: "short", ...TIME });
}

/** @param {number} seconds */
export function span(seconds) {
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return _("%(n)s min", { n: minutes });
  return _("%(h)s h %(m)s min", { h: Math.floor(minutes / 60), m: minutes % 60 });
}

/** @param {number} n */
export function bytes(n) {
  const [value, unit] = n < 1e6 ? [n / 1e3, "kilobyte"] : [n / 1e6, "megabyte"];
  const digits = value < 10 ? 1 : 0;
  return new Intl.NumberFormat(locale(), { style: "unit", unit, maximumFractionDigits: digits }).format(value);
}

/** @param {string} name */
export function initials(name) {
  const words = name.trim().split(/\s+/);
  const ends = words.length > 1 ? [words[0], words.at(-1)] : words;
  return ends.map((word) => Array.from(word ?? "")[0] ?? "").join("").toUpperCase();
}

/** @param {string} id */
export function hue(id) {
  let sum = 0;
  for (const letter of id) sum = (sum * 31 + (letter.codePointAt(0) ?? 0)) % 3600;
  return sum % 360;
}

const LINK = /\bhttps?:\/\/[^\s<>"'“”‘’（）「」，。；]+/giu;
const TAIL = new Set(".,;:!?)]}*_");

/** @param {string} text @returns {(string|{href: string, text: string})[]} */
export function parts(text) {
  const found = [];
  let end = 0;
  for (const match of text.matchAll(LINK)) {
    const shown = trimmed(match[0]);
    if (!URL.canParse?.(shown) && !canParse(shown)) continue;
    if (match.index > end) found.push(text.slice(end, match.index));
    found.push({ href: shown, text: shown });
    end = match.index + shown.length;
  }
  if (end < text.length) found.push(text.slice(end));
  return found;
}

/** A full stop after a link belongs to the sentence; a bracket that the link opened belongs to the link. @param {string} link */
function trimmed(link) {
  let end = link.length; // counted, since a pattern would look for the end of every row of dots
  while (TAIL.has(link[end - 1])) end--;
  const bare = link.slice(0, end);
  return bare.includes("(") && link[bare.length] === ")" ? `${bare})` : bare;
}

/** @param {string} link */
function canParse(link) {
  try {
    return !!new URL(link);
  } catch {
    return false;
  }
}
