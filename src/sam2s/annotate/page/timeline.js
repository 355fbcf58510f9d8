/** One lane an object over all frames: its state, its confidence, prompts, locks and alarms. */

import { byId, clock, rgb, soon } from "./dom.js";
import { tell } from "./messages.js";
import { goTo, lastFrame, pause } from "./player.js";
import { inside, nameOf, set, state, watch } from "./state.js";

const canvas = byId("timeline", HTMLCanvasElement);
const HEAD = 22;
const LANE = 30;
const NAMES = 118;
/** Frames that are shown: all, or a part after zooming. */
const part = { first: 0, length: 0 };
export const UNCERTAIN = 3;

const redraw = soon(draw);

const frames = () => state.video?.frames ?? 1;
const width = () => canvas.width / ratio() - NAMES - 8;
const ratio = () => window.devicePixelRatio || 1;

/** @param {number} frame  its left edge, in CSS pixels */
const xOf = (frame) => NAMES + ((frame - part.first) / part.length) * width();

/** @param {number} x */
function frameAt(x) {
  return Math.max(0, Math.min(lastFrame(), Math.floor(part.first + ((x - NAMES) / width()) * part.length)));
}

function draw() {
  const pen = canvas.getContext("2d");
  if (!pen) return;
  if (!state.video) {
    canvas.width = 1; // nothing of another video
    return;
  }
  if (!part.length) part.length = frames();
  const objects = state.session?.objects ?? [];
  const height = HEAD + Math.max(1, objects.length) * LANE;
  canvas.style.height = `${height}px`;
  canvas.width = Math.round(canvas.clientWidth * ratio());
  canvas.height = Math.round(height * ratio());
  pen.setTransform(ratio(), 0, 0, ratio(), 0, 0);
  pen.font = "12px system-ui, sans-serif";
  ruler(pen);
  outOfBody(pen, height);
  objects.forEach((object, k) => lane(pen, object, HEAD + k * LANE));
  range(pen, height);
  playhead(pen, height);
}

/** @param {CanvasRenderingContext2D} pen */
function ruler(pen) {
  const step = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000].find(
    (n) => (n / part.length) * width() > 70,
  ) ?? 100000;
  pen.fillStyle = "#c3c9d1";
  for (let frame = Math.ceil(part.first / step) * step; frame < part.first + part.length; frame += step) {
    const x = xOf(frame);
    if (x < NAMES) continue;
    pen.fillRect(x, HEAD - 5, 1, 5);
    pen.fillText(String(frame), x + 3, HEAD - 8);
  }
}

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {import("./types.js").AnnotatedObject} object
 * @param {number} y
 */
function lane(pen, object, y) {
  const chosen = object.id === state.selected;
  pen.fillStyle = chosen ? "#2b3a4d" : "#1d2229";
  pen.fillRect(0, y + 1, canvas.clientWidth, LANE - 2);
  pen.fillStyle = rgb(object.colour);
  pen.fillRect(4, y + 6, 10, LANE - 12);
  pen.fillStyle = "#e8ebef";
  pen.fillText(nameOf(object.id).slice(0, 16), 20, y + 19);
  const found = state.lanes.get(object.id);
  if (found && found.states.length >= frames()) strip(pen, found, object, y);
  pen.fillStyle = "#8e99a6";
  for (const [first, last] of object.absent) hatch(pen, first, last, y + 4, 12);
  for (const [first, last] of object.locked) lock(pen, first, last, y);
  for (const frame of Object.keys(object.given)) diamond(pen, xOf(Number(frame) + 0.5), y + 10);
}

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {import("./types.js").Lane} lane
 * @param {import("./types.js").AnnotatedObject} object
 * @param {number} y
 */
function strip(pen, lane, object, y) {
  const columns = Math.max(1, Math.floor(width()));
  const wide = ratio() % 1 ? 1.5 : 1; // else the ground shows between columns
  for (let column = 0; column < columns; column += 1) {
    const first = Math.floor(part.first + (column / columns) * part.length);
    const end = Math.max(first + 1, Math.floor(part.first + ((column + 1) / columns) * part.length));
    const seen = summary(lane, first, Math.min(end, frames()));
    const x = NAMES + column;
    if (seen.state === 1) {
      pen.fillStyle = rgb(object.colour);
      pen.fillRect(x, y + 4, wide, 12);
    } else if (seen.state === 2) {
      pen.fillStyle = "#5b6673";
      pen.fillRect(x, y + 14, wide, 2);
    } else if (seen.state === UNCERTAIN) {
      pen.fillStyle = "#f2f4f7";
      pen.fillRect(x, y + 4 + (column % 4 < 2 ? 0 : 6), wide, 6); // checks: told apart without colour
    }
    if (seen.state) {
      pen.fillStyle = "#aeb8c4";
      const high = Math.round((seen.score / 255) * 9);
      pen.fillRect(x, y + 27 - high, wide, Math.max(1, high));
    }
    if (seen.alarms) alarm(pen, x, y, seen.alarms);
  }
}

