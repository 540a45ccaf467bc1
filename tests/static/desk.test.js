import assert from "node:assert/strict";
import { test } from "node:test";
import { Desk } from "../../static/dashboard/desk.js";
import { ada, ben, billing, changed, conversation, held, posted, said, sales, welcome } from "./staff.js";

const ids = (talks) => talks.map(({ id }) => id);
const line = (desk, queue = "1") => ids(desk.lines.value.get(queue));
const places = (desk, id) => desk.talk(id).messages.value.map(({ seq, notes }) => seq + notes);

function deskWith(fields) {
  const desk = new Desk();
  desk.apply(welcome(fields));
  return desk;
}

/** Ada holds `cora`, two messages of hers are unread. */
const talking = () =>
  deskWith({
    conversations: [held("cora", { seq: 2 })],
    messages: { cora: [said(1), said(2)] },
    more: { cora: false },
  });

test("the welcome fills mine, the line and colleagues", () => {
  const desk = deskWith({ conversations: [held("cora")], waiting: [conversation("eve")] });
  assert.deepEqual(ids(desk.mine.value), ["cora"]);
  assert.deepEqual(line(desk), ["eve"]);
  assert.deepEqual([...desk.agents.value.keys()], ["ada", "ben"]);
  assert.equal(desk.me.value.name, "Ada");
});

test("the line stands in order of position, and left messages come last", () => {
  const desk = deskWith({
    waiting: [conversation("left", { left: true }), conversation("second", { position: 2 }), conversation("first", { position: 1 })],
  });
  assert.deepEqual(line(desk), ["first", "second", "left"]);
  assert.equal(desk.first.value.id, "first");
});

test("each queue has its own line", () => {
  const desk = deskWith({ waiting: [conversation("eve", { queue: billing })] });
  assert.deepEqual(line(desk, "1"), []);
  assert.deepEqual(line(desk, "2"), ["eve"]);
});

test("a customer's message is unread until it has been read here", () => {
  const desk = talking();
  assert.equal(desk.talk("cora").unread.value, 2);
  desk.read("cora", 2);
  assert.equal(desk.talk("cora").unread.value, 0);
  desk.apply(posted("cora", said(3)));
  assert.equal(desk.talk("cora").unread.value, 1);
  assert.equal(desk.unread.value, 1);
});

test("reading in another tab counts as well", () => {
  const desk = talking();
  desk.apply(changed(held("cora", { version: 2, seq: 2, read: { customer: 0, agent: 2 } })));
  assert.equal(desk.talk("cora").unread.value, 0);
});

test("neither a note nor my own message is unread", () => {
  const desk = talking();
  desk.read("cora", 2);
  desk.apply(posted("cora", said(2, { notes: 1, kind: "note", by: "agent" })));
  desk.apply(posted("cora", said(3, { notes: 1, by: "agent" })));
  assert.equal(desk.talk("cora").unread.value, 0);
});

test("a message that comes twice stands once", () => {
  const desk = talking();
  desk.apply(posted("cora", said(3)));
  desk.apply(posted("cora", said(3)));
  assert.deepEqual(places(desk, "cora"), [1, 2, 3]);
});

test("notes have their place among the messages", () => {
  const desk = talking();
  desk.apply(posted("cora", said(3, { notes: 1 })));
  desk.apply(posted("cora", said(2, { notes: 1, kind: "note" })));
  assert.deepEqual(places(desk, "cora"), [1, 2, 3, 4]);
});

test("a hole is asked for, from the last message before it", () => {
  const desk = talking();
  desk.apply(posted("cora", said(5)));
  assert.deepEqual(desk.lacking(), [{ conversation: "cora", after: 2 }]);
  desk.history("cora", { after: 2 }, { messages: [said(3), said(4)], more: false });
  assert.deepEqual(desk.lacking(), []);
});

