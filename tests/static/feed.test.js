import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { Desk } from "../../static/dashboard/desk.js";
import { Feed } from "../../static/dashboard/feed.js";
import { settled, storage } from "./fakes.js";
import { changed, conversation, held, posted, said, welcome } from "./staff.js";

mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"] });
globalThis.document = { hidden: false };

/** A line to the desk on which the test says what is heard. */
function seat() {
  const line = { sent: [], online: true, reopened: 0 };
  class FakeConnection {
    constructor(options) {
      Object.assign(line, options);
    }
    open() {
      line.reopened++;
    }
    close() {
      line.onState("closed", 1000);
    }
    send(command) {
      if (line.online) line.sent.push(command);
      return line.online;
    }
  }
  const desk = new Desk();
  const kept = storage();
  const feed = new Feed(desk, { agent: "ada", socketUrl: "ws://x", storage: kept, Connection: FakeConnection });
  const hear = async (frame) => {
    line.onFrame(frame);
    await settled();
    mock.timers.tick(200);
    await settled();
  };
  const last = (type) => line.sent.findLast((command) => command.type === type);
  return { desk, feed, line, hear, last, kept };
}

const talking = async () => {
  const all = seat();
  await all.hear(welcome({ conversations: [held("cora", { seq: 1 })], messages: { cora: [said(1)] } }));
  return all;
};
const texts = (desk, id) => desk.talk(id).messages.value.map(({ text }) => text);

test("a reply is pending until the desk has it, then it has its place", async () => {
  const { desk, feed, hear, last } = await talking();
  feed.post("cora", "Hello");
  const { id } = last("message.post");
  assert.equal(feed.pending.value.length, 1);
  await hear({ type: "ack", id, conversation: "cora", seq: 2, notes: 0, at: "2026-03-04T06:00:02.000Z" });
  assert.deepEqual(feed.pending.value, []);
  assert.deepEqual(texts(desk, "cora"), ["text 1", "Hello"]);
});

test("a note is said as one and stands as one", async () => {
  const { desk, feed, hear, last } = await talking();
  feed.post("cora", "Only us", { note: true });
  assert.equal(last("message.post").note, true);
  await hear({ type: "ack", id: last("message.post").id, conversation: "cora", seq: 1, notes: 1, at: "2026-03-04T06:00:02.000Z" });
  assert.equal(desk.talk("cora").messages.value[1].kind, "note");
});

test("what is written offline goes out after the next welcome, with its id", async () => {
  const { feed, line, hear } = await talking();
  line.online = false;
  feed.post("cora", "Hello");
  assert.equal(feed.pending.value[0].state, "sending");
  line.online = true;
  await hear(welcome({ conversations: [held("cora", { seq: 1 })], messages: { cora: [] } }));
  assert.deepEqual(line.sent.filter(({ type }) => type === "message.post").map(({ id }) => id), [feed.pending.value[0].id]);
});

test("what is refused stays to be tried again", async () => {
  const { feed, hear, last } = await talking();
  feed.post("cora", "Hello");
  await hear({ type: "refused", id: last("message.post").id, code: "too_long", detail: "…" });
  assert.equal(feed.pending.value[0].state, "failed");
  assert.deepEqual([...feed.failed.value], ["cora"]);
});

test("what is refused where nobody can see it is told", async () => {
  const { feed, hear, last } = await talking();
  const lost = [];
  feed.onLost = ({ text }) => lost.push(text);
  feed.post("cora", "Hello");
  await hear(changed(conversation("cora", { version: 2, state: "active", agent: { id: "ben", name: "Ben" } })));
  await hear({ type: "refused", id: last("message.post").id, code: "not_yours", detail: "…" });
  assert.deepEqual(lost, ["Hello"]);
  assert.deepEqual(feed.pending.value, []);
});

test("ending waits for what was said before", async () => {
  const { feed, hear, last } = await talking();
  feed.post("cora", "Bye");
  feed.end("cora", "resolved");
  assert.equal(last("conversation.end"), undefined);
  await hear({ type: "ack", id: last("message.post").id, conversation: "cora", seq: 2, notes: 0, at: "2026-03-04T06:00:02.000Z" });
  assert.equal(last("conversation.end").outcome, "resolved");
});

test("who ends what has ended has what they wanted", async () => {
  const { feed, hear, last } = await talking();
  feed.end("cora", "resolved");
  await hear({ type: "refused", id: last("conversation.end").id, code: "ended", detail: "…" });
  assert.deepEqual(feed.pending.value, []);
});

test("taking brings the conversation and what was said in it", async () => {
  const { desk, feed, hear, last } = seat();
  await hear(welcome({ waiting: [conversation("eve", { seq: 1 })] }));
  const taken = feed.take("eve");
  await hear({ type: "ack", id: last("conversation.take").id, conversation: held("eve", { version: 2, seq: 1 }) });
  await taken;
  mock.timers.tick(200);
  assert.equal(last("history.get").conversation, "eve");
  await hear({ type: "ack", id: last("history.get").id, messages: [said(1)], more: false });
  assert.deepEqual(texts(desk, "eve"), ["text 1"]);
});

test("taking tells when somebody was quicker, and when there is no connection", async () => {
  const { feed, line, hear, last } = seat();
  await hear(welcome({ waiting: [conversation("eve")] }));
  const taken = assert.rejects(feed.take("eve"), { code: "already_taken" });
  await hear({ type: "refused", id: last("conversation.take").id, code: "already_taken", detail: "…" });
  await taken;
  line.online = false;
  await assert.rejects(feed.take("eve"), { code: "offline" });
});

