import assert from "node:assert/strict";
import { test } from "node:test";
import { Connection } from "../../static/chat/connection.js";
import { Clock, settled, sockets } from "./fakes.js";

/** A page with a connection; `network` decides what fetch answers. */
function page({ random = () => 1, ...options } = {}) {
  const { FakeSocket, dialled } = sockets();
  const page = { dialled, clock: new Clock(), frames: [], states: [], asked: [], network: () => null };
  page.window = new EventTarget();
  page.document = Object.assign(new EventTarget(), { visibilityState: "visible" });
  page.connection = new Connection({
    url: "ws://desk/ws",
    hello: () => ({ token: "t" }),
    onFrame: (frame) => page.frames.push(frame),
    onState: (state, code) => page.states.push(code ? `${state} ${code}` : state),
    WebSocket: FakeSocket,
    fetch: async (url, request) => {
      const asked = { url, body: request.body && JSON.parse(request.body), signal: request.signal };
      page.asked.push(asked);
      const answer = await page.network(asked);
      if (!answer) throw new TypeError("network");
      return { ok: (answer.status ?? 200) < 300, status: answer.status ?? 200, json: async () => answer };
    },
    clock: page.clock,
    random,
    page: page.window,
    document: page.document,
    ...options,
  });
  page.connection.open();
  page.socket = () => dialled.at(-1);
  return page;
}
const polls = { url: "/poll", holds: () => ({ token: "t", after: 3 }) };
const WELCOME = { type: "welcome", heartbeat: 20 };

/** A desk that answers polls; the waiting one hangs until `news` or its abort. */
function pollingDesk(page) {
  const desk = { waiting: [] };
  page.network = ({ body, signal }) => {
    if (body?.hello) return { frames: [WELCOME], after: 3, token: "t" };
    if (body?.frames.length) return { frames: body.frames.map(({ id }) => ({ type: "ack", id })), after: 3 };
    return new Promise((resolve) => {
      desk.waiting.push(resolve);
      page.clock.setTimeout(() => resolve({ frames: [], after: 3 }), body.wait * 1000);
      signal?.addEventListener("abort", () => resolve(null));
    });
  };
  desk.news = (frames) => desk.waiting.shift()({ frames, after: 4 });
  return desk;
}

/** Three sockets fail at once: they seem to be blocked. */
async function blockSockets(page) {
  for (let i = 0; i < 3; i++) {
    page.socket().lost();
    await page.clock.pass(i < 2 ? 2_000 : 0);
  }
}

test("says hello first, with what it holds, and is online after the welcome", () => {
  const p = page();
  p.socket().opens();
  assert.deepEqual(p.socket().sent, [{ token: "t", type: "hello", batch: true }]);
  assert.deepEqual(p.states, ["connecting"]);
  p.socket().hears(WELCOME);
  assert.deepEqual(p.states, ["connecting", "online"]);
});

test("a batch is handed over frame by frame", () => {
  const p = page();
  p.socket().welcomed();
  p.socket().hears({ type: "a" }, { type: "b" });
  assert.deepEqual(p.frames.slice(1), [{ type: "a" }, { type: "b" }]);
});

test("sends only when online", () => {
  const p = page();
  assert.equal(p.connection.send({ type: "x" }), false);
  p.socket().welcomed();
  assert.equal(p.connection.send({ type: "x" }), true);
  p.socket().lost();
  assert.equal(p.connection.send({ type: "x" }), false);
});

test("a lost connection is dialled again by itself", async () => {
  const p = page();
  p.socket().welcomed();
  p.socket().lost(1001);
  assert.equal(p.states.at(-1), "offline");
  await p.clock.pass(500);
  assert.equal(p.dialled.length, 2);
});

test("waits twice as long after each failure, at most half a minute", async () => {
  const p = page();
  for (const ms of [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000]) {
    p.socket().lost();
    await p.clock.pass(ms - 1);
    const before = p.dialled.length;
    await p.clock.pass(1);
    assert.equal(p.dialled.length, before + 1, `${ms} ms`);
  }
});

