// Keeps the numbers of waiting and active conversations on the page true.

const EVERY_MS = 5000;

/** @returns {HTMLElement[]} */
function shown() {
  return Array.from(document.querySelectorAll("[data-queue][data-number]"));
}

/** @returns {Promise<void>} */
async function refresh() {
  if (document.hidden) return;
  const answer = await fetch(address(), { headers: { Accept: "application/json" } });
  if (!answer.ok || answer.redirected) return; // signed out: the next click says so
  const { queues } = await answer.json();
  for (const place of shown()) {
    const number = queues[place.dataset.queue ?? ""]?.[place.dataset.number ?? ""];
    if (number !== undefined) place.textContent = String(number);
  }
}

/** Beside this page, wherever the admin is mounted. */
function address() {
  const [root] = location.pathname.split("/helpdesk/queue/");
  return `${root}/helpdesk/queue/numbers/`;
}

if (shown().length) {
  setInterval(() => refresh().catch(() => {}), EVERY_MS); // offline: the last known stand
}
