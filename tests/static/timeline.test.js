import assert from "node:assert/strict";
import { test } from "node:test";
import { Timeline } from "../../static/chat/timeline.js";

const message = (seq, notes = 0) => ({ seq, notes, id: `id-${seq}-${notes}` });
const seqs = (timeline) => timeline.messages.map(({ seq }) => seq);
const customer = () => new Timeline({ place: ({ seq }) => seq });

test("messages stand in order of seq, whatever order they came in", () => {
  const timeline = customer();
  timeline.add([message(3)]);
  timeline.add([message(1), message(2)]);
  assert.deepEqual(seqs(timeline), [1, 2, 3]);
});

test("what it holds already is dropped, within one page too", () => {
  const timeline = customer();
  assert.equal(timeline.add([message(1), message(1)]), true);
  assert.equal(timeline.add([message(1)]), false);
  assert.deepEqual(seqs(timeline), [1]);
});

test("the first to come keeps its place: a second with the same seq changes nothing", () => {
  const timeline = customer();
  timeline.add([message(1)]);
  timeline.add([{ ...message(1), id: "other" }]);
  assert.equal(timeline.messages[0].id, "id-1-0");
});

test("a hole tells after which message to ask", () => {
  const timeline = customer();
  timeline.add([message(1), message(2), message(4)]);
  assert.deepEqual(timeline.hole, { after: 2 });
});

test("a filled hole is none", () => {
  const timeline = customer();
  timeline.add([message(1), message(3)]);
  timeline.add([message(2)]);
  assert.equal(timeline.hole, null);
});

test("a page that begins later than the first message has no hole", () => {
  const timeline = customer();
  timeline.add([message(201), message(202)]);
  assert.equal(timeline.hole, null);
});

test("it resumes from before a hole, not from after it", () => {
  const timeline = customer();
  timeline.add([message(1), message(2), message(9)]);
  assert.equal(timeline.last.id, "id-2-0");
});

test("it lacks what the desk has beyond the unbroken part", () => {
  const timeline = customer();
  assert.equal(timeline.lacks(1), true);
  assert.equal(timeline.lacks(0), false);
  timeline.add([message(1)]);
  assert.equal(timeline.lacks(1), false);
  assert.equal(timeline.lacks(2), true);
});

test("reset forgets what was there before", () => {
  const timeline = customer();
  timeline.add([message(1), message(2)]);
  timeline.reset([message(7)]);
  assert.deepEqual(seqs(timeline), [7]);
});

test("staff sort by place, so that notes and messages make one row without holes", () => {
  const timeline = new Timeline({ place: ({ seq, notes }) => seq + notes });
  timeline.add([message(2, 1), message(1, 0), message(1, 1)]);
  assert.deepEqual(timeline.messages.map(({ id }) => id), ["id-1-0", "id-1-1", "id-2-1"]);
  assert.equal(timeline.hole, null);
});

test("a drawn array is never changed under the one who draws it", () => {
  const timeline = customer();
  timeline.add([message(1)]);
  const drawn = timeline.messages;
  timeline.add([message(2)]);
  assert.equal(drawn.length, 1);
});

test("renewed copies take the place of old ones", () => {
  const timeline = customer();
  timeline.add([message(1), message(2)]);
  timeline.renew([{ ...message(2), text: "fresh" }]);
  assert.equal(timeline.messages[1].text, "fresh");
  assert.deepEqual(seqs(timeline), [1, 2]);
});

test("two hundred shuffles of the same messages, some twice, make the same view", () => {
  for (let round = 0; round < 200; round++) {
    const timeline = customer();
    const pile = [1, 2, 3, 4, 5, 5, 3].map((seq) => ({ seq, key: Math.random() }));
    for (const { seq } of pile.sort((a, b) => a.key - b.key)) timeline.add([message(seq)]);
    assert.deepEqual(seqs(timeline), [1, 2, 3, 4, 5]);
  }
});