/**
 * What a column of frames is: uncertain where any is, its lowest score, all its alarms.
 * @param {import("./types.js").Lane} lane
 * @param {number} first
 * @param {number} end
 */
function summary(lane, first, end) {
  let [status, score, alarms] = [0, 255, 0];
  for (let frame = first; frame < end; frame += 1) {
    const here = lane.states[frame];
    if (here === UNCERTAIN || status === 0) status = here;
    else if (status !== UNCERTAIN && here === 1) status = 1;
    if (here) score = Math.min(score, lane.scores[frame]);
    alarms |= lane.alarms[frame];
  }
  return { state: status, score, alarms };
}

/**
 * Drift: a triangle. Two objects on one thing: two squares.
 * @param {CanvasRenderingContext2D} pen
 * @param {number} x
 * @param {number} y
 * @param {number} alarms
 */
function alarm(pen, x, y, alarms) {
  const { drift, double } = state.project?.alarms ?? { drift: 1, double: 2 };
  pen.fillStyle = "#ff8ad8";
  if (alarms & drift) {
    pen.beginPath();
    pen.moveTo(x - 4, y + 1);
    pen.lineTo(x + 4, y + 1);
    pen.lineTo(x, y + 8);
    pen.fill();
  }
  if (alarms & double) {
    pen.fillRect(x - 4, y + 1, 3, 6);
    pen.fillRect(x + 1, y + 1, 3, 6);
  }
}

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {number} x
 * @param {number} y
 */
function diamond(pen, x, y) {
  if (x < NAMES) return;
  pen.beginPath();
  pen.moveTo(x, y - 6);
  pen.lineTo(x + 5, y);
  pen.lineTo(x, y + 6);
  pen.lineTo(x - 5, y);
  pen.closePath();
  pen.fillStyle = "#fff";
  pen.fill();
  pen.strokeStyle = "#000";
  pen.stroke();
}

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {number} first
 * @param {number} last
 * @param {number} y
 * @param {number} height
 */
function hatch(pen, first, last, y, height) {
  const [from, to] = ends(first, last);
  if (to <= from) return;
  pen.save();
  pen.beginPath();
  pen.rect(from, y, to - from, height);
  pen.clip();
  pen.fillStyle = "#14171b";
  pen.fillRect(from, y, to - from, height);
  pen.strokeStyle = "#8e99a6";
  pen.beginPath();
  for (let x = from - height; x < to; x += 6) {
    pen.moveTo(x, y + height);
    pen.lineTo(x + height, y);
  }
  pen.stroke();
  pen.restore();
}

/**
 * @param {number} first
 * @param {number} last
 * @returns {[number, number]}
 */
const ends = (first, last) => [Math.max(NAMES, xOf(first)), Math.min(NAMES + width(), Math.max(xOf(last + 1), xOf(first) + 2))];

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {number} first
 * @param {number} last
 * @param {number} y
 */
function lock(pen, first, last, y) {
  const [from, to] = ends(first, last);
  if (to <= from) return;
  pen.fillStyle = "#ffffff";
  pen.fillRect(from, y + 1, to - from, 2);
  pen.fillRect(from, y + 16, to - from, 2);
  pen.fillRect(from, y + 1, 2, 17);
  pen.fillRect(to - 2, y + 1, 2, 17);
}

/** @param {CanvasRenderingContext2D} pen  @param {number} height */
function outOfBody(pen, height) {
  for (const [first, last] of state.session?.out_of_body ?? []) hatch(pen, first, last, 0, height);
}

/** @param {CanvasRenderingContext2D} pen  @param {number} height */
function range(pen, height) {
  if (!state.range) return;
  const [from, to] = ends(...state.range);
  pen.fillStyle = "#4aa8ff44";
  pen.fillRect(from, 0, to - from, height);
  pen.fillStyle = "#4aa8ff";
  pen.fillRect(from, 0, 2, height);
  pen.fillRect(to - 2, 0, 2, height);
}

