/** Pointer tools on the picture: click, box, brush, eraser, polygon, pan. */

import { boxBetween, clickAt, paint } from "./actions.js";
import { byId, rgb } from "./dom.js";
import { tell } from "./messages.js";
import { clamp, cross, onVideo, pan, redraw, setSketch, view } from "./stage.js";
import { colourOf, nextId, set, state, watch } from "./state.js";

/** @typedef {[number, number]} Point */

const canvas = byId("stage", HTMLCanvasElement);
/** @type {Point[]} */
let polygon = [];
/** @type {Point | null} */
let corner = null;

const colour = () => colourOf(state.selected ?? nextId());

/** @param {import("./types.js").Tool} tool */
export function useTool(tool) {
  dropSketch();
  set({ tool });
}

/** Forget what is half drawn. */
export function dropSketch() {
  polygon = [];
  corner = null;
  setSketch(null);
}

/** Whether something is half drawn. */
export const isDrawing = () => polygon.length > 0 || corner !== null;

/** Close the polygon; whether there was one. */
export function finishPolygon() {
  if (polygon.length < 3) return false;
  const points = polygon;
  dropSketch();
  paint(raster((pen) => path(pen, points, true)), true);
  return true;
}

/** @param {PointerEvent} down */
function begin(down) {
  canvas.focus();
  if (!state.video) return;
  const panning = state.tool === "pan" || down.button === 1;
  if (panning) return drag(down, (move) => pan(move.movementX * ratio(), move.movementY * ratio()));
  const include = down.button === 0 && !down.shiftKey && !down.altKey;
  switch (state.tool) {
    case "click":
      return void clickAt(onVideo(down), include);
    case "box":
      return box(down);
    case "polygon":
      return vertex(onVideo(down));
    case "brush":
    case "eraser":
      return stroke(down, (state.tool === "brush") === include);
    default:
  }
}

const ratio = () => window.devicePixelRatio || 1;

/**
 * Follow the pointer until it is let go.
 * @param {PointerEvent} down
 * @param {(move: PointerEvent) => void} follow
 * @param {(up: PointerEvent) => void} [end]
 */
function drag(down, follow, end) {
  canvas.setPointerCapture(down.pointerId);
  const stop = new AbortController();
  canvas.addEventListener("pointermove", follow, { signal: stop.signal });
  for (const name of /** @type {const} */ (["pointerup", "pointercancel"])) {
    const up = (/** @type {PointerEvent} */ event) => {
      stop.abort();
      if (name === "pointerup") end?.(event);
      else dropSketch();
    };
    canvas.addEventListener(name, up, { signal: stop.signal });
  }
}

/** @param {PointerEvent} down */
function box(down) {
  const from = onVideo(down);
  drag(
    down,
    (move) => sketchBox(from, onVideo(move)),
    (up) => {
      setSketch(null);
      boxBetween(from, onVideo(up));
    },
  );
}

/** @param {Point} from  @param {Point} to */
function sketchBox([x0, y0], [x1, y1]) {
  setSketch((pen) => {
    pen.lineWidth = 2 / view.scale;
    pen.strokeStyle = rgb(colour());
    pen.strokeRect(x0, y0, x1 - x0, y1 - y0);
  });
}

/** @param {Point} point */
function vertex(point) {
  const first = polygon[0];
  if (polygon.length > 2 && Math.hypot(point[0] - first[0], point[1] - first[1]) < 9 / view.scale) {
    finishPolygon();
    return;
  }
  polygon.push(point);
  setSketch((pen) => {
    pen.lineWidth = 2 / view.scale;
    pen.strokeStyle = rgb(colour());
    path(pen, polygon, false);
    pen.stroke();
    for (const [x, y] of polygon) {
      pen.fillStyle = "#fff";
      pen.fillRect(x - 3 / view.scale, y - 3 / view.scale, 6 / view.scale, 6 / view.scale);
    }
  });
}