test("waits a quarter of a second at least, however the dice fall", async () => {
  const p = page({ random: () => 0 });
  p.socket().lost();
  await p.clock.pass(249);
  assert.equal(p.dialled.length, 1);
  await p.clock.pass(1);
  assert.equal(p.dialled.length, 2);
});

test("ten seconds of stability make the next failure the first again", async () => {
  const p = page();
  for (const ms of [500, 1000, 2000]) {
    p.socket().lost();
    await p.clock.pass(ms);
  }
  p.socket().welcomed();
  await p.clock.pass(10_000);
  p.socket().lost();
  await p.clock.pass(500);
  assert.equal(p.dialled.length, 5);
});

test("nine seconds are not stability", async () => {
  const p = page();
  for (const ms of [500, 1000, 2000]) {
    p.socket().lost();
    await p.clock.pass(ms);
  }
  p.socket().welcomed();
  await p.clock.pass(9_000);
  p.socket().lost();
  await p.clock.pass(500);
  assert.equal(p.dialled.length, 4);
});

for (const event of ["online", "pageshow"]) {
  test(`dials at once on ${event}`, async () => {
    const p = page();
    p.socket().lost();
    p.window.dispatchEvent(new Event(event));
    assert.equal(p.dialled.length, 2);
    await p.clock.pass(5_000 - 1);
    assert.equal(p.dialled.length, 2);
  });
}

test("dials at once when the page is looked at, not when it is hidden", () => {
  const p = page();
  p.socket().lost();
  p.document.visibilityState = "hidden";
  p.document.dispatchEvent(new Event("visibilitychange"));
  assert.equal(p.dialled.length, 1);
  p.document.visibilityState = "visible";
  p.document.dispatchEvent(new Event("visibilitychange"));
  assert.equal(p.dialled.length, 2);
});

test("comes back when the restarting desk said it may", async () => {
  const p = page();
  p.socket().welcomed();
  p.socket().hears({ type: "bye", reason: "restart", retry_ms: 7_000 });
  p.socket().lost(4012);
  await p.clock.pass(6_999);
  assert.equal(p.dialled.length, 1);
  await p.clock.pass(1);
  assert.equal(p.dialled.length, 2);
});

for (const code of [1001, 1005, 1006, 1011, 1012, 4011, 4012, 4408, 4409, 4429]) {
  test(`comes back after ${code}`, async () => {
    const p = page();
    p.socket().welcomed();
    p.socket().lost(code);
    await p.clock.pass(60_000);
    assert.ok(p.dialled.length > 1);
  });
}

for (const code of [1000, 1009, 4400, 4401, 4403, 4404, 4413]) {
  test(`does not come back blindly after ${code}`, async () => {
    const p = page();
    p.socket().welcomed();
    p.socket().lost(code);
    await p.clock.pass(600_000);
    assert.equal(p.dialled.length, 1);
    assert.equal(p.states.at(-1), `closed ${code}`);
  });
}

test("may be opened anew after it closed, as with a token thrown away", () => {
  const p = page();
  p.socket().welcomed();
  p.socket().lost(4401);
  p.connection.open();
  p.socket().welcomed();
  assert.equal(p.connection.state, "online");
});

test("closed by its owner, it stays closed", async () => {
  const p = page();
  p.socket().welcomed();
  p.connection.close();
  await p.clock.pass(600_000);
  p.window.dispatchEvent(new Event("online"));
  assert.equal(p.dialled.length, 1);
});

for (const [status, code] of [[403, 4403], [404, 4404], [401, 4401]]) {
  test(`two refused handshakes and a status of ${status} close it with ${code}`, async () => {
    const p = page({ statusUrl: "/status" });
    p.network = () => ({ status });
    p.socket().lost();
    await p.clock.pass(500);
    p.socket().lost();
    await settled();
    assert.equal(p.states.at(-1), `closed ${code}`);
  });
}