test("a tail that was lost shows in the pong", () => {
  const desk = talking();
  desk.apply({ type: "pong", conversations: { cora: [4, 1] } });
  assert.deepEqual(desk.lacking(), [{ conversation: "cora", after: 2 }]);
});

test("a conversation that has come to me wants its first page", () => {
  const desk = deskWith();
  desk.apply(changed(held("cora", { seq: 3 })));
  assert.deepEqual(ids(desk.mine.value), ["cora"]);
  assert.deepEqual(desk.lacking(), [{ conversation: "cora" }]);
  desk.history("cora", {}, { messages: [said(1), said(2), said(3)], more: false });
  assert.deepEqual(desk.lacking(), []);
});

test("what comes before the first page is not shown without what came before it", () => {
  const desk = deskWith();
  desk.apply(changed(held("cora", { seq: 2 })));
  desk.apply(posted("cora", said(3)));
  assert.deepEqual(places(desk, "cora"), []);
  desk.history("cora", {}, { messages: [said(1), said(2)], more: false });
  assert.deepEqual(desk.lacking(), [{ conversation: "cora", after: 2 }]);
});

test("nobody loads what the line says, but whoever looks at it", () => {
  const desk = deskWith({ waiting: [conversation("eve", { seq: 1 })] });
  assert.deepEqual(desk.lacking(), []);
  desk.look("eve");
  assert.deepEqual(desk.lacking(), [{ conversation: "eve" }]);
});

test("whom a colleague takes leaves the line and is not mine", () => {
  const desk = deskWith({ waiting: [conversation("eve")] });
  desk.apply(changed(conversation("eve", { version: 2, state: "active", agent: { id: "ben", name: "Ben" } })));
  assert.deepEqual(line(desk), []);
  assert.deepEqual(desk.mine.value, []);
});

test("what a colleague does with others never shows", () => {
  const desk = deskWith();
  desk.apply(changed(conversation("eve", { state: "active", agent: { id: "ben", name: "Ben" } })));
  assert.equal(desk.talk("eve"), undefined);
});

test("an older version changes nothing", () => {
  const desk = deskWith({ conversations: [held("cora", { version: 5 })] });
  desk.apply(changed(conversation("cora", { version: 4 })));
  assert.deepEqual(ids(desk.mine.value), ["cora"]);
  assert.deepEqual(line(desk), []);
});

test("the position may change within one version", () => {
  const desk = deskWith({ waiting: [conversation("eve", { position: 2 }), conversation("dan", { position: 1 })] });
  desk.apply(changed(conversation("eve", { position: 1 })));
  desk.apply(changed(conversation("dan", { position: 2 })));
  assert.deepEqual(line(desk), ["eve", "dan"]);
});

test("what has ended stays until I have looked at it and gone on", () => {
  const desk = talking();
  desk.apply(changed(held("cora", { version: 2, seq: 2, state: "ended", outcome: "resolved" })));
  assert.deepEqual(ids(desk.mine.value), ["cora"]);
  desk.look("cora");
  assert.deepEqual(ids(desk.mine.value), ["cora"]);
  desk.look("");
  assert.deepEqual(desk.mine.value, []);
  assert.equal(desk.talk("cora"), undefined);
});

test("a rating does not bring back what was put away", () => {
  const desk = talking();
  desk.look("cora");
  desk.apply(changed(held("cora", { version: 2, state: "ended" })));
  desk.look("");
  desk.apply(changed(held("cora", { version: 3, state: "ended", rating: 5 })));
  assert.deepEqual(desk.mine.value, []);
});

test("whoever waits for an answer longest comes first", () => {
  const desk = deskWith({
    conversations: [held("answered"), held("late"), held("early")],
    messages: {
      answered: [said(1), said(9, { by: "agent" })],
      late: [said(5)],
      early: [said(2), said(8)],
    },
  });
  assert.deepEqual(ids(desk.mine.value), ["early", "late", "answered"]);
});