test("an answer that the connection took with it is not waited for", async () => {
  const { feed, line, hear } = seat();
  await hear(welcome({ waiting: [conversation("eve")] }));
  const taken = assert.rejects(feed.take("eve"), { code: "offline" });
  line.onState("offline");
  await taken;
});

test("a hole is asked for once, when events have settled", async () => {
  const { line, hear } = await talking();
  line.onFrame(posted("cora", said(4)));
  line.onFrame(posted("cora", said(3)));
  await hear({ type: "beat" });
  assert.deepEqual(line.sent.filter(({ type }) => type === "history.get").map(({ after }) => after), [1]);
});

test("events that only overtook each other ask for nothing", async () => {
  const { line, hear } = await talking();
  line.onFrame(posted("cora", said(3)));
  await hear(posted("cora", said(2)));
  assert.deepEqual(line.sent.filter(({ type }) => type === "history.get"), []);
});

test("one pong that knows more is patience, two are a new welcome", async () => {
  const { line, hear } = await talking();
  const pong = { type: "pong", conversations: { cora: [1, 9] } };
  await hear(pong);
  assert.equal(line.reopened, 0);
  await hear(pong);
  assert.equal(line.reopened, 1);
});

test("a customer who vanished while typing is not typing any more", async () => {
  const { desk, hear } = await talking();
  await hear({ type: "typing", conversation: "cora", author: { kind: "customer", id: "c", name: "Cora" }, on: true });
  assert.notEqual(desk.talk("cora").typing.value, null);
  mock.timers.tick(8_000);
  assert.equal(desk.talk("cora").typing.value, null);
});

test("another tab's words come as an event and settle nothing twice", async () => {
  const { desk, feed, hear, last } = await talking();
  feed.post("cora", "Hello");
  const { id } = last("message.post");
  await hear(posted("cora", { ...said(2, { by: "agent" }), id, text: "Hello" }));
  await hear({ type: "ack", id, conversation: "cora", seq: 2, notes: 0, at: "2026-03-04T06:00:02.000Z" });
  assert.deepEqual(texts(desk, "cora"), ["text 1", "Hello"]);
  assert.deepEqual(feed.pending.value, []);
});

// --- a supervisor's

const benHas = (id, fields = {}) => held(id, { seq: 1, agent: { id: "ben", name: "Ben" }, ...fields });
const overseen = () => welcome({ supervises: ["1"], supervised: [benHas("cora"), benHas("dan")] });
const shown = ({ id, conversation }) => ({ type: "ack", id, conversation: benHas(conversation), messages: [said(1)], more: false });

const overseeing = async () => {
  const all = seat();
  all.line.onState("online");
  await all.hear(overseen());
  all.said = () => all.line.sent.splice(0).map(({ type, conversation }) => `${type.split(".")[1]} ${conversation}`);
  return all;
};

test("what a supervisor opens is watched, and what they leave is not", async () => {
  const { desk, feed, hear, last, said } = await overseeing();
  feed.look("cora");
  await hear(shown(last("conversation.watch")));
  assert.equal(desk.watching.value, "cora");
  feed.look("dan");
  feed.look("");
  assert.deepEqual(said(), ["watch cora", "unwatch cora", "watch dan", "unwatch dan"]);
  assert.equal(desk.watching.value, "");
});

test("nobody else watches", async () => {
  const { feed, hear, line } = seat();
  line.onState("online");
  await hear(welcome());
  await hear(changed(benHas("cora")));
  feed.look("cora");
  assert.deepEqual(line.sent, []);
});

test("after a lost connection what was watched is watched again, and what was joined is joined before anything is said", async () => {
  const { desk, feed, line, hear, last, said } = await overseeing();
  const joining = feed.join("dan");
  await hear(shown(last("conversation.join")));
  await joining;
  feed.look("cora");
  await hear(shown(last("conversation.watch")));
  said();
  line.online = false;
  feed.post("dan", "Hello");
  line.online = true;
  await hear(overseen());
  assert.deepEqual(said(), ["join dan", "watch cora", "post dan"]);
  await hear(shown({ id: "other", conversation: "cora" }));
  assert.deepEqual(desk.joined.value, ["dan"]);
});

test("what was joined and is left open again is only watched", async () => {
  const { desk, feed, hear, last, said } = await overseeing();
  feed.look("cora");
  await hear(shown(last("conversation.watch")));
  const joining = feed.join("cora");
  await hear(shown(last("conversation.join")));
  await joining;
  assert.deepEqual([desk.watching.value, desk.joined.value], ["", ["cora"]]);
  feed.look("");
  feed.look("cora");
  feed.onlyWatch("cora");
  assert.deepEqual(said(), ["watch cora", "join cora", "unwatch cora", "watch cora"]);
});

test("what is taken over is mine, and not watched any more", async () => {
  const { desk, feed, hear, last, said } = await overseeing();
  feed.look("cora");
  await hear(shown(last("conversation.watch")));
  const taking = feed.takeOver("cora");
  const { id, to } = last("conversation.transfer");
  assert.deepEqual(to, { agent: "ada" });
  await hear({ type: "ack", id, conversation: held("cora", { version: 2, seq: 1 }) });
  await taking;
  assert.deepEqual(desk.held.value, ["cora"]);
  assert.deepEqual(said(), ["watch cora", "transfer cora", "unwatch cora"]);
});
