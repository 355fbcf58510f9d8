/** Everything by keyboard. The list is what the help shows. */

import { clearFrame, removeObject, toggleMark, toggleOutOfBody, undoOrRedo } from "./actions.js";
import { closeDialogs, openDialog } from "./dialogs.js";
import { byId } from "./dom.js";
import { chooseByKey, newObject, toggleHidden } from "./objects.js";
import { goTo, lastFrame, step, togglePlay } from "./player.js";
import { cancelRunning, judge, togglePause, track } from "./runs.js";
import { cross, fit, redraw, zoom } from "./stage.js";
import { set, state } from "./state.js";
import { nextAlarm, nextUncertain, zoomTimeline } from "./timeline.js";
import { dropSketch, finishPolygon, isDrawing, moveCross, resizeBrush, useCross, useTool } from "./tools.js";

/**
 * `shown`: how the list writes the keys, where several lines are one; empty: another line says it.
 * @typedef {{group: string, keys: string[], text: string, work: () => unknown, shown?: string}} Shortcut
 */

/**
 * @param {string} group
 * @param {string} keys
 * @param {string} text
 * @param {() => unknown} work
 * @param {string} [shown]
 * @returns {Shortcut}
 */
const key = (group, keys, text, work, shown) => ({ group, keys: keys.split(" "), text, work, shown });

/** @type {Shortcut[]} */
export const SHORTCUTS = [
  key("Video", "Space", "play, stop", togglePlay),
  key("Video", "F ArrowRight", "next frame", () => step(1)),
  key("Video", "D ArrowLeft", "previous frame", () => step(-1)),
  key("Video", "Shift+ArrowRight Shift+F", "ten frames on", () => step(10)),
  key("Video", "Shift+ArrowLeft Shift+D", "ten frames back", () => step(-10)),
  key("Video", "Home", "first frame", () => goTo(0)),
  key("Video", "End", "last frame", () => goTo(lastFrame())),
  key("Video", "G", "go to a frame or time", () => openDialog("go-to")),
  key("Video", "+ =", "zoom in", () => zoom(1.25)),
  key("Video", "-", "zoom out", () => zoom(0.8)),
  key("Video", "0", "whole picture", fit),
  key("Video", "Ctrl+ArrowUp", "timeline: closer", () => zoomTimeline(0.5)),
  key("Video", "Ctrl+ArrowDown", "timeline: further away", () => zoomTimeline(2)),
  key("Objects", "N", "new object", newObject),
  ...[1, 2, 3, 4, 5, 6, 7, 8, 9].map((n) =>
    key("Objects", String(n), "an object of the list", () => chooseByKey(n), n === 1 ? "1 … 9" : ""),
  ),
  key("Objects", "R", "name the object", () => byId("object-name", HTMLInputElement).select()),
  key("Objects", "H", "show or hide its masks", () => state.selected !== null && toggleHidden(state.selected)),
  key("Objects", "Delete", "take back its prompts on this frame", clearFrame),
  key("Objects", "Shift+Delete", "remove the object", () => state.selected !== null && removeObject(state.selected)),
  key("Prompts", "C", "clicks: left adds; right, Shift or Alt takes away", () => useTool("click")),
  key("Prompts", "B", "box", () => useTool("box")),
  key("Prompts", "W", "brush", () => useTool("brush")),
  key("Prompts", "E", "eraser", () => useTool("eraser")),
  key("Prompts", "O", "polygon; Enter closes it", () => useTool("polygon")),
  key("Prompts", "M", "mask from a picture", () => byId("mask-file", HTMLInputElement).click()),
  key("Prompts", "V", "move the picture", () => useTool("pan")),
  key("Prompts", ".", "larger brush", () => resizeBrush(1.25)),
  key("Prompts", ",", "smaller brush", () => resizeBrush(0.8)),
  ...crossKeys("Alt+", 8, "move a cross instead of the mouse", "Alt+ Arrows"),
  ...crossKeys("Alt+Shift+", 1, "the same by single pixels", "Alt+Shift+ Arrows"),
  key("Prompts", "Insert I", "use the tool at the cross", () => useCross(true)),
  key("Prompts", "Shift+Insert Shift+I", "take away at the cross", () => useCross(false)),
  key("Tracking", "T", "track as the form says", () => track()),
  key("Tracking", "Shift+T", "track backward", () => track("backward")),
  key("Tracking", "P", "pause or resume", togglePause),
  key("Tracking", "Enter", "accept the newest run", () => finishPolygon() || judge("accept")),
  key("Tracking", "Backspace", "discard the newest run", () => judge("discard")),
  key("Tracking", "X", "compare with what a run replaced", () => set({ compare: !state.compare })),
  key("Checking", "U", "next uncertain frame", () => nextUncertain(1)),
  key("Checking", "Shift+U", "previous uncertain frame", () => nextUncertain(-1)),
  key("Checking", "J", "next alarm", () => nextAlarm(1)),
  key("Checking", "Shift+J", "previous alarm", () => nextAlarm(-1)),
  key("Checking", "[", "range starts here", () => setRange(0)),
  key("Checking", "]", "range ends here", () => setRange(1)),
  key("Checking", "A", "absent on these frames, or not", () => toggleMark("absent")),
  key("Checking", "L", "lock these frames, or not", () => toggleMark("locked")),
  key("Checking", "Q", "out of body on these frames, or not", toggleOutOfBody),
  key("Session", "Ctrl+Z", "undo", () => undoOrRedo("undo")),
  key("Session", "Ctrl+Y Ctrl+Shift+Z", "redo", () => undoOrRedo("redo")),
  key("Session", "Ctrl+E", "export", () => openDialog("export")),
  key("Session", "?", "this list", () => openDialog("help")),
  key("Session", "Escape", "drop what is half drawn, the range, the run under way", escape),
];

