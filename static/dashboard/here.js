// dashboard/here.js – what every part of the screen may reach

import { createContext } from "../vendor/preact.js";
import { useContext } from "../vendor/hooks.js";

/**
 * @typedef {{
 *   desk: import("./desk.js").Desk,
 *   feed: import("./feed.js").Feed,
 *   view: import("./view.js").View,
 *   drafts: import("./drafts.js").Drafts,
 *   replies: import("./canned.js").Replies,
 *   prefs: import("./prefs.js").Prefs,
 *   places: Record<string, string>,
 * }} Here
 */

export const HereContext = createContext(/** @type {any} */ (null));

/** @returns {Here} */
export const useHere = () => useContext(HereContext);
