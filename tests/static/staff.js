// What the desk tells an agent, for tests: small frames with everything that matters.

let last = 0;

export const ada = { id: "ada", name: "Ada", status: "online", connected: true, active: true, load: 0, capacity: 4 };
export const ben = { ...ada, id: "ben", name: "Ben" };
export const sales = { id: "1", name: "Sales", open: true, waiting: 0, active: 0, longest_wait_seconds: 0, staffed: 1 };
export const billing = { ...sales, id: "2", name: "Billing" };

const customer = (name) => ({ id: `c-${name}`, name, email: null, verified: false, page: {}, locale: "en", fields: {}, online: true });

export function conversation(id, fields = {}) {
  return {
    id,
    version: 1,
    site: "demo",
    queue: { id: "1", name: "Sales" },
    state: "waiting",
    agent: null,
    seq: 0,
    notes: 0,
    read: { customer: 0, agent: 0 },
    created_at: `2026-03-04T05:06:${String(++last % 60).padStart(2, "0")}.000Z`,
    customer: customer(id),
    tags: [],
    why: "",
    ...fields,
  };
}

/** A conversation that Ada holds. */
export const held = (id, fields = {}) =>
  conversation(id, { state: "active", agent: { id: "ada", name: "Ada" }, started_at: "2026-03-04T05:07:00.000Z", ...fields });

export function said(seq, fields = {}) {
  const { by = "customer", notes = 0, ...rest } = fields;
  return {
    seq,
    notes,
    id: `m-${seq}-${notes}`,
    kind: "text",
    author: { kind: by, id: by === "agent" ? "ada" : by, name: by },
    text: `text ${seq}`,
    attachments: [],
    at: `2026-03-04T06:00:${String(seq + notes).padStart(2, "0")}.000Z`,
    ...rest,
  };
}

export function welcome(fields = {}) {
  return {
    type: "welcome",
    protocol: 1,
    agent: ada,
    agents: [ada, ben],
    queues: [sales, billing],
    conversations: [],
    waiting: [],
    offers: [],
    messages: {},
    more: {},
    heartbeat: 20,
    limits: { text: 10_000, frame: 65_536, attachment_bytes: 1000, attachments: 5, types: [] },
    ...fields,
  };
}

export const posted = (conversation, message) => ({ type: "message.posted", conversation, message });
export const changed = (conversation) => ({ type: "conversation.changed", conversation });