/** @param {CanvasRenderingContext2D} pen  @param {number} height */
function playhead(pen, height) {
  const x = xOf(state.frame + 0.5);
  if (x < NAMES) return;
  pen.fillStyle = "#000";
  pen.fillRect(x - 2, 0, 4, height);
  pen.fillStyle = "#fff";
  pen.fillRect(x - 1, 0, 2, height);
  pen.beginPath();
  pen.moveTo(x - 6, 0);
  pen.lineTo(x + 6, 0);
  pen.lineTo(x, 8);
  pen.fill();
}

/**
 * @param {number} factor  of the frames that are shown
 * @param {number} around  frame that stays where it is
 */
export function zoomTimeline(factor, around = state.frame) {
  const length = Math.max(10, Math.min(frames(), part.length * factor));
  const share = (around - part.first) / part.length;
  part.first = Math.max(0, Math.min(frames() - length, around - share * length));
  part.length = length;
  redraw();
}

/** Keep the frame that is shown in sight. */
function follow() {
  if (state.frame < part.first || state.frame >= part.first + part.length) {
    part.first = Math.max(0, Math.min(frames() - part.length, state.frame - part.length / 2));
  }
  redraw();
}

/**
 * Go to the next frame where a stretch begins for which `matters` holds.
 * @param {(lane: import("./types.js").Lane, frame: number) => boolean} matters
 * @param {1 | -1} way
 * @param {string} what  for the message when there is none
 */
function next(matters, way, what) {
  const lanes = [...state.lanes].filter(([id]) => state.session?.objects.some((one) => one.id === id));
  const open = (/** @type {number} */ id, /** @type {number} */ frame) =>
    !inside(state.session?.objects.find((one) => one.id === id)?.locked ?? [], frame);
  for (let frame = state.frame + way; frame >= 0 && frame < frames(); frame += way) {
    for (const [id, lane] of lanes) {
      if (!matters(lane, frame) || (frame > 0 && matters(lane, frame - 1)) || !open(id, frame)) continue;
      set({ selected: id });
      pause();
      return goTo(frame);
    }
  }
  tell(`No ${way > 0 ? "later" : "earlier"} ${what}.`);
}

/** @param {1 | -1} way */
export const nextUncertain = (way) =>
  next((lane, frame) => lane.states[frame] === UNCERTAIN, way, "uncertain frame");

/** @param {1 | -1} way */
export const nextAlarm = (way) => next((lane, frame) => lane.alarms[frame] !== 0, way, "alarm");

/** @param {PointerEvent} down */
function begin(down) {
  if (!state.video) return;
  const box = canvas.getBoundingClientRect();
  const at = (/** @type {PointerEvent} */ event) => frameAt(event.clientX - box.left);
  const k = Math.floor((down.clientY - box.top - HEAD) / LANE);
  const object = state.session?.objects[k];
  if (object && down.clientY - box.top > HEAD) set({ selected: object.id });
  if (down.clientX - box.left < NAMES) return;
  const from = at(down);
  pause();
  const scrub = (/** @type {PointerEvent} */ event) => {
    const to = at(event);
    if (down.shiftKey) set({ range: [Math.min(from, to), Math.max(from, to)] });
    else goTo(to);
  };
  scrub(down);
  canvas.setPointerCapture(down.pointerId);
  canvas.addEventListener("pointermove", scrub);
  canvas.addEventListener("pointerup", () => canvas.removeEventListener("pointermove", scrub), { once: true });
}

export function startTimeline() {
  new ResizeObserver(redraw).observe(/** @type {Element} */ (canvas.parentElement));
  canvas.addEventListener("pointerdown", begin);
  canvas.addEventListener(
    "wheel",
    (event) => {
      if (!event.ctrlKey && !event.altKey && Math.abs(event.deltaY) < Math.abs(event.deltaX)) return;
      event.preventDefault();
      zoomTimeline(event.deltaY < 0 ? 0.8 : 1.25, frameAt(event.clientX - canvas.getBoundingClientRect().left));
    },
    { passive: false },
  );
  watch(["video"], () => {
    part.first = 0;
    part.length = frames();
    redraw();
  });
  watch(["session", "lanes", "selected", "range"], redraw);
  watch(["frame"], follow);
  watch(["frame", "video", "masks"], () => {
    const time = state.masks?.frame === state.frame ? state.masks.time : null;
    const text = `frame ${state.frame} of ${frames()}${time === null ? "" : ` · ${clock(time)}`}`;
    byId("position", HTMLElement).textContent = state.video ? text : "";
    canvas.setAttribute("aria-valuenow", String(state.frame));
    canvas.setAttribute("aria-valuemax", String(lastFrame()));
    canvas.setAttribute("aria-valuetext", text);
  });
}