/** @param {PointerEvent} down  @param {boolean} add */
function stroke(down, add) {
  /** @type {Point[]} */
  const points = [onVideo(down)];
  const show = () =>
    setSketch((pen) => {
      pen.strokeStyle = add ? rgb(colour(), 0.7) : "rgba(0, 0, 0, 0.7)";
      trail(pen, points);
    });
  show();
  drag(
    down,
    (move) => {
      points.push(onVideo(move));
      show();
    },
    () => {
      setSketch(null);
      paint(raster((pen) => trail(pen, points)), add);
    },
  );
}

/**
 * @param {CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D} pen
 * @param {Point[]} points
 */
function trail(pen, points) {
  pen.lineWidth = 2 * state.brush;
  pen.lineCap = pen.lineJoin = "round";
  pen.beginPath();
  pen.moveTo(...points[0]);
  points.forEach((point) => pen.lineTo(...point));
  pen.lineTo(points[points.length - 1][0] + 0.01, points[points.length - 1][1]); // a dot is a line too
  pen.stroke();
}

/**
 * @param {CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D} pen
 * @param {Point[]} points
 * @param {boolean} filled
 */
function path(pen, points, filled) {
  pen.beginPath();
  points.forEach(([x, y], k) => (k ? pen.lineTo(x, y) : pen.moveTo(x, y)));
  if (!filled) return;
  pen.closePath();
  pen.fill();
}

/**
 * What is drawn, as pixels of the video: 1 where at least half of one is covered.
 * @param {(pen: OffscreenCanvasRenderingContext2D) => void} draw
 */
function raster(draw) {
  const { width, height } = /** @type {import("./types.js").Video} */ (state.video);
  const pen = new OffscreenCanvas(width, height).getContext("2d");
  if (!pen) throw new Error("this browser has no canvas");
  pen.strokeStyle = pen.fillStyle = "#fff";
  draw(pen);
  const { data } = pen.getImageData(0, 0, width, height);
  return Uint8Array.from({ length: width * height }, (_, k) => (data[4 * k + 3] > 127 ? 1 : 0));
}

/**
 * Move the keyboard's point on the picture.
 * @param {number} x
 * @param {number} y
 */
export function moveCross(x, y) {
  const { width, height } = state.video ?? { width: 2, height: 2 };
  const [before, after] = cross.point ?? [width / 2, height / 2];
  cross.point = clamp([before + x, after + y]);
  if (state.tool === "box" && corner) sketchBox(corner, cross.point);
  redraw();
}

/**
 * Use the tool at the keyboard's point.
 * @param {boolean} include
 */
export function useCross(include) {
  const point = cross.point;
  if (!point) return tell("Move the cross first: Alt with the arrow keys.");
  if (state.tool === "box") {
    if (!corner) {
      corner = point;
      return sketchBox(point, point);
    }
    const from = corner;
    dropSketch();
    return boxBetween(from, point);
  }
  if (state.tool === "polygon") return vertex(point);
  if (state.tool === "brush" || state.tool === "eraser") {
    return paint(raster((pen) => trail(pen, [point])), (state.tool === "brush") === include);
  }
  return clickAt(point, include);
}

/** @param {number} factor */
export function resizeBrush(factor) {
  set({ brush: Math.max(1, Math.min(200, Math.round(state.brush * factor))) });
}

export function startTools() {
  canvas.addEventListener("pointerdown", begin);
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener("dblclick", () => state.tool === "polygon" && finishPolygon());
  for (const one of document.querySelectorAll("#tools button[data-tool]")) {
    const tool = /** @type {import("./types.js").Tool} */ (
      /** @type {HTMLElement} */ (one).dataset.tool
    );
    one.addEventListener("click", () => useTool(tool));
    watch(["tool"], () => one.setAttribute("aria-pressed", String(state.tool === tool)));
  }
  const brush = byId("brush", HTMLInputElement);
  brush.addEventListener("input", () => set({ brush: Number(brush.value) }));
  watch(["brush"], () => (brush.value = String(state.brush)));
  watch(["tool"], () => {
    canvas.dataset.tool = state.tool;
    byId("brush-size", HTMLElement).hidden = !["brush", "eraser"].includes(state.tool);
  });
}
