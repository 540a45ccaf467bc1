// widget/host.js – the page around the chat, through the port that its loader hands over
//
// Both sides name the other's exact origin. The loader says its page's origin in the address (after #); it counts
// only if the site allows it, and a lie reaches nobody, because the browser delivers to that origin alone.

export class Host {
  /** @type {MessagePort|undefined} */ #port;
  #onMessage;
  framed = window.parent !== window;

  /** @param {string[]} origins @param {(message: any) => void} onMessage */
  constructor(origins, onMessage) {
    this.#onMessage = onMessage;
    const origin = location.hash.slice(1);
    if (!this.framed || !origins.includes(origin)) return;
    addEventListener("message", (event) => this.#greeted(event, origin));
    window.parent.postMessage("helpdesk:ready", origin);
  }

  /** @param {object} message */
  tell(message) {
    this.#port?.postMessage(message);
  }

  /** @param {string} name @param {any} [detail] */
  event(name, detail) {
    this.tell({ on: "event", name, detail });
  }

  /** @param {MessageEvent} event @param {string} origin */
  #greeted(event, origin) {
    if (this.#port || event.origin !== origin || event.source !== window.parent) return;
    if (event.data !== "helpdesk:port") return;
    this.#port = event.ports[0];
    this.#port.onmessage = ({ data }) => this.#onMessage(data);
  }
}
