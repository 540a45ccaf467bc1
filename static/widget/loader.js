// The one script that a host page loads: <script src="https://chat.example/widget.js" data-site="KEY" async></script>
//
// It draws the launcher itself. Until somebody opens the chat (or comes back to an open conversation, of which only
// the mark helpdesk:<key>=1 in the host's storage tells) there is no frame, no request and no cookie. The chat is a frame
// of the server that this script came from; the two talk over a MessagePort that is handed over between their exact origins.
//
// Optional attributes: data-locale, data-accent="#2f6f5e", data-side="start", data-offset-x / -y (pixels), data-label.

(() => {
  /**
   * @typedef {{ accent: string, onAccent: string }} Look
   * @typedef {{ [name: string]: any, on: string }} Heard what the frame says
   */

  const host = /** @type {Window & { Helpdesk?: typeof Helpdesk }} */ (window);
  const script = /** @type {HTMLScriptElement | null} */ (document.currentScript);
  const key = script?.dataset.site;
  if (!script || !key || host.Helpdesk?.toggle) return;

  const options = script.dataset;
  const server = new URL(script.src).origin;
  const mark = `helpdesk:${key}`;
  const locale = options.locale || document.documentElement.lang || navigator.language || "";
  const zh = /^zh/i.test(locale);
  /** @type {{ open: string, close: string, label: string, title: string, unread: (n: number) => string, flash: (n: number) => string }} */
  const words = zh
    ? { open: "打开聊天", close: "收起聊天", label: "和我们聊聊", title: "聊天", unread: (n) => `打开聊天，${n} 条未读消息`, flash: (n) => `（${n}）新消息` }
    : { open: "Open chat", close: "Minimise chat", label: "Chat with us", title: "Chat", unread: (n) => `Open chat, ${n} unread`, flash: (n) => `(${n}) New message` };
  const small = matchMedia("(max-width: 480px)");

  /** @type {Record<string, Set<(detail: any) => void>>} */
  const listeners = {};
  const state = { open: false, unread: 0, identity: /** @type {unknown} */ (undefined), fields: {} };
  /** @type {HTMLElement} */ let root;
  /** @type {HTMLElement} */ let panel;
  /** @type {HTMLElement} */ let launcher;
  /** @type {HTMLElement} */ let badge;
  /** @type {HTMLIFrameElement | undefined} */ let frame;
  /** @type {MessagePort | undefined} */ let port;
  /** @type {string | undefined} */ let title;
  /** @type {ReturnType<typeof setInterval> | undefined} */ let flashing;

  // --- drawing

  const STYLE = `
    :host { all: initial; position: fixed; inset: 0; z-index: 2147483000; pointer-events: none; font: 15px/1.4 system-ui, sans-serif }
    * { box-sizing: border-box }
    button, .panel { pointer-events: auto }
    .launcher { position: absolute; inset-block-end: calc(var(--y) + env(safe-area-inset-bottom)); inset-inline-end: var(--x); inline-size: 56px; block-size: 56px;
      border: 0; border-radius: 50%; background: var(--accent); color: var(--on-accent); cursor: pointer; display: grid; place-items: center;
      box-shadow: 0 6px 24px #0e1a1438, 0 1px 3px #0e1a1426; transition: transform .15s, box-shadow .15s }
    .launcher:hover { box-shadow: 0 8px 28px #0e1a144d }
    .launcher:active { transform: scale(.96) }
    .launcher:focus-visible { outline: 3px solid var(--accent); outline-offset: 3px }
    svg { inline-size: 26px; block-size: 26px; fill: none; stroke: currentColor; stroke-width: 1.9; stroke-linecap: round; stroke-linejoin: round; grid-area: 1/1; transition: opacity .15s, transform .15s }
    .open .bubble, .launcher:not(.open) .down { opacity: 0; transform: rotate(30deg) scale(.6) }
    .label { position: absolute; inset-inline-end: 68px; padding: 6px 12px; border-radius: 999px; background: #1b2320; color: #fff; white-space: nowrap; font-size: 14px;
      opacity: 0; transform: translateX(4px); transition: opacity .15s, transform .15s; pointer-events: none }
    .launcher:not(.open):is(:hover, :focus-visible) .label { opacity: 1; transform: none }
    .badge { position: absolute; inset-block-start: -2px; inset-inline-end: -2px; min-inline-size: 20px; block-size: 20px; padding: 0 5px; border-radius: 10px; background: #b3261e; color: #fff;
      font-size: 12px; line-height: 20px; font-weight: 600; font-variant-numeric: tabular-nums }
    .badge:empty { display: none }
    .panel { position: absolute; inset-block-end: calc(var(--y) + 72px + env(safe-area-inset-bottom)); inset-inline-end: var(--x); inline-size: min(380px, 100vw - 32px); block-size: min(640px, 100vh - 112px - var(--y));
      border-radius: 18px; overflow: hidden; background: Canvas; box-shadow: 0 16px 56px #0e1a1440, 0 0 0 1px #0e1a1414; transform-origin: 100% 100%; transition: opacity .16s, transform .16s, visibility .16s }
    .panel.shut { visibility: hidden; opacity: 0; transform: translateY(8px) scale(.98) }
    iframe { display: block; inline-size: 100%; block-size: 100%; border: 0 }
    .start .launcher, .start .panel { inset-inline: var(--x) auto; transform-origin: 0 100% }
    .start .label { inset-inline: 68px auto }
    @media (max-width: 480px) {
      .panel { inset: 0; inline-size: 100%; block-size: var(--height, 100%); border-radius: 0; box-shadow: none }
      .launcher.open { display: none }
    }
    @media (prefers-reduced-motion: reduce) { *, .panel { transition: none } }
    @media print { :host { display: none } }`;

  /**
   * As elements, never as HTML: the host may insist on Trusted Types.
   * @param {string} name
   * @param {Record<string, string>} attributes
   * @param {(Node | string)[]} children
   * @returns {HTMLElement}
   */
  function element(name, attributes, ...children) {
    const svg = name === "svg" || name === "path";
    const made = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
    for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
    made.append(...children);
    return /** @type {HTMLElement} */ (made);
  }

  /** @param {string} name @param {string} d */
  const icon = (name, d) => element("svg", { class: name, viewBox: "0 0 24 24", "aria-hidden": "true" }, element("path", { d }));

  function draw() {
    root = element("helpdesk-chat", { role: "region", "aria-label": words.title });
    const shadow = root.attachShadow({ mode: "open" });
    dress(shadow);
    badge = element("span", { class: "badge", "aria-hidden": "true" });
    launcher = element(
      "button",
      { class: "launcher", type: "button", "aria-expanded": "false", "aria-label": words.open },
      icon("bubble", "M7.9 20A9 9 0 1 0 4 16.1L2 22Z"),
      icon("down", "m6 9 6 6 6-6"),
      element("span", { class: "label", "aria-hidden": "true" }, options.label || words.label),
      badge,
    );
    launcher.addEventListener("click", () => Helpdesk.toggle());
    shadow.append(element("div", { class: options.side === "start" ? "start" : "" }, launcher));
    set("--x", `${parseInt(options.offsetX ?? "", 10) || 20}px`);
    set("--y", `${parseInt(options.offsetY ?? "", 10) || 20}px`);
    const accent = options.accent ?? "";
    paint({ accent: /^#[0-9a-f]{6}$/i.test(accent) ? accent : "#2f6f5e", onAccent: "#fff" });
    document.body.append(root);
  }

  /**
   * Constructed style sheets pass a host's Content-Security-Policy; older Safari has none.
   * @param {ShadowRoot} shadow
   */
  function dress(shadow) {
    try {
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(STYLE);
      shadow.adoptedStyleSheets = [sheet];
    } catch {
      shadow.append(element("style", {}, STYLE));
    }
  }

  /** @param {string} name @param {string} value */
  const set = (name, value) => root.style.setProperty(name, value);

  /** @param {Look} look */
  function paint({ accent, onAccent }) {
    set("--accent", accent);
    set("--on-accent", onAccent);
  }

  // --- the frame

  function load() {
    if (frame) return;
    const address = `${server}/widget/${encodeURIComponent(key ?? "")}/?locale=${encodeURIComponent(locale)}#${location.origin}`;
    frame = /** @type {HTMLIFrameElement} */ (element("iframe", { src: address, title: words.title, allow: "microphone; autoplay" }));
    panel = element("div", { class: "panel shut" }, frame);
    launcher.before(panel);
    addEventListener("message", greet);
  }

  /**
   * The frame says that it listens; from then on the two have a port of their own.
   * @param {MessageEvent} event
   */
  function greet({ origin, source, data }) {
    if (origin !== server || source !== frame?.contentWindow || data !== "helpdesk:ready") return;
    const channel = new MessageChannel();
    port = channel.port1;
    port.onmessage = (event) => heard(event.data);
    frame?.contentWindow?.postMessage("helpdesk:port", server, [channel.port2]);
    const page = { url: location.href, title: document.title, referrer: document.referrer };
    tell({ do: "init", page, open: state.open, identity: state.identity, fields: state.fields });
    if (state.open) frame.focus(); // what had the focus before it was loaded was another document
  }

  /** @param {{ [name: string]: unknown, do: string }} message */
  const tell = (message) => port?.postMessage(message);

  /** @param {Heard} message */
  function heard(message) {
    if (message.on === "close") Helpdesk.close();
    if (message.on === "unread") unread(message.count);
    if (message.on === "look") paint(/** @type {any} */ (message));
    if (message.on === "marked") remember(message.marked);
    if (message.on === "event") emit(message.name, message.detail);
  }

  /** @param {number} count */
  function unread(count) {
    if (count !== state.unread) emit("unread", count);
    state.unread = count;
    badge.textContent = count > 99 ? "99+" : `${count || ""}`;
    name();
    flash();
  }

  const name = () => launcher.setAttribute("aria-label", state.open ? words.close : state.unread ? words.unread(state.unread) : words.open);

  /** The title tells of unread messages while nobody looks at the page. */
  function flash() {
    clearInterval(flashing);
    if (title !== undefined) document.title = title;
    title = undefined;
    if (!state.unread || !document.hidden) return;
    const own = (title = document.title);
    flashing = setInterval(() => (document.title = document.title === own ? words.flash(state.unread) : own), 1500);
  }

  /** @param {boolean} marked */
  function remember(marked) {
    try {
      if (marked) localStorage.setItem(mark, "1");
      else localStorage.removeItem(mark);
    } catch {
      // Without storage a returning customer opens the chat by hand.
    }
  }

  function remembered() {
    try {
      return localStorage.getItem(mark) === "1";
    } catch {
      return false;
    }
  }

  // --- open and shut

  /** @param {boolean} open */
  function show(open) {
    if (open === state.open) return;
    if (!root.isConnected) document.body.append(root);
    if (open) load();
    state.open = open;
    void panel.offsetWidth; // begin the motion from where the panel stood
    panel.classList.toggle("shut", !open);
    launcher.classList.toggle("open", open);
    launcher.setAttribute("aria-expanded", `${open}`);
    name();
    fit();
    tell({ do: "show", open });
    (open ? frame : launcher)?.focus();
    emit(open ? "open" : "close");
  }

  /** On phones the chat fills what the keyboard leaves, and the page behind stands still. */
  function fit() {
    const full = state.open && small.matches;
    document.documentElement.style.overflow = full ? "hidden" : "";
    if (visualViewport) set("--height", `${visualViewport.height}px`);
  }

  /** @param {string} event @param {unknown} [detail] */
  function emit(event, detail) {
    for (const listener of listeners[event] ?? []) listener(detail);
  }

  const Helpdesk = {
    open: () => show(true),
    close: () => show(false),
    toggle: () => show(!state.open),
    /** @param {object} identity proven by the host's server */
    identify(identity) {
      state.identity = identity;
      tell({ do: "identify", identity });
    },
    /** @param {Record<string, string | number | boolean | null>} fields */
    setFields(fields) {
      Object.assign(state.fields, fields);
      tell({ do: "fields", fields: state.fields });
    },
    /**
     * Events: open, close, unread (count), message ({author, text}), start, end. Returns what takes the listener away.
     * @param {string} event
     * @param {(detail: any) => void} listener
     */
    on(event, listener) {
      (listeners[event] ??= new Set()).add(listener);
      return () => listeners[event].delete(listener);
    },
    /** For when a customer signs out: forgets who it was and takes the chat away. */
    shutdown() {
      tell({ do: "forget" });
      remember(false);
      state.open = false;
      unread(0);
      fit();
      removeEventListener("message", greet);
      document.removeEventListener("visibilitychange", flash);
      const gone = root;
      setTimeout(() => gone.remove(), 100); // the frame needs a moment to forget
      delete host.Helpdesk;
    },
  };

  function begin() {
    draw();
    document.addEventListener("visibilitychange", flash);
    window.visualViewport?.addEventListener("resize", fit);
    small.addEventListener("change", fit);
    if (remembered()) load();
    dispatchEvent(new Event("helpdesk:ready"));
  }

  host.Helpdesk = Helpdesk;
  if (document.body) begin();
  else document.addEventListener("DOMContentLoaded", begin);
})();
