/** Five steps through the page, shown once, and again when asked for. */

import { byId } from "./dom.js";

const SEEN = "sam2s-tour-seen";
const STEPS = [
  ["stage-area", "Click on an object", "A left click says: this is it. Its mask is there at once. A right click, or Shift or Alt with a click, says: not this. Drag a box (B), or paint (W, E, O), where that is easier."],
  ["objects-panel", "Name it, add others", "N begins a new object; the number keys choose one. Names are classes of the list, or your own words."],
  ["track-panel", "Track it", "T follows the objects through the video, forward, backward or both. Masks come in while you go on clicking elsewhere. Pause and cancel when you like: what is done stays."],
  ["timeline-area", "Find trouble, correct it", "One lane an object: filled where it is in view, checked where the tracker is unsure. U goes to the next unsure frame. Click there and press T again: only what follows is tracked anew, up to the next locked frame (L), and you accept or discard it."],
  ["topbar", "Nothing is lost", "Every click is on the disk before the page says “Saved”. Undo goes back to the beginning, after a restart too. Export writes any format; out-of-body frames (Q) leave black."],
];

let at = 0;
/** @type {HTMLElement | null} */
let lit = null;

function show() {
  const [id, title, text] = STEPS[at];
  lit?.classList.remove("lit");
  lit = byId(id, HTMLElement);
  lit.classList.add("lit");
  byId("tour-title", HTMLElement).textContent = `${at + 1} of ${STEPS.length}: ${title}`;
  byId("tour-text", HTMLElement).textContent = text;
  byId("tour-next", HTMLButtonElement).textContent = at === STEPS.length - 1 ? "Start" : "Next";
  byId("tour-back", HTMLButtonElement).disabled = at === 0;
}

/** @param {number} by */
function go(by) {
  at += by;
  if (at >= STEPS.length) return byId("tour", HTMLDialogElement).close();
  show();
}

export function startTour() {
  const tour = byId("tour", HTMLDialogElement);
  byId("tour-next", HTMLButtonElement).addEventListener("click", () => go(1));
  byId("tour-back", HTMLButtonElement).addEventListener("click", () => go(-1));
  tour.addEventListener("close", () => {
    lit?.classList.remove("lit");
    localStorage.setItem(SEEN, "yes");
  });
  const open = () => {
    at = 0;
    show();
    tour.showModal();
  };
  byId("tour-open", HTMLButtonElement).addEventListener("click", open);
  if (!localStorage.getItem(SEEN)) open();
}
