// dashboard/ui.js – what every part needs to draw itself

import { createElement, render } from "../vendor/preact.js";
import {
  useEffect,
  useId,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
} from "../vendor/hooks.js";
import { useComputed } from "../vendor/signals.js";
import htm from "../vendor/htm.js";

export const html = htm.bind(createElement);
export { render, useComputed, useEffect, useId, useLayoutEffect, useMemo, useRef, useState };
