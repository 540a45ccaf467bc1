// dashboard/view.js – what the screen shows: which conversation, which dialog, what it says
//
// The address's hash is the truth (#/<conversation>, #/<conversation>/about, #/board), so that the
// browser's own Back works, on a phone as well.

import { computed, signal } from "../vendor/signals-core.js";

/** @typedef {{name: "keys"|"jump"|"settings"}|{name: "end"|"transfer"|"block"|"status", id: string}} Dialog */

const NOTICE_MS = 8_000;

export class View {
  /** @type {any} */ #timer;

  /** @param {Window} [page] */
  constructor(page = window) {
    this.hash = signal(page.location.hash);
    this.board = computed(() => this.hash.value === BOARD);
    this.open = computed(() => (this.board.value ? "" : (this.hash.value.split("/")[1] ?? "")));
    this.about = computed(() => this.hash.value.endsWith("/about"));
    this.dialog = signal(/** @type {Dialog|null} */ (null));
    this.notice = signal("");
    /** Whose composer shall have the keyboard: said when the person, not a frame, moved. */
    this.wanted = signal("");
    page.addEventListener("hashchange", () => (this.hash.value = page.location.hash));
  }

  /** @param {string} id */
  show(id) {
    location.hash = address(id);
    this.hash.value = location.hash;
    this.wanted.value = id;
  }

  showBoard() {
    location.hash = BOARD;
    this.hash.value = BOARD;
  }

  close() {
    location.hash = "#/";
    this.hash.value = "#/";
  }

  /** @param {string} text */
  say(text) {
    clearTimeout(this.#timer);
    this.notice.value = text;
    this.#timer = setTimeout(() => (this.notice.value = ""), NOTICE_MS);
  }
}

export const BOARD = "#/board";

/** @param {string} id */
export const address = (id) => `#/${id}`;
