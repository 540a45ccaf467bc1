import assert from "node:assert/strict";
import { test } from "node:test";
import { Drafts } from "../../static/dashboard/drafts.js";
import { settled, storage } from "./fakes.js";

const file = { name: "notes.pdf", size: 10, type: "application/pdf" };

/** Drafts whose uploads the test ends itself. */
function desk(kept = storage()) {
  const uploads = [];
  const upload = (url, sent, { headers, onProgress }) => {
    const one = { url, sent, headers, onProgress, cancelled: false };
    one.done = new Promise((resolve, reject) => Object.assign(one, { resolve, reject }));
    one.cancel = () => (one.cancelled = true);
    uploads.push(one);
    return one;
  };
  return { kept, uploads, drafts: new Drafts({ uploads: "/up/", csrf: "token", storage: kept, upload }) };
}

test("a draft outlives the page, a reply and a note apart", () => {
  const { drafts, kept } = desk();
  drafts.write("cora", "Hello");
  drafts.of("cora").isNote.value = true;
  drafts.write("cora", "A good customer");
  const later = desk(kept).drafts.of("cora");
  assert.equal(later.reply.value, "Hello");
  assert.equal(later.note.value, "A good customer");
});

test("what is sent or emptied is not kept", () => {
  const { drafts, kept } = desk();
  drafts.write("cora", "Hello");
  drafts.clear("cora");
  assert.deepEqual(Object.keys(kept), []);
});

test("old drafts are swept out, and what is no draft is left alone", () => {
  const kept = storage();
  kept.setItem("desk.draft.old", JSON.stringify({ reply: "x", at: Date.now() - 15 * 24 * 3600_000 }));
  kept.setItem("desk.draft.new", JSON.stringify({ reply: "x", at: Date.now() }));
  kept.setItem("other", "x");
  desk(kept);
  assert.deepEqual(Object.keys(kept).sort(), ["desk.draft.new", "other"]);
});

test("a file shows how far it is, and then what the desk made of it", async () => {
  const { drafts, uploads } = desk();
  drafts.attach("cora", file);
  assert.deepEqual(uploads[0].headers, { "X-CSRFToken": "token" });
  uploads[0].onProgress(0.5);
  assert.equal(drafts.of("cora").parcels.value[0].part, 0.5);
  uploads[0].resolve({ id: "a1" });
  await settled();
  assert.deepEqual(drafts.of("cora").parcels.value[0].attachment, { id: "a1" });
});

test("a refused file says why", async () => {
  const { drafts, uploads } = desk();
  drafts.attach("cora", file);
  uploads[0].reject({ status: 415, detail: "Not this type." });
  await settled();
  assert.equal(drafts.of("cora").parcels.value[0].problem, "Not this type.");
});

test("taking a file out stops its way", () => {
  const { drafts, uploads } = desk();
  drafts.attach("cora", file);
  drafts.detach("cora", drafts.of("cora").parcels.value[0].key);
  assert.equal(uploads[0].cancelled, true);
  assert.deepEqual(drafts.of("cora").parcels.value, []);
});

test("each conversation has its own", () => {
  const { drafts } = desk();
  drafts.write("cora", "Hello");
  assert.equal(drafts.of("eve").reply.value, "");
});
