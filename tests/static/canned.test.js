import assert from "node:assert/strict";
import { test } from "node:test";
import { filled, matching } from "../../static/dashboard/canned.js";

const replies = [
  { shortcut: "bye", text: "Have a good day", queues: [] },
  { shortcut: "goodbye", text: "See you", queues: [] },
  { shortcut: "refund", text: "It is on its way, bye", queues: ["2"] },
];
const found = (wanted, queue = "2") => matching(replies, wanted, queue).map(({ shortcut }) => shortcut);

test("what begins so comes before what contains it, and that before texts", () => {
  assert.deepEqual(found("bye"), ["bye", "goodbye", "refund"]);
});

test("an empty search finds all, a foreign one nothing, and case does not matter", () => {
  assert.deepEqual(found(""), ["bye", "goodbye", "refund"]);
  assert.deepEqual(found("zzz"), []);
  assert.deepEqual(found("REF"), ["refund"]);
});

test("another queue's replies are not offered", () => {
  assert.deepEqual(found("", "1"), ["bye", "goodbye"]);
});

test("name and agent are filled in, and nothing else is", () => {
  const values = { name: "Cora", agent: "Ada" };
  assert.equal(filled("Hi {name}, {agent} here. {secret} {{name}} {name.x}", values), "Hi Cora, Ada here. {secret} {Cora} {name.x}");
});

test("a name that contains a variable is not filled in again", () => {
  assert.equal(filled("Hi {name}", { name: "{agent}", agent: "Ada" }), "Hi {agent}");
});

test("of somebody without a name the word goes with its space", () => {
  assert.equal(filled("Hi {name}, welcome", { name: "", agent: "Ada" }), "Hi, welcome");
});
