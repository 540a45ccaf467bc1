// What tsc shall know of hooks.js, as far as we use it.

import { Context } from "./preact.js";

type Effect = () => void | (() => void);

export function useState<T>(value: T | (() => T)): [T, (value: T | ((old: T) => T)) => void];
export function useRef<T>(value: T): { current: T };
export function useMemo<T>(make: () => T, inputs: any[]): T;
export function useCallback<T>(callback: T, inputs: any[]): T;
export function useEffect(act: Effect, inputs?: any[]): void;
export function useLayoutEffect(act: Effect, inputs?: any[]): void;
export function useContext<T>(context: Context<T>): T;
export function useId(): string;
