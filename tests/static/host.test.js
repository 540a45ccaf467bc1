// The page around the chat is believed by its exact origin, and only by what is its own window and port.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

const SHOP = "https://shop.example";
const MALLORY = "https://mallory.example";

/** A window that notes what it is told, and what listens to ours. */
function framed(origin) {
  const told = [];
  const parent = { postMessage: (message, target) => told.push([message, target]) };
  globalThis.window = { parent };
  globalThis.location = { hash: `#${origin}` };
  const listening = [];
  globalThis.addEventListener = (name, heard) => name === "message" && listening.push(heard);
  return { parent, told, says: (event) => listening.forEach((heard) => heard(event)) };
}

let Host;
beforeEach(async () => ({ Host } = await import("../../static/widget/host.js")));

const port = () => ({ sent: [], postMessage(message) { this.sent.push(message); }, onmessage: null });

test("the site's page hands over a port, which both use from then on", () => {
  const page = framed(SHOP);
  const heard = [];
  const host = new Host([SHOP], (message) => heard.push(message));
  assert.deepEqual(page.told, [["helpdesk:ready", SHOP]]);
  const given = port();
  page.says({ origin: SHOP, source: page.parent, data: "helpdesk:port", ports: [given] });
  given.onmessage({ data: { do: "show" } });
  host.tell({ on: "close" });
  assert.deepEqual(heard, [{ do: "show" }]);
  assert.deepEqual(given.sent, [{ on: "close" }]);
});

for (const origin of [MALLORY, `${SHOP}.mallory.example`, "https://shop.example:8443", "http://shop.example", "null", "*", ""]) {
  test(`nothing is said to a page that calls itself "${origin}"`, () => {
    const page = framed(origin);
    const host = new Host([SHOP], () => assert.fail("it was heard"));
    assert.deepEqual(page.told, []);
    page.says({ origin, source: page.parent, data: "helpdesk:port", ports: [port()] });
    host.tell({ on: "unread", count: 1 });
  });
}

test("another window, another origin and other words hand over nothing", () => {
  const page = framed(SHOP);
  const host = new Host([SHOP], () => assert.fail("it was heard"));
  const given = port();
  const right = { origin: SHOP, source: page.parent, data: "helpdesk:port", ports: [given] };
  for (const wrong of [{ origin: MALLORY }, { source: {} }, { source: null }, { data: { do: "identify" } }, { data: "helpdesk:ready" }]) {
    page.says({ ...right, ...wrong });
  }
  host.tell({ on: "unread", count: 1 });
  assert.deepEqual(given.sent, []);
  assert.equal(given.onmessage, null);
});

test("the first port stays", () => {
  const page = framed(SHOP);
  const host = new Host([SHOP], () => {});
  const [first, second] = [port(), port()];
  for (const given of [first, second]) page.says({ origin: SHOP, source: page.parent, data: "helpdesk:port", ports: [given] });
  host.tell({ on: "close" });
  assert.deepEqual([first.sent.length, second.sent.length], [1, 0]);
});