test("typing shows until a message comes, and an ended conversation has none", () => {
  const desk = talking();
  const typing = (on) => ({ type: "typing", conversation: "cora", author: { kind: "customer", id: "c", name: "Cora" }, on, text: "my or" });
  desk.apply(typing(true));
  assert.deepEqual(desk.talk("cora").typing.value, { name: "Cora", text: "my or" });
  desk.apply(posted("cora", said(3)));
  assert.equal(desk.talk("cora").typing.value, null);
  desk.apply(typing(true));
  desk.apply(changed(held("cora", { version: 2, state: "ended" })));
  assert.equal(desk.talk("cora").typing.value, null);
});

test("agents and queues change in place", () => {
  const desk = deskWith();
  desk.apply({ type: "agent.changed", agent: { ...ben, status: "away", reason: "Lunch" } });
  desk.apply({ type: "agent.changed", agent: { ...ada, load: 3 } });
  desk.apply({ type: "queue.changed", queue: { ...sales, waiting: 7 } });
  assert.equal(desk.agents.value.get("ben").reason, "Lunch");
  assert.equal(desk.me.value.load, 3);
  assert.deepEqual(desk.queues.value.map(({ waiting }) => waiting), [7, 0]);
});

test("frames of a later contract are left alone", () => {
  const desk = talking();
  desk.apply({ type: "weather.changed", sun: true });
  assert.deepEqual(places(desk, "cora"), [1, 2]);
});

// --- coming back

test("hello says up to where each conversation is held without a hole", () => {
  const desk = talking();
  desk.apply(posted("cora", said(4)));
  assert.deepEqual(desk.resume(), { cora: [2, "m-2-0"] });
});

test("a welcome that follows what is held is added to it", () => {
  const desk = talking();
  desk.apply(welcome({ conversations: [held("cora", { seq: 3 })], messages: { cora: [said(3)] }, more: { cora: false } }));
  assert.deepEqual(places(desk, "cora"), [1, 2, 3]);
});

test("a welcome with nothing new leaves what is held", () => {
  const desk = talking();
  desk.apply(welcome({ conversations: [held("cora", { seq: 2 })], messages: { cora: [] } }));
  assert.deepEqual(places(desk, "cora"), [1, 2]);
});

test("a welcome that does not fit starts anew", () => {
  const desk = talking();
  const other = { ...said(1), id: "other", text: "from the backup" };
  desk.apply(welcome({ conversations: [held("cora", { seq: 1 })], messages: { cora: [other] }, more: { cora: false } }));
  assert.deepEqual(desk.talk("cora").messages.value, [other]);
});

test("a restored backup may be older than what was held", () => {
  const desk = deskWith({ conversations: [held("cora", { version: 9 })] });
  desk.apply(welcome({ conversations: [], waiting: [conversation("cora", { version: 2 })] }));
  assert.deepEqual(line(desk), ["cora"]);
  assert.deepEqual(desk.mine.value, []);
});

test("what is looked at stays readable when a welcome no longer has it", () => {
  const desk = talking();
  desk.look("cora");
  desk.apply(welcome());
  assert.equal(desk.talk("cora").gone.value, true);
  assert.deepEqual(places(desk, "cora"), [1, 2]);
  assert.deepEqual(desk.lacking(), []);
  desk.look("");
  assert.equal(desk.talk("cora"), undefined);
});

test("a pong tells of what was never heard", () => {
  const desk = talking();
  const pong = (conversations) => ({ type: "pong", conversations });
  assert.equal(desk.missed(pong({ cora: [2, 1] })), false);
  assert.equal(desk.missed(pong({ cora: [2, 2] })), true); // a change
  assert.equal(desk.missed(pong({})), true); // it is not mine any more
  assert.equal(desk.missed(pong({ cora: [2, 1], eve: [1, 1] })), true); // another is
});

// --- offers and transfers

