/** The picture: frame, masks, prompts, and where on it something is. */

import { byId, rgb, soon } from "./dom.js";
import { readyPicture } from "./frames.js";
import { paintMasks } from "./maskpaint.js";
import { colourOf, inside, nameOf, state, watch } from "./state.js";

const canvas = byId("stage", HTMLCanvasElement);
/** From pixels of the video to those of the canvas: `canvas = video * scale + offset`. */
export const view = { scale: 1, x: 0, y: 0, fitted: true };
/** A point that the keyboard moves, in pixels of the video; null while it is not used. */
export const cross = { point: /** @type {[number, number] | null} */ (null) };

/** @type {((pen: CanvasRenderingContext2D) => void) | null} */
let sketch = null;
/** @type {OffscreenCanvas | null} */
let masks = null;

/**
 * What a tool draws while it is at work, in pixels of the video.
 * @param {((pen: CanvasRenderingContext2D) => void) | null} draw
 */
export function setSketch(draw) {
  sketch = draw;
  redraw();
}

/** Draw soon. */
export const redraw = soon(draw);

/** The whole picture, as large as it can be. */
export function fit() {
  const { video } = state;
  if (!video) return;
  const [width, height] = size();
  view.scale = Math.min(width / video.width, height / video.height);
  view.x = (width - video.width * view.scale) / 2;
  view.y = (height - video.height * view.scale) / 2;
  view.fitted = true;
  redraw();
}

/**
 * @param {number} factor
 * @param {[number, number]} [around]  pixel of the canvas that stays where it is
 */
export function zoom(factor, around) {
  const [width, height] = size();
  const [x, y] = around ?? [width / 2, height / 2];
  const scale = Math.max(0.05, Math.min(40, view.scale * factor));
  view.x = x - ((x - view.x) * scale) / view.scale;
  view.y = y - ((y - view.y) * scale) / view.scale;
  view.scale = scale;
  view.fitted = false;
  redraw();
}

/**
 * @param {number} x
 * @param {number} y
 */
export function pan(x, y) {
  view.x += x;
  view.y += y;
  view.fitted = false;
  redraw();
}

/**
 * Where a pointer is, in pixels of the canvas.
 * @param {PointerEvent | WheelEvent | MouseEvent} event
 * @returns {[number, number]}
 */
export function onCanvas(event) {
  const box = canvas.getBoundingClientRect();
  const ratio = canvas.width / box.width;
  return [(event.clientX - box.left) * ratio, (event.clientY - box.top) * ratio];
}

/**
 * Where a pointer is, in pixels of the video, inside of it.
 * @param {PointerEvent | MouseEvent} event
 * @returns {[number, number]}
 */
export function onVideo(event) {
  const [x, y] = onCanvas(event);
  return clamp([(x - view.x) / view.scale, (y - view.y) / view.scale]);
}

/**
 * @param {[number, number]} point
 * @returns {[number, number]}
 */
export function clamp([x, y]) {
  const { width, height } = state.video ?? { width: 1, height: 1 };
  return [Math.max(0, Math.min(width, x)), Math.max(0, Math.min(height, y))];
}

/** @returns {[number, number]} */
const size = () => [canvas.width, canvas.height];

function resize() {
  const ratio = window.devicePixelRatio || 1;
  const box = canvas.getBoundingClientRect();
  canvas.width = Math.max(1, Math.round(box.width * ratio));
  canvas.height = Math.max(1, Math.round(box.height * ratio));
  if (view.fitted) fit();
  else redraw();
}

function draw() {
  const pen = canvas.getContext("2d");
  if (!pen) return;
  pen.setTransform(1, 0, 0, 1, 0, 0);
  pen.clearRect(0, 0, canvas.width, canvas.height);
  const { video } = state;
  if (!video) return;
  pen.setTransform(view.scale, 0, 0, view.scale, view.x, view.y);
  pen.imageSmoothingEnabled = view.scale < 3;
  const picture = readyPicture(state.frame);
  if (picture) pen.drawImage(picture, 0, 0);
  if (masks) pen.drawImage(masks, 0, 0);
  if (inside(state.session?.out_of_body ?? [], state.frame)) outOfBody(pen, video);
  sketch?.(pen);
  prompts(pen);
  labels(pen);
  if (cross.point) crosshair(pen, cross.point);
}

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {import("./types.js").Video} video
 */
