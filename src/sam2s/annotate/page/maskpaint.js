/** Masks as pictures: a translucent fill and an outline, what a run replaced as a dashed line. */

import { colourOf, state } from "./state.js";
import { decode } from "./rle.js";

const FILL = 90;

/**
 * All masks of a frame on one canvas of the video's size; null where there are none.
 * @param {import("./types.js").FrameMasks} shown
 * @returns {OffscreenCanvas | null}
 */
export function paintMasks(shown) {
  const { width, height } = /** @type {import("./types.js").Video} */ (state.video);
  const entries = Object.entries(shown.masks).filter(
    ([id, mask]) => mask.rle && !state.hidden.has(Number(id)),
  );
  if (entries.length === 0) return null;
  const image = new ImageData(width, height);
  for (const [id, mask] of entries) {
    if (mask.rle) fill(image, decode(mask.rle), Number(id));
  }
  for (const [id, mask] of entries) {
    if (state.compare && mask.before?.rle) dash(image, decode(mask.before.rle), Number(id));
  }
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext("2d")?.putImageData(image, 0, 0);
  return canvas;
}

/**
 * @param {ImageData} image
 * @param {Uint8Array} mask
 * @param {number} id
 */
function fill(image, mask, id) {
  const colour = colourOf(id);
  const chosen = id === state.selected;
  each(image, mask, (place, edge) => {
    const alpha = edge ? 255 : chosen ? FILL + 26 : FILL;
    put(image, place, colour, alpha);
  });
}

/**
 * @param {ImageData} image
 * @param {Uint8Array} mask
 * @param {number} id
 */
function dash(image, mask, id) {
  each(image, mask, (place, edge) => {
    if (!edge) return;
    const dark = ((place % image.width) + Math.floor(place / image.width)) % 8 < 4;
    put(image, place, dark ? [0, 0, 0] : [255, 255, 255], 255);
  });
}

/**
 * Call `paint` for every pixel of the mask; `edge`: one of its neighbours is outside.
 * @param {ImageData} image
 * @param {Uint8Array} mask
 * @param {(place: number, edge: boolean) => void} paint
 */
function each(image, mask, paint) {
  const { width, height } = image;
  for (let y = 0, place = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1, place += 1) {
      if (!mask[place]) continue;
      const edge =
        x === 0 ||
        y === 0 ||
        x === width - 1 ||
        y === height - 1 ||
        !mask[place - 1] ||
        !mask[place + 1] ||
        !mask[place - width] ||
        !mask[place + width];
      paint(place, edge);
    }
  }
}

/**
 * @param {ImageData} image
 * @param {number} place
 * @param {[number, number, number]} colour
 * @param {number} alpha
 */
function put(image, place, colour, alpha) {
  const at = place * 4;
  const under = image.data[at + 3];
  if (under && alpha < 255) {
    // Two objects share the pixel: half of each.
    for (let k = 0; k < 3; k += 1) image.data[at + k] = (image.data[at + k] + colour[k]) >> 1;
    image.data[at + 3] = Math.max(under, alpha);
    return;
  }
  image.data[at] = colour[0];
  image.data[at + 1] = colour[1];
  image.data[at + 2] = colour[2];
  image.data[at + 3] = alpha;
}
