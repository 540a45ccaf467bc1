// What tsc shall know of signals-core.js, as far as we use it.

export interface Signal<T> {
  value: T;
  peek(): T;
  subscribe(then: (value: T) => void): () => void;
}

export interface ReadonlySignal<T> {
  readonly value: T;
  peek(): T;
  subscribe(then: (value: T) => void): () => void;
}

export function signal<T>(value: T): Signal<T>;
export function computed<T>(from: () => T): ReadonlySignal<T>;
export function effect(act: () => void | (() => void)): () => void;
export function batch<T>(act: () => T): T;
export function untracked<T>(act: () => T): T;
