import assert from "node:assert/strict";
import { test } from "node:test";
import { whySaid } from "../../static/dashboard/why.js";

test("a reason is said in the reader's words", () => {
  assert.equal(whySaid({ rule: "came_back", agent: "Ada" }, "x"), "Ada came back before anybody else took it.");
});

test("one that is not known here is said as the desk wrote it", () => {
  assert.equal(whySaid({ rule: "weather" }, "It rains."), "It rains.");
  assert.equal(whySaid({ rule: "constructor" }, "Odd."), "Odd.");
  assert.equal(whySaid(undefined, "Old."), "Old.");
  assert.equal(whySaid(null), "");
});
