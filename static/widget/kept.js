// widget/kept.js – what outlives a reload, in storage that belongs to this frame on this site alone
//
// localStorage where the browser lets a framed page have it; else cookies of the frame's own partition, which browsers
// that deny a third party everything else still allow (they hold little: a long message may not fit); else memory.

const LIMIT = 3_800; // bytes of one cookie, name and value
const KEPT = `; Max-Age=34560000; Path=${globalThis.location?.pathname}; Secure; SameSite=None; Partitioned`;
const GONE = KEPT.replace("34560000", "0");

const cookies = {
  keys: () => document.cookie.split("; ").map((cookie) => decodeURIComponent(cookie.split("=")[0])),
  /** @param {string} name */
  getItem(name) {
    const found = document.cookie.split("; ").find((cookie) => cookie.startsWith(`${encodeURIComponent(name)}=`));
    return found ? decodeURIComponent(found.slice(found.indexOf("=") + 1)) : null;
  },
  /** @param {string} name @param {string} value */
  setItem(name, value) {
    const cookie = `${encodeURIComponent(name)}=${encodeURIComponent(value)}`;
    if (cookie.length < LIMIT) document.cookie = cookie + KEPT;
  },
  /** @param {string} name */
  removeItem(name) {
    document.cookie = `${encodeURIComponent(name)}=${GONE}`;
  },
};

/** @type {Map<string, string>} */
const memory = new Map();

const inMemory = {
  keys: () => [...memory.keys()],
  getItem: (/** @type {string} */ name) => memory.get(name) ?? null,
  setItem: (/** @type {string} */ name, /** @type {string} */ value) => void memory.set(name, value),
  removeItem: (/** @type {string} */ name) => void memory.delete(name),
};

export const shelf = [() => localStorage, () => cookies].map(tried).find(Boolean) ?? inMemory;

/** @param {() => any} which @returns {Storage|undefined} */
function tried(which) {
  try {
    const storage = which();
    storage.setItem("helpdesk", "1");
    const works = storage.getItem("helpdesk") === "1";
    storage.removeItem("helpdesk");
    return works ? storage : undefined;
  } catch {
    return undefined;
  }
}

/** @param {string} name @returns {string|null} */
export const kept = (name) => shelf.getItem(name);

/** @param {string} name @param {string|null} value null forgets it */
export function keep(name, value) {
  try {
    if (value === null) shelf.removeItem(name);
    else shelf.setItem(name, value);
  } catch {
    // Full: the page goes on with what it knows.
  }
}
