import assert from "node:assert/strict";
import { test } from "node:test";
import { Outbox } from "../../static/chat/outbox.js";
import { Clock, storage } from "./fakes.js";

/** Cora's outbox; `sent` is what went out, `online` whether anything can. */
function desk({ kept = storage(), clock = new Clock(), online = true, ...options } = {}) {
  const desk = { kept, clock, online, sent: [], changes: 0 };
  desk.outbox = new Outbox({
    storageKey: "outbox",
    storage: kept,
    clock,
    send: (command) => desk.online && desk.sent.push(command) > 0,
    onChange: () => desk.changes++,
    ...options,
  });
  return desk;
}
const say = (text, conversation) => ({ type: "message.post", text, ...(conversation && { conversation }) });
const texts = ({ sent }) => sent.map(({ text }) => text);
const ack = ({ id }) => ({ type: "ack", id, seq: 1, at: "" });
const refused = ({ id }, code, rest) => ({ type: "refused", id, code, detail: "No.", ...rest });

test("a message goes out with an id of its own", () => {
  const { outbox, sent } = desk();
  outbox.add(say("hello"));
  assert.match(sent[0].id, /^[!-~]{8,64}$/);
});

test("one at a time: the second waits for the first one's ack", () => {
  const d = desk();
  const first = d.outbox.add(say("one"));
  d.outbox.add(say("two"));
  assert.deepEqual(texts(d), ["one"]);
  d.outbox.settle(ack(first));
  assert.deepEqual(texts(d), ["one", "two"]);
});

test("another conversation need not wait", () => {
  const d = desk();
  d.outbox.add(say("to Cora", "c1"));
  d.outbox.add(say("to Deng", "d1"));
  assert.deepEqual(texts(d), ["to Cora", "to Deng"]);
});

test("lanes may be drawn otherwise: a start comes before the posts that need it", () => {
  const d = desk({ lane: () => "all" });
  d.outbox.add({ type: "conversation.start", text: "one" });
  d.outbox.add(say("two", "c1"));
  assert.deepEqual(texts(d), ["one"]);
});

test("an ack empties it", () => {
  const { outbox } = desk();
  outbox.settle(ack(outbox.add(say("hello"))));
  assert.deepEqual(outbox.entries, []);
});

test("an answer to somebody else's id settles nothing", () => {
  const { outbox } = desk();
  outbox.add(say("hello"));
  assert.equal(outbox.settle(ack({ id: "another-id" })), undefined);
  assert.equal(outbox.entries.length, 1);
});

test("the message itself, heard back, is as good as the lost ack", () => {
  const { outbox } = desk();
  const { id } = outbox.add(say("hello"));
  outbox.settle({ type: "message.posted", message: { id } });
  assert.deepEqual(outbox.entries, []);
});

test("no answer in ten seconds: again, with the same id, for ever", async () => {
  const d = desk();
  d.outbox.add(say("hello"));
  await d.clock.pass(9_999);
  assert.equal(d.sent.length, 1);
  await d.clock.pass(30_000);
  assert.equal(d.sent.length, 4);
  assert.equal(new Set(d.sent.map(({ id }) => id)).size, 1);
});

test("an ack stops the asking", async () => {
  const d = desk();
  d.outbox.settle(ack(d.outbox.add(say("hello"))));
  await d.clock.pass(60_000);
  assert.equal(d.sent.length, 1);
});

test("written offline, it goes out after the next welcome", () => {
  const d = desk({ online: false });
  d.outbox.add(say("hello"));
  assert.deepEqual(texts(d), []);
  d.online = true;
  d.outbox.resend();
  assert.deepEqual(texts(d), ["hello"]);
});

test("after a new welcome what was under way goes out again, same id, in order", () => {
  const d = desk();
  const first = d.outbox.add(say("one"));
  d.outbox.add(say("two"));
  d.outbox.resend();
  assert.deepEqual(texts(d), ["one", "one"]);
  assert.equal(d.sent[1].id, first.id);
  d.outbox.settle(ack(first));
  assert.deepEqual(texts(d), ["one", "one", "two"]);
});

