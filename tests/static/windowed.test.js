import assert from "node:assert/strict";
import { test } from "node:test";
import { indexes } from "../../static/dashboard/parts/windowed.js";

test("a short list is drawn whole, wherever one looks", () => {
  assert.deepEqual(indexes(3, [8, 40], []), [0, 1, 2]);
  assert.deepEqual(indexes(0, [0, 8], []), []);
});

test("of a long one: what is near, and both ends", () => {
  assert.deepEqual(indexes(500, [100, 103], [-1, -1]), [0, 100, 101, 102, 499]);
});

test("whoever has the keyboard has neighbours to walk to, however far one has scrolled", () => {
  assert.deepEqual(indexes(500, [100, 102], [250]), [0, 100, 101, 249, 250, 251, 499]);
  assert.deepEqual(indexes(500, [0, 2], [499, 0]), [0, 1, 498, 499]);
});

test("what lies beyond the end is nothing", () => {
  assert.deepEqual(indexes(40, [32, 56], []), [0, 32, 33, 34, 35, 36, 37, 38, 39]);
});
