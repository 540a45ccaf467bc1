import assert from "node:assert/strict";
import { test } from "node:test";
import { gist, items, nameOf, safeLink, told } from "../../static/dashboard/story.js";
import { said } from "./staff.js";

const kinds = (messages) => items(messages).map((item) => (item.kind === "group" ? item.messages.length : item.kind));

test("what one person says in a row is a group", () => {
  assert.deepEqual(kinds([said(1), said(2), said(3, { by: "agent" }), said(4)]), ["day", 2, 1, 1]);
});

test("a pause, a note or a system line begins a new group", () => {
  const later = said(2, { at: "2026-03-04T06:30:00.000Z" });
  assert.deepEqual(kinds([said(1), later]), ["day", 1, 1]);
  assert.deepEqual(kinds([said(1, { by: "agent" }), said(1, { by: "agent", notes: 1, kind: "note" })]), ["day", 1, 1]);
  assert.deepEqual(kinds([said(1), said(2, { kind: "system", by: "system" }), said(3)]), ["day", 1, "system", 1]);
});

test("each day has its line, once", () => {
  const next = said(2, { at: "2026-03-06T06:00:00.000Z" });
  assert.deepEqual(kinds([said(1), next]), ["day", 1, "day", 1]);
});

test("a known event is told in the reader's words, another as the desk wrote it", () => {
  assert.equal(told(said(1, { event: "agent_back", data: { name: "Ada" }, text: "x" })), "Ada is back.");
  assert.equal(told(said(1, { event: "weather", data: {}, text: "It rains." })), "It rains.");
  assert.equal(told(said(1, { event: "constructor", text: "Odd." })), "Odd.");
  assert.equal(told(said(1, { text: "Old line." })), "Old line.");
});

test("a list shows one line of a message, or its file's name", () => {
  assert.equal(gist(said(1, { text: " two\n lines " })), "two lines");
  assert.equal(gist(said(1, { text: "", attachments: [{ name: "cat.png" }] })), "cat.png");
  assert.equal(gist(undefined), "");
});

test("somebody without a name is called by the e-mail address, or Customer", () => {
  assert.equal(nameOf({ name: "Cora", email: "c@x.example" }), "Cora");
  assert.equal(nameOf({ name: "", email: "c@x.example" }), "c@x.example");
  assert.equal(nameOf({ name: "", email: null }), "Customer");
});

test("only web addresses are links", () => {
  assert.equal(safeLink("https://shop.example/a"), "https://shop.example/a");
  for (const bad of ["javascript:alert(1)", "data:text/html,x", "//x", "", undefined, "file:///etc/passwd"]) {
    assert.equal(safeLink(bad), "");
  }
});
