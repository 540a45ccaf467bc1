// What tsc shall know of preact.js, as far as we use it.

export type VNode = { type: any; props: any; key: any };
export interface Context<T> {
  Provider: (props: { value: T; children?: any }) => VNode;
}

export function createElement(type: any, props?: any, ...children: any[]): VNode;
export const h: typeof createElement;
export function render(what: any, into: Element): void;
export function hydrate(what: any, into: Element): void;
export function createContext<T>(value: T): Context<T>;
export const Fragment: any;
export const Component: any;
export const options: any;
