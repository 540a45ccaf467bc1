// <button data-copy="id of what to copy" data-copied="word of success">

const SHOWN_MS = 2000;

for (const button of document.querySelectorAll("button[data-copy]")) {
  if (button instanceof HTMLButtonElement) {
    button.addEventListener("click", () => copy(button));
  }
}

/**
 * The clipboard needs https or localhost; elsewhere the text is left selected.
 * @param {HTMLButtonElement} button
 */
async function copy(button) {
  const source = document.getElementById(button.dataset.copy ?? "");
  if (!source) return;
  getSelection()?.selectAllChildren(source);
  if (!navigator.clipboard) return;
  await navigator.clipboard.writeText(source.textContent ?? "");
  const before = button.textContent;
  button.textContent = button.dataset.copied ?? before;
  setTimeout(() => (button.textContent = before), SHOWN_MS);
}
