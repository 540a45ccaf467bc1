// widget/resume.js – opens a follow-up mail's link: its words stand behind the #, where no server log sees them

import { keep } from "./kept.js";

const page = /** @type {HTMLElement} */ (document.getElementById("resume"));
const { site, token, chat } = /** @type {{site: string, token: string, chat: string}} */ (page.dataset);

const link = location.hash.slice(1);
history.replaceState(null, "", location.pathname); // so that nobody finds it in the history

try {
  const answer = await fetch(token, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ link }),
  });
  if (!answer.ok) throw new Error(String(answer.status));
  keep(`helpdesk:${site}:token`, (await answer.json()).token);
  location.replace(chat);
} catch {
  page.querySelector("[data-opening]")?.setAttribute("hidden", "");
  page.querySelector("[data-expired]")?.removeAttribute("hidden");
}
