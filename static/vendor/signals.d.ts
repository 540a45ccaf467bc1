// What tsc shall know of signals.js, as far as we use it.

import { ReadonlySignal, Signal } from "./signals-core.js";

export * from "./signals-core.js";
export function useSignal<T>(value: T): Signal<T>;
export function useComputed<T>(from: () => T): ReadonlySignal<T>;
export function useSignalEffect(act: () => void | (() => void)): void;