test("two refused handshakes and a good status: it goes on", async () => {
  const p = page({ statusUrl: "/status" });
  p.network = () => ({ status: 200 });
  p.socket().lost();
  await p.clock.pass(500);
  p.socket().lost();
  await p.clock.pass(1_000);
  assert.equal(p.asked.length, 1);
  assert.equal(p.dialled.length, 3);
});

test("one refused handshake asks nobody", async () => {
  const p = page({ statusUrl: "/status" });
  p.socket().lost();
  await p.clock.pass(500);
  assert.equal(p.asked.length, 0);
});

// --- heartbeat

test("pings every heartbeat that the desk named", async () => {
  const p = page();
  p.socket().welcomed({ heartbeat: 10 });
  await p.clock.pass(10_000);
  assert.deepEqual(p.socket().sent.slice(1), [{ type: "ping" }]);
});

test("answers a beat with a ping", () => {
  const p = page();
  p.socket().welcomed();
  p.socket().hears({ type: "beat" });
  assert.deepEqual(p.socket().sent.at(-1), { type: "ping" });
});

test("pings from the message handler when timers sleep", () => {
  const p = page();
  p.socket().welcomed();
  p.clock.sleep(20_000);
  p.socket().hears({ type: "typing" });
  assert.deepEqual(p.socket().sent.at(-1), { type: "ping" });
});

test("forty seconds of silence are a lost connection", async () => {
  const p = page();
  p.socket().welcomed();
  await p.clock.pass(40_000);
  assert.equal(p.states.at(-1), "online");
  await p.clock.pass(5_000);
  assert.equal(p.states.at(-1), "offline");
});

test("a desk that answers is never given up", async () => {
  const p = page();
  p.socket().welcomed();
  for (let i = 0; i < 12; i++) {
    await p.clock.pass(20_000);
    p.socket().hears({ type: "pong" });
  }
  assert.equal(p.dialled.length, 1);
});

test("after a sleep the connection must answer within seconds", async () => {
  const p = page();
  p.socket().welcomed();
  p.document.dispatchEvent(new Event("visibilitychange"));
  assert.deepEqual(p.socket().sent.at(-1), { type: "ping" });
  await p.clock.pass(10_000);
  assert.equal(p.states.includes("offline"), true);
});

test("after a sleep a connection that answers is kept", async () => {
  const p = page();
  p.socket().welcomed();
  p.document.dispatchEvent(new Event("visibilitychange"));
  p.socket().hears({ type: "pong" });
  await p.clock.pass(15_000);
  assert.equal(p.dialled.length, 1);
});

test("a late word from a socket given up is not heard", async () => {
  const p = page();
  const first = p.socket();
  first.welcomed();
  const hear = first.onmessage;
  await p.clock.pass(45_000);
  hear({ data: '{"type":"ghost"}' });
  assert.equal(p.frames.some(({ type }) => type === "ghost"), false);
});

// --- without a WebSocket

test("three failed sockets in half a minute: long poll", async () => {
  const p = page({ poll: polls });
  pollingDesk(p);
  await blockSockets(p);
  assert.equal(p.connection.transport, "poll");
  assert.equal(p.connection.state, "online");
  assert.equal(p.asked[0].body.hello.token, "t");
});

test("three failures further apart are no reason", async () => {
  const p = page({ poll: polls });
  for (let i = 0; i < 3; i++) {
    p.socket().lost();
    await p.clock.pass(4_000);
    p.socket().welcomed();
    await p.clock.pass(16_000);
    p.socket().lost();
    await p.clock.pass(4_000);
  }
  assert.equal(p.connection.transport, "socket");
});

test("no welcome within five seconds: long poll at once", async () => {
  const p = page({ poll: polls });
  pollingDesk(p);
  p.socket().opens();
  await p.clock.pass(4_999);
  assert.equal(p.connection.transport, "socket");
  await p.clock.pass(1);
  assert.equal(p.connection.transport, "poll");
});

