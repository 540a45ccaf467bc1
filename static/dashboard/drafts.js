// dashboard/drafts.js – what has been written and not sent, by conversation. Survives a reload.

import { signal } from "../vendor/signals-core.js";
import { newId } from "../chat/protocol.js";
import { send } from "../chat/upload.js";

/** @typedef {import("../chat/protocol.js").Attachment} Attachment */
/** @typedef {{key: string, name: string, size: number, part: number, picture?: string,
 *   attachment?: Attachment, problem?: string, cancel: () => void}} Parcel */

const PREFIX = "desk.draft.";
const KEEP_MS = 14 * 24 * 3600_000;

export class Draft {
  /** @param {{reply?: string, note?: string}} kept */
  constructor({ reply = "", note = "" } = {}) {
    this.reply = signal(reply);
    this.note = signal(note);
    this.isNote = signal(false);
    this.parcels = signal(/** @type {Parcel[]} */ ([]));
  }

  get text() {
    return this.isNote.value ? this.note : this.reply;
  }
}

export class Drafts {
  /** @type {Map<string, Draft>} */ #drafts = new Map();
  #storage;
  #upload;

  /** @param {{uploads: string, csrf: string, storage?: Storage, upload?: typeof send}} options */
  constructor({ uploads, csrf, storage = localStorage, upload = send }) {
    this.#storage = storage;
    this.#upload = (/** @type {File} */ file, /** @type {(part: number) => void} */ onProgress) =>
      upload(uploads, file, { headers: { "X-CSRFToken": csrf }, onProgress });
    this.#sweep();
  }

  /** @param {string} id */
  of(id) {
    let draft = this.#drafts.get(id);
    if (!draft) {
      draft = new Draft(this.#read(id));
      this.#drafts.set(id, draft);
    }
    return draft;
  }

  /** @param {string} id @param {string} text */
  write(id, text) {
    const draft = this.of(id);
    draft.text.value = text;
    const { reply, note } = draft;
    try {
      if (reply.value || note.value) {
        const kept = { reply: reply.value, note: note.value, at: Date.now() };
        this.#storage.setItem(PREFIX + id, JSON.stringify(kept));
      } else this.#storage.removeItem(PREFIX + id);
    } catch {
      // Full or forbidden: the draft lasts as long as the page.
    }
  }

  /** @param {string} id @param {File} file */
  attach(id, file) {
    const draft = this.of(id);
    const key = newId();
    const change = (/** @type {Partial<Parcel>} */ fields) => {
      draft.parcels.value = draft.parcels.value.map((one) => (one.key === key ? { ...one, ...fields } : one));
    };
    const upload = this.#upload(file, (part) => change({ part }));
    const picture = file.type.startsWith("image/") ? URL.createObjectURL(file) : undefined;
    const parcel = { key, name: file.name || "file", size: file.size, part: 0, picture, cancel: upload.cancel };
    draft.parcels.value = [...draft.parcels.value, parcel];
    upload.done.then(
      (attachment) => change({ attachment, part: 1 }),
      ({ detail }) => change({ problem: detail ?? "" }),
    );
  }

  /** @param {string} id @param {string} key */
  detach(id, key) {
    const draft = this.of(id);
    const parcel = draft.parcels.value.find((one) => one.key === key);
    if (!parcel) return;
    parcel.cancel();
    if (parcel.picture) URL.revokeObjectURL(parcel.picture);
    draft.parcels.value = draft.parcels.value.filter((one) => one !== parcel);
  }

  /** Sent: nothing is left to keep. @param {string} id */
  clear(id) {
    for (const { picture } of this.of(id).parcels.value) if (picture) URL.revokeObjectURL(picture);
    this.of(id).parcels.value = [];
    this.write(id, "");
  }

  /** @param {string} id */
  #read(id) {
    try {
      return JSON.parse(this.#storage.getItem(PREFIX + id) ?? "{}");
    } catch {
      return {};
    }
  }

  /** Drafts of conversations that are long over. */
  #sweep() {
    try {
      for (const key of Object.keys(this.#storage).filter((one) => one.startsWith(PREFIX))) {
        const { at } = JSON.parse(this.#storage.getItem(key) ?? "{}");
        if (!(Date.now() - at < KEEP_MS)) this.#storage.removeItem(key);
      }
    } catch {
      // Storage is closed to us: nothing was kept.
    }
  }
}
