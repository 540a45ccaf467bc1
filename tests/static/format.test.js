import assert from "node:assert/strict";
import { test } from "node:test";
import { ago, bytes, day, hue, initials, parts, span } from "../../static/chat/format.js";
import { newId } from "../../static/chat/protocol.js";
import { _, n_, setWords } from "../../static/chat/words.js";

const links = (text) => parts(text).filter((part) => typeof part !== "string").map(({ href }) => href);
const whole = (text) => parts(text).map((part) => (typeof part === "string" ? part : part.text)).join("");

test("http and https become links", () => {
  assert.deepEqual(links("see http://a.example and https://b.example/x?y=1#z"), ["http://a.example", "https://b.example/x?y=1#z"]);
});

for (const text of ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "vbscript:x", "xhttp://a.example", "https://"]) {
  test(`${text} does not`, () => assert.deepEqual(links(text), []));
}

test("the sentence's own signs stay outside", () => {
  assert.deepEqual(links("(see https://a.example/x). 看 https://b.example/退款。好"), ["https://a.example/x", "https://b.example/退款"]);
});

test("a bracket that belongs to the address stays inside", () => {
  assert.deepEqual(links("https://a.example/x_(y)"), ["https://a.example/x_(y)"]);
});

test("not a letter is lost or doubled", () => {
  for (const text of ["", "a", "https://a.example", "x https://a.example, https://b.example! y\nz", "<b>https://a.example</b>"]) {
    assert.equal(whole(text), text);
  }
});

test("a hundred thousand characters without a link take no time", () => {
  const start = performance.now();
  parts("https://".repeat(4000) + ")".repeat(60_000));
  assert.ok(performance.now() - start < 1000);
});

test("times are told as people tell them", () => {
  const now = new Date(2026, 2, 4, 15, 0).getTime();
  const before = (minutes) => new Date(now - minutes * 60_000).toISOString();
  assert.equal(ago(before(0), now), "now");
  assert.equal(ago(before(2), now), "2 min");
  assert.match(ago(before(120), now), /1(3|:00 PM)/);
  assert.equal(day(before(0), new Date(now)), "Today");
  assert.equal(day(before(24 * 60), new Date(now)), "Yesterday");
  assert.equal(span(65 * 60), "1 h 5 min");
});

test("sizes are short", () => {
  assert.equal(bytes(1200), "1.2 kB");
  assert.equal(bytes(3_400_000), "3.4 MB");
});

test("initials come from the ends of a name, in any script", () => {
  assert.deepEqual(["Cora Lee", "Ada", "王小明", "  "].map(initials), ["CL", "A", "王", ""]);
});

test("a colour is the same for the same id", () => {
  assert.equal(hue("abc"), hue("abc"));
  assert.ok(hue("x".repeat(100)) < 360);
});

test("ids are new, and of the shape that the wire asks for", () => {
  assert.match(newId(), /^[!-~]{8,64}$/);
  assert.notEqual(newId(), newId());
});

test("words without a catalogue are the words themselves", () => {
  assert.equal(_("Number %(n)s", { n: 3 }), "Number 3");
  assert.equal(n_("%(n)s file", "%(n)s files", 1), "1 file");
  assert.equal(n_("%(n)s file", "%(n)s files", 2), "2 files");
});

test("a catalogue gives the reader's words and its own plurals", () => {
  const plural = Array.from({ length: 200 }, (_n, n) => (n === 1 ? 0 : n % 10 === 2 ? 1 : 2)).join("");
  setWords({ locale: "xx", words: { Close: "Zu", "%(n)s file": ["%(n)s a", "%(n)s b", "%(n)s c"] }, plural });
  assert.equal(_("Close"), "Zu");
  assert.deepEqual([1, 2, 5, 1002].map((n) => n_("%(n)s file", "%(n)s files", n)), ["1 a", "2 b", "5 c", "1002 b"]);
  setWords({ locale: "en" });
});

test("a value is put in as it is: no pattern of it means anything", () => {
  assert.equal(_("Hello %(name)s", { name: "$& %(n)s" }), "Hello $& %(n)s");
});

test("a link with very many dots takes time in proportion to its length", () => {
  const link = `http://a${".".repeat(1_000_000)}/x`;
  const began = performance.now();
  assert.deepEqual(links(link), [link]);
  assert.ok(performance.now() - began < 5_000, "what is quadratic would take hours");
});
