// dashboard/parts/windowed.js – a long list of which only what is near the viewport is in the page
//
// The first row, the last one, the one that is open and the neighbours of the one that has the
// keyboard are always there, so that arrow keys, Home and End work as in a whole list. Each
// row tells screen readers its place among all (aria-posinset, aria-setsize).

import { html, useEffect, useLayoutEffect, useRef, useState } from "../ui.js";

const FEW = 30; // a list as short as this is drawn whole
const BEYOND = 8; // rows above and below what is seen
const ROW_PX = 54; // until one has been measured

/** What a row hands on to its `<li>`.
 * @typedef {{style: Record<string, string>, "data-at": number, "aria-setsize"?: number, "aria-posinset"?: number}} Place */

/**
 * @template Item
 * @param {{items: Item[], draw: (item: Item, i: number, place: Place) => any, open?: number, as?: "ul"|"ol"} & Record<string, any>} props
 */
export function Windowed({ items, draw, open = -1, as = "ul", ...more }) {
  const list = useRef(/** @type {HTMLElement|null} */ (null));
  const [row, setRow] = useState(ROW_PX);
  const [focused, setFocused] = useState(/** @type {Item|null} */ (null));
  const near = useNear(list, row, items.length);
  const shown = indexes(items.length, near, [open, focused ? items.indexOf(focused) : -1]);

  useLayoutEffect(() => {
    const height = list.current?.querySelector("li")?.offsetHeight;
    if (height && height !== row) setRow(height);
  });
  useEffect(() => {
    if (open < 0 || list.current?.matches(":hover")) return; // nothing moves under the pointer
    list.current?.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" });
  }, [items[open]]);

  const onFocusIn = (/** @type {FocusEvent} */ { target }) => {
    const at = /** @type {HTMLElement} */ (target).closest("li")?.dataset.at;
    setFocused(at === undefined ? null : (items[Number(at)] ?? null));
  };
  const rows = shown.map((i, k) => {
    const above = i - (k ? shown[k - 1] + 1 : 0);
    return draw(items[i], i, placeOf(i, above * row, items.length));
  });
  const below = items.length - 1 - (shown[shown.length - 1] ?? -1);
  return html`<${as} ...${more} ref=${list} style=${{ paddingBlockEnd: `${below * row}px` }}
    onFocusIn=${onFocusIn} onFocusOut=${() => setFocused(null)}>${rows}<//>`;
}

/** @param {number} i @param {number} above px of rows that are not in the page @param {number} all @returns {Place} */
function placeOf(i, above, all) {
  const place = { style: { marginBlockStart: above ? `${above}px` : "" }, "data-at": i };
  return all > FEW ? { ...place, "aria-setsize": all, "aria-posinset": i + 1 } : place;
}

/** In ascending order, each once.
 * @param {number} all @param {[number, number]} near from and up to @param {number[]} kept with their neighbours */
export function indexes(all, [from, to], kept) {
  if (all <= FEW) return Array.from({ length: all }, (_all, i) => i);
  const wanted = new Set([0, all - 1]);
  for (const i of kept) if (i >= 0) [i - 1, i, i + 1].forEach((one) => wanted.add(one));
  for (let i = from; i < to; i++) wanted.add(i);
  return [...wanted].filter((i) => i >= 0 && i < all).sort((a, b) => a - b);
}

/** Which rows are near what is seen of the scrolling column.
 * @param {{current: HTMLElement|null}} list @param {number} row height in px @param {number} all
 * @returns {[number, number]} */
function useNear(list, row, all) {
  const [near, setNear] = useState(/** @type {[number, number]} */ ([0, BEYOND]));
  const look = () => {
    const column = list.current?.closest("[data-scrolls]");
    if (!column || !list.current || all <= FEW) return;
    const top = list.current.getBoundingClientRect().top;
    const seen = column.getBoundingClientRect();
    // In steps, so that a scroll of some pixels draws nothing anew.
    const first = step(Math.floor((seen.top - top) / row) - BEYOND);
    const last = step(Math.ceil((seen.bottom - top) / row) + 2 * BEYOND);
    setNear((before) => (before[0] === first && before[1] === last ? before : [first, last]));
  };
  useLayoutEffect(look);
  useEffect(() => {
    const column = list.current?.closest("[data-scrolls]");
    if (!column) return undefined;
    const sizes = new ResizeObserver(look);
    // What grows above this list moves it without a scroll.
    for (const part of [column, ...column.children]) sizes.observe(part);
    column.addEventListener("scroll", look, { passive: true });
    return () => {
      sizes.disconnect();
      column.removeEventListener("scroll", look);
    };
  }, [row, all]);
  return near;
}

/** @param {number} i */
const step = (i) => Math.max(0, Math.floor(i / BEYOND) * BEYOND);