/**
 * @param {string} held
 * @param {number} by  pixels of the video
 * @param {string} text
 * @param {string} shown
 */
function crossKeys(held, by, text, shown) {
  const ways = /** @type {const} */ ({ Up: [0, -by], Down: [0, by], Left: [-by, 0], Right: [by, 0] });
  return Object.entries(ways).map(([way, [x, y]], k) =>
    key("Prompts", `${held}Arrow${way}`, text, () => moveCross(x, y), k === 0 ? shown : ""),
  );
}

/** @param {0 | 1} end */
function setRange(end) {
  const [first, last] = state.range ?? [state.frame, state.frame];
  const frame = state.frame;
  set({ range: end === 0 ? [frame, Math.max(frame, last)] : [Math.min(first, frame), frame] });
}

/** The least that can be dropped. */
function escape() {
  if (isDrawing()) return dropSketch();
  if (cross.point) {
    cross.point = null;
    return redraw();
  }
  if (state.range) return set({ range: null });
  cancelRunning();
}

/**
 * A key as the list writes it.
 * @param {KeyboardEvent} event
 */
export function nameOfKey(event) {
  const plain = event.key === " " ? "Space" : event.key.length === 1 ? event.key.toUpperCase() : event.key;
  const letter = /^[A-Z]$/.test(plain) || plain.length > 1;
  return [
    event.ctrlKey || event.metaKey ? "Ctrl+" : "",
    event.altKey ? "Alt+" : "",
    event.shiftKey && letter ? "Shift+" : "",
    plain,
  ].join("");
}

const table = new Map(SHORTCUTS.flatMap((one) => one.keys.map((name) => /** @type {const} */ ([name, one]))));

/** @param {KeyboardEvent} event */
function press(event) {
  const at = /** @type {HTMLElement} */ (event.target);
  if (document.querySelector("dialog[open]")) {
    if (event.key === "Escape") closeDialogs();
    return;
  }
  if (at.matches("input:not([type=radio], [type=checkbox], [type=range]), select, textarea")) {
    if (event.key === "Escape") at.blur();
    return;
  }
  // Keys that work the element that has the focus stay its own.
  if (at.matches("button, summary, a, input") && ["Enter", " "].includes(event.key)) return;
  if (at.matches("input[type=radio], input[type=range]") && event.key.startsWith("Arrow")) return;
  const found = table.get(nameOfKey(event));
  if (!found) return;
  event.preventDefault();
  found.work();
}

export function startKeys() {
  document.addEventListener("keydown", press);
}
