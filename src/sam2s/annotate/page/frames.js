/** Pictures and masks of frames: fetched when they are shown, a few ahead, and soon forgotten. */

import { get, ofVideo, Refused } from "./api.js";
import { state } from "./state.js";

/** @typedef {import("./types.js").FrameMasks} FrameMasks */

const MOST_BYTES = 96 * 2 ** 20;
const AHEAD = 6;

/** @type {Map<number, Promise<ImageBitmap>>} */
const pictures = new Map();
/** @type {Map<number, ImageBitmap>} */
const ready = new Map();
/** @type {Map<number, Promise<FrameMasks>>} */
const masks = new Map();

/** How many pictures are kept. */
function most() {
  const size = (state.video?.width ?? 640) * (state.video?.height ?? 480) * 4;
  return Math.max(AHEAD + 2, Math.min(120, Math.floor(MOST_BYTES / size)));
}

/**
 * @param {number} frame
 * @returns {Promise<ImageBitmap>}
 */
export function picture(frame) {
  const known = pictures.get(frame);
  if (known) {
    pictures.delete(frame); // to the end: the latest used
    pictures.set(frame, known);
    return known;
  }
  const made = fetchPicture(frame);
  pictures.set(frame, made);
  made.then(
    (bitmap) => (pictures.get(frame) === made ? ready.set(frame, bitmap) : bitmap.close()),
    () => pictures.delete(frame),
  );
  while (pictures.size > most()) forget(/** @type {number} */ (pictures.keys().next().value));
  return made;
}

/**
 * The picture when it is here already.
 * @param {number} frame
 */
export const readyPicture = (frame) => ready.get(frame);

/** @param {number} frame */
async function fetchPicture(frame) {
  const answer = await fetch(`/api/${ofVideo(`frames/${frame}`)}`);
  if (!answer.ok) {
    const content = await answer.json().catch(() => ({}));
    throw new Refused(content.error ?? "the frame cannot be shown", answer.status);
  }
  return createImageBitmap(await answer.blob());
}

/** @param {number} frame */
function forget(frame) {
  pictures.delete(frame);
  ready.get(frame)?.close();
  ready.delete(frame);
}

/**
 * @param {number} frame
 * @returns {Promise<FrameMasks>}
 */
export function masksOf(frame) {
  const known = masks.get(frame);
  if (known) return known;
  const made = get(ofVideo(`frames/${frame}/masks`));
  masks.set(frame, made);
  made.catch(() => masks.delete(frame));
  while (masks.size > 200) masks.delete(/** @type {number} */ (masks.keys().next().value));
  return made;
}

/**
 * Ask again for the masks of one frame, or of all.
 * @param {number} [frame]
 */
export function forgetMasks(frame) {
  if (frame === undefined) masks.clear();
  else masks.delete(frame);
}

/**
 * Fetch the frames after this one.
 * @param {number} frame
 */
export function fetchAhead(frame) {
  const last = (state.video?.frames ?? 1) - 1;
  for (let k = frame + 1; k <= Math.min(last, frame + AHEAD); k += 1) {
    picture(k).catch(() => undefined);
    masksOf(k).catch(() => undefined);
  }
}

/** Forget everything: another video is shown. */
export function forgetAll() {
  [...pictures.keys()].forEach(forget);
  masks.clear();
}
