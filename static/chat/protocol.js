// chat/protocol.js – the words of the wire (docs/protocol.md), as types, and ids.

/**
 * @typedef {{kind: "customer"|"agent"|"bot"|"system", id: string, name: string, avatar?: string}} Author
 * @typedef {{id: string, name: string, type: string, size: number, url: string,
 *   width?: number, height?: number, duration?: number}} Attachment
 * @typedef {{seq: number, notes?: number, id: string, kind: "text"|"system"|"note", author: Author, text: string,
 *   attachments: Attachment[], at: string, event?: string, data?: Record<string, any>}} Message
 * @typedef {{id: string, name: string, avatar?: string}} AgentName
 * @typedef {{id: string, version: number, site: string, queue: {id: string, name: string},
 *   state: "waiting"|"active"|"ended", outcome?: string, agent: AgentName|null, position?: number,
 *   wait_seconds?: [number, number], seq: number, notes?: number, read: {customer: number, agent: number},
 *   rating?: number, left?: boolean, created_at: string, started_at?: string, ended_at?: string,
 *   customer?: any, tags?: string[], why?: string, because?: any, gone_since?: string,
 *   transfer?: {to: {queue?: string, agent?: string}, by: AgentName, note: string}}} Conversation
 * @typedef {{type: string, id?: string, [field: string]: any}} Frame
 */

/** A new client-made id. Works on plain http too, where crypto.randomUUID does not exist. */
export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Close codes after which trying again helps. After any other it would not. */
export const RETRY_AFTER = new Set([1001, 1005, 1006, 1011, 1012, 4011, 4012, 4408, 4409, 4429]);

export const NOT_SIGNED_IN = 4401;
export const FORBIDDEN = 4403;
export const UNKNOWN_SITE = 4404;

/** Refusals that mean "later", with the same id. */
export const LATER = new Set(["rate_limited", "overloaded"]);