const offer = (made, seconds = 20) => ({ type: "offer.made", conversation: made, seconds, why: "Ada: 0 of 4" });
const ringing = (desk) => desk.offers.value.map(({ id }) => id);

test("what rings for me does not stand in the line as well", () => {
  const desk = deskWith({ waiting: [conversation("eve", { position: 1 })] });
  desk.apply(offer(desk.talk("eve").facts.value));
  assert.deepEqual(ringing(desk), ["eve"]);
  assert.deepEqual(line(desk), []);
});

test("an accepted offer rings no more and is mine", () => {
  const desk = deskWith();
  const eve = conversation("eve");
  desk.apply(offer(eve));
  desk.changed(held("eve", { version: 2 }));
  assert.deepEqual(ringing(desk), []);
  assert.deepEqual(ids(desk.mine.value), ["eve"]);
});

test("a withdrawn offer goes, and is news once", () => {
  const desk = deskWith();
  const news = [];
  desk.onNews = ({ kind, why }) => news.push(`${kind} ${why ?? ""}`);
  desk.apply(offer(conversation("eve", { queue: { id: "9", name: "Elsewhere" } })));
  const withdrawn = { type: "offer.withdrawn", conversation: "eve", why: "lapsed" };
  desk.apply(withdrawn);
  desk.apply(withdrawn);
  assert.deepEqual(ringing(desk), []);
  assert.equal(desk.talk("eve"), undefined);
  assert.deepEqual(news, ["offered ", "withdrawn lapsed"]);
});

test("an offer that lapsed for me still stands in my line", () => {
  const desk = deskWith({ waiting: [conversation("eve")] });
  desk.apply(offer(desk.talk("eve").facts.value));
  desk.apply({ type: "offer.withdrawn", conversation: "eve", why: "lapsed" });
  assert.deepEqual(line(desk), ["eve"]);
});

test("the welcome brings what rings already, a colleague's conversation too", () => {
  const passed = held("cora", { agent: { id: "ben", name: "Ben" }, transfer: { to: { agent: "ada" }, by: { id: "ben", name: "Ben" }, note: "" } });
  const desk = deskWith({ offers: [{ conversation: passed, seconds: 5, why: "Ben transfers it to Ada." }] });
  assert.deepEqual(ringing(desk), ["cora"]);
  assert.deepEqual(desk.mine.value, []);
  desk.look("cora");
  assert.deepEqual(desk.lacking(), [{ conversation: "cora" }]);
});

test("what I give away stays mine until somebody has taken it", () => {
  const desk = talking();
  const transfer = { to: { agent: "ben" }, by: { id: "ada", name: "Ada" }, note: "" };
  desk.apply(changed(held("cora", { version: 2, seq: 2, transfer })));
  assert.deepEqual(ids(desk.mine.value), ["cora"]);
  desk.apply(changed(held("cora", { version: 3, seq: 3, agent: { id: "ben", name: "Ben" } })));
  assert.deepEqual(desk.mine.value, []);
});

test("what is given to a queue stands in its line, but not in the giver's", () => {
  const given = (agent) => held("cora", { agent, transfer: { to: { queue: "2" }, by: agent, note: "" } });
  const mine = deskWith({ conversations: [held("cora")] });
  mine.apply(changed(given({ id: "ada", name: "Ada" })));
  assert.deepEqual(line(mine, "2"), []);
  const others = deskWith();
  others.apply(changed(given({ id: "ben", name: "Ben" })));
  assert.deepEqual(line(others, "2"), ["cora"]);
});

// --- news

