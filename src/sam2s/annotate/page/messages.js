/** Short words at the bottom of the picture, read out by screen readers. */

import { el } from "./dom.js";

/**
 * @param {string} text
 * @param {"note" | "error"} [kind]
 */
export function tell(text, kind = "note") {
  const place = /** @type {HTMLElement} */ (document.getElementById("messages"));
  for (const one of [...place.children]) if (one.firstChild?.nodeValue === text) one.remove(); // once is enough
  const line = el("p", { class: `message ${kind}` }, text);
  const close = el("button", { type: "button", title: "Close" }, "×");
  close.addEventListener("click", () => line.remove());
  line.append(close);
  place.append(line);
  while (place.children.length > 3) place.firstElementChild?.remove();
  if (kind === "note") setTimeout(() => line.remove(), 6000);
}

/** @param {unknown} error */
export function fail(error) {
  tell(error instanceof Error ? sentence(error.message) : String(error), "error");
}

/** @param {string} text */
function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