function outOfBody(pen, video) {
  pen.fillStyle = "#000e";
  pen.fillRect(0, 0, video.width, video.height);
  pen.fillStyle = "#fff";
  pen.font = `${16 / view.scale}px system-ui, sans-serif`;
  pen.textAlign = "center";
  pen.fillText("Out of body: black in every export", video.width / 2, video.height / 2);
  pen.textAlign = "start";
}

/** @param {CanvasRenderingContext2D} pen */
function prompts(pen) {
  for (const object of state.session?.objects ?? []) {
    const given = object.given[String(state.frame)];
    if (!given || state.hidden.has(object.id)) continue;
    const faint = object.id !== state.selected;
    pen.globalAlpha = faint ? 0.5 : 1;
    if (given.box) {
      const [x0, y0, x1, y1] = given.box;
      pen.lineWidth = 2 / view.scale;
      pen.strokeStyle = rgb(object.colour);
      pen.strokeRect(x0, y0, x1 - x0, y1 - y0);
    }
    for (const [x, y, label] of given.clicks) click(pen, x, y, label === 1, object.colour);
    pen.globalAlpha = 1;
  }
}

/**
 * A plus or a minus, so that they are told apart without colours.
 * @param {CanvasRenderingContext2D} pen
 * @param {number} x
 * @param {number} y
 * @param {boolean} include
 * @param {[number, number, number]} colour
 */
export function click(pen, x, y, include, colour) {
  const r = 7 / view.scale;
  pen.beginPath();
  pen.arc(x, y, r, 0, 2 * Math.PI);
  pen.fillStyle = include ? rgb(colour) : "#111";
  pen.fill();
  pen.lineWidth = 2 / view.scale;
  pen.strokeStyle = include ? "#111" : rgb(colour);
  pen.stroke();
  pen.beginPath();
  pen.moveTo(x - r * 0.55, y);
  pen.lineTo(x + r * 0.55, y);
  if (include) {
    pen.moveTo(x, y - r * 0.55);
    pen.lineTo(x, y + r * 0.55);
  }
  pen.strokeStyle = include ? "#111" : "#fff";
  pen.stroke();
}

/** @param {number} id */
const labelOf = (id) => (nameOf(id) === `object ${id}` ? nameOf(id) : `${id} ${nameOf(id)}`);

/** @param {CanvasRenderingContext2D} pen */
function labels(pen) {
  const lines = Object.entries(state.masks?.frame === state.frame ? state.masks.masks : {})
    .filter(([id]) => !state.hidden.has(Number(id)))
    .map(([id, mask]) => ({
      text: `${labelOf(Number(id))} ${mask.rle && mask.presence >= 0.25 ? mask.score.toFixed(2) : "absent"}`,
      colour: colourOf(Number(id)),
    }));
  const size = 13 / view.scale;
  pen.font = `${size}px system-ui, sans-serif`;
  lines.forEach(({ text, colour }, k) => {
    const y = (k + 0.4) * size * 1.7;
    const width = pen.measureText(text).width + size;
    pen.fillStyle = rgb(colour);
    pen.fillRect(size * 0.6, y, width, size * 1.5);
    pen.fillStyle = "#000";
    pen.fillText(text, size * 1.1, y + size * 1.1);
  });
}

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {[number, number]} point
 */
function crosshair(pen, [x, y]) {
  const r = 14 / view.scale;
  for (const [width, colour] of /** @type {[number, string][]} */ ([
    [4, "#000"],
    [2, "#fff"],
  ])) {
    pen.lineWidth = width / view.scale;
    pen.strokeStyle = colour;
    pen.beginPath();
    pen.moveTo(x - r, y);
    pen.lineTo(x + r, y);
    pen.moveTo(x, y - r);
    pen.lineTo(x, y + r);
    pen.stroke();
  }
}

export function startStage() {
  new ResizeObserver(resize).observe(canvas);
  watch(["video"], fit);
  watch(["masks", "hidden", "selected", "compare", "session"], () => {
    masks = state.video && state.masks ? paintMasks(state.masks) : null;
    redraw();
  });
  watch(["frame"], redraw);
  canvas.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      zoom(event.deltaY < 0 ? 1.15 : 1 / 1.15, onCanvas(event));
    },
    { passive: false },
  );
}
