// dashboard/prefs.js – what this person chose on this browser

import { effect, signal } from "../vendor/signals-core.js";

const KEY = "desk.prefs";
const DEFAULTS = { sound: true, notifications: false, singleKeys: true };

export class Prefs {
  /** @param {Storage|undefined} storage */
  constructor(storage = localStorage) {
    const kept = { ...DEFAULTS, ...read(storage) };
    this.sound = signal(kept.sound);
    this.notifications = signal(kept.notifications);
    /** Shortcuts without a modifier can be switched off (WCAG 2.1.4): speech input types letters. */
    this.singleKeys = signal(kept.singleKeys);
    effect(() => {
      const chosen = {
        sound: this.sound.value,
        notifications: this.notifications.value,
        singleKeys: this.singleKeys.value,
      };
      try {
        storage?.setItem(KEY, JSON.stringify(chosen));
      } catch {
        // Full or forbidden: the choice lasts as long as the page.
      }
    });
  }
}

/** @param {Storage|undefined} storage */
function read(storage) {
  try {
    return JSON.parse(storage?.getItem(KEY) ?? "{}");
  } catch {
    return {};
  }
}