test("it survives a reload, ids and order too", () => {
  const before = desk({ online: false });
  const ids = ["one", "two", "three"].map((text) => before.outbox.add(say(text)).id);
  const after = desk({ kept: before.kept });
  assert.deepEqual(after.outbox.entries.map(({ id }) => id), ids);
  after.outbox.resend();
  assert.deepEqual(after.sent.map(({ id }) => id), ids.slice(0, 1));
});

test("what was acked does not come back after a reload", () => {
  const before = desk();
  before.outbox.settle(ack(before.outbox.add(say("hello"))));
  assert.deepEqual(desk({ kept: before.kept }).outbox.entries, []);
});

test("a second tab never writes over the first one's entries", () => {
  const kept = storage();
  const [first, second] = [desk({ kept }), desk({ kept })];
  first.outbox.add(say("from the first"));
  second.outbox.add(say("from the second"));
  assert.equal(desk({ kept }).outbox.entries.length, 2);
});

test("storage that throws leaves it in memory", () => {
  const broken = new Proxy({}, { get() { throw new Error("denied"); }, ownKeys() { throw new Error("denied"); } });
  const d = desk({ kept: broken });
  d.outbox.add(say("hello"));
  assert.deepEqual(texts(d), ["hello"]);
  assert.equal(d.outbox.entries.length, 1);
});

test("too fast: it stays under way and goes out again after retry_ms", async () => {
  const d = desk();
  const entry = d.outbox.add(say("hello"));
  d.outbox.settle(refused(entry, "rate_limited", { retry_ms: 3000 }));
  assert.equal(d.outbox.entries[0].state, "sending");
  await d.clock.pass(2_999);
  assert.equal(d.sent.length, 1);
  await d.clock.pass(1);
  assert.deepEqual(d.sent.map(({ id }) => id), [entry.id, entry.id]);
});

test("while it waits after too fast, the next one does not overtake it", () => {
  const d = desk();
  d.outbox.settle(refused(d.outbox.add(say("one")), "overloaded", { retry_ms: 3000 }));
  d.outbox.add(say("two"));
  assert.deepEqual(texts(d), ["one"]);
});

test("any other refusal shows as failed, with its code, and lets the next one go", () => {
  const d = desk();
  const entry = d.outbox.add(say("one"));
  d.outbox.add(say("two"));
  d.outbox.settle(refused(entry, "too_long"));
  assert.equal(d.outbox.entries[0].state, "failed");
  assert.equal(d.outbox.entries[0].code, "too_long");
  assert.deepEqual(texts(d), ["one", "two"]);
});

test("a failed one is not sent by itself", () => {
  const d = desk();
  d.outbox.settle(refused(d.outbox.add(say("one")), "too_long"));
  d.outbox.resend();
  assert.equal(d.sent.length, 1);
});

test("try again sends it with the same id", () => {
  const d = desk();
  const { id } = d.outbox.add(say("one"));
  d.outbox.settle(refused({ id }, "blocked"));
  d.outbox.retry(id);
  assert.deepEqual(d.sent.map((command) => command.id), [id, id]);
  assert.equal(d.outbox.entries[0].code, undefined);
});

test("changed, it goes out as something else with the same id", () => {
  const d = desk();
  const { id } = d.outbox.add({ type: "conversation.start", text: "hello" });
  d.outbox.settle(refused({ id }, "already_open"));
  d.outbox.change(id, { type: "message.post", conversation: "c1" });
  assert.deepEqual(d.sent[1], { type: "message.post", text: "hello", conversation: "c1", id });
});

test("given up, it is gone for good", () => {
  const d = desk({ online: false });
  d.outbox.drop(d.outbox.add(say("one")).id);
  assert.deepEqual(desk({ kept: d.kept }).outbox.entries, []);
});

test("two written in the same millisecond keep their order over a reload", () => {
  const d = desk({ online: false });
  for (const text of ["a", "b", "c", "d"]) d.outbox.add(say(text));
  assert.deepEqual(desk({ kept: d.kept }).outbox.entries.map(({ command }) => command.text), ["a", "b", "c", "d"]);
});
