// dashboard/now.js – the time, as often as ages on the screen can change

import { signal } from "../vendor/signals.js";

const TICK_MS = 10_000;

export const now = signal(Date.now());

export function tick() {
  now.value = Date.now();
  setInterval(() => (now.value = Date.now()), TICK_MS);
}