test("who has no poll tries sockets for ever", async () => {
  const p = page();
  await p.clock.pass(300_000);
  assert.equal(p.connection.transport, "socket");
  assert.ok(p.dialled.length >= 7);
});

test("a command does not wait for the long request to return", async () => {
  const p = page({ poll: polls });
  pollingDesk(p);
  await blockSockets(p);
  assert.equal(p.connection.send({ type: "message.post", id: "m1" }), true);
  await settled();
  assert.deepEqual(p.frames.at(-1), { type: "ack", id: "m1" });
});

test("commands of one moment travel in order, one request at a time", async () => {
  const p = page({ poll: polls });
  pollingDesk(p);
  await blockSockets(p);
  for (const id of ["m1", "m2", "m3"]) p.connection.send({ type: "message.post", id });
  await settled();
  const sent = p.asked.flatMap(({ body }) => body.frames ?? []).map(({ id }) => id);
  assert.deepEqual(sent, ["m1", "m2", "m3"]);
});

test("news come by the waiting request, which is then asked again", async () => {
  const p = page({ poll: polls });
  const desk = pollingDesk(p);
  await blockSockets(p);
  await settled();
  desk.news([{ type: "message.posted" }]);
  await settled();
  await settled();
  assert.deepEqual(p.frames.at(-1), { type: "message.posted" });
  assert.equal(p.asked.at(-1).body.wait, 25);
  assert.equal(desk.waiting.length, 1);
});

test("every five minutes a socket is tried, and taken when it is welcomed", async () => {
  const p = page({ poll: polls });
  pollingDesk(p);
  await blockSockets(p);
  const before = p.dialled.length;
  await p.clock.pass(300_000);
  assert.equal(p.dialled.length, before + 1);
  assert.equal(p.connection.transport, "poll");
  p.socket().welcomed();
  assert.equal(p.connection.transport, "socket");
  assert.equal(p.connection.state, "online");
});

test("a socket tried in vain leaves the poll as it was", async () => {
  const p = page({ poll: polls });
  pollingDesk(p);
  await blockSockets(p);
  await p.clock.pass(300_000);
  p.socket().lost();
  await settled();
  assert.equal(p.connection.transport, "poll");
  assert.equal(p.states.at(-1), "online");
});

test("a socket is tried when the network changes", async () => {
  const p = page({ poll: polls });
  pollingDesk(p);
  await blockSockets(p);
  const before = p.dialled.length;
  p.window.dispatchEvent(new Event("online"));
  assert.equal(p.dialled.length, before + 1);
});

test("polls that fail too mean that the desk is away: sockets again", async () => {
  const p = page({ poll: polls });
  await blockSockets(p);
  await settled();
  assert.equal(p.connection.transport, "socket");
  assert.equal(p.connection.state, "offline");
  const before = p.dialled.length;
  await p.clock.pass(30_000);
  assert.ok(p.dialled.length > before);
});

for (const [status, code] of [[401, 4401], [403, 4403], [404, 4404], [400, 4400]]) {
  test(`a poll answered ${status} closes with ${code}`, async () => {
    const p = page({ poll: polls });
    p.network = () => ({ status });
    await blockSockets(p);
    await settled();
    assert.equal(p.states.at(-1), `closed ${code}`);
  });
}

test("a poll that is told to wait waits", async () => {
  const p = page({ poll: polls });
  p.network = () => ({ status: 429, retry_ms: 9_000 });
  await blockSockets(p);
  await settled();
  const before = p.dialled.length;
  await p.clock.pass(8_999);
  assert.equal(p.dialled.length, before);
  await p.clock.pass(1);
  assert.equal(p.dialled.length, before + 1);
});

test("answers that come at once and empty do not become a storm", async () => {
  const p = page({ poll: polls });
  p.network = ({ body }) => ({ frames: body.hello ? [WELCOME] : [], after: 3 });
  await blockSockets(p);
  const before = p.asked.length;
  await p.clock.pass(10_000);
  assert.ok(p.asked.length - before <= 12, `${p.asked.length - before} requests in 10 s`);
});