test("news are what came to me or was said to me, and only while it happens", () => {
  const desk = new Desk();
  const news = [];
  desk.onNews = ({ kind, talk }) => news.push(`${kind} ${talk.id}`);
  desk.apply(welcome({ conversations: [held("cora", { seq: 1 })], messages: { cora: [said(1)] } }));
  desk.apply(posted("cora", said(2)));
  desk.apply(posted("cora", said(2)));
  desk.apply(posted("cora", said(3, { by: "agent" })));
  desk.apply(changed(held("eve")));
  desk.apply(changed(held("eve", { version: 2 })));
  desk.apply(changed(conversation("dan")));
  desk.apply(changed(held("cora", { version: 2, state: "ended" })));
  desk.apply(changed(conversation("eve", { version: 3 })));
  assert.deepEqual(news, ["message cora", "assigned eve", "ended cora", "lost eve"]);
});

// --- snapshot + events = truth

const truth = (desk) => ({
  mine: ids(desk.mine.value).sort(),
  lines: [...desk.lines.value].map(([queue, talks]) => [queue, ids(talks)]),
  load: [...desk.agents.value.values()].map(({ id, load }) => [id, load]),
  said: Object.fromEntries(desk.mine.value.map(({ id }) => [id, places(desk, id)])),
  unread: desk.unread.value,
});

test("an old welcome and the events since are what a new welcome says", () => {
  const eve = conversation("eve", { position: 1, seq: 1 });
  const dan = conversation("dan", { position: 2, queue: billing, seq: 1 });
  const cora = held("cora", { seq: 1 });
  const old = { conversations: [cora], waiting: [eve, dan], messages: { cora: [said(1)] } };
  const mine = { state: "active", agent: { id: "ada", name: "Ada" } };
  const events = [
    posted("cora", said(2)),
    changed({ ...eve, ...mine, version: 2, seq: 2 }),
    posted("eve", said(2, { kind: "system", by: "system", event: "agent_joined" })),
    { type: "agent.changed", agent: { ...ada, load: 2 } },
    changed({ ...cora, version: 2, state: "waiting", agent: null, position: 1, seq: 2 }),
    { type: "agent.changed", agent: { ...ada, load: 1 } },
    changed({ ...dan, version: 2, state: "active", agent: { id: "ben", name: "Ben" } }),
    { type: "agent.changed", agent: { ...ben, load: 1 } },
  ];
  const lived = deskWith(old);
  for (const event of events) lived.apply(event);
  lived.history("eve", {}, { messages: [said(1), said(2, { kind: "system", by: "system" })], more: false });
  const fresh = deskWith({
    agents: [{ ...ada, load: 1 }, { ...ben, load: 1 }],
    conversations: [{ ...eve, ...mine, version: 2, seq: 2 }],
    waiting: [{ ...cora, version: 2, state: "waiting", agent: null, position: 1, seq: 2 }],
    messages: { eve: [said(1), said(2, { kind: "system", by: "system" })] },
  });
  assert.deepEqual(truth(lived), truth(fresh));
});

test("the order in which events arrive does not matter where versions tell it", () => {
  const steps = [
    held("cora", { version: 2, seq: 3 }),
    held("cora", { version: 3, seq: 3, read: { customer: 3, agent: 0 } }),
    held("cora", { version: 4, seq: 3, read: { customer: 3, agent: 3 } }),
  ];
  const ends = [steps, [...steps].reverse(), [steps[1], steps[2], steps[0]]].map((order) => {
    const desk = talking();
    for (const step of order) desk.apply(changed(step));
    return desk.talk("cora").facts.value.read;
  });
  assert.deepEqual(ends, Array(3).fill({ customer: 3, agent: 3 }));
});

test("five hundred conversations and a thousand frames are no matter", () => {
  const conversations = Array.from({ length: 500 }, (_one, i) => held(`c${i}`, { seq: 1 }));
  const messages = Object.fromEntries(conversations.map(({ id }) => [id, [said(1)]]));
  const desk = deskWith({ conversations, messages });
  for (let i = 0; i < 1000; i++) desk.apply(posted(`c${i % 500}`, said(2 + Math.floor(i / 500))));
  assert.equal(desk.mine.value.length, 500);
  assert.equal(desk.unread.value, 500);
});

// --- a supervisor's

const benHas = (id, fields = {}) => held(id, { agent: { id: "ben", name: "Ben" }, ...fields });
const overseeing = (fields = {}) => deskWith({ supervises: ["1"], supervised: [benHas("cora", { seq: 1 })], ...fields });
const holders = (desk) => [...desk.holders.value].map(([agent, talks]) => [agent, ids(talks)]);
const page = (conversation, ...messages) => ({ conversation, messages, more: false });

test("a supervisor knows who holds what, as it comes and goes", () => {
  const desk = overseeing();
  assert.deepEqual(holders(desk), [["ben", ["cora"]]]);
  desk.apply(changed(benHas("dan", { started_at: "2026-03-04T05:00:00.000Z" })));
  assert.deepEqual(holders(desk), [["ben", ["dan", "cora"]]]);
  desk.apply(changed(benHas("cora", { version: 2, state: "ended" })));
  desk.apply(changed(held("dan", { version: 2 })));
  assert.deepEqual(holders(desk), []);
  assert.deepEqual(ids(desk.mine.value), ["dan"]);
});

test("what changes nobody's list draws none anew", () => {
  const desk = overseeing();
  const before = desk.holders.value;
  desk.apply(changed(benHas("cora", { version: 2, read: { customer: 1, agent: 1 } })));
  assert.equal(desk.holders.value, before);
});

test("an agent keeps nothing of what colleagues hold, nor a supervisor of another queue", () => {
  const desk = deskWith({ supervises: ["2"] });
  desk.apply(changed(benHas("cora")));
  assert.deepEqual(holders(desk), []);
  assert.equal(desk.talk("cora"), undefined);
});

test("what is watched is read whole and live, and is nobody's to answer", () => {
  const desk = overseeing();
  desk.look("cora");
  assert.deepEqual(desk.lacking(), []);
  desk.watched(page(benHas("cora", { seq: 1 }), said(1)));
  desk.apply(posted("cora", said(2)));
  assert.deepEqual(places(desk, "cora"), [1, 2]);
  assert.equal(desk.speaks(desk.talk("cora")), false);
  desk.apply(posted("cora", said(4)));
  assert.deepEqual(desk.lacking(), [{ conversation: "cora", after: 2 }]);
});

test("who has joined speaks, and hears of what is said, until it ends", () => {
  const desk = overseeing();
  const news = [];
  desk.onNews = ({ kind }) => news.push(kind);
  desk.joins(page(benHas("cora", { seq: 1 }), said(1)));
  assert.equal(desk.speaks(desk.talk("cora")), true);
  desk.apply(posted("cora", said(2)));
  assert.deepEqual(news, ["message"]);
  desk.apply(changed(benHas("cora", { version: 2, state: "ended" })));
  assert.deepEqual(desk.joined.value, []);
});

test("a new connection keeps what was joined and forgets what was watched", () => {
  const desk = overseeing();
  desk.joins(page(benHas("cora", { seq: 1 }), said(1)));
  desk.apply(welcome({ supervises: ["1"], supervised: [benHas("cora", { seq: 1 })] }));
  assert.deepEqual(desk.joined.value, ["cora"]);
  desk.apply(welcome());
  assert.deepEqual(desk.joined.value, []);
});

test("a line that stands still is told once, to supervisors, until it moves", () => {
  const stuck = { ...sales, waiting: 2, stands_still: true };
  const desk = overseeing();
  const told = [];
  desk.onStill = ({ name }) => told.push(name);
  for (let i = 0; i < 2; i++) desk.apply({ type: "queue.changed", queue: stuck });
  assert.deepEqual([told, desk.still.value.length], [["Sales"], 1]);
  desk.apply({ type: "queue.changed", queue: sales });
  assert.deepEqual(desk.still.value, []);
  const agent = deskWith();
  agent.apply({ type: "queue.changed", queue: stuck });
  assert.deepEqual(agent.still.value, []);
});
